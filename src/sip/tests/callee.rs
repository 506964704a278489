//! Calls that come in: RFC 3261 sections 8.2, 9.2, 13.3 and 15, RFC 3262, RFC 4028.

use super::world::*;
use crate::sip::*;

#[test]
fn a_call_is_tried_rung_and_answered_in_one_dialog() {
    let mut world = World::single(|_| {});
    let routes = "Record-Route: <sip:192.0.2.2;lr>, <sip:192.0.2.3;lr>\n";
    let tried = world.say(&invite(routes, "v=0 offer\n"));
    assert_eq!(starts(&tried), ["SIP/2.0 100"]);
    assert!(!header(&tried[0], "To").contains("tag"));
    assert!(header(&tried[0], "Via").ends_with(";received=192.0.2.2;rport=5060"));
    let leg = world.invited();
    let rung = world.acts(leg, Act::Ring { status: 180, body: None });
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") });
    assert_eq!((starts(&rung), starts(&ok)), (vec!["SIP/2.0 180"], vec!["SIP/2.0 200"]));
    assert_eq!(header(&rung[0], "To"), header(&ok[0], "To"));
    assert_eq!(header(&ok[0], "Contact"), "<sip:192.0.2.1:5060>");
    assert_eq!(header(&ok[0], "Record-Route"), "<sip:192.0.2.2;lr>, <sip:192.0.2.3;lr>");
    assert!(ok[0].ends_with("\r\n\r\nv=0 answer\r\n"));
    // The repeat of the INVITE is absorbed; the 2xx is repeated by its own clock until the ACK.
    assert!(world.say(&invite(routes, "v=0 offer\n")).is_empty());
    assert_eq!(world.wait(4).len(), 3);
    world.say(&within("ACK", 1, &ok[0], "", ""));
    assert!(world.wait(8).is_empty());
    let bye = world.acts(leg, Act::Hangup { cause: Cause { q850: Some(16), ..Cause::default() } });
    assert!(bye[0].starts_with("BYE sip:gw@192.0.2.2:5060 SIP/2.0"));
    assert_eq!(header(&bye[0], "Route"), "<sip:192.0.2.2;lr>");
    assert_eq!(header(&bye[0], "Reason"), "Q.850;cause=16");
    world.say(&answer(&bye[0], 200, "", "", ""));
    assert_eq!(world.nodes[0].agent.counts().legs, 0);
}

#[test]
fn a_2xx_without_ack_ends_the_call_with_a_bye() {
    let mut world = World::single(|_| {});
    world.say(&invite("", "v=0 offer\n"));
    let leg = world.invited();
    world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") });
    let sent = world.wait(33);
    assert_eq!(sent.iter().filter(|m| m.starts_with("SIP/2.0 200")).count(), 10);
    assert!(sent.last().unwrap().starts_with("BYE "));
    let end = [Notice::Ended { leg, why: Ended::NoAck, cause: Cause::default() }];
    assert_eq!(world.take_notices(0), end);
    world.wait(40);
    assert!(world.is_quiet(), "the BYE is lost, and given up");
}

#[test]
fn a_hangup_before_the_ack_waits_for_it() {
    let mut world = World::single(|_| {});
    world.say(&invite("", "v=0 offer\n"));
    let leg = world.invited();
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") }).remove(0);
    assert!(world.acts(leg, Act::Hangup { cause: Cause::default() }).is_empty());
    assert_eq!(starts(&world.say(&within("ACK", 1, &ok, "", ""))), ["BYE"]);
    assert!(world.take_notices(0).is_empty());
}

