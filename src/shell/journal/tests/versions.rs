//! Journals that another version wrote, or will read.

use super::*;

/// Makes files of another version of what lies in the journal.
pub fn rewrite(place: &Place, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let paths = std::fs::read_dir(place.dir()).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.is_file()) {
        std::fs::write(&path, change(std::fs::read(&path).unwrap())).unwrap();
    }
}

/// Written by another build of the same form.
pub fn by_another_build(mut bytes: Vec<u8>) -> Vec<u8> {
    let own = Header::decode(&bytes).unwrap();
    let other = Header { build: own.build ^ 1, ..own };
    bytes[..HEADER_LEN].copy_from_slice(&other.encode());
    bytes
}

#[test]
fn calls_of_a_later_form_get_their_records_though_its_columns_are_others() {
    let place = Place::new("journal-later");
    three_calls_one_over(&place);
    // One column has another name there, one another type, and one is new.
    let change = |note: String| {
        let note = note.replace("\"hold_ms\":0", "\"held\":{\"ms\":0},\"mood\":\"calm\"");
        note.replace("\"offers\":0", "\"offers\":\"none\"")
    };
    let later = crate::core::journal::FORMAT + 1;
    rewrite(&place, |bytes| crate::core::journal::in_another_form(&bytes, later, &change));
    is_closed_in_the_records(&place, 3, 1);
}

#[test]
fn a_call_that_ended_in_a_gap_is_not_closed_once_more_when_another_version_closes_the_books() {
    let place = Place::new("journal-settled");
    let mut process = place.start();
    process.arrives("c0");
    let port = process.hangs_up();
    process.writer.fill_disk();
    process.tells_figures(port);
    assert_eq!(place.records().len(), 1, "the outbox has it");
    heals(&mut process);
    process.arrives("c1");
    drop(process);
    rewrite(&place, by_another_build);
    // Long ago: the outbox has gone on to other segments.
    std::fs::remove_dir_all(place.folder.0.join("outbox")).unwrap();
    drop(place.start());
    let records = place.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].ended_by, EndedBy::Recovered);
}

#[test]
fn another_build_goes_on_from_the_last_snapshot_of_an_orderly_end() {
    let place = Place::new("journal-orderly");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    let switch = process.leaves();
    rewrite(&place, by_another_build);
    let again = place.start();
    assert!(again.switch.state() == switch.state() && again.board.live() == 2);
}

