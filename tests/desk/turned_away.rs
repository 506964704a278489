//! Callers whom nobody could serve: they are told so, the record says why, somebody is to call them
//! back, and whoever comes back by themselves has the place that was theirs.

use crate::desk_world::{BSNL, Habit, OP1, Stage, field, secs};
use pukar::call::{EndedBy, Fact, MissedNews, Outcome, Way};
use pukar::core::{Event, MissedAct, Verb, What};
use pukar::media::control;

const DESK: &str = r#"
[[route]]
prefixes = ["+91"]
trunk = "bsnl"
identity = "+917552551181"
[callback]
apart = "1m"
keep = "30m"
[[line]]
numbers = ["181"]
queue = "general"
callback_key = "1"
[[line]]
numbers = ["104"]
queue = "general"
[[queue]]
name = "general"
[[queue.overflow]]
after = "60s"
to = "queue:other"
[[queue]]
name = "other"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
"#;

fn general(more: &str) -> String {
    DESK.replace("name = \"general\"\n", &format!("name = \"general\"\n{more}\n"))
}

/// What was said to callers, without the language.
fn said(stage: &Stage) -> Vec<String> {
    let names = stage.facts.iter().filter_map(|fact| match &fact.what {
        What::Call(Fact::Announced { names, .. }) => Some(names.join(" ").replace("hi/", "")),
        _ => None,
    });
    names.collect()
}

fn missed(stage: &Stage) -> Vec<(String, MissedNews)> {
    let news = stage.facts.iter().filter_map(|fact| match &fact.what {
        What::Call(Fact::Missed { number, news }) => Some((number.clone(), news.clone())),
        _ => None,
    });
    news.collect()
}

/// Why each of those was missed who is on the list.
fn why(stage: &Stage) -> Vec<EndedBy> {
    let why = missed(stage).into_iter().filter_map(|(_, news)| match news {
        MissedNews::Abandoned { why, .. } => Some(why),
        _ => None,
    });
    why.collect()
}

/// Everything that is being said has been said.
fn played(stage: &mut Stage) {
    for piece in 0..8 {
        for port in stage.opened.clone() {
            stage.tell(Event::Media(control::Event::Played { port, piece }));
        }
    }
}

fn last_offered(stage: &Stage) -> String {
    let to = OP1.parse().unwrap();
    let invite = stage.invites.iter().rev().find(|(at, _)| *at == to).expect("somebody rings");
    field(&invite.1, "From").to_string()
}

#[test]
fn whoever_is_not_let_in_hears_why_and_the_record_and_the_missed_call_desk_say_so() {
    let other: fn(&mut Stage) = |stage| _ = stage.dial("9826000001", "181", "");
    let shut: fn(&mut Stage) = |stage| {
        stage.ask(Verb::SetQueue { queue: "general".into(), to: "close".into() });
    };
    let cases = [
        ("max_callers = 1", other, EndedBy::Full, "full"),
        ("when_unstaffed = \"refuse\"", |_| {}, EndedBy::Unstaffed, "closed"),
        ("", shut, EndedBy::Shut, "closed"),
    ];
    for (more, before, by, word) in cases {
        let mut stage = Stage::new(&general(more));
        before(&mut stage);
        stage.dial("9826012345", "181", "");
        assert_eq!(said(&stage), [word], "{by:?}");
        assert_eq!(stage.records, [], "they hear it to its end");
        stage.wait(secs(3));
        played(&mut stage);
        let [record] = &stage.records[..] else { panic!("{by:?}: {:?}", stage.records) };
        assert_eq!((record.outcome, record.ended_by), (Outcome::Refused, by));
        assert_eq!((record.wait_ms, record.sip_status), (0, 200), "{by:?}");
        let parent = record.id.clone();
        let news = MissedNews::Abandoned { parent, why: by };
        assert_eq!(missed(&stage), [("+919826012345".to_string(), news)]);
    }
}

#[test]
fn whoever_cannot_be_promised_a_call_waits_where_others_are_called_back() {
    for (more, others) in [
        ("when_unstaffed = \"callback\"", 0),
        ("max_callers = 1\nwhen_full = \"callback\"", 1),
        ("max_wait = \"10s\"\nwhen_expired = \"callback\"", 0),
    ] {
        let mut stage = Stage::new(&general(more));
        stage.habit(OP1, Habit::Answers);
        (0..others).for_each(|_| _ = stage.dial("9826000001", "181", ""));
        stage.dial("anonymous", "181", "");
        stage.wait(secs(30));
        assert_eq!((stage.records.len(), stage.switch.state().counts().0), (0, 1 + others));
        let told = said(&stage);
        assert!(!["closed", "full", "fail"].iter().any(|word| told.contains(&word.to_string())));
        stage.kill();
        stage.set_agent("op1", "ready");
        for _ in 0..=others {
            assert_eq!(stage.state("op1"), "talking", "{more}");
            stage.far_end_hangs_up(OP1);
            stage.wait(secs(30));
        }
        let answered = stage.records.iter().filter(|r| r.outcome == Outcome::Answered);
        assert_eq!((answered.count(), stage.records.len()), (1 + others, 1 + others), "{more}");
    }
}

