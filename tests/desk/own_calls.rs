//! What agents do with their own phones: they dial out under the centre's number, call
//! colleagues, and are offered no caller meanwhile; and what keeps strangers from dialling at the
//! centre's cost.
//! Stories of the whole switch.

use crate::desk_world::{BSNL, Habit, OP1, OP2, OP3, Stage, field, secs};
use pukar::call::{self, Direction, EndedBy, Outcome, Role, Way};
use pukar::core::{CallRecord, Fact, Verb, What};

const CENTRE: &str = r#"
[[trunk]]
name = "jio"
hosts = ["10.1.0.2:5060"]
ping = "0s"
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
wrap_up = "5s"
[[agent]]
id = "op1"
name = "सीमा"
extension = "11"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
ready = true
[[agent]]
id = "op2"
extension = "12"
contact = "sip:op2@10.2.0.2"
skills = ["health"]
ready = true
"#;

fn centre() -> Stage {
    Stage::new(CENTRE)
}

/// The final answer to a phone's call, and its words.
fn refusal(stage: &Stage, name: &str) -> (String, String) {
    let answer = &stage.answers[name];
    let status = answer.split(' ').nth(1).unwrap_or_default().to_string();
    let words = field(answer, "Reason").split('"').nth(1).unwrap_or_default().to_string();
    (status, words)
}

fn last(stage: &Stage) -> &CallRecord {
    stage.records.last().expect("a record was written")
}

#[test]
fn an_agent_dials_out_under_the_centres_number_and_one_record_tells_it() {
    let mut stage = centre();
    stage.habit(BSNL, Habit::Answers);
    let call = stage.phone_dials(OP1, "op1", "98260 12345".replace(' ', "").as_str());
    let (to, invite) = stage.invites.last().unwrap().clone();
    assert_eq!(to.to_string(), BSNL);
    assert!(invite.starts_with("INVITE sip:09826012345@"), "{invite}");
    assert!(field(&invite, "From").contains("sip:+917552551181@"), "{invite}");
    assert!(field(&invite, "P-Asserted-Identity").contains("+917552551181"), "{invite}");
    assert!(!invite.contains("op1"), "nobody outside learns who it was: {invite}");
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"));
    assert_eq!(stage.state("op1"), "own-call");
    stage.wait(secs(30));
    stage.phone_hangs_up(OP1, &call);
    assert_eq!(stage.state("op1"), "wrap-up");
    stage.wait(secs(10));
    assert_eq!(stage.state("op1"), "ready");
    let record = last(&stage);
    assert_eq!((record.direction, record.outcome), (Direction::Out, Outcome::Answered));
    assert_eq!((record.agent.as_str(), record.trunk.as_str()), ("op1", "bsnl"));
    assert_eq!(
        (record.dialled.as_str(), record.caller.as_str()),
        ("+919826012345", "+917552551181")
    );
    assert_eq!((record.talk_ms, record.wrap_ms), (30_000, 10_000));
    assert_eq!(stage.records.len(), 1);
    assert_eq!(stage.story(), ["rung +919826012345: true", "connected"]);
}

#[test]
fn whoever_is_in_an_own_call_is_offered_no_caller() {
    let mut stage = centre();
    stage.habit(BSNL, Habit::Answers);
    let own = stage.phone_dials(OP1, "op1", "9826012345");
    stage.dial("9425000001", "181", "");
    stage.wait(secs(60));
    assert!(!stage.story().contains(&"offered op1".to_string()), "{:?}", stage.story());
    stage.kill();
    stage.phone_hangs_up(OP1, &own);
    stage.wait(secs(11));
    assert!(stage.story().contains(&"offered op1".to_string()), "{:?}", stage.story());
}

#[test]
fn a_call_that_was_not_answered_leaves_nothing_to_write_up() {
    for (habit, status) in [(Habit::Refuses(486), "486"), (Habit::Refuses(404), "404")] {
        let mut stage = centre();
        stage.habit(BSNL, habit);
        let call = stage.phone_dials(OP1, "op1", "9826012345");
        assert_eq!(refusal(&stage, &call).0, status);
        assert_eq!(stage.state("op1"), "ready");
        assert_eq!(
            (last(&stage).outcome, last(&stage).direction),
            (Outcome::Failed, Direction::Out)
        );
        assert_eq!(stage.story(), ["rung +919826012345: false"]);
    }
}

