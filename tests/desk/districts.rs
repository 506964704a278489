//! Numbers and districts, from the carrier's INVITE to the record: which line, which caller, which
//! district, who rings, and what becomes of callers whose own centre cannot serve them.

use crate::desk_world::{BSNL, Habit, OP1, Stage, field, secs};
use pukar::call::{Flag, Outcome};
use std::time::Duration;

/// A state queue, a district with a queue here, and one with a centre behind a trunk.
const STATE: &str = r#"
[numbers]
area = "755"
[[trunk]]
name = "shivpuri"
hosts = ["10.3.0.1:5060"]
ping = "0s"
[[line]]
numbers = ["181", "0755181", "07552551181"]
queue = "general"
default = true
[[line]]
name = "mobile"
numbers = ["9425012345"]
queue = "general"
[[line]]
numbers = ["104"]
queue = "general"
by_district = false
[[district]]
name = "alirajpur"
title = "अलीराजपुर"
std = ["07394"]
queue = "alirajpur"
[[district]]
name = "shivpuri"
std = ["07492"]
trunk = "shivpuri"
[[queue]]
name = "general"
skills = ["state"]
[[queue]]
name = "alirajpur"
skills = ["ali"]
[[queue.overflow]]
unstaffed = true
to = "queue:general"
[[queue.overflow]]
after = "60s"
to = "queue:general"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["state"]
ready = true
[[agent]]
id = "ali1"
contact = "sip:ali1@10.2.0.2"
skills = ["ali"]
ready = true
"#;
const SOON: &str = "trunk = \"shivpuri\"\nrings_within = \"3s\"";
const ALI1: &str = "10.2.0.2:5060";
const SHIVPURI: &str = "10.3.0.1:5060";

fn stage() -> Stage {
    let mut stage = Stage::new(STATE);
    stage.habit(OP1, Habit::Answers);
    stage.habit(ALI1, Habit::Answers);
    stage
}

#[test]
fn whoever_calls_reaches_a_human_and_what_is_odd_is_flagged() {
    let private = "Privacy: id\r\n";
    for (from, more, caller, flags) in [
        ("+919826012345", "", "+919826012345", &[][..]),
        ("09826012345", "", "+919826012345", &[]),
        ("9826012345", private, "", &[Flag::CallerWithheld]),
        ("anonymous", "", "", &[Flag::CallerWithheld]),
        ("Unavailable", "", "", &[Flag::CallerWithheld]),
        ("", "", "", &[Flag::CallerMissing]),
        ("ghar", "", "", &[Flag::CallerOdd]),
        ("12", "", "", &[Flag::CallerOdd]),
        ("98260123450000000000", "", "", &[Flag::CallerOdd]),
        ("108", "", "", &[]),
    ] {
        let mut stage = stage();
        let name = stage.dial(from, "181", more);
        assert_eq!(stage.arrival().flags, flags, "{from}");
        assert_eq!(stage.arrival().caller, caller, "{from}");
        assert_eq!(stage.arrival().caller_raw, from);
        assert_eq!(stage.story(), ["offered op1", "connected op1"], "{from}");
        stage.hang_up(&name);
        stage.wait(secs(60));
        let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
        assert_eq!((record.outcome, record.district.as_str()), (Outcome::Answered, ""));
    }
}

#[test]
fn a_number_that_no_line_has_goes_to_the_default_line_if_there_is_one() {
    let mut stage = stage();
    stage.dial("9826012345", "5559999999", "");
    assert_eq!(stage.arrival().flags, [Flag::UnknownNumber]);
    assert_eq!((&*stage.arrival().line, &*stage.arrival().dialled), ("181", "+915559999999"));
    assert_eq!(stage.story(), ["offered op1", "connected op1"]);
    let mut without = Stage::new(&STATE.replace("default = true", ""));
    without.dial("9826012345", "5559999999", "");
    assert_eq!(without.records[0].sip_status, 404);
}

#[test]
fn a_carrier_may_put_its_numbers_where_it_likes() {
    let asserted = "P-Asserted-Identity: <sip:+917394233445@bsnl.example>\r\n";
    let remote = "Remote-Party-ID: <sip:07394233445@bsnl.example>;party=calling\r\n";
    let called = "P-Called-Party-ID: <sip:104@bsnl.example>\r\n";
    let mut stage = stage();
    stage.dial_to("pilot", "7552550000", "104", asserted);
    assert_eq!((&*stage.arrival().line, &*stage.arrival().caller), ("104", "+917394233445"));
    stage.dial_to("pilot", "7552550000", "x", &format!("{called}{remote}"));
    assert_eq!((&*stage.arrival().line, &*stage.arrival().caller), ("104", "+917394233445"));
    for (did, uri, to, line) in [
        ("request-uri", "181", "104", "181"),
        ("to", "181", "104", "104"),
        ("p-called-party-id", "181", "181", "104"),
    ] {
        let text = format!("did = \"{did}\"\ncaller = \"from\"\n{STATE}");
        let mut stage = Stage::new(&text);
        stage.dial_to("9826012345", uri, to, &format!("{called}{asserted}"));
        let arrival = stage.arrival();
        assert_eq!((&*arrival.line, &*arrival.caller), (line, "+919826012345"), "{did}");
    }
}

