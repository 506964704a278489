//! Journals on disk: whole, torn, spoiled, foreign, with a gap, read-only, turned over and cleared.

mod back;
mod faults;
mod gone;
mod kept;
mod retiring;
mod stubs;
mod timers;
mod turning;
mod versions;

use super::*;
use crate::base::{Instant, Now, Wall};
use crate::call::EndedBy;
use crate::config::Settings;
use crate::core::journal::{HEADER_LEN, Header};
use crate::core::{CallRecord, Command, Event, Out, Row, Switch};
use crate::media::control::{self, Figures};
use crate::shell::board::{Board, Names};
use crate::shell::engine::Journal;
use crate::shell::meters::Metrics;
use crate::shell::store::tests::Folder;
use crate::shell::store::{Outbox, Stored};
use crate::sip::{Hop, Transport};
use bytes::Bytes;
use crossbeam_channel as channel;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const CALLER: &str = "10.0.0.2:5060";

fn settings() -> Settings {
    let text = "[sip]\nlisten = [\"udp:10.0.0.1:5060\"]\n[[trunk]]\nname = \"bsnl\"\n\
        hosts = [\"10.0.0.2:5060\"]\nping = \"0s\"\n[[line]]\nnumbers = [\"181\"]\n\
        queue = \"general\"\n[[queue]]\nname = \"general\"\nstaffed = false\n\
        [[district]]\nname = \"guna\"\nqueue = \"general\"\n";
    crate::config::parse(&[("test".into(), text.into())], &|_| None).unwrap()
}

/// A switch with its journal, as the loop would drive them.
struct Process {
    switch: Switch,
    board: Board,
    writer: Writer,
    outbox: Outbox,
    stored: Arc<Stored>,
    now: Now,
    out: Out,
    rows_reach_the_outbox: bool,
}

struct Place {
    folder: Folder,
    limits: Limits,
    settings: Settings,
}

impl Place {
    fn new(name: &str) -> Self {
        let limits = Limits::default();
        Self { folder: Folder::new(name), limits, settings: settings() }
    }

    /// Another folder with the same in it.
    fn copy(&self, name: &str) -> Self {
        let other = Self::new(name);
        let mut made = std::process::Command::new("cp");
        made.arg("-a").arg(self.folder.0.join(".")).arg(&other.folder.0);
        assert!(made.status().unwrap().success());
        Self { settings: self.settings.clone(), ..other }
    }

    fn dir(&self) -> PathBuf {
        self.folder.0.join("journal")
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.folder.0.join("outbox")).unwrap()
    }

    fn start(&self) -> Process {
        self.try_start().unwrap()
    }

    fn try_start(&self) -> Result<Process, String> {
        let mut outbox = self.outbox();
        let Found { begin, rows } = recover(&self.dir(), &mut outbox)?;
        let closed = rows.clone();
        assert_eq!(to_outbox(&mut outbox, rows), [], "the outbox has room");
        let (stored, meters) = (Arc::<Stored>::default(), Metrics::new().for_shell());
        stored.add(outbox.last());
        let mut out = Out::default();
        let (switch, board, writer, now) = match begin {
            Begin::Fresh { numbers, kept, stale } => {
                let now = Now { instant: Instant(1_000_000), wall: Wall(1_700_000_000_000_000) };
                let mut switch = Switch::after(numbers, self.settings.clone(), 1, now, &mut out);
                let count = kept.len();
                switch.inherit(now, kept, &mut out);
                let mut board = Board::new(Names::of(switch.settings(), switch.names()), now);
                out.facts.iter().for_each(|fact| board.take(fact.clone()));
                let first = (&switch.memory(now), &board);
                let stored = Arc::clone(&stored);
                let rows = closed.into_iter().map(|row| Command::Store(Box::new(row)));
                let rows: Vec<Command> = rows.collect();
                let over = stale.is_some().then_some(&rows[..]);
                let writer = Writer::begin(&self.dir(), self.limits, first, over, stored, meters)?;
                let (dir, keep) = (self.dir(), self.limits.keep);
                stale.into_iter().for_each(|stale| stale.put_aside(&dir, count, true, keep));
                (switch, board, writer, now)
            }
            Begin::Again(again) => {
                let last = again.last;
                let stored = Arc::clone(&stored);
                let (switch, board, writer) =
                    again.go_on(&self.dir(), self.limits, stored, meters)?;
                (switch, board, writer, last)
            }
        };
        let out = Out::default();
        let rows_reach_the_outbox = true;
        Ok(Process { switch, board, writer, outbox, stored, now, out, rows_reach_the_outbox })
    }

    fn segment(&self) -> PathBuf {
        files::segment(&self.dir(), *files::list(&self.dir()).unwrap().0.last().unwrap())
    }

    fn records(&self) -> Vec<CallRecord> {
        let rows = self.outbox().newest().unwrap().into_iter();
        rows.filter_map(|row| match row {
            Row::Call(record) => Some(record),
            Row::AgentState(_) => None,
        })
        .collect()
    }
}

