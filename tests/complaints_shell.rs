//! What a process owes to calls whatever its surroundings do: complaints Q30, Q31, Q39, Q42 and
//! Q46, over real sockets.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use support::one;
use support::sipp::{Plan, Sipp};
use support::street::{CALLER, PHONE};
use support::switch::{HELPLINE, Switch};
use support::{PATIENCE, raw};

const ONE: &str = "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\nready = true\n\
                   contact = \"sip:op1@NET.3:5060\"\n";

/// One caller, one agent, one call.
fn call(switch: &mut Switch) {
    let phone = Plan { scenario: "agent", house: PHONE, ..Plan::default() };
    let phone = Sipp::answers(&switch.street, phone);
    let caller = Plan { scenario: "caller", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    phone.succeeds();
    switch.until_ended(1);
}

#[test]
fn q31_admin_clients_that_read_nothing_or_ask_by_halves_keep_no_call_waiting() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let path = switch.data().join("s");
    let subscribe = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\",\
                      \"params\":{\"from\":1}}\n";
    let deaf: Vec<UnixStream> = (0..40)
        .map(|n| {
            let mut client = UnixStream::connect(&path).unwrap();
            // Every other one hangs in the midst of its question.
            let words: &[u8] = if n % 2 == 0 { subscribe } else { &subscribe[..20] };
            client.write_all(words).unwrap();
            client
        })
        .collect();
    // More facts than any socket holds for a reader who does not read.
    for _ in 0..600 {
        for (state, reason) in [("pause", "tea"), ("ready", "")] {
            let wish = json!({"agent": "op1", "state": state, "reason": reason});
            switch.admin.ask("agents.set", wish).unwrap();
        }
    }
    call(&mut switch);
    drop(deaf);
    let records = switch.records();
    assert_eq!((records.len(), &records[0]["outcome"]), (1, &json!("answered")), "{records:#?}");
}

