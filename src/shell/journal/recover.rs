//! A start: the newest snapshot that can be read, and everything that came in after it, handled
//! again with every command withheld. Where something is missing the switch does not pretend: it
//! starts empty, and the calls that were alive are closed in the records.

use super::files::{self, Loaded, Settled};
use super::patience;
use super::poison::{self, Broken, Poison, Position, leaving_out};
use super::salvage::{self, Salvaged};
use super::stale::Stale;
use super::writer::cannot_write;
use super::{Limits, Writer};
use crate::base::Now;
use crate::config::Settings;
use crate::core::journal::{self, Kind, Made, Maker, Memory, Note, Numbers, Unreadable};
use crate::core::{Command, Event, Kept, Out, Row, Switch};
use crate::shell::board::{Board, Names};
use crate::shell::clock::Clock;
use crate::shell::meters::ShellMeters;
use crate::shell::store::{self, Outbox, Stored};
use bytes::Bytes;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

/// What a switch begins with.
#[allow(clippy::large_enum_variant)] // There is one.
pub enum Begin {
    /// Nothing: numbers go on from the records, and there may be what any version takes over.
    Fresh {
        numbers: Numbers,
        kept: Vec<Kept>,
        /// The journal that cannot be gone on with.
        stale: Option<Stale>,
    },
    Again(Again),
}

/// The switch as it was when the process died.
pub struct Again {
    pub switch: Switch,
    pub board: Board,
    pub last: Now,
    /// Messages that a process died of. Whoever sent one will send it again.
    pub poison: Vec<Bytes>,
    /// Something was left out: as soon as the switch is at work it wants a snapshot without.
    pub left_out: bool,
    /// `None`: a new segment begins, since the last one is another build's.
    tail: Option<Tail>,
}

/// The segment that is written on.
struct Tail {
    number: u64,
    follows: bool,
    len: u64,
    file: File,
}

/// What a start has found.
pub struct Found {
    pub begin: Begin,
    /// Rows that the outbox does not have yet: its disk is full, or they are those of a journal
    /// that cannot be gone on with, and wait until it is certain that there will be another switch.
    pub rows: Vec<Row>,
}

/// Reads the journal in `dir`. Rows that the outbox does not have yet are appended to it.
pub fn recover(dir: &Path, outbox: &mut Outbox) -> Result<Found, String> {
    let prepared = files::prepare(dir).and_then(|()| files::remove_unfinished(dir));
    prepared.map_err(|e| cannot_write(dir, &e))?;
    let found = files::list_settled(dir).map_err(|e| cannot_write(dir, &e))?;
    let Settled { segments, snapshots, .. } = &found;
    let (calls, states) = outbox.last();
    let numbers = Numbers { calls, states, ..Numbers::default() };
    if segments.is_empty() && snapshots.is_empty() {
        let begin = Begin::Fresh { numbers, kept: Vec::new(), stale: None };
        return Ok(Found { begin, rows: Vec::new() });
    }
    let kept = |why: String| {
        format!("the journal in {} is kept as it is, with its calls: {why}", dir.display())
    };
    match leaving_out(|poisoned| replay_without(poisoned, dir, &found)) {
        Ok(((again, rows), poisoned)) => {
            let again = Again { left_out: !poisoned.is_empty(), ..again };
            let written = again.switch.state().rows_written();
            if !is_further(written, outbox.last()) {
                let (calls, states) = outbox.last();
                tracing::error!(
                    "the outbox has records up to call {calls} and agents' state {states}, and the \
                     journal in {} ends before those: something is missing at its end",
                    dir.display()
                );
                return close_the_books(dir, (segments, snapshots), outbox);
            }
            patience::is_new(dir);
            let rows = missing(outbox, rows, written);
            let rows = to_outbox(outbox, rows);
            Ok(Found { begin: Begin::Again(again), rows })
        }
        Err(Broken::World(why)) => Err(kept(why)),
        Err(Broken::Shut(why)) if !patience::is_over(dir, Clock::start().now().wall) => {
            Err(kept(why))
        }
        Err(broken) => {
            let why = String::from(broken);
            tracing::error!("the journal in {} cannot be gone on with: {why}", dir.display());
            close_the_books(dir, (segments, snapshots), outbox)
        }
    }
}

