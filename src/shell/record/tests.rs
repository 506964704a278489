//! Recordings on a real disk: whole, mended, sealed, and without one.

mod ends;
mod full;
mod opus;

use super::*;
use crate::base::{CallId, Instant, Now};
use crate::call::TapeEvent;
use crate::media::{Heard, Side, Track};
use crate::shell::meters::Metrics;
use crate::wire::g711::Law;
use crate::wire::wav;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const CALL: CallId = CallId(1 << 32 | 5);
const LONG: Duration = Duration::from_secs(60);

struct Bench {
    folder: PathBuf,
    orders: Option<Sender<Tape>>,
    inlet: Inlet,
    news: Receiver<TapeEvent>,
    alarms: Receiver<Option<String>>,
    thread: Option<Threads>,
    clock: Clock,
    metrics: Metrics,
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pukar-record-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

impl Bench {
    fn start(folder: &Path, key: Option<&str>, clock: Clock) -> Self {
        Self::with(folder, key.as_slice(), clock, |_, _| {})
    }

    /// `keys`: the one in force, and those before it. `told`: what else happens on the writer's own
    /// thread when it tells something.
    fn with(
        folder: &Path,
        keys: &[&str],
        clock: Clock,
        told: impl Fn(&TapeEvent, Instant) + Send + Sync + 'static,
    ) -> Self {
        let (sender, news) = channel::unbounded();
        let (alarm, alarms) = channel::unbounded();
        let metrics = Metrics::new();
        let recorder = Recorder {
            folder: folder.into(),
            key: keys.first().map(|key| key.to_string()),
            old_keys: keys.iter().skip(1).map(|key| key.to_string()).collect(),
            keep: Some(Duration::from_secs(90 * 86_400)),
            holds: Holds::default(),
            clock,
            news: Arc::new(move |event| match event {
                Event::Recording(event) => {
                    told(&event, clock.instant());
                    let _ = sender.send(event);
                }
                Event::Recorder { trouble } => _ = alarm.send(trouble),
                other => panic!("{other:?}"),
            }),
            meters: metrics.for_shell(),
        };
        let (orders, inlet, thread) = start(recorder).unwrap();
        let (orders, thread) = (Some(orders), Some(thread));
        Self { folder: folder.into(), orders, inlet, news, alarms, thread, clock, metrics }
    }

    fn order(&self, tape: Tape) {
        self.orders.as_ref().unwrap().send(tape).unwrap();
    }

    fn begin(&self, file: &str, at: Instant) {
        self.order(Tape::Begin { call: CALL, file: file.into(), at });
    }

    fn say(&self, began: Instant, packets: std::ops::Range<u32>) {
        self.inlet.put(said(began, packets));
    }

    fn end(&self, at: Instant) {
        self.order(Tape::End { call: CALL, at });
    }

    fn told(&self) -> TapeEvent {
        self.news.recv_timeout(LONG).unwrap()
    }

