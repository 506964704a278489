//! Phones: REGISTER, calls from and to registered contacts, streams that close, names to look up.

use super::world::*;
use crate::base::{FlowId, QueryId, Rng};
use crate::sip::digest::Session;
use crate::sip::resolve::Answer;
use crate::sip::*;
use std::net::SocketAddr;
use std::time::Duration;

fn phone() -> SocketAddr {
    "198.51.100.7:40001".parse().unwrap()
}

fn world() -> World {
    World::single(|settings| {
        let secret = Secret("s3cret".into());
        settings.users = vec![User { name: "op1".into(), secret, digest: Algorithms::Both }];
    })
}

fn hop(transport: Transport) -> Hop {
    let flow = (transport == Transport::Tcp).then_some(FlowId(5));
    Hop { transport, local: addr(1), peer: phone(), flow }
}

/// What a message from the phone is answered with.
fn hear(world: &mut World, text: &str, transport: Transport) -> Vec<String> {
    hear_from(world, text, hop(transport))
}

fn hear_from(world: &mut World, text: &str, hop: Hop) -> Vec<String> {
    let bytes = text.replace('\n', "\r\n");
    world.take_sent(0);
    world.with(0, |agent, cx, out| agent.receive(cx, hop, bytes.as_bytes(), out));
    world.take_sent(0)
}

/// `method` of op1, to `uri`, answering the challenge in `refusal`.
fn proven(method: &str, uri: &str, refusal: &str) -> String {
    let challenges: Vec<&str> =
        refusal.lines().filter_map(|l| l.strip_prefix("WWW-Authenticate: ")).collect();
    let mut session = Session::new(challenges, &mut Rng::new(3)).unwrap();
    let login = Login { user: "op1".into(), secret: Secret("s3cret".into()) };
    format!("Authorization: {}\n", session.answer(&login, method, uri))
}

fn register(seq: u32, transport: &str, more: &str) -> String {
    format!(
        "REGISTER sip:helpline.example SIP/2.0\n\
         Via: SIP/2.0/{transport} 10.0.0.9:5060;branch=z9hG4bKr{seq};rport\n\
         From: <sip:op1@helpline.example>;tag=p\nTo: <sip:op1@helpline.example>\nCall-ID: reg\n\
         CSeq: {seq} REGISTER\nContact: <sip:op1@10.0.0.9:5060>\nExpires: 300\n{more}\
         Content-Length: 0\n\n"
    )
}