#[test]
fn a_forwarded_mobile_is_the_line_that_was_called_and_the_caller_stays_the_caller() {
    let mut stage = stage();
    stage.dial(
        "9826012345",
        "7552551181",
        "Diversion: <sip:+919425012345@x>;reason=unconditional\r\n",
    );
    let arrival = stage.arrival();
    assert_eq!((&*arrival.line, &*arrival.dialled), ("mobile", "+919425012345"));
    assert_eq!(&*arrival.forwarded_by, "+919425012345");
    assert_eq!((&*arrival.caller, &arrival.flags[..]), ("+919826012345", &[Flag::Forwarded][..]));
    let history = "History-Info: <sip:9425012345@x>;index=1, <sip:7552551181@x>;index=1.1\r\n";
    stage.dial("9826012345", "7552551181", history);
    assert_eq!(stage.arrival().line, "mobile");
}

#[test]
fn the_std_code_of_a_district_leads_to_its_own_agents() {
    for uri in ["07394181", "7394181", "+917394181", "917394181"] {
        let mut stage = stage();
        let name = stage.dial("9826012345", uri, "");
        assert_eq!((&*stage.arrival().dialled, &*stage.arrival().dialled_raw), ("07394181", uri));
        assert_eq!(stage.story(), ["offered ali1", "connected ali1"], "{uri}");
        stage.hang_up(&name);
        stage.wait(secs(60));
        let record = &stage.records[0];
        assert_eq!((&*record.district, &*record.queue), ("alirajpur", "alirajpur"));
        assert_eq!((&*record.line, &*record.agent), ("181", "ali1"));
        // The same mobile is known to be of that district from now on.
        stage.dial("+919826012345", "181", "");
        assert_eq!(stage.story()[2..], ["offered ali1", "connected ali1"], "{uri}");
    }
}

#[test]
fn the_callers_own_std_code_is_a_hint_and_a_line_may_not_care() {
    let mut stage = stage();
    stage.dial("07394-233445", "181", "");
    assert_eq!(stage.story(), ["offered ali1", "connected ali1"]);
    stage.dial("07394-233445", "104", "");
    assert_eq!(stage.story()[2..], ["offered op1", "connected op1"]);
    assert_eq!(stage.arrival().district, "alirajpur", "known, all the same");
}

#[test]
fn a_district_where_nobody_is_on_shift_is_served_by_the_state_at_once() {
    let mut stage = stage();
    stage.set_agent("ali1", "logout");
    let name = stage.dial("9826012345", "07394181", "");
    let story = ["alirajpur -> queue:general (unstaffed)", "offered op1", "connected op1"];
    assert_eq!(stage.story(), story);
    stage.hang_up(&name);
    stage.wait(secs(60));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!(
        (&*record.district, &*record.queue, &*record.agent),
        ("alirajpur", "general", "op1")
    );
    assert_eq!((&*record.dialled, &*record.caller), ("07394181", "+919826012345"));
}

#[test]
fn q20_who_overflows_keeps_the_place_of_the_arrival_whatever_happens_on_the_way() {
    let mut stage = stage();
    stage.habit(OP1, Habit::Rings);
    stage.set_agent("op1", "pause");
    stage.set_agent("ali1", "pause");
    stage.dial("9826000001", "07394181", "");
    stage.wait(secs(30));
    stage.dial("9826000002", "181", "");
    stage.kill();
    stage.wait(secs(31));
    assert_eq!(stage.story(), ["alirajpur -> queue:general (after)"]);
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "ready");
    let invite = &stage.invites.last().unwrap().1;
    assert!(field(invite, "From").contains("9826000001"), "the earlier caller first: {invite}");
    stage.far_end_hangs_up(OP1);
    stage.wait(secs(60));
    let record = &stage.records[0];
    assert_eq!(record.wait_ms, 61_000, "the wait goes on counting");
    assert_eq!((&*record.queue, record.offers), ("general", 1));
}