/// The caller hangs up, in the dialog that the switch has answered with.
fn hangs_up_unanswered(process: &mut Process, name: &str) {
    let said = process.out.commands.iter().find_map(|command| match command {
        Command::Send { bytes, .. } => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.starts_with("SIP/2.0 200").then_some(text)
        }
        _ => None,
    });
    let said = said.expect("the caller was answered by the switch");
    let to = said.lines().find(|line| line.starts_with("To: ")).unwrap();
    let hop = Hop {
        transport: Transport::Udp,
        local: "10.0.0.1:5060".parse().unwrap(),
        peer: CALLER.parse().unwrap(),
        flow: None,
    };
    let bytes = Bytes::from(format!(
        "BYE sip:10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKbye{name}\r\n\
         From: <sip:{name}@{CALLER}>;tag={name}\r\n{to}\r\nCall-ID: {name}\r\nCSeq: 2 BYE\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ));
    // Long enough to have wanted something.
    (0..8).for_each(|_| process.tell(Event::Tick));
    process.tell(Event::Sip { hop, bytes });
}

#[test]
fn a_version_of_another_form_still_knows_whom_to_call_and_whom_not_to_let_in() {
    let place = Place::new("journal-kept");
    let mut process = place.start();
    process.arrives("9826012345");
    hangs_up_unanswered(&mut process, "9826012345");
    let block = crate::core::Verb::Block {
        number: "9812345678".into(),
        reason: "shouts".into(),
        span: Some(Duration::from_secs(86_400)),
        by: "ali".into(),
    };
    process.tell(Event::Admin { request: 1, by: "ali".into(), verb: block });
    let (blocks, missed) =
        (process.board.blocks_list(), process.board.missed_list(process.now, &|_, _| true));
    assert_eq!(missed.as_array().map(Vec::len), Some(1), "{missed:#}");
    process.leaves();
    let later = crate::core::journal::FORMAT + 1;
    rewrite(&place, |bytes| crate::core::journal::in_another_form(&bytes, later, &|note| note));
    let again = place.start();
    assert_eq!(again.board.live(), 0, "no call can be gone on with");
    assert_eq!(again.board.blocks_list(), blocks);
    let now_missed = again.board.missed_list(again.now, &|_, _| true);
    assert_eq!(now_missed[0]["number"], missed[0]["number"], "{now_missed:#}");
    assert_eq!(now_missed[0]["state"], "open");
}

fn blocks(process: &mut Process, number: &str) {
    let verb = crate::core::Verb::Block {
        number: number.into(),
        reason: "shouts".into(),
        span: Some(Duration::from_secs(86_400)),
        by: "ali".into(),
    };
    process.tell(Event::Admin { request: 1, by: "ali".into(), verb });
}

/// No snapshot has any of it: what is known comes from notes behind the first.
#[test]
fn a_crash_costs_another_form_neither_whom_to_call_nor_whom_not_to_let_in() {
    let place = Place::new("journal-kept-crash");
    let mut process = place.start();
    for number in ["9826012345", "9826012346"] {
        process.arrives(number);
        hangs_up_unanswered(&mut process, number);
    }
    blocks(&mut process, "9812345678");
    blocks(&mut process, "9812345679");
    let unblock = crate::core::Verb::Unblock {
        number: "9812345678".into(),
        reason: "a mistake".into(),
        by: "ali".into(),
    };
    process.tell(Event::Admin { request: 2, by: "ali".into(), verb: unblock });
    let close = crate::core::Verb::Missed {
        number: "+919826012346".into(),
        act: crate::core::MissedAct::Close { by: "op1".into() },
    };
    process.tell(Event::Admin { request: 3, by: "op1".into(), verb: close });
    let blocks = process.board.blocks_list();
    let missed = process.board.missed_list(process.now, &|_, _| true);
    assert_eq!(blocks.as_array().map(Vec::len), Some(1), "{blocks:#}");
    assert_eq!(missed.as_array().map(Vec::len), Some(1), "{missed:#}");
    drop(process);
    let later = crate::core::journal::FORMAT + 1;
    rewrite(&place, |bytes| crate::core::journal::in_another_form(&bytes, later, &|note| note));
    let again = place.start();
    assert_eq!(again.board.blocks_list(), blocks);
    let now_missed = again.board.missed_list(again.now, &|_, _| true);
    assert_eq!(now_missed.as_array().map(Vec::len), Some(1), "{now_missed:#}");
    assert_eq!(now_missed[0]["number"], missed[0]["number"]);
}

#[test]
fn a_start_that_comes_to_nothing_leaves_the_journal_to_the_version_that_wrote_it() {
    let place = Place::new("journal-nothing");
    let mut process = place.start();
    (0..3).for_each(|n| process.arrives(&format!("c{n}")));
    process.ends_one();
    let state = process.switch.snapshot();
    drop(process);
    rewrite(&place, by_another_build);
    // It looks back, finds a mistake in its configuration or a port that is taken, and ends.
    let found = recover(&place.dir(), &mut place.outbox()).unwrap();
    assert_eq!(found.rows.len(), 2, "they would be closed");
    assert_eq!(place.records().len(), 1, "and are not yet");
    assert!(!place.dir().join("set-aside").exists());
    rewrite(&place, by_another_build);
    let again = place.start();
    assert!(again.board.live() == 2 && again.switch.state() == &state);
}

#[test]
fn whoever_is_owed_a_call_by_a_queue_that_is_no_more_is_named_and_has_another() {
    let now = Now { instant: Instant(1_000_000), wall: Wall(1_700_000_000_000_000) };
    let owed = |number: &str, queue: &str| crate::core::Wanted {
        number: number.into(),
        parent: "01HZ".into(),
        dialled: "181".into(),
        queue: queue.into(),
        ..crate::core::Wanted::default()
    };
    let kept = || {
        let wanted = [owed("+919826012345", "general"), owed("+919826012346", "health")];
        wanted.map(crate::core::Kept::Wanted).to_vec()
    };
    let mut out = Out::default();
    let mut switch = Switch::new(settings(), 1, now, &mut out);
    let homeless = switch.inherit(now, kept(), &mut out);
    let expected = crate::core::Homeless {
        wanted: owed("+919826012346", "health"),
        queue: Some("general".into()),
    };
    assert_eq!(homeless, [expected]);
    assert!(switch.state().wants("+919826012346").is_some(), "nobody is lost");
    // Without any queue there is nobody to call them: each is named all the same.
    let mut switch = Switch::new(Settings::default(), 1, now, &mut out);
    let homeless = switch.inherit(now, kept(), &mut out);
    let numbers: Vec<_> = homeless.iter().map(|it| it.wanted.number.as_str()).collect();
    assert_eq!(numbers, ["+919826012345", "+919826012346"]);
    assert!(homeless.iter().all(|it| it.queue.is_none()));
}

/// Two calls that are closed as recovered, and one that had ended, all of another build.
fn left_by_another_build(place: &Place) -> crate::config::Settings {
    three_calls_one_over(place);
    rewrite(place, by_another_build);
    let mut settings = Settings::default().with_data(&place.folder.0);
    settings.sip.listen.clear();
    settings
}

fn start_whole(settings: Settings) -> Result<crate::shell::Running, String> {
    crate::shell::Running::start(settings, crate::shell::Options::default())
}

#[test]
fn a_switch_that_cannot_open_its_doors_has_closed_nobody_s_books() {
    let place = Place::new("journal-doors");
    let mut settings = left_by_another_build(&place);
    let taken = place.folder.0.join("taken");
    std::fs::write(&taken, b"no socket").unwrap();
    settings.admin.socket = taken;
    let before = files::list(&place.dir()).unwrap();
    let why = start_whole(settings).err().expect("there is no door");
    assert!(why.contains("admin socket"), "{why}");
    assert_eq!(place.records().len(), 1, "no call was closed in the records");
    assert_eq!(files::list(&place.dir()).unwrap(), before);
    assert!(!place.dir().join("set-aside").exists());
    rewrite(&place, by_another_build);
    assert_eq!(place.start().board.live(), 2, "the version that wrote it goes on");
}

#[test]
fn what_is_closed_in_the_records_is_in_the_new_journal_before_the_old_one_goes() {
    let place = Place::new("journal-past");
    let running = start_whole(left_by_another_build(&place)).unwrap();
    assert!(place.dir().join("set-aside").is_dir());
    running.stop();
    running.finish();
    let mut noted = Vec::new();
    super::super::rows(&place.dir(), &mut |row| noted.push(row)).unwrap();
    assert_eq!(noted.len(), 2, "{noted:#?}");
    let audit = super::super::audit(&place.dir()).unwrap();
    assert!(!audit.incomplete && audit.rows == 0, "they follow from no event here: {audit}");
    // The process died before they had reached the outbox, which never had a row, and long before
    // it wrote a last snapshot.
    let (segments, snapshots) = files::list(&place.dir()).unwrap();
    let later = |n: &&u64| **n > segments[0];
    for number in snapshots.iter().filter(later) {
        std::fs::remove_file(files::snapshot(&place.dir(), *number)).unwrap();
    }
    for number in segments.iter().filter(later) {
        std::fs::remove_file(files::segment(&place.dir(), *number)).unwrap();
    }
    std::fs::remove_dir_all(place.folder.0.join("outbox")).unwrap();
    let running = start_whole(Settings::default().with_data(&place.folder.0)).unwrap();
    running.stop();
    running.finish();
    let mut seqs: Vec<u64> = place.records().iter().map(|record| record.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [2, 3]);
}

#[test]
fn what_was_put_aside_once_is_still_there_when_more_is_put_aside() {
    let mut place = Place::new("journal-aside");
    place.limits = Limits { keep: 1 << 20, ..Limits::default() };
    let aside = |place: &Place, first: u64| place.dir().join(format!("set-aside/{first:012}"));
    let firsts: Vec<u64> = (0..3)
        .map(|n| {
            place.limits.keep = if n < 2 { 1 << 20 } else { 1 };
            let first = files::list(&place.dir()).map_or(1, |(segments, _)| segments[0]);
            three_calls_one_over(&place);
            rewrite(&place, by_another_build);
            drop(place.start());
            if n == 1 {
                // Both have their rows for whoever compares, each in its folder.
                let mut rows = 0;
                for dir in asides(&place.dir()) {
                    super::super::rows(&dir, &mut |_| rows += 1).unwrap();
                }
                assert!(rows >= 2, "{rows}");
                assert!(aside(&place, 1).is_dir() && aside(&place, first).is_dir(), "{first}");
            }
            first
        })
        .collect();
    assert!(firsts[0] < firsts[1] && firsts[1] < firsts[2], "{firsts:?}");
    let left = firsts.iter().map(|first| aside(&place, *first).is_dir());
    assert!(left.eq([false, false, true]), "the last one stays, however little is to be kept");
}

#[test]
fn what_became_of_a_call_between_two_records_is_in_the_record_of_the_version_that_closes_it() {
    let place = Place::new("journal-between");
    let mut process = place.start();
    process.arrives("c0");
    let call = process.board.call_ids()[0].clone();
    let chosen = crate::core::Verb::ChooseDistrict { call, district: "guna".into() };
    process.tell(Event::Admin { request: 1, by: "ali".into(), verb: chosen });
    drop(process);
    rewrite(&place, by_another_build);
    drop(place.start());
    let records = place.records();
    assert_eq!((records.len(), records[0].ended_by), (1, EndedBy::Recovered));
    assert_eq!((&*records[0].queue, &*records[0].district), ("general", "guna"));
}