impl Process {
    fn tell(&mut self, event: Event) {
        self.now.instant = self.now.instant + Duration::from_millis(1_500);
        self.now.wall = Wall(self.now.wall.0 + 1_500_000);
        self.tell_now(event);
    }

    /// No time passes.
    fn tell_now(&mut self, event: Event) {
        self.writer.append(self.now, std::slice::from_ref(&event));
        self.out = Out::default();
        self.switch.handle(self.now, event, &mut self.out);
        self.writer.follow(&self.out.commands, &self.out.facts, &self.switch);
        self.writer.commit(self.now, &self.switch);
        self.out.facts.iter().for_each(|fact| self.board.take(fact.clone()));
        let rows = self.out.commands.iter().filter_map(|command| match command {
            Command::Store(row) => Some((**row).clone()),
            _ => None,
        });
        let rows: Vec<Row> = rows.collect();
        if self.rows_reach_the_outbox && !rows.is_empty() {
            self.outbox.append(&rows).unwrap();
            self.stored.add(self.outbox.last());
        }
        self.rests();
    }

    fn rests(&mut self) {
        if self.writer.rest(self.now) {
            let (sender, receiver) = channel::bounded(1);
            sender.send(self.board.clone()).unwrap();
            self.writer.snapshot(self.switch.memory(self.now), receiver);
        }
    }

    fn arrives(&mut self, name: &str) {
        let hop = Hop {
            transport: Transport::Udp,
            local: "10.0.0.1:5060".parse().unwrap(),
            peer: CALLER.parse().unwrap(),
            flow: None,
        };
        let sdp = "v=0\r\no=a 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
            m=audio 30000 RTP/AVP 8\r\n";
        let bytes = Bytes::from(format!(
            "INVITE sip:181@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{name}\r\n\
             From: <sip:{name}@{CALLER}>;tag={name}\r\nTo: <sip:181@10.0.0.1>\r\n\
             Call-ID: {name}\r\nCSeq: 1 INVITE\r\nContact: <sip:{name}@{CALLER}>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ));
        self.tell(Event::Sip { hop, bytes });
    }

    /// The oldest call is hung up, and its figures come.
    fn ends_one(&mut self) {
        let port = self.hangs_up();
        self.tells_figures(port);
    }

    fn hangs_up(&mut self) -> crate::base::PortId {
        let call = self.board.call_ids()[0].clone();
        self.tell(Event::Admin {
            request: 1,
            by: String::new(),
            verb: crate::core::Verb::Hangup { call },
        });
        let closed = self.out.commands.iter().find_map(|command| match command {
            Command::Media(control::Command::Close { port }) => Some(*port),
            _ => None,
        });
        closed.unwrap()
    }

    fn tells_figures(&mut self, port: crate::base::PortId) {
        let figures = Figures::default();
        self.tell(Event::Media(control::Event::Closed { port, figures }));
    }

    /// Ends in order; what was known then.
    fn leaves(self) -> Switch {
        let Process { switch, board, writer, now, .. } = self;
        let (sender, receiver) = channel::bounded(1);
        sender.send(board).unwrap();
        assert!(Box::new(writer).leave(switch.memory(now), receiver));
        switch
    }

    fn is_same(&self, other: &Self) {
        assert!(self.switch.state() == other.switch.state(), "another switch");
        assert!(self.board == other.board, "another board");
    }
}

/// The switch starts empty, and the calls that were alive have their records.
fn is_closed_in_the_records(place: &Place, calls: usize, ended_before: usize) {
    let process = place.start();
    assert_eq!(process.board.live(), 0);
    drop(process);
    let records = place.records();
    let recovered = records.iter().filter(|record| record.ended_by == EndedBy::Recovered);
    assert_eq!((records.len(), recovered.count()), (calls, calls - ended_before));
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=calls as u64).collect::<Vec<_>>());
    assert!(place.dir().join("set-aside").is_dir());
    let mut process = place.start();
    process.arrives("later");
    process.ends_one();
    assert_eq!(place.records().last().unwrap().seq, calls as u64 + 1, "numbers go on");
}