fn registered(world: &mut World, transport: Transport) -> Contact {
    let name = if transport == Transport::Tcp { "TCP" } else { "UDP" };
    let refusal = hear(world, &register(1, name, ""), transport).remove(0);
    assert_eq!(status(&refusal), 401);
    let proof = proven("REGISTER", "sip:helpline.example", &refusal);
    let ok = hear(world, &register(2, name, &proof), transport).remove(0);
    assert_eq!(status(&ok), 200, "{ok}");
    assert!(header(&ok, "Contact").contains("<sip:op1@10.0.0.9:5060>"));
    let notices = world.take_notices(0);
    let [Notice::Bound { user, contacts, why }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((&**user, *why), ("op1", Rebound::Registered));
    contacts[0].clone()
}

#[test]
fn a_phone_registers_and_is_called_where_it_came_from() {
    let mut world = world();
    let contact = registered(&mut world, Transport::Udp);
    assert_eq!(contact.hop, hop(Transport::Udp));
    let dial = Dial { target: Target::Contact(contact), ..dial() };
    let leg = world.with(0, |agent, cx, out| agent.invite(cx, dial, out));
    let invite = world.take_sent(0).remove(0);
    assert!(invite.starts_with("INVITE sip:op1@10.0.0.9:5060 SIP/2.0"));
    let ok = answer(&invite, 200, "x", "", "v=0\n").replace("gwx@192.0.2.2", "op1@10.0.0.9");
    let ack = hear(&mut world, &ok, Transport::Udp).remove(0);
    assert!(ack.starts_with("ACK sip:op1@10.0.0.9:5060 "));
    // Its private address means nothing here: the ACK went where the REGISTER came from.
    let leg_hop = world.nodes[0].agent.legs.get(leg).unwrap().dialog.hop;
    assert_eq!(leg_hop.peer, phone());
}

#[test]
fn the_repeat_of_a_register_gets_its_answer_again() {
    let mut world = world();
    let refusal = hear(&mut world, &register(1, "UDP", ""), Transport::Udp).remove(0);
    let text = register(2, "UDP", &proven("REGISTER", "sip:helpline.example", &refusal));
    let first = hear(&mut world, &text, Transport::Udp);
    assert_eq!(hear(&mut world, &text, Transport::Udp), first);
    assert_eq!(world.take_notices(0).len(), 1);
}

#[test]
fn nobody_registers_for_another() {
    let mut world = world();
    let refusal = hear(&mut world, &register(1, "UDP", ""), Transport::Udp).remove(0);
    let proof = proven("REGISTER", "sip:helpline.example", &refusal);
    let other = register(2, "UDP", &proof).replace("To: <sip:op1@", "To: <sip:op2@");
    assert_eq!(status(&hear(&mut world, &other, Transport::Udp)[0]), 403);
    let elsewhere = register(3, "UDP", "").replace("To: <sip:op1@helpline", "To: <sip:op1@other");
    assert_eq!(status(&hear(&mut world, &elsewhere, Transport::Udp)[0]), 404);
}

#[test]
fn a_phone_calls_as_its_user() {
    let mut world = world();
    let text = invite("", "v=0 offer\n").replace("9826012345@192.0.2.2", "op1@helpline.example");
    let refusal = hear(&mut world, &text, Transport::Udp).remove(0);
    assert_eq!(status(&refusal), 401);
    let proof = proven("INVITE", "sip:181@192.0.2.1", &refusal);
    let text = text.replace("z9hG4bKi", "z9hG4bKj").replace("CSeq: 1", "CSeq: 2");
    let text = text.replace("Max-Forwards: 70\n", &format!("Max-Forwards: 70\n{proof}"));
    assert_eq!(starts(&hear(&mut world, &text, Transport::Udp)), ["SIP/2.0 100"]);
    let notices = world.take_notices(0);
    let [Notice::Invited { invited, .. }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(invited.source, Source::User("op1".into()));
}

#[test]
fn a_closed_stream_takes_its_contacts_and_its_requests_along() {
    let mut world = world();
    let contact = registered(&mut world, Transport::Tcp);
    let dial = Dial { target: Target::Contact(contact), ..dial() };
    let leg = world.with(0, |agent, cx, out| agent.invite(cx, dial, out));
    assert!(world.take_sent(0)[0].contains("SIP/2.0/TCP"));
    world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(5), out));
    let (status, cause, retry_after) = (503, Cause::default(), None);
    let lost = Notice::Bound { user: "op1".into(), contacts: vec![], why: Rebound::FlowLost };
    let refused = Notice::Refused { leg, status, cause, retry_after };
    assert_eq!(world.take_notices(0), [refused, lost]);
    world.run(Duration::from_secs(40));
    assert!(world.is_quiet());
}

#[test]
fn a_stream_may_stay_once_it_is_known_whose_it_is() {
    let mut world = world();
    hear(&mut world, &register(1, "TCP", ""), Transport::Tcp);
    assert_eq!(world.nodes[0].kept, [], "a stranger so far");
    registered(&mut world, Transport::Tcp);
    assert_eq!(world.nodes[0].kept, [FlowId(5)]);
    // A trunk is known by its address, whatever it says first.
    let mut settings = world.nodes[0].agent.settings().clone();
    settings.trunks[0].hosts = vec!["tcp:192.0.2.2".into()];
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    let (peer, flow) = ("192.0.2.2:39999".parse().unwrap(), Some(FlowId(6)));
    let trunk = Hop { peer, flow, ..hop(Transport::Tcp) };
    let options = invite("", "").replace("INVITE", "OPTIONS").replace("/UDP", "/TCP");
    for _ in 0..2 {
        hear_from(&mut world, &options, trunk);
    }
    assert_eq!(world.nodes[0].kept, [FlowId(5), FlowId(6)]);
}