    /// The process ends: first the core, then the workers.
    fn stop(&mut self) {
        self.orders = None;
        self.inlet = Inlet::default();
        assert!(self.thread.take().unwrap().end());
    }
}

/// Packets of both sides, each 20 ms after the other.
fn said(began: Instant, packets: std::ops::Range<u32>) -> Batch {
    said_by(CALL, began, packets)
}

fn said_by(call: CallId, began: Instant, packets: std::ops::Range<u32>) -> Batch {
    let mut batch = Batch::default();
    for n in packets {
        for (side, law, octet) in [(Side::Left, Law::A, 0x2a), (Side::Right, Law::Mu, 0x80)] {
            batch.push(&Heard {
                track: Track { call, side },
                at: began + Duration::from_millis(20 * (u64::from(n) + 1)),
                ssrc: 7,
                sequence: n as u16,
                timestamp: 160 * n,
                codec: law.into(),
                comfort: false,
                audio: &[octet; 160],
            });
        }
    }
    batch
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Left and right of a stereo file of ours, which one process has written.
fn sides(file: &[u8]) -> (Vec<u8>, Vec<u8>) {
    assert_eq!(
        file[..wav::HEADER],
        wav::header(Law::A, 2, 8_000, (file.len() - wav::HEADER) as u32)
    );
    file[wav::HEADER..].chunks(2).map(|frame| (frame[0], frame[1])).unzip()
}

/// The same of one that says that it was interrupted, as any reader of RIFF finds it.
fn sides_of_marked(file: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(word(4), file.len() - 8);
    let (sound, rest) = file[wav::HEADER..].split_at(word(wav::HEADER - 4));
    assert_eq!((&rest[..4], &rest[8..16]), (&b"LIST"[..], &b"INFOICMT"[..]));
    let said = String::from_utf8_lossy(&rest[20..]);
    assert!(said.starts_with("interrupted"), "{said}");
    assert!(wav::read(file).is_ok_and(|samples| samples.len() == sound.len() / 2));
    sound.chunks(2).map(|frame| (frame[0], frame[1])).unzip()
}

#[test]
fn both_sides_are_written_for_as_long_as_the_call_was() {
    let bench = Bench::start(&folder("both"), None, Clock::start());
    let began = bench.clock.instant();
    bench.begin("2026-11-25/A.wav", began);
    bench.say(began, 0..100);
    bench.end(began + Duration::from_millis(2_500));
    assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis: 2_500 });
    let path = find(&bench.folder, "A").unwrap();
    let (file, finished) = open(&path, None).unwrap();
    let (left, right) = sides(&file);
    assert!(finished && left.len() == 20_000);
    assert!(left[..16_000].iter().all(|o| *o == 0x2a));
    let loud = Law::A.encode(Law::Mu.decode(0x80));
    assert!(right[..16_000].iter().all(|o| *o == loud));
    assert!(left[16_000..].iter().chain(&right[16_000..]).all(|o| *o == Law::A.silence()));
    assert!(bench.metrics.render().contains("pukar_recordings_total 1"));
    assert_eq!(find(&bench.folder, "../A"), None);
}

#[test]
fn a_sealed_recording_is_opened_with_its_key_alone() {
    let key = "correct horse battery staple";
    let bench = Bench::start(&folder("sealed"), Some(key), Clock::start());
    let began = bench.clock.instant();
    bench.begin("2026-11-25/B.sealed", began);
    bench.say(began, 0..150);
    bench.end(began + Duration::from_secs(3));
    assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis: 3_000 });
    let path = find(&bench.folder, "B").unwrap();
    assert!(!fs::read(&path).unwrap().windows(32).any(|part| part == [0x2a; 32]));
    let (file, finished) = open(&path, Some(key)).unwrap();
    let (left, _) = sides(&file);
    assert!(finished && left.iter().all(|o| *o == 0x2a) && left.len() == 24_000);
    assert!(open(&path, Some("another key")).unwrap_err().contains("another key"));
    assert!(open_by(&path, ["another key", key].into_iter()).is_ok_and(|(all, _)| all == file));
    assert!(open_by(&path, ["another key", "a third"].into_iter()).is_err());
    assert!(open(&path, None).unwrap_err().contains("[recording] key"));
}

#[test]
fn a_call_that_outlives_the_process_has_one_recording_on_one_clock() {
    for (file, key) in [("C.wav", None), ("C.sealed", Some("correct horse battery"))] {
        let folder = folder(file);
        let wall = Clock::start().now().wall;
        let clock = Clock::after(Now { instant: Instant(4_000_000), wall });
        let mut bench = Bench::start(&folder, key, clock);
        let began = Instant(0);
        let name = format!("2026-11-25/{file}");
        bench.begin(&name, began);
        bench.say(began, 0..200);
        bench.stop();
        assert_eq!(find(&folder, "C"), None, "not finished");
        let again = Bench::start(&folder, key, bench.clock);
        again.begin(&name, began);
        again.say(began, 3_000..3_100);
        again.end(began + Duration::from_secs(62));
        assert_eq!(again.told(), TapeEvent::Finished { call: CALL, millis: 62_000 });
        let (file, whole) = open(&find(&folder, "C").unwrap(), key).unwrap();
        let (left, _) = sides_of_marked(&file);
        let sounds =
            |from: usize, to: usize| left[from * 8_000..to * 8_000].iter().all(|o| *o == 0x2a);
        assert!(!whole && left.len() == 62 * 8_000);
        assert!(sounds(0, 3) && sounds(60, 62), "what was before, and what came after");
        assert!(left[33_000..479_000].iter().all(|o| *o == Law::A.silence()));
    }
}

