//! What a recording says of itself where it was interrupted: in a WAV file a chunk behind the
//! sound, in an Ogg one the comment header. A sealed file says it by its seals, and gets the words
//! when it is opened.
//!
//! In: files. Out: the same, marked. May import: wire.

use crate::wire::ogg;
use memchr::memmem;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Of an even length.
const WORDS: &str = "interrupted: the switch or its disk failed, and sound may be missing here.";
/// Where a WAV file says how long it is.
const LENGTH: std::ops::Range<usize> = 4..8;
/// Octets that an Ogg file's headers are within.
const HEADERS: u64 = 1_024;

/// A list of one comment (`ICMT`), as any player reads it.
fn chunk() -> Vec<u8> {
    const { assert!(WORDS.len().is_multiple_of(2)) };
    let words = WORDS.len() as u32;
    let mut chunk = b"LIST".to_vec();
    chunk.extend((words + 12).to_le_bytes());
    chunk.extend(b"INFOICMT");
    chunk.extend(words.to_le_bytes());
    chunk.extend(WORDS.as_bytes());
    chunk
}

/// A header whose file has the words behind its sound.
pub fn count(header: &mut [u8]) {
    let octets = [0, 1, 2, 3].map(|n| header[LENGTH.start + n]);
    let all = u32::from_le_bytes(octets).saturating_add(chunk().len() as u32);
    header[LENGTH].copy_from_slice(&all.to_le_bytes());
}

/// A whole WAV file.
pub fn wav(file: &mut Vec<u8>) {
    count(file);
    file.extend(chunk());
}

/// Behind a WAV file on the disk that ends with its sound. False: the disk has no room, and it
/// stays as it is.
pub fn put_behind(file: &mut File) -> io::Result<bool> {
    let end = file.seek(SeekFrom::End(0))?;
    if file.write_all(&chunk()).is_err() {
        return file.set_len(end).map(|()| false);
    }
    Ok(true)
}

/// Octets of the words that a WAV file ends with, or of their beginning: they are no sound.
pub fn at_the_end(file: &mut File, header: u64) -> io::Result<u64> {
    let chunk = chunk();
    let start = file.metadata()?.len().saturating_sub(chunk.len() as u64).max(header);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let is_there = |count: &usize| end.ends_with(&chunk[..*count]);
    Ok((4..=chunk.len()).rev().find(is_there).unwrap_or_default() as u64)
}

/// An Ogg file, or its beginning. False: it has no room for the words.
pub fn ogg(file: &mut [u8]) -> bool {
    ogg::comment(file, &format!("COMMENT={WORDS}"))
}

pub fn ogg_on_disk(file: &mut File) -> io::Result<()> {
    let mut headers = Vec::new();
    file.rewind()?;
    (&*file).take(HEADERS).read_to_end(&mut headers)?;
    if ogg(&mut headers) {
        file.rewind()?;
        file.write_all(&headers)?;
    }
    file.seek(SeekFrom::End(0)).map(drop)
}

/// Whether a whole file says so.
pub fn is_on(file: &[u8]) -> bool {
    let end = file.len().saturating_sub(WORDS.len());
    let begin = &file[..file.len().min(HEADERS as usize)];
    file[end..] == *WORDS.as_bytes() || memmem::find(begin, WORDS.as_bytes()).is_some()
}
