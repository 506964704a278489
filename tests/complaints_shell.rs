//! What a process owes to calls whatever its surroundings do: complaints Q30, Q31, Q39, Q42 and
//! Q46, over real sockets.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
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
fn q39_sealed_media_is_refused_with_a_reason_and_never_answered_by_half() {
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

#[test]
fn q46_a_call_goes_the_same_way_whether_everything_is_traced_or_nothing() {
    let mut seen = Vec::new();
    for level in ["trace", "info"] {
        let mut switch = Switch::start(&[HELPLINE, ONE]);
        switch.stop();
        switch.restart_with(|command| {
            command.env("PUKAR_LOG", level);
        });
        call(&mut switch);
        let said = switch.program().said();
        let traced = said.contains("TRACE ") || said.contains("DEBUG ");
        assert_eq!(traced, level == "trace", "{level}");
        let records = switch.records();
        assert_eq!(records.len(), 1, "{level}: {records:#?}");
        seen.push(lasting(&records[0]));
    }
    assert_eq!(seen[0], seen[1], "with and without");
    assert_eq!(seen[0]["outcome"], "answered");
}
