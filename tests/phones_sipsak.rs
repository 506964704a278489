//! sipsak (package sipsak): the OPTIONS that operators ping with, its floods and its own fuzzing.

mod support;

use std::process::Command;
use std::time::Duration;
use support::agents::{READY, REGISTERS, agent, lives_in};
use support::program::Program;
use support::raw::Udp;
use support::sipp::{Plan, Sipp};
use support::street::{OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};

const WITHIN: Duration = Duration::from_secs(60);

/// By itself it puts the machine's own name into its messages and gives up where that resolves to
/// nothing, as on a machine without /etc/hosts; an address needs no resolving.
fn sipsak(arguments: &[&str]) -> Program {
    let mut command = Command::new("sipsak");
    Program::start("sipsak", command.args(["-H", "127.0.0.1"]).args(arguments))
}

#[test]
fn options_is_answered_with_200() {
    let switch = Switch::start(&[HELPLINE, &agent("op1", &[REGISTERS])]);
    for to in [format!("sip:{}", switch.sip()), format!("sip:181@{}", switch.sip())] {
        let mut ping = sipsak(&["-vv", "-s", &to]);
        ping.line_with("SIP/2.0 200 OK");
        assert!(ping.end(WITHIN).success(), "{to}");
    }
}

#[test]
fn its_random_damage_is_answered_and_harms_nothing() {
    let op2 = agent("op2", &[&lives_in("op2", OTHER_PHONE), READY]);
    let mut switch = Switch::start(&[HELPLINE, &op2]);
    let to = format!("sip:{}", switch.sip());
    // -R damages one more octet each time, until something other than 4xx comes back: with luck
    // that is the first answer. The damage is drawn anew in every run.
    while read(&mut switch) < 100 {
        sipsak(&["-R", "-t", "400", "-s", &to]).end(WITHIN);
    }
    still_well(&mut switch, 100);
    let plan = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let phone = Sipp::answers(&switch.street, plan);
    Sipp::calls(&switch.street, Plan { scenario: "caller", ..Plan::default() }).succeeds();
    phone.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["outcome"], "answered", "a call works as before: {records:#?}");
}

#[test]
fn its_flood_harms_nothing() {
    let mut switch = Switch::start(&[HELPLINE, &agent("op1", &[REGISTERS])]);
    let to = format!("sip:181@{}", switch.sip());
    let mut flood = sipsak(&["-F", "-e", "20000", "-s", &to]);
    assert!(flood.end(WITHIN).success());
    // The kernel drops what does not fit into the socket's buffer; the rest has to be read.
    still_well(&mut switch, 1_000);
    assert!(switch.records().is_empty());
}

/// It has read at least so many datagrams, and still answers.
fn still_well(switch: &mut Switch, least: u64) {
    let probe = Udp::new(switch.street.ip(PHONE), switch.sip());
    let asked = probe.options_until_answered("after");
    let read = read(switch);
    eprintln!("the switch read {read} datagrams, and was asked {asked} times");
    assert!(read > least, "sipsak sent too little: {read} datagrams were read");
}

/// Datagrams that it has read so far.
fn read(switch: &mut Switch) -> u64 {
    let text = switch.ask("metrics");
    let name = "pukar_sip_datagrams_received_total ";
    let lines = text.as_str().unwrap_or_default().lines();
    lines.filter_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).sum()
}