#[test]
fn a_missed_caller_whom_an_agent_calls_by_hand_is_missed_no_more_and_called_by_nobody_else() {
    let mut stage = Stage::new(DESK);
    let gone = stage.dial("9826012345", "181", "");
    stage.wait(secs(8));
    stage.hang_up(&gone);
    // Somebody else is promised a call.
    stage.dial("9826054321", "181", "");
    stage.wait(secs(3));
    stage.press_at(*stage.opened.last().unwrap(), "1");
    played(&mut stage);
    stage.wait(secs(3));
    stage.habit(BSNL, Habit::Answers);
    for (at, number) in ["9826012345", "9826054321"].into_iter().enumerate() {
        stage.set_agent("op1", "ready");
        stage.set_agent("op1", "pause");
        let call = stage.phone_dials(OP1, "op1", number);
        stage.wait(secs(5));
        stage.phone_hangs_up(OP1, &call);
        stage.wait(secs(5));
        let served =
            |(number, news): (String, MissedNews)| (news == MissedNews::Served).then_some(number);
        let served: Vec<String> = missed(&stage).into_iter().filter_map(served).collect();
        assert_eq!(served, ["+919826012345"], "{at}");
    }
    let rung = stage.invites.len();
    stage.set_agent("op1", "ready");
    stage.wait(secs(600));
    assert_eq!(stage.invites.len(), rung, "the promise is kept: nobody is rung for it");
    assert!(missed(&stage).len() == 2, "{:?}", missed(&stage));
}

#[test]
fn a_caller_who_has_waited_for_as_long_as_may_be_is_told_so_and_the_record_is_right() {
    let mut stage = Stage::new(&general("max_wait = \"50s\""));
    stage.dial("9826012345", "181", "");
    stage.wait(secs(50));
    played(&mut stage);
    assert_eq!(said(&stage).last().unwrap(), "fail");
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((record.outcome, record.ended_by), (Outcome::Failed, EndedBy::MaxWait));
    assert_eq!((record.wait_ms, &*record.queue, record.offers), (50_000, "general", 0));
    assert_eq!(why(&stage), [EndedBy::MaxWait]);
}

#[test]
fn goodbye_is_bounded_and_whoever_hangs_up_meanwhile_was_turned_away_all_the_same() {
    for hangs_up in [true, false] {
        let mut stage = Stage::new(&general("when_unstaffed = \"refuse\""));
        let call = stage.dial("9826012345", "181", "");
        match hangs_up {
            true => stage.hang_up(&call),
            // The data plane never says that all has been said.
            false => stage.wait(secs(20)),
        }
        let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
        assert_eq!((record.outcome, record.ended_by), (Outcome::Refused, EndedBy::Unstaffed));
        assert_eq!(stage.switch.state().counts(), (0, 0));
    }
}

#[test]
fn a_promise_that_was_not_kept_is_on_the_list_of_missed_callers() {
    for never in [true, false] {
        let mut stage = Stage::new(DESK);
        stage.habit(OP1, Habit::Answers);
        stage.habit(BSNL, Habit::Refuses(480));
        stage.dial("9826012345", "181", "");
        let port = *stage.opened.last().unwrap();
        stage.press_at(port, "1");
        played(&mut stage);
        assert_eq!(stage.records.len(), 1, "promised");
        let parent = stage.records[0].id.clone();
        if !never {
            stage.set_agent("op1", "ready");
        }
        stage.wait(secs(if never { 1_810 } else { 300 }));
        let by = if never { EndedBy::MaxWait } else { EndedBy::Target };
        let news = [MissedNews::Abandoned { parent, why: by }, MissedNews::Unreached];
        let news = news.map(|news| ("+919826012345".to_string(), news));
        assert_eq!(missed(&stage), news, "nobody answered: {never}");
    }
}