fn replay_without(
    poisoned: &[Poison],
    dir: &Path,
    found: &Settled,
) -> Result<(Again, Vec<Row>), Broken> {
    let mut why = String::from("it has no snapshot");
    for &number in found.snapshots.iter().rev() {
        let start = match Start::load(dir, number) {
            Ok(start) => Start { poisoned: poisoned.into(), ..start },
            Err(broken @ (Broken::World(_) | Broken::Shut(_))) => return Err(broken),
            Err(broken) => {
                why = format!("snapshot {number} {}", String::from(broken));
                tracing::error!("{why}; an older one is tried");
                continue;
            }
        };
        if found.alone == Some(number) {
            return Ok(start.with_no_segment());
        }
        return start.follow(dir, number, &found.segments);
    }
    Err(why.into())
}

/// A switch on its way to where the journal ends.
struct Start {
    switch: Switch,
    board: Board,
    last: Now,
    /// Another build wrote it: its memory can be read, and no event be handled as it was.
    foreign: bool,
    rows: Vec<Row>,
    out: Out,
    poisoned: Vec<Poison>,
    poison: Vec<Bytes>,
    /// What comes of a batch now, and whether some of it was left out.
    maker: Maker,
    left_out: bool,
    /// It is not what came of them before.
    differs: bool,
}

impl Start {
    fn load(dir: &Path, number: u64) -> Result<Self, Broken> {
        let loaded = load(&files::snapshot_or_leading(dir, number))?;
        let foreign = loaded.header.map_err(told)?.check_build().is_err();
        if foreign && shape_of(&loaded, number) != Some(journal::shape()) {
            return Err(told(Unreadable::Build).into());
        }
        let (mut memory, mut board) = (None::<Memory>, None::<Board>);
        let mut entries = loaded.entries(number);
        for (kind, payload) in &mut entries {
            match kind {
                Kind::Memory => memory = journal::read(payload),
                Kind::Fold => board = journal::read(payload),
                Kind::Note | Kind::Batch | Kind::Shape => {}
            }
        }
        let memory = memory.filter(|_| !entries.is_cut_short()).ok_or("is damaged")?;
        let last = memory.now;
        let switch = Switch::remember(memory);
        let names = Names::of(switch.settings(), switch.names());
        // A board that did not come in time was left out: its lists begin again.
        let mut board = board.unwrap_or_else(|| Board::new(Names::default(), last));
        board.rename(names);
        let (rows, out, poisoned, poison) = Default::default();
        let (maker, left_out, differs) = Default::default();
        Ok(Self {
            switch,
            board,
            last,
            foreign,
            rows,
            out,
            poisoned,
            poison,
            maker,
            left_out,
            differs,
        })
    }

    /// Through all segments from `first` on.
    fn follow(
        mut self,
        dir: &Path,
        first: u64,
        segments: &[u64],
    ) -> Result<(Again, Vec<Row>), Broken> {
        let newest = segments.last().copied().unwrap_or(0);
        if newest < first {
            return Err(format!("segment {first} is not there").into());
        }
        for number in first..=newest {
            let path = files::segment(dir, number);
            let is_last = number == newest;
            let loaded = self.open(&path);
            let loaded = loaded.map_err(|broken| of_segment(number, broken))?;
            let header = loaded.header.map_err(told)?;
            if number > first && !header.follows {
                return Err(format!("something is missing before segment {number}").into());
            }
            if header.gap {
                return Err(format!("something is missing after segment {number}").into());
            }
            if is_last && header.followed {
                return Err(format!("the segment after {number} is not there").into());
            }
            let end = self.through(&loaded, number)?;
            if is_last {
                return self.at_the_end(&path, number, header.follows, end, loaded.bytes.len());
            }
            if end < loaded.bytes.len() {
                return Err(format!("segment {number} breaks off, and others follow").into());
            }
        }
        Err("it has no segment".into())
    }

    fn open(&self, path: &Path) -> Result<Loaded, Broken> {
        if !self.foreign {
            return open(path);
        }
        let loaded = load(path)?;
        let number = loaded.header.map_err(told)?.number;
        let is_empty = loaded.entries(number).all(|(kind, _)| kind != Kind::Batch);
        if is_empty { Ok(loaded) } else { Err(told(Unreadable::Build).into()) }
    }