#[test]
fn a_sealed_recording_outlives_a_stop_to_the_last_word_and_a_key_that_is_gone() {
    let (folder, key) = (folder("rekeyed"), Some("correct horse battery"));
    let wall = Clock::start().now().wall;
    let clock = Clock::after(Now { instant: Instant(2_300_000), wall });
    let mut bench = Bench::start(&folder, key, clock);
    let (began, name) = (Instant(0), "2026-11-25/K.sealed");
    bench.begin(name, began);
    bench.say(began, 0..115);
    bench.stop();
    let part = folder.join("2026-11-25/K.sealed.part");
    let left = fs::read(&part).unwrap();
    let (sound, _) = seal::open(key.unwrap(), &left).unwrap();
    assert!(sound.len() >= 2_300 * 16, "all of 2.3 s: {}", sound.len());
    assert!(sound[..2_200 * 16].iter().step_by(2).all(|o| *o == 0x2a));
    let mut without = Bench::start(&folder, None, bench.clock);
    without.begin(name, began);
    let TapeEvent::Failed { call: CALL, why } = without.told() else { panic!("it failed") };
    assert!(why.contains("K.sealed") && why.contains("[recording] key"), "{why}");
    without.stop();
    assert!(fs::read(&part).unwrap() == left, "the file stays whole");
    // The folder is wanted again.
    std::mem::forget(without);
    let mut plain = Bench::start(&folder, key, bench.clock);
    plain.begin("2026-11-25/L.wav", plain.clock.instant());
    plain.stop();
    assert!(fs::read(folder.join("2026-11-25/L.wav.part")).unwrap().starts_with(b"RIFF"));
    file::mend(&part).unwrap();
    assert!(fs::read(find(&folder, "K").unwrap()).unwrap() == left);
}

#[test]
fn what_a_dead_process_left_is_mended() {
    let folder = folder("mend");
    let day = folder.join("2026-11-25");
    fs::create_dir_all(&day).unwrap();
    let sound = [0x2a; 8_001];
    let cut = [wav::header(Law::A, 2, 8_000, 0).as_slice(), &sound].concat();
    fs::write(day.join("D.wav.part"), cut).unwrap();
    fs::write(day.join("E.wav.part"), [0; 10]).unwrap();
    let left = file::left_behind(&folder);
    assert_eq!(left.len(), 2);
    left.iter().for_each(|part| file::mend(part).unwrap());
    let (file, whole) = open(&find(&folder, "D").unwrap(), None).unwrap();
    assert_eq!((sides_of_marked(&file).0.len(), whole), (4_000, false));
    assert_eq!((find(&folder, "E"), file::left_behind(&folder).len()), (None, 0));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_was_written_to_the_end_and_had_no_name_yet_gets_it_and_no_mark() {
    let key = Some("correct horse battery staple");
    for name in ["S.wav", "S.sealed", "S.opus", "S.opus.sealed"] {
        for millis in [600, 2_500] {
            let bench = Bench::start(&folder(&format!("named-{name}")), key, Clock::start());
            let began = bench.clock.instant();
            let file = format!("2026-11-25/{name}");
            bench.begin(&file, began);
            bench.say(began, 0..millis / 20);
            bench.end(began + Duration::from_millis(millis.into()));
            assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis: millis.into() });
            let path = bench.folder.join(file);
            let (before, part) = (fs::read(&path).unwrap(), format!("{}.part", path.display()));
            fs::rename(&path, &part).unwrap();
            file::mend(Path::new(&part)).unwrap();
            assert!(fs::read(&path).unwrap() == before, "{name}");
            assert!(open(&path, key).unwrap().1, "{name}");
            // Gone on with, and then broken off: what was added is not taken for its end.
            fs::rename(&path, &part).unwrap();
            let mut again = growing::Growing::open(&path, key).unwrap();
            let frames = again.frames();
            again.append(&[0x2a; 8_000 * timeline::FRAME]).unwrap();
            again.leave().unwrap();
            let again = growing::Growing::open(&path, key).unwrap();
            assert!(again.frames() >= frames + 8_000, "{name}: {frames}, {}", again.frames());
            again.finish().unwrap();
            assert!(!open(&path, key).unwrap().1, "{name}");
        }
    }
}

