//! Ports whose far ends seal their sound: what goes on, what does not, and who is believed.

use super::*;
use crate::base::CallId;
use crate::media::control::{Ailment, Seals};
use crate::media::srtp::Seal;
use crate::media::{Side, Track};
use crate::wire::dtmf::Press;
use crate::wire::rtcp::{self, Part};
use crate::wire::sdp::{Master, Suite};

const A: &str = "192.0.2.40:4000";
const A_RTCP: &str = "192.0.2.40:4001";
const B: &str = "192.0.2.50:5000";
const B_RTCP: &str = "192.0.2.50:5001";
const STRANGER: &str = "198.51.100.66:6666";
const NEAR: fn() -> PortId = || port(30_000);
const PEER: fn() -> PortId = || port(30_002);

fn key(first: u8) -> Master {
    let octets: Vec<u8> = (first..).take(30).collect();
    Master::new(Suite::Cm80, &octets).unwrap()
}

/// The far end of a port that has agreed to these keys.
fn far_end(world: &mut World, port: PortId, (theirs, ours): (Master, Master), far: Far) -> Seal {
    world.command(Command::Seal { port, keys: Some(Seals { theirs, ours }) });
    world.command(Command::Agree { port, far });
    world.out.clear();
    Seal::new(Seals { theirs: ours, ours: theirs }, 0xfa5e)
}

/// A sealed far end at A, and a plain one at B.
fn one_sealed() -> (World, Seal) {
    let mut world = World::with(&[(NEAR(), far(A)), (PEER(), far(B))]);
    let seal = far_end(&mut world, NEAR(), (key(1), key(101)), far(A));
    world.bridge(NEAR(), PEER());
    (world, seal)
}

fn sealed(world: &World, seal: &mut Seal, mut packet: Vec<u8>) -> Vec<u8> {
    assert!(seal.seal(world.now, 8_000, &mut packet));
    packet
}

/// The one packet that is to go, if there is one, where to, and from which port.
fn sent(world: &mut World) -> Option<(PortId, SocketAddr, Vec<u8>)> {
    let mut frames = world.frames();
    assert!(frames.len() < 2, "{frames:?}");
    let frame = frames.pop()?;
    Some((frame.port, frame.to, [&frame.header, frame.payload()].concat()))
}

#[test]
fn each_leg_is_sealed_for_itself_and_a_plain_one_hears_plain_sound() {
    let (mut world, mut a) = one_sealed();
    let mut said = sealed(&world, &mut a, voice(1));
    assert_ne!(said[12..172], voice(1)[12..]);
    assert_eq!(world.rtp(NEAR(), A, &mut said), None, "it is another packet by now");
    let (port, to, heard) = sent(&mut world).unwrap();
    assert_eq!((port, to, &heard[12..]), (PEER(), address(B), &voice(1)[12..]));
    assert_eq!(world.rtp(PEER(), B, &mut voice(1)), None);
    let (port, to, mut heard) = sent(&mut world).unwrap();
    assert_eq!((port, to, heard.len()), (NEAR(), address(A), 182));
    assert_eq!(a.open(false, &mut heard), Some(172));
    assert_eq!(heard[12..172], voice(1)[12..]);
    // The other seals too, with keys of its own.
    let mut b = far_end(&mut world, PEER(), (key(50), key(150)), far(B));
    let mut said = sealed(&world, &mut b, voice(2));
    assert_eq!(world.rtp(PEER(), B, &mut said), None);
    let (_, _, mut heard) = sent(&mut world).unwrap();
    assert_eq!(b.open(false, &mut heard.clone()), None, "it is not for its ears");
    assert_eq!(a.open(false, &mut heard), Some(172));
    assert_eq!(heard[12..172], voice(2)[12..]);
    let figures = [world.figures(NEAR()), world.figures(PEER())];
    assert_eq!(figures.map(|f| (f.received, f.sent, f.refused)), [(1, 2, 0), (2, 1, 0)]);
}