#[test]
fn the_centre_behind_a_trunk_is_rung_while_the_caller_hears_music() {
    let mut stage = stage();
    stage.habit(SHIVPURI, Habit::Answers);
    let name = stage.dial("9826012345", "07492181", "");
    assert!(stage.answers[&name].starts_with("SIP/2.0 200"));
    assert_eq!(stage.story(), ["rung 07492181: true", "connected"]);
    let (_, invite) = &stage.invites[0];
    assert!(invite.starts_with("INVITE sip:07492181@10.3.0.1"), "{invite}");
    assert!(field(invite, "From").contains("9826012345"), "{invite}");
    stage.wait(secs(10));
    stage.kill();
    stage.far_end_hangs_up(SHIVPURI);
    stage.wait(secs(60));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((record.outcome, record.talk_ms), (Outcome::Answered, 10_000));
    assert_eq!((&*record.district, &*record.queue), ("shivpuri", ""));
    assert_eq!(stage.switch.state().counts(), (0, 0));
}

#[test]
fn a_centre_that_does_not_answer_loses_nobody() {
    let silent = [(STATE.to_string(), 8), (STATE.replace("trunk = \"shivpuri\"", SOON), 3)];
    let [usual, soon] = silent.map(|(text, waits)| (text, Habit::Takes, waits));
    let rings = [(Habit::Refuses(486), 0), (Habit::Refuses(503), 0), (Habit::Rings, 28)];
    let rings = rings.map(|(habit, waits)| (STATE.to_string(), habit, waits));
    for (text, habit, waits) in rings.into_iter().chain([usual, soon]) {
        let mut stage = Stage::new(&text);
        stage.habit(OP1, Habit::Answers);
        stage.habit(SHIVPURI, habit);
        let name = stage.dial("9826012345", "07492181", "");
        stage.wait(secs(waits));
        let story = ["rung 07492181: false", "offered op1", "connected op1"];
        assert_eq!(stage.story(), story, "{habit:?}");
        stage.hang_up(&name);
        stage.wait(secs(60));
        let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
        assert_eq!((&*record.queue, record.wait_ms), ("general", waits * 1_000), "{habit:?}");
    }
}

#[test]
fn a_caller_who_leaves_while_the_centre_rings_leaves_nothing_behind() {
    let mut stage = stage();
    let name = stage.dial("9826012345", "07492181", "");
    stage.hang_up(&name);
    stage.wait(secs(60));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!(record.outcome, Outcome::Abandoned);
    assert_eq!(stage.switch.state().counts(), (0, 0));
}

#[test]
fn a_queue_may_ask_a_centre_for_help_and_whoever_is_first_has_the_call() {
    let text = STATE.replace(
        "name = \"general\"\n",
        "name = \"general\"\n[[queue.overflow]]\nafter = \"20s\"\nto = \"district:shivpuri\"\n",
    );
    let text = text.replace(
        "[[queue.overflow]]\nafter = \"20s\"\nto = \"district:shivpuri\"\nskills = [\"state\"]",
        "skills = [\"state\"]\n[[queue.overflow]]\nafter = \"20s\"\nto = \"district:shivpuri\"",
    );
    for first in ["centre", "agent"] {
        let mut stage = Stage::new(&text);
        stage.set_agent("op1", "pause");
        if first == "centre" {
            stage.habit(SHIVPURI, Habit::Answers);
        }
        let name = stage.dial("9826012345", "181", "");
        stage.wait(secs(25));
        stage.kill();
        stage.habit(OP1, Habit::Answers);
        stage.set_agent("op1", "ready");
        stage.wait(secs(5));
        let way = "general -> district:shivpuri (after)";
        match first {
            "centre" => assert_eq!(stage.story(), [way, "rung 181: true", "connected"]),
            _ => assert_eq!(stage.story(), [way, "offered op1", "connected op1"]),
        }
        stage.hang_up(&name);
        stage.wait(secs(60));
        assert_eq!(stage.records.len(), 1);
        assert_eq!(stage.switch.state().counts(), (0, 0));
    }
}

#[test]
fn the_wait_of_the_first_in_line_says_whether_to_come_in() {
    let text = STATE.replace("after = \"60s\"", "wait_over = \"2m\"");
    let mut stage = Stage::new(&text);
    stage.set_agent("ali1", "pause");
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "07394181", "");
    stage.wait(secs(119));
    stage.dial("9826000002", "07394181", "");
    assert_eq!(stage.story(), [""; 0]);
    stage.wait(secs(2));
    stage.dial("9826000003", "07394181", "");
    assert_eq!(stage.story(), ["alirajpur -> queue:general (wait-over)"]);
    stage.wait(secs(300));
    assert_eq!(stage.story().len(), 1, "who waits already keeps the place");
}

