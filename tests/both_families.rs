//! A switch with an address of IPv4 and one of IPv6: each party has sound in its own family, and
//! whoever is of one talks with whoever is of the other.

mod support;

use pukar::call::Family;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use support::duet::{Duet, End};
use support::street::{CALLER, PHONE, SWITCH, Street};
use support::switch::{HELPLINE, Switch};

const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const FOUND: [u16; 3] = [5_060, 40_000, 40_001];

/// The caller, and the agent's phone, each of its family.
fn duet(caller: Family, phone: Family) -> Duet {
    let street = Street::new();
    let free = UdpSocket::bind((SIX, 0)).unwrap().local_addr().unwrap();
    // All streets have one address of this kind: ports that no other has.
    let first = 10_000 + street.number() % 110 * 200;
    let end = |family: Family, house: u8, ssrc: u32| match family {
        Family::V4 => End::by(street.ip(house).into(), FOUND, street.sip(SWITCH), ssrc),
        Family::V6 => End::by(SIX, [0; 3], free, ssrc),
    };
    let (caller, phone) = (end(caller, CALLER, 0xca11_0006), end(phone, PHONE, 0x0a9e_0006));
    let helpline = HELPLINE.replace("\"NET.2:5060\"", &format!("\"{}\"", caller.sip_at()));
    let agent = format!(
        "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\nready = true\n\
         contact = \"sip:op1@{}\"\n",
        phone.sip_at()
    );
    let address = "address = [\"NET.1\", \"::1\"]\n";
    let ports = format!("{first}-{}", first + 199);
    let switch = Switch::listening(street, free, &ports, &[address, &helpline, &agent]);
    Duet::with(switch, (caller, phone), |_| {})
}

fn is_of(at: SocketAddr, family: Family) -> bool {
    Family::of(at.ip()) == family
}

#[test]
fn whoever_is_of_one_family_talks_with_whoever_is_of_the_other() {
    for (caller, phone) in
        [(Family::V4, Family::V6), (Family::V6, Family::V4), (Family::V6, Family::V6)]
    {
        let mut duet = duet(caller, phone);
        assert!(is_of(duet.caller.to, caller) && is_of(duet.phone.to, phone));
        duet.talk(50, |_, _| {});
        let record = duet.end();
        for leg in record["legs"].as_array().unwrap() {
            assert_eq!(leg["packets_lost"], 0, "{record:#}");
        }
    }
}

#[test]
fn their_ports_are_held_over_an_upgrade_and_opened_again_after_a_crash() {
    let mut duet = duet(Family::V4, Family::V6);
    let before = [duet.caller.to, duet.phone.to];
    duet.talk(5, |_, _| {});
    duet.switch.upgrade();
    duet.until_heard();
    duet.talk(5, |_, _| {});
    duet.switch.crash();
    duet.until_heard();
    duet.talk(5, |_, _| {});
    assert_eq!([duet.caller.to, duet.phone.to], before);
    duet.end();
}

#[test]
fn a_far_end_that_goes_over_to_the_other_family_in_mid_call_is_followed() {
    let mut duet = duet(Family::V4, Family::V4);
    duet.talk(100, |_, _| {});
    duet.caller.goes_over(SIX);
    assert!(is_of(duet.caller.to, Family::V6));
    duet.until_heard();
    duet.talk(5, |_, _| {});
    let home = duet.switch.street.ip(CALLER).into();
    duet.caller.goes_over(home);
    assert!(is_of(duet.caller.to, Family::V4));
    duet.until_heard();
    duet.talk(5, |_, _| {});
    // What was heard at the ports that it has left is in the record as well.
    let record = duet.end();
    let heard = record["legs"][0]["packets_received"].as_u64().unwrap();
    assert!(heard >= 110, "{record:#}");
}

/// RFC 3261 section 14.1: after a refusal all is as it was before.
#[test]
fn an_offer_of_the_other_family_that_is_refused_changes_nothing() {
    let mut duet = duet(Family::V4, Family::V4);
    duet.talk(5, |_, _| {});
    let before = duet.caller.to;
    duet.caller.is_refused(SIX, "m=audio 40000 RTP/AVP 18\r\n");
    duet.talk(5, |_, _| {});
    assert_eq!(duet.caller.to, before);
    duet.end();
}
