//! The journal's end on the core thread: one write a batch, of what came in and of notes about what
//! came of it, before anything is done about it.
//!
//! A write that fails costs no call. It is said once and loudly, the segment is marked as having a
//! gap after it, and from then on a new segment with a snapshot of its own is tried every second.

use super::keeper::{Keeper, SegmentFile, Task};
use super::{Limits, files, keeper, noted};
use crate::base::{Instant, Now};
use crate::core::journal::{self, HEADER_LEN, Header, Maker, Memory, NoteRef};
use crate::core::{Command, Event, Fact};
use crate::shell::board::Board;
use crate::shell::engine::{Engine, Journal};
use crate::shell::meters::ShellMeters;
use crate::shell::store::Stored;
use crossbeam_channel::Receiver;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the last snapshot may take: nobody hears the switch meanwhile.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// The longest that a segment is written where segments are kept by days.
const DAY: Duration = Duration::from_secs(86_400);
/// The least time between two segments.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Writer {
    dir: PathBuf,
    limits: Limits,
    segment: Arc<SegmentFile>,
    number: u64,
    follows: bool,
    len: u64,
    /// What is to be written next.
    buffer: Vec<u8>,
    /// How many events are in it, and whether notes are.
    events: usize,
    noted: bool,
    /// What came of them.
    maker: Maker,
    /// Since when nothing is written down.
    gap: Option<Gap>,
    /// It is written down again, but not yet after a snapshot that is safe.
    healing: Option<Gap>,
    /// What the core is yet to be told: why there is a gap, or that there is none any more.
    news: Option<Option<String>>,
    /// Since when this process writes the segment.
    begun: Option<Instant>,
    /// No new segment before then.
    next_turn: Instant,
    /// A segment is wanted that begins behind what the core breaks in.
    due: bool,
    keeper: Keeper,
    stored: Arc<Stored>,
    meters: ShellMeters,
}

struct Gap {
    since: Now,
    lost: u64,
}

impl Writer {
    /// Begins a journal with a switch that nobody knew before. On a disk that is full it begins
    /// with a gap, which is no reason to answer nobody. `over`: rows of calls that end with the
    /// journal before this one.
    pub fn begin(
        dir: &Path,
        limits: Limits,
        first: (&Memory, &Board),
        over: Option<&[Command]>,
        stored: Arc<Stored>,
        meters: ShellMeters,
    ) -> Result<Self, String> {
        let sentence = |e: io::Error| cannot_write(dir, &e);
        let (segments, snapshots) = files::list(dir).map_err(sentence)?;
        let leads = files::leads(dir).map_err(sentence)?;
        // A snapshot without its segment has its number: what begins now is none of it.
        let last = segments.into_iter().chain(snapshots).chain(leads).max().unwrap_or(0);
        let number = last + 1;
        let snapshot = keeper::encode(number, first.0, Some(first.1))?;
        let begun = match over {
            None => first_files(dir, number, &snapshot),
            Some(rows) => closing_files(dir, number, &snapshot, &notes_of(number, rows, first.0)),
        };
        match begun {
            Ok((file, len)) => {
                let tail = (number, false, file, len);
                Self::go_on(dir, limits, tail, stored, meters).map_err(sentence)
            }
            Err(error) if is_full(&error) => {
                let nowhere = std::fs::File::open("/dev/null").map_err(sentence)?;
                let tail = (last, false, nowhere, 0);
                let writer = Self::go_on(dir, limits, tail, stored, meters).map_err(sentence)?;
                Ok(writer.with_gap(first.0.now, &error))
            }
            Err(error) => Err(sentence(error)),
        }
    }

    /// A snapshot is wanted as soon as the switch is at work.
    pub fn wants_snapshot(&mut self) {
        self.due = true;
    }

    /// Nothing goes into a journal yet; what one before this holds is not all from now on.
    fn with_gap(mut self, now: Now, error: &io::Error) -> Self {
        let led = files::lead_nowhere(&self.dir);
        let marked = led.and_then(|()| files::list(&self.dir)).and_then(|(segments, _)| {
            let Some(last) = segments.last() else { return Ok(()) };
            let mut options = std::fs::OpenOptions::new();
            files::mark_gap(&options.read(true).write(true).open(files::segment(&self.dir, *last))?)
        });
        self.tell_gap(now, error, marked);
        self
    }

