//! sipsak (package sipsak): the OPTIONS that operators ping with, its floods and its own fuzzing.

mod support;

use std::process::Command;
use std::time::Duration;
use support::program::Program;
use support::raw::Udp;
use support::street::PHONE;
use support::switch::{HELPLINE, Switch};

const NOBODY: &str =
    "[[agent]]\nid = \"op1\"\nsecret = \"correct-horse-1\"\nskills = [\"operator\"]\n";
const WITHIN: Duration = Duration::from_secs(60);

fn sipsak(arguments: &[&str]) -> Program {
    Program::start("sipsak", Command::new("sipsak").args(arguments))
}

#[test]
fn options_is_answered_with_200() {
    let switch = Switch::start(&[HELPLINE, NOBODY]);
    for to in [format!("sip:{}", switch.sip()), format!("sip:181@{}", switch.sip())] {
        let mut ping = sipsak(&["-vv", "-s", &to]);
        ping.line_with("SIP/2.0 200 OK");
        assert!(ping.end(WITHIN).success(), "{to}");
    }
}

#[test]
fn a_message_with_every_part_cut_off_or_broken_harms_nothing() {
    let switch = Switch::start(&[HELPLINE, NOBODY]);
    let to = format!("sip:{}", switch.sip());
    // -R breaks a random byte of a request more each time, as many times as -t says.
    let mut fuzzer = sipsak(&["-R", "-t", "400", "-s", &to]);
    fuzzer.end(WITHIN);
    let probe = Udp::new(switch.street.ip(PHONE), switch.sip());
    probe.options("after");
    let records = switch.records();
    assert!(records.is_empty(), "{records:#?}");
}
