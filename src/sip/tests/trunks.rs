//! Trunks that want us to register, and settings that change while they do: RFC 3261 section 10.2.

use super::caller::{CHALLENGE, strict};
use super::world::*;
use crate::sip::*;

#[test]
fn a_trunk_that_wants_a_registration_gets_it_and_again() {
    let login = Login { user: "u".into(), secret: Secret("p".into()) };
    let mut world = World::single(|s| {
        (s.trunks[0].login, s.trunks[0].register) = (Some(login), true);
    });
    let first = world.take_sent(0).remove(0);
    assert!(first.starts_with("REGISTER sip:192.0.2.2:5060 "));
    let challenge = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\n";
    let second = world.say(&answer(&first, 401, "x", challenge, "")).remove(0);
    assert!(header(&second, "Authorization").contains("uri=\"sip:192.0.2.2:5060\""));
    assert_eq!(header(&second, "CSeq"), "2 REGISTER");
    world.say(&answer(&second, 200, "x", "Expires: 120\n", ""));
    let again = world.wait(61);
    assert!(again[0].starts_with("REGISTER"), "{again:?}");
    assert_eq!(header(&again[0], "Call-ID"), header(&first, "Call-ID"));
}

/// A trunk that is known by its name and wants a registration, and our first REGISTER.
fn registrar() -> (World, String) {
    let login = Login { user: "u".into(), secret: Secret("p".into()) };
    let mut world = World::single(|s| {
        s.trunks[0].hosts = vec!["sip.carrier.in:5060".into()];
        (s.trunks[0].login, s.trunks[0].register) = (Some(login), true);
    });
    world.resolve("sip.carrier.in", &["192.0.2.2"]);
    let first = world.wait(61).remove(0);
    (world, first)
}

#[test]
fn a_registration_is_for_the_domain_and_not_for_the_host_that_it_goes_to() {
    let (mut world, first) = registrar();
    assert!(first.starts_with("REGISTER sip:sip.carrier.in SIP/2.0"), "{first}");
    assert_eq!(header(&first, "To"), "<sip:u@sip.carrier.in>");
    assert_eq!(world.last_peer(), "192.0.2.2:5060");
    let challenge = CHALLENGE.replace("Proxy", "WWW");
    let second = world.say(&answer(&first, 401, "x", &challenge, "")).remove(0);
    assert!(header(&second, "Authorization").contains("uri=\"sip:sip.carrier.in\""), "{second}");
}

#[test]
fn a_registration_that_is_too_brief_is_asked_for_again_at_once_and_once() {
    let (mut world, first) = registrar();
    let too_brief = |request: &str| answer(request, 423, "x", "Min-Expires: 7200\n", "");
    let second = world.say(&too_brief(&first)).remove(0);
    assert_eq!(header(&second, "Expires"), "7200");
    assert!(world.say(&too_brief(&second)).is_empty(), "it does not want us");
    let third = world.wait(61).remove(0);
    world.say(&answer(&third, 200, "x", "", ""));
    let refresh = world.wait(1_801).remove(0);
    assert_eq!(header(&refresh, "Expires"), "7200", "it is remembered");
}

#[test]
fn whoever_ends_in_order_takes_leave_of_the_carrier_and_is_back_after_the_next_start() {
    let (mut world, first) = registrar();
    world.say(&answer(&first, 200, "x", "", ""));
    let refresh = world.wait(1_801).remove(0);
    world.with(0, |agent, cx, out| agent.sign_off(cx, out));
    let last = world.take_sent(0).remove(0);
    // What was under way is not gone on with.
    for (status, more) in [(200, ""), (401, &*CHALLENGE.replace("Proxy", "WWW"))] {
        assert!(world.say(&answer(&refresh, status, "x", more, "")).is_empty());
    }
    assert_eq!((&last[..9], header(&last, "Expires")), ("REGISTER ", "0"));
    assert!(world.nodes[0].agent.is_signing_off());
    let challenge = CHALLENGE.replace("Proxy", "WWW");
    let again = world.say(&answer(&last, 401, "x", &challenge, "")).remove(0);
    assert_eq!(header(&again, "Expires"), "0");
    let settings = world.nodes[0].agent.settings().clone();
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    world.say(&answer(&again, 200, "x", "", ""));
    assert!(!world.nodes[0].agent.is_signing_off());
    let is_register = |sent: &String| sent.starts_with("REGISTER ");
    assert!(!world.wait(8_000).iter().any(is_register));
    world.with(0, |agent, cx, out| agent.restarted(cx, &Default::default(), out));
    assert!(world.wait(1).iter().any(is_register));
}

#[test]
fn a_carrier_that_says_nothing_does_not_keep_the_switch_from_ending() {
    let (mut world, first) = registrar();
    world.say(&answer(&first, 200, "x", "", ""));
    world.with(0, |agent, cx, out| agent.sign_off(cx, out));
    world.wait(5);
    assert!(!world.nodes[0].agent.is_signing_off());
}

