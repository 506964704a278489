//! SIPp calls, and SIPp answers: whole calls between a switch and a stranger's SIP stack, over UDP
//! and TCP, and what telephones do to call centres.

mod support;

use serde_json::{Value, json};
use support::agents::{READY, agent, lives_in};
use support::sipp::{Plan, Sipp};
use support::street::{OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};

/// Twenty agents, all of them the one SIPp in house 3.
fn twenty(transport: &str) -> String {
    let contact = format!("contact = \"sip:op{{}}@NET.3:5060;transport={transport}\"");
    agent("op{1-20}", &[READY, &contact])
}

/// One agent in house 3, in this state, and another in house 4.
fn two(state: &str) -> String {
    let first = agent("op1", &[&lives_in("op1", PHONE), state]);
    first + &agent("op2", &[&lives_in("op2", OTHER_PHONE)])
}

fn one_of(records: &[Value]) -> &Value {
    assert_eq!(records.len(), 1, "{records:#?}");
    &records[0]
}

/// As many calls as given, all answered; every one has its record, and the numbers have no gap.
fn all_answered(records: &[Value], calls: u64) {
    let mut seqs: Vec<u64> = records.iter().filter_map(|r| r["seq"].as_u64()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=calls).collect::<Vec<_>>());
    for record in records {
        assert_eq!(record["outcome"], "answered", "{record:#}");
        assert_eq!(record["line"], "181", "{record:#}");
        assert!(record["agent"].as_str().is_some_and(|a| a.starts_with("op")), "{record:#}");
        assert!(record["talk_ms"].as_u64() >= Some(250), "{record:#}");
    }
}

fn many_calls(tcp: bool) {
    const CALLS: u32 = 60;
    let mut switch = Switch::start(&[HELPLINE, &twenty(if tcp { "tcp" } else { "udp" })]);
    let plan = Plan { calls: CALLS, rate: 30, tcp, ..Plan::default() };
    let agents = Plan { scenario: "agent", house: PHONE, ..plan };
    let agents = Sipp::answers(&switch.street, agents);
    let callers = Sipp::calls(&switch.street, Plan { scenario: "caller", ..plan });
    callers.succeeds();
    agents.succeeds();
    switch.until_ended(CALLS as usize);
    let status = switch.status();
    assert_eq!(status["calls"]["live"], 0);
    assert_eq!(status["total"]["answered"], CALLS);
    all_answered(&switch.records(), u64::from(CALLS));
}

#[test]
fn every_call_over_udp_is_answered_and_recorded() {
    many_calls(false);
}

#[test]
fn every_call_over_tcp_is_answered_and_recorded() {
    many_calls(true);
}

