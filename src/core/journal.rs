//! The format of the journal, as bytes: what came in, entry by entry, and the memory that it
//! goes on from. Files and threads are the shell's; the simulator keeps its journal in memory.
//!
//! A file is a header and entries. An entry is its length, its kind, a checksum and a payload:
//! events and memory in postcard, which only the same core can read; notes in JSON, which any
//! other version can. That much is the same in every form: a checksum is keyed with the form that
//! the header names, so that what another version wrote is never taken for damaged.

mod made;
mod notes;

pub use made::{Made, Maker};

use super::kept::Kept;
use super::record::{CallRecord, Row};
use super::{Event, Snapshot};
use crate::base::Now;
use crate::config::Settings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// The version of headers, entries and notes.
pub const FORMAT: u32 = 2;
/// What the core of this build decides by; see `build.rs`.
pub const BUILD: &str = env!("PUKAR_CORE");

/// The types that this build writes down; see `build.rs`.
const SHAPE: &str = env!("PUKAR_SHAPE");

const MAGIC: [u8; 8] = *b"pukar-j\n";
pub const HEADER_LEN: usize = 40;
const HEAD_LEN: usize = 16;
/// Longer than any entry: what says more is damaged.
const ENTRY_MAX: usize = 1 << 30;

/// The first octets of every file of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub format: u32,
    pub build: u64,
    /// Segments are numbered from 1; the snapshot of the same number is where one begins.
    pub number: u64,
    /// It goes on where the segment before it ended.
    pub follows: bool,
    /// Something that came in after it could not be written.
    pub gap: bool,
    /// It is over, and another one goes on where it ends: without that one it is not all.
    pub followed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Batch,
    Note,
    Memory,
    /// What a fold over the facts remembers; its owner knows its form.
    Fold,
    /// A number for the types in memory and fold: whoever has the same can read them.
    Shape,
}

const KINDS: [Kind; 5] = [Kind::Batch, Kind::Note, Kind::Memory, Kind::Fold, Kind::Shape];

/// Everything that the switch knows, and when.
#[derive(Serialize, Deserialize)]
pub struct Memory {
    pub now: Now,
    pub settings: Settings,
    pub state: Snapshot,
}

/// What any version can read: enough to close the books of a journal that cannot be replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Note {
    /// The record of a call as it stands, since it is alive.
    Live(Box<CallRecord>),
    /// The record of a call that is over and whose figures or wrap-up are still to come.
    Ended(Box<CallRecord>),
    /// A row that is finished.
    Row(Box<Row>),
    /// The last numbers that were given.
    Numbers(Numbers),
    /// What any version goes on with.
    Kept(Box<Kept>),
    /// And what of it is over.
    Over(Over),
    /// What came of the batch before it.
    Made(Made),
}

/// What is over of that which any version goes on with, by the number that it was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Over {
    Block(String),
    /// Nobody has to call them any more.
    Wanted(String),
}

