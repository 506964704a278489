//! Inside a call: RFC 3261 sections 12.2, 14 and 15, RFC 3311, RFC 4028.

use super::caller::turned;
use super::world::*;
use crate::sip::*;

#[test]
fn a_bye_ends_the_call_once_and_its_repeat_is_answered_again() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let bye = within("BYE", 2, &ok, "Reason: Q.850;cause=16\n", "");
    assert_eq!(starts(&world.say(&bye)), ["SIP/2.0 200"]);
    let cause = Cause { q850: Some(16), ..Cause::default() };
    assert_eq!(world.take_notices(0), [Notice::Ended { leg, why: Ended::Bye, cause }]);
    assert_eq!(starts(&world.say(&bye)), ["SIP/2.0 200"]);
    assert_eq!(starts(&world.say(&within("BYE", 3, &ok, "", ""))), ["SIP/2.0 481"]);
    world.act(0, leg, Act::Hangup { cause: Cause::default() });
    assert!(world.take_notices(0).is_empty() && world.take_sent(0).is_empty());
    world.wait(40);
    assert!(world.is_quiet());
}

#[test]
fn a_lower_sequence_number_is_refused() {
    let mut world = World::single(|_| {});
    let (_, ok) = world.talking("");
    assert_eq!(starts(&world.say(&within("OPTIONS", 5, &ok, "", ""))), ["SIP/2.0 200"]);
    assert_eq!(starts(&world.say(&within("INFO", 4, &ok, "", ""))), ["SIP/2.0 500"]);
    assert_eq!(starts(&world.say(&within("INFO", 6, &ok, "", ""))), ["SIP/2.0 200"]);
    assert_eq!(starts(&world.say(&within("INFO", 7, &ok, "", "x\n"))), ["SIP/2.0 415"]);
    assert_eq!(starts(&world.say(&within("PUBLISH", 8, &ok, "", ""))), ["SIP/2.0 405"]);
}

#[test]
fn a_key_goes_in_an_info_and_a_refusal_of_it_ends_nothing() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let sent = world.acts(leg, Act::Press { key: '#' });
    let [info] = &sent[..] else { panic!("{sent:?}") };
    assert!(info.starts_with("INFO ") && info.contains("application/dtmf-relay"), "{info}");
    assert!(info.ends_with("\r\n\r\nSignal=#\r\nDuration=100\r\n"), "{info}");
    world.say(&answer(info, 405, "", "", ""));
    assert_eq!(world.take_notices(0), []);
    assert_eq!(starts(&world.say(&within("OPTIONS", 5, &ok, "", ""))), ["SIP/2.0 200"]);
}

#[test]
fn a_key_in_info_is_told_once_however_the_phone_writes_it() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let info = |seq, kind: &str, body: &str| {
        within("INFO", seq, &ok, "", body).replace("application/sdp", kind)
    };
    let (relay, plain) = ("application/dtmf-relay", "application/dtmf");
    let pressed = [
        (relay, "Signal=5\nDuration=160\n", '5'),
        (relay, "signal = *\nduration = 250\n", '*'),
        (relay, "Signal=11\n", '#'),
        (plain, "0", '0'),
        (plain, "10\n", '*'),
        (plain, "d\n", 'D'),
    ];
    for (seq, (kind, body, key)) in (2..).zip(pressed) {
        let info = info(seq, kind, body);
        assert_eq!(starts(&world.say(&info)), ["SIP/2.0 200"], "{body:?}");
        assert_eq!(world.take_notices(0), [Notice::Key { leg, key }], "{body:?}");
        assert_eq!(starts(&world.say(&info)), ["SIP/2.0 200"], "a repeat");
        assert_eq!(world.take_notices(0), []);
    }
    for (seq, (kind, body)) in
        (20..).zip([(relay, "Duration=160\n"), (relay, "Signal=\n"), (plain, "17"), (plain, "é")])
    {
        assert_eq!(starts(&world.say(&info(seq, kind, body))), ["SIP/2.0 415"], "{body:?}");
    }
}

