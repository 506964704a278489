//! What becomes of a recording that could not be finished, or was not, in its own process or in the
//! next.

use super::*;

/// For two seconds nothing of a recording is on the disk.
#[test]
fn a_recording_of_which_nothing_was_written_when_the_process_died_says_so_too() {
    let key = Some("correct horse battery staple");
    // What a process that is killed just then leaves, and what a loss of power does.
    let killed = |path: &Path| drop(growing::Growing::open(path, key).unwrap());
    let without_power = |path: &Path| {
        killed(path);
        fs::write(format!("{}.part", path.display()), []).unwrap();
    };
    let ends: [&dyn Fn(&Path); 2] = [&killed, &without_power];
    let names = ["Y.wav", "Y.sealed", "Y.opus", "Y.opus.sealed"];
    for (dies, name) in ends.into_iter().flat_map(|dies| names.map(|name| (dies, name))) {
        let bench = Bench::start(&folder(&format!("early-{name}")), key, Clock::start());
        let file = format!("2026-11-25/{name}");
        dies(&bench.folder.join(&file));
        let began = bench.clock.instant();
        bench.begin(&file, began);
        bench.say(began, 0..50);
        bench.end(began + Duration::from_secs(1));
        assert_eq!(bench.told(), TapeEvent::Finished { call: CALL, millis: 1_000 });
        assert!(!open(&bench.folder.join(file), key).unwrap().1, "{name}");
    }
}