#[test]
fn a_mobile_is_rung_for_28_seconds_and_no_longer() {
    let mut stage = centre();
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    stage.wait(secs(27));
    assert!(!stage.answers.contains_key(&call));
    stage.wait(secs(1));
    assert_eq!(refusal(&stage, &call).0, "480");
    assert_eq!(stage.cancelled, [BSNL.parse().unwrap()]);
    assert_eq!(stage.state("op1"), "ready");
}

#[test]
fn the_agent_may_give_up_and_the_number_stops_ringing() {
    let mut stage = centre();
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    stage.phone_cancels(OP1, &call);
    assert_eq!(stage.cancelled, [BSNL.parse().unwrap()]);
    stage.wait(secs(1));
    assert_eq!((last(&stage).outcome, stage.state("op1")), (Outcome::Abandoned, "ready"));
}

#[test]
fn an_outgoing_call_ends_when_it_has_lasted_as_long_as_it_may() {
    let mut stage = Stage::new(&format!("{CENTRE}[out]\nlongest = \"10m\"\n"));
    stage.habit(BSNL, Habit::Answers);
    stage.phone_dials(OP1, "op1", "9826012345");
    stage.wait(secs(601));
    assert!(stage.heard_at(OP1).starts_with("BYE"), "{}", stage.heard_at(OP1));
    stage.wait(secs(10));
    assert_eq!((last(&stage).ended_by, last(&stage).talk_ms), (EndedBy::Switch, 600_000));
}

#[test]
fn what_may_not_be_dialled_is_refused_with_a_status_and_words_and_recorded() {
    for (number, status, words, why) in [
        ("0014155550100", "403", "International calls are not allowed", "international"),
        ("19001234567", "403", "Premium numbers are not allowed", "premium"),
        ("1098", "403", "You may not dial this number", "no-route"),
        ("nobody", "404", "No such number or extension", "no-number"),
        ("*99", "404", "No such number or extension", "no-number"),
    ] {
        let mut stage = centre();
        let call = stage.phone_dials(OP1, "op1", number);
        assert_eq!(refusal(&stage, &call), (status.into(), words.into()), "{number}");
        assert!(stage.invites.is_empty(), "{number}");
        assert_eq!((last(&stage).outcome, last(&stage).agent.as_str()), (Outcome::Refused, "op1"));
        let told = stage.facts.iter().find_map(|fact| match &fact.what {
            What::Call(pukar::call::Fact::Refused { why, .. }) => Some(why.as_str()),
            _ => None,
        });
        assert_eq!(told, Some(why));
    }
}

#[test]
fn whoever_is_not_logged_in_dials_nobody_but_help() {
    let mut stage = centre();
    stage.set_agent("op1", "logout");
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &call), ("403".into(), "Log in first".into()));
    stage.habit(BSNL, Habit::Answers);
    let call = stage.phone_dials(OP1, "op1", "108");
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"), "{}", stage.answers[&call]);
    assert_eq!(last(&stage).dialled, "+919826012345", "the refused one");
}

#[test]
fn strangers_who_write_an_agents_name_dial_nothing() {
    for address in ["203.0.113.66:5060", "10.2.0.1:5062", OP2] {
        let mut stage = centre();
        let call = stage.phone_dials(address, "op1", "9826012345");
        assert!(stage.answers[&call].starts_with("SIP/2.0 401"), "{address}");
        assert!(stage.invites.is_empty(), "{address}");
    }
    // A carrier's call stays a carrier's, whatever it says of itself: it reaches lines, not routes.
    let mut stage = centre();
    let call = stage.dial("op1", "9826012345", "");
    assert!(stage.answers[&call].starts_with("SIP/2.0 404"), "{}", stage.answers[&call]);
    let call = stage.dial("9425000001", "*12", "");
    assert!(stage.answers[&call].starts_with("SIP/2.0 404"), "a code is for phones of ours");
    assert!(stage.invites.is_empty());
}

#[test]
fn caps_hold_and_pass_with_time() {
    let caps = "[out]\nagent_per_hour = 2\nwrap_up = \"0s\"\n";
    let mut stage = Stage::new(&format!("{CENTRE}{caps}"));
    stage.habit(BSNL, Habit::Refuses(486));
    for _ in 0..2 {
        let call = stage.phone_dials(OP1, "op1", "9826012345");
        assert_eq!(refusal(&stage, &call).0, "486");
    }
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    let words = "As many calls as allowed in an hour have been made".to_string();
    assert_eq!(refusal(&stage, &call), ("403".into(), words));
    stage.kill();
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &call).0, "403", "a restart forgives nothing");
    stage.wait(secs(4_600));
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &call).0, "486");
}