/// op1 does what the scenario says; the call goes on to op2, who only then is ready.
fn goes_on_to_the_next_agent(scenario: &str, why: &str) {
    let ring = HELPLINE.replace("ring_for = \"10s\"", "ring_for = \"1s\"");
    let ring = ring.replace("rest = \"100ms\"", "rest = \"60s\"");
    let mut switch = Switch::start(&[&ring, &two(READY)]);
    let first = Plan { scenario, house: PHONE, ..Plan::default() };
    let first = Sipp::answers(&switch.street, first);
    let second = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let second = Sipp::answers(&switch.street, second);
    let caller = Plan { scenario: "caller", ..Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    let missed = switch.until("agent.missed", |fact| fact["agent"] == "op1");
    assert_eq!(missed["why"], why);
    switch.admin.ask("agents.set", json!({"agent": "op2", "state": "ready"})).unwrap();
    caller.succeeds();
    first.succeeds();
    second.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert_eq!(record["agent"], "op2", "{record:#}");
    assert_eq!(record["offers"], 2, "{record:#}");
}

#[test]
fn a_call_that_one_agent_declines_goes_to_the_next() {
    goes_on_to_the_next_agent("agent_declines", "declined");
}

#[test]
fn a_call_that_one_agent_lets_ring_goes_to_the_next() {
    goes_on_to_the_next_agent("agent_silent", "ring-timeout");
}

#[test]
fn an_agent_who_picks_up_as_the_ringing_ends_has_the_call() {
    let ring = HELPLINE.replace("ring_for = \"10s\"", "ring_for = \"1s\"");
    let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
    let mut switch = Switch::start(&[&ring.replace("rest = \"100ms\"", "rest = \"60s\""), &op1]);
    let late = Plan { scenario: "agent_late", house: PHONE, ..Plan::default() };
    let late = Sipp::answers(&switch.street, late);
    let caller = Plan { scenario: "caller", ..Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    // Its 200 comes after our CANCEL.
    let missed = switch.until("agent.missed", |fact| fact["agent"] == "op1");
    assert_eq!(missed["why"], "ring-timeout");
    let connected = switch.until("call.connected", |fact| fact["agent"] == "op1");
    switch.admin.ask("calls.hangup", json!({"call": connected["call"]})).unwrap();
    caller.succeeds();
    late.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!((&record["outcome"], &record["agent"]), (&json!("answered"), &json!("op1")));
}

#[test]
fn a_caller_who_gives_up_waiting_is_an_abandoned_call() {
    let mut switch = Switch::start(&[HELPLINE, &two("")]);
    let caller = Plan { scenario: "caller_hangs_up", ..Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    caller.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!(record["outcome"], "abandoned", "{record:#}");
    assert_eq!(record["ended_by"], "caller", "{record:#}");
    assert_eq!(record["queue"], "general", "{record:#}");
    assert!(record["wait_ms"].as_u64() >= Some(250), "{record:#}");
}

#[test]
fn a_caller_who_gives_up_while_a_phone_rings_stops_it() {
    let mut switch = Switch::start(&[HELPLINE, &two(READY)]);
    let silent = Plan { scenario: "agent_silent", house: PHONE, ..Plan::default() };
    let silent = Sipp::answers(&switch.street, silent);
    let caller = Plan { scenario: "caller_hangs_up", pause_ms: 1_000, ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    silent.succeeds();
    let missed = switch.until("agent.missed", |fact| fact["agent"] == "op1");
    assert_eq!(missed["why"], "caller-gone");
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!(record["outcome"], "abandoned", "{record:#}");
    assert_eq!(record["id"], missed["call"], "the fact that came after the end bears its name");
    assert_eq!(record["legs"][1]["status"], 487, "{record:#}");
}

/// A number that rings one phone, and is answered when the phone is.
const DESK: &str = "[[line]]\nnumbers = [\"100\"]\nto = \"sip:desk@NET.3:5060\"\n";

#[test]
fn a_caller_who_cancels_gets_487_and_the_phone_stops_ringing() {
    let mut switch = Switch::start(&[HELPLINE, DESK, &two(READY)]);
    let silent = Plan { scenario: "agent_silent", house: PHONE, ..Plan::default() };
    let silent = Sipp::answers(&switch.street, silent);
    let caller = Plan { scenario: "caller_cancels", number: "100", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    silent.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!(record["outcome"], "abandoned", "{record:#}");
    assert_eq!(record["connected_at"], Value::Null, "{record:#}");
}

#[test]
fn an_unknown_number_gets_404_and_a_record() {
    let switch = Switch::start(&[HELPLINE, &two(READY)]);
    let caller = Plan { scenario: "caller_unknown", number: "199", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!(record["outcome"], "refused", "{record:#}");
    assert_eq!(record["sip_status"], 404, "{record:#}");
    assert_eq!(record["dialled"], "199", "{record:#}");
}

#[test]
fn a_caller_holds_resumes_and_refreshes_the_session() {
    let mut switch = Switch::start(&[HELPLINE, &two(READY)]);
    let agent = Plan { scenario: "agent_held", house: PHONE, ..Plan::default() };
    let agent = Sipp::answers(&switch.street, agent);
    let caller = Plan { scenario: "caller_holds", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    agent.succeeds();
    switch.until("call.held", |fact| fact["held"] == true && fact["by"] == "caller");
    switch.until("call.held", |fact| fact["held"] == false);
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert!(record["hold_ms"].as_u64() >= Some(250), "{record:#}");
}

#[test]
fn what_a_caller_offers_too_much_is_refused_line_by_line_and_update_refreshes() {
    let mut switch = Switch::start(&[HELPLINE, &two(READY)]);
    let agent = Plan { scenario: "agent", house: PHONE, pause_ms: 1_500, ..Plan::default() };
    let agent = Sipp::answers(&switch.street, agent);
    let caller = Plan { scenario: "caller_offers_much", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    agent.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(one_of(&records)["outcome"], "answered", "{records:#?}");
}

#[test]
fn who_requires_reliable_ringing_gets_it() {
    let mut switch = Switch::start(&[HELPLINE, DESK, &two(READY)]);
    // RFC 3262 section 3: whoever is answered at once may hear of that before their PRACK's end.
    let agent = Plan { scenario: "agent_rings", house: PHONE, pause_ms: 500, ..Plan::default() };
    let agent = Sipp::answers(&switch.street, agent);
    let caller = Plan { scenario: "caller_reliable", number: "100", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    agent.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(one_of(&records)["outcome"], "answered", "{records:#?}");
}

#[test]
fn an_agent_sends_the_caller_to_a_colleague_by_refer_and_is_told_how_it_went() {
    let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
    let op2 = agent("op2", &[&lives_in("op2", OTHER_PHONE), "extension = \"12\""]);
    let mut switch = Switch::start(&[HELPLINE, &op1, &op2]);
    let first = Plan { scenario: "agent_refers", house: PHONE, ..Plan::default() };
    let first = Sipp::answers(&switch.street, first);
    let second = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let second = Sipp::answers(&switch.street, second);
    let caller = Sipp::calls(&switch.street, Plan { scenario: "caller", ..Plan::default() });
    let connected = switch.until("call.connected", |_| true);
    assert_eq!(connected["agent"], "op1");
    switch.admin.ask("agents.set", json!({"agent": "op2", "state": "ready"})).unwrap();
    caller.succeeds();
    first.succeeds();
    second.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!((&record["outcome"], &record["transfers"]), (&json!("answered"), &json!(1)));
}

/// An attended transfer, which baresip 1.0 has not.
#[test]
fn an_agent_asks_a_colleague_in_a_second_call_and_brings_caller_and_colleague_together() {
    let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
    let op2 = agent("op2", &[&lives_in("op2", OTHER_PHONE), "extension = \"12\""]);
    let mut switch = Switch::start(&[HELPLINE, &op1, &op2]);
    let first = Plan { scenario: "agent_asks_first", house: PHONE, ..Plan::default() };
    let first = Sipp::answers(&switch.street, first);
    let second = Plan { scenario: "agent", house: OTHER_PHONE, pause_ms: 3_000, ..Plan::default() };
    let second = Sipp::answers(&switch.street, second);
    let caller = Sipp::calls(&switch.street, Plan { scenario: "caller", ..Plan::default() });
    let sent = switch.until("call.transferred", |_| true);
    assert_eq!((&sent["by"], &sent["to"]), (&json!("op1"), &json!("12")), "{sent}");
    first.succeeds();
    caller.succeeds();
    second.succeeds();
    switch.until_ended(2);
    let records = switch.records();
    let of_line: Vec<&Value> = records.iter().filter(|record| record["line"] == "181").collect();
    let [record] = of_line[..] else { panic!("{records:#?}") };
    assert_eq!((&record["outcome"], &record["transfers"]), (&json!("answered"), &json!(1)));
    assert_eq!((&record["agent"], &record["ended_by"]), (&json!("op2"), &json!("agent")));
    assert!(record["hold_ms"].as_u64() >= Some(250), "{record:#}");
}

#[test]
fn a_phone_that_is_not_there_costs_the_caller_nothing() {
    let mut switch = Switch::start(&[HELPLINE, &two(READY)]);
    let second = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let second = Sipp::answers(&switch.street, second);
    let caller = Plan { scenario: "caller", ..Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    let missed = switch.until("agent.missed", |fact| fact["agent"] == "op1");
    assert_eq!(missed["why"], "unreachable");
    switch.admin.ask("agents.set", json!({"agent": "op2", "state": "ready"})).unwrap();
    caller.succeeds();
    second.succeeds();
    switch.until_ended(1);
    assert_eq!(one_of(&switch.records())["agent"], "op2");
}

#[test]
fn an_orderly_stop_in_the_middle_of_a_wrap_up_writes_the_record() {
    let long = HELPLINE.replace("wrap_up = \"0s\"", "wrap_up = \"10m\"");
    let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
    let mut switch = Switch::start(&[&long, &op1]);
    let agent =
        Sipp::answers(&switch.street, Plan { scenario: "agent", house: PHONE, ..Plan::default() });
    let caller = Sipp::calls(&switch.street, Plan { scenario: "caller", ..Plan::default() });
    caller.succeeds();
    agent.succeeds();
    switch.until("agent.state", |fact| fact["agent"] == "op1" && fact["state"] == "wrap-up");
    // The first signal leaves the agent the time of `drain`, which is less than the wrap-up; the
    // second ends at once.
    switch.program().signal(libc::SIGTERM);
    switch.program().line_with("a second SIGTERM ends at once");
    let records = switch.records();
    let record = one_of(&records);
    assert_eq!((&record["outcome"], &record["agent"]), (&json!("answered"), &json!("op1")));
}

#[test]
fn q35_reloads_under_load_drop_no_call() {
    let mut switch = Switch::start(&[HELPLINE, &two(READY)]);
    let agents = [PHONE, OTHER_PHONE].map(|house| {
        let plan = Plan { scenario: "agent", house, calls: 100, ..Plan::default() };
        Sipp::answers(&switch.street, plan)
    });
    let caller = Plan { scenario: "caller", calls: 16, rate: 4, ..Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    let mut reloads = 0;
    while switch.facts.count("call.ended") < 16 {
        switch.admin.ask("config.reload", json!({})).unwrap();
        reloads += 1;
        switch.facts.until_count("switch.reloaded", reloads);
    }
    caller.succeeds();
    drop(agents);
    let records = switch.records();
    assert_eq!(records.len(), 16);
    assert!(records.iter().all(|record| record["outcome"] == "answered"), "{records:#?}");
    assert!(reloads >= 16, "only {reloads} reloads");
}