#[test]
fn a_reinvite_is_the_users_to_answer() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let held = within("INVITE", 2, &ok, "", "v=0 hold\n");
    assert_eq!(starts(&world.say(&held)), ["SIP/2.0 100"]);
    let offer = Some(sdp("v=0 hold\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Offered { leg, offer }]);
    // Another offer before the answer has to wait, and BYE would end both.
    let second = world.say(&within("INVITE", 3, &ok, "", "v=0 more\n"));
    assert_eq!(status(&second[0]), 500);
    assert!(header(&second[0], "Retry-After").parse::<u32>().unwrap() <= 10);
    assert_eq!(starts(&world.say(&within("UPDATE", 4, &ok, "", "v=0 more\n"))), ["SIP/2.0 500"]);
    let sent = world.acts(leg, Act::AnswerOffer { body: sdp("v=0 held\r\n") });
    assert_eq!((status(&sent[0]), header(&sent[0], "CSeq")), (200, "2 INVITE"));
    assert_eq!(starts(&world.say(&within("INVITE", 5, &ok, "", "v=0 x\n"))), ["SIP/2.0 491"]);
    let ack = within("ACK", 2, &ok, "", "").replace("CSeq: 1 ", "CSeq: 2 ");
    world.say(&ack);
    let repeated = world.wait(10);
    assert!(repeated.iter().all(|m| status(m) >= 400), "only what has no ACK is repeated");
    world.say(&within("INVITE", 6, &ok, "", "v=0 y\n"));
    world.take_notices(0);
    let refused = world.acts(leg, Act::RefuseOffer { status: 488 });
    assert_eq!(starts(&refused), ["SIP/2.0 488"]);
    assert!(header(&refused[0], "Warning").starts_with("305 192.0.2.1:5060 \"Served here: "));
    assert!(world.nodes[0].agent.is_live(leg));
}

#[test]
fn a_reinvite_without_an_offer_wants_ours() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    world.say(&within("INVITE", 2, &ok, "", ""));
    assert_eq!(world.take_notices(0), [Notice::Offered { leg, offer: None }]);
    world.acts(leg, Act::AnswerOffer { body: sdp("v=0 ours\r\n") });
    let ack = within("ACK", 2, &ok, "", "v=0 theirs\n").replace("CSeq: 1 ", "CSeq: 2 ");
    world.say(&ack);
    let answer = Some(sdp("v=0 theirs\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Confirmed { leg, answer }]);
}

#[test]
fn an_offer_of_ours_is_acknowledged_and_glare_is_tried_again() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let sent = world.acts(leg, Act::Offer { body: sdp("v=0 new\r\n") });
    assert!(sent[0].starts_with("INVITE sip:gw@192.0.2.2:5060 "));
    assert_eq!(starts(&world.say(&within("INVITE", 2, &ok, "", "v=0 x\n"))), ["SIP/2.0 491"]);
    assert_eq!(starts(&world.say(&answer(&sent[0], 491, "", "", ""))), ["ACK"]);
    // We did not make the Call-ID: within two seconds.
    let again: Vec<_> = world.wait(2).into_iter().filter(|m| m.starts_with("INVITE")).collect();
    assert_eq!(again.len(), 1);
    let sent = world.say(&answer(&again[0], 200, "", "", "v=0 yes\n"));
    assert_eq!(starts(&sent), ["ACK"]);
    assert_eq!(
        header(&sent[0], "CSeq").split(' ').next(),
        header(&again[0], "CSeq").split(' ').next()
    );
    let body = sdp("v=0 yes\r\n");
    assert_eq!(world.take_notices(0), [Notice::OfferAnswered { leg, answer: body, more: false }]);
    let twice = world.say(&answer(&again[0], 200, "", "", "v=0 yes\n"));
    assert_eq!(twice, sent, "the ACK again");
}

#[test]
fn a_refused_offer_leaves_the_call_and_a_481_ends_it() {
    let mut world = World::single(|_| {});
    let (leg, _) = world.talking("");
    let sent = world.acts(leg, Act::Offer { body: sdp("v=0 new\r\n") });
    world.say(&answer(&sent[0], 488, "", "", ""));
    assert_eq!(world.take_notices(0), [Notice::OfferRefused { leg, status: 488, more: false }]);
    let sent = world.acts(leg, Act::Offer { body: sdp("v=0 new\r\n") });
    assert_eq!(starts(&world.say(&answer(&sent[0], 481, "", "", ""))), ["ACK", "BYE"]);
    let cause = Cause::default();
    assert_eq!(world.take_notices(0), [Notice::Ended { leg, why: Ended::Lost, cause }]);
}

#[test]
fn the_side_that_was_asked_to_refresh_does_so_by_update() {
    let mut world = World::single(|_| {});
    let more = "Supported: timer\nSession-Expires: 200;refresher=uas\nAllow: INVITE, ACK, UPDATE\n";
    let (leg, ok) = world.talking(more);
    assert_eq!(header(&ok, "Session-Expires"), "200;refresher=uas");
    let sent = world.wait(101);
    assert_eq!(starts(&sent)[0], "UPDATE");
    assert_eq!(header(&sent[0], "Session-Expires"), "200;refresher=uac");
    assert!(sent[0].contains("Content-Length: 0"));
    world.say(&answer(&sent[0], 200, "", "Session-Expires: 200;refresher=uac\n", ""));
    let sent = world.wait(101);
    assert_eq!(starts(&sent)[0], "UPDATE");
    // The peer has vanished: the refresh is not answered.
    let sent = world.wait(40);
    assert!(sent.last().unwrap().starts_with("BYE"));
    let cause = Cause::default();
    assert_eq!(world.take_notices(0), [Notice::Ended { leg, why: Ended::Lost, cause }]);
}

#[test]
fn without_update_a_reinvite_with_our_last_description_refreshes() {
    let mut world = World::single(|_| {});
    let more = "Session-Expires: 200\nAllow: INVITE, ACK\n";
    let (leg, ok) = world.talking(more);
    assert_eq!(header(&ok, "Session-Expires"), "200;refresher=uas");
    let sent = world.wait(101);
    assert_eq!(starts(&sent)[0], "INVITE");
    assert!(sent[0].ends_with("v=0 answer\r\n"));
    assert_eq!(starts(&world.say(&answer(&sent[0], 200, "", "", "v=0 moved\n"))), ["ACK"]);
    let answer = sdp("v=0 moved\r\n");
    assert_eq!(world.take_notices(0), [Notice::OfferAnswered { leg, answer, more: false }]);
}

/// An UPDATE before the answer was the last that anything was agreed by.
#[test]
fn a_refresh_repeats_what_was_said_before_the_answer_unless_another_phone_of_a_fork_gave_it() {
    for tag in ["x", "y"] {
        let mut world = World::single(|_| {});
        let (leg, invite) = world.calling();
        let offer = invite.split_once("\r\n\r\n").unwrap().1.to_string();
        let prack = world.say(&answer(&invite, 183, "x", "Require: 100rel\nRSeq: 1\n", "v=0 a\n"));
        world.say(&answer(&prack[0], 200, "", "", ""));
        world.say(&within("UPDATE", 2, &turned(&prack[0]), "", "v=0 moved\n"));
        world.acts(leg, Act::AnswerOffer { body: sdp("v=0 early\r\n") });
        let more = "Require: timer\nSession-Expires: 200;refresher=uac\nAllow: INVITE\n";
        world.say(&answer(&invite, 200, tag, more, "v=0 b\n"));
        let sent = world.wait(101);
        assert_eq!(starts(&sent)[0], "INVITE");
        let ours = if tag == "x" { "v=0 early\r\n" } else { &*offer };
        assert!(sent[0].ends_with(ours), "{tag}: {}", sent[0]);
    }
}

#[test]
fn what_waits_behind_an_offer_is_told_with_its_answer() {
    let mut world = World::single(|_| {});
    let (leg, _) = world.talking("");
    let first = world.acts(leg, Act::Offer { body: sdp("v=0 new\r\n") });
    assert!(world.acts(leg, Act::Offer { body: sdp("v=0 newer\r\n") }).is_empty());
    let second = world.say(&answer(&first[0], 200, "", "", "v=0 yes\n"));
    let body = sdp("v=0 yes\r\n");
    assert_eq!(world.take_notices(0), [Notice::OfferAnswered { leg, answer: body, more: true }]);
    assert!(world.acts(leg, Act::Offer { body: sdp("v=0 newest\r\n") }).is_empty());
    world.say(&answer(&second[1], 488, "", "", ""));
    assert_eq!(world.take_notices(0), [Notice::OfferRefused { leg, status: 488, more: true }]);
}

#[test]
fn a_session_that_the_peer_does_not_refresh_expires() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("Supported: timer\nSession-Expires: 90\n");
    assert_eq!(header(&ok, "Session-Expires"), "90;refresher=uac");
    assert_eq!(header(&ok, "Require"), "timer");
    world.wait(50);
    let refresh = within("UPDATE", 2, &ok, "Supported: timer\nSession-Expires: 90\n", "");
    let sent = world.say(&refresh);
    assert_eq!((status(&sent[0]), header(&sent[0], "Session-Expires")), (200, "90;refresher=uac"));
    assert!(world.wait(59).is_empty());
    assert_eq!(starts(&world.wait(2))[0], "BYE");
    let cause = Cause::default();
    assert_eq!(world.take_notices(0), [Notice::Ended { leg, why: Ended::Expired, cause }]);
}