#[test]
fn a_call_beside_a_call_is_a_consultation_and_the_agent_stays_with_the_first() {
    let mut stage = centre();
    stage.habit(OP1, Habit::Answers);
    stage.dial("9425000001", "181", "");
    assert_eq!(stage.state("op1"), "talking");
    stage.habit(BSNL, Habit::Answers);
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"));
    assert_eq!(stage.state("op1"), "talking");
    stage.phone_hangs_up(OP1, &call);
    assert_eq!(stage.state("op1"), "talking");
}

#[test]
fn whoever_is_rung_for_a_caller_dials_nobody() {
    let mut stage = centre();
    stage.dial("9425000001", "181", "");
    assert_eq!(stage.state("op1"), "offered");
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &call), ("480".into(), "You have a call in hand".into()));
    assert_eq!(stage.state("op1"), "offered");
}

#[test]
fn colleagues_call_each_other_by_extension_and_both_are_busy() {
    let mut stage = centre();
    let call = stage.phone_dials(OP1, "op1", "12");
    assert_eq!(stage.invites.last().unwrap().0.to_string(), OP2);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("own-call", "own-call"));
    let back = stage.phone_dials(OP2, "op2", "op1");
    assert_eq!(refusal(&stage, &back).0, "486");
    stage.far_end_answers(OP2);
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"));
    stage.phone_hangs_up(OP1, &call);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("ready", "ready"));
    let record = last(&stage);
    assert_eq!((record.direction, record.outcome), (Direction::Internal, Outcome::Answered));
    assert_eq!((record.agent.as_str(), record.dialled.as_str()), ("op1", "12"));
}

#[test]
fn a_colleague_with_a_call_is_engaged() {
    let mut stage = centre();
    stage.habit(OP1, Habit::Answers);
    stage.dial("9425000001", "181", "");
    let call = stage.phone_dials(OP2, "op2", "11");
    assert_eq!(refusal(&stage, &call), ("486".into(), "This agent has a call in hand".into()));
}

#[test]
fn call_waiting_is_off_and_where_it_is_on_a_colleague_rings_beside_a_call_and_no_queue_does() {
    let on = CENTRE.replace("extension = \"12\"", "extension = \"12\"\ncall_waiting = true");
    let on = on.replace("skills = [\"health\"]", "skills = [\"operator\"]");
    let mut stage = Stage::new(&on);
    stage.set_agent("op1", "pause");
    stage.habit(OP2, Habit::Answers);
    let caller = stage.dial("9826000001", "181", "");
    assert_eq!(stage.state("op2"), "talking");
    let first = stage.phone_dials(OP1, "op1", "12");
    assert!(stage.answers[&first].starts_with("SIP/2.0 200"), "{}", stage.answers[&first]);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("own-call", "talking"));
    // There is no third one.
    let third = stage.phone_dials(OP3, "op3", "12");
    assert!(!stage.answers.get(&third).is_some_and(|answer| answer.starts_with("SIP/2.0 200")));
    stage.dial("9826000002", "181", "");
    stage.kill();
    stage.hang_up(&caller);
    assert_eq!(stage.state("op2"), "wrap-up");
    stage.wait(secs(60));
    assert_eq!(stage.state("op2"), "own-call", "nobody out of a queue rings meanwhile");
    stage.phone_hangs_up(OP1, &first);
    assert_eq!(stage.state("op2"), "talking", "with whoever waited");
    // Off, which it is unless somebody says so, the colleague is busy.
    let mut stage = Stage::new(&on.replace("call_waiting = true", ""));
    stage.set_agent("op1", "pause");
    stage.habit(OP2, Habit::Answers);
    stage.dial("9826000001", "181", "");
    let name = stage.phone_dials(OP1, "op1", "12");
    assert_eq!(refusal(&stage, &name).0, "486");
}

#[test]
fn an_agent_who_calls_a_line_is_not_offered_the_own_call() {
    let mut stage = centre();
    let call = stage.phone_dials(OP1, "op1", "181");
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"));
    assert_eq!((stage.state("op1"), stage.invites.len()), ("own-call", 0));
    stage.phone_hangs_up(OP1, &call);
    assert_eq!(stage.state("op1"), "ready");
}