#[test]
fn a_call_that_was_over_when_the_process_died_is_finished_by_the_next_one_once() {
    let folder = folder("closed");
    let wall = Clock::start().now().wall;
    let clock = Clock::after(Now { instant: Instant(4_000_000), wall });
    let mut bench = Bench::start(&folder, None, clock);
    bench.begin("2026-11-25/T.wav", Instant(0));
    bench.say(Instant(0), 0..200);
    bench.stop();
    let close = Tape::Close {
        call: CALL,
        file: "2026-11-25/T.wav".into(),
        at: Instant(0),
        end: Instant(4_500_000),
    };
    let mut next = Bench::start(&folder, None, bench.clock);
    next.order(close.clone());
    assert_eq!(next.told(), TapeEvent::Gaps { call: CALL });
    assert_eq!(next.told(), TapeEvent::Finished { call: CALL, millis: 4_500 });
    next.stop();
    let file = fs::read(find(&folder, "T").unwrap()).unwrap();
    let (left, _) = sides_of_marked(&file);
    assert!(left.len() == 36_000 && left[..31_000].iter().all(|o| *o == 0x2a));
    // The whole of it was there, but for its name; or its news was lost with another process.
    let path = folder.join("2026-11-25/T.wav");
    fs::rename(&path, folder.join("2026-11-25/T.wav.part")).unwrap();
    let mut third = Bench::start(&folder, None, next.clock);
    third.order(close.clone());
    assert_eq!(third.told(), TapeEvent::Finished { call: CALL, millis: 4_500 });
    third.stop();
    let last = Bench::start(&folder, None, next.clock);
    last.order(close);
    assert_eq!(last.told(), TapeEvent::Finished { call: CALL, millis: 4_500 });
    assert!(fs::read(find(&folder, "T").unwrap()).unwrap() == file);
    let file = "2026-11-25/GONE.wav".into();
    last.order(Tape::Close { call: CALL, file, at: Instant(0), end: Instant(1) });
    let TapeEvent::Failed { call: CALL, why } = last.told() else { panic!("it is not there") };
    assert!(why.contains("GONE.wav: nothing of it was left"), "{why}");
}

/// The last octets, the name and the folder are brought to the disk by another thread.
#[test]
fn q40_a_disk_that_takes_its_time_to_close_a_file_holds_up_no_other() {
    let (go, gone) = channel::bounded::<()>(0);
    let bench = Bench::with(&folder("closing"), &[], Clock::start(), move |event, _| {
        if matches!(event, TapeEvent::Finished { call: CALL, .. }) {
            let _ = gone.recv_timeout(LONG);
        }
    });
    let (began, other) = (bench.clock.instant(), CallId(77));
    bench.begin("2026-11-25/U.wav", began);
    bench.end(began);
    let until = bench.clock.instant() + LONG;
    while find(&bench.folder, "U").is_none() && bench.clock.instant() < until {
        let _ = bench.news.recv_timeout(Duration::from_millis(10));
    }
    let began = bench.clock.instant();
    bench.order(Tape::Begin { call: other, file: "2026-11-25/V.wav".into(), at: began });
    bench.inlet.put(said_by(other, began, 0..500));
    let part = bench.folder.join("2026-11-25/V.wav.part");
    let written = || fs::metadata(&part).map_or(0, |file| file.len());
    while written() < 100_000 && bench.clock.instant() < until {
        assert_eq!(bench.news.recv_timeout(Duration::from_millis(10)).ok(), None, "it hangs");
    }
    assert!(written() >= 100_000, "{}", written());
    drop(go);
    assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis: 0 });
}

#[test]
fn q40_a_disk_that_cannot_be_written_costs_the_recording_and_says_so() {
    let bench = Bench::start(Path::new("/dev/null/recordings"), None, Clock::start());
    bench.begin("2026-11-25/F.wav", Instant(0));
    let TapeEvent::Failed { call: CALL, why } = bench.told() else { panic!("it failed") };
    assert!(why.contains("/dev/null/recordings/2026-11-25/F.wav"), "{why}");
    bench.say(Instant(0), 0..10);
    bench.end(Instant(1_000_000));
    assert!(bench.metrics.render().contains("pukar_recordings_failed_total 1"));
}

