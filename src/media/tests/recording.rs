//! What is heard at recorded ports is handed on as it came, and the relay does not notice.

use super::*;
use crate::base::CallId;
use crate::media::control::Music;
use crate::media::{Batch, Side, Track};
use crate::wire::dtmf::Press;

const A: &str = "192.0.2.40:4000";
const B: &str = "192.0.2.50:5000";
const LEFT: Track = Track { call: CallId(7), side: Side::Left };
const RIGHT: Track = Track { call: CallId(7), side: Side::Right };

fn recorded() -> (World, PortId, PortId) {
    let (a, b) = (port(30_000), port(30_002));
    let mut world = World::with(&[(a, far(A)), (b, mu(far(B)))]);
    world.bridge(a, b);
    world.command(Command::Record { port: a, track: Some(LEFT) });
    world.command(Command::Record { port: b, track: Some(RIGHT) });
    (world, a, b)
}

fn batches(world: &mut World) -> Vec<Batch> {
    let recorded = world.out.drain(..).filter_map(|effect| match effect {
        Effect::Recorded(batch) => Some(batch),
        _ => None,
    });
    recorded.collect()
}

#[test]
fn both_sides_are_handed_on_in_their_own_law_with_the_time_they_came() {
    let (mut world, a, b) = recorded();
    for n in 0..5 {
        world.pass(20);
        assert!(world.rtp(a, A, &mut packet(8, n, &[0x2a; 160])).is_some());
        assert!(world.rtp(b, B, &mut packet(0, n, &[0x80; 160])).is_some());
    }
    let now = world.now;
    world.pass(200);
    let batches = batches(&mut world);
    let heard: Vec<_> = batches.iter().flat_map(Batch::iter).collect();
    assert_eq!(heard.len(), 10);
    assert_eq!(
        (heard[0].track, heard[0].codec, heard[0].audio),
        (LEFT, Codec::Pcma, &[0x2a; 160][..])
    );
    assert_eq!(
        (heard[1].track, heard[1].codec, heard[1].audio),
        (RIGHT, Codec::Pcmu, &[0x80; 160][..])
    );
    assert_eq!((heard[9].sequence, heard[9].timestamp, heard[9].at), (4, 640, now));
}

#[test]
fn each_of_a_room_is_recorded_as_they_speak_and_not_as_they_are_mixed() {
    let (a, b, c) = (port(30_000), port(30_002), port(30_004));
    let third = "192.0.2.60:6000";
    let mut world = World::with(&[(a, far(A)), (b, mu(far(B))), (c, far(third))]);
    world.command(Command::gather(&[a, b, c]));
    for (port, track) in [(a, LEFT), (b, RIGHT), (c, RIGHT)] {
        world.command(Command::Record { port, track: Some(track) });
    }
    for n in 0..5 {
        world.pass(20);
        world.rtp(a, A, &mut packet(8, n, &[0x2a; 160]));
        world.rtp(b, B, &mut packet(0, n, &[0x80; 160]));
        world.rtp(c, third, &mut packet(8, n, &[0x15; 160]));
    }
    world.pass(200);
    let batches = batches(&mut world);
    let of = |octet: u8| {
        let heard = batches.iter().flat_map(Batch::iter);
        heard.filter(|heard| heard.audio == [octet; 160]).map(|heard| heard.track).collect()
    };
    let tracks: [Vec<Track>; 3] = [of(0x2a), of(0x80), of(0x15)];
    assert_eq!(tracks, [vec![LEFT; 5], vec![RIGHT; 5], vec![RIGHT; 5]]);
}

#[test]
fn strangers_and_keys_are_not_recorded() {
    let (mut world, a, _) = recorded();
    world.stream(a, A, 1, 3);
    world.rtp(a, "203.0.113.9:9", &mut voice(9));
    let press = Press { key: '5', end: false, volume: 10, duration: 160 }.bytes().unwrap();
    world.rtp(a, A, &mut packet(101, 4, &press));
    world.pass(200);
    assert_eq!(batches(&mut world).iter().flat_map(Batch::iter).count(), 3);
}

#[test]
fn a_pause_hands_on_what_there_is_and_records_no_more() {
    let (mut world, a, _) = recorded();
    world.stream(a, A, 1, 3);
    world.command(Command::Record { port: a, track: None });
    assert_eq!(batches(&mut world).iter().flat_map(Batch::iter).count(), 3);
    world.stream(a, A, 4, 3);
    world.pass(200);
    assert!(batches(&mut world).is_empty());
    world.command(Command::Record { port: a, track: Some(LEFT) });
    world.stream(a, A, 7, 2);
    world.command(Command::Close { port: a });
    assert_eq!(batches(&mut world).iter().flat_map(Batch::iter).count(), 2);
}

#[test]
fn a_recorded_caller_on_hold_is_heard_in_full() {
    let (mut world, a, _) = recorded();
    world.stream(a, A, 1, 3);
    world.command(Command::Unbridge { port: a });
    let then = Some(Music { tune: MUSIC, since: world.now });
    world.command(Command::Play { port: a, piece: 1, tunes: Vec::new(), then });
    let thin = |effect: &Effect| matches!(effect, Effect::Thin { event: Some(_), .. });
    assert!(!world.out.iter().any(thin));
    world.command(Command::Record { port: a, track: None });
    assert!(world.out.iter().any(thin), "and cheaply when it is recorded no more");
}

#[test]
fn who_sends_more_than_any_telephone_is_taped_as_far_as_one_could_and_relayed_all_the_same() {
    let (mut world, a, _) = recorded();
    let told = |world: &World| -> Vec<u64> {
        let told = world.out.iter().filter_map(|effect| match effect {
            Effect::Untaped { call: CallId(7), packets } => Some(*packets),
            _ => None,
        });
        told.collect()
    };
    // A hundred times as many packets as a telephone sends; some that are very long; very short.
    for (count, audio, taped) in [(5_000u16, 160, 200), (300, 1_600, 12), (5_000, 20, 400)] {
        world.pass(1_000);
        world.out.clear();
        for n in 0..count {
            assert!(world.rtp(a, A, &mut packet(8, n, &vec![0x2a; audio])).is_some());
        }
        assert_eq!(told(&world).len(), 1, "once a second");
        world.pass(200);
        let batches = batches(&mut world);
        assert_eq!(batches.iter().flat_map(Batch::iter).count(), taped, "{count} of {audio}");
    }
    // Those of the last round that nobody was told of yet.
    world.out.clear();
    world.command(Command::Record { port: a, track: None });
    assert_eq!(told(&world), [5_000 - 400 - 1]);
}

#[test]
fn what_a_link_that_stalled_delivers_at_once_is_taped_to_the_last_packet() {
    let (mut world, a, _) = recorded();
    for n in 0..100 {
        world.pass(20);
        world.rtp(a, A, &mut packet(8, n, &[0x2a; 160]));
    }
    world.pass(3_000);
    for n in 100..250 {
        world.rtp(a, A, &mut packet(8, n, &[0x2a; 160]));
    }
    world.pass(200);
    let batches = batches(&mut world);
    assert_eq!(batches.iter().flat_map(Batch::iter).count(), 250);
}
