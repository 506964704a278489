//! sipsak (package sipsak): the OPTIONS that operators ping with, its floods and its own fuzzing.

mod support;

use std::process::Command;
use std::time::Duration;
use support::agents::{REGISTERS, agent};
use support::program::Program;
use support::raw::Udp;
use support::street::PHONE;
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
    let mut switch = Switch::start(&[HELPLINE, &agent("op1", &[REGISTERS])]);
    let to = format!("sip:{}", switch.sip());
    for _ in 0..3 {
        // -R damages one more octet each time, until something other than 4xx comes back: with
        // luck that is the first answer. The damage is drawn anew in every run.
        let mut fuzzer = sipsak(&["-R", "-t", "400", "-s", &to]);
        fuzzer.end(WITHIN);
    }
    still_well(&mut switch, 10);
    let records = switch.records();
    assert!(records.is_empty(), "{records:#?}");
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
    let text = switch.ask("metrics");
    let name = "pukar_sip_datagrams_received_total ";
    let lines = text.as_str().unwrap_or_default().lines();
    let counts = lines.filter_map(|line| line.strip_prefix(name)?.parse::<u64>().ok());
    let read: u64 = counts.sum();
    eprintln!("the switch read {read} datagrams, and was asked {asked} times");
    assert!(read > least, "sipsak sent too little: {read} datagrams were read");
}
