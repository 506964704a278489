//! Behaviours of the registrar.

use super::*;
use crate::base::{Now, Rng, Timers};
use crate::sip::{Hop, Transport};

const BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(7_200));

/// A registrar with a clock and a user `op1`.
struct Desk {
    registrar: Registrar,
    timers: Timers,
    rng: Rng,
    now: u64,
    hop: Hop,
    call_id: &'static str,
    cseq: u32,
}

impl Desk {
    fn new() -> Self {
        let peer = "192.0.2.7:5062".parse().unwrap();
        let local = "192.0.2.1:5060".parse().unwrap();
        Self {
            registrar: Registrar::default(),
            timers: Timers::default(),
            rng: Rng::new(1),
            now: 1_000,
            hop: Hop { transport: Transport::Udp, local, peer, flow: None },
            call_id: "call-1",
            cseq: 0,
        }
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Registrar, &mut Cx) -> T) -> T {
        let now = Now { instant: Instant(self.now * 1_000_000), ..Now::default() };
        let mut cx = Cx { now, rng: &mut self.rng, timers: &mut self.timers };
        work(&mut self.registrar, &mut cx)
    }

    fn send(&mut self, contacts: Contacts, expires: Option<&str>, outbound: bool) -> Outcome {
        self.cseq += 1;
        let (hop, call_id, cseq) = (self.hop, self.call_id, self.cseq);
        let register = Register { user: "op1", contacts, expires, call_id, cseq, hop, outbound };
        self.with(|registrar, cx| registrar.register(cx, BOUNDS, &register))
    }

    fn register(&mut self, uris: &[&str], expires: Option<&str>) -> Outcome {
        let asked = uris.iter().map(|uri| Asked { uri, params: Vec::new() }).collect();
        self.send(Contacts::These(asked), expires, false)
    }

    fn param(&mut self, uri: &str, params: &[(&str, Option<&str>)]) -> Outcome {
        let asked = vec![Asked { uri, params: params.to_vec() }];
        self.send(Contacts::These(asked), None, true)
    }

    fn uris(&self) -> Vec<String> {
        self.registrar.contacts("op1").into_iter().map(|c| c.uri).collect()
    }
}

fn listed(outcome: &Outcome) -> &[String] {
    match outcome {
        Outcome::Registered { contacts, .. } => contacts,
        Outcome::Refused { status, .. } => panic!("refused with {status}"),
    }
}

fn change(outcome: Outcome) -> Option<Change> {
    match outcome {
        Outcome::Registered { change, .. } => change,
        Outcome::Refused { status, .. } => panic!("refused with {status}"),
    }
}

fn refused(outcome: Outcome) -> (u16, Option<u32>) {
    match outcome {
        Outcome::Refused { status, min_expires, .. } => (status, min_expires),
        Outcome::Registered { .. } => panic!("registered"),
    }
}

#[test]
fn a_contact_is_bound_listed_with_its_remaining_time_and_expires() {
    let mut desk = Desk::new();
    let change_made = change(desk.register(&["sip:op1@192.0.2.7:5062"], Some("600"))).unwrap();
    assert_eq!((change_made.user.as_str(), change_made.why), ("op1", Rebound::Registered));
    assert_eq!(change_made.contacts[0].hop, desk.hop);
    desk.now += 100;
    let asked = desk.register(&[], None);
    assert_eq!(listed(&asked), ["<sip:op1@192.0.2.7:5062>;expires=500"]);
    assert_eq!(change(asked), None);
    let (at, timer) = desk.timers.next().unwrap();
    assert_eq!(at, Instant(1_600_000_000));
    let Timer::BindingExpires(id) = timer else { panic!("{timer:?}") };
    desk.now = 1_600;
    let gone = desk.with(|registrar, cx| registrar.expired(cx, id)).unwrap();
    assert_eq!((gone.contacts.len(), gone.why), (0, Rebound::Expired));
    assert!(desk.registrar.is_empty() && desk.registrar.users.is_empty());
}

#[test]
fn a_refresh_changes_nothing_but_the_time() {
    let mut desk = Desk::new();
    desk.register(&["sip:op1@h"], Some("600"));
    desk.now += 300;
    let refresh = desk.register(&["sip:op1@H;unknown=1"], Some("600"));
    assert_eq!(listed(&refresh), ["<sip:op1@H;unknown=1>;expires=600"]);
    assert!(change(refresh).is_some(), "it is written differently now");
    assert_eq!(change(desk.register(&["sip:op1@H;unknown=1"], Some("600"))), None);
    assert_eq!((desk.registrar.len(), desk.timers.len()), (1, 1));
}

#[test]
fn the_expires_of_a_contact_goes_before_the_header_and_the_default_is_an_hour() {
    let mut desk = Desk::new();
    let a = Asked { uri: "sip:a@h", params: vec![("Expires", Some("120"))] };
    let b = Asked { uri: "sip:b@h", params: vec![] };
    let outcome = desk.send(Contacts::These(vec![a, b]), Some("99999999999"), false);
    assert_eq!(listed(&outcome), ["<sip:a@h>;expires=120", "<sip:b@h>;expires=7200"]);
    let outcome = desk.register(&["sip:c@h"], Some("-5"));
    assert_eq!(listed(&outcome)[0], "<sip:c@h>;expires=3600");
    let outcome = desk.register(&["sip:d@h"], None);
    assert_eq!(listed(&outcome)[0], "<sip:d@h>;expires=3600");
}

