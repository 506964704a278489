//! Two switches of ours: a caller whom one hands to the other keeps the time of the arrival, the
//! number that was dialled, the district, the emergency; and each record names the other's call.
//! Until an agent there has answered they wait at the first as well, and go back to their place.

use crate::desk_world::{Habit, OP1, ROUTE, Stage, field, secs};
use crate::pair_world::{DISTRICT, DISTRICT_AT, FIRST, Pair, STATE, district, is_missed, state};
use pukar::call::{EndedBy, Outcome, Way};
use pukar::core::Verb;

#[test]
fn q20_a_caller_who_is_handed_to_another_switch_keeps_arrival_number_and_call_id() {
    let mut pair = Pair::new(STATE, DISTRICT);
    pair.district.habit(OP1, Habit::Rings);
    pair.district.set_agent("op1", "pause");
    let far = pair.state.dial("9826000001", "181", "");
    pair.wait(10);
    let near = pair.district.dial("9826000002", "181", "");
    pair.wait(25);
    let invite = pair.state.invites.last().unwrap().1.clone();
    let told =
        ["Dialled", "Line"].map(|name| field(&invite, &format!("X-Pukar-{name}")).to_string());
    assert_eq!(told, ["181", "181"], "{invite}");
    assert_eq!(field(&invite, "X-Pukar-Wait"), "30.000");
    pair.district.set_agent("op1", "ready");
    assert!(pair.offered()[0].contains("9826000001"), "waits for longer: {:?}", pair.offered());
    let (state, district) = pair.over([&far, &near]);
    let of = |caller: &str| district.iter().find(|one| one.caller.ends_with(caller)).unwrap();
    assert_eq!(of("01").parent, state[0].id, "{district:?}");
    assert_eq!((&*of("01").dialled, &*of("02").parent), ("181", ""));
}

#[test]
fn an_emergency_is_one_at_the_other_switch_too_and_the_district_goes_along() {
    let district = format!(
        "{DISTRICT}\n[[district]]\nname = \"shivpuri\"\nstd = [\"07492\"]\nqueue = \"desk\"\n"
    );
    let mut pair = Pair::new(STATE, &district);
    pair.district.habit(OP1, Habit::Rings);
    pair.district.set_agent("op1", "pause");
    let near = pair.district.dial("9826000002", "181", "");
    pair.wait(5);
    let far = pair.state.dial("9826000001", "181", "");
    let port = *pair.state.opened.last().unwrap();
    pair.state.press_at(port, "0");
    pair.wait(31);
    pair.district.set_agent("op1", "ready");
    assert!(pair.offered()[0].contains("9826000001"), "an emergency: {:?}", pair.offered());
    let (_, records) = pair.over([&far, &near]);
    let record = records.iter().find(|one| one.caller.ends_with("01")).unwrap();
    assert_eq!(record.flags, "emergency");
}

#[test]
fn q20_whom_a_district_cannot_serve_it_gives_back_at_once() {
    let slow = "[[queue.overflow]]\nwait_over = \"1m\"\nto = \"district:state\"\n";
    let callback = format!("when_unstaffed = \"callback\"\n{ROUTE}");
    let another = |stage: &mut Stage| {
        stage.set_agent("op1", "pause");
        stage.dial("9826000002", "181", "");
        stage.wait(secs(61));
    };
    let shut = |stage: &mut Stage| {
        stage.set_agent("op1", "ready");
        stage.ask(Verb::SetQueue { queue: "desk".into(), to: "close".into() });
    };
    type Before = fn(&mut Stage);
    let cases: [(&str, Before, EndedBy); 6] = [
        ("", |_| {}, EndedBy::Unstaffed),
        ("when_unstaffed = \"refuse\"\n", |_| {}, EndedBy::Unstaffed),
        (&callback, |_| {}, EndedBy::Unstaffed),
        ("max_callers = 1\n", another, EndedBy::Full),
        ("", shut, EndedBy::Shut),
        (slow, another, EndedBy::Switch),
    ];
    for (queue, before, by) in cases {
        let mut pair = Pair::new(&state(), &district(queue));
        pair.state.set_agent("op1", "ready");
        before(&mut pair.district);
        let caller = pair.dial(FIRST);
        let story = ["rung 07492181: false", "offered op1", "connected op1"];
        assert_eq!(pair.state.story(), story, "{by:?}");
        pair.hang_up(&caller);
        let [record] = &pair.state.records[..] else { panic!("{:?}", pair.state.records) };
        let served = (record.outcome, &*record.agent, &*record.queue, &*record.district);
        assert_eq!(served, (Outcome::Answered, "op1", "general", "shivpuri"), "{by:?}");
        let there = pair.there();
        assert_eq!((there.ended_by, there.sip_status), (by, 480));
        assert_eq!(there.flags, "unknown-number", "no call back was wanted: {by:?}");
        assert!(there.outcome != Outcome::Answered && there.parent == record.id, "{there:?}");
    }
}