#[test]
fn an_agent_removed_in_mid_call_goes_when_it_is_over() {
    let mut stage = centre();
    stage.habit(BSNL, Habit::Answers);
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    let fewer = CENTRE.replace("id = \"op1\"", "id = \"op3\"");
    stage.reload(&fewer);
    assert_eq!(stage.state("op1"), "own-call");
    stage.phone_hangs_up(OP1, &call);
    stage.wait(secs(11));
    assert_eq!(stage.state("op1"), "gone");
}

#[test]
fn a_supervisor_may_end_it() {
    let mut stage = centre();
    stage.habit(BSNL, Habit::Answers);
    stage.phone_dials(OP1, "op1", "9826012345");
    let call = stage.arrival().id.clone();
    stage.ask(Verb::Hangup { call });
    assert_eq!(stage.state("op1"), "wrap-up");
    stage.wait(secs(10));
    assert_eq!(last(&stage).ended_by, EndedBy::Admin);
}

fn send(stage: &mut Stage, call: &str, to: &str, way: Way) -> Result<String, String> {
    stage.ask(Verb::Transfer { call: call.into(), to: to.into(), way });
    stage.replies.pop().expect("a reply")
}

#[test]
fn a_caller_who_is_sent_outside_is_cut_when_that_has_lasted_as_long_as_it_may() {
    let mut stage = Stage::new(&format!("{CENTRE}[out]\nlongest = \"10m\"\n"));
    stage.habit(OP1, Habit::Answers);
    stage.habit(BSNL, Habit::Answers);
    stage.dial("9425000001", "181", "");
    let call = stage.arrival().id.clone();
    stage.wait(secs(300));
    send(&mut stage, &call, "9826012345", Way::Blind).unwrap();
    stage.wait(secs(599));
    assert!(stage.records.is_empty(), "it counts from the answer of the number outside");
    stage.wait(secs(20));
    assert_eq!(last(&stage).ended_by, EndedBy::Switch);
}

#[test]
fn a_transfer_outside_that_fails_or_comes_back_leaves_nothing_that_counts() {
    let mut stage = Stage::new(&format!("{CENTRE}[out]\nat_once = 1\nlongest = \"10m\"\n"));
    stage.habit(OP1, Habit::Answers);
    let caller = stage.dial("9425000001", "181", "");
    let call = stage.arrival().id.clone();
    stage.habit(BSNL, Habit::Refuses(486));
    send(&mut stage, &call, "9826012345", Way::Consult).unwrap();
    assert_eq!(stage.state("op1"), "talking");
    let own = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &own).0, "486", "and not 503");
    stage.habit(BSNL, Habit::Answers);
    send(&mut stage, &call, "9826012345", Way::Consult).unwrap();
    let own = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &own).0, "503", "while it lives it counts");
    stage.far_end_hangs_up(BSNL);
    stage.habit(BSNL, Habit::Refuses(486));
    let own = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(refusal(&stage, &own).0, "486");
    stage.wait(secs(700));
    assert_eq!(stage.state("op1"), "talking", "without a leg outside a call lasts for ever");
    stage.hang_up(&caller);
}

#[test]
fn a_call_with_nobody_to_come_back_to_is_neither_parked_nor_sent_away() {
    let desk = "10.4.0.1:5060";
    let line = "[[line]]\nnumbers = [\"9001\"]\nto = \"sip:desk@10.4.0.1\"\n";
    let mut stage = Stage::new(&format!("{CENTRE}{line}"));
    stage.habit(desk, Habit::Answers);
    let caller = stage.dial("9826012345", "9001", "");
    let call = stage.arrival().id.clone();
    stage.ask(Verb::Park { call: call.clone() });
    let parked = stage.replies.pop().unwrap().unwrap_err();
    assert!(parked.contains("no queue and no agent to go back to"), "{parked}");
    let sent = send(&mut stage, &call, "op2", Way::Blind).unwrap_err();
    assert!(sent.contains("no queue and no agent to come back to"), "{sent}");
    assert_eq!(stage.records, [], "they talk on");
    stage.hang_up(&caller);
}

/// op1 has called a citizen, who has answered.
fn reached() -> (Stage, String) {
    let mut stage = centre();
    stage.habit(BSNL, Habit::Answers);
    let call = stage.phone_dials(OP1, "op1", "9826012345");
    assert_eq!(stage.state("op1"), "own-call");
    stage.wait(secs(5));
    (stage, call)
}