    /// Handles what one segment holds; where its last good entry ended.
    fn through(&mut self, loaded: &Loaded, number: u64) -> Result<usize, Broken> {
        let mut entries = loaded.entries(number);
        let mut begun = false;
        for (entry, (kind, payload)) in (&mut entries).enumerate() {
            if kind == Kind::Batch {
                begun = true;
                let (now, batch) = journal::read_batch(payload)
                    .ok_or_else(|| format!("segment {number} holds what is no event"))?;
                self.last = now;
                (_, self.left_out) = (self.maker.take(), false);
                for (nth, event) in batch.into_iter().enumerate() {
                    self.handle(now, event, (number, entry, nth))?;
                }
            } else if let Some(made) = journal::read_made(payload).filter(|_| kind == Kind::Note) {
                self.compare(made, (number, entry));
            } else if let Some(Note::Row(row)) = journal::read_note(payload).filter(|_| !begun) {
                // Of no event: taken over from a journal before this one.
                self.rows.push(*row);
            }
        }
        if entries.is_damaged() {
            let at = entries.at();
            return Err(
                format!("segment {number} is damaged at octet {at}, with more after it").into()
            );
        }
        Ok(entries.at())
    }

    /// The same events must give the same; should they not, this switch is another than the one
    /// that died, and whoever is on duty has to know.
    fn compare(&mut self, before: Made, (number, entry): (u64, usize)) {
        let now = self.maker.take();
        if now == before || self.differs || self.left_out {
            return;
        }
        self.differs = true;
        tracing::error!(
            "entry {entry} of segment {number}: what the switch did ({before}) does not follow \
             from what came in ({now}). It goes on with what follows; keep the journal, \
             `pukar replay` says more"
        );
    }

    fn handle(&mut self, now: Now, event: Event, position: Position) -> Result<(), Broken> {
        let message = match &event {
            Event::Sip { bytes, .. } => Some(bytes.clone()),
            _ => None,
        };
        let reloads = matches!(event, Event::Reload(_));
        let at = (position, &self.poisoned[..]);
        if !poison::handle(&mut self.switch, now, event, at, &mut self.out)? {
            self.left_out = true;
            self.poison.extend(message.filter(|_| self.is_left_out(position)));
        }
        self.maker.follow(&self.out.commands, &self.out.facts);
        if reloads {
            self.board.rename(Names::of(self.switch.settings(), self.switch.names()));
        }
        self.out.facts.drain(..).for_each(|fact| self.board.take(fact));
        self.rows.extend(self.out.commands.drain(..).filter_map(|command| match command {
            Command::Store(row) => Some(*row),
            _ => None,
        }));
        Ok(())
    }

    /// Whether it is the event that is left out, and not a timer.
    fn is_left_out(&self, position: Position) -> bool {
        self.poisoned.contains(&Poison { at: position, timer: None })
    }

    fn at_the_end(
        self,
        path: &Path,
        number: u64,
        follows: bool,
        end: usize,
        len: usize,
    ) -> Result<(Again, Vec<Row>), Broken> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.inspect_err(|error| {
            tracing::warn!("segment {number} cannot be written on: {error}. Another one begins");
        });
        if end < len && file.is_ok() {
            tracing::warn!(
                "the last entry of segment {number} was never finished: {} octets are cut off",
                len - end
            );
        }
        let tail = file.and_then(|file| {
            if end < len {
                file.set_len(end as u64)?;
            }
            Ok(Tail { number, follows, len: end as u64, file })
        });
        let tail = tail.ok().filter(|_| !self.foreign);
        Ok(self.again(tail))
    }

    /// Nothing came after the snapshot, and its segment cannot be begun: another one may.
    fn with_no_segment(self) -> (Again, Vec<Row>) {
        self.again(None)
    }

    fn again(self, tail: Option<Tail>) -> (Again, Vec<Row>) {
        let Self { switch, board, last, rows, poison, .. } = self;
        (Again { switch, board, last, poison, left_out: false, tail }, rows)
    }
}

impl Again {
    /// The switch, its board, and the journal to write on with.
    pub fn go_on(
        self,
        dir: &Path,
        limits: Limits,
        stored: Arc<Stored>,
        meters: ShellMeters,
    ) -> Result<(Switch, Board, Writer), String> {
        let Some(Tail { number, follows, len, file }) = self.tail else {
            let first = (&self.switch.memory(self.last), &self.board);
            let writer = Writer::begin(dir, limits, first, None, stored, meters)?;
            return Ok((self.switch, self.board, writer));
        };
        let writer = Writer::go_on(dir, limits, (number, follows, file, len), stored, meters);
        let mut writer = writer.map_err(|e| cannot_write(dir, &e))?;
        if self.left_out {
            writer.wants_snapshot();
        }
        Ok((self.switch, self.board, writer))
    }