#[test]
fn an_emergency_comes_back_from_a_district_where_nobody_is() {
    let text = state().replacen("emergency_key", "emergency = true\nemergency_key", 1);
    let mut pair = Pair::new(&text, &district(""));
    pair.state.set_agent("op1", "ready");
    pair.dial(FIRST);
    assert_eq!(pair.state.story()[1..], ["offered op1", "connected op1"]);
}

#[test]
fn q20_whom_a_district_keeps_for_too_long_comes_back_to_the_old_place() {
    let way = "[[queue.overflow]]\nafter = \"20s\"\nto = \"district:state\"\n";
    let mut pair = Pair::new(&state(), &district(way));
    pair.state.set_agent("op1", "pause");
    pair.district.set_agent("op1", "pause");
    let caller = pair.dial(FIRST);
    pair.wait(5);
    pair.state.dial("9826000002", "181", "");
    pair.kill();
    pair.wait(16);
    assert_eq!(pair.district.story(), ["desk -> district:state (after)"]);
    pair.state.set_agent("op1", "ready");
    let invite = &pair.state.invites.last().unwrap().1;
    assert!(field(invite, "From").contains(FIRST), "the earlier caller first: {invite}");
    pair.hang_up(&caller);
    let there = pair.there();
    assert_eq!((there.outcome, there.wait_ms), (Outcome::Overflowed, 20_000));
    let record = pair.state.records.iter().find(|one| one.caller.ends_with(FIRST)).unwrap();
    assert_eq!(
        (record.outcome, &*record.agent, record.wait_ms),
        (Outcome::Answered, "op1", 21_000)
    );
}

#[test]
fn nobody_has_answered_whoever_waits_at_a_district() {
    let mut pair = Pair::new(&state(), &district(""));
    pair.district.set_agent("op1", "pause");
    let caller = pair.dial(FIRST);
    pair.wait(20);
    assert_eq!(pair.state.story(), [""; 0]);
    assert!(pair.state.music.is_some() || pair.state.played.is_empty(), "they hear the state");
    pair.hang_up(&caller);
    let [record] = &pair.state.records[..] else { panic!("{:?}", pair.state.records) };
    let said = (record.outcome, record.wait_ms, record.talk_ms, record.connected_at);
    assert_eq!(said, (Outcome::Abandoned, 20_000, 0, None));
    assert_eq!(pair.there().outcome, Outcome::Abandoned);
    assert!(is_missed(&pair.state));
    // They call again, wait there again, and only who talks with them has served them.
    pair.dial(FIRST);
    pair.wait(10);
    assert!(is_missed(&pair.state));
    pair.kill();
    pair.district.set_agent("op1", "ready");
    pair.talk();
    assert_eq!(pair.state.story(), ["rung 07492181: true", "connected"]);
    assert!(!is_missed(&pair.state));
    pair.wait(10);
    pair.kill();
    pair.district.far_end_hangs_up(OP1);
    pair.talk();
    pair.wait(60);
    for record in [&pair.state.records[1], &pair.district.records[1]] {
        let said = (record.outcome, record.wait_ms, record.talk_ms);
        assert_eq!(said, (Outcome::Answered, 10_000, 10_000), "{record:?}");
    }
    assert_eq!(pair.state.switch.state().counts(), (0, 0));
    assert_eq!(pair.district.switch.state().counts(), (0, 0));
}