#[test]
fn q40_a_stalled_disk_is_waited_for_by_nobody_and_the_length_stays_right() {
    let (hangs, is_hanging) = channel::bounded(1);
    let (go, gone) = channel::bounded::<()>(0);
    let bench = Bench::with(&folder("stalled"), &[], Clock::start(), move |event, _| {
        if matches!(event, TapeEvent::Failed { .. }) {
            let _ = hangs.send(());
            let _ = gone.recv_timeout(LONG);
        }
    });
    let began = bench.clock.instant();
    bench.begin("2026-11-25/G.wav", began);
    bench.say(began, 0..50);
    bench.order(Tape::Begin { call: CallId(77), file: "/dev/null/J.wav".into(), at: began });
    is_hanging.recv_timeout(LONG).unwrap();
    // The writer hangs. As much has room as there is, the rest is lost, and no worker waits.
    let room = BATCHES - bench.inlet.sound.as_ref().unwrap().len();
    (0..room as u32).for_each(|_| bench.say(began, 50..51));
    assert_eq!(bench.inlet.lost(), 0);
    bench.say(began, 51..101);
    assert_eq!(bench.inlet.lost(), 100);
    // All of that is told while it hangs, by somebody who does not.
    assert_eq!(bench.told(), TapeEvent::Gaps { call: CALL });
    assert!(bench.metrics.render().contains("pukar_recording_packets_lost_total 100"));
    let alarm = bench.alarms.recv_timeout(LONG).unwrap().expect("it hangs");
    assert!(alarm.contains("the disk hangs"), "{alarm}");
    bench.end(began + Duration::from_secs(3));
    drop(go);
    let TapeEvent::Failed { call: CallId(77), .. } = bench.told() else { panic!("it failed") };
    assert_eq!(bench.alarms.recv_timeout(LONG), Ok(None), "it goes on");
    assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis: 3_000 });
    let (left, _) = sides(&fs::read(find(&bench.folder, "G").unwrap()).unwrap());
    assert!(left.len() == 24_000 && left[..51 * 160].iter().all(|o| *o == 0x2a));
}

#[test]
fn q40_whoever_writes_and_breaks_down_is_told_of() {
    let bench = Bench::with(&folder("broken"), &[], Clock::start(), |event, _| {
        assert!(!matches!(event, TapeEvent::Failed { .. }), "on purpose");
    });
    bench.order(Tape::Begin { call: CALL, file: "/dev/null/K.wav".into(), at: Instant(0) });
    let alarm = bench.alarms.recv_timeout(LONG).unwrap().expect("nobody writes any more");
    assert!(alarm.contains("broke down"), "{alarm}");
}

/// A disk that is too slow for good: there is always more to take in.
#[test]
fn q40_more_than_the_disk_takes_is_told_of_and_keeps_no_recording_from_its_end() {
    let bench = Bench::start(&folder("flood"), None, Clock::start());
    let (began, other) = (bench.clock.instant(), CallId(77));
    bench.begin("2026-11-25/W.wav", began);
    bench.order(Tape::Begin { call: other, file: "2026-11-25/X.wav".into(), at: began });
    let (over, clock) = (AtomicBool::new(false), bench.clock);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A buffer is copied sooner than it is read.
            let said = || said_by(other, clock.instant(), 0..150);
            let mut next = (clock.instant(), said());
            while !over.load(Ordering::Relaxed) {
                if clock.instant().since(next.0) > Duration::from_millis(100) {
                    next = (clock.instant(), said());
                }
                bench.inlet.put(next.1.clone());
            }
        });
        let gaps = bench.news.recv_timeout(LONG);
        let end = bench.clock.instant();
        bench.end(end);
        let finished = bench.news.recv_timeout(LONG);
        over.store(true, Ordering::Relaxed);
        assert_eq!(gaps, Ok(TapeEvent::Gaps { call: other }));
        let millis = end.since(began).as_millis() as u64;
        assert_eq!(finished, Ok(TapeEvent::Finished { call: CALL, millis }));
    });
    assert!(bench.alarms.is_empty(), "it is slow, and does not hang");
}

#[test]
fn whoever_lost_sound_at_the_end_of_a_call_is_told_before_it_is_finished() {
    let bench = Bench::start(&folder("late-gaps"), None, Clock::start());
    let (began, other) = (bench.clock.instant(), CallId(77));
    bench.begin("2026-11-25/M.wav", began);
    bench.order(Tape::Begin { call: other, file: "2026-11-25/N.wav".into(), at: began });
    bench.inlet.spilt([CALL], 5);
    assert_eq!(bench.told(), TapeEvent::Gaps { call: CALL });
    // Losses are told every ten seconds; this call is over sooner.
    bench.inlet.spilt([other], 5);
    bench.order(Tape::End { call: other, at: began });
    assert_eq!(bench.told(), TapeEvent::Gaps { call: other });
    assert_eq!(bench.told(), TapeEvent::Finished { call: other, millis: 0 });
}