#[test]
fn two_plain_ones_beside_a_sealed_one_are_passed_on_where_they_lie() {
    let (mut world, _) = one_sealed();
    let (c, d) = (port(30_004), port(30_006));
    for (port, at) in [(c, "192.0.2.60:6000"), (d, "192.0.2.70:7000")] {
        world.open(port);
        world.command(Command::Agree { port, far: far(at) });
    }
    world.bridge(c, d);
    let mut bytes = voice(1);
    let relay = world.rtp(c, "192.0.2.60:6000", &mut bytes).unwrap();
    assert_eq!((relay.port, bytes), (d, numbered(FIRST, voice(1))));
}

/// Nothing that is not proved is passed on, learned from or answered.
#[test]
fn only_who_has_the_key_is_heard_or_learned_from() {
    let (mut world, mut a) = one_sealed();
    let mut thief = Seal::new(Seals { theirs: key(9), ours: key(9) }, 1);
    for n in 1..60 {
        world.pass(20);
        for (from, number) in [(A, 2 * n), (STRANGER, 2 * n + 1)] {
            assert_eq!(world.rtp(NEAR(), from, &mut voice(n)), None);
            let mut bent = sealed(&world, &mut thief, voice(number));
            assert_eq!(world.rtp(NEAR(), from, &mut bent), None);
            let mut report = rtcp::build(77, None, &[], "x");
            assert_eq!(world.rtcp(NEAR(), from, &mut report), None);
        }
    }
    assert_eq!(world.out, [], "nothing is sent, and nobody is settled on");
    assert_eq!(world.figures(NEAR()).refused, 59 * 6);
    // The far end itself, from another port than it says, as behind a NAT.
    let behind = "192.0.2.40:4444";
    for n in 1..200 {
        world.pass(20);
        let mut said = sealed(&world, &mut a, voice(n));
        world.rtp(NEAR(), behind, &mut said);
    }
    assert!(world.events().contains(&Event::Latched { port: NEAR(), from: address(behind) }));
}

#[test]
fn a_packet_that_comes_again_is_passed_on_once() {
    let (mut world, mut a) = one_sealed();
    let all: Vec<Vec<u8>> = (1..=4).map(|n| sealed(&world, &mut a, voice(n))).collect();
    let mut heard = 0;
    for at in [0, 1, 0, 3, 2, 2, 3, 1] {
        world.rtp(NEAR(), A, &mut all[at].clone());
        heard += usize::from(sent(&mut world).is_some());
    }
    assert_eq!(heard, 4);
}

#[test]
fn music_announcements_and_reports_go_sealed_too() {
    let mut world = World::with(&[(NEAR(), far(A))]);
    let mut a = far_end(&mut world, NEAR(), (key(1), key(101)), far(A));
    let mut said = sealed(&world, &mut a, voice(1));
    world.rtp(NEAR(), A, &mut said);
    let then = Some(Music { tune: MUSIC, since: world.now });
    world.command(Command::Play { port: NEAR(), piece: 1, tunes: vec![PROMPT], then });
    world.pass(8_000);
    let (mut frames, mut reports) = (0, Vec::new());
    for effect in std::mem::take(&mut world.out) {
        match effect {
            Effect::Send(frame) => {
                let mut packet = [&frame.header, frame.payload()].concat();
                assert_eq!(a.open(false, &mut packet), Some(172));
                assert_ne!(packet[12..172], [0xd5; 160], "a tune");
                frames += 1;
            }
            Effect::Report { to, mut bytes, .. } => {
                assert_eq!(to, address(A_RTCP));
                let end = a.open(true, &mut bytes).unwrap();
                reports.push(rtcp::parse(&bytes[..end]).unwrap().remove(0));
            }
            other => assert!(!matches!(other, Effect::Bind { .. }), "{other:?}"),
        }
    }
    assert!((395..=405).contains(&frames), "{frames}");
    let Part::Sender { sent, reports, .. } = &reports[0] else { panic!("{reports:?}") };
    assert!((100..400).contains(&sent.packets), "{sent:?}");
    assert_eq!(reports.len(), 1, "of what is heard of it");
}

