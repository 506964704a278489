//! Media ports that other programs hold: they cost nobody a call.

mod support;

use std::net::UdpSocket;
use support::duet::{AGENT, Duet, End};
use support::street::{CALLER, PHONE, SWITCH, Street};
use support::switch::{HELPLINE, Switch};

const RANGE: &str = "20000-20099";

fn ends(street: &Street) -> (End, End) {
    (End::new(street, CALLER, 0xca11_0009), End::new(street, PHONE, 0x0a9e_0009))
}

/// The first pair of each worker, one of them by the port of RTCP.
fn another_program(street: &Street) -> [UdpSocket; 2] {
    [20_000, 20_003].map(|port| UdpSocket::bind((street.ip(SWITCH), port)).unwrap())
}

fn start(street: Street) -> Switch {
    let elsewhere = (street.ip(SWITCH), 5_070).into();
    Switch::listening(street, elsewhere, RANGE, &[HELPLINE, AGENT])
}

#[test]
fn one_that_was_held_before_the_start_is_given_to_nobody() {
    let street = Street::new();
    let _others = another_program(&street);
    let ends = ends(&street);
    let mut duet = Duet::with(start(street), ends, |_| {});
    let ports = [duet.caller.to.port(), duet.phone.to.port()];
    assert!(ports.iter().all(|port| *port >= 20_004), "{ports:?}");
    duet.talk(20, |_, _| {});
    duet.end();
    // Neither was asked to have its sound elsewhere: they would not have heard one another then.
}

#[test]
fn one_that_is_taken_later_costs_one_offer_more_and_no_call() {
    let street = Street::new();
    let ends = ends(&street);
    let switch = start(street);
    let _others = another_program(&switch.street);
    let mut duet = Duet::with(switch, ends, |duet| {
        assert!(duet.caller.to.port() < 20_004);
        duet.caller.answer();
        assert!(duet.caller.to.port() >= 20_004);
    });
    duet.talk(20, |_, _| {});
    duet.end();
}