#[test]
fn cancel_gets_200_and_the_invite_487() {
    let mut world = World::single(|_| {});
    let text = invite("", "v=0 offer\n");
    world.say(&text);
    let leg = world.invited();
    let cancel = invite("Reason: SIP;cause=200;text=\"elsewhere\"\n", "");
    let cancel = cancel.replace("INVITE", "CANCEL");
    let sent = world.say(&cancel);
    assert_eq!(starts(&sent), ["SIP/2.0 200", "SIP/2.0 487"]);
    assert_eq!(header(&sent[0], "To"), header(&sent[1], "To"));
    let cause = Cause { sip: Some(200), q850: None, text: "elsewhere".into() };
    assert_eq!(world.take_notices(0), [Notice::Ended { leg, why: Ended::Cancelled, cause }]);
    assert_eq!(starts(&world.wait(1)), ["SIP/2.0 487"], "until its ACK");
    let ack = invite("", "").replace("INVITE", "ACK");
    let to = format!("To: {}", header(&sent[1], "To"));
    world.say(&ack.replace("To: <sip:181@192.0.2.1>", &to));
    assert!(world.wait(10).is_empty());
    assert_eq!(starts(&world.say(&cancel.replace("z9hG4bKi", "z9hG4bKother"))), ["SIP/2.0 481"]);
}

#[test]
fn a_call_without_an_offer_gets_one_and_answers_in_the_ack() {
    let mut world = World::single(|_| {});
    world.say(&invite("", ""));
    let leg = world.invited();
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 ours\r\n") }).remove(0);
    world.say(&within("ACK", 1, &ok, "", "v=0 theirs\n"));
    let answer = Some(sdp("v=0 theirs\r\n"));
    assert_eq!(world.take_notices(0), [Notice::Confirmed { leg, answer }]);
}

#[test]
fn a_caller_that_requires_100rel_gets_reliable_ringing() {
    let mut world = World::single(|_| {});
    world.say(&invite("Require: 100rel\n", "v=0 offer\n"));
    let leg = world.invited();
    let rung = world.acts(leg, Act::Ring { status: 183, body: Some(sdp("v=0 early\r\n")) });
    assert_eq!(header(&rung[0], "Require"), "100rel");
    let rseq = header(&rung[0], "RSeq").to_string();
    assert_eq!(world.wait(2).len(), 2, "repeated until the PRACK");
    // The answer waits for the PRACK of the description, and carries none itself.
    assert!(world.acts(leg, Act::Answer { body: sdp("v=0 early\r\n") }).is_empty());
    let wrong = within("PRACK", 2, &rung[0], "RAck: 1 1 INVITE\n", "");
    assert_eq!(starts(&world.say(&wrong)), ["SIP/2.0 481"]);
    let wrong = within("PRACK", 3, &rung[0], &format!("RAck: {rseq} 2 INVITE\n"), "");
    assert_eq!(starts(&world.say(&wrong)), ["SIP/2.0 481"]);
    let prack = within("PRACK", 4, &rung[0], &format!("RAck: {rseq} 1 INVITE\n"), "");
    let sent = world.say(&prack);
    assert_eq!(starts(&sent), ["SIP/2.0 200", "SIP/2.0 200"]);
    assert_eq!(header(&sent[1], "CSeq"), "1 INVITE");
    assert!(sent[1].contains("Content-Length: 0"));
    world.say(&within("ACK", 1, &sent[1], "", ""));
    assert_eq!(world.take_notices(0), [Notice::Confirmed { leg, answer: None }]);
}

#[test]
fn a_prack_may_come_after_the_2xx_and_once() {
    let mut world = World::single(|_| {});
    world.say(&invite("Require: 100rel\n", "v=0 offer\n"));
    let leg = world.invited();
    let rung = world.acts(leg, Act::Ring { status: 180, body: None });
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") });
    assert_eq!(starts(&ok), ["SIP/2.0 200"]);
    let rack = format!("RAck: {} 1 INVITE\n", header(&rung[0], "RSeq"));
    assert_eq!(starts(&world.say(&within("PRACK", 2, &rung[0], &rack, ""))), ["SIP/2.0 200"]);
    assert_eq!(starts(&world.say(&within("PRACK", 3, &rung[0], &rack, ""))), ["SIP/2.0 481"]);
    world.say(&within("ACK", 1, &ok[0], "", ""));
    assert_eq!(world.take_notices(0), [Notice::Confirmed { leg, answer: None }]);
}