fn transfer(stage: &mut Stage, to: &str) -> Result<String, String> {
    let call = stage.arrival().id.clone();
    stage.ask(Verb::Transfer { call, to: to.into(), way: Way::Blind });
    stage.replies.pop().unwrap()
}

/// Nobody has hung up on the far end.
fn is_still_there(stage: &Stage) -> bool {
    let role = |fact: &Fact| match fact.what {
        What::Call(call::Fact::LegClosed { role, .. }) => Some(role),
        _ => None,
    };
    !stage.facts.iter().filter_map(role).any(|role| matches!(role, Role::Caller | Role::Target))
}

fn offered_to(stage: &Stage, phone: &str) -> Option<String> {
    let to = phone.parse().unwrap();
    let invite = stage.invites.iter().rev().find(|(at, _)| *at == to)?;
    Some(field(&invite.1, "From").to_string())
}

#[test]
fn whom_an_agent_has_called_is_the_one_who_is_transferred_and_not_the_agent() {
    for to in ["agent:op2", "12"] {
        let (mut stage, _) = reached();
        stage.habit(OP2, Habit::Answers);
        transfer(&mut stage, to).unwrap();
        assert!(stage.heard_at(OP1).starts_with("BYE"), "{}", stage.heard_at(OP1));
        assert!(is_still_there(&stage));
        assert!(offered_to(&stage, OP2).unwrap().contains("9826012345"), "the citizen is shown");
        assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "talking"));
        stage.kill();
        stage.wait(secs(10));
        stage.far_end_hangs_up(OP2);
        stage.wait(secs(30));
        let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
        assert_eq!((record.direction, record.outcome), (Direction::Out, Outcome::Answered));
        assert_eq!((&*record.dialled, &*record.agent), ("+919826012345", "op2"));
        assert_eq!((record.transfers, record.talk_ms), (1, 15_000));
    }
}

#[test]
fn whom_an_agent_has_called_is_with_the_agent_again_where_the_colleague_is_not_to_be_had() {
    for (op2, by_key) in [("pause", false), ("pause", true), ("ready", true)] {
        let (mut stage, _) = reached();
        stage.set_agent("op2", op2);
        stage.habit(OP2, Habit::Refuses(486));
        stage.habit(OP1, Habit::Answers);
        match by_key {
            true => {
                let phone = stage.opened[0];
                stage.press_at(phone, "*412#");
            }
            false => _ = transfer(&mut stage, "agent:op2").unwrap(),
        }
        assert!(is_still_there(&stage), "{op2}");
        assert!(offered_to(&stage, OP1).unwrap().contains("9826012345"));
        assert_eq!(stage.state("op1"), "talking", "in the midst of the notes: it is about them");
        stage.far_end_hangs_up(OP1);
        stage.wait(secs(30));
        let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
        assert_eq!((record.outcome, &*record.agent), (Outcome::Answered, "op1"));
    }
}

#[test]
fn whom_an_agent_has_called_waits_like_everybody_where_nobody_at_all_is_to_be_had() {
    let (mut stage, _) = reached();
    transfer(&mut stage, "agent:op2").unwrap();
    stage.set_agent("op1", "logout");
    stage.set_agent("op2", "logout");
    assert!(is_still_there(&stage));
    assert_eq!(stage.switch.state().counts().0, 1, "they are in the line");
    let (mut stage, _) = reached();
    let call = stage.arrival().id.clone();
    stage.ask(Verb::Park { call });
    stage.set_agent("op1", "logout");
    stage.wait(secs(300));
    assert!(is_still_there(&stage));
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "ready");
    assert_eq!(stage.state("op1"), "talking");
    stage.far_end_hangs_up(OP1);
    stage.wait(secs(30));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((&*record.queue, record.outcome), ("general", Outcome::Answered));
}

#[test]
fn whom_an_agent_has_called_can_be_sent_to_a_queue_where_they_wait_like_everybody() {
    let (mut stage, _) = reached();
    stage.habit(OP1, Habit::Answers);
    transfer(&mut stage, "queue:general").unwrap();
    assert!(is_still_there(&stage));
    assert_eq!(stage.state("op1"), "wrap-up", "of the call that they placed");
    stage.wait(secs(31));
    assert!(offered_to(&stage, OP1).unwrap().contains("9826012345"));
    assert_eq!(stage.state("op1"), "talking");
    stage.far_end_hangs_up(BSNL);
    stage.wait(secs(30));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((&*record.queue, record.ended_by), ("general", EndedBy::Caller));
}