/// The same, borrowed: what is written many times a call.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum NoteRef<'a> {
    Live(&'a CallRecord),
    Ended(&'a CallRecord),
    Row(&'a Row),
    Numbers(Numbers),
    Kept(&'a Kept),
    Over(&'a Over),
    Made(Made),
}

/// How far the switch has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    pub facts: u64,
    pub calls: u64,
    pub states: u64,
    /// When they were the last.
    pub at: Now,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It ends before its header does.
    Short,
    Damaged,
    /// Written by a version whose form this one does not know.
    Version(u32),
    /// Its events were handled by another core.
    Build,
}

impl Header {
    pub fn new(number: u64, follows: bool) -> Self {
        let (gap, followed) = (false, false);
        Self { format: FORMAT, build: own_build(), number, follows, gap, followed }
    }

    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.format.to_le_bytes());
        let flags =
            u32::from(self.follows) | u32::from(self.gap) << 1 | u32::from(self.followed) << 2;
        bytes[12..16].copy_from_slice(&flags.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.build.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        let check = checksum(self.format, 0, &bytes[..32]);
        bytes[32..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The header of a file, whoever wrote it.
    pub fn decode(file: &[u8]) -> Result<Self, Unreadable> {
        let bytes = file.get(..HEADER_LEN).ok_or(Unreadable::Short)?;
        let format = u32_at(bytes, 8);
        if bytes[..8] != MAGIC || checksum(format, 0, &bytes[..32]) != u64_at(bytes, 32) {
            return Err(Unreadable::Damaged);
        }
        if format != FORMAT {
            return Err(Unreadable::Version(format));
        }
        let flags = u32_at(bytes, 12);
        let (follows, gap, followed) = (flags & 1 > 0, flags & 2 > 0, flags & 4 > 0);
        let (build, number) = (u64_at(bytes, 16), u64_at(bytes, 24));
        Ok(Self { format, build, number, follows, gap, followed })
    }

    /// Whether this build may read events and memory in it.
    pub fn check_build(&self) -> Result<(), Unreadable> {
        if self.build == own_build() { Ok(()) } else { Err(Unreadable::Build) }
    }
}

/// A number for the types in a snapshot: whoever has the same can read it.
pub fn shape() -> u64 {
    SHAPE.parse().unwrap_or_default()
}

fn own_build() -> u64 {
    BUILD.parse().unwrap_or_default()
}

/// Appends an entry to `out`; `write` appends its payload.
fn entry(
    out: &mut Vec<u8>,
    number: u64,
    kind: Kind,
    write: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
) -> Result<(), String> {
    let start = out.len();
    let mut whole = std::mem::take(out);
    whole.extend([0; HEAD_LEN]);
    let done = write(whole).ok_or("a value cannot be written down")?;
    *out = done;
    let code = KINDS.iter().position(|known| *known == kind).unwrap_or_default() as u32;
    let len = (out.len() - start - HEAD_LEN) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&code.to_le_bytes());
    let check = checksum(FORMAT, number, &out[start + HEAD_LEN..]) ^ u64::from(code);
    out[start + 8..start + 16].copy_from_slice(&check.to_le_bytes());
    Ok(())
}

/// Appends what came in at one moment.
pub fn put_batch(out: &mut Vec<u8>, number: u64, now: Now, batch: &[Event]) -> Result<(), String> {
    entry(out, number, Kind::Batch, |to| postcard::to_extend(&(now, batch), to).ok())
}

pub fn put_note(out: &mut Vec<u8>, number: u64, note: &NoteRef<'_>) -> Result<(), String> {
    entry(out, number, Kind::Note, |mut to| {
        serde_json::to_writer(&mut to, note).ok()?;
        Some(to)
    })
}

pub fn put_memory(out: &mut Vec<u8>, number: u64, memory: &Memory) -> Result<(), String> {
    entry(out, number, Kind::Memory, |to| postcard::to_extend(memory, to).ok())
}

pub fn put_fold<T: Serialize>(out: &mut Vec<u8>, number: u64, fold: &T) -> Result<(), String> {
    entry(out, number, Kind::Fold, |to| postcard::to_extend(fold, to).ok())
}

pub fn put_shape(out: &mut Vec<u8>, number: u64, shape: u64) -> Result<(), String> {
    entry(out, number, Kind::Shape, |to| postcard::to_extend(&shape, to).ok())
}

/// What was written by `put_batch`, `put_memory` or `put_fold` of the same build.
pub fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    postcard::from_bytes(payload).ok()
}

pub fn read_batch(payload: &[u8]) -> Option<(Now, Vec<Event>)> {
    read(payload)
}

/// A note, whichever version wrote it: what it has more is left out, what it lacks is blank.
pub fn read_note(payload: &[u8]) -> Option<Note> {
    serde_json::from_slice(payload).ok().or_else(|| notes::of_another_form(payload))
}

/// The same, where it says what came of a batch: the others need not be read for that.
pub fn read_made(payload: &[u8]) -> Option<Made> {
    let is_made = payload.starts_with(b"{\"Made\"");
    let note = is_made.then(|| serde_json::from_slice(payload).ok())??;
    match note {
        Note::Made(made) => Some(made),
        Note::Live(_) | Note::Ended(_) | Note::Row(_) => None,
        Note::Numbers(_) | Note::Kept(_) | Note::Over(_) => None,
    }
}

/// Goes through the entries of a file, without its header.
#[derive(Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    /// The form that the header names.
    format: u32,
    number: u64,
    at: usize,
    damaged: bool,
}

impl<'a> Entries<'a> {
    /// `file` as a whole, its header included.
    pub fn new(file: &'a [u8], number: u64) -> Self {
        let at = HEADER_LEN.min(file.len());
        let format = if file.len() < HEADER_LEN { FORMAT } else { u32_at(file, 8) };
        Self { bytes: file, format, number, at, damaged: false }
    }

    /// Where the last good entry ended.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What follows [`Entries::at`] is no entry.
    pub fn is_cut_short(&self) -> bool {
        self.at < self.bytes.len()
    }

    /// Good entries lie beyond the bad one, so it is no unfinished end.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Goes on behind what is damaged; false where there is nothing more.
    pub fn skip_damage(&mut self) -> bool {
        let next = (self.at + 1..self.bytes.len()).find(|at| self.parse(*at).is_some());
        self.at = next.unwrap_or(self.at);
        self.damaged &= next.is_none();
        next.is_some()
    }

    fn parse(&self, at: usize) -> Option<(Kind, &'a [u8])> {
        let head = self.bytes.get(at..at + HEAD_LEN)?;
        let (len, code) = (u32_at(head, 0) as usize, u32_at(head, 4));
        let kind = *KINDS.get(code as usize)?;
        if len > ENTRY_MAX {
            return None;
        }
        let payload = self.bytes.get(at + HEAD_LEN..at + HEAD_LEN + len)?;
        let check = checksum(self.format, self.number, payload) ^ u64::from(code);
        (check == u64_at(head, 8)).then_some((kind, payload))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Kind, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() || self.damaged {
            return None;
        }
        let Some((kind, payload)) = self.parse(self.at) else {
            self.damaged = (self.at + 1..self.bytes.len()).any(|at| self.parse(at).is_some());
            return None;
        };
        self.at += HEAD_LEN + payload.len();
        Some((kind, payload))
    }
}

fn checksum(format: u32, number: u64, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(number, u64::from(format));
    hasher.write(bytes);
    hasher.finish()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes)
}

/// The same file as a version of another form would have written it, with `change` in its notes.
#[cfg(test)]
pub fn in_another_form(file: &[u8], format: u32, change: &dyn Fn(String) -> String) -> Vec<u8> {
    let header = Header::decode(file).expect("a header");
    let mut other = Header { format, ..header }.encode().to_vec();
    for (kind, payload) in Entries::new(file, header.number) {
        let text = || String::from_utf8(payload.to_vec()).expect("a note is text");
        let payload = match kind {
            Kind::Note => change(text()).into_bytes(),
            _ => payload.to_vec(),
        };
        let code = KINDS.iter().position(|known| *known == kind).expect("a kind") as u32;
        let check = checksum(format, header.number, &payload) ^ u64::from(code);
        other.extend((payload.len() as u32).to_le_bytes());
        other.extend(code.to_le_bytes());
        other.extend(check.to_le_bytes());
        other.extend(payload);
    }
    other
}

#[cfg(test)]
mod tests;