#[test]
fn an_offer_in_a_prack_is_the_users_to_answer_and_the_2xx_waits_for_it() {
    for refused in [false, true] {
        let mut world = World::single(|_| {});
        world.say(&invite("Require: 100rel\n", "v=0 offer\n"));
        let leg = world.invited();
        let rung = world.acts(leg, Act::Ring { status: 183, body: Some(sdp("v=0 early\r\n")) });
        let rack = format!("RAck: {} 1 INVITE\n", header(&rung[0], "RSeq"));
        let prack = within("PRACK", 2, &rung[0], &rack, "v=0 more\n");
        assert!(world.say(&prack).is_empty());
        let offer = Some(sdp("v=0 more\r\n"));
        assert_eq!(world.take_notices(0), [Notice::Offered { leg, offer }]);
        assert!(world.acts(leg, Act::Answer { body: sdp("v=0 early\r\n") }).is_empty());
        assert!(world.wait(2).is_empty(), "what was acknowledged is not repeated");
        let act = match refused {
            true => Act::RefuseOffer { status: 488 },
            false => Act::AnswerOffer { body: sdp("v=0 yes\r\n") },
        };
        let sent = world.acts(leg, act);
        assert_eq!(status(&sent[0]), if refused { 488 } else { 200 });
        assert_eq!(sent[0].ends_with("v=0 yes\r\n"), !refused);
        assert_eq!((header(&sent[0], "CSeq"), header(&sent[1], "CSeq")), ("2 PRACK", "1 INVITE"));
        assert_eq!(status(&sent[1]), 200);
    }
}

#[test]
fn an_offer_that_is_not_answered_when_the_call_ends_gets_a_487() {
    let mut world = World::single(|_| {});
    let text = invite("Require: 100rel\n", "v=0 offer\n");
    world.say(&text);
    let leg = world.invited();
    let rung = world.acts(leg, Act::Ring { status: 183, body: Some(sdp("v=0 early\r\n")) });
    let rack = format!("RAck: {} 1 INVITE\n", header(&rung[0], "RSeq"));
    world.say(&within("PRACK", 2, &rung[0], &rack, ""));
    world.say(&within("UPDATE", 3, &rung[0], "", "v=0 more\n"));
    let refuse = Act::Refuse { status: 486, cause: None, retry_after: None };
    let sent = world.acts(leg, refuse);
    assert_eq!(starts(&sent), ["SIP/2.0 486", "SIP/2.0 487"]);
    world.wait(40);
    assert!(world.is_quiet());
}

#[test]
fn ringing_without_a_prack_ends_the_call() {
    let mut world = World::single(|_| {});
    world.say(&invite("Require: 100rel\n", "v=0 offer\n"));
    let leg = world.invited();
    world.acts(leg, Act::Ring { status: 180, body: None });
    let sent = world.wait(64);
    assert!(sent.iter().any(|m| status(m) == 504), "{:?}", starts(&sent));
    let cause = Cause::default();
    assert_eq!(world.take_notices(0), [Notice::Ended { leg, why: Ended::Lost, cause }]);
}

#[test]
fn ringing_goes_on_each_minute() {
    let mut world = World::single(|_| {});
    world.say(&invite("", "v=0 offer\n"));
    let leg = world.invited();
    world.acts(leg, Act::Ring { status: 180, body: None });
    assert_eq!(starts(&world.wait(121)), ["SIP/2.0 180", "SIP/2.0 180"]);
}

#[test]
fn what_cannot_be_served_is_refused_with_what_would_be() {
    let mut world = World::single(|_| {});
    let mut ask = |text: String| world.say(&text).remove(0);
    let unknown = ask(invite("Require: magic\n", ""));
    assert_eq!((status(&unknown), header(&unknown, "Unsupported")), (420, "magic"));
    let strange = invite("", "x\n").replace("application/sdp", "text/plain");
    let strange = ask(strange);
    assert_eq!((status(&strange), header(&strange, "Accept")), (415, "application/sdp"));
    assert_eq!(status(&ask(invite("Accept: text/plain\n", ""))), 406);
    let brief = ask(invite("Supported: timer\nSession-Expires: 60\n", ""));
    assert_eq!((status(&brief), header(&brief, "Min-SE")), (422, "90"));
    let refer = ask(invite("", "").replace("INVITE", "PUBLISH"));
    assert_eq!(status(&refer), 405);
    assert!(header(&refer, "Allow").contains("UPDATE"));
    assert_eq!(status(&ask(invite("", "").replace("INVITE", "FOO"))), 501);
    assert_eq!(status(&ask(invite("", "").replace("INVITE", "BYE"))), 481);
    assert_eq!(
        status(&ask(invite("", "").replace("To: <sip:181@192.0.2.1>", "To: <sip:x>;tag=y"))),
        481
    );
    assert!(world.is_quiet(), "none of it leaves a trace");
}