#[test]
fn a_process_that_dies_while_it_marks_a_recording_leaves_one_that_is_marked_and_whole() {
    let folder = folder("marking");
    let day = folder.join("2026-11-25");
    fs::create_dir_all(&day).unwrap();
    let sound = [0x2a; 8_000];
    let mut marked = wav::g711(Law::A, 2, 8_000, &sound);
    mark::wav(&mut marked);
    let header = wav::header(Law::A, 2, 8_000, 0);
    let whole = marked.len();
    marked[..wav::HEADER].copy_from_slice(&header);
    for end in [whole, whole - 1, whole - 40, wav::HEADER + sound.len() + 9] {
        let part = day.join("Z.wav.part");
        fs::write(&part, &marked[..end]).unwrap();
        file::mend(&part).unwrap();
        let (file, is_whole) = open(&day.join("Z.wav"), None).unwrap();
        let (left, right) = sides_of_marked(&file);
        assert!(!is_whole && left.len() == 4_000, "{end}: {}", left.len());
        assert!(left.iter().chain(&right).all(|octet| *octet == 0x2a), "{end}: words as sound");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// Something stands where the file is to be, for a moment.
#[test]
fn a_recording_that_cannot_be_finished_is_told_of_and_mended_when_it_can() {
    let folder = folder("unfinishable");
    let path = folder.join("2026-11-25/AA.wav");
    fs::create_dir_all(path.join("in-the-way")).unwrap();
    let obstacle = path.clone();
    let bench = Bench::with(&folder, &[], Clock::start(), move |event, _| {
        if matches!(event, TapeEvent::Failed { .. }) {
            fs::remove_dir_all(&obstacle).unwrap();
        }
    });
    let began = bench.clock.instant();
    bench.begin("2026-11-25/AA.wav", began);
    bench.say(began, 0..50);
    bench.end(began + Duration::from_secs(1));
    let TapeEvent::Failed { call: CALL, .. } = bench.told() else { panic!("it cannot be") };
    let until = bench.clock.instant() + LONG;
    while !path.is_file() && bench.clock.instant() < until {
        let _ = bench.news.recv_timeout(Duration::from_millis(10));
    }
    assert_eq!(sides(&fs::read(&path).unwrap()).0.len(), 8_000);
}

#[test]
fn a_recording_whose_name_may_not_be_on_the_disk_is_not_said_to_be_finished() {
    let folder = folder("unsynced");
    let bench = Bench::start(&folder, None, Clock::start());
    let path = folder.join("2026-11-25/AB.wav");
    let (sender, told) = channel::unbounded();
    let recorder = Recorder {
        folder: folder.clone(),
        key: None,
        old_keys: Vec::new(),
        keep: None,
        holds: Holds::default(),
        clock: bench.clock,
        news: Arc::new(move |event| _ = sender.send(event)),
        meters: bench.metrics.for_shell(),
    };
    let (jobs, jobs_end) = channel::unbounded();
    let (chores, _chores_end) = channel::unbounded();
    let file = growing::Growing::open(&path, None).unwrap();
    let file = closer::Over::Written(Box::new(file));
    assert!(jobs.send(closer::Finish { call: CALL, file, millis: 0 }).is_ok());
    drop(jobs);
    closer::finish(&recorder, &jobs_end, &chores, |_| Err(io::Error::other("the disk is gone")));
    let Ok(Event::Recording(TapeEvent::Failed { call: CALL, why })) = told.try_recv() else {
        panic!("who knows whether it is there")
    };
    assert!(why.contains("2026-11-25: the disk is gone") && told.is_empty(), "{why}");
}

/// The start of a switch may take its time: a journal is long, and a machine slow.
#[test]
fn what_a_dead_process_left_waits_for_the_core_and_is_mended_seconds_after() {
    let folder = folder("slow-start");
    let day = folder.join("2026-11-25");
    fs::create_dir_all(&day).unwrap();
    for name in ["AC.wav", "AD.wav"] {
        let mut left = growing::Growing::open(&day.join(name), None).unwrap();
        left.append(&[0x2a; 16_000]).unwrap();
        left.leave().unwrap();
    }
    let wall = Clock::start().now().wall;
    let mut bench = Bench::start(&folder, None, Clock::after(Now { instant: Instant(0), wall }));
    let wait = |bench: &Bench, seconds: u64| {
        let until = bench.clock.instant() + Duration::from_secs(seconds);
        while find(&folder, "AC").is_none() && bench.clock.instant() < until {
            let _ = bench.news.recv_timeout(Duration::from_millis(50));
        }
        find(&folder, "AC").is_some()
    };
    assert!(!wait(&bench, 6), "nobody knows yet who goes on");
    bench.thread = bench.thread.take().map(Threads::with_core);
    bench.begin("2026-11-25/AD.wav", Instant(0));
    assert!(wait(&bench, 60), "this one nobody does");
    assert!(day.join("AD.wav.part").exists(), "and this one is still written");
}

/// Nobody finds them before they are, and the next process may be months away.
#[test]
fn what_is_to_be_mended_while_others_are_waits_for_room_and_is_not_forgotten() {
    let (chores, queue) = channel::bounded(2);
    let mut left: Vec<PathBuf> = (0..5).map(|n| format!("{n}.wav.part").into()).collect();
    let mut mended = Vec::new();
    for still in [3, 1, 0] {
        writer::mend_some(&mut left, &chores);
        assert_eq!(left.len(), still);
        mended.extend(queue.try_iter().map(|chore| match chore {
            closer::Chore::Mend(part) => part,
            closer::Chore::Forget => panic!("nobody has asked for that"),
        }));
    }
    mended.sort();
    assert_eq!(mended, (0..5).map(|n| format!("{n}.wav.part").into()).collect::<Vec<PathBuf>>());
}

/// It may have been given up because somebody else has it.
#[test]
fn nothing_is_begun_under_an_old_key_where_the_disk_fails_for_a_moment() {
    let folder = folder("moment");
    let path = folder.join("2026-11-25/M.sealed");
    let keys = ["the key of now", "an older key", "the oldest key"];
    let begin = |wrong: &dyn Fn(&Path, usize) -> io::Result<()>| {
        let mut tried = 0;
        writer::by_first_of(keys.map(Some).into_iter(), |key| {
            tried += 1;
            wrong(&path, tried)?;
            growing::Growing::open(&path, key)
        })
        .map(|_| tried)
    };
    let full = |_: &Path, tried| match tried {
        1 => Err(io::Error::from(io::ErrorKind::StorageFull)),
        _ => Ok(()),
    };
    assert_eq!(begin(&full).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(!path.with_extension("sealed.part").exists(), "begun under an older one");
    assert_eq!(begin(&|_, _| Ok(())).unwrap(), 1);
    fs::remove_dir_all(&folder).unwrap();
    drop(growing::Growing::open(&path, Some(keys[2])).unwrap());
    assert_eq!(begin(&|_, _| Ok(())).unwrap(), 3, "what is there is gone on with");
    fs::remove_dir_all(folder).unwrap();
}

/// The key is another after a restart, and the call goes on.
#[test]
fn a_recording_goes_on_under_its_own_key_where_that_is_known_and_is_begun_anew_where_not() {
    const OLD: &str = "correct horse battery staple";
    const NEW: &str = "stable genius horse battery";
    for (form, keys) in [("sealed", &[NEW, OLD][..]), ("opus.sealed", &[NEW]), ("sealed", &[NEW])] {
        let folder = folder(&format!("rotated-{form}-{}", keys.len()));
        let wall = Clock::start().now().wall;
        let clock = Clock::after(Now { instant: Instant(2_300_000), wall });
        let mut first = Bench::start(&folder, Some(OLD), clock);
        let (began, name) = (Instant(0), format!("2026-11-25/K.{form}"));
        first.begin(&name, began);
        first.say(began, 0..115);
        first.stop();
        let second = Bench::with(&folder, keys, first.clock, |_, _| {});
        second.begin(&name, began);
        let known = keys.contains(&OLD);
        if !known {
            assert_eq!(second.told(), TapeEvent::Gaps { call: CALL });
        }
        second.end(Instant(2_300_000));
        assert!(matches!(second.told(), TapeEvent::Finished { call: CALL, .. }));
        let key = if known { OLD } else { NEW };
        let (sound, whole) = open(&find(&folder, "K").unwrap(), Some(key)).unwrap();
        assert!(!whole && !sound.is_empty(), "{form}: what was heard between them is missing");
        let mut second = second;
        second.stop();
        let before = find(&folder, "K.before1");
        assert_eq!(before.is_some(), !known, "{form}");
        if let Some(before) = before {
            let (sound, whole) = open(&before, Some(OLD)).unwrap();
            assert!(!whole && sound.len() > 2_000, "{form}: {}", sound.len());
            assert!(before.ends_with(format!("2026-11-25/K.before1.{form}")), "{before:?}");
            let hold = Hold { call: Some("K".into()), ..Hold::default() };
            fs::remove_file(find(&folder, "K").unwrap()).unwrap();
            assert_eq!(file::forget_before(&folder, "2026-11-26", &[hold]).unwrap(), 0);
        }
        assert_eq!(find(&folder, "../K"), None);
    }
}
