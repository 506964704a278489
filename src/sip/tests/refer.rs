//! REFER inside a dialog (RFC 3515), and Replaces (RFC 3891).

use super::world::*;
use crate::base::LegId;
use crate::sip::{Act, Notice, Refer, Replaced};

fn refer(world: &mut World, seq: u32, ok: &str, more: &str) -> Refer {
    let sent = world.say(&within("REFER", seq, ok, more, ""));
    assert_eq!(starts(&sent), [] as [&str; 0], "the user answers");
    match &world.take_notices(0)[..] {
        [Notice::Referred { refer, .. }] => (**refer).clone(),
        other => panic!("{other:?}"),
    }
}

fn acts(world: &mut World, leg: LegId, act: Act) -> Vec<String> {
    world.acts(leg, act)
}

#[test]
fn a_refer_is_accepted_and_its_way_is_told() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let asked = refer(&mut world, 2, &ok, "Refer-To: <sip:op2@helpline.example>\n");
    assert_eq!((asked.to.user.as_str(), asked.replaces), ("op2", None));
    assert_eq!(starts(&acts(&mut world, leg, Act::AnswerRefer { status: 202 })), ["SIP/2.0 202"]);
    let sent = acts(&mut world, leg, Act::Report { status: 100 });
    assert!(sent[0].starts_with("NOTIFY sip:gw@192.0.2.2:5060 "), "{sent:?}");
    assert_eq!(header(&sent[0], "Event"), "refer");
    assert_eq!(header(&sent[0], "Subscription-State"), "active;expires=300");
    let fragment = "Content-Type: message/sipfrag;version=2.0\r\nContent-Length: 20\r\n\r\n\
                    SIP/2.0 100 Trying\r\n";
    assert!(sent[0].ends_with(fragment), "{}", sent[0]);
    world.say(&answer(&sent[0], 200, "", "", ""));
    // One at a time.
    let again = within("REFER", 3, &ok, "Refer-To: <sip:op3@helpline.example>\n", "");
    assert_eq!(starts(&world.say(&again)), ["SIP/2.0 491"]);
    let sent = acts(&mut world, leg, Act::Report { status: 486 });
    assert_eq!(header(&sent[0], "Subscription-State"), "terminated;reason=noresource");
    assert!(sent[0].contains("SIP/2.0 486 Busy Here"), "{}", sent[0]);
    assert_eq!(acts(&mut world, leg, Act::Report { status: 200 }), [] as [String; 0], "it is over");
    // A peer that has lost the subscription has not lost the call (RFC 5057).
    world.say(&answer(&sent[0], 481, "", "", ""));
    assert!(world.nodes[0].agent.is_live(leg));
    refer(&mut world, 4, &ok, "Refer-To: <sip:op3@helpline.example>\n");
    acts(&mut world, leg, Act::AnswerRefer { status: 202 });
    let sent = acts(&mut world, leg, Act::Report { status: 100 });
    assert_eq!(header(&sent[0], "Event"), "refer;id=4", "the second of its dialog");
}

#[test]
fn who_does_not_want_to_know_is_not_told() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let more = "Refer-To: <sip:op2@helpline.example>\nRefer-Sub: false\nRequire: norefersub\n";
    refer(&mut world, 2, &ok, more);
    let sent = acts(&mut world, leg, Act::AnswerRefer { status: 202 });
    assert_eq!(header(&sent[0], "Refer-Sub"), "false");
    assert_eq!(acts(&mut world, leg, Act::Report { status: 200 }), [] as [String; 0]);
}

#[test]
fn what_is_no_refer_is_refused() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    for (seq, (more, status)) in (2..).zip([
        ("", "SIP/2.0 400"),
        ("Refer-To: <sip:a@b;method=BYE>\n", "SIP/2.0 501"),
        ("Refer-To: <sip:a@b?Replaces=nothing>\n", "SIP/2.0 400"),
    ]) {
        assert_eq!(starts(&world.say(&within("REFER", seq, &ok, more, ""))), [status], "{more}");
    }
    assert_eq!(starts(&world.say(&within("NOTIFY", 9, &ok, "", ""))), ["SIP/2.0 481"]);
    refer(&mut world, 10, &ok, "Refer-To: <tel:+917552551234>\n");
    let refused = acts(&mut world, leg, Act::AnswerRefer { status: 403 });
    assert_eq!(starts(&refused), ["SIP/2.0 403"]);
    assert_eq!(acts(&mut world, leg, Act::Report { status: 100 }), [] as [String; 0]);
}

#[test]
fn replaces_finds_the_leg_whose_dialog_it_names_and_no_other() {
    let mut world = World::single(|_| {});
    let (leg, ok) = world.talking("");
    let tag = |name: &str| header(&ok, name).split(";tag=").nth(1).unwrap().to_string();
    let dialog = Replaced {
        call_id: header(&ok, "Call-ID").into(),
        local_tag: tag("To"),
        remote_tag: tag("From"),
        early_only: false,
    };
    let agent = &world.nodes[0].agent;
    assert_eq!(agent.replaced(&dialog), Ok(leg));
    let early = Replaced { early_only: true, ..dialog.clone() };
    assert_eq!(agent.replaced(&early), Err(486));
    let other = Replaced { call_id: "other".into(), ..dialog.clone() };
    assert_eq!(agent.replaced(&other), Err(481));
    let swapped = Replaced {
        local_tag: dialog.remote_tag.clone(),
        remote_tag: dialog.local_tag.clone(),
        ..dialog.clone()
    };
    assert_eq!(agent.replaced(&swapped), Err(481));
    let text = format!(
        "Refer-To: <sip:op2@x?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>\n",
        dialog.call_id, dialog.local_tag, dialog.remote_tag
    );
    assert_eq!(refer(&mut world, 2, &ok, &text).replaces, Some(dialog));
}