#[test]
fn a_promise_of_secrecy_is_not_given_in_clear() {
    let mut world = World::single(|_| {});
    let sips = |text: &str, what: &str| text.replace(what, &what.replace("sip:", "sips:"));
    let plain = invite("", "v=0 offer\n");
    for what in ["INVITE sip:181", "<sip:gw@192.0.2.2:5060>"] {
        assert_eq!(starts(&world.say(&sips(&plain, what))), ["SIP/2.0 416"], "{what}");
    }
    assert!(world.take_notices(0).is_empty());
    // A peer that turns to it in a call is asked where it was before.
    let (leg, ok) = world.talking("");
    let update = within("UPDATE", 2, &ok, "", "").replace("<sip:gw@192", "<sips:gw@198");
    world.say(&update);
    let bye = world.acts(leg, Act::Hangup { cause: Cause::default() }).remove(0);
    assert!(bye.starts_with("BYE sip:gw@192.0.2.2:5060 "), "{bye}");
    assert_eq!(world.last_peer(), "192.0.2.2:5060");
}

#[test]
fn the_same_call_by_another_path_is_a_loop() {
    let mut world = World::single(|_| {});
    world.say(&invite("", "v=0 offer\n"));
    let merged = invite("", "v=0 offer\n").replace("z9hG4bKi", "z9hG4bKother");
    assert_eq!(starts(&world.say(&merged)), ["SIP/2.0 482"]);
}

#[test]
fn a_stranger_is_challenged_without_a_trace() {
    let mut world = World::single(|_| {});
    let text = invite("", "v=0 offer\n").replace('\n', "\r\n");
    let stranger = "203.0.113.9:5060".parse().unwrap();
    let first = world.say_bytes(text.as_bytes(), stranger).remove(0);
    let again = world.say_bytes(text.as_bytes(), stranger).remove(0);
    assert_eq!(status(&first), 401);
    assert_eq!(header(&first, "To"), header(&again, "To"));
    assert!(header(&first, "WWW-Authenticate").contains("helpline.example"));
    assert!(world.is_quiet() && world.take_notices(0).is_empty());
}