/// A caller's INVITE for the helpline. `id`: of the call.
fn invite(id: &str, own: SocketAddr, to: SocketAddr, sdp: &str) -> String {
    format!(
        "INVITE sip:181@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{id}\r\n\
         From: <sip:9826012345@{own}>;tag={id}\r\nTo: <sip:181@{to}>\r\n\
         Call-ID: {id}@{own}\r\nCSeq: 1 INVITE\r\nContact: <sip:9826012345@{own}>\r\n\
         Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// More callers at once than the switch may have: those it takes are in line, and every other one
/// is told when to come back.
#[test]
fn q30_a_burst_of_callers_over_the_limit_gets_an_answer_each() {
    const LIMIT: usize = 5;
    let limits = format!("[limits]\nmax_calls = {LIMIT}\nmax_rate = 100000\n");
    let mut switch = Switch::start(&[HELPLINE, ONE, &limits]);
    let trunk = raw::Udp::at_port(switch.street.ip(CALLER), 5060, switch.sip());
    let own = trunk.at();
    let sdp = format!(
        "v=0\r\no=a 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n",
        own.ip()
    );
    for n in 0..200 {
        trunk.send(invite(&format!("q30-{n}"), own, switch.sip(), &sdp).as_bytes());
    }
    let mut answers = BTreeMap::new();
    // What the network loses of so many at once is sent again.
    while answers.len() < 200 {
        let answer = trunk.receive_within(PATIENCE).expect("an answer to everybody");
        let id = raw::header(&answer, "Call-ID").unwrap_or_default().to_string();
        match raw::status(&answer) {
            Some(200) => drop(answers.insert(id, 200)),
            Some(503) => {
                assert!(raw::header(&answer, "Retry-After").is_some(), "{answer}");
                answers.insert(id, 503);
            }
            Some(100) | None => {}
            Some(other) => panic!("{other}: {answer}"),
        }
    }
    assert_eq!(answers.values().filter(|status| **status == 200).count(), LIMIT);
    let status = switch.admin.ask("status", json!({})).unwrap();
    assert_eq!(status["calls"]["live"], LIMIT, "{status}");
}

/// Two phones that talk without a sound: the switch says so, and says which.
#[test]
fn q42_a_talk_in_which_nothing_is_heard_is_told_within_seconds() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let phone = Plan { scenario: "agent_stays", house: PHONE, ..Plan::default() };
    let phone = Sipp::answers(&switch.street, phone);
    let caller = Sipp::calls(&switch.street, Plan { scenario: "caller", ..Plan::default() });
    switch.until("call.connected", |_| true);
    let mut silent = [0; 2].map(|_| switch.until("call.silent", |fact| fact["silent"] == true));
    silent.sort_by_key(|fact| fact["role"].to_string());
    assert_eq!(silent.map(|fact| fact["role"].clone()), [json!("agent:op1"), json!("caller")]);
    drop((caller, phone));
}

/// What it cannot carry it refuses, with a reason: nobody is put through to one-way sound.
#[test]
fn q39_sealed_media_that_cannot_be_opened_is_refused_with_a_reason_never_answered_by_half() {
    let switch = Switch::start(&[HELPLINE, ONE]);
    let (trunk, to) =
        (raw::Udp::at_port(switch.street.ip(CALLER), 5060, switch.sip()), switch.sip());
    let own = trunk.at();
    let profiles = [
        ("RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkg\r\n"),
        ("UDP/TLS/RTP/SAVPF", "a=setup:actpass\r\na=fingerprint:sha-256 4A:AD:B9:B1\r\n"),
    ];
    for (n, (profile, keys)) in profiles.into_iter().enumerate() {
        let sdp = format!(
            "v=0\r\no=a 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\n\
             m=audio 30000 {profile} 8\r\n{keys}",
            own.ip()
        );
        trunk.send(invite(&format!("q39-{n}"), own, to, &sdp).as_bytes());
        let answer = loop {
            let answer = trunk.receive_within(PATIENCE).expect("a final answer");
            if raw::status(&answer) != Some(100) && answer.contains(&format!("q39-{n}@")) {
                break answer;
            }
        };
        assert_eq!(raw::status(&answer), Some(488), "{profile}: {answer}");
        let says_why = |line: &str| line.starts_with("Warning: ") || line.starts_with("Reason: ");
        assert!(answer.lines().any(says_why), "{profile}: {answer}");
    }
}

/// What of a record is the same whenever the same happens.
fn lasting(record: &Value) -> Value {
    let mut record = record.clone();
    let fields = record.as_object_mut().unwrap();
    fields.retain(|name, _| {
        let varies = ["id", "case_ref", "caller", "caller_raw", "legs"].contains(&name.as_str());
        !varies && !name.ends_with("_at") && !name.ends_with("_ms")
    });
    record
}

/// What a journal tells of each call, and of the agents, in its order and in words: neither times
/// nor numbers nor what a network makes of sound. The first call is called 0.
fn told(switch: &Switch) -> BTreeMap<String, Vec<Value>> {
    let journal = switch.data().join("journal");
    let output = switch.tell(&["events", "--json", "--journal", journal.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut calls, mut told) = (Vec::<String>::new(), BTreeMap::<_, Vec<_>>::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fact: Value = serde_json::from_str(line).unwrap();
        let kind = fact["kind"].as_str().unwrap();
        let is_ours = ["call.", "queue.", "agent."].iter().any(|begins| kind.starts_with(begins));
        if !is_ours || ["call.silent", "call.sound", "call.measured"].contains(&kind) {
            continue;
        }
        let of = fact["call"].as_str().unwrap_or_default();
        let at = calls.iter().position(|known| known == of).unwrap_or_else(|| {
            calls.push(of.into());
            calls.len() - 1
        });
        let words = ["kind", "agent", "role", "by", "state", "reason", "outcome", "ended_by"];
        let words = words.map(|name| fact[name].clone());
        // Who is served when is one story, whichever call it is about.
        if ["agent.", "queue.", "call.connected"].iter().any(|begins| kind.starts_with(begins)) {
            let mut told_of = words.to_vec();
            told_of.push(at.into());
            told.entry("order".into()).or_default().push(told_of.into());
        }
        told.entry(at.to_string()).or_default().push(words.to_vec().into());
    }
    told
}

/// Two who wait, and one agent who has them one after the other.
#[test]
fn q46_calls_go_the_same_way_whether_everything_is_traced_or_nothing() {
    let mut seen = Vec::new();
    for level in ["trace", "info"] {
        let mut switch = Switch::start(&[HELPLINE, one::ONE]);
        switch.stop();
        switch.restart_with(|command| {
            command.env("PUKAR_LOG", level);
        });
        let callers = Plan { scenario: "caller", calls: 2, ..Plan::default() };
        let callers = Sipp::calls(&switch.street, callers);
        switch.facts.until_count("queue.joined", 2);
        let phone = Plan { scenario: "agent", house: PHONE, calls: 2, ..Plan::default() };
        let phone = Sipp::answers(&switch.street, phone);
        switch.admin.ask("agents.set", json!({"agent": "op1", "state": "ready"})).unwrap();
        callers.succeeds();
        phone.succeeds();
        switch.until_ended(2);
        let said = switch.program().said();
        let traced = said.contains("TRACE ") || said.contains("DEBUG ");
        assert_eq!(traced, level == "trace", "{level}");
        let records = switch.leaves_records();
        assert_eq!(records.len(), 2, "{level}: {records:#?}");
        // Commands are in no list; that they follow from what came in, word for word, is.
        let journal = switch.data().join("journal");
        let replayed = switch.tell(&["replay", journal.to_str().unwrap()]);
        assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
        seen.push((records.iter().map(lasting).collect::<Vec<_>>(), told(&switch)));
    }
    assert_eq!(seen[0], seen[1], "with and without");
    let (records, told) = &seen[0];
    assert!(records.iter().all(|record| record["outcome"] == "answered"), "{records:#?}");
    let offered = told["order"].iter().filter(|words| words[0] == "agent.offered");
    let offered: Vec<_> = offered.map(|words| words[8].clone()).collect();
    assert_eq!(offered.len(), 2, "{told:#?}");
    assert_ne!(offered[0], offered[1]);
}