#[test]
fn whom_an_agent_has_called_can_be_held_and_parked_and_sent_on_by_key() {
    let (mut stage, _) = reached();
    let call = stage.arrival().id.clone();
    stage.ask(Verb::Hold { call: call.clone(), hold: true });
    assert_eq!(stage.replies.pop().unwrap().unwrap(), format!("{call}: on hold"));
    stage.ask(Verb::Hold { call: call.clone(), hold: false });
    stage.ask(Verb::Park { call });
    assert!(stage.heard_at(OP1).starts_with("BYE"));
    assert!(is_still_there(&stage));
    let (mut stage, _) = reached();
    let phone = stage.opened[0];
    stage.press_at(phone, "*412#");
    assert!(offered_to(&stage, OP2).unwrap().contains("9826012345"));
    assert!(stage.heard_at(OP1).starts_with("BYE") && is_still_there(&stage));
    // What belongs to no code is for the other end.
    let (mut stage, _) = reached();
    let phone = stage.opened[0];
    stage.press_at(phone, "412#");
    assert_eq!((offered_to(&stage, OP2), stage.state("op1")), (None, "own-call"));
}

#[test]
fn an_agents_phone_sends_on_whom_it_has_called_by_refer() {
    let (mut stage, call) = reached();
    let answer = stage.answers[&call].clone();
    let refer = format!(
        "REFER {} SIP/2.0\r\nVia: SIP/2.0/UDP {OP1};branch=z9hG4bKrefer\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {call}\r\nCSeq: 5 REFER\r\nContact: <sip:op1@{OP1}>\r\n\
         Refer-To: <sip:12@10.0.0.1>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        field(&answer, "Contact").trim_matches(['<', '>']),
        field(&answer, "From"),
        field(&answer, "To"),
    );
    stage.say(OP1, refer);
    assert!(offered_to(&stage, OP2).unwrap().contains("9826012345"));
    stage.far_end_answers(OP2);
    assert_eq!(stage.state("op2"), "talking");
    assert!(is_still_there(&stage));
}

#[test]
fn what_an_agent_has_called_beside_a_call_in_hand_is_left_as_it_is() {
    let mut stage = centre();
    stage.habit(OP1, Habit::Answers);
    stage.habit(BSNL, Habit::Answers);
    stage.dial("9826000001", "181", "");
    assert_eq!(stage.state("op1"), "talking");
    stage.phone_dials(OP1, "op1", "9826012345");
    let why = transfer(&mut stage, "agent:op2").unwrap_err();
    assert_eq!(why, "the agent has another call in hand");
    assert!(is_still_there(&stage));
    // And somebody who has not answered is nobody yet.
    let mut stage = centre();
    stage.phone_dials(OP1, "op1", "9826012345");
    let why = transfer(&mut stage, "agent:op2").unwrap_err();
    assert_eq!(why, "whoever is called has not answered");
}

#[test]
fn whom_an_agent_has_called_waits_in_a_queue_of_the_house_where_the_default_line_has_none() {
    let line =
        "[[line]]\nnumbers = [\"104\"]\ndefault = true\nto = \"sip:duty@10.9.9.9\"\n[[line]]\n";
    let mut stage = Stage::new(&CENTRE.replacen("[[line]]\n", line, 1));
    stage.habit(BSNL, Habit::Answers);
    stage.phone_dials(OP1, "op1", "9826012345");
    stage.wait(secs(5));
    transfer(&mut stage, "agent:op2").unwrap();
    stage.set_agent("op1", "logout");
    stage.set_agent("op2", "logout");
    assert!(is_still_there(&stage));
    assert_eq!(stage.switch.state().counts().0, 1, "they are in the line");
}

#[test]
fn whoever_calls_a_phone_that_leaves_before_its_answer_is_heard_is_told_that_nobody_answered() {
    let mut stage = centre();
    stage.habit(OP2, Habit::Rings);
    let call = stage.phone_dials(OP1, "op1", "12");
    stage.far_end_hangs_up_at_once(OP2);
    // Not 603, RFC 3261 section 16.7: it would end every other branch of the one who calls.
    assert_eq!(refusal(&stage, &call).0, "480");
}