#[test]
fn too_brief_an_interval_is_refused_and_nothing_is_changed() {
    let mut desk = Desk::new();
    desk.register(&["sip:old@h"], None);
    let before = desk.registrar.clone();
    let a = Asked { uri: "sip:old@h", params: vec![("expires", Some("0"))] };
    let b = Asked { uri: "sip:b@h", params: vec![("expires", Some("59"))] };
    let outcome = desk.send(Contacts::These(vec![a, b]), None, false);
    assert_eq!(refused(outcome), (423, Some(60)));
    assert_eq!(desk.registrar, before);
}

#[test]
fn a_star_with_expires_zero_unbinds_all_and_nothing_else_does() {
    let mut desk = Desk::new();
    desk.register(&["sip:a@h", "sip:b@h"], None);
    assert_eq!(refused(desk.send(Contacts::All, None, false)).0, 400);
    assert_eq!(refused(desk.send(Contacts::All, Some("60"), false)).0, 400);
    let gone = change(desk.send(Contacts::All, Some("0"), false)).unwrap();
    assert_eq!((gone.contacts.len(), gone.why), (0, Rebound::Unregistered));
    assert!(desk.timers.is_empty());
    assert_eq!(change(desk.send(Contacts::All, Some("0"), false)), None);
}

#[test]
fn one_contact_unbinds_and_the_others_stay() {
    let mut desk = Desk::new();
    desk.register(&["sip:a@h", "sip:b@h"], None);
    let left = change(desk.register(&["sip:a@h"], Some("0"))).unwrap();
    assert_eq!((left.contacts.len(), left.why), (1, Rebound::Unregistered));
    assert_eq!(change(desk.register(&["sip:nobody@h"], Some("0"))), None);
    assert_eq!(desk.uris(), ["sip:b@h"]);
}

#[test]
fn a_late_request_of_the_same_call_is_refused_whole() {
    let mut desk = Desk::new();
    desk.register(&["sip:a@h"], None);
    let before = desk.registrar.clone();
    desk.cseq = 0;
    assert_eq!(refused(desk.register(&["sip:new@h", "sip:a@h"], None)).0, 500);
    desk.cseq = 0;
    assert_eq!(refused(desk.send(Contacts::All, Some("0"), false)).0, 500);
    assert_eq!(desk.registrar, before);
    // Another Call-ID is a phone that has started anew.
    (desk.call_id, desk.cseq) = ("call-2", 0);
    assert_eq!(listed(&desk.register(&["sip:a@h"], None)).len(), 1);
}

#[test]
fn a_phone_that_moved_replaces_its_instance_and_becomes_the_newest() {
    let mut desk = Desk::new();
    let urn = Some("<urn:uuid:00000000-0000-1000-8000-000A95A0E128>");
    let id = |n| [("+sip.instance", urn), ("reg-id", Some(n))];
    desk.register(&["sip:op1@192.0.2.7:5063"], None);
    desk.param("sip:op1@192.0.2.7:5062", &id("1"));
    let moved = desk.param("sip:op1@198.51.100.9:1024", &id("1"));
    let contacts = listed(&moved);
    assert!(contacts[0].starts_with(
        "<sip:op1@198.51.100.9:1024>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95"
    ));
    assert_eq!(desk.uris(), ["sip:op1@198.51.100.9:1024", "sip:op1@192.0.2.7:5063"]);
    let two = vec![
        Asked { uri: "sip:x@h", params: id("3").to_vec() },
        Asked { uri: "sip:y@h", params: vec![] },
    ];
    assert_eq!(refused(desk.send(Contacts::These(two.clone()), None, true)).0, 400);
    assert_eq!(listed(&desk.send(Contacts::These(two), None, false)).len(), 4);
}

#[test]
fn a_phone_with_two_flows_is_rung_over_the_newest_and_then_over_the_other() {
    let mut desk = Desk::new();
    let urn = |n| Some(if n == 1 { "<urn:uuid:one>" } else { "<urn:uuid:two>" });
    let id = |n, reg| [("+sip.instance", urn(n)), ("reg-id", Some(reg))];
    for (flow, (n, reg)) in (1..).zip([(1, "1"), (1, "2"), (2, "1")]) {
        desk.hop = Hop { transport: Transport::Tcp, flow: Some(FlowId(flow)), ..desk.hop };
        let outcome = desk.param(&format!("sip:op1@h:{flow}"), &id(n, reg));
        assert_eq!(listed(&outcome).len() as u64, flow, "each is bound, and listed");
    }
    assert_eq!(desk.uris(), ["sip:op1@h:3", "sip:op1@h:2"]);
    let lost = desk.with(|registrar, cx| registrar.flow_closed(cx, FlowId(2)));
    assert_eq!(lost[0].contacts[1].uri, "sip:op1@h:1");
    assert_eq!(desk.uris(), ["sip:op1@h:3", "sip:op1@h:1"]);
}