#[test]
fn a_contact_with_a_name_is_looked_up_and_until_then_the_peer_is_where_it_was() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let moved = |seq, to: &str| {
        within("UPDATE", seq, &ok, "", "").replace("gw@192.0.2.2:5060", &format!("gw@{to}"))
    };
    world.say(&moved(2, "old.carrier.example:5070"));
    world.say(&moved(3, "pbx.carrier.example:5080"));
    world.acts(leg, Act::Offer { body: sdp("v=0\r\n") });
    assert_eq!(world.last_peer(), "192.0.2.2:5060");
    world.resolve("old.carrier.example", &["192.0.2.98"]);
    world.resolve("pbx.carrier.example", &["192.0.2.99"]);
    let sent = world.acts(leg, Act::Hangup { cause: Cause::default() });
    assert!(sent[0].starts_with("BYE sip:gw@pbx.carrier.example:5080 "));
    assert_eq!(world.last_peer(), "192.0.2.99:5080");
}

#[test]
fn a_record_route_with_a_name_is_looked_up_and_the_address_heard_is_kept_if_it_is_one_of_them() {
    for (answer, peer) in [
        (&["192.0.2.7", "192.0.2.8"][..], "192.0.2.7:5060"),
        (&["192.0.2.7", "192.0.2.2"], "192.0.2.2:5060"),
        (&[], "192.0.2.2:5060"),
    ] {
        let mut world = World::single(|_| {});
        let (leg, _) = world.talking("Record-Route: <sip:sbc.carrier.example:5060;lr>\n");
        world.resolve("sbc.carrier.example", answer);
        let sent = world.acts(leg, Act::Hangup { cause: Cause::default() });
        assert!(sent[0].starts_with("BYE sip:gw@192.0.2.2:5060 "), "{sent:?}");
        assert_eq!(world.last_peer(), peer);
    }
}

