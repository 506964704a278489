//! What protects the switch from misuse by callers, and its agents from being lost: numbers that
//! are a nuisance, agents at home whom a machine must not stand in for, agents held to be in calls
//! that are over. Stories of the whole switch.

use crate::desk_world::{BSNL, Habit, OP1, Stage, field, secs};
use pukar::acd::Fact;
use pukar::call::Outcome;
use pukar::core::{Event, Verb, What};
use serde_json::Value;
use std::time::Duration;

const NUISANCE: &str = "9425000009";
const DAY: u64 = 86_400;

const CENTRE: &str = r#"
[nuisance]
strikes = 3
[[line]]
numbers = ["181"]
queue = "general"
[[line]]
numbers = ["1098"]
queue = "general"
block = false
[[queue]]
name = "general"
skills = ["operator"]
wrap_up = "5s"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
ready = true
"#;

/// One call of the nuisance, of which the agent says so.
fn bother(stage: &mut Stage, category: &str) {
    let call = stage.dial(NUISANCE, "181", "");
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"), "{}", stage.answers[&call]);
    stage.hang_up(&call);
    categorise(stage, category);
    stage.wait(secs(6));
}

fn categorise(stage: &mut Stage, category: &str) {
    let (agent, state) = ("op1".into(), "category".into());
    stage.ask(Verb::SetAgent { agent, state, reason: category.into() });
    assert!(stage.replies.last().unwrap().is_ok());
}

fn blocked(stage: &mut Stage, number: &str, line: &str) -> bool {
    let call = stage.dial(number, line, "");
    let refused = stage.answers[&call].starts_with("SIP/2.0 603");
    if !refused {
        stage.hang_up(&call);
        stage.wait(secs(6));
    }
    refused
}

#[test]
fn strikes_block_a_number_for_a_while_and_the_record_says_why() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    for category in ["prank", "food", "prank", "prank"] {
        bother(&mut stage, category);
    }
    let call = stage.dial("09425000009", "181", "");
    let answer = stage.answers[&call].clone();
    assert!(answer.starts_with("SIP/2.0 603"), "{answer}");
    assert!(field(&answer, "Reason").contains("not accepted for now"), "{answer}");
    let record = stage.records.last().unwrap();
    assert_eq!((record.outcome, record.category.as_str()), (Outcome::Refused, "blocked"));
    let told = stage.facts.iter().find_map(|fact| match &fact.what {
        What::Blocked { number, reason, by, .. } => Some((number.as_str(), reason.as_str(), by)),
        _ => None,
    });
    let (number, reason, by) = told.expect("it was told");
    assert_eq!((number, by.as_str()), ("+919425000009", "op1"));
    assert_eq!(reason, "3 calls, the last of them prank");
    assert!(!blocked(&mut stage, "9425000001", "181"), "others call as before");
    assert!(!blocked(&mut stage, NUISANCE, "1098"), "a line for children takes everybody");
    stage.kill();
    assert!(blocked(&mut stage, NUISANCE, "181"), "a restart forgets nothing");
    stage.wait(secs(7 * DAY));
    assert!(!blocked(&mut stage, NUISANCE, "181"), "it ends by itself");
    let over = |what: &What| matches!(what, What::Unblocked { by, .. } if by == "timer");
    assert!(stage.facts.iter().any(|fact| over(&fact.what)));
}

#[test]
fn silence_alone_never_blocks() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    for _ in 0..10 {
        let call = stage.dial(NUISANCE, "181", "");
        stage.wait(secs(4));
        stage.hang_up(&call);
        // Every agent says of every call that nobody spoke.
        categorise(&mut stage, "blank");
        stage.wait(secs(6));
    }
    assert!(stage.records.iter().all(|record| record.category == "blank"), "{:?}", stage.records);
    assert!(!blocked(&mut stage, NUISANCE, "181"));
}

