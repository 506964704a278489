//! Prompts and music: pace, spread, hold, and what waiting callers' own packets cost.

use super::*;
use crate::wire::rtp::Rtp;
use std::collections::BTreeMap;

const A: &str = "192.0.2.40:4000";
const NEAR: fn() -> PortId = || port(30_000);

fn listening(far: Far, tune: TuneId, repeat: bool) -> World {
    let mut world = World::with(&[(NEAR(), far)]);
    let music = Command::music(NEAR(), tune, world.now);
    world.command(if repeat { music } else { say(NEAR(), tune) });
    world
}

/// One tune once, and silence.
fn say(port: PortId, tune: TuneId) -> Command {
    Command::Play { port, piece: 7, tunes: vec![tune], then: None }
}

/// Marker, sequence number and timestamp of a frame.
fn head(frame: &Frame) -> (bool, u16, u32) {
    let mut bytes = [&frame.header[..], frame.payload()].concat();
    let rtp = Rtp::new(&mut bytes).unwrap();
    (rtp.marker(), rtp.sequence(), rtp.timestamp())
}

#[test]
fn music_comes_at_50_packets_a_second_in_the_far_ends_law() {
    let mut world = listening(Far { payload: 97, ..mu(far(A)) }, MUSIC, true);
    world.pass(10_000);
    let frames = world.frames();
    assert_eq!(frames.len(), 500);
    assert!(frames.iter().all(|f| f.to == address(A) && f.header[1] & 0x7f == 97));
    assert!(frames.iter().all(|f| f.payload() == [Law::Mu.encode(1_000); 160]));
    let heads: Vec<_> = frames.iter().map(head).collect();
    assert!(heads[0].0 && heads[1..].iter().all(|head| !head.0));
    for pair in heads.windows(2) {
        assert_eq!(pair[1].1, pair[0].1.wrapping_add(1));
        assert_eq!(pair[1].2, pair[0].2.wrapping_add(160));
    }
}

/// A process dies, and the next one opens the port anew: there are telephones that drop whatever is
/// numbered below what they have heard, in spite of a new SSRC.
#[test]
fn q37_music_goes_on_under_later_numbers_in_the_next_process() {
    for (seed, ptime) in (1..20).zip([20, 10, 40].into_iter().cycle()) {
        let far = Far { ptime, ..far(A) };
        let mut world = listening(far, MUSIC, true);
        world.pass(30_000);
        let mut next = World::begun(seed, world.now + Duration::from_millis(500));
        next.open(NEAR());
        next.command(Command::Agree { port: NEAR(), far });
        // A copy of the one before may play on for a while.
        world.pass(3_000);
        next.pass(3_000);
        next.command(Command::music(NEAR(), MUSIC, next.now));
        next.pass(100);
        let (_, last, time) = head(world.frames().last().unwrap());
        let (_, first, began) = head(&next.frames()[0]);
        let ahead = first.wrapping_sub(last);
        assert!((1..2_000).contains(&ahead), "{last}, and then {first}");
        assert!(ptime > 20 || ahead < 100, "{last}, and then {first}");
        assert!((80..16_000).contains(&began.wrapping_sub(time)), "{time}, and then {began}");
    }
}

#[test]
fn a_prompt_ends_with_its_last_frame_and_says_so() {
    let mut world = listening(far(A), PROMPT, false);
    world.pass(1_000);
    let out = world.out.clone();
    let frames = world.frames();
    assert_eq!(frames.len(), 5);
    assert_eq!(frames[4].payload()[0], Law::A.encode(2_000));
    assert_eq!(frames[4].payload()[1..], [Law::A.silence(); 159]);
    let told = Effect::Tell(Event::Played { port: NEAR(), piece: 7 });
    assert_eq!(out.iter().filter(|effect| **effect == told).count(), 1);
    assert_eq!(world.engine.deadline(), None);
}

#[test]
fn the_end_of_a_prompt_is_heard_however_long_packets_are() {
    for (ptime, lengths) in
        [(30, &[240, 240, 240, 80][..]), (40, &[320, 320, 160]), (60, &[480, 320])]
    {
        for codec in [Codec::Pcma, Codec::G722] {
            let mut world = listening(Far { ptime, ..Far::at(address(A), codec) }, PROMPT, false);
            world.pass(1_000);
            let frames = world.frames();
            let sent: Vec<usize> = frames.iter().map(|frame| frame.payload().len()).collect();
            assert_eq!(sent, lengths, "{ptime} ms");
            let mut at = head(&frames[0]).2;
            for frame in &frames {
                assert_eq!(head(frame).2, at);
                at = at.wrapping_add(frame.payload().len() as u32);
            }
        }
    }
}