#[test]
fn a_phone_whose_newest_flow_fails_is_called_over_the_other() {
    let mut world = world();
    let outbound = |text: String, id: u32| {
        let instance = format!(";+sip.instance=\"<urn:uuid:1>\";reg-id={id}\nSupported: outbound");
        text.replace("10.0.0.9:5060>\nExp", &format!("10.0.0.9:506{id}>{instance}\nExp"))
    };
    for flow in [5, 6] {
        let hop = Hop { flow: Some(FlowId(flow.into())), ..hop(Transport::Tcp) };
        let mut say = |seq, proof: &str| {
            let text = outbound(register(seq, "TCP", proof), flow - 4);
            hear_from(&mut world, &text, hop).remove(0)
        };
        let refusal = say(flow, "");
        let ok = say(flow + 10, &proven("REGISTER", "sip:helpline.example", &refusal));
        assert_eq!((status(&ok), header(&ok, "Require")), (200, "outbound"), "{ok}");
    }
    let contacts = world.nodes[0].agent.contacts("op1");
    let [newest] = &contacts[..] else { panic!("{contacts:?}") };
    let dial = Dial { target: Target::Contact(newest.clone()), ..dial() };
    world.take_sent(0);
    world.with(0, |agent, cx, out| agent.invite(cx, dial, out));
    assert!(world.take_sent(0)[0].starts_with("INVITE sip:op1@10.0.0.9:5062 "));
    world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(6), out));
    let again = world.take_sent(0).remove(0);
    assert!(again.starts_with("INVITE sip:op1@10.0.0.9:5061 "), "{again}");
    assert_eq!(world.nodes[0].last_hop.and_then(|hop| hop.flow), Some(FlowId(5)));
}