#[test]
fn what_either_tells_of_the_other_is_in_the_names_that_it_knows() {
    let (mut world, mut a) = one_sealed();
    let mut said = sealed(&world, &mut a, voice(1));
    world.rtp(NEAR(), A, &mut said);
    let spoken = u32::from_be_bytes(said[8..12].try_into().unwrap());
    world.rtp(PEER(), B, &mut voice(500));
    let frames = world.frames();
    let heard = u32::from_be_bytes(frames[1].header[8..12].try_into().unwrap());
    assert_ne!(heard, 77, "the sealed one hears everybody under one name");
    // It tells of what it hears, and the plain one is told of its own.
    let number = u16::from_be_bytes([frames[1].header[2], frames[1].header[3]]);
    let about = rtcp::Report { ssrc: heard, highest: number.into(), ..Default::default() };
    let mut report = a.seal_report(&rtcp::build(spoken, None, &[about], "a")).unwrap();
    let (relay, told) = world.rtcp_in_our_words(NEAR(), A_RTCP, &mut report).unwrap();
    assert_eq!(relay, Relay { port: PEER(), to: address(B_RTCP) });
    let Part::Receiver { reports, .. } = rtcp::first(&told).unwrap() else { panic!() };
    assert_eq!((reports[0].ssrc, reports[0].highest & 0xffff), (77, 500));
    // And the other way round.
    let mut report = rtcp::build(77, Some(rtcp::Sent::default()), &[], "b");
    let (relay, mut told) = world.rtcp_in_our_words(PEER(), B_RTCP, &mut report).unwrap();
    assert_eq!(relay, Relay { port: NEAR(), to: address(A_RTCP) });
    let end = a.open(true, &mut told).unwrap();
    let Some(Part::Sender { ssrc, sent, .. }) = rtcp::first(&told[..end]) else { panic!() };
    assert_eq!((ssrc, sent.packets), (heard, 1));
}

#[test]
fn keys_of_a_sealed_phone_are_told_and_pressed_for_it() {
    let (mut world, mut a) = one_sealed();
    let mut said = sealed(&world, &mut a, voice(1));
    world.rtp(NEAR(), A, &mut said);
    world.out.clear();
    let press = Press { key: '7', end: false, volume: 10, duration: 160 }.bytes().unwrap();
    let mut said = sealed(&world, &mut a, packet(101, 2, &press));
    world.rtp(NEAR(), A, &mut said);
    assert!(world.events().contains(&Event::Key { port: NEAR(), key: '7' }));
    world.command(Command::Press { port: NEAR(), keys: "5".into() });
    world.pass(400);
    let keys = world.frames().into_iter().filter(|frame| {
        let mut packet = [&frame.header, frame.payload()].concat();
        let length = a.open(false, &mut packet).unwrap();
        packet[1] & 0x7f == 101 && packet[12] == 5 && length == 16
    });
    assert!(keys.count() > 3);
}

#[test]
fn whoever_sends_what_cannot_be_opened_is_told_of_until_something_can() {
    let (mut world, mut a) = one_sealed();
    world.command(Command::Watch { port: NEAR(), silence: Some(Duration::from_secs(1)) });
    for n in 1..100 {
        world.pass(20);
        world.rtp(NEAR(), A, &mut voice(n));
    }
    let (port, what, from) = (NEAR(), Ailment::Unopened, Some(address(A)));
    let told = world.events();
    assert_eq!(
        told,
        [Event::Silent { port }, Event::Ailing { port, what, on: true, from }],
        "once each"
    );
    let mut said = sealed(&world, &mut a, voice(1));
    world.rtp(NEAR(), A, &mut said);
    world.pass(300);
    let told = world.events();
    assert!(told.contains(&Event::Heard { port }), "{told:?}");
    assert!(told.contains(&Event::Ailing { port, what, on: false, from: None }), "{told:?}");
}

