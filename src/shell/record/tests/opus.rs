//! Recordings as Ogg Opus: as long as the call, each side where it was said, and whole whatever
//! became of the process.

use super::*;
use crate::wire::ogg;
use ::opus as lib;
use std::f64::consts::TAU;

const KEY: &str = "correct horse battery";
const RATE: usize = 8_000;
/// Ticks of Opus in a sample.
const TICKS: u64 = 6;
const PITCH: [f64; 2] = [500.0, 1_100.0];

/// Packets of a tone on each side, less those of the left that are lost; the one of number `click`
/// is nothing but a click.
fn tones(began: Instant, packets: std::ops::Range<u32>, lost: &[u32], click: u32) -> Batch {
    let mut batch = Batch::default();
    for n in packets {
        for (side, hertz) in [Side::Left, Side::Right].into_iter().zip(PITCH) {
            let sample = |i: u32| {
                let at = f64::from(n * 160 + i) / RATE as f64;
                let tone = (6_000.0 * (TAU * hertz * at).sin()) as i16;
                Law::A.encode(if n != click { tone } else { 30_000 * i16::from(i < 4) })
            };
            let audio: Vec<u8> = (0..160).map(sample).collect();
            if side == Side::Left && lost.contains(&n) {
                continue;
            }
            batch.push(&Heard {
                track: Track { call: CALL, side },
                at: began + Duration::from_millis(20 * (u64::from(n) + 1)),
                ssrc: 7,
                sequence: n as u16,
                timestamp: 160 * n,
                codec: Law::A.into(),
                comfort: false,
                audio: &audio,
            });
        }
    }
    batch
}

/// Both sides as a player has them.
fn sides(file: &[u8]) -> [Vec<i16>; 2] {
    let packets = ogg::packets(file).expect("every page is whole, and follows the one before");
    let (head, sound) = (&packets[0].0, &packets[2..]);
    assert!(head.starts_with(b"OpusHead\x01\x02") && packets[1].0.starts_with(b"OpusTags"));
    assert_eq!((packets[0].1.number, packets[1].1.number, sound[0].1.number), (0, 1, 2));
    let skip = u64::from(u16::from_le_bytes([head[10], head[11]]));
    let mut decoder = lib::Decoder::new(RATE as u32, lib::Channels::Stereo).unwrap();
    let (mut samples, mut room) = (Vec::new(), [0; 320]);
    for (at, (packet, page)) in (1..).zip(sound) {
        assert_eq!(decoder.decode(packet, &mut room, false).unwrap(), 160);
        samples.extend_from_slice(&room);
        assert_eq!(page.ends(), page.number == sound.last().unwrap().1.number);
        assert!(page.granule > (at - 1) * 960, "a page ends behind all that is in it but silence");
    }
    let end = (sound.last().unwrap().1.granule / TICKS) as usize;
    let heard = &samples[2 * (skip / TICKS) as usize..2 * end];
    [0, 1].map(|lane| heard.iter().skip(lane).step_by(2).copied().collect())
}

/// How much of these samples is a tone of this pitch, 0 to 1 (Goertzel).
fn purity(samples: &[i16], hertz: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (angle, sample) = (TAU * hertz * n as f64 / RATE as f64, f64::from(*sample));
        (re, im, all) =
            (re + sample * angle.cos(), im + sample * angle.sin(), all + sample * sample);
    }
    2.0 * (re * re + im * im) / samples.len() as f64 / all
}

/// In the comment header, where any player finds it.
fn says_interrupted(file: &[u8]) -> bool {
    let tags = &ogg::packets(file).unwrap()[1].0;
    let vendor = u32::from_le_bytes(tags[8..12].try_into().unwrap()) as usize;
    let list = &tags[12 + vendor..];
    let word = |at: usize| u32::from_le_bytes(list[at..at + 4].try_into().unwrap()) as usize;
    word(0) == 1 && list[8..8 + word(4)].starts_with(b"COMMENT=interrupted")
}

fn finished(bench: &Bench, millis: u64) -> Vec<u8> {
    assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis });
    open(&find(&bench.folder, "O").unwrap(), Some(KEY)).unwrap().0
}

#[test]
fn q40_both_sides_are_opus_for_as_long_as_the_call_was_and_in_time_at_15_percent_loss() {
    let bench = Bench::start(&folder("opus"), None, Clock::start());
    let began = bench.clock.instant();
    bench.begin("2026-11-25/O.opus", began);
    let lost: Vec<u32> = (0..500).filter(|n| n % 20 % 7 == 3).collect();
    bench.inlet.put(tones(began, 0..500, &lost, 400));
    bench.end(began + Duration::from_micros(10_012_500));
    let file = finished(&bench, 10_012);
    assert!(!says_interrupted(&file));
    let sides = sides(&file);
    assert!(file.len() < 10 * 16_000 / 2, "half of a WAV file at most: {}", file.len());
    for (lane, own) in sides.iter().enumerate() {
        assert_eq!(own.len(), 80_100, "as long as the call, to the sample");
        let said = own[..400 * 160].chunks(RATE).all(|second| purity(second, PITCH[lane]) > 0.6);
        let leaks = own[..400 * 160].chunks(RATE).any(|s| purity(s, PITCH[1 - lane]) > 0.005);
        assert!(said && !leaks, "side {lane} is what was said there, and nothing else");
        let click = own.iter().position(|sample| sample.abs() > 10_000).unwrap();
        assert!(click.abs_diff(400 * 160) <= 160, "side {lane}: the click is at {click}");
        assert!(own[80_080..].iter().all(|sample| sample.abs() < 200), "{:?}", &own[80_080..]);
    }
}

