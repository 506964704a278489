//! A recording on the disk: a WAV file, or a sealed one. While it grows its name ends in `.part`;
//! what a dead process has left so is gone on with, or mended and given its name.

use super::seal::{self, CHUNK, SALT, Seal};
use super::timeline::FRAME;
use crate::config::Hold;
use crate::wire::g711::Law;
use crate::wire::wav;
use jiff::civil::Date;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const RATE: u32 = super::timeline::RATE as u32;
pub const PLAIN: &str = "wav";
pub const SEALED: &str = "sealed";
const PART: &str = "part";
const NO_KEY: &str = "it is sealed, and the configuration has no [recording] key";

pub struct Growing {
    file: File,
    path: PathBuf,
    /// Octets of sound in it, or on their way into it.
    sound: u64,
    sealed: Option<Sealed>,
}

struct Sealed {
    seal: Seal,
    key: String,
    number: u64,
    /// Less than a chunk.
    rest: Vec<u8>,
}

impl Growing {
    /// Begins `path`, or goes on with what a dead process left of it. Its name says whether it is
    /// sealed: a call that outlives a change of the configuration stays as it began.
    ///
    /// # Errors
    /// Those of the disk; and that the key is missing, or another: then the file stays as it is.
    pub fn open(path: &Path, key: Option<&str>) -> io::Result<Self> {
        let key = match path.extension().is_some_and(|end| end == SEALED) {
            true => Some(key.ok_or_else(|| io::Error::other(NO_KEY))?),
            false => None,
        };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let part = part_of(path);
        let length = fs::metadata(&part).map_or(0, |data| data.len());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&part)?;
        let path = path.to_path_buf();
        let Some(key) = key else {
            if length < wav::HEADER as u64 {
                file.set_len(0)?;
                file.write_all(&wav::header(Law::A, FRAME as u16, RATE, 0))?;
                return Ok(Self { file, path, sound: 0, sealed: None });
            }
            let sound = (length - wav::HEADER as u64) / FRAME as u64 * FRAME as u64;
            file.set_len(wav::HEADER as u64 + sound)?;
            file.seek(SeekFrom::End(0))?;
            return Ok(Self { file, path, sound, sealed: None });
        };
        let whole = seal::whole(&mut file)?;
        let (seal, header) = match &whole {
            Some(whole) => Seal::again(key, whole, salt()?).map_err(io::Error::other)?,
            None => Seal::fresh(key, salt()?),
        };
        let whole = whole.unwrap_or_default();
        file.set_len(whole.end)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(&header)?;
        let (key, rest) = (key.into(), Vec::with_capacity(CHUNK));
        let sealed = Some(Sealed { seal, key, number: whole.chunks, rest });
        Ok(Self { file, path, sound: whole.sound, sealed })
    }

    /// Frames that are in it.
    pub fn frames(&self) -> u64 {
        self.sound / FRAME as u64
    }

    pub fn append(&mut self, sound: &[u8]) -> io::Result<()> {
        self.sound += sound.len() as u64;
        let Some(sealed) = &mut self.sealed else { return self.file.write_all(sound) };
        sealed.rest.extend_from_slice(sound);
        while sealed.rest.len() >= CHUNK {
            let rest = sealed.rest.split_off(CHUNK);
            let chunk = std::mem::replace(&mut sealed.rest, rest);
            self.file.write_all(&sealed.seal.seal(sealed.number, false, &chunk))?;
            sealed.number += 1;
        }
        Ok(())
    }

    /// Whole, with a true header, and under its name.
    pub fn finish(mut self) -> io::Result<()> {
        match &mut self.sealed {
            Some(sealed) => {
                self.file.write_all(&sealed.seal.seal(sealed.number, true, &sealed.rest))?;
            }
            None => self.write_header()?,
        }
        fs::rename(part_of(&self.path), &self.path)
    }

    /// All that is known is on the disk, for the next process to go on with.
    pub fn leave(mut self) -> io::Result<()> {
        match &self.sealed {
            Some(sealed) if !sealed.rest.is_empty() => {
                let Sealed { seal, key, number, rest } = sealed;
                self.file.write_all(&seal.seal_short(key, *number, rest))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn write_header(&mut self) -> io::Result<()> {
        let length = u32::try_from(self.sound).unwrap_or(u32::MAX);
        self.file.rewind()?;
        self.file.write_all(&wav::header(Law::A, FRAME as u16, RATE, length))
    }
}

/// Files that a dead process was writing.
pub fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for day in days(folder) {
        let entries = fs::read_dir(day).into_iter().flatten().flatten();
        let parts = entries.map(|entry| entry.path());
        found.extend(parts.filter(|path| path.extension().is_some_and(|end| end == PART)));
    }
    found.sort();
    found
}

/// Mends one of [`left_behind`], and gives it its name. One without any sound is no recording.
/// A sealed one needs no key: it is read as far as it goes.
pub fn mend(part: &Path) -> io::Result<()> {
    let path = part.with_extension("");
    if path.extension().is_some_and(|end| end == SEALED) {
        let mut file = OpenOptions::new().read(true).write(true).open(part)?;
        let whole = seal::whole(&mut file)?.filter(|whole| whole.chunks > 0);
        let Some(whole) = whole else { return fs::remove_file(part) };
        file.set_len(whole.end)?;
        return fs::rename(part, path);
    }
    if fs::metadata(part)?.len() <= wav::HEADER as u64 {
        return fs::remove_file(part);
    }
    Growing::open(&path, None)?.finish()
}

/// Deletes folders of days before `first`, `YYYY-MM-DD`, with all that is in them, but for those in
/// which there may be something that is held.
pub fn forget_before(folder: &Path, first: &str, holds: &[Hold]) -> io::Result<usize> {
    let mut forgotten = 0;
    for day in days(folder) {
        let name = day.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name < first && !holds.iter().any(|hold| may_concern(hold, &day, name)) {
            fs::remove_dir_all(&day)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// A file's name says nothing of its line or caller: all of the days are kept. Those of a hold are
/// days of the switch's own time zone and these of UTC, so one more at either end.
fn may_concern(hold: &Hold, day: &Path, name: &str) -> bool {
    let Ok(date) = name.parse::<Date>() else { return true };
    let read = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Date>().ok());
    let from = read(&hold.from).map(|from| from.yesterday().unwrap_or(from));
    let until = read(&hold.until).map(|until| until.tomorrow().unwrap_or(until));
    let within = from.is_none_or(|from| date >= from) && until.is_none_or(|until| date <= until);
    let has = |call: &String| {
        [PLAIN, SEALED].iter().any(|end| day.join(format!("{call}.{end}")).is_file())
    };
    within && hold.call.as_ref().is_none_or(has)
}

fn days(folder: &Path) -> Vec<PathBuf> {
    let is_day = |name: &str| {
        let mark = |at: usize| at == 4 || at == 7;
        let fits = |(at, c): (usize, char)| if mark(at) { c == '-' } else { c.is_ascii_digit() };
        name.len() == 10 && name.chars().enumerate().all(fits)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_day));
    let mut days: Vec<PathBuf> = paths.collect();
    days.sort();
    days
}

/// The finished recording of the call that records show under this id.
pub fn find(folder: &Path, id: &str) -> Option<PathBuf> {
    if !id.chars().all(|c| c.is_ascii_alphanumeric()) || id.is_empty() {
        return None;
    }
    days(folder).into_iter().rev().find_map(|day| {
        [PLAIN, SEALED].iter().map(|end| day.join(format!("{id}.{end}"))).find(|p| p.is_file())
    })
}

/// A finished file as WAV, and whether it was finished by its writer.
pub fn open(path: &Path, key: Option<&str>) -> Result<(Vec<u8>, bool), String> {
    let why = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let bytes = fs::read(path).map_err(|e| why(&e))?;
    if path.extension().is_some_and(|end| end == PLAIN) {
        return Ok((bytes, true));
    }
    let key = key.ok_or_else(|| why(&NO_KEY))?;
    let (sound, finished) = seal::open(key, &bytes).map_err(|e| why(&e))?;
    Ok((wav::g711(Law::A, FRAME as u16, RATE, &sound), finished))
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(PART);
    name.into()
}

fn salt() -> io::Result<[u8; SALT]> {
    let mut salt = [0; SALT];
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(salt)
}