/// What is in a room, and what is recorded, is plain; what leaves for who seals is not.
#[test]
fn a_sealed_party_is_heard_in_a_room_and_recorded_as_any_other() {
    let (c, third) = (port(30_004), "192.0.2.60:6000");
    let (mut world, mut a) = one_sealed();
    world.open(c);
    world.command(Command::Agree { port: c, far: far(third) });
    world.command(Command::gather(&[NEAR(), PEER(), c]));
    let track = Some(Track { call: CallId(7), side: Side::Left });
    world.command(Command::Record { port: NEAR(), track });
    world.out.clear();
    let (said, other) = ([Law::A.encode(4_000); 160], [Law::A.encode(2_000); 160]);
    for n in 1..=25 {
        world.pass(20);
        let mut packet_of_a = sealed(&world, &mut a, packet(8, n, &said));
        world.rtp(NEAR(), A, &mut packet_of_a);
        world.rtp(PEER(), B, &mut packet(8, n, &other));
    }
    world.pass(200);
    let mut heard = [Vec::new(), Vec::new(), Vec::new()];
    let mut taped = 0;
    for effect in std::mem::take(&mut world.out) {
        match effect {
            Effect::Send(frame) if frame.port == NEAR() => {
                let mut packet = [&frame.header, frame.payload()].concat();
                assert_eq!((a.open(false, &mut packet), packet[1] & 0x7f), (Some(172), 8));
                heard[0].push(Law::A.decode(packet[92]));
            }
            Effect::Send(frame) => {
                heard[if frame.port == c { 2 } else { 1 }].push(Law::A.decode(frame.payload()[80]));
            }
            Effect::Recorded(batch) => {
                for piece in batch.iter() {
                    assert_eq!((piece.audio, piece.codec), (&said[..], Codec::Pcma));
                    taped += 1;
                }
            }
            _ => {}
        }
    }
    for (who, level) in heard.iter().zip([2_000, 4_000, 6_000]) {
        let alike = who.iter().filter(|heard| (i32::from(**heard) - level).abs() < 300);
        assert!(alike.count() > 15, "{level}: {who:?}");
    }
    assert_eq!(taped, 25);
}

/// Only what could be the far end's sound is worth an alarm.
#[test]
fn nothing_but_sound_from_where_the_far_end_may_be_is_told_to_be_unopened() {
    let (mut world, mut a) = one_sealed();
    let said = sealed(&world, &mut a, voice(1));
    world.rtp(NEAR(), A, &mut said.clone());
    world.command(Command::Watch { port: NEAR(), silence: Some(Duration::from_secs(1)) });
    world.pass(1_500);
    assert!(world.events().contains(&Event::Silent { port: NEAR() }));
    let mut report = rtcp::build(77, None, &[], "x");
    world.rtcp(NEAR(), A_RTCP, &mut report);
    for (from, mut bytes) in [
        (A, b"\r\n\r\n".to_vec()),
        (A, packet(77, 2, b"no payload type of theirs")),
        (A, said),
        (STRANGER, voice(2)),
    ] {
        assert_eq!(world.rtp(NEAR(), from, &mut bytes), None);
        assert_eq!(world.events(), [], "{from} {bytes:?}");
    }
    assert_eq!(world.figures(NEAR()).refused, 5);
    world.rtp(NEAR(), A, &mut voice(2));
    let (port, what, from) = (NEAR(), Ailment::Unopened, Some(address(A)));
    assert_eq!(world.events(), [Event::Ailing { port, what, on: true, from }]);
}

/// Whoever holds up a packet and says it first from elsewhere takes nothing away.
#[test]
fn a_stranger_who_repeats_what_the_far_end_says_does_not_keep_it_from_being_heard() {
    let (mut world, mut a) = one_sealed();
    for n in 1..=20 {
        world.pass(20);
        let mut said = sealed(&world, &mut a, voice(n));
        if n > 10 {
            world.rtp(NEAR(), STRANGER, &mut said.clone());
            assert_eq!(sent(&mut world), None);
        }
        world.rtp(NEAR(), A, &mut said);
        assert!(sent(&mut world).is_some(), "{n}");
    }
}

