//! The rows that a journal still notes, whoever wrote it: what stores are compared with.

use super::files::{self, Loaded};
use crate::core::Row;
use crate::core::journal::{self, Kind, Note};
use std::io;
use std::path::Path;

/// Hands every finished row that is noted in `dir` to `visit`, oldest first. A segment that is
/// damaged is read as far as it can be; one that goes meanwhile was not needed any more.
pub fn rows(dir: &Path, visit: &mut dyn FnMut(Row)) -> io::Result<()> {
    let segments = match files::list(dir) {
        Ok((segments, _)) => segments,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for number in segments {
        let loaded = match Loaded::open(&files::segment(dir, number)) {
            Ok(loaded) => loaded,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        if loaded.header.is_err() {
            continue;
        }
        let mut entries = loaded.entries(number);
        loop {
            for (kind, payload) in &mut entries {
                if kind == Kind::Note
                    && let Some(Note::Row(row)) = journal::read_note(payload)
                {
                    visit(*row);
                }
            }
            if !entries.skip_damage() {
                break;
            }
        }
    }
    Ok(())
}