#[test]
fn a_word_taken_back_and_a_withheld_number_are_no_strikes() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    for _ in 0..4 {
        let call = stage.dial(NUISANCE, "181", "");
        stage.hang_up(&call);
        categorise(&mut stage, "prank");
        categorise(&mut stage, "health");
        stage.wait(secs(6));
        let call = stage.dial("anonymous", "181", "Privacy: id\r\n");
        stage.hang_up(&call);
        categorise(&mut stage, "prank");
        stage.wait(secs(6));
    }
    assert!(!blocked(&mut stage, NUISANCE, "181"));
    assert!(!blocked(&mut stage, "anonymous", "181"));
}

#[test]
fn a_supervisor_blocks_and_unblocks_with_a_reason() {
    let mut stage = Stage::new(CENTRE);
    let block = |number: &str, reason: &str, hours: u64| Verb::Block {
        number: number.into(),
        reason: reason.into(),
        span: Some(Duration::from_secs(hours * 3_600)),
        by: String::new(),
    };
    let unblock = |reason: &str| Verb::Unblock {
        number: NUISANCE.into(),
        reason: reason.into(),
        by: String::new(),
    };
    stage.ask(block("98260x", "shouts", 1));
    stage.ask(block(NUISANCE, "", 1));
    stage.ask(block(NUISANCE, "shouts", 1));
    let replies = std::mem::take(&mut stage.replies);
    assert_eq!(replies[0], Err("\"98260x\" is no telephone number".into()));
    assert!(replies[1].as_ref().unwrap_err().contains("say why"));
    assert!(replies[2].is_ok());
    assert!(blocked(&mut stage, NUISANCE, "181"));
    stage.ask(unblock("apologised"));
    assert!(!blocked(&mut stage, NUISANCE, "181"));
    stage.ask(unblock(""));
    assert!(stage.replies.last().unwrap().as_ref().unwrap_err().contains("is not blocked"));
    stage.ask(block(NUISANCE, "shouts", 1));
    stage.wait(secs(3_600));
    assert!(!blocked(&mut stage, NUISANCE, "181"));
}

#[test]
fn a_burst_of_calls_is_flagged_and_answered_unless_it_says_otherwise() {
    let mut stage = Stage::new(CENTRE);
    for _ in 0..20 {
        assert!(!blocked(&mut stage, NUISANCE, "181"));
    }
    let flags = |stage: &Stage| format!("{:?}", stage.arrival().flags);
    assert_eq!(flags(&stage), "[]");
    assert!(!blocked(&mut stage, NUISANCE, "181"));
    assert_eq!(flags(&stage), "[Burst]");
    stage.reload(&CENTRE.replace("strikes = 3", "strikes = 3\nrefuse_burst = true"));
    assert!(blocked(&mut stage, NUISANCE, "181"));
    stage.wait(secs(600));
    assert!(!blocked(&mut stage, NUISANCE, "181"));
}

const HOME: &str = r#"
[[route]]
prefixes = ["+91"]
trunk = "bsnl"
identity = "+917552551181"
strip = 3
add = "0"
[[line]]
numbers = ["181"]
queue = "general"
[[queue]]
name = "general"
skills = ["operator"]
ring_for = "25s"
pause_after = 0
[[agent]]
id = "home1"
contact = "tel:9826012345"
trunk = "bsnl"
skills = ["operator"]
ready = true
"#;

#[test]
fn an_agent_at_home_is_rung_through_the_trunk_and_presses_1() {
    let mut stage = Stage::new(HOME);
    let call = stage.dial("9425000001", "181", "");
    let (to, invite) = stage.invites.last().unwrap().clone();
    assert_eq!(to.to_string(), BSNL);
    assert!(invite.starts_with("INVITE sip:09826012345@"), "{invite}");
    assert!(field(&invite, "From").contains("+917552551181"), "{invite}");
    stage.far_end_answers(BSNL);
    assert_eq!(stage.state("home1"), "offered", "whoever answered has said nothing yet");
    stage.press("1");
    assert_eq!(stage.state("home1"), "talking");
    assert_eq!(stage.story().last().unwrap(), "connected home1");
    stage.hang_up(&call);
    assert_eq!(stage.state("home1"), "wrap-up");
}