#[test]
fn opus_goes_on_in_the_next_process_on_one_clock_and_sealed_too() {
    for name in ["O.opus", "O.opus.sealed"] {
        let folder = folder(name);
        let wall = Clock::start().now().wall;
        let clock = Clock::after(Now { instant: Instant(4_000_000), wall });
        let (began, file) = (Instant(0), format!("2026-11-25/{name}"));
        let mut bench = Bench::start(&folder, Some(KEY), clock);
        bench.begin(&file, began);
        bench.inlet.put(tones(began, 0..200, &[], u32::MAX));
        bench.stop();
        assert_eq!(find(&folder, "O"), None, "not finished");
        let again = Bench::start(&folder, Some(KEY), bench.clock);
        again.begin(&file, began);
        again.inlet.put(tones(began, 3_000..3_100, &[], u32::MAX));
        again.end(began + Duration::from_secs(62));
        let plain = finished(&again, 62_000);
        assert!(says_interrupted(&plain), "{name}");
        let on_disk = fs::read(find(&folder, "O").unwrap()).unwrap();
        assert_eq!(on_disk.windows(8).any(|part| part == b"OpusTags"), !name.ends_with("sealed"));
        for (own, hertz) in sides(&plain).iter().zip(PITCH) {
            assert_eq!(own.len(), 62 * RATE);
            let second = |n: usize| &own[n * RATE..(n + 1) * RATE];
            let sounds = [0, 1, 2, 60].map(|n| purity(second(n), hertz));
            assert!(sounds.iter().all(|pure| *pure > 0.9), "{sounds:?}");
            assert!(own[5 * RATE..59 * RATE].iter().all(|sample| sample.abs() < 20));
        }
    }
}

#[test]
fn opus_that_a_dead_process_left_is_marked_as_ended_and_heard_as_far_as_it_goes() {
    let (folder, kept) = (folder("opus-dead"), folder("opus-dead-kept"));
    let day = kept.join("2026-11-25");
    fs::create_dir_all(&day).unwrap();
    for name in ["O.opus", "P.opus.sealed"] {
        let wall = Clock::start().now().wall;
        let clock = Clock::after(Now { instant: Instant(4_000_000), wall });
        let bench = Bench::start(&folder, Some(KEY), clock);
        let file = format!("2026-11-25/{name}");
        bench.begin(&file, Instant(0));
        bench.inlet.put(tones(Instant(0), 0..200, &[], u32::MAX));
        let part = folder.join(format!("{file}.part"));
        let until = bench.clock.instant() + LONG;
        let written = || fs::metadata(&part).map_or(0, |file| file.len());
        while written() < 10_000 && bench.clock.instant() < until {
            let _ = bench.news.recv_timeout(Duration::from_millis(20));
        }
        // What is on the disk when the process is killed, in the midst of a page or a chunk.
        let left = fs::read(&part).unwrap();
        let part = day.join(format!("{name}.part"));
        fs::write(&part, &left[..left.len() - 50]).unwrap();
        file::mend(&part).unwrap();
        let (file, whole) = open(&day.join(name), Some(KEY)).unwrap();
        assert!(!whole && says_interrupted(&file), "{name}");
        for (own, hertz) in sides(&file).iter().zip(PITCH) {
            assert!(own.len() > RATE && purity(&own[..RATE], hertz) > 0.9, "{}", own.len());
        }
    }
    let (headers, _) = ogg::last(&fs::read(day.join("O.opus")).unwrap()[..200]).unwrap();
    let headers = &fs::read(day.join("O.opus")).unwrap()[..headers];
    for left in [&b"OggS"[..], headers] {
        fs::write(day.join("Q.opus.part"), left).unwrap();
        file::mend(&day.join("Q.opus.part")).unwrap();
        assert_eq!(find(&kept, "Q"), None, "one without any sound is none");
    }
    fs::remove_dir_all(kept).unwrap();
}

#[test]
fn a_call_that_is_over_at_once_is_an_opus_file_of_no_length() {
    let bench = Bench::start(&folder("opus-none"), None, Clock::start());
    let began = bench.clock.instant();
    bench.begin("2026-11-25/O.opus", began);
    bench.end(began);
    let file = finished(&bench, 0);
    assert_eq!(ogg::packets(&file).unwrap().len(), 3, "two headers, and one packet of silence");
    assert!(sides(&file).iter().all(Vec::is_empty));
}