#[test]
fn whoever_waits_at_a_district_for_long_waits_at_the_state_too_and_whoever_is_first_has_them() {
    for first in ["state", "district"] {
        let mut pair = Pair::new(&state(), &district(""));
        pair.state.set_agent("op1", "pause");
        pair.district.set_agent("op1", "pause");
        let caller = pair.dial(FIRST);
        pair.wait(29);
        // Another trunk comes before that of the district.
        let other = "[[trunk]]\nname = \"other\"\nhosts = [\"10.6.0.1\"]\nping = \"0s\"\n";
        pair.state.reload(&format!("{other}{}", state()));
        pair.kill();
        let stage = if first == "state" { &mut pair.state } else { &mut pair.district };
        stage.set_agent("op1", "ready");
        pair.talk();
        pair.wait(5);
        assert_eq!(pair.district.state("op1") == "talking", first == "district");
        pair.hang_up(&caller);
        let [record] = &pair.state.records[..] else { panic!("{:?}", pair.state.records) };
        let (agent, outcome) = match first {
            "state" => ("op1", Outcome::Overflowed),
            _ => ("", Outcome::Answered),
        };
        assert_eq!((record.outcome, &*record.agent), (Outcome::Answered, agent));
        assert_eq!((record.wait_ms, pair.there().outcome), (29_000, outcome));
        assert_eq!(pair.state.switch.state().counts(), (0, 0));
        assert_eq!(pair.district.switch.state().counts(), (0, 0));
    }
}

#[test]
fn a_state_that_is_closed_leaves_its_callers_in_the_line_of_the_district() {
    let closed = "name = \"general\"\nwhen_unstaffed = \"refuse\"\n";
    let closed = state().replacen("name = \"general\"\n", closed, 1);
    for cut in [false, true] {
        let mut pair = Pair::new(&closed, &district(""));
        pair.district.set_agent("op1", "pause");
        pair.dial(FIRST);
        pair.wait(100);
        assert_eq!(pair.state.switch.state().counts().1, 2, "they are on the line, and rung for");
        pair.cut = cut;
        pair.wait(200);
        pair.district.set_agent("op1", "ready");
        pair.talk();
        pair.wait(30);
        match cut {
            false => assert_eq!(pair.district.state("op1"), "talking"),
            // Nothing is heard of it: there is nobody left to wait for.
            true => assert_eq!(pair.state.records[0].ended_by, EndedBy::Unstaffed),
        }
    }
}

#[test]
fn a_district_records_whom_the_state_has_not_told_so_once_it_has_told_them_itself() {
    let all = "[recording]\nall = true\n";
    let mut pair = Pair::new(&state(), &format!("{all}{}", district("")));
    let notice = pair.district.settings.call.recording.notice.unwrap();
    pair.district.set_agent("op1", "ready");
    pair.district.is_telling = true;
    pair.dial(FIRST);
    assert_eq!(pair.district.state("op1"), "talking");
    assert_eq!(pair.district.played.iter().filter(|tune| **tune == notice).count(), 2, "both");
    assert!(pair.district.tapes.is_empty());
    pair.district.tells_to_the_end();
    assert!(!pair.district.tapes.is_empty());
}

