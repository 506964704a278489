//! Calls that we place: RFC 3261 sections 8.1.3, 9.1, 13.2, 18.1.1 and 22, RFC 3262, RFC 3263.

use super::world::*;
use crate::sip::*;

#[test]
fn an_invite_says_who_calls_and_what_we_can_do() {
    let mut world = World::single(|s| s.trunks[0].identity = Some("07552551234".into()));
    let (_, invite) = world.calling();
    assert!(invite.starts_with("INVITE sip:181@192.0.2.2:5060 SIP/2.0\r\n"), "{invite}");
    assert!(header(&invite, "From").starts_with("<sip:07552551234@helpline.example>;tag="));
    assert!(header(&invite, "Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK"));
    assert_eq!(header(&invite, "Session-Expires"), "1800");
    assert_eq!(header(&invite, "Supported"), "100rel, timer, replaces, norefersub");
    assert_eq!(header(&invite, "Max-Forwards"), "69", "as the call says");
    assert!(
        invite
            .ends_with("Content-Type: application/sdp\r\nContent-Length: 11\r\n\r\nv=0 offer\r\n")
    );
}

#[test]
fn the_first_2xx_wins_and_each_other_fork_is_acknowledged_and_ended() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    let first =
        world.say(&answer(&invite, 200, "a", "Record-Route: <sip:192.0.2.9;lr>\n", "v=0 a\n"));
    assert_eq!(starts(&first), ["ACK"]);
    assert!(first[0].starts_with("ACK sip:gwa@192.0.2.2:5060 "));
    assert_eq!(header(&first[0], "Route"), "<sip:192.0.2.9;lr>");
    let body = Some(sdp("v=0 a\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Answered { leg, body }]);
    let other = world.say(&answer(&invite, 200, "b", "", "v=0 b\n"));
    assert_eq!(starts(&other), ["ACK", "BYE"]);
    assert!(other[1].starts_with("BYE sip:gwb@"));
    assert_eq!(starts(&world.say(&answer(&invite, 200, "b", "", "v=0 b\n"))), ["ACK"]);
    assert_eq!(world.say(&answer(&invite, 200, "a", "", "v=0 a\n")), first);
    assert!(world.take_notices(0).is_empty());
}

#[test]
fn forks_are_bounded() {
    let mut world = World::single(|_| {});
    let (_, invite) = world.calling();
    let sent: usize = (0..100)
        .map(|n| world.say(&answer(&invite, 200, &format!("t{n}"), "", "v=0\n")).len())
        .sum();
    assert_eq!(sent, 1 + 2 * (crate::base::limits::FORKS_MAX - 1));
}

#[test]
fn a_cancel_waits_for_a_provisional_answer() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    let cause = Cause { sip: Some(200), q850: None, text: "Call completed elsewhere".into() };
    assert!(world.acts(leg, Act::Hangup { cause }).is_empty());
    let sent = world.say(&answer(&invite, 100, "", "", ""));
    assert_eq!(starts(&sent), ["CANCEL"]);
    assert_eq!(header(&sent[0], "Via"), header(&invite, "Via"));
    assert_eq!(header(&sent[0], "CSeq"), "1 CANCEL");
    assert_eq!(header(&sent[0], "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    world.say(&answer(&sent[0], 200, "x", "", ""));
    assert_eq!(starts(&world.say(&answer(&invite, 487, "x", "", ""))), ["ACK"]);
    assert_eq!(world.nodes[0].agent.counts().legs, 0);
    assert_eq!(world.take_notices(0), [Notice::Stopped { leg }]);
    world.wait(40);
    assert!(world.is_quiet());
}

#[test]
fn a_cancel_waits_for_a_provisional_answer_to_the_invite_that_is_under_way() {
    let login = || Some(Login { user: "u".into(), secret: Secret("p".into()) });
    let hosts = || vec!["192.0.2.2:5060".into(), "192.0.2.3:5060".into()];
    for (status, more) in [(407, CHALLENGE), (422, "Min-SE: 3600\n"), (302, ""), (503, "")] {
        let mut world =
            World::single(|s| (s.trunks[0].hosts, s.trunks[0].login) = (hosts(), login()));
        let (leg, invite) = world.calling();
        world.say(&answer(&invite, 180, "x", "", ""));
        let again = world.say(&answer(&invite, status, "x", more, "")).remove(1);
        assert!(again.starts_with("INVITE "), "{again}");
        let hangup = Act::Hangup { cause: Cause::default() };
        assert!(world.acts(leg, hangup).is_empty(), "{status}: nobody has the new INVITE yet");
        let sent = world.say(&answer(&again, 100, "", "", ""));
        assert_eq!(starts(&sent), ["CANCEL"], "{status}");
        // The far end has lost it: whatever rings there is waited for no longer than that.
        world.say(&answer(&sent[0], 481, "x", "", ""));
        world.say(&answer(&again, 180, "x", "", ""));
        world.wait(33);
        assert_eq!(world.nodes[0].agent.counts().legs, 0, "{status}");
        world.wait(40);
        assert!(world.is_quiet(), "{status}");
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    world.say(&answer(&invite, 180, "x", "", ""));
    assert_eq!(starts(&world.acts(leg, Act::Hangup { cause: Cause::default() })), ["CANCEL"]);
    let sent = world.say(&answer(&invite, 200, "x", "", "v=0\n"));
    assert_eq!(starts(&sent), ["ACK", "BYE"]);
    let notices = world.take_notices(0);
    let [Notice::Progress { .. }, Notice::Stopped { .. }] = notices[..] else {
        panic!("{notices:?}");
    };
    world.say(&answer(&sent[1], 200, "", "", ""));
    world.wait(40);
    assert!(world.is_quiet());
}

#[test]
fn nobody_answers_and_the_call_is_refused_with_408() {
    let mut world = World::single(|_| {});
    let (leg, _) = world.calling();
    let sent = world.wait(33);
    assert_eq!(starts(&sent), ["INVITE"; 6]);
    let (status, cause, retry_after) = (408, Cause::default(), None);
    assert_eq!(world.take_notices(0), [Notice::Refused { leg, status, cause, retry_after }]);
    assert!(world.is_quiet());
}

#[test]
fn a_refusal_says_why() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    let more = "Reason: Q.850;cause=17;text=\"User busy\"\nRetry-After: 30 (lunch)\n";
    let sent = world.say(&answer(&invite, 486, "x", more, ""));
    assert_eq!(starts(&sent), ["ACK"]);
    assert_eq!(header(&sent[0], "Via"), header(&invite, "Via"));
    let cause = Cause { q850: Some(17), sip: None, text: "User busy".into() };
    let refused = Notice::Refused { leg, status: 486, cause, retry_after: Some(30) };
    assert_eq!(world.take_notices(0), [refused]);
    assert_eq!(world.say(&answer(&invite, 486, "x", more, "")), sent, "the ACK again");
}

#[test]
fn a_reliable_provisional_answer_is_acknowledged_once_and_in_order() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    let rung = |rseq: u32| {
        answer(&invite, 183, "x", &format!("Require: 100rel\nRSeq: {rseq}\n"), "v=0 early\n")
    };
    let sent = world.say(&rung(7));
    assert!(sent[0].starts_with("PRACK sip:gwx@192.0.2.2:5060 "));
    assert_eq!((header(&sent[0], "RAck"), header(&sent[0], "CSeq")), ("7 1 INVITE", "2 PRACK"));
    assert!(world.say(&rung(7)).is_empty(), "a repeat");
    assert!(world.say(&rung(9)).is_empty(), "out of order");
    assert_eq!(world.take_notices(0).len(), 1);
    world.say(&answer(&sent[0], 200, "", "", ""));
    let sent = world.say(&answer(&invite, 200, "x", "", ""));
    assert_eq!(header(&sent[0], "CSeq"), "1 ACK");
    let body = Some(sdp("v=0 early\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Answered { leg, body }]);
}

#[test]
fn a_2xx_without_a_description_has_the_reliable_answer_of_its_own_fork() {
    let reliable = |n: u32| format!("Require: 100rel\nRSeq: {n}\nAllow: UPDATE\n");
    for (tag, body) in [("a", Some("v=0 a\r\n")), ("b", Some("v=0 b\r\n")), ("c", None)] {
        let mut world = World::single(|_| {});
        let (leg, invite) = world.calling();
        world.say(&answer(&invite, 183, "a", &reliable(1), "v=0 a\n"));
        world.say(&answer(&invite, 183, "b", &reliable(1), ""));
        world.say(&answer(&invite, 183, "b", &reliable(2), "v=0 b\n"));
        world.say(&answer(&invite, 180, "c", "", "v=0 c\n"));
        world.take_notices(0);
        world.say(&answer(&invite, 200, tag, "", ""));
        let body = body.map(sdp);
        assert_eq!(world.take_notices(0), [Notice::Answered { leg, body }], "{tag}");
    }
}

#[test]
fn a_2xx_without_a_description_has_what_the_peer_described_last() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    let prack = world.say(&answer(&invite, 183, "a", "Require: 100rel\nRSeq: 1\n", "v=0 a\n"));
    let update = within("UPDATE", 2, &turned(&prack[0]), "", "v=0 moved\n");
    world.say(&update);
    world.acts(leg, Act::AnswerOffer { body: sdp("v=0 ours\r\n") });
    world.take_notices(0);
    world.say(&answer(&invite, 200, "a", "", ""));
    let body = Some(sdp("v=0 moved\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Answered { leg, body }]);
}

/// A request of ours as the peer sees it: From and To for `within`.
pub fn turned(request: &str) -> String {
    let (from, to) = (header(request, "From"), header(request, "To"));
    format!("From: {to}\nTo: {from}\nCall-ID: {}\n", header(request, "Call-ID"))
}

#[test]
fn a_phone_that_leaves_before_we_have_had_its_answer_is_free_at_once() {
    for reliable in ["", "Require: 100rel\nRSeq: 1\n"] {
        let mut world = World::single(|_| {});
        let (leg, invite) = world.calling();
        let body = if reliable.is_empty() { "" } else { "v=0 a\n" };
        world.say(&answer(&invite, 180, "x", reliable, body));
        world.take_notices(0);
        let to = header(&invite, "To");
        let known = invite.replace(&format!("To: {to}"), &format!("To: {to};tag=x"));
        // Whoever does not know our tag ends nothing.
        let (from, stranger) = (header(&invite, "From"), "<sip:181@192.0.2.1>;tag=guessed");
        let wrong = turned(&known).replace(from, stranger);
        assert_eq!(starts(&world.say(&within("BYE", 7, &wrong, "", ""))), ["SIP/2.0 481"]);
        assert!(world.take_notices(0).is_empty());
        let sent = world.say(&within("BYE", 8, &turned(&known), "", ""));
        assert_eq!(starts(&sent), ["SIP/2.0 481", "CANCEL"]);
        let told = world.take_notices(0);
        assert!(matches!(told[..], [Notice::LeftEarly { leg: l, .. }] if l == leg));
        // Its answer comes after all: it is over.
        let late = world.say(&answer(&invite, 200, "x", "", "v=0\n"));
        assert_eq!(starts(&late), ["ACK", "BYE"]);
        world.say(&answer(&late[1], 200, "", "", ""));
        world.say(&answer(&sent[1], 481, "", "", ""));
        world.wait(64);
        assert!(world.is_quiet());
    }
}

#[test]
fn a_branch_of_a_fork_that_leaves_early_leaves_the_others_ringing() {
    let ringing = |world: &mut World| {
        let (leg, invite) = world.calling();
        for tag in ["a", "b"] {
            world.say(&answer(&invite, 180, tag, "", ""));
        }
        world.take_notices(0);
        (leg, invite)
    };
    let bye = |invite: &str, tag: &str, seq: u32| {
        let to = header(invite, "To");
        let known = invite.replace(&format!("To: {to}"), &format!("To: {to};tag={tag}"));
        within("BYE", seq, &turned(&known), "", "")
    };
    let mut world = World::single(|_| {});
    let (leg, invite) = ringing(&mut world);
    assert_eq!(starts(&world.say(&bye(&invite, "a", 7))), ["SIP/2.0 481"]);
    assert!(world.take_notices(0).is_empty(), "the phone of the other rings on");
    assert_eq!(starts(&world.say(&answer(&invite, 200, "b", "", "v=0 b\n"))), ["ACK"]);
    let body = Some(sdp("v=0 b\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Answered { leg, body }]);
    // Whose sequence numbers are its own.
    assert_eq!(starts(&world.say(&bye(&invite, "b", 3))), ["SIP/2.0 200"]);
    // The answer of the one that has left comes after all: then nobody else's does.
    let mut world = World::single(|_| {});
    let (leg, invite) = ringing(&mut world);
    world.say(&bye(&invite, "a", 7));
    let late = answer(&invite, 200, "a", "", "v=0\n");
    let sent = world.say(&late);
    assert_eq!(starts(&sent), ["ACK", "BYE"]);
    let told = world.take_notices(0);
    let [Notice::LeftEarly { leg: l, .. }, Notice::Stopped { .. }] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(l, leg);
    world.say(&answer(&sent[1], 481, "", "", ""));
    assert_eq!(starts(&world.say(&late)), ["ACK"]);
    // The last of them to leave ends it.
    let mut world = World::single(|_| {});
    let (leg, invite) = ringing(&mut world);
    world.say(&bye(&invite, "a", 7));
    assert_eq!(starts(&world.say(&bye(&invite, "b", 2))), ["SIP/2.0 481", "CANCEL"]);
    let told = world.take_notices(0);
    assert!(matches!(told[..], [Notice::LeftEarly { leg: l, .. }] if l == leg));
}

#[test]
fn a_branch_that_is_given_up_or_rang_before_in_turn_rings_no_more() {
    let last_leaves = |second_after: u64, given_up: bool| {
        let mut world = World::single(|_| {});
        let (_, invite) = world.calling();
        world.say(&answer(&invite, 180, "a", "", ""));
        world.wait(second_after);
        world.say(&answer(&invite, 180, "b", "", ""));
        world.take_notices(0);
        if given_up {
            world.say(&answer(&invite, 199, "a", "", ""));
            assert!(world.take_notices(0).is_empty(), "b rings as before");
        }
        let to = header(&invite, "To");
        let known = invite.replace(&format!("To: {to}"), &format!("To: {to};tag=b"));
        world.say(&within("BYE", 7, &turned(&known), "", ""));
        let told = world.take_notices(0);
        matches!(told[..], [Notice::LeftEarly { .. }])
    };
    assert!(!last_leaves(1, false), "a rings on");
    assert!(last_leaves(1, true), "RFC 6228: nobody rings behind the 199");
    assert!(last_leaves(15, false), "b was rung when a had had their time");
}

#[test]
fn a_challenge_is_answered_once_with_the_trunks_login() {
    let login = Login { user: "u".into(), secret: Secret("p".into()) };
    let mut world = World::single(|s| s.trunks[0].login = Some(login));
    let (leg, invite) = world.calling();
    let challenge = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\n";
    let sent = world.say(&answer(&invite, 407, "x", challenge, ""));
    assert_eq!(starts(&sent), ["ACK", "INVITE"]);
    assert!(header(&sent[1], "Proxy-Authorization").contains("username=\"u\""));
    assert_eq!(header(&sent[1], "CSeq"), "2 INVITE");
    assert_eq!(header(&sent[1], "Call-ID"), header(&invite, "Call-ID"));
    let again = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n2\", qop=\"auth\"\n";
    assert_eq!(starts(&world.say(&answer(&sent[1], 407, "y", again, ""))), ["ACK"]);
    let (status, cause, retry_after) = (407, Cause::default(), None);
    assert_eq!(world.take_notices(0), [Notice::Refused { leg, status, cause, retry_after }]);
}

/// A world whose trunk wants credentials, and a challenge of it.
pub fn strict() -> World {
    let login = Login { user: "u".into(), secret: Secret("p".into()) };
    World::single(|s| s.trunks[0].login = Some(login))
}

pub const CHALLENGE: &str =
    "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\n";

#[test]
fn every_request_of_a_dialog_is_challenged_and_sent_once_more() {
    let mut world = strict();
    let (leg, invite) = world.calling();
    let more = "Require: 100rel\nRSeq: 7\n";
    let prack = world.say(&answer(&invite, 183, "x", more, "v=0 early\n"));
    let again = world.say(&answer(&prack[0], 407, "", CHALLENGE, ""));
    assert!(again[0].starts_with("PRACK ") && header(&again[0], "RAck") == "7 1 INVITE");
    assert!(header(&again[0], "Proxy-Authorization").contains("username=\"u\""));
    assert_eq!(header(&again[0], "CSeq"), "3 PRACK");
    assert!(world.say(&answer(&again[0], 407, "", CHALLENGE, "")).is_empty(), "once");
    world.say(&answer(&invite, 200, "x", "Allow: UPDATE\nSupported: timer\n", "v=0\n"));
    world.take_notices(0);

    let offer = world.acts(leg, Act::Offer { body: sdp("v=0 offer\r\n") });
    let again = world.say(&answer(&offer[0], 407, "", CHALLENGE, ""));
    assert_eq!(starts(&again), ["ACK", "INVITE"]);
    assert!(again[1].ends_with("v=0 offer\r\n"), "{}", again[1]);
    let proof = header(&again[1], "Proxy-Authorization").to_string();
    let ack = world.say(&answer(&again[1], 200, "", "", "v=0 answer\n"));
    assert_eq!(header(&ack[0], "Proxy-Authorization"), proof, "RFC 3261 section 13.2.2.4");
    let notices = world.take_notices(0);
    assert!(matches!(notices[..], [Notice::OfferAnswered { .. }]), "{notices:?}");

    let update = world.wait(901);
    let again = world.say(&answer(&update[0], 407, "", CHALLENGE, ""));
    assert_eq!((starts(&update)[0], starts(&again)), ("UPDATE", vec!["UPDATE"]));
    assert!(header(&again[0], "Proxy-Authorization").starts_with("Digest "));
    world.say(&answer(&again[0], 200, "", "Session-Expires: 1800\n", ""));
    assert_eq!(world.take_notices(0), []);
}

#[test]
fn a_challenged_cancel_is_not_sent_again() {
    let mut world = strict();
    let (leg, invite) = world.calling();
    world.say(&answer(&invite, 180, "x", "", ""));
    let cancel = world.acts(leg, Act::Hangup { cause: Cause::default() });
    assert_eq!(starts(&cancel), ["CANCEL"]);
    assert!(world.say(&answer(&cancel[0], 407, "x", CHALLENGE, "")).is_empty());
}

#[test]
fn a_phone_may_ring_for_longer_than_an_invite_is_tried() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    world.say(&answer(&invite, 180, "x", "", ""));
    world.take_notices(0);
    world.wait(55);
    assert_eq!(world.take_notices(0), []);
    world.say(&answer(&invite, 200, "x", "", "v=0\n"));
    assert!(matches!(world.take_notices(0)[..], [Notice::Answered { leg: l, .. }] if l == leg));
}

#[test]
fn a_bye_is_challenged_too() {
    let login = Login { user: "u".into(), secret: Secret("p".into()) };
    let mut world = World::single(|s| s.trunks[0].login = Some(login));
    let (leg, invite) = world.calling();
    world.say(&answer(&invite, 200, "x", "", "v=0\n"));
    let bye = world.acts(leg, Act::Hangup { cause: Cause::default() });
    let challenge = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n1\"\n";
    let sent = world.say(&answer(&bye[0], 401, "", challenge, ""));
    assert_eq!(starts(&sent), ["BYE"]);
    assert!(header(&sent[0], "Authorization").starts_with("Digest "));
    assert_eq!(header(&sent[0], "CSeq"), "3 BYE");
    world.say(&answer(&sent[0], 200, "", "", ""));
    assert_eq!(world.nodes[0].agent.counts().legs, 0);
}

#[test]
fn a_longer_session_is_granted_where_it_is_asked() {
    let mut world = World::single(|_| {});
    let (_, invite) = world.calling();
    let sent = world.say(&answer(&invite, 422, "x", "Min-SE: 3600\n", ""));
    assert_eq!(starts(&sent), ["ACK", "INVITE"]);
    assert_eq!(header(&sent[1], "Session-Expires"), "3600");
    assert_eq!(header(&sent[1], "Min-SE"), "3600");
    assert_eq!(starts(&world.say(&answer(&sent[1], 422, "x", "Min-SE: 3600\n", ""))), ["ACK"]);
}

#[test]
fn a_redirection_is_followed_on_the_same_host_only() {
    let mut world = World::single(|_| {});
    let (_, invite) = world.calling();
    let to = |uri: &str| format!("Contact: <{uri}>\n");
    let moved = |request: &str, uri: &str| {
        answer(request, 302, "x", &to(uri), "").replacen(
            "Contact: <sip:gwx@192.0.2.2:5060>\n",
            "",
            1,
        )
    };
    let sent = world.say(&moved(&invite, "sip:182@192.0.2.2"));
    assert_eq!(starts(&sent), ["ACK", "INVITE"]);
    assert!(sent[1].starts_with("INVITE sip:182@192.0.2.2 SIP/2.0"));
    assert_eq!(starts(&world.say(&moved(&sent[1], "sip:1900@203.0.113.1"))), ["ACK"]);
    assert!(matches!(world.take_notices(0)[..], [Notice::Refused { status: 302, .. }]));
}

#[test]
fn a_redirection_is_followed_to_another_host_of_the_same_trunk() {
    let hosts = || vec!["192.0.2.2:5060".into(), "192.0.2.3:5060".into()];
    let mut world = World::single(|s| s.trunks[0].hosts = hosts());
    let (_, invite) = world.calling();
    let moved = answer(&invite, 302, "x", "Contact: <sip:181@192.0.2.3:5062>\n", "");
    let moved = moved.replacen("Contact: <sip:gwx@192.0.2.2:5060>\n", "", 1);
    let sent = world.say(&moved);
    assert_eq!(starts(&sent), ["ACK", "INVITE"]);
    assert!(sent[1].starts_with("INVITE sip:181@192.0.2.3:5062 SIP/2.0"));
    assert_eq!(world.last_peer(), "192.0.2.3:5062");
}

#[test]
fn the_next_server_is_tried_when_one_is_out_of_service() {
    let hosts = || vec!["192.0.2.2:5060".into(), "192.0.2.3:5060".into(), "192.0.2.4:5060".into()];
    let mut world = World::single(|s| s.trunks[0].hosts = hosts());
    let (leg, invite) = world.calling();
    let sent = world.say(&answer(&invite, 503, "x", "", ""));
    assert_eq!(starts(&sent), ["ACK", "INVITE"]);
    assert!(sent[1].starts_with("INVITE sip:181@192.0.2.3:5060 "));
    world.take_sent(0);
    let hop = Hop { transport: Transport::Udp, local: addr(1), peer: addr(3), flow: None };
    world.with(0, |agent, cx, out| agent.unreachable(cx, hop, out));
    assert!(world.take_sent(0)[0].starts_with("INVITE sip:181@192.0.2.4:5060 "));
    let hop = Hop { peer: addr(4), ..hop };
    world.with(0, |agent, cx, out| agent.unreachable(cx, hop, out));
    let (status, cause, retry_after) = (503, Cause::default(), None);
    assert_eq!(world.take_notices(0), [Notice::Refused { leg, status, cause, retry_after }]);
}

#[test]
fn a_large_request_goes_by_tcp_and_by_udp_if_that_fails() {
    let mut world = World::single(|s| s.trunks[0].hosts = vec!["192.0.2.2".into()]);
    let mut large = dial();
    large.offer = sdp(&"a=x\r\n".repeat(300));
    world.take_sent(0);
    world.with(0, |agent, cx, out| agent.invite(cx, large, out));
    let invite = world.take_sent(0).remove(0);
    assert!(header(&invite, "Via").starts_with("SIP/2.0/TCP "), "{invite}");
    let hop = Hop { transport: Transport::Tcp, local: addr(1), peer: addr(2), flow: None };
    world.with(0, |agent, cx, out| agent.unreachable(cx, hop, out));
    let again = world.take_sent(0).remove(0);
    assert!(header(&again, "Via").starts_with("SIP/2.0/UDP "));
    assert_eq!(header(&again, "CSeq"), header(&invite, "CSeq"));
    assert_eq!(starts(&world.say(&answer(&again, 200, "x", "", "v=0\n"))), ["ACK"]);
}

#[test]
fn a_call_that_was_given_up_is_not_tried_by_udp_when_tcp_fails() {
    let mut world = World::single(|s| s.trunks[0].hosts = vec!["192.0.2.2".into()]);
    let mut large = dial();
    large.offer = sdp(&"a=x\r\n".repeat(300));
    let leg = world.with(0, |agent, cx, out| agent.invite(cx, large, out));
    assert!(world.acts(leg, Act::Hangup { cause: Cause::default() }).is_empty());
    let hop = Hop { transport: Transport::Tcp, local: addr(1), peer: addr(2), flow: None };
    world.with(0, |agent, cx, out| agent.unreachable(cx, hop, out));
    assert!(world.take_sent(0).is_empty(), "nobody would be there to take the answer");
    assert!(world.is_quiet());
}

#[test]
fn a_trunk_is_asked_whether_it_lives() {
    let ping = std::time::Duration::from_secs(30);
    let mut world = World::single(|s| s.trunks[0].ping = ping);
    let ask = world.take_sent(0).remove(0);
    assert!(ask.starts_with("OPTIONS sip:192.0.2.2:5060 "));
    world.say(&answer(&ask, 404, "x", "", ""));
    let trunk = crate::base::TrunkId(0);
    assert_eq!(world.take_notices(0), [Notice::TrunkUp { trunk, up: true }]);
    let asked = world.wait(30);
    assert!(asked.iter().any(|text| text.starts_with("OPTIONS ")), "{asked:?}");
    let (leg, invite) = world.calling();
    world.wait(5);
    let told = world.take_notices(0);
    assert_eq!(told[0], Notice::TrunkUp { trunk, up: false }, "four questions, and no answer");
    let refused = matches!(told[1], Notice::Refused { leg: l, status: 408, .. } if l == leg);
    assert!(refused, "who has heard nothing there need not wait for timer B: {told:?}");
    assert!(invite.starts_with("INVITE "), "{invite}");
}

/// Two servers, and what each said to our OPTIONS: nothing yet where it was not asked.
fn two_servers(answers: [bool; 2]) -> World {
    let hosts = vec!["192.0.2.2:5060".into(), "192.0.2.3:5060".into()];
    let mut world = World::single(|s| {
        (s.trunks[0].ping, s.trunks[0].hosts) = (std::time::Duration::from_secs(300), hosts);
    });
    let asks = world.take_sent(0);
    assert!(asks[1].starts_with("OPTIONS sip:192.0.2.3:5060 "), "each is asked: {asks:?}");
    for (ask, _) in asks.iter().zip(answers).filter(|(_, alive)| *alive) {
        world.say(&answer(ask, 200, "x", "", ""));
    }
    world.wait(40);
    world
}

#[test]
fn a_server_that_is_known_to_be_down_is_not_tried_while_another_is_up() {
    let mut world = two_servers([false, true]);
    let trunk = crate::base::TrunkId(0);
    assert_eq!(world.take_notices(0), [Notice::TrunkUp { trunk, up: true }]);
    let (leg, invite) = world.calling();
    assert!(invite.starts_with("INVITE sip:181@192.0.2.3:5060 "), "{invite}");
    assert_eq!(starts(&world.say(&answer(&invite, 503, "x", "", ""))), ["ACK"]);
    assert!(matches!(world.take_notices(0)[..], [Notice::Refused { leg: l, .. }] if l == leg));
    // It answers again, and is the first again.
    let asks = world.wait(261);
    world.say(&answer(&asks[0], 200, "x", "", ""));
    assert!(world.calling().1.starts_with("INVITE sip:181@192.0.2.2:5060 "));
}

#[test]
fn where_all_servers_are_known_to_be_down_each_is_still_tried_but_briefly() {
    let mut world = two_servers([false, false]);
    let trunk = crate::base::TrunkId(0);
    assert_eq!(world.take_notices(0), [Notice::TrunkUp { trunk, up: false }]);
    let (leg, invite) = world.calling();
    assert!(invite.starts_with("INVITE sip:181@192.0.2.2:5060 "), "{invite}");
    let sent = world.wait(5);
    let next = sent.last().unwrap();
    assert!(next.starts_with("INVITE sip:181@192.0.2.3:5060 "), "{next}");
    // It lives: the call is given the time that it takes.
    world.say(&answer(next, 180, "x", "", ""));
    assert!(matches!(world.take_notices(0)[..], [Notice::Progress { status: 180, .. }]));
    world.wait(30);
    world.say(&answer(next, 200, "x", "", "v=0\n"));
    assert!(matches!(world.take_notices(0)[..], [Notice::Answered { leg: l, .. }] if l == leg));
}

#[test]
fn an_early_dialog_ends_with_its_invite() {
    let hosts = || vec!["192.0.2.2:5060".into(), "192.0.2.3:5060".into()];
    let login = || Some(Login { user: "u".into(), secret: Secret("p".into()) });
    for (status, more, uri, peer) in [
        (407, CHALLENGE, "sip:181@192.0.2.2:5060", "192.0.2.2:5060"),
        (422, "Min-SE: 3600\n", "sip:181@192.0.2.2:5060", "192.0.2.2:5060"),
        (302, "", "sip:gwx@192.0.2.2:5060", "192.0.2.2:5060"),
        (503, "", "sip:181@192.0.2.3:5060", "192.0.2.3:5060"),
    ] {
        let mut world =
            World::single(|s| (s.trunks[0].hosts, s.trunks[0].login) = (hosts(), login()));
        let (_, invite) = world.calling();
        let early = "Require: 100rel\nRSeq: 7\nRecord-Route: <sip:192.0.2.9;lr>\n";
        world.say(&answer(&invite, 183, "x", early, "v=0 early\n"));
        assert_eq!(world.last_peer(), "192.0.2.9:5060", "the PRACK");
        let again = world.say(&answer(&invite, status, "x", more, "")).remove(1);
        assert!(again.starts_with(&format!("INVITE {uri} ")), "{status}: {again}");
        assert!(!again.contains("\r\nRoute:"), "{again}");
        assert_eq!(header(&again, "To"), header(&invite, "To"));
        assert_eq!(header(&again, "CSeq"), "3 INVITE");
        assert_eq!(world.last_peer(), peer);
        let prack = world.say(&answer(&again, 183, "x", early, "v=0 early\n")).remove(0);
        assert_eq!(header(&prack, "RAck"), "7 3 INVITE");
    }
}

#[test]
fn a_response_that_somebody_else_should_have_had_is_dropped() {
    let mut world = World::single(|_| {});
    let (_, invite) = world.calling();
    let ok = answer(&invite, 200, "a", "", "v=0\n");
    let stray = ok.replacen("\nFrom:", "\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\nFrom:", 1);
    assert!(world.say(&stray).is_empty());
    assert!(world.take_notices(0).is_empty());
    assert_eq!(starts(&world.say(&ok)), ["ACK"]);
}

#[test]
fn a_response_with_another_sequence_number_is_not_ours() {
    let mut world = World::single(|_| {});
    let (_, invite) = world.calling();
    world.say(&answer(&invite, 200, "a", "", "v=0\n"));
    let other = answer(&invite, 200, "b", "", "v=0\n");
    let strange = other.replace("CSeq: 1 INVITE", "CSeq: 4294967295 INVITE");
    assert!(world.say(&strange).is_empty());
    assert_eq!(starts(&world.say(&other)), ["ACK", "BYE"]);
}
