//! Shifts at work: who is made ready, who goes home, what a shift's end never does, and who is
//! told that the next one will be short.

use crate::desk_world::{Habit, MIDNIGHT, Stage, secs};
use pukar::acd::ShiftNews;
use pukar::call::Outcome;
use pukar::core::{Verb, What};

const HOUR: i64 = 3_600_000_000;
/// Two shifts that hand over at 14:00. op3's phone registers; nobody has registered it yet.
const TWO: &str = r#"
[[line]]
numbers = ["181"]
queue = "general"
[[queue]]
name = "general"
skills = ["operator"]
wrap_up = "0s"
when_unstaffed = "wait"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
[[agent]]
id = "op2"
contact = "sip:op2@10.2.0.2"
skills = ["operator"]
[[agent]]
id = "op3"
secret = "a long secret"
skills = ["operator"]
[[shift]]
name = "morning"
hours = "06:00-14:00"
agents = ["op1"]
auto = true
[[shift]]
name = "evening"
hours = "14:00-22:00"
agents = ["op2", "op3"]
minimum = 2
auto = true
"#;

/// Two minutes before two, in India.
fn before_two(text: &str) -> Stage {
    let mut stage = Stage::at(text, MIDNIGHT + 14 * HOUR - HOUR / 30);
    stage.habit("10.2.0.1:5060", Habit::Answers);
    stage.habit("10.2.0.2:5060", Habit::Answers);
    stage
}

fn news(stage: &Stage) -> Vec<String> {
    let told = stage.facts.iter().filter_map(|fact| match &fact.what {
        What::Shift(ShiftNews::Began { shift }) => Some(format!("{shift} began")),
        What::Shift(ShiftNews::Ended { shift }) => Some(format!("{shift} ended")),
        What::Shift(ShiftNews::Short { shift, of, present, minimum, .. }) => {
            Some(format!("{shift} short: {present} of {minimum} {of}"))
        }
        What::Shift(ShiftNews::Filled { shift, of, present, minimum, .. }) => {
            Some(format!("{shift} filled: {present} of {minimum} {of}"))
        }
        _ => None,
    });
    told.map(|told| told.trim_end().to_string()).collect()
}

fn states(stage: &Stage) -> [&'static str; 3] {
    ["op1", "op2", "op3"].map(|agent| stage.state(agent))
}

#[test]
fn a_shift_begins_and_ends_at_its_hours_with_those_whose_phones_are_there() {
    let mut stage = before_two(TWO);
    assert_eq!(states(&stage), ["ready", "off", "off"]);
    stage.wait(secs(119));
    assert_eq!(states(&stage), ["ready", "off", "off"]);
    stage.kill();
    stage.wait(secs(1));
    assert_eq!(states(&stage), ["off", "ready", "off"], "op3 has no phone yet");
    let told = ["morning began", "evening short: 1 of 2", "morning ended", "evening began"];
    assert_eq!(news(&stage)[..4], told);
    stage.wait(secs(8 * 3_600));
    assert_eq!(states(&stage), ["off", "off", "off"]);
    stage.wait(secs(8 * 3_600));
    assert_eq!(states(&stage), ["ready", "off", "off"], "the next morning");
}

#[test]
fn a_shifts_end_cuts_no_call_and_empties_no_queue() {
    let mut stage = before_two(TWO);
    stage.dial("9826000001", "181", "");
    stage.dial("9826000002", "181", "");
    assert_eq!(stage.state("op1"), "talking");
    stage.wait(secs(121));
    assert_eq!(states(&stage), ["talking", "talking", "off"], "op2 took over the line");
    stage.wait(secs(600));
    assert_eq!(stage.state("op1"), "talking", "overtime is the caller's");
    stage.far_end_hangs_up("10.2.0.1:5060");
    assert_eq!(stage.state("op1"), "off");
    stage.far_end_hangs_up("10.2.0.2:5060");
    stage.wait(secs(60));
    assert_eq!(stage.records.len(), 2);
    assert!(stage.records.iter().all(|record| record.outcome == Outcome::Answered));
}

#[test]
fn who_waits_when_the_last_shift_ends_still_waits() {
    let mut stage = Stage::at(TWO, MIDNIGHT + 22 * HOUR - HOUR / 60);
    stage.set_agent("op2", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(120));
    assert_eq!(states(&stage), ["off", "off", "off"]);
    assert_eq!(stage.switch.state().counts(), (1, 1), "in line, with the music");
    stage.set_agent("op2", "ready");
    assert_eq!(stage.story(), ["offered op2"], "a supervisor calls somebody back");
}