#[test]
fn whoever_is_to_be_called_back_keeps_nobody_out() {
    let mut stage = Stage::new(&format!("[limits]\nmax_calls = 1\n{DESK}"));
    stage.dial("9826012345", "181", "");
    let port = *stage.opened.last().unwrap();
    stage.press_at(port, "1");
    played(&mut stage);
    let name = stage.dial("9826000001", "181", "");
    assert!(stage.answers[&name].starts_with("SIP/2.0 200"), "{}", stage.answers[&name]);
    let name = stage.dial("9826000002", "181", "");
    assert!(stage.answers[&name].starts_with("SIP/2.0 503"), "{}", stage.answers[&name]);
}

#[test]
fn whoever_finds_the_switch_full_is_somebody_to_call_once_and_a_nuisance_is_not() {
    let mut stage = Stage::new(&format!("[limits]\nmax_calls = 1\n{DESK}"));
    stage.ask(Verb::Block {
        number: "9826000009".into(),
        reason: "shouts".into(),
        span: None,
        by: String::new(),
    });
    stage.dial("9826012345", "181", "");
    for from in ["9826000002", "9826000002", "9826000009", "anonymous"] {
        let name = stage.dial(from, "181", "");
        assert!(stage.answers[&name].starts_with("SIP/2.0 503"), "{from}");
    }
    assert_eq!(why(&stage), [EndedBy::Switch, EndedBy::Switch]);
    let listed = missed(&stage);
    assert!(listed.iter().all(|(number, _)| number == "+919826000002"), "{listed:?}");
    let act = pukar::core::MissedAct::Call { by: "asha".into() };
    stage.ask(Verb::Missed { number: "+919826000002".into(), act });
    assert_eq!(stage.replies.pop().unwrap().unwrap(), "+919826000002: is called back");
}

const DAY: u64 = 86_400;

fn misses(stage: &mut Stage, from: &str) {
    let gone = stage.dial(from, "181", "");
    stage.wait(secs(8));
    stage.hang_up(&gone);
}

/// Only who is on the list can be claimed.
fn is_listed(stage: &mut Stage, from: &str) -> bool {
    let act = MissedAct::Claim { by: "asha".into() };
    stage.ask(Verb::Missed { number: from.into(), act });
    stage.replies.pop().unwrap().is_ok()
}

/// Their numbers are kept no longer than they are of use.
#[test]
fn whoever_was_missed_three_months_ago_and_called_by_nobody_is_on_the_list_no_longer() {
    let mut stage = Stage::new(DESK);
    misses(&mut stage, "9826000001");
    stage.wait(secs(2 * DAY));
    misses(&mut stage, "9826000002");
    stage.wait(secs(87 * DAY));
    misses(&mut stage, "9826000003");
    assert!(is_listed(&mut stage, "+919826000001"));
    stage.wait(secs(2 * DAY));
    misses(&mut stage, "9826000004");
    assert!(!is_listed(&mut stage, "+919826000001") && is_listed(&mut stage, "+919826000002"));
    let over = ("+919826000001".to_string(), MissedNews::Closed { by: String::new() });
    assert!(missed(&stage).contains(&over), "and whoever keeps a list of them hears it");
}

/// They are owed a call since the last time.
#[test]
fn whoever_was_missed_again_or_is_claimed_stays_on_the_list() {
    let mut stage = Stage::new(DESK);
    misses(&mut stage, "9826000001");
    stage.wait(secs(80 * DAY));
    misses(&mut stage, "9826000001");
    misses(&mut stage, "9826000002");
    stage.wait(secs(11 * DAY));
    misses(&mut stage, "9826000003");
    assert!(is_listed(&mut stage, "+919826000001"), "they were missed eleven days ago");
    // One is claimed a minute before it would go, and the other is not.
    stage.wait(secs(79 * DAY - 60));
    assert!(is_listed(&mut stage, "+919826000001"));
    stage.wait(secs(120));
    misses(&mut stage, "9826000004");
    assert!(is_listed(&mut stage, "+919826000001"));
    assert!(!is_listed(&mut stage, "+919826000002"));
    // A call back waits for an agent: for longer than a claim is kept.
    stage.set_agent("op1", "pause");
    let act = MissedAct::Call { by: "asha".into() };
    stage.ask(Verb::Missed { number: "+919826000001".into(), act });
    stage.replies.pop().unwrap().unwrap();
    let gone = ("+919826000001".to_string(), MissedNews::Closed { by: String::new() });
    stage.wait(secs(1_000));
    misses(&mut stage, "9826000005");
    assert!(!missed(&stage).contains(&gone), "somebody is at it");
}

