//! Rows of the outbox that are blotted: each is overwritten where it lies, at the length that it
//! had, by its number alone. Every place in the log stays what it was, so a switch may go on
//! appending, and a store goes on behind it.

use super::line;
use super::outbox::segment_path;
use crate::core::Row;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;

pub struct Blots {
    file: File,
    /// Where they lie, and what will be there.
    blots: Vec<(u64, Vec<u8>)>,
}

impl Blots {
    /// The rows of a segment that go, up to an offset; each is asked about with its own. `None`:
    /// the segment itself has gone since somebody looked, and with it what was in it.
    pub fn find(
        dir: &Path,
        (segment, upto): (u64, u64),
        goes: &mut dyn FnMut(u64, &Row) -> bool,
    ) -> io::Result<Option<Self>> {
        let path = segment_path(dir, segment);
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (mut at, mut blots, mut text) = (0, Vec::new(), Vec::new());
        let mut lines = BufReader::new(file.try_clone()?);
        while at < upto && lines.read_until(b'\n', &mut text)? > 0 && text.ends_with(b"\n") {
            // What is damaged is no row, and stays for whoever mends it from the journal.
            if let Ok(row) = line::read(&text)
                && goes(at, &row)
            {
                let blot = line::blot(text.len(), &row);
                blots.push((at, blot.ok_or_else(|| io::Error::other("a row is too short"))?));
            }
            at += text.len() as u64;
            text.clear();
        }
        Ok(Some(Self { file, blots }))
    }

    /// Overwrites them all, on the disk too.
    pub fn blot(self) -> io::Result<()> {
        for (at, blot) in &self.blots {
            self.file.write_all_at(blot, *at)?;
        }
        self.file.sync_data()
    }
}