#[test]
fn whoever_comes_goes_on_where_the_estimate_of_their_wait_is_too_long() {
    let text = STATE.replace("after = \"60s\"", "wait_over = \"3m\"");
    let mut stage = Stage::new(&text);
    stage.habit(ALI1, Habit::Answers);
    // Four conversations of a minute each, and their wrap-ups: what is expected is known now.
    for n in 0..4 {
        stage.dial(&format!("982600001{n}"), "07394181", "");
        stage.wait(secs(60));
        stage.far_end_hangs_up(ALI1);
        stage.wait(secs(11));
    }
    let before = stage.story().len();
    stage.dial("9826000001", "07394181", "");
    stage.dial("9826000002", "07394181", "");
    stage.dial("9826000003", "07394181", "");
    assert_eq!(stage.story().len(), before + 2, "one talks, two wait: {:?}", stage.story());
    stage.dial("9826000004", "07394181", "");
    let story = stage.story();
    assert_eq!(story[before + 2], "alirajpur -> queue:general (wait-over)", "{story:?}");
}

#[test]
fn a_trunk_that_is_down_opens_another_way() {
    let text = STATE.replace("after = \"60s\"", "trunk_down = \"shivpuri\"").replacen(
        "hosts = [\"10.3.0.1:5060\"]\nping = \"0s\"",
        "hosts = [\"10.3.0.1:5060\"]\nping = \"10s\"",
        1,
    );
    let mut stage = Stage::new(&text);
    stage.set_agent("ali1", "pause");
    stage.dial("9826000001", "07394181", "");
    stage.wait(secs(60));
    assert_eq!(stage.story(), [""; 0], "the trunk answers");
    let hop = pukar::sip::Hop {
        transport: pukar::sip::Transport::Udp,
        local: "10.0.0.1:5060".parse().unwrap(),
        peer: SHIVPURI.parse().unwrap(),
        flow: None,
    };
    stage.deaf(SHIVPURI);
    stage.tell(pukar::core::Event::Unreachable { hop });
    stage.wait(secs(90));
    assert_eq!(stage.story()[0], "alirajpur -> queue:general (trunk-down)");
    // And a caller of that district is not made to wait for it.
    let invites = stage.invites.len();
    stage.dial("9826000002", "07492181", "");
    assert!(stage.invites[invites..].iter().all(|(to, _)| *to != SHIVPURI.parse().unwrap()));
}

#[test]
fn a_way_out_that_falls_due_while_its_trunk_is_down_is_taken_when_the_trunk_answers_again() {
    let text = STATE
        .replace(
            "after = \"60s\"\nto = \"queue:general\"",
            "after = \"60s\"\nto = \"district:shivpuri\"",
        )
        .replacen(
            "hosts = [\"10.3.0.1:5060\"]\nping = \"0s\"",
            "hosts = [\"10.3.0.1:5060\"]\nping = \"10s\"",
            1,
        );
    let mut stage = Stage::new(&text);
    stage.set_agent("ali1", "pause");
    stage.deaf(SHIVPURI);
    stage.wait(secs(60));
    stage.dial("9826000001", "07394181", "");
    stage.wait(secs(150));
    assert_eq!(stage.story(), [""; 0], "due for long, and nobody is there");
    stage.hears_again(SHIVPURI);
    stage.habit(SHIVPURI, Habit::Answers);
    stage.wait(secs(30));
    assert_eq!(stage.story()[0], "alirajpur -> district:shivpuri (after)");
    assert!(stage.story().contains(&"connected".to_string()), "{:?}", stage.story());
}

#[test]
fn whether_an_officers_number_was_reached_is_told() {
    let text = format!("{STATE}[[line]]\nnumbers = [\"9001\"]\nto = \"sip:9826000131@10.5.0.1\"\n");
    for (habit, told) in [
        (Habit::Answers, "rung +919826000131: true"),
        (Habit::Refuses(480), "rung +919826000131: false"),
        (Habit::Rings, "rung +919826000131: false"),
    ] {
        let mut stage = Stage::new(&text);
        stage.habit("10.5.0.1:5060", habit);
        stage.dial("9826012345", "9001", "");
        stage.wait(secs(61));
        assert_eq!(stage.story()[0], told, "{habit:?}");
    }
}