#[test]
fn whoever_comes_back_has_the_place_whichever_queue_of_the_line_they_had_got_to() {
    let mut stage = Stage::new(DESK);
    stage.set_agent("op1", "pause");
    let first = stage.dial("9826000001", "181", "");
    stage.wait(secs(61));
    assert_eq!(stage.story(), ["general -> queue:other (after)"]);
    stage.dial("9826000002", "181", "");
    stage.hang_up(&first);
    stage.wait(secs(30));
    stage.dial("9826000001", "181", "");
    stage.set_agent("op1", "ready");
    assert!(last_offered(&stage).contains("9826000001"), "{}", last_offered(&stage));
    // Who calls another line has no place there.
    let mut stage = Stage::new(DESK);
    let first = stage.dial("9826000001", "104", "");
    stage.wait(secs(10));
    stage.dial("9826000002", "181", "");
    stage.hang_up(&first);
    stage.dial("9826000001", "181", "");
    stage.set_agent("op1", "ready");
    assert!(last_offered(&stage).contains("9826000002"), "{}", last_offered(&stage));
}

#[test]
fn whoever_comes_back_to_a_place_is_let_into_a_full_queue() {
    let mut stage = Stage::new(&general("max_callers = 2"));
    let first = stage.dial("9826000001", "181", "");
    stage.wait(secs(1));
    stage.dial("9826000002", "181", "");
    stage.hang_up(&first);
    stage.dial("9826000003", "181", "");
    stage.dial("9826000001", "181", "");
    assert_eq!(stage.switch.state().counts().0, 3);
    stage.set_agent("op1", "ready");
    assert!(last_offered(&stage).contains("9826000001"), "{}", last_offered(&stage));
}

#[test]
fn whoever_is_cut_off_in_mid_talk_comes_back_to_their_place_for_ten_minutes() {
    for (pause, first) in [(300, "9826000001"), (700, "9826000002")] {
        let mut stage = Stage::new(&general("max_wait = \"2h\""));
        stage.habit(OP1, Habit::Answers);
        stage.set_agent("op1", "ready");
        stage.dial("9826000001", "181", "");
        let caller = stage.opened[0];
        stage.wait(secs(5));
        stage.dial("9826000002", "181", "");
        stage.tell(Event::Media(control::Event::Silent { port: caller }));
        stage.set_agent("op1", "pause");
        stage.wait(secs(61));
        assert_eq!(stage.records.len(), 0, "op1 writes notes");
        stage.wait(secs(pause));
        assert_eq!(stage.records[0].ended_by, EndedBy::Silence);
        stage.dial("9826000001", "181", "");
        stage.habit(OP1, Habit::Rings);
        stage.set_agent("op1", "ready");
        assert!(last_offered(&stage).contains(first), "{pause}: {}", last_offered(&stage));
    }
}

#[test]
fn a_network_that_loses_a_talking_caller_gives_them_their_place_back_and_a_goodbye_does_not() {
    let cases = [(41, EndedBy::Lost, "9826000001"), (16, EndedBy::Caller, "9826000002")];
    for (cause, by, first) in cases {
        let mut stage = Stage::new(DESK);
        stage.habit(OP1, Habit::Answers);
        stage.set_agent("op1", "ready");
        let caller = stage.dial("9826000001", "181", "");
        stage.wait(secs(5));
        stage.dial("9826000002", "181", "");
        stage.set_agent("op1", "pause");
        stage.hang_up_with(&caller, &format!("Reason: Q.850;cause={cause}\r\n"));
        stage.wait(secs(30));
        let record = &stage.records[0];
        assert_eq!((record.ended_by, record.outcome), (by, Outcome::Answered), "{cause}");
        stage.dial("9826000001", "181", "");
        stage.habit(OP1, Habit::Rings);
        stage.set_agent("op1", "ready");
        assert!(last_offered(&stage).contains(first), "{cause}: {}", last_offered(&stage));
    }
}

#[test]
fn whoever_was_served_elsewhere_has_no_place_to_come_back_to() {
    let mut stage = Stage::new(DESK);
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    let call = stage.arrival().id.clone();
    stage.wait(secs(10));
    stage.dial("9826000002", "181", "");
    stage.habit(BSNL, Habit::Answers);
    let (to, way) = ("9826099999".to_string(), Way::Blind);
    stage.ask(Verb::Transfer { call, to, way });
    assert_eq!(stage.story(), ["rung +919826099999: true", "connected"]);
    stage.far_end_hangs_up(BSNL);
    stage.wait(secs(30));
    assert_eq!(stage.records.len(), 1);
    stage.dial("9826000001", "181", "");
    stage.set_agent("op1", "ready");
    assert!(last_offered(&stage).contains("9826000002"), "{}", last_offered(&stage));
}