#[test]
fn a_response_whose_stream_has_closed_goes_to_the_sent_by_address() {
    let mut world = world();
    let text =
        invite("", "v=0 offer\n").replace("SIP/2.0/UDP 192.0.2.2", "SIP/2.0/TCP 192.0.2.2:5062");
    let own = Hop { peer: "192.0.2.2:39999".parse().unwrap(), ..hop(Transport::Tcp) };
    let bytes = text.replace('\n', "\r\n");
    // A gateway that is trusted by its address.
    let mut settings = world.nodes[0].agent.settings().clone();
    settings.trunks[0].hosts = vec!["tcp:192.0.2.2".into()];
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    world.with(0, |agent, cx, out| agent.receive(cx, own, bytes.as_bytes(), out));
    let leg = world.invited();
    world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(5), out));
    let mut out = Vec::new();
    world.with(0, |agent, cx, _| {
        agent.act(cx, leg, Act::Ring { status: 180, body: None }, &mut out);
    });
    let [Effect::Send { hop, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((hop.flow, hop.peer), (None, "192.0.2.2:5062".parse().unwrap()));
}

#[test]
fn a_name_is_looked_up_before_the_call_goes_out() {
    let mut world = world();
    let dial = Dial { target: Target::Uri("sip:x@gw.example:5070".into()), ..dial() };
    let mut asked = Vec::new();
    let leg = world.with(0, |agent, cx, _| agent.invite(cx, dial, &mut asked));
    let [Effect::Ask { query, name, kind }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((&**name, *kind), ("gw.example", RecordKind::Address));
    assert!(world.take_sent(0).is_empty());
    let records = vec![Record::Address("192.0.2.77".parse().unwrap())];
    let found = Answer::Found { records, ttl: Duration::from_secs(60) };
    let query: QueryId = *query;
    world.with(0, |agent, cx, out| agent.answered(cx, query, found, out));
    assert!(world.take_sent(0)[0].starts_with("INVITE sip:x@gw.example:5070 "));
    let hangup = Act::Hangup { cause: Cause::default() };
    world.act(0, leg, hangup);
}

#[test]
fn a_name_that_nobody_knows_is_a_call_that_is_refused() {
    let mut world = world();
    let dial = Dial { target: Target::Uri("sip:x@gw.example:5070".into()), ..dial() };
    let mut asked = Vec::new();
    let leg = world.with(0, |agent, cx, _| agent.invite(cx, dial, &mut asked));
    let [Effect::Ask { query, .. }] = &asked[..] else { panic!("{asked:?}") };
    let query: QueryId = *query;
    world.with(0, |agent, cx, out| agent.answered(cx, query, Answer::Missing, out));
    let (status, cause, retry_after) = (503, Cause::default(), None);
    assert_eq!(world.take_notices(0), [Notice::Refused { leg, status, cause, retry_after }]);
}

#[test]
fn a_phone_that_connected_anew_is_hung_up_over_its_new_connection() {
    for it_calls in [false, true] {
        let mut world = world();
        let contact = registered(&mut world, Transport::Tcp);
        let leg = match it_calls {
            true => calls_us(&mut world),
            false => {
                let dial = Dial { target: Target::Contact(contact), ..dial() };
                let leg = world.with(0, |agent, cx, out| agent.invite(cx, dial, out));
                let invite = world.take_sent(0).remove(0);
                let ok = answer(&invite, 200, "x", "", "v=0\n");
                let ok = ok.replace("gwx@192.0.2.2", "op1@10.0.0.9");
                hear(&mut world, &ok, Transport::Tcp);
                leg
            }
        };
        world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(5), out));
        let peer = "198.51.100.7:40777".parse().unwrap();
        let anew = Hop { peer, flow: Some(FlowId(6)), ..hop(Transport::Tcp) };
        let refusal = hear_from(&mut world, &register(3, "TCP", ""), anew).remove(0);
        let proof = proven("REGISTER", "sip:helpline.example", &refusal);
        let ok = hear_from(&mut world, &register(4, "TCP", &proof), anew);
        assert_eq!(starts(&ok), ["SIP/2.0 200"]);
        let bye = world.acts(leg, Act::Hangup { cause: Cause::default() });
        assert_eq!(starts(&bye), ["BYE"]);
        assert_eq!(world.nodes[0].last_hop, Some(anew), "{it_calls}");
    }
}

/// A phone of op1 registers over another connection, and hears this besides the answer.
fn attaches_anew(world: &mut World, seq: u32) -> Vec<String> {
    let peer = "198.51.100.7:40777".parse().unwrap();
    let anew = Hop { peer, flow: Some(FlowId(6)), ..hop(Transport::Tcp) };
    attaches(world, seq, anew, "10.0.0.9")
}

/// The same of a phone that is called so.
fn attaches(world: &mut World, seq: u32, anew: Hop, name: &str) -> Vec<String> {
    let transport = if anew.flow.is_some() { "TCP" } else { "UDP" };
    let own = |text: String| {
        text.replace("10.0.0.9", name).replace("Call-ID: reg", &format!("Call-ID: {name}"))
    };
    let refusal = hear_from(world, &own(register(seq, transport, "")), anew).remove(0);
    let proof = proven("REGISTER", "sip:helpline.example", &refusal);
    let mut heard = hear_from(world, &own(register(seq + 1, transport, &proof)), anew);
    assert_eq!(status(&heard.remove(0)), 200);
    assert_eq!(world.nodes[0].last_hop, Some(anew));
    heard
}