fn three_calls_one_over(place: &Place) {
    let mut process = place.start();
    (0..3).for_each(|n| process.arrives(&format!("c{n}")));
    process.ends_one();
}

#[test]
fn a_flipped_bit_closes_the_calls_in_the_records_and_keeps_the_files() {
    let place = Place::new("journal-flip");
    three_calls_one_over(&place);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes[HEADER_LEN + 200] ^= 4;
    std::fs::write(place.segment(), bytes).unwrap();
    is_closed_in_the_records(&place, 3, 1);
}

#[test]
fn another_version_is_said_and_its_calls_are_closed_in_the_records() {
    let place = Place::new("journal-foreign");
    three_calls_one_over(&place);
    let (segments, snapshots) = files::list(&place.dir()).unwrap();
    let segments = segments.into_iter().map(|n| (n, files::segment(&place.dir(), n)));
    let snapshots = snapshots.into_iter().map(|n| (n, files::snapshot(&place.dir(), n)));
    for (number, path) in segments.chain(snapshots) {
        let mut bytes = std::fs::read(&path).unwrap();
        let own = Header::new(number, false);
        let other = Header { build: own.build ^ 1, ..own };
        bytes[..HEADER_LEN].copy_from_slice(&other.encode());
        std::fs::write(&path, bytes).unwrap();
    }
    is_closed_in_the_records(&place, 3, 1);
}

#[test]
fn a_gap_is_stated_and_nothing_after_it_is_pretended() {
    let place = Place::new("journal-gap");
    three_calls_one_over(&place);
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).write(true).open(place.segment()).unwrap();
    files::mark_gap(&file).unwrap();
    is_closed_in_the_records(&place, 3, 1);
}

#[test]
fn a_full_disk_costs_no_call_and_the_journal_heals() {
    let place = Place::new("journal-full");
    let mut process = place.start();
    process.arrives("c0");
    process.writer.fill_disk();
    process.arrives("lost");
    process.arrives("lost2");
    assert_eq!(process.board.live(), 3, "calls go on");
    let Some(Event::Journal { trouble: Some(why) }) = process.writer.news() else {
        panic!("nobody is told")
    };
    assert!(why.contains("No space"), "{why}");
    heals(&mut process);
    assert_eq!(process.writer.news(), Some(Event::Journal { trouble: None }));
    assert_eq!(process.writer.news(), None, "told once");
    process.arrives("c1");
    process.is_same(&place.start());
    assert_eq!(place.start().board.live(), 4);
}

#[test]
fn an_event_that_killed_the_process_is_left_out_and_costs_nobody_else_the_call() {
    let place = Place::new("journal-poison");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    let verb = crate::core::Verb::Hangup { call: process.board.call_ids()[0].clone() };
    let poison = Event::Admin { request: u64::MAX, by: String::new(), verb };
    process.writer.append(process.now, &[poison, Event::Drain]);
    process.writer.break_off(process.now);
    let mut again = place.start();
    assert_eq!(again.board.live(), 2, "nobody was hung up");
    again.arrives("c2");
    again.is_same(&place.start());
}