    /// The settings that were in force.
    pub fn settings(&self) -> &Settings {
        self.switch.settings()
    }

    /// Whether anybody was on the phone.
    pub fn is_live(&self) -> bool {
        self.switch.is_live()
    }

    /// It ended because it was told to, and not in the midst of its work.
    pub fn has_ended(&self) -> bool {
        self.switch.has_ended()
    }
}

pub(super) fn open(path: &Path) -> Result<Loaded, Broken> {
    let loaded = load(path)?;
    loaded.header.and_then(|header| header.check_build()).map_err(told)?;
    Ok(loaded)
}

/// What is not there, or lies where the disk is broken, is damage. Whatever else keeps a file from
/// being read may pass, or be mended.
fn load(path: &Path) -> Result<Loaded, Broken> {
    let mend = |error| format!("{}: {error}. Mend that, and start again", path.display());
    Loaded::open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::EIO) => Broken::Said(format!("cannot be read: {error}")),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR) => {
            Broken::World(mend(error))
        }
        _ => Broken::Shut(mend(error)),
    })
}

fn of_segment(number: u64, broken: Broken) -> Broken {
    match broken {
        Broken::Said(why) => Broken::Said(format!("segment {number} {why}")),
        broken => broken,
    }
}

fn shape_of(loaded: &Loaded, number: u64) -> Option<u64> {
    let mut entries = loaded.entries(number);
    entries.find_map(|(kind, payload)| journal::read(payload).filter(|_| kind == Kind::Shape))
}

fn told(why: Unreadable) -> String {
    match why {
        Unreadable::Short => "breaks off in its header".into(),
        Unreadable::Damaged => "is damaged in its header".into(),
        Unreadable::Version(version) => {
            format!("has form {version}, and this version of pukar reads form {}", journal::FORMAT)
        }
        Unreadable::Build => "was written by another version of pukar".into(),
    }
}

/// A journal is never behind what came of it, and a number is given once.
fn is_further((calls, states): (u64, u64), outbox: (u64, u64)) -> bool {
    calls >= outbox.0 && states >= outbox.1
}

/// At least once here, once in effect: what the outbox has is told by its number. What came before
/// the snapshot and never got there is noted in the segments before it.
fn missing(outbox: &Outbox, rows: Vec<Row>, written: (u64, u64)) -> Vec<Row> {
    let (calls, states) = outbox.last();
    let missing = |row: &Row| match row {
        Row::Call(call) => call.seq > calls,
        Row::AgentState(state) => state.seq > states,
    };
    let rows: Vec<Row> = rows.into_iter().filter(missing).collect();
    store::fill(rows, (calls, states), Some(written), outbox.place())
}

/// For a start, before anything else. What cannot be appended comes back: a full disk keeps no
/// switch from its calls.
pub(super) fn to_outbox(outbox: &mut Outbox, rows: Vec<Row>) -> Vec<Row> {
    if rows.is_empty() {
        return rows;
    }
    // The journal may be done with them from here on.
    let written = outbox.append(&rows).and_then(|()| outbox.file().sync_data());
    let Err(error) = written else { return Vec::new() };
    tracing::error!(
        "{}: the outbox of records cannot be written: {error}. {} rows are kept in memory",
        outbox.place().display(),
        rows.len()
    );
    rows
}

/// The calls that cannot be gone on with get their records, once it is certain that there will be
/// another switch.
fn close_the_books(
    dir: &Path,
    (segments, snapshots): (&[u64], &[u64]),
    outbox: &mut Outbox,
) -> Result<Found, String> {
    patience::is_new(dir);
    let now = Clock::start().now().wall;
    let known = outbox.newest().map_err(|e| format!("{}: {e}", outbox.place().display()))?;
    let Salvaged { rows, recovered, numbers, kept } =
        salvage::salvage(dir, (segments, snapshots), (&known, outbox.last()), now);
    let last = segments.iter().chain(snapshots).max().copied().unwrap_or_default();
    let stale = Some(Stale { last, recovered });
    Ok(Found { begin: Begin::Fresh { numbers, kept, stale }, rows })
}