    /// Goes on at the end of a segment.
    pub(super) fn go_on(
        dir: &Path,
        limits: Limits,
        (number, follows, file, len): (u64, bool, std::fs::File, u64),
        stored: Arc<Stored>,
        meters: ShellMeters,
    ) -> io::Result<Self> {
        Ok(Self {
            dir: dir.into(),
            limits,
            segment: SegmentFile::new(file),
            number,
            follows,
            len,
            buffer: Vec::new(),
            events: 0,
            noted: false,
            maker: Maker::default(),
            gap: None,
            healing: None,
            news: None,
            begun: None,
            next_turn: Instant(0),
            due: false,
            keeper: Keeper::start(dir, limits, Arc::clone(&stored))?,
            stored,
            meters,
        })
    }

    fn write(&mut self, now: Now) {
        match self.segment.file.write_all_at(&self.buffer, self.len) {
            Ok(()) => {
                self.len += self.buffer.len() as u64;
                self.meters.journal_octets.increment(self.buffer.len() as u64);
                self.keeper.sync(&self.segment);
            }
            Err(error) => self.fail(now, &error),
        }
    }

    /// Nothing more goes into this segment: whoever reads it must know that it is not all.
    fn fail(&mut self, now: Now, error: &io::Error) {
        let _ = self.segment.file.set_len(self.len);
        let marked = files::mark_gap(&self.segment.file);
        self.tell_gap(now, error, marked);
    }

    fn tell_gap(&mut self, now: Now, error: &io::Error, marked: io::Result<()>) {
        self.gap = Some(self.healing.take().unwrap_or(Gap { since: now, lost: 0 }));
        self.news = Some(Some(error.to_string()));
        self.stored.stand_alone(true);
        self.meters.journal_failures.increment(1);
        self.meters.journal_gap.set(1.0);
        tracing::error!(
            "the journal in {} cannot be written: {error}. Calls go on, but if the switch dies \
             now they are lost; free some room on that disk",
            self.dir.display()
        );
        if let Err(error) = marked {
            tracing::error!("the gap cannot even be noted in the journal: {error}");
        }
    }

    /// The disk is full from now on, and nothing can be noted in the segment either.
    #[cfg(test)]
    pub fn fill_disk(&mut self) {
        let file = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        self.segment = SegmentFile::new(file);
    }

    /// The last snapshot is safe, and what is kept no longer has gone.
    #[cfg(test)]
    pub fn is_at_rest(&self) -> bool {
        self.keeper.is_free() && self.keeper.newest() == self.number
    }

    fn turn(&mut self, memory: Memory, board: Receiver<Board>) -> io::Result<()> {
        let (number, follows) = (self.number + 1, self.gap.is_none());
        let header = Header::new(number, follows);
        let path = files::segment(&self.dir, number);
        let file = files::create(&path, &header)?;
        self.segment = SegmentFile::new(file);
        (self.number, self.follows, self.len) = (number, follows, header.encode().len() as u64);
        self.keeper.sync(&self.segment);
        self.keeper.write(Task { number, follows, memory, board });
        Ok(())
    }
}

impl Journal for Writer {
    fn append(&mut self, now: Now, batch: &[Event]) {
        self.events += batch.len();
        if self.gap.is_some() {
            return;
        }
        if self.keeper.has_failed() {
            return self.fail(now, &io::Error::other("the disk has refused what was written"));
        }
        if let Err(why) = journal::put_batch(&mut self.buffer, self.number, now, batch) {
            self.fail(now, &io::Error::other(why));
        }
    }