#[test]
fn the_roster_moves_people_only_when_it_changes() {
    let mut stage = before_two(TWO);
    stage.set_agent("op1", "logout");
    stage.set_agent("op2", "ready");
    stage.wait(secs(100));
    assert_eq!(states(&stage), ["off", "ready", "off"], "as the supervisor said");
    stage.wait(secs(30));
    stage.set_agent("op2", "pause");
    stage.reload(TWO);
    stage.wait(secs(3_600));
    assert_eq!(states(&stage), ["off", "paused", "off"]);
    stage.wait(secs(7 * 3_600));
    assert_eq!(states(&stage), ["off", "off", "off"], "whoever is on break goes home too");
}

#[test]
fn without_auto_agents_log_in_by_themselves_and_go_home_with_the_shift() {
    let mut stage = before_two(&TWO.replace("auto = true", ""));
    assert_eq!(states(&stage), ["off", "off", "off"]);
    stage.wait(secs(130));
    assert_eq!(states(&stage), ["off", "off", "off"]);
    stage.set_agent("op2", "ready");
    stage.wait(secs(8 * 3_600));
    assert_eq!(states(&stage), ["off", "off", "off"]);
}

#[test]
fn ready_from_the_start_means_while_the_shift_is_on() {
    let text = TWO.replace(
        "skills = [\"operator\"]\n[[agent]]",
        "skills = [\"operator\"]\nready = true\n[[agent]]",
    );
    let stage = before_two(&text.replace("auto = true", ""));
    assert_eq!(states(&stage), ["ready", "off", "off"], "op2's shift is not on");
}

#[test]
fn a_phone_that_comes_late_is_ready_when_it_comes() {
    let mut stage = before_two(TWO);
    stage.wait(secs(300));
    assert_eq!(stage.state("op3"), "off");
    let at = "10.2.0.3:5060";
    let register = |authorization: &str, seq: u8| {
        format!(
            "REGISTER sip:helpline.example SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bKr{seq}\r\n\
             From: <sip:op3@helpline.example>;tag=r\r\nTo: <sip:op3@helpline.example>\r\n\
             Call-ID: r\r\nCSeq: {seq} REGISTER\r\nContact: <sip:op3@{at}>\r\nExpires: 3600\r\n\
             Max-Forwards: 70\r\n{authorization}Content-Length: 0\r\n\r\n"
        )
    };
    stage.say(at, register("", 1));
    let challenge = stage.heard_at(at);
    stage.say(at, register(&answer(&challenge), 2));
    assert_eq!(stage.state("op3"), "ready");
}