#[test]
fn losses_are_told_to_the_calls_that_have_them_and_to_no_other() {
    let bench = Bench::start(&folder("losses"), None, Clock::start());
    let (began, other) = (bench.clock.instant(), CallId(77));
    bench.begin("2026-11-25/H.wav", began);
    bench.order(Tape::Begin { call: other, file: "2026-11-25/I.wav".into(), at: began });
    bench.say(began, 0..1);
    // A worker for whom there is no room.
    let (sound, _full) = channel::bounded(0);
    let shared = Arc::clone(&bench.inlet.shared);
    let crowded = Inlet { sound: Some(sound), shared, ..Inlet::default() };
    crowded.put(said(began, 1..26));
    assert_eq!(bench.told(), TapeEvent::Gaps { call: CALL });
    bench.order(Tape::End { call: other, at: began });
    let TapeEvent::Finished { call, .. } = bench.told() else { panic!("it has no gaps") };
    assert_eq!(call, other);
    assert!(bench.metrics.render().contains("pukar_recording_packets_lost_total 50"));
}

#[test]
fn old_days_are_forgotten_and_nothing_else_is() {
    let folder = folder("old");
    for name in ["2020-01-01", "2026-11-25", "music", "2020-01-0x"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    assert_eq!(file::forget_before(&folder, "2026-01-01", &[]).unwrap(), 1);
    let mut left: Vec<_> =
        fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
    left.sort();
    assert_eq!(left, ["2020-01-0x", "2026-11-25", "music"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_forgotten_leaves_proof_of_which_calls_it_was() {
    use sha2::{Digest, Sha256};
    let folder = folder("proof");
    fs::create_dir_all(folder.join("2020-01-01")).unwrap();
    fs::write(folder.join("2020-01-01/B.wav"), "sound").unwrap();
    fs::write(folder.join("2020-01-01/A.opus.sealed"), "more").unwrap();
    assert_eq!(file::forget_before(&folder, "2026-01-01", &[]).unwrap(), 1);
    let text = fs::read_to_string(folder.join("purges.jsonl")).unwrap();
    let proof: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&proof["of"], &proof["count"]), (&"recordings".into(), &2.into()));
    assert!(proof["what"].as_str().unwrap().starts_with("recordings of 2020-01-01, 9 octets"));
    let names = Sha256::digest("A.opus.sealed 4\nB.wav 5\n");
    let names: String = names.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(proof["digest"], names);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_held_is_kept_with_its_whole_day() {
    let folder = folder("held");
    for day in ["2025-01-01", "2025-01-02", "2025-03-03", "2025-03-04", "2025-03-05", "2025-09-01"]
    {
        fs::create_dir_all(folder.join(day)).unwrap();
    }
    fs::write(folder.join("2025-01-02/WANTED.sealed"), []).unwrap();
    let day = |day: &str| Some(day.to_string());
    let line = Some("181".to_string());
    let holds = [
        Hold { call: Some("WANTED".into()), ..Hold::default() },
        Hold { line, from: day("2025-03-04"), until: day("2025-03-04"), ..Hold::default() },
    ];
    assert_eq!(file::forget_before(&folder, "2026-01-01", &holds).unwrap(), 2);
    let mut left: Vec<_> =
        fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
    left.sort();
    // Midnight in India is 18:30 of the day before in UTC.
    assert_eq!(left, ["2025-01-02", "2025-03-03", "2025-03-04", "2025-03-05"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_said_after_the_core_has_gone_is_still_written() {
    let folder = folder("last-words");
    let wall = Clock::start().now().wall;
    let clock = Clock::after(Now { instant: Instant(2_000_000), wall });
    let began = Instant(1_000_000);
    let mut bench = Bench::start(&folder, None, clock);
    bench.begin("a.wav", began);
    bench.say(began, 0..25);
    bench.orders = None;
    // Longer than the turn in which it would have noticed.
    let _ = bench.news.recv_timeout(Duration::from_millis(300));
    bench.say(began, 25..50);
    bench.stop();
    let written = fs::read(folder.join("a.wav.part")).unwrap();
    let heard = written[wav::HEADER..].iter().filter(|octet| **octet == 0x2a).count();
    assert_eq!(heard, 50 * 160, "both halves of the second, on the left");
}