/// The process died with the BYE on its way, or the connection did.
#[test]
fn a_bye_that_was_lost_with_its_connection_is_said_when_the_phone_is_back() {
    for restarted in [true, false] {
        let mut world = world();
        registered(&mut world, Transport::Tcp);
        let leg = calls_us(&mut world);
        let bye = world.acts(leg, Act::Hangup { cause: Cause::default() }).remove(0);
        world.with(0, |agent, cx, out| match restarted {
            true => agent.restarted(cx, &Default::default(), out),
            false => agent.flow_closed(cx, FlowId(5), out),
        });
        assert!(world.take_sent(0).is_empty(), "there is nobody to say it to");
        let heard = attaches_anew(&mut world, 3);
        let [again] = &heard[..] else { panic!("{heard:?}") };
        assert!(again.starts_with("BYE sip:op1@10.0.0.9"), "{again}");
        for name in ["Call-ID", "CSeq", "From", "To"] {
            assert_eq!(header(again, name), header(&bye, name));
        }
        hear_from(&mut world, &answer(again, 200, "x", "", ""), hop(Transport::Tcp));
        assert!(attaches_anew(&mut world, 5).is_empty(), "it is said once");
        world.run(Duration::from_secs(40));
        assert!(world.is_quiet());
    }
}

/// The other party hung up before the phone was back: there was nowhere to say it.
#[test]
fn a_bye_that_cannot_be_brought_is_said_when_the_phone_is_back_or_at_once_where_it_is() {
    for is_back in [false, true] {
        let mut world = world();
        registered(&mut world, Transport::Tcp);
        let leg = calls_us(&mut world);
        world.with(0, |agent, cx, out| agent.restarted(cx, &Default::default(), out));
        let bye = world.acts(leg, Act::Hangup { cause: Cause::default() }).remove(0);
        let nowhere = world.nodes[0].last_hop.unwrap();
        if is_back {
            assert_eq!(attaches_anew(&mut world, 3), [""; 0]);
        }
        world.with(0, |agent, cx, out| agent.unreachable(cx, nowhere, out));
        let heard = match is_back {
            true => world.take_sent(0),
            false => attaches_anew(&mut world, 3),
        };
        let [again] = &heard[..] else { panic!("{heard:?}") };
        assert!(again.starts_with("BYE ") && header(again, "CSeq") == header(&bye, "CSeq"));
        assert!(attaches_anew(&mut world, 5).is_empty(), "it is said once");
    }
}

/// The desk phone has died in a call, and a softphone of the agent takes its place for a while.
#[test]
fn a_bye_that_another_phone_of_the_agent_has_heard_is_said_to_the_one_that_was_in_the_call() {
    let soft = "198.51.100.50:50000".parse().unwrap();
    let soft = Hop { peer: soft, flow: Some(FlowId(8)), ..hop(Transport::Tcp) };
    for (said, refusal) in [("BYE ", 481), ("CANCEL ", 481), ("BYE ", 405), ("BYE ", 503)] {
        let mut world = world();
        let contact = registered(&mut world, Transport::Tcp);
        if said == "BYE " {
            let leg = calls_us(&mut world);
            world.acts(leg, Act::Hangup { cause: Cause::default() });
        } else {
            let dial = Dial { target: Target::Contact(contact), ..dial() };
            world.with(0, |agent, cx, out| agent.invite(cx, dial, out));
            let invite = world.take_sent(0).remove(0);
            hear(&mut world, &answer(&invite, 180, "x", "", ""), Transport::Tcp);
        }
        world.with(0, |agent, cx, out| agent.restarted(cx, &Default::default(), out));
        world.take_sent(0);
        let heard = attaches(&mut world, 1, soft, "10.0.0.77");
        assert!(heard[0].starts_with(said), "whatever there is: {heard:?}");
        hear_from(&mut world, &answer(&heard[0], refusal, "y", "", ""), soft);
        assert!(attaches(&mut world, 3, soft, "10.0.0.77").is_empty(), "it knows no such call");
        let heard = attaches_anew(&mut world, 3);
        let [again] = &heard[..] else { panic!("{said}: {heard:?}") };
        assert!(again.starts_with(said), "{again}");
        hear_from(&mut world, &answer(again, 200, "x", "", ""), hop(Transport::Tcp));
        assert!(attaches_anew(&mut world, 5).is_empty(), "{said} is said once");
        assert!(attaches(&mut world, 5, soft, "10.0.0.77").is_empty());
    }
}

