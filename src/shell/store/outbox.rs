//! The outbox: an append-only log of rows in segments, one row a line. What has been
//! appended survives the process, and a loss of power once it was synced: whoever appends decides
//! when, since the journal has every row too. A line that was left unfinished is cut off at the
//! start.

use super::columns::number_of;
use super::line;
use crate::core::Row;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment is followed by another when it is longer than this.
pub const SEGMENT_MAX: u64 = 16 << 20;

/// Rows that are looked at together for where a store begins.
const LOOKED_AT: usize = 1_000;
/// Before the numbers in a cursor's second line.
const BEGAN: &str = "from ";

/// A place in the log: a segment, and octets into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
}

pub struct Outbox {
    dir: PathBuf,
    file: Arc<File>,
    end: Position,
    segment_max: u64,
    /// The last numbers of calls and of agents' states.
    last: (u64, u64),
}

impl Outbox {
    pub fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let segment = segments(dir)?.last().copied().unwrap_or(1);
        let mut file = open_segment(dir, segment)?;
        let whole = whole_lines(&mut file)?;
        file.set_len(whole)?;
        let (file, end) = (Arc::new(file), Position { segment, offset: whole });
        let (segment_max, last) = (SEGMENT_MAX, (0, 0));
        let mut outbox = Self { dir: dir.into(), file, end, segment_max, last };
        outbox.find_last(segment)?;
        if outbox.last.0 == 0 || outbox.last.1 == 0 {
            outbox.find_last(segment - 1)?;
        }
        Ok(outbox)
    }

    pub fn in_segments_of(mut self, octets: u64) -> Self {
        self.segment_max = octets;
        self
    }

    /// Looks for the last numbers from the end of a segment on backwards.
    fn find_last(&mut self, segment: u64) -> io::Result<()> {
        let path = segment_path(&self.dir, segment);
        let text = if path.exists() { fs::read(path)? } else { Vec::new() };
        let found = |last: (u64, u64)| last.0 > 0 && last.1 > 0;
        for line in text.split(|octet| *octet == b'\n').rev() {
            if found(self.last) {
                break;
            }
            if let Ok(row) = line::read(line) {
                self.count(matches!(row, Row::Call(_)), number_of(&row));
            } else if let Some((is_call, number)) = line::blotted(line) {
                self.count(is_call, number);
            }
        }
        Ok(())
    }

    /// The rows of the last two segments: that of before is kept until the next one begins.
    pub fn newest(&self) -> io::Result<Vec<Row>> {
        let segment = self.end.segment.saturating_sub(1).max(1);
        Ok(read(&self.dir, Position { segment, offset: 0 }, self.end, usize::MAX)?.0)
    }

    /// The last numbers of calls and of agents' states that it has; 0 where there is none.
    pub fn last(&self) -> (u64, u64) {
        self.last
    }

    fn count(&mut self, is_call: bool, number: u64) {
        let last = if is_call { &mut self.last.0 } else { &mut self.last.1 };
        *last = number.max(*last);
    }

    /// Everything before it can be read.
    pub fn end(&self) -> Position {
        self.end
    }

    pub fn place(&self) -> &Path {
        &self.dir
    }

    /// The segment that is written; those before it have been synced.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Appends all rows, or none.
    pub fn append(&mut self, rows: &[Row]) -> io::Result<()> {
        if self.end.offset > self.segment_max {
            self.file.sync_data()?;
            self.file = Arc::new(open_segment(&self.dir, self.end.segment + 1)?);
            self.end = Position { segment: self.end.segment + 1, offset: 0 };
        }
        let mut text = Vec::new();
        for row in rows {
            line::write(&mut text, row)?;
        }
        if let Err(error) = self.file.write_all_at(&text, self.end.offset) {
            // Half a batch would be followed by the whole one.
            self.file.set_len(self.end.offset)?;
            return Err(error);
        }
        self.end.offset += text.len() as u64;
        rows.iter().for_each(|row| self.count(matches!(row, Row::Call(_)), number_of(row)));
        Ok(())
    }
}

/// Rows from `from` up to `end`, at most about `limit`, and the place after them. A line that is no
/// row is taken from the journal; where that has it not either, it is left out. Both are logged.
/// One that was purged is passed over.
pub fn read(
    dir: &Path,
    from: Position,
    end: Position,
    limit: usize,
) -> io::Result<(Vec<Row>, Position)> {
    read_and_tell(dir, from, end, limit, &mut |flaw| tracing::error!("{flaw}"))
}

/// The same; what is wrong with a line is told.
pub fn read_and_tell(
    dir: &Path,
    from: Position,
    end: Position,
    limit: usize,
    tell: &mut dyn FnMut(String),
) -> io::Result<(Vec<Row>, Position)> {
    let (mut rows, mut at) = (Vec::new(), from);
    while at < end && rows.len() < limit {
        let mut file = match File::open(segment_path(dir, at.segment)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound && at.segment < end.segment => {
                at = Position { segment: at.segment + 1, offset: 0 };
                continue;
            }
            Err(e) => return Err(e),
        };
        file.seek(SeekFrom::Start(at.offset))?;
        let stop = if at.segment == end.segment { end.offset } else { u64::MAX };
        let mut lines = BufReader::new(file);
        let mut text = Vec::new();
        while rows.len() < limit && at.offset < stop {
            text.clear();
            let len = lines.read_until(b'\n', &mut text)?;
            if len == 0 {
                break;
            }
            at.offset += len as u64;
            let Err(error) = line::read(&text).map(|row| rows.push(row)) else { continue };
            if line::blotted(&text).is_some() {
                continue;
            }
            let recalled = line::recall(dir, &text);
            let then = if recalled.is_some() { "the journal has it" } else { "it is left out" };
            tell(format!(
                "the line before octet {} of segment {} of the outbox is no row: {error}; {then}",
                at.offset, at.segment
            ));
            rows.extend(recalled);
        }
        if at.segment < end.segment && rows.len() < limit {
            at = Position { segment: at.segment + 1, offset: 0 };
        }
    }
    Ok((rows, at))
}