/// RFC 2617 with qop=auth, by the book.
fn answer(challenge: &str) -> String {
    let value = |key: &str| {
        let rest = challenge.split(&format!("{key}=\"")).nth(1).expect("a challenge");
        rest.split('"').next().unwrap_or_default().to_string()
    };
    let hash = |text: String| {
        use md5::Digest;
        md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (realm, nonce) = (value("realm"), value("nonce"));
    let a1 = hash(format!("op3:{realm}:a long secret"));
    let a2 = hash("REGISTER:sip:helpline.example".into());
    let response = hash(format!("{a1}:{nonce}:00000001:c:auth:{a2}"));
    format!(
        "Authorization: Digest username=\"op3\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"sip:helpline.example\", response=\"{response}\", algorithm=MD5, qop=auth, \
         nc=00000001, cnonce=\"c\"\r\n"
    )
}

#[test]
fn a_short_shift_is_reported_half_an_hour_before_it_starts_and_once_when_it_has() {
    let mut stage = Stage::at(TWO, MIDNIGHT + 13 * HOUR);
    assert_eq!(news(&stage), ["morning began"]);
    stage.wait(secs(29 * 60));
    assert_eq!(news(&stage), ["morning began"]);
    stage.wait(secs(60));
    assert_eq!(news(&stage), ["morning began", "evening short: 1 of 2"]);
    stage.wait(secs(3_600));
    let all = news(&stage);
    assert_eq!(all[2..], ["morning ended", "evening began", "evening short: 1 of 2"]);
}

#[test]
fn a_calendar_that_steps_is_noticed_within_a_minute() {
    let mut stage = before_two(TWO);
    stage.now.wall.0 += HOUR;
    stage.wait(secs(61));
    assert_eq!(states(&stage), ["off", "ready", "off"]);
    stage.now.wall.0 -= 2 * HOUR;
    stage.wait(secs(61));
    assert_eq!(states(&stage), ["ready", "off", "off"]);
}

#[test]
fn a_shift_whose_people_have_not_logged_in_is_short_though_their_phones_are_always_there() {
    let text = TWO
        .replace("secret = \"a long secret\"", "contact = \"sip:op3@10.2.0.3\"")
        .replace("minimum = 2\nauto = true", "minimum = 2\nauto = false");
    let mut stage = before_two(&text);
    stage.wait(secs(119));
    assert_eq!(news(&stage), ["morning began"], "the phones are there");
    stage.wait(secs(1));
    stage.set_agent("op2", "pause");
    stage.wait(secs(299));
    assert_eq!(news(&stage).last().unwrap(), "evening began", "they have a few minutes");
    stage.wait(secs(62));
    assert_eq!(news(&stage).last().unwrap(), "evening short: 1 of 2", "who pauses is there");
    let told = news(&stage).len();
    stage.wait(secs(3_600));
    assert_eq!(news(&stage).len(), told, "once");
    stage.set_agent("op3", "ready");
    stage.wait(secs(62));
    assert_eq!(news(&stage)[told..], ["evening filled: 2 of 2"]);
    stage.set_agent("op3", "logout");
    stage.wait(secs(3_600));
    assert_eq!(news(&stage)[told + 1..], ["evening short: 1 of 2"], "and anew");
    // Where all have come, nobody is told anything.
    let mut stage = before_two(&text);
    stage.wait(secs(121));
    ["op2", "op3"].iter().for_each(|agent| stage.set_agent(agent, "ready"));
    stage.wait(secs(3_600));
    assert_eq!(news(&stage).last().unwrap(), "evening began");
}

#[test]
fn a_shift_whose_phones_at_fixed_addresses_are_dead_is_reported_before_it_starts() {
    let text =
        TWO.replace("agents = [\"op2\", \"op3\"]\nminimum = 2", "agents = [\"op2\"]\nminimum = 1");
    let mut stage = Stage::at(&text, MIDNIGHT + 13 * HOUR);
    stage.deaf("10.2.0.2:5060");
    stage.wait(secs(29 * 60));
    assert_eq!(news(&stage), ["morning began"], "nobody has looked yet");
    stage.kill();
    stage.wait(secs(70));
    assert_eq!(news(&stage)[1..], ["evening short: 0 of 1"], "half an hour before");
    stage.hears_again("10.2.0.2:5060");
    stage.wait(secs(60));
    assert_eq!(news(&stage)[2..], ["evening filled: 1 of 1"]);
    stage.wait(secs(29 * 60));
    assert_eq!(states(&stage)[..2], ["off", "ready"]);
    // A phone that is there is asked in silence.
    let mut stage = Stage::at(&text, MIDNIGHT + 13 * HOUR);
    stage.wait(secs(59 * 60));
    assert_eq!(news(&stage), ["morning began"]);
    assert!(stage.facts.iter().all(|fact| !matches!(fact.what, What::Phone { .. })));
}

#[test]
fn whoever_comes_into_the_configuration_outside_their_shift_is_not_rung_by_it() {
    let ready = TWO
        .replace("contact = \"sip:op2@10.2.0.2\"", "contact = \"sip:op2@10.2.0.2\"\nready = true");
    let (agent, rest) = ready.split_once("[[agent]]\nid = \"op2\"").unwrap();
    let (_, rest) = rest.split_once("[[agent]]").unwrap();
    let without = format!("{agent}[[agent]]{rest}").replace("[\"op2\", \"op3\"]", "[\"op3\"]");
    let without = without.replace("minimum = 2", "minimum = 1");
    let mut stage = before_two(&without);
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    stage.reload(&ready);
    assert_eq!(states(&stage), ["paused", "off", "off"]);
    assert!(stage.invites.is_empty(), "{:?}", stage.invites);
    stage.wait(secs(121));
    assert_eq!(states(&stage)[1], "talking", "their shift has begun");
}

#[test]
fn whoever_comes_to_a_shift_for_one_day_alone_is_not_rung_before_that_day() {
    let helper = "[[agent]]\nid = \"helper\"\ncontact = \"sip:helper@10.2.0.4\"\n\
                  skills = [\"operator\"]\nready = true\n[[shift]]";
    let day = "[[shift.exception]]\ndate = \"2030-01-26\"\ninstead = [\"helper\"]\n";
    let text = format!("{}{day}", TWO.replacen("[[shift]]", helper, 1));
    let stage = before_two(&text);
    assert_eq!(stage.state("helper"), "off", "from the start");
    // The same where the day is written down later, but for who has said so.
    for says_so in [false, true] {
        let mut stage = before_two(&TWO.replacen("[[shift]]", helper, 1));
        assert_eq!(stage.state("helper"), "ready", "on no roster");
        if says_so {
            ["pause", "ready"].into_iter().for_each(|state| stage.set_agent("helper", state));
        }
        stage.reload(&text);
        assert_eq!(stage.state("helper"), if says_so { "ready" } else { "off" });
    }
    let mut stage = before_two(TWO);
    stage.reload(&text);
    assert_eq!(stage.state("helper"), "off");
    // And once that day is past, they are ready as anybody who is on no roster.
    let past = before_two(&text.replace("2030-01-26", "2020-01-26"));
    assert_eq!(past.state("helper"), "ready");
}

#[test]
fn a_word_to_a_group_is_none_to_whoever_goes_home_after_the_call_in_hand() {
    for state in ["ready", "pause"] {
        let mut stage = before_two(TWO);
        stage.dial("9826000001", "181", "");
        stage.wait(secs(121));
        assert_eq!(states(&stage), ["talking", "ready", "off"], "the shift is over");
        let told = ["op1", "op2"].map(|agent| {
            let (agent, reason) = (agent.into(), String::new());
            stage.ask(Verb::SetMember { agent, state: state.into(), reason });
            stage.replies.pop().unwrap().unwrap()
        });
        assert_eq!(told, ["logged out, and left so".to_string(), format!("op2: {state}")]);
        stage.far_end_hangs_up("10.2.0.1:5060");
        assert_eq!(stage.state("op1"), "off", "{state}");
        let audits = stage.facts.iter().filter_map(|fact| match &fact.what {
            What::Audit(audit) => Some((audit.on.clone(), audit.refused.clone())),
            _ => None,
        });
        let expected = [("op1", "logged out"), ("op2", "")];
        let expected = expected.map(|(agent, why)| (format!("{agent} {state}"), why.to_string()));
        assert_eq!(audits.collect::<Vec<_>>(), expected, "both are on the books");
    }
}

#[test]
fn the_first_shifts_send_home_whoever_is_ready_by_the_configuration_alone() {
    let ready =
        TWO.replace("skills = [\"operator\"]\n[[", "skills = [\"operator\"]\nready = true\n[[");
    let without = ready.split("[[shift]]").next().unwrap();
    let mut stage = Stage::at(without, MIDNIGHT + 3 * HOUR);
    stage.habit("10.2.0.1:5060", Habit::Answers);
    assert_eq!(states(&stage), ["ready", "ready", "unreachable"]);
    stage.set_agent("op2", "pause");
    stage.set_agent("op2", "ready");
    stage.dial("9826000001", "181", "");
    stage.kill();
    stage.reload(&ready);
    let on = ["talking", "ready", "off"];
    assert_eq!(states(&stage), on, "who has said so is there, and nobody is cut off");
    stage.far_end_hangs_up("10.2.0.1:5060");
    assert_eq!(stage.state("op1"), "off");
    // Whoever is put on a roster that is there already is new to it as well.
    let two = ready.replace("agents = [\"op1\"]", "agents = [\"op3\"]").replace("auto = true", "");
    let mut stage = Stage::at(&two, MIDNIGHT + 3 * HOUR);
    assert_eq!(states(&stage)[..2], ["ready", "off"]);
    stage.reload(&ready);
    assert_eq!(states(&stage)[..2], ["off", "off"]);
}

#[test]
fn a_shift_without_its_counsellor_is_short_of_one_though_there_are_heads_enough() {
    let people = "agents = [\"op2\", \"op3\"]\nminimum = 2";
    let with = |people_now: &str| TWO.replace(people, people_now);
    let text = with(
        "agents = [\"op2\"]\ncounsellors = [\"op3\"]\nminimum = { operator = 1, counsellor = 1 }",
    );
    let mut stage = before_two(&text);
    let short: Vec<String> = news(&stage).into_iter().filter(|news| news.contains("of")).collect();
    assert_eq!(short, ["evening short: 0 of 1 counsellor"]);
    stage.reload(&text.replace(", counsellor = 1", ""));
    assert_eq!(news(&stage).last().unwrap(), "evening filled: 0 of 0 counsellor");
    // By what they can do, whatever they are on the shift as.
    let text = with("agents = [\"op2\", \"op3\"]\nminimum = { health = 2 }")
        .replace(
            "skills = [\"operator\"]\n[[agent]]\nid = \"op3\"",
            "skills = [\"operator\", \
                  \"health\"]\n[[agent]]\nid = \"op3\"",
        )
        .replace("long secret\"\nskills = [", "long secret\"\nskills = [\"health\", ");
    assert_eq!(news(&before_two(&text))[1], "evening short: 1 of 2 health");
}