/// Two other phones of the agent behind the same router: both say in their way that they know of
/// nothing, and are not asked at each of their registrations.
#[test]
fn several_other_phones_of_the_agent_are_asked_once_each_and_none_of_them_pays_for_another() {
    for refusal in [481, 405, 503] {
        let mut world = world();
        registered(&mut world, Transport::Tcp);
        let leg = calls_us(&mut world);
        let near = |port: u16| {
            let (peer, flow) = (SocketAddr::new(phone().ip(), port), Some(FlowId(port.into())));
            Hop { peer, flow, ..hop(Transport::Tcp) }
        };
        world.acts(leg, Act::Hangup { cause: Cause::default() });
        world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(5), out));
        for seq in [1, 3, 5] {
            for (hop, name) in [(near(50_001), "10.0.0.77"), (near(50_002), "10.0.0.78")] {
                let asked = attaches(&mut world, seq, hop, name);
                assert_eq!(asked.len(), usize::from(seq == 1), "{name}, {refusal}: {asked:?}");
                for bye in asked {
                    hear_from(&mut world, &answer(&bye, refusal, "y", "", ""), hop);
                }
            }
        }
        // The one that it is has another name by now, as after a new lease.
        let desk = near(50_003);
        let heard = attaches(&mut world, 7, desk, "10.0.0.99");
        assert!(heard.len() == 1 && heard[0].starts_with("BYE "), "{refusal}: {heard:?}");
        hear_from(&mut world, &answer(&heard[0], 200, "x", "", ""), desk);
        assert!(attaches(&mut world, 9, desk, "10.0.0.99").is_empty(), "it is said once");
    }
}

/// ICMP says that nobody listens there: the phone starts up, and registers from the same port.
#[test]
fn a_last_word_that_is_refused_is_not_said_there_in_the_same_breath_but_when_they_are_back() {
    let mut world = world();
    registered(&mut world, Transport::Tcp);
    let leg = calls_us(&mut world);
    world.acts(leg, Act::Hangup { cause: Cause::default() });
    world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(5), out));
    let own = hop(Transport::Udp);
    for seq in [5, 7] {
        let heard = attaches(&mut world, seq, own, "10.0.0.9");
        let [again] = &heard[..] else { panic!("{heard:?}") };
        assert!(again.starts_with("BYE "), "{again}");
        world.with(0, |agent, cx, out| agent.unreachable(cx, own, out));
        assert!(world.take_sent(0).is_empty(), "they do not listen");
    }
    let heard = attaches(&mut world, 9, own, "10.0.0.9");
    hear(&mut world, &answer(&heard[0], 200, "x", "", ""), Transport::Udp);
    assert!(attaches(&mut world, 11, own, "10.0.0.9").is_empty(), "it has heard it");
}

/// It starts anew, registers, hears it and dies.
#[test]
fn a_phone_that_dies_of_a_last_word_is_told_three_times_and_then_left_in_peace() {
    let mut world = world();
    registered(&mut world, Transport::Tcp);
    let leg = calls_us(&mut world);
    world.acts(leg, Act::Hangup { cause: Cause::default() });
    world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(5), out));
    for seq in [5, 7, 9] {
        let heard = attaches_anew(&mut world, seq);
        assert!(heard.len() == 1 && heard[0].starts_with("BYE "), "{heard:?}");
        world.with(0, |agent, cx, out| agent.flow_closed(cx, FlowId(6), out));
        world.take_sent(0);
    }
    assert!(attaches_anew(&mut world, 11).is_empty());
}