#[test]
fn a_machine_that_answers_never_gets_the_caller() {
    let mut stage = Stage::new(HOME);
    stage.habit(BSNL, Habit::Answers);
    stage.dial("9425000001", "181", "");
    stage.wait(secs(24));
    assert_eq!(stage.state("home1"), "offered");
    stage.wait(secs(1));
    assert!(!stage.story().contains(&"connected home1".to_string()), "{:?}", stage.story());
    // Where whoever answered said that they are.
    let last = stage.heard_at("10.9.9.9:5060");
    assert!(last.starts_with("BYE"), "{last}");
}

#[test]
fn an_agent_at_home_who_presses_another_key_says_no_and_the_caller_keeps_the_place() {
    let mut stage = Stage::new(HOME);
    let call = stage.dial("9425000001", "181", "");
    stage.far_end_answers(BSNL);
    stage.press("2");
    assert_eq!(stage.state("home1"), "resting");
    stage.wait(secs(6));
    assert_eq!(stage.state("home1"), "offered", "the caller still waits");
    stage.hang_up(&call);
}

#[test]
fn an_agent_who_is_held_to_be_in_a_call_that_is_over_is_freed_and_a_fact_tells_of_it() {
    let mut stage = Stage::new(CENTRE);
    stage.set_agent("op1", "pause");
    let mut state = serde_json::to_value(stage.switch.snapshot()).unwrap();
    let agent = state["desk"]["agents"]["slots"][0]["value"].take();
    let Value::Object(mut agent) = agent else { panic!("{agent}") };
    agent.insert("task".into(), serde_json::json!({"Own": 77}));
    agent.insert("shown".into(), serde_json::json!({"OwnCall": {"call": 77}}));
    state["desk"]["agents"]["slots"][0]["value"] = agent.into();
    // What the queue counts is of before, and counted anew.
    let snapshot = serde_json::from_value(state).unwrap();
    stage.switch = pukar::core::Switch::restore(stage.settings.clone(), snapshot);
    assert_eq!(stage.state("op1"), "own-call");
    assert!(stage.switch.check().is_err(), "the laws see it too");
    stage.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    assert_eq!(stage.state("op1"), "paused");
    let freed =
        |what: &What| matches!(what, What::Desk(Fact::Repaired { call, .. }) if call.0 == 77);
    assert!(stage.facts.iter().any(|fact| freed(&fact.what)));
}

#[test]
fn a_strike_that_is_keyed_in_while_the_caller_is_there_counts_like_any() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    let digit = stage.settings.call.codes.category("prank").unwrap().digit;
    for _ in 0..3 {
        let call = stage.dial(NUISANCE, "181", "");
        assert_eq!(stage.state("op1"), "talking");
        stage.press(&format!("*16{digit}"));
        stage.hang_up(&call);
        stage.wait(secs(6));
        assert_eq!(stage.records.last().unwrap().category, "prank");
    }
    assert!(blocked(&mut stage, NUISANCE, "181"));
}

#[test]
fn a_cap_that_is_reached_pauses_no_agent_at_home() {
    let home = HOME.replace("pause_after = 0", "pause_after = 1");
    let more = r#"
[out]
at_once = 1
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["health"]
ready = true
"#;
    let mut stage = Stage::new(&format!("{home}{more}"));
    stage.habit(BSNL, Habit::Answers);
    let own = stage.phone_dials(OP1, "op1", "9826054321");
    assert_eq!(stage.state("op1"), "own-call");
    stage.habit(BSNL, Habit::Rings);
    let caller = stage.dial("9425000001", "181", "");
    stage.wait(secs(60));
    assert_ne!(stage.state("home1"), "paused", "no way is open: that is no fault of theirs");
    stage.phone_hangs_up(OP1, &own);
    stage.wait(secs(10));
    assert_eq!(stage.state("home1"), "offered");
    stage.hang_up(&caller);
}