#[test]
fn whom_a_peer_hands_over_is_asked_nothing() {
    let menu = "by_district = false\n[[line.menu]]\nkey = \"1\"\nlanguage = \"en\"\n";
    let mut pair = Pair::new(&state(), &DISTRICT.replacen("by_district = false\n", menu, 1));
    pair.district.set_agent("op1", "ready");
    pair.dial(FIRST);
    assert_eq!(pair.district.story(), ["offered op1", "connected op1"]);
    assert_eq!(pair.state.story(), ["rung 07492181: true", "connected"]);
}

#[test]
fn a_carrier_is_neither_told_nor_believed() {
    let state = STATE.replace("peer = true", "");
    let mut pair = Pair::new(&state, DISTRICT);
    pair.state.dial("9826000001", "181", "");
    pair.wait(31);
    let invite = pair.state.invites.last().unwrap().1.clone();
    assert!(!invite.contains("X-Pukar"), "{invite}");
    // Whoever says so of themselves, by a trunk that is none of ours.
    let mut stage = Stage::new(&DISTRICT.replace("peer = true", ""));
    stage.dial("9826000002", "181", "");
    let lies = "X-Pukar-Wait: 5000.0\r\nX-Pukar-Kind: emergency\r\nX-Pukar-Call: 01ABC\r\n";
    stage.dial("9826000001", "181", lies);
    assert_eq!((&*stage.arrival().parent, &stage.arrival().flags[..]), ("", &[][..]));
    stage.set_agent("op1", "ready");
    let invite = &stage.invites.last().unwrap().1;
    assert!(field(invite, "From").contains("9826000002"), "{invite}");
}

#[test]
fn what_a_peer_says_is_bounded_and_nonsense_is_nothing() {
    let text = DISTRICT.replace("10.0.0.1:5060", "10.9.0.1:5060");
    for (wait, first) in
        [("-5", "02"), ("x", "02"), ("99999999999999999999", "02"), ("4000000", "01")]
    {
        let mut stage = Stage::new(&text);
        stage.dial("9826000002", "181", "");
        let more = format!("x-pukar-wait: {wait}\r\nX-PUKAR-CALL: {}\r\n", "z".repeat(500));
        let invite = stage.invite("9826000001", "181", &more).replace("10.1.0.1", "10.9.0.1");
        stage.say("10.9.0.1:5060", invite);
        assert_eq!(stage.arrival().parent.len(), 64);
        stage.set_agent("op1", "ready");
        let invite = &stage.invites.last().unwrap().1;
        assert!(field(invite, "From").contains(&format!("98260000{first}")), "{wait}: {invite}");
    }
}

#[test]
fn a_number_outside_that_is_routed_by_a_peer_rings_for_as_long_as_any_mobile() {
    let route = "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"shivpuri\"\n\
                 identity = \"+917552551181\"\n";
    let mut pair = Pair::new(&format!("{}{route}", state()), DISTRICT);
    pair.state.set_agent("op1", "ready");
    pair.state.dial(FIRST, "181", "");
    pair.wait(5);
    let call = pair.state.arrival().id.clone();
    pair.state.ask(Verb::Transfer { call, to: "9826099999".into(), way: Way::Blind });
    let (to, invite) = pair.state.invites.last().unwrap().clone();
    assert_eq!(to, DISTRICT_AT.parse().unwrap());
    assert_eq!(field(&invite, "X-Pukar-Place"), "", "nobody at a mobile gives anybody back");
    for second in 0..28 {
        assert_eq!(pair.state.story().len(), 2, "rings at {second} s: {:?}", pair.state.story());
        // It rings, and says so.
        let mut ringing = String::from("SIP/2.0 180 Ringing\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let tag = if name == "To" { ";tag=far" } else { "" };
            ringing += &format!("{name}: {}{tag}\r\n", field(&invite, name));
        }
        ringing += "Contact: <sip:far@10.3.0.1>\r\nContent-Length: 0\r\n\r\n";
        pair.state.say(DISTRICT_AT, ringing);
        pair.state.wait(secs(1));
    }
    assert_eq!(pair.state.story()[2], "rung +919826099999: false");
}