#[test]
fn a_phone_that_rang_when_its_connection_was_lost_is_told_to_stop_when_it_is_back() {
    let mut world = world();
    let contact = registered(&mut world, Transport::Tcp);
    let dial = Dial { target: Target::Contact(contact), ..dial() };
    world.with(0, |agent, cx, out| agent.invite(cx, dial, out));
    let invite = world.take_sent(0).remove(0);
    hear(&mut world, &answer(&invite, 180, "x", "", ""), Transport::Tcp);
    world.with(0, |agent, cx, out| agent.restarted(cx, &Default::default(), out));
    let heard = attaches_anew(&mut world, 3);
    let [cancel] = &heard[..] else { panic!("{heard:?}") };
    assert!(cancel.starts_with("CANCEL sip:op1@10.0.0.9"), "{cancel}");
    for name in ["Call-ID", "From", "To", "Via"] {
        assert_eq!(header(cancel, name), header(&invite, name));
    }
}

#[test]
fn a_bye_to_a_carrier_that_was_lost_with_the_process_is_said_over_a_new_connection() {
    let mut world = world();
    let mut settings = world.nodes[0].agent.settings().clone();
    settings.trunks[0].hosts = vec!["tcp:192.0.2.2:5062".into()];
    world.with(0, |agent, cx, _| agent.reload(cx, settings));
    let carrier = Hop { peer: "192.0.2.2:39999".parse().unwrap(), ..hop(Transport::Tcp) };
    let text = invite("", "v=0 offer\n").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    hear_from(&mut world, &text, carrier);
    let leg = world.invited();
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") }).remove(0);
    let ack = within("ACK", 1, &ok, "", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    hear_from(&mut world, &ack, carrier);
    let bye = world.acts(leg, Act::Hangup { cause: Cause::default() }).remove(0);
    world.with(0, |agent, cx, out| agent.restarted(cx, &Default::default(), out));
    let again = world.take_sent(0);
    let again = again.iter().find(|text| text.starts_with("BYE ")).expect("a BYE");
    assert_eq!(header(again, "Call-ID"), header(&bye, "Call-ID"));
    let listens = "192.0.2.2:5062".parse().unwrap();
    assert_eq!(world.nodes[0].last_hop.map(|hop| (hop.peer, hop.flow)), Some((listens, None)));
}

/// A call of op1 over its first connection, answered.
fn calls_us(world: &mut World) -> crate::base::LegId {
    let text = invite("", "v=0 offer\n")
        .replace("9826012345@192.0.2.2", "op1@helpline.example")
        .replace("gw@192.0.2.2", "op1@10.0.0.9");
    let refusal = hear(world, &text, Transport::Tcp).remove(0);
    let proof = proven("INVITE", "sip:181@192.0.2.1", &refusal);
    let text = text.replace("z9hG4bKi", "z9hG4bKj").replace("CSeq: 1", "CSeq: 2");
    let text = text.replace("Max-Forwards: 70\n", &format!("Max-Forwards: 70\n{proof}"));
    hear(world, &text, Transport::Tcp);
    let leg = world.invited();
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") }).remove(0);
    let ack = within("ACK", 1, &ok, "", "").replace("CSeq: 1 ", "CSeq: 2 ");
    hear(world, &ack, Transport::Tcp);
    leg
}

#[test]
fn a_silent_phone_at_a_host_name_is_looked_up_and_asked_until_it_answers() {
    let mut world = world();
    let targets = [Target::Uri("sip:op1@phone.example:5070".into())];
    assert!(world.with(0, |agent, cx, out| agent.ask_after(cx, "op1", &targets, out)));
    world.resolve("phone.example", &["192.0.2.77"]);
    let asked = world.take_sent(0);
    assert!(asked[0].starts_with("OPTIONS sip:op1@phone.example:5070"), "{asked:?}");
    assert_eq!(world.last_peer(), "192.0.2.77:5070");
    let again = world.wait(51);
    let again = again.iter().rev().find(|sent| sent.starts_with("OPTIONS")).expect("asked again");
    assert_ne!(header(again, "Call-ID"), header(&asked[0], "Call-ID"));
    world.take_notices(0);
    world.say(&answer(again, 200, "p", "", ""));
    let back = Notice::PhoneBack { user: "op1".into(), proven: true };
    assert_eq!(world.take_notices(0), [back]);
}