#[test]
fn a_second_tune_goes_on_in_the_same_stream() {
    let mut world = listening(far(A), PROMPT, false);
    world.pass(1_000);
    world.command(Command::music(NEAR(), MUSIC, Instant(0)));
    world.pass(100);
    let heads: Vec<_> = world.frames().iter().map(head).collect();
    assert_eq!(heads[5].1, heads[4].1.wrapping_add(1));
    assert!(heads[5].0, "a new talkspurt");
    assert!(heads[5].2.wrapping_sub(heads[4].2) >= 7_000, "time has passed");
}

#[test]
fn a_stall_is_followed_by_a_gap_and_not_by_a_burst() {
    let mut world = listening(far(A), MUSIC, true);
    world.pass(100);
    let before = head(world.frames().last().unwrap());
    world.now = world.now + Duration::from_millis(500);
    world.pass(1);
    let after: Vec<_> = world.frames().iter().map(head).collect();
    assert_eq!(after.len(), 1);
    assert!(after[0].0);
    assert_eq!(after[0].1, before.1.wrapping_add(1));
    assert!((3_800..=4_300).contains(&after[0].2.wrapping_sub(before.2)));
}

#[test]
fn a_hundred_listeners_are_never_served_in_one_burst() {
    let ports: Vec<_> = (0..100).map(|n| (port(30_000 + 2 * n), far(A))).collect();
    let mut world = World::with(&ports);
    for (port, _) in ports {
        world.command(Command::music(port, MUSIC, Instant(0)));
    }
    let mut total: BTreeMap<PortId, usize> = BTreeMap::new();
    for _ in 0..1_000 {
        world.pass(1);
        let frames = world.frames();
        assert!(frames.len() <= 10, "{}", frames.len());
        frames.iter().for_each(|f| *total.entry(f.port).or_default() += 1);
    }
    assert_eq!(total.len(), 100);
    assert!(total.values().all(|count| *count == 50));
}

#[test]
fn listeners_share_the_audio() {
    let mut world = World::with(&[(port(30_000), far(A)), (port(30_002), far(A))]);
    for n in [30_000, 30_002] {
        world.command(Command::music(port(n), MUSIC, Instant(0)));
    }
    world.pass(20);
    let frames = world.frames();
    assert!(Arc::ptr_eq(&frames[0].audio, &frames[1].audio));
    assert_ne!(frames[0].header[8..], frames[1].header[8..], "each has its own SSRC");
}

#[test]
fn one_on_hold_is_sent_nothing_and_the_tune_goes_on() {
    let mut world = listening(Far { hears: false, ..far(A) }, PROMPT, false);
    world.pass(1_000);
    assert_eq!(world.events().last(), Some(&Event::Played { port: NEAR(), piece: 7 }));
    assert_eq!(world.figures(NEAR()).sent, 0);
}

#[test]
fn a_tune_waits_for_an_agreement() {
    let mut world = World::new();
    world.open(NEAR());
    world.command(say(NEAR(), PROMPT));
    world.pass(1_000);
    assert_eq!(world.frames(), []);
    world.command(Command::Agree { port: NEAR(), far: far(A) });
    world.pass(1_000);
    assert_eq!(world.frames().len(), 5);
}

#[test]
fn q43_a_tune_that_there_is_not_holds_nobody_up() {
    let mut world = listening(far(A), TuneId(99), false);
    assert_eq!(world.events(), [Event::Played { port: NEAR(), piece: 7 }]);
    let mut world = listening(far(A), TuneId(99), true);
    world.pass(100);
    assert_eq!((world.frames(), world.engine.deadline()), (vec![], None));
}

/// The first octet of every frame that was sent, each only where it changes, with its count.
fn runs(world: &mut World) -> Vec<(u8, usize)> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for frame in world.frames() {
        let octet = frame.payload()[0];
        match runs.last_mut().filter(|(last, _)| *last == octet) {
            Some((_, count)) => *count += 1,
            None => runs.push((octet, 1)),
        }
    }
    runs
}

#[test]
fn a_list_is_played_without_a_gap_then_the_music_and_its_end_is_told_once() {
    let mut world = World::with(&[(NEAR(), far(A))]);
    let then = Some(Music { tune: MUSIC, since: world.now });
    let tunes = vec![PROMPT, TuneId(99), PROMPT];
    world.command(Command::Play { port: NEAR(), piece: 3, tunes, then });
    world.pass(1_000);
    let told = Effect::Tell(Event::Played { port: NEAR(), piece: 3 });
    assert_eq!(world.out.iter().filter(|effect| **effect == told).count(), 1);
    let numbers: Vec<u16> = world.out.iter().filter_map(frame_of).map(|f| head(f).1).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    assert_eq!(numbers.len(), 50);
    let (prompt, music) = (Law::A.encode(2_000), Law::A.encode(1_000));
    assert_eq!(runs(&mut world), [(prompt, 10), (music, 40)]);
}