#[test]
fn a_call_that_goes_round_through_others_comes_to_an_end() {
    let mut stage = stage();
    let dial = |stage: &mut Stage, forwards: u8| {
        let invite = stage.invite("9826012345", "07492181", "");
        let left = format!("Max-Forwards: {forwards}");
        stage.say(BSNL, invite.replace("Max-Forwards: 70", &left));
    };
    for forwards in [70, 2, 1] {
        dial(&mut stage, forwards);
        let (_, invite) = stage.invites.last().unwrap();
        let left: u8 = field(invite, "Max-Forwards").parse().unwrap();
        assert_eq!(left, forwards - 1, "{invite}");
    }
    let placed = stage.invites.len();
    dial(&mut stage, 0);
    assert!(stage.heard_at(BSNL).starts_with("SIP/2.0 483 "), "{}", stage.heard_at(BSNL));
    assert_eq!(stage.invites.len(), placed);
}

#[test]
fn a_call_costs_the_same_among_ten_numbers_and_among_ten_thousand() {
    let cost = |lines: usize| {
        let mut text = STATE.to_string();
        for n in 0..lines {
            text += &format!(
                "[[line]]\nname = \"n{n}\"\nnumbers = [\"94{n:08}\"]\nqueue = \"general\"\n"
            );
        }
        let mut stage = Stage::new(&text.replace("default = true", ""));
        let mut best = Duration::MAX;
        for round in 0..5 {
            let start = cpu();
            for n in 0..100 {
                // A number that nobody has is looked for everywhere.
                stage.dial("9826012345", &format!("55599{round}{n:04}"), "");
            }
            best = best.min(cpu() - start);
        }
        best
    };
    let (few, many) = (cost(10), cost(9_000));
    assert!(many < few * 3, "{few:?} with ten lines, {many:?} with nine thousand");
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the one value that the call writes.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn q38_a_centre_that_is_cut_off_costs_its_callers_seconds_and_is_theirs_again_when_it_is_back() {
    let watched = STATE.replacen("ping = \"0s\"", "ping = \"10s\"", 1);
    let mut stage = Stage::new(&watched);
    stage.habit(OP1, Habit::Answers);
    stage.deaf(SHIVPURI);
    // The trunk answered last a while ago: the call goes there, and then nothing is heard.
    stage.dial("9826000001", "07492181", "");
    assert_eq!(stage.story(), [""; 0]);
    stage.wait(secs(15));
    let [rung, offered, connected] = &stage.story()[..] else { panic!("{:?}", stage.story()) };
    assert!(rung.starts_with("rung ") && rung.ends_with(": false"), "{rung}");
    assert_eq!((&offered[..], &connected[..]), ("offered op1", "connected op1"));
    assert_eq!(stage.state("op1"), "talking");
    stage.hears_again(SHIVPURI);
    stage.habit(SHIVPURI, Habit::Answers);
    stage.wait(secs(11));
    let before = stage.story().len();
    stage.dial("9826000002", "07492181", "");
    assert!(stage.story()[before].ends_with(": true"), "{:?}", stage.story());
}

#[test]
fn nobody_is_asked_for_a_district_that_a_number_or_an_earlier_choice_has_told() {
    let menu = "[[line.menu]]\nkey = \"1\"\ndistrict = \"alirajpur\"\n\
                [[line.menu]]\nkey = \"2\"\ndistrict = \"shivpuri\"\n";
    let text = STATE.replacen("default = true\n", &format!("default = true\n{menu}"), 1);
    let offered = |stage: &Stage| stage.story().first().cloned().unwrap_or_default();
    for (from, dialled) in [("9826012345", "07394181"), ("07394223344", "181")] {
        let mut stage = Stage::new(&text);
        stage.dial(from, dialled, "");
        assert_eq!(offered(&stage), "offered ali1", "{from} {dialled}");
    }
    let mut stage = Stage::new(&text);
    let first = stage.dial("9826012345", "181", "");
    assert_eq!(offered(&stage), "", "is asked");
    stage.press("1");
    assert_eq!(offered(&stage), "offered ali1");
    stage.hang_up(&first);
    stage.wait(secs(30));
    stage.facts.clear();
    stage.dial("9826012345", "181", "");
    assert_eq!(offered(&stage), "offered ali1", "as they chose before");
    // What is asked besides, and may be answered otherwise, is asked all the same.
    let more = "[[line.menu]]\nkey = \"3\"\nlanguage = \"en\"\n";
    let mut stage = Stage::new(&text.replacen(menu, &format!("{menu}{more}"), 1));
    stage.dial("9826012345", "07394181", "");
    assert_eq!(offered(&stage), "");
    stage.wait(secs(120));
    assert_eq!(offered(&stage), "offered ali1", "a hint, and never a gate");
}