#[test]
fn the_answer_of_a_name_that_is_known_is_acknowledged_there() {
    let mut world = World::single(|_| {});
    let named = |text: String| text.replace("192.0.2.2:5060>", "sbc.carrier.example:5060>");
    let (_, invite) = world.calling();
    world.say(&named(answer(&invite, 183, "x", "Require: 100rel\nRSeq: 1\n", "")));
    world.resolve("sbc.carrier.example", &["192.0.2.9"]);
    let sent = world.say(&named(answer(&invite, 200, "x", "", "v=0\n")));
    assert!(sent[0].starts_with("ACK sip:gwx@sbc.carrier.example:5060 "));
    assert_eq!(world.last_peer(), "192.0.2.9:5060");
}

#[test]
fn a_new_contact_is_where_the_next_request_goes() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let moved = within("UPDATE", 2, &ok, "", "").replace("gw@192.0.2.2:5060", "gw@192.0.2.2:5099");
    world.say(&moved);
    let sent = world.acts(leg, Act::Hangup { cause: Cause::default() });
    assert!(sent[0].starts_with("BYE sip:gw@192.0.2.2:5099 "));
}

const REFRESHED_BY_US: &str =
    "Supported: timer\nSession-Expires: 200;refresher=uas\nAllow: INVITE, ACK, UPDATE\n";

#[test]
fn a_transport_that_fails_or_a_503_does_not_end_a_talking_call() {
    let mut world = World::single(|_| {});
    let (leg, _) = world.talking(REFRESHED_BY_US);
    assert_eq!(starts(&world.wait(101))[0], "UPDATE");
    let hop = Hop { transport: Transport::Udp, local: addr(1), peer: addr(2), flow: None };
    world.with(0, |agent, cx, out| agent.unreachable(cx, hop, out));
    assert_eq!(world.take_notices(0), []);
    let again = world.wait(30);
    assert_eq!(starts(&again)[0], "UPDATE");
    world.say(&answer(&again[0], 200, "", "Session-Expires: 200;refresher=uac\n", ""));
    let offer = world.acts(leg, Act::Offer { body: sdp("v=0 new\r\n") });
    world.say(&answer(&offer[0], 503, "", "", ""));
    assert_eq!(world.take_notices(0), []);
    let again = world.wait(30);
    assert!(again[0].starts_with("INVITE ") && again[0].ends_with("v=0 new\r\n"), "{again:?}");
    world.say(&answer(&again[0], 200, "", "", "v=0 yes\n"));
    let body = sdp("v=0 yes\r\n");
    assert_eq!(world.take_notices(0), [Notice::OfferAnswered { leg, answer: body, more: false }]);
}

#[test]
fn a_refresh_that_fell_due_while_an_offer_was_refused_is_not_forgotten() {
    let mut world = World::single(|_| {});
    let (leg, _) = world.talking(REFRESHED_BY_US);
    world.wait(98);
    let offer = world.acts(leg, Act::Offer { body: sdp("v=0 new\r\n") });
    world.say(&answer(&offer[0], 100, "", "", ""));
    world.wait(5);
    world.say(&answer(&offer[0], 488, "", "", ""));
    assert_eq!(world.take_notices(0), [Notice::OfferRefused { leg, status: 488, more: false }]);
    assert!(world.wait(30).iter().any(|sent| sent.starts_with("UPDATE ")));
}