/// Octets that lie there.
pub fn size(dir: &Path) -> io::Result<u64> {
    let length = |segment: &u64| fs::metadata(segment_path(dir, *segment)).map_or(0, |m| m.len());
    Ok(segments(dir)?.iter().map(length).sum())
}

/// The oldest segment.
pub fn oldest(dir: &Path) -> io::Result<Option<u64>> {
    Ok(segments(dir)?.first().copied())
}

/// How many rows lie between two places.
pub fn count(dir: &Path, from: Position, end: Position) -> io::Result<u64> {
    let mut rows = 0;
    for segment in segments(dir)?.into_iter().filter(|s| (from.segment..=end.segment).contains(s)) {
        let mut file = File::open(segment_path(dir, segment))?;
        let first = if segment == from.segment { from.offset } else { 0 };
        let last = if segment == end.segment { end.offset } else { u64::MAX };
        file.seek(SeekFrom::Start(first))?;
        let mut lines = BufReader::new(file.take(last.saturating_sub(first)));
        loop {
            let some = lines.fill_buf()?;
            if some.is_empty() {
                break;
            }
            rows += memchr::memchr_iter(b'\n', some).count() as u64;
            let len = some.len();
            lines.consume(len);
        }
    }
    Ok(rows)
}

/// Removes the segments that nobody needs any more.
pub fn remove_before(dir: &Path, segment: u64) {
    for old in segments(dir).unwrap_or_default().into_iter().filter(|s| *s < segment) {
        let _ = fs::remove_file(segment_path(dir, old));
    }
}

/// How far a store has come, or the start of what is left: what it has is told by keys.
pub fn load_cursor(dir: &Path, name: &str) -> Position {
    let text = fs::read_to_string(cursor_path(dir, name)).unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(segment), Some(offset)) => Position { segment, offset },
        _ => {
            let first = segments(dir).unwrap_or_default().first().copied();
            Position { segment: first.unwrap_or(1), offset: 0 }
        }
    }
}

/// Notes where a store begins that has no cursor yet: at the oldest row that is left, or at the
/// next one. It is never to have what came before.
pub fn begin(dir: &Path, name: &str, (calls, states): (u64, u64), end: Position) -> io::Result<()> {
    let path = cursor_path(dir, name);
    if path.exists() {
        return Ok(());
    }
    let from = load_cursor(dir, name);
    let (mut at, mut first) = (from, (None, None));
    while at < end && (first.0.is_none() || first.1.is_none()) {
        let (rows, behind) = read(dir, at, end, LOOKED_AT)?;
        for row in &rows {
            match row {
                Row::Call(call) => _ = first.0.get_or_insert(call.seq),
                Row::AgentState(state) => _ = first.1.get_or_insert(state.seq),
            }
        }
        at = behind;
    }
    let first = (first.0.unwrap_or(calls + 1), first.1.unwrap_or(states + 1));
    let text = format!("{}{BEGAN}{} {}\n", cursor_text(from), first.0, first.1);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// The first call and the first agent's state that each store was to have, where that is known.
pub fn beginnings(dir: &Path) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut found = BTreeMap::new();
    for name in cursors(dir)?.into_keys() {
        let text = fs::read_to_string(cursor_path(dir, &name)).unwrap_or_default();
        let noted = text.lines().find_map(|line| line.strip_prefix(BEGAN)?.split_once(' '));
        let number = |text: &str| text.parse::<u64>().ok();
        if let Some(began) = noted.and_then(|(calls, states)| number(calls).zip(number(states))) {
            found.insert(name, began);
        }
    }
    Ok(found)
}

/// How far every store has come, by the names of their cursors.
pub fn cursors(dir: &Path) -> io::Result<BTreeMap<String, Position>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".cursor") {
            found.insert(name.into(), load_cursor(dir, name));
        }
    }
    Ok(found)
}

/// Where an outbox ends that somebody else may be writing.
pub fn extent(dir: &Path) -> io::Result<Position> {
    let Some(segment) = segments(dir)?.last().copied() else { return Ok(Position::default()) };
    let mut file = File::open(segment_path(dir, segment))?;
    Ok(Position { segment, offset: whole_lines(&mut file)? })
}

/// Notes how far a store has come; one for each store, which keeps its file open.
#[derive(Default)]
pub struct Bookmark(Option<File>);

impl Bookmark {
    /// Written in place, always the same few octets, which no disk writes by halves.
    pub fn set(&mut self, dir: &Path, name: &str, at: Position) -> io::Result<()> {
        let file = match self.0.take() {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(false).mode(0o600);
                options.open(cursor_path(dir, name))?
            }
        };
        file.write_all_at(cursor_text(at).as_bytes(), 0)?;
        self.0 = Some(file);
        Ok(())
    }
}

fn cursor_text(at: Position) -> String {
    format!("{:020} {:020}\n", at.segment, at.offset)
}

fn cursor_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.cursor"))
}

pub fn segment_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:012}.rows"))
}

pub fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let number = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".rows")?.parse().ok()
    };
    let mut found: Vec<u64> = fs::read_dir(dir)?.flatten().filter_map(number).collect();
    found.sort_unstable();
    Ok(found)
}

fn open_segment(dir: &Path, segment: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(segment_path(dir, segment))
}

/// Octets up to and with the last line end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut all = Vec::new();
    file.read_to_end(&mut all)?;
    Ok(memchr::memrchr(b'\n', &all).map_or(0, |at| at as u64 + 1))
}