    fn follow(&mut self, commands: &[Command], facts: &[Fact], engine: &dyn Engine) {
        if self.gap.is_some() {
            return;
        }
        self.maker.follow(commands, facts);
        let number = self.number;
        let mut put = |note: &NoteRef<'_>| {
            // A note that cannot be written is one that nobody will miss unless all else fails.
            let _ = journal::put_note(&mut self.buffer, number, note);
            self.noted = true;
        };
        noted::of_facts(facts, engine, &mut put);
        commands.iter().for_each(|command| noted::of_command(command, &mut put));
    }

    fn break_off(&mut self, now: Now) {
        // What came of it is not written: to a start that is a process that was killed just then.
        if self.gap.is_none() && self.events > 0 {
            self.write(now);
        }
        self.buffer.clear();
        (self.events, self.noted) = (0, false);
    }

    fn commit(&mut self, now: Now, engine: &dyn Engine) {
        let made = self.maker.take();
        if self.events > 0 && self.gap.is_none() {
            let _ = journal::put_note(&mut self.buffer, self.number, &NoteRef::Made(made));
        }
        if self.noted {
            let numbers = NoteRef::Numbers(engine.numbers(now));
            let _ = journal::put_note(&mut self.buffer, self.number, &numbers);
        }
        if self.gap.is_none() {
            self.write(now);
        }
        if let Some(gap) = &mut self.gap {
            gap.lost += self.events as u64;
        }
        self.buffer.clear();
        (self.events, self.noted) = (0, false);
    }

    fn rest(&mut self, now: Now) -> bool {
        let is_safe = self.keeper.newest() >= self.number;
        if let Some(gap) = self.healing.take_if(|_| is_safe) {
            self.meters.journal_gap.set(0.0);
            self.news = Some(None);
            self.stored.stand_alone(false);
            tracing::error!(
                "the journal is whole again from here on: {} events of {} s are missing in it",
                gap.lost,
                now.instant.since(gap.since.instant).as_secs()
            );
        }
        if self.len > self.limits.stuck && !self.keeper.is_free() {
            self.keeper.press();
        }
        let begun = *self.begun.get_or_insert(now.instant);
        let is_old = self.limits.keep_for.is_some() && now.instant.since(begun) >= DAY;
        let is_long = self.len > self.limits.segment || is_old;
        let wanted = is_long || self.due || self.gap.is_some() || self.healing.is_some();
        wanted && self.next_turn <= now.instant && self.keeper.is_free()
    }

    fn is_whole(&self) -> bool {
        self.gap.is_none() && self.healing.is_none()
    }

    fn news(&mut self) -> Option<Event> {
        self.news.take().map(|trouble| Event::Journal { trouble })
    }

    fn snapshot(&mut self, memory: Memory, board: Receiver<Board>) {
        let at = memory.now.instant;
        match self.turn(memory, board) {
            Ok(()) => {
                self.healing = self.gap.take().or(self.healing.take());
                self.due = false;
            }
            // The segment goes on, or the gap does.
            Err(error) if self.gap.is_none() => {
                tracing::error!("the journal cannot begin another segment: {error}");
            }
            Err(_) => {}
        }
        self.next_turn = at + PAUSE;
        self.begun = None;
    }

    fn leave(mut self: Box<Self>, memory: Memory, board: Receiver<Board>) -> bool {
        let before = self.number;
        self.keeper.hurry();
        self.snapshot(memory, board);
        let health = self.keeper.finish(LEAVE_WITHIN);
        self.number > before && health.newest() >= self.number
    }
}

/// The first snapshot, and the segment that follows it: a start that finds the snapshot alone
/// begins the segment, and knows by its name that there was none.
fn first_files(dir: &Path, number: u64, snapshot: &[u8]) -> io::Result<(File, u64)> {
    let path = files::leading(dir, number);
    files::publish(&path, snapshot)?;
    let begun = files::create(&files::segment(dir, number), &Header::new(number, false));
    // Whoever goes on with the journal before needs it to be the last.
    let file = begun.inspect_err(|_| drop(std::fs::remove_file(&path)))?;
    std::fs::rename(&path, files::snapshot(dir, number))?;
    files::sync_folder(dir)?;
    Ok((file, HEADER_LEN as u64))
}

/// The other way round: a switch that knows nothing of calls may be gone on with only when the
/// rows of those that ended with the journal before are safe. A start that finds the segment alone
/// closes the books once more, and finds these rows closed.
fn closing_files(
    dir: &Path,
    number: u64,
    snapshot: &[u8],
    notes: &[u8],
) -> io::Result<(File, u64)> {
    let path = files::segment(dir, number);
    let mut file = files::create(&path, &Header::new(number, false))?;
    let written = file.write_all(notes).and_then(|()| file.sync_data());
    let published = written.and_then(|()| files::publish(&files::snapshot(dir, number), snapshot));
    published.inspect_err(|_| drop(std::fs::remove_file(&path)))?;
    Ok((file, (HEADER_LEN + notes.len()) as u64))
}

/// Rows, and how far numbers have come, as notes of a segment that has no events yet.
fn notes_of(number: u64, rows: &[Command], memory: &Memory) -> Vec<u8> {
    let mut notes = Vec::new();
    for command in rows {
        noted::of_command(command, &mut |note| {
            let _ = journal::put_note(&mut notes, number, note);
        });
    }
    for note in memory.state.notes(memory.now) {
        let _ = journal::put_note(&mut notes, number, &note);
    }
    notes
}

pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

pub fn cannot_write(dir: &Path, error: &io::Error) -> String {
    format!(
        "the journal in {} cannot be written: {error}. Make the folder writable for this user, or \
         choose another under [switch] data",
        dir.display()
    )
}