#[test]
fn music_goes_on_behind_an_announcement_like_a_clock() {
    let mut world = World::with(&[(NEAR(), far(A))]);
    let since = world.now;
    let at = |world: &mut World| world.frames().last().map(|frame| frame.at / 160);
    world.command(Command::music(NEAR(), MUSIC, since));
    world.pass(200);
    let before = at(&mut world).unwrap();
    let then = Some(Music { tune: MUSIC, since });
    world.command(Command::Play { port: NEAR(), piece: 1, tunes: vec![PROMPT], then });
    world.pass(300);
    assert_eq!(at(&mut world), Some(before + 15));
    let elsewhere = port(30_002);
    world.open(elsewhere);
    world.command(Command::Agree { port: elsewhere, far: far("192.0.2.41:4000") });
    world.command(Command::Stop { port: NEAR() });
    world.command(Command::music(elsewhere, MUSIC, since));
    world.pass(200);
    assert_eq!(at(&mut world), Some(before + 25), "another port, the same music");
}

#[test]
fn q43_a_list_of_prompts_that_there_are_not_leaves_the_music_alone() {
    let mut world = listening(far(A), MUSIC, true);
    world.pass(100);
    let then = Some(Music { tune: MUSIC, since: Instant(1_000_000) });
    let tunes = vec![TuneId(98), TuneId(99)];
    world.command(Command::Play { port: NEAR(), piece: 2, tunes, then });
    world.pass(100);
    assert!(world.out.contains(&Effect::Tell(Event::Played { port: NEAR(), piece: 2 })));
    let heads: Vec<_> = world.frames().iter().map(head).collect();
    assert_eq!(heads.len(), 10);
    assert!(heads[1..].iter().all(|head| !head.0), "no new talkspurt");
}

fn frame_of(effect: &Effect) -> Option<&Frame> {
    match effect {
        Effect::Send(frame) => Some(frame),
        _ => None,
    }
}

#[test]
fn whoever_speaks_after_a_tune_goes_on_counting_where_it_was() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far("192.0.2.50:5000"))]);
    let mut next = None;
    for first in [40_000, 1] {
        world.command(say(NEAR(), PROMPT));
        world.pass(200);
        let numbers: Vec<u16> = world.frames().iter().map(|frame| head(frame).1).collect();
        assert!(next.is_none_or(|next| next == numbers[0]), "{next:?} {numbers:?}");
        world.bridge(NEAR(), peer);
        let last = *numbers.last().unwrap();
        for n in 0..3_u16 {
            let mut bytes = voice(first + n);
            world.rtp(peer, "192.0.2.50:5000", &mut bytes).unwrap();
            assert_eq!(Rtp::new(&mut bytes).unwrap().sequence(), last.wrapping_add(1 + n));
        }
        next = Some(last.wrapping_add(4));
    }
}

#[test]
fn while_a_port_plays_nothing_is_relayed_to_it() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far("192.0.2.50:5000"))]);
    world.bridge(NEAR(), peer);
    world.command(Command::music(NEAR(), MUSIC, Instant(0)));
    assert_eq!(world.stream(peer, "192.0.2.50:5000", 1, 5), 0);
    assert_eq!(world.stream(NEAR(), A, 1, 5), 5);
    world.command(Command::Stop { port: NEAR() });
    assert_eq!(world.stream(peer, "192.0.2.50:5000", 6, 5), 5);
}

#[test]
fn a_waiting_callers_packets_are_thinned_until_the_bridge_and_still_counted_right() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far("192.0.2.50:5000"))]);
    let thin = |event| Effect::Thin { port: NEAR(), event };
    world.command(Command::music(NEAR(), MUSIC, Instant(0)));
    assert!(!world.out.contains(&thin(Some(101))), "not before the far end is settled");
    world.stream(NEAR(), A, 1, 10);
    assert!(world.out.contains(&thin(Some(101))));
    for n in (11..400).filter(|n| n % 32 == 0) {
        world.rtp(NEAR(), A, &mut voice(n));
    }
    world.out.clear();
    world.bridge(NEAR(), peer);
    assert!(world.out.contains(&thin(None)));
    world.stream(NEAR(), A, 400, 100);
    let figures = world.figures(NEAR());
    assert_eq!((figures.received, figures.lost), (499, 0));
}

#[test]
fn a_short_watch_needs_every_packet() {
    let mut world = listening(far(A), MUSIC, true);
    world.command(Command::Watch { port: NEAR(), silence: Some(Duration::from_secs(1)) });
    world.stream(NEAR(), A, 1, 10);
    assert!(!world.out.iter().any(|effect| matches!(effect, Effect::Thin { .. })));
}