#[test]
fn outbound_is_confirmed_where_its_keep_alive_is_answered() {
    let mut desk = Desk::new();
    let id = [("+sip.instance", Some("<urn:uuid:one>")), ("reg-id", Some("1"))];
    for (transport, confirmed) in [(Transport::Udp, false), (Transport::Tcp, true)] {
        desk.hop.transport = transport;
        let outcome = desk.param("sip:a@h", &id);
        let Outcome::Registered { outbound, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(outbound, confirmed, "{transport:?}");
    }
}

#[test]
fn a_closed_connection_takes_its_bindings_with_it() {
    let mut desk = Desk::new();
    desk.register(&["sip:udp@h"], None);
    desk.hop = Hop { transport: Transport::Tcp, flow: Some(FlowId(9)), ..desk.hop };
    desk.register(&["sip:tcp@h;transport=tcp"], None);
    assert_eq!(desk.uris().len(), 2);
    let other = desk.with(|registrar, cx| registrar.flow_closed(cx, FlowId(8)));
    assert_eq!(other, []);
    let lost = desk.with(|registrar, cx| registrar.flow_closed(cx, FlowId(9)));
    assert_eq!((lost.len(), lost[0].why), (1, Rebound::FlowLost));
    assert_eq!(lost[0].contacts[0].uri, "sip:udp@h");
    assert_eq!(desk.timers.len(), 1);
}

#[test]
fn a_binding_follows_its_phone_to_another_connection() {
    let mut desk = Desk::new();
    desk.hop = Hop { transport: Transport::Tcp, flow: Some(FlowId(1)), ..desk.hop };
    desk.register(&["sip:a@h"], None);
    desk.hop.flow = Some(FlowId(2));
    assert!(change(desk.register(&["sip:a@h"], None)).is_some());
    assert_eq!(desk.with(|registrar, cx| registrar.flow_closed(cx, FlowId(1))), []);
    assert_eq!(desk.with(|registrar, cx| registrar.flow_closed(cx, FlowId(2))).len(), 1);
}

#[test]
fn the_oldest_gives_way_and_a_greedy_request_is_refused() {
    let mut desk = Desk::new();
    for n in 0..=BINDINGS_PER_AOR_MAX {
        desk.register(&[&format!("sip:op1@h:{}", 1_000 + n)], None);
    }
    assert_eq!((desk.uris().len(), desk.timers.len()), (BINDINGS_PER_AOR_MAX, 10));
    assert_eq!(desk.uris()[0], "sip:op1@h:1010");
    assert_eq!(desk.uris()[9], "sip:op1@h:1001");
    let many: Vec<_> = (0..11).map(|n| format!("sip:many@h:{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(refused(desk.register(&many, None)).0, 403);
}

#[test]
fn parameters_of_the_header_and_of_the_uri_are_kept_apart() {
    // RFC 4475 sections 3.3.12 to 3.3.14 (cparam01, cparam02, regescrt).
    let mut desk = Desk::new();
    let header = desk.param("sip:+19725552222@gw1.example.net", &[("unknownparam", None)]);
    assert_eq!(listed(&header), ["<sip:+19725552222@gw1.example.net>;unknownparam;expires=3600"]);
    desk.send(Contacts::All, Some("0"), false);
    for uri in [
        "sip:+19725552222@gw1.example.net;unknownparam",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
    ] {
        let outcome = desk.register(&[uri], None);
        assert_eq!(listed(&outcome)[0], format!("<{uri}>;expires=3600"));
    }
}

#[test]
fn contacts_that_differ_in_escaped_nulls_are_two() {
    // RFC 4475 section 3.1.1.4 (escnull).
    let mut desk = Desk::new();
    desk.register(&["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"], None);
    assert_eq!(desk.uris().len(), 2);
}

#[test]
fn no_contact_writes_another_header() {
    let mut desk = Desk::new();
    assert_eq!(refused(desk.register(&["sip:a@h>\r\nVia: x"], None)).0, 400);
    assert_eq!(refused(desk.register(&[&"x".repeat(3_000)], None)).0, 400);
    let outcome = desk.param("sip:a@h", &[("methods", Some("IN\r\nVITE,\"BYE\""))]);
    assert_eq!(listed(&outcome), ["<sip:a@h>;methods=\"IN  VITE,\\\"BYE\\\"\";expires=3600"]);
}

#[test]
fn the_same_contact_twice_in_a_request_is_one() {
    let mut desk = Desk::new();
    desk.register(&["sip:a@h", "sip:a@H"], None);
    assert_eq!((desk.uris(), desk.timers.len()), (vec!["sip:a@H".to_string()], 1));
}

#[test]
fn a_restored_registrar_is_the_same() {
    let mut desk = Desk::new();
    desk.hop.flow = Some(FlowId(3));
    desk.register(&["sip:a@h", "sip:b@h"], None);
    let text = serde_json::to_string(&desk.registrar).unwrap();
    assert_eq!(serde_json::from_str::<Registrar>(&text).unwrap(), desk.registrar);
}