#[test]
fn a_spoiled_snapshot_is_passed_over_for_an_older_one() {
    let mut place = Place::new("journal-older");
    place.limits.segment = 6_000;
    let mut process = place.start();
    for n in 0..12 {
        process.arrives(&format!("c{n}"));
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let newest = |place: &Place| *files::list(&place.dir()).unwrap().1.last().unwrap();
    while newest(&place) == 1 {
        process.tell(Event::Tick);
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let path = files::snapshot(&place.dir(), newest(&place));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    process.is_same(&place.start());
}

#[test]
fn only_its_owner_may_read_it() {
    let place = Place::new("journal-rights");
    drop(place.start());
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.dir()), 0o700);
    assert_eq!(mode(place.segment()), 0o600);
    assert_eq!(mode(files::snapshot(&place.dir(), 1)), 0o600);
}

#[test]
fn a_folder_that_cannot_be_written_is_one_clear_sentence() {
    let place = Place::new("journal-readonly");
    std::fs::write(place.dir(), b"a file where the folder should be").unwrap();
    let why = place.try_start().err().unwrap();
    assert!(why.starts_with("the journal in ") && why.contains("[switch] data"), "{why}");
}

#[test]
fn why_is_told_from_the_journal_when_memory_has_forgotten() {
    let place = Place::new("journal-why");
    let mut process = place.start();
    process.arrives("c0");
    let id = process.board.call_ids()[0].clone();
    process.ends_one();
    process.arrives("c1");
    let live = process.board.call_ids()[0].clone();
    let now = process.now;
    let remembered = process.board.why(&id, now).unwrap();
    drop(process);
    let told = super::explain(&place.dir(), &id).unwrap();
    assert_eq!(told["steps"], remembered["steps"]);
    assert!(told["steps"].as_array().unwrap().len() >= 3, "{told}");
    assert!(super::explain(&place.dir(), &live).unwrap()["now"].is_array(), "it is still alive");
    let unknown = super::explain(&place.dir(), "01NOBODY").unwrap_err();
    assert!(unknown.starts_with("no call 01NOBODY arrives in"), "{unknown}");
}

/// Until the journal is whole again: the segment comes at once, its snapshot from another thread.
fn heals(process: &mut Process) {
    process.tell(Event::Tick);
    // However long a slow disk takes, nobody's time runs out.
    for _ in 0..4_000 {
        process.tell_now(Event::Tick);
        std::thread::park_timeout(Duration::from_millis(5));
        if process.writer.is_whole() {
            return;
        }
    }
    panic!("the journal is not whole again");
}

#[test]
fn what_could_not_be_published_leaves_nothing_behind_and_a_start_sweeps_up() {
    let place = Place::new("journal-unfinished");
    files::prepare(&place.dir()).unwrap();
    let taken = files::snapshot(&place.dir(), 9);
    std::fs::create_dir_all(taken.join("in-the-way")).unwrap();
    assert!(files::publish(&taken, b"whole").is_err());
    assert!(!taken.with_extension("new").exists(), "half a snapshot");
    std::fs::remove_dir_all(&taken).unwrap();
    let left = place.dir().join("000000000007.new");
    std::fs::write(&left, b"half").unwrap();
    drop(place.start());
    assert!(!left.exists(), "what a dead process had begun");
}

#[test]
fn the_last_snapshot_waits_for_rows_but_not_for_ever() {
    let place = Place::new("journal-leave");
    let mut process = place.start();
    process.arrives("c0");
    process.rows_reach_the_outbox = false;
    process.ends_one();
    let Process { switch, board, writer, now, .. } = process;
    let (sender, receiver) = channel::bounded(1);
    sender.send(board).unwrap();
    assert!(!Box::new(writer).leave(switch.memory(now), receiver), "its row is nowhere else");
    assert_eq!(place.start().board.live(), 0, "and the journal has it");
    assert_eq!(place.records().len(), 1);
}