/// RFC 4568 section 7.1.4: who is elsewhere may be another, and cannot know how often the numbers
/// have begun anew.
#[test]
fn a_far_end_that_is_elsewhere_hears_a_source_that_is_new_to_it() {
    let elsewhere = "192.0.2.41:4000";
    let (mut world, mut a) = one_sealed();
    let mut source = Vec::new();
    for n in 0..100u16 {
        world.pass(20);
        let mut said = sealed(&world, &mut a, voice(n));
        world.rtp(NEAR(), A, &mut said);
        world.out.clear();
        world.rtp(PEER(), B, &mut voice(n.wrapping_mul(990)));
        source = sent(&mut world).unwrap().2[8..12].to_vec();
    }
    let heard = |world: &mut World, n: u16| {
        world.rtp(PEER(), B, &mut voice(99u16.wrapping_mul(990).wrapping_add(n)));
        sent(world).unwrap().2[8..12].to_vec()
    };
    world.command(Command::Agree { port: NEAR(), far: far(A) });
    world.out.clear();
    assert_eq!(heard(&mut world, 1), source, "where it was");
    world.command(Command::Agree { port: NEAR(), far: far(elsewhere) });
    world.out.clear();
    assert_ne!(heard(&mut world, 2), source);
}

#[test]
fn a_seal_goes_along_to_another_worker_and_ends_where_sound_is_agreed_to_be_plain() {
    let (mut world, mut a) = one_sealed();
    let mut said = sealed(&world, &mut a, voice(1));
    world.rtp(NEAR(), A, &mut said);
    let mut other = World::with(&[(PEER(), far(B))]);
    let moved = world.engine.release(NEAR()).unwrap();
    assert!(other.engine.adopt(world.now, moved));
    other.now = world.now;
    other.bridge(NEAR(), PEER());
    let again = sealed(&world, &mut a, voice(2));
    assert_eq!(other.rtp(NEAR(), A, &mut again.clone()), None);
    assert!(sent(&mut other).is_some());
    assert_eq!(other.rtp(NEAR(), A, &mut again.clone()), None);
    assert!(sent(&mut other).is_none(), "it is known there");
    other.command(Command::Seal { port: NEAR(), keys: None });
    other.command(Command::Agree { port: NEAR(), far: far(A) });
    assert!(other.rtp(NEAR(), A, &mut voice(3)).is_some());
    assert!(other.rtp(PEER(), B, &mut voice(3)).is_some());
    // Nothing is left sealed in the first.
    world.out.clear();
    world.bridge(NEAR(), PEER());
    assert_eq!(world.rtp(PEER(), B, &mut voice(3)), None);
    assert_eq!(world.frames(), []);
}

/// A process dies, and the next knows the keys and nothing else.
#[test]
fn q39_the_next_process_hears_and_is_heard_at_once_under_the_same_keys() {
    let (mut world, mut a) = one_sealed();
    let mut sources = Vec::new();
    // The numbers of the far end have begun anew three times by the last of these.
    for (life, n) in (0..4u16).flat_map(|life| (0..50u16).map(move |n| (life, n))) {
        if n == 0 && life > 0 {
            world = World { now: world.now + Duration::from_secs(1), ..World::with(&[]) };
            world.engine = Engine::new(100 + u64::from(life), Arc::default());
            for (port, far) in [(NEAR(), far(A)), (PEER(), far(B))] {
                world.open(port);
                world.command(Command::Agree { port, far });
            }
            let keys = Some(Seals { theirs: key(1), ours: key(101) });
            world.command(Command::Seal { port: NEAR(), keys });
            world.bridge(NEAR(), PEER());
            world.out.clear();
        }
        world.pass(20);
        // Most of what it says is lost.
        let number = 990 * (u32::from(n) + 50 * u32::from(life));
        let mut said = sealed(&world, &mut a, voice(number as u16));
        world.rtp(NEAR(), A, &mut said);
        let heard = world.frames();
        assert_eq!(heard.len(), 1, "life {life}, packet {n}");
        world.rtp(PEER(), B, &mut voice(n + 1));
        let (_, _, mut heard) = sent(&mut world).unwrap();
        sources.push(heard[8..12].to_vec());
        assert_eq!(a.open(false, &mut heard), Some(172), "life {life}, packet {n}");
        assert_eq!(heard[12..172], voice(n + 1)[12..]);
    }
    sources.dedup();
    assert_eq!(sources.len(), 4, "each life has a name of its own");
}