#[test]
fn a_description_is_found_in_a_multipart_body() {
    let mut world = World::single(|_| {});
    let body = "--b1\nContent-Type: text/plain\n\nhello\n--b1\nContent-Type: application/sdp\n\n\
                v=0 inside\n--b1--\n";
    let text = invite("", body)
        .replace("application/sdp\nContent-L", "multipart/mixed;boundary=b1\nContent-L");
    world.say(&text);
    let notices = world.take_notices(0);
    let [Notice::Invited { invited, .. }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(invited.offer, Some(sdp("v=0 inside")));
}

#[test]
fn who_calls_is_read_from_what_the_carrier_asserts() {
    let mut world = World::single(|_| {});
    let more = "P-Asserted-Identity: \"A\" <sip:+917552551234@bsnl.in>\nPrivacy: id\n\
                P-Called-Party-ID: <sip:181@x>\nDiversion: <sip:2@x>, <sip:1@x>\n";
    world.say(&invite(more, ""));
    let notices = world.take_notices(0);
    let [Notice::Invited { invited, .. }] = &notices[..] else { panic!("{notices:?}") };
    let user = |party: &Option<Party>| party.as_ref().unwrap().user.clone();
    assert_eq!(user(&invited.asserted), "+917552551234");
    assert_eq!((user(&invited.called), user(&invited.diverted)), ("181".into(), "1".into()));
    assert!(invited.private);
    assert_eq!(invited.from.user, "9826012345");
}

#[test]
fn a_peer_of_rfc_2543_can_call_and_hang_up() {
    let mut world = World::single(|_| {});
    let old = |text: String| text.replace(";branch=z9hG4bKi", "").replace(";tag=f", "");
    assert_eq!(starts(&world.say(&old(invite("", "v=0 offer\n")))), ["SIP/2.0 100"]);
    assert_eq!(starts(&world.say(&old(invite("", "v=0 offer\n")))), ["SIP/2.0 100"], "a repeat");
    let leg = world.invited();
    let ok = world.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") }).remove(0);
    world.say(&within("ACK", 1, &ok, "", ""));
    assert_eq!(world.take_notices(0), [Notice::Confirmed { leg, answer: None }]);
    assert_eq!(starts(&world.say(&within("BYE", 2, &ok, "", ""))), ["SIP/2.0 200"]);
}

#[test]
fn too_many_calls_are_told_so() {
    let mut world = World::single(|_| {});
    world.careful = false;
    for n in 0..crate::base::limits::LEGS_MAX {
        let number = |text: String| text.replace("z9hG4bKi", &format!("z9hG4bK{n}"));
        world.say(&number(invite("", "")).replace("Call-ID: c1", &format!("Call-ID: {n}")));
        world.nodes[0].notices.clear();
    }
    let refusal = world.say(&invite("", "")).remove(0);
    assert_eq!(status(&refusal), 503);
    assert!((1..=10).contains(&header(&refusal, "Retry-After").parse().unwrap()));
    assert!(world.take_notices(0).is_empty());
}

#[test]
fn a_leg_that_talks_is_small() {
    let mut world = World::single(|_| {});
    let (leg, _) = world.talking("Supported: timer\nSession-Expires: 1800\n");
    world.wait(40);
    assert_eq!(world.nodes[0].agent.counts().transactions, 0);
    let kept = world.nodes[0].agent.legs.get(leg).unwrap();
    let inline = std::mem::size_of_val(kept);
    let strings = kept.dialog.local.len() + kept.dialog.remote.len() + kept.dialog.target.len();
    assert!(inline + strings < 1_500, "{inline} + {strings}");
    assert!(std::mem::size_of::<crate::sip::transaction::table::Transaction>() < 700);
}

#[test]
fn an_invite_of_ours_that_comes_back_to_us_is_a_loop() {
    let mut world = World::single(|_| {});
    let (leg, invite) = world.calling();
    let invite = invite.replace('\r', "");
    // By a proxy, with its Via on top.
    let via = "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKp;rport\nVia: ";
    let refused = world.say(&invite.replacen("Via: ", via, 1));
    assert_eq!(starts(&refused), ["SIP/2.0 482"]);
    // Straight.
    assert_eq!(starts(&world.say(&invite)), ["SIP/2.0 482"]);
    assert!(world.take_notices(0).is_empty(), "nobody hears of it");
    world.say(&answer(&invite, 482, "a", "", ""));
    let cause = Cause::default();
    let refused = Notice::Refused { leg, status: 482, cause, retry_after: None };
    assert_eq!(world.take_notices(0), [refused]);
    // A branch of that form which is nobody's is no loop.
    let other = invite.replacen("z9hG4bK", "z9hG4bK7", 1);
    assert_eq!(starts(&world.say(&other)), ["SIP/2.0 100"]);
}

#[test]
fn a_call_that_may_take_no_further_hop_is_not_handed_on() {
    let mut world = World::single(|_| {});
    let spent = invite("", "v=0 offer\n").replace("Max-Forwards: 70", "Max-Forwards: 0");
    assert_eq!(starts(&world.say(&spent)), ["SIP/2.0 483"]);
    let last = invite("", "v=0 offer\n").replace("Max-Forwards: 70", "Max-Forwards: 1");
    world.say(&last.replace("Call-ID: c1", "Call-ID: c2").replace("z9hG4bKi", "z9hG4bKj"));
    let forwards = world.take_notices(0).into_iter().find_map(|notice| match notice {
        Notice::Invited { invited, .. } => Some(invited.forwards),
        _ => None,
    });
    assert_eq!(forwards, Some(0));
}