#[test]
fn an_emergency_that_comes_back_to_its_place_is_one_still_and_nobody_hangs_up_on_it() {
    let text = general("max_wait = \"1m\"").replacen(
        "callback_key",
        "emergency_key = \"0\"\ncallback_key",
        1,
    );
    let mut stage = Stage::new(&text.replace("after = \"60s\"", "after = \"2h\""));
    stage.set_agent("op1", "pause");
    let first = stage.dial("9826000001", "181", "");
    stage.press("0");
    stage.wait(secs(5));
    stage.dial("9826000002", "181", "");
    stage.press("0");
    stage.hang_up(&first);
    stage.wait(secs(30));
    let again = stage.dial("9826000001", "181", "");
    stage.kill();
    stage.wait(secs(600));
    assert_eq!(stage.switch.state().counts().0, 2, "however long it takes");
    stage.set_agent("op1", "ready");
    assert!(last_offered(&stage).contains("9826000001"), "{}", last_offered(&stage));
    stage.hang_up(&again);
    stage.wait(secs(30));
    assert!(stage.records.iter().all(|record| record.flags.contains("emergency")));
}

#[test]
fn a_promise_is_void_as_soon_as_somebody_has_served_the_caller_on_the_same_line() {
    let mut stage = Stage::new(DESK);
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(61));
    assert_eq!(stage.story(), ["general -> queue:other (after)"]);
    stage.press("1");
    played(&mut stage);
    let promises = |stage: &Stage| stage.switch.state().counts().0;
    assert_eq!(promises(&stage), 1);
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "pause");
    let again = stage.dial("9826000001", "181", "");
    assert_eq!(promises(&stage), 1, "the place is theirs, and nobody is to be called");
    stage.set_agent("op1", "ready");
    stage.wait(secs(5));
    stage.hang_up(&again);
    stage.wait(secs(300));
    assert!(stage.invites.iter().all(|(to, _)| *to == OP1.parse().unwrap()), "nobody is dialled");
    assert_eq!(stage.switch.state().counts(), (0, 0));
}

#[test]
fn a_missed_caller_is_whose_who_has_claimed_them_for_a_quarter_of_an_hour() {
    let mut stage = Stage::new(DESK);
    let caller = stage.dial("9826000001", "181", "");
    stage.wait(secs(20));
    stage.hang_up(&caller);
    let act = |stage: &mut Stage, act: MissedAct| {
        stage.ask(Verb::Missed { number: "+919826000001".into(), act });
        stage.replies.pop().unwrap()
    };
    let (a, b) = ("asha".to_string(), "bina".to_string());
    act(&mut stage, MissedAct::Claim { by: a.clone() }).unwrap();
    let all: [fn(String) -> MissedAct; 3] =
        [|by| MissedAct::Claim { by }, |by| MissedAct::Call { by }, |by| MissedAct::Close { by }];
    for another in all {
        // Whoever names nobody does it in their own name.
        for by in [b.clone(), String::new()] {
            let told = act(&mut stage, another(by)).unwrap_err();
            assert_eq!(told, "+919826000001 is claimed by asha");
        }
    }
    stage.wait(secs(899));
    act(&mut stage, MissedAct::Close { by: b.clone() }).unwrap_err();
    stage.wait(secs(1));
    act(&mut stage, MissedAct::Close { by: b }).unwrap();
}

#[test]
fn whom_a_centre_has_served_has_no_place_to_come_back_to() {
    let centre = "[[trunk]]\nname = \"guna\"\nhosts = [\"10.4.0.1:5060\"]\nping = \"0s\"\n\
                  [[district]]\nname = \"guna\"\nstd = [\"07542\"]\ntrunk = \"guna\"\n";
    let desk = DESK.replace("to = \"queue:other\"", "to = \"district:guna\"");
    assert_ne!(desk, DESK);
    let mut stage = Stage::new(&format!("{desk}{centre}"));
    stage.habit("10.4.0.1:5060", Habit::Answers);
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(59));
    stage.dial("9826000002", "181", "");
    stage.wait(secs(2));
    let story = stage.story();
    assert_eq!(story, ["general -> district:guna (after)", "rung 181: true", "connected"]);
    stage.far_end_hangs_up("10.4.0.1:5060");
    stage.wait(secs(30));
    assert_eq!(stage.records.len(), 1);
    stage.dial("9826000001", "181", "");
    stage.set_agent("op1", "ready");
    assert!(last_offered(&stage).contains("9826000002"), "{}", last_offered(&stage));
}
