//! A row as a line of the outbox: JSON, a tab, and a checksum, so that a flipped bit is no other
//! row. A line that is damaged is taken from the journal, which has every row as well. Of one that
//! was purged its number is left, in a line as long as it was.

use super::columns::number_of;
use crate::core::Row;
use crate::shell::journal;
use serde_json::{Error, Value};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::path::Path;

/// JSON has none: inside of its texts it is written otherwise.
const BEFORE_SUM: u8 = b'\t';
/// Hexadecimal digits of the checksum.
const SUM_LEN: usize = 16;
/// How a line begins that is a row no more; no row begins like that.
const BLOTTED: &[u8] = b"{\"purged\":";

/// Appends the row to `text`.
pub fn write(text: &mut Vec<u8>, row: &Row) -> Result<(), Error> {
    let start = text.len();
    serde_json::to_writer(&mut *text, row)?;
    end(text, start);
    Ok(())
}

/// What takes the place of a row's line of this length, its end included; `None` where there is no
/// room for it, as there is in every line that was written here.
pub fn blot(len: usize, row: &Row) -> Option<Vec<u8>> {
    let room = len.checked_sub(SUM_LEN + 2)?;
    let mut text = Vec::with_capacity(len);
    text.extend_from_slice(BLOTTED);
    let is_call = matches!(row, Row::Call(_));
    text.extend_from_slice(format!("[{is_call},{}]}}", number_of(row)).as_bytes());
    if text.len() > room {
        return None;
    }
    text.resize(room, b' ');
    end(&mut text, 0);
    Some(text)
}

/// Whether a line was blotted: of a call, or of an agent's state; and the number of that.
pub fn blotted(line: &[u8]) -> Option<(bool, u64)> {
    let (json, sum) = split(line);
    if !json.starts_with(BLOTTED) || sum? != checksum(json).as_bytes() {
        return None;
    }
    let blot: Value = serde_json::from_slice(json).ok()?;
    Some((blot["purged"][0].as_bool()?, blot["purged"][1].as_u64()?))
}

fn end(text: &mut Vec<u8>, start: usize) {
    let sum = checksum(&text[start..]);
    text.push(BEFORE_SUM);
    text.extend_from_slice(sum.as_bytes());
    text.push(b'\n');
}

/// The row of a line; why there is none. Lines of older versions have no checksum.
pub fn read(line: &[u8]) -> Result<Row, String> {
    let (json, sum) = split(line);
    if sum.is_some_and(|sum| sum != checksum(json).as_bytes()) {
        return Err("its checksum is another".into());
    }
    serde_json::from_slice(json).map_err(|e| e.to_string())
}

/// The row that a damaged line was, from the journal beside the outbox: the one that is written
/// with the same words, or with the same checksum.
pub fn recall(outbox: &Path, line: &[u8]) -> Option<Row> {
    let (json, sum) = split(line);
    let sum = sum?;
    let mut found = None;
    let mut look = |row: Row| {
        let Ok(own) = serde_json::to_vec(&row) else { return };
        if own == json || checksum(&own).as_bytes() == sum {
            found = Some(row);
        }
    };
    let own = outbox.with_file_name("journal");
    for dir in journal::asides(&own).into_iter().chain([own]) {
        let _ = journal::rows(&dir, &mut look);
    }
    found
}

fn split(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match memchr::memrchr(BEFORE_SUM, line) {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (line, None),
    }
}

fn checksum(json: &[u8]) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(json);
    format!("{:016x}", hasher.finish())
}