#[test]
fn a_trunk_keeps_its_login_and_its_calls_when_another_is_put_before_it() {
    let mut world = strict();
    let (leg, invite) = world.calling();
    world.say(&answer(&invite, 200, "x", "", "v=0\n"));
    let mut settings = world.nodes[0].agent.settings().clone();
    let login = Login { user: "v".into(), secret: Secret("q".into()) };
    let hosts = vec!["192.0.2.7".into()];
    let name = "other".into();
    let other = Trunk { name, hosts, login: Some(login), ..Trunk::default() };
    settings.trunks.insert(0, other);
    world.with(0, |agent, cx, _| agent.reload(cx, settings.clone()));
    let offer = world.acts(leg, Act::Offer { body: sdp("v=0 offer\r\n") });
    let again = world.say(&answer(&offer[0], 407, "", CHALLENGE, "")).remove(1);
    assert!(header(&again, "Proxy-Authorization").contains("username=\"u\""), "{again}");
    world.say(&answer(&again, 200, "", "", "v=0\n"));
    settings.trunks.truncate(1);
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    let offer = world.acts(leg, Act::Offer { body: sdp("v=0 offer\r\n") });
    assert_eq!(starts(&world.say(&answer(&offer[0], 407, "", CHALLENGE, ""))), ["ACK"]);
}

#[test]
fn a_registration_goes_on_when_its_trunk_moves_in_the_settings() {
    let login = |user: &str| Some(Login { user: user.into(), secret: Secret("p".into()) });
    let mut world = World::single(|s| {
        (s.trunks[0].login, s.trunks[0].register) = (login("u"), true);
    });
    let first = world.take_sent(0).remove(0);
    let mut settings = world.nodes[0].agent.settings().clone();
    let other = Trunk { name: "other".into(), login: login("v"), ..Trunk::default() };
    settings.trunks.insert(0, other);
    world.with(0, |agent, cx, _| agent.reload(cx, settings.clone()));
    let challenge = CHALLENGE.replace("Proxy", "WWW");
    let second = world.say(&answer(&first, 401, "x", &challenge, "")).remove(0);
    assert!(header(&second, "Authorization").contains("username=\"u\""), "{second}");
    world.say(&answer(&second, 200, "x", "", ""));
    let again = world.wait(1_801).remove(0);
    assert_eq!(header(&again, "Call-ID"), header(&first, "Call-ID"));
    settings.trunks.clear();
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    assert!(world.wait(4_000).iter().all(|sent| sent.starts_with("REGISTER ")));
    assert!(world.nodes[0].timers.is_empty(), "{:?}", world.nodes[0].timers);
}

/// An INVITE over this stream from the address of the trunk: its first answer, and whether the
/// stream is closed with it.
fn calls_over(world: &mut World, flow: u64) -> (u16, bool) {
    calls_as(world, flow, "9826012345@192.0.2.2")
}

/// The same of whoever says that they are called so.
fn calls_as(world: &mut World, flow: u64, from: &str) -> (u16, bool) {
    world.count += 1;
    let peer = std::net::SocketAddr::from(([192, 0, 2, 2], 39_999));
    let flow = Some(crate::base::FlowId(flow));
    let hop = Hop { transport: Transport::Tls, local: addr(1), peer, flow };
    let id = format!("c{}", world.count);
    let text = invite("", "v=0 offer\n").replace("/UDP", "/TLS").replace("z9hG4bKi", "z9hG4bK");
    let text =
        text.replace("z9hG4bK", &format!("z9hG4bK{id}")).replace("ID: c1", &format!("ID: {id}"));
    let text = text.replace("<sip:9826012345@192.0.2.2>", &format!("<sip:{from}>"));
    let (text, mut out) = (text.replace('\n', "\r\n"), Vec::new());
    world.with(0, |agent, cx, _| agent.receive(cx, hop, text.as_bytes(), &mut out));
    let answers = out.iter().filter_map(|effect| match effect {
        Effect::Send { bytes, .. } => Some(status(std::str::from_utf8(bytes).unwrap())),
        _ => None,
    });
    let closes = |effect: &Effect| matches!(effect, Effect::Close { .. });
    (answers.max().unwrap_or_default(), out.iter().any(closes))
}

/// A carrier that connects to us from its address, and has to prove its name, by whatever letters.
#[test]
fn a_trunk_proves_its_name_by_any_letters_and_whoever_was_never_asked_has_to_connect_anew() {
    let mut world = World::single(|s| {
        s.trunks[0].hosts = vec!["tls:SBC.Carrier.in:5061".into()];
        let (transport, bind) = (Transport::Tls, addr(1));
        s.listen.push(Listener { transport, bind, advertise: None });
        let secret = Secret("s3cret".into());
        s.users = vec![User { name: "op1".into(), secret, digest: Algorithms::Both }];
    });
    world.resolve("sbc.carrier.in", &["192.0.2.2"]);
    let prove = |world: &mut World, flow, names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect();
        world.with(0, |agent, _, _| agent.proven(crate::base::FlowId(flow), names));
    };
    assert_eq!(calls_over(&mut world, 5), (100, false), "its address is enough");
    let mut settings = world.nodes[0].agent.settings().clone();
    settings.trunks[0].prove = true;
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    let phone = calls_as(&mut world, 5, "op1@helpline.example");
    assert_eq!(phone, (401, false), "a phone of ours is asked for its password");
    assert_eq!(calls_over(&mut world, 5), (401, true), "over the next it is asked");
    prove(&mut world, 6, &[]);
    assert_eq!(calls_over(&mut world, 6), (401, false), "it was asked, and is another");
    prove(&mut world, 7, &["sbc.carrier.IN"]);
    assert_eq!(calls_over(&mut world, 7), (100, false));
}
