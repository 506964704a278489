//! One recording while it grows: its sound becomes WAV or Ogg Opus, which goes to the disk plain or
//! sealed. Its name ends in `.part` until it is whole; what a dead process has left so is gone on
//! with.
//!
//! In: frames of A-law, left and right by turns. Out: octets on the disk. May import: call, wire.

use super::mark;
use super::opus::Coder;
use super::seal::{self, CHUNK, SALT, Seal, TAG};
use super::timeline::FRAME;
use crate::call::Form;
use crate::wire::g711::Law;
use crate::wire::{ogg, wav};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub const RATE: u32 = super::timeline::RATE as u32;
pub const PART: &str = "part";
pub const NO_KEY: &str = "it is sealed, and the configuration has no [recording] key";

pub struct Growing {
    disk: Disk,
    path: PathBuf,
    /// Frames that are in it, or on their way into it.
    frames: u64,
    /// `None`: a WAV file, whose header has to be made true at the end, or the sound of one.
    coder: Option<Coder>,
    /// Another process had begun it: what that had heard last, and what was said since, is missing.
    again: bool,
    /// What waits for nothing but to be written.
    out: Vec<u8>,
}

impl Growing {
    /// Begins `path`, or goes on with what a dead process left of it. Its name says what it is: a
    /// call that outlives a change of the configuration stays as it began.
    ///
    /// # Errors
    /// Those of the disk; and that the key is missing, or another: then the file stays as it is.
    pub fn open(path: &Path, key: Option<&str>) -> io::Result<Self> {
        let form = form(path);
        let key = match form.sealed {
            true => Some(key.ok_or_else(|| io::Error::other(NO_KEY))?),
            false => None,
        };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let part = part_of(path);
        // However little of it is on the disk: what was heard and had not come there is missing.
        let again = part.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(part)?;
        let (coder, sound) = match (form.opus, key) {
            (true, _) => {
                let (coder, frames) = go_on(&mut file, key)?;
                (Some(coder), frames * FRAME as u64)
            }
            (false, None) => (None, open_wav(&mut file)?),
            (false, Some(_)) => (None, seal::whole(&mut file)?.map_or(0, |whole| whole.sound)),
        };
        let sealed = key.map(|key| Sealed::open(&mut file, key, again)).transpose()?;
        let (path, frames) = (path.to_path_buf(), sound / FRAME as u64);
        let disk = Disk { file, sealed };
        Ok(Self { disk, path, frames, coder, again, out: Vec::new() })
    }

    /// Begins `path` where another file has the beginning of it, and says so.
    pub fn begin_interrupted(path: &Path, key: &str) -> io::Result<Self> {
        // What is there and empty was begun by somebody.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(part_of(path))?;
        Self::open(path, Some(key))
    }

    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Where it is while it grows.
    pub fn part(&self) -> PathBuf {
        part_of(&self.path)
    }

    /// Not all of its sound has come here.
    pub fn interrupted(&mut self) {
        self.again = true;
    }

    pub fn append(&mut self, sound: &[u8]) -> io::Result<()> {
        self.frames += (sound.len() / FRAME) as u64;
        let Some(coder) = &mut self.coder else { return self.disk.append(sound) };
        coder.put(sound, &mut self.out);
        self.settle()
    }

    /// Whole, on the disk, and under its name. What it says of itself is there before that which
    /// makes it whole: who finds it so believes it.
    pub fn finish(mut self) -> io::Result<()> {
        let marks = self.again && self.disk.sealed.is_none();
        if let Some(coder) = &mut self.coder {
            coder.begin(&mut self.out);
            self.disk.append(&self.out)?;
            self.out.clear();
            if marks {
                mark::ogg_on_disk(&mut self.disk.file)?;
                // What comes behind it does not come to the disk before it.
                self.disk.file.sync_data()?;
            }
            coder.end(&mut self.out);
            self.disk.append(&self.out)?;
            self.disk.finish(None)?;
        } else {
            let sound = u32::try_from(self.frames * FRAME as u64).unwrap_or(u32::MAX);
            let mut header = header(sound);
            if marks && mark::put_behind(&mut self.disk.file)? {
                mark::count(&mut header);
                self.disk.file.sync_data()?;
            }
            self.disk.finish(Some(header))?;
        }
        // Or a loss of power leaves a name and no sound.
        self.disk.file.sync_data()?;
        fs::rename(self.part(), &self.path)
    }

    /// All that is known is on the disk, for the next process to go on with.
    pub fn leave(mut self) -> io::Result<()> {
        if let Some(coder) = &mut self.coder {
            coder.leave(&mut self.out);
        }
        self.settle()
    }

    /// A page is whole, and is not kept from the disk by others that are to come.
    fn settle(&mut self) -> io::Result<()> {
        self.disk.append(&self.out)?;
        self.out.clear();
        self.disk.settle()
    }
}

/// Cuts a WAV file, a new one too, behind its last whole frame; the octets of sound in it.
fn open_wav(file: &mut File) -> io::Result<u64> {
    const HEADER: u64 = wav::HEADER as u64;
    let length = file.metadata()?.len();
    if length < HEADER {
        if length > 0 {
            file.set_len(0)?;
        }
        file.write_all(&header(0))?;
        return Ok(0);
    }
    let sound = match ended(file)? {
        // It was being finished, and is not yet.
        Some(sound) => {
            file.rewind()?;
            file.write_all(&header(0))?;
            sound
        }
        None => {
            // It was being marked as well.
            let sound = length - HEADER - mark::at_the_end(file, HEADER)?;
            sound / FRAME as u64 * FRAME as u64
        }
    };
    file.set_len(HEADER + sound)?;
    file.seek(SeekFrom::End(0))?;
    Ok(sound)
}

/// Whether the writer of a WAV file has made its header true.
pub fn is_ended_wav(file: &mut File) -> io::Result<bool> {
    Ok(ended(file)?.is_some())
}

/// The sound that it says to have, and has.
fn ended(file: &mut File) -> io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    let mut said = [0; wav::HEADER];
    if length < said.len() as u64 {
        return Ok(None);
    }
    file.rewind()?;
    file.read_exact(&mut said)?;
    let sound = said.last_chunk().map_or(0, |octets| u32::from_le_bytes(*octets));
    let there = length - said.len() as u64;
    Ok(Some(u64::from(sound)).filter(|sound| (1..=there).contains(sound)))
}

fn header(sound: u32) -> [u8; wav::HEADER] {
    wav::header(Law::A, FRAME as u16, RATE, sound)
}

/// Whoever goes on behind the last whole page, and the frames that are before it.
fn go_on(file: &mut File, key: Option<&str>) -> io::Result<(Coder, u64)> {
    let mut all = Vec::new();
    let skipped = file.metadata()?.len().saturating_sub(2 * ogg::PAGE_MAX as u64);
    match key {
        Some(key) => {
            if let Some(whole) = seal::whole(file)? {
                all = seal::end(key, file, &whole)?;
            }
        }
        None => {
            file.seek(SeekFrom::Start(skipped))?;
            file.read_to_end(&mut all)?;
        }
    }
    let last = match ogg::last(&all) {
        // It was being finished.
        Some((at, page)) if page.ends() => ogg::last(&all[..at]),
        last => last,
    };
    // Headers alone are begun anew.
    let last = last.filter(|(_, page)| page.granule > 0);
    if key.is_none() {
        file.set_len(last.map_or(0, |(at, page)| skipped + (at + page.size) as u64))?;
        file.seek(SeekFrom::End(0))?;
    }
    match last {
        Some((_, page)) => Coder::after(&page),
        None => Coder::new(u32::from_le_bytes(random()?)),
    }
}

struct Disk {
    file: File,
    sealed: Option<Sealed>,
}

struct Sealed {
    seal: Seal,
    key: String,
    number: u64,
    /// Less than a chunk.
    rest: Vec<u8>,
}

impl Sealed {
    /// Behind the last whole chunk of a file, or at the beginning of a new one. Whoever goes on
    /// with one writes a second header: of a file that had nothing on the disk yet, both.
    fn open(file: &mut File, key: &str, again: bool) -> io::Result<Self> {
        let mut whole = seal::whole(file)?;
        file.set_len(whole.as_ref().map_or(0, |whole| whole.end))?;
        file.seek(SeekFrom::End(0))?;
        if whole.is_none() && again {
            file.write_all(&Seal::fresh(key, random::<SALT>()?).1)?;
            whole = seal::whole(file)?;
        }
        let (seal, header) = match &whole {
            Some(whole) => Seal::again(key, whole, random::<SALT>()?).map_err(io::Error::other)?,
            None => Seal::fresh(key, random::<SALT>()?),
        };
        let whole = whole.unwrap_or_default();
        file.seek(SeekFrom::End(0))?;
        file.write_all(&header)?;
        let (key, rest) = (key.into(), Vec::with_capacity(CHUNK + TAG));
        Ok(Self { seal, key, number: whole.chunks, rest })
    }
}

impl Disk {
    fn append(&mut self, mut octets: &[u8]) -> io::Result<()> {
        let Some(Sealed { seal, number, rest, .. }) = &mut self.sealed else {
            return self.file.write_all(octets);
        };
        while !octets.is_empty() {
            let (now, later) = octets.split_at(octets.len().min(CHUNK - rest.len()));
            rest.extend_from_slice(now);
            octets = later;
            if rest.len() == CHUNK {
                seal.seal_in_place(*number, false, rest);
                *number += 1;
                let written = self.file.write_all(rest);
                rest.clear();
                written?;
            }
        }
        Ok(())
    }

    /// Nothing waits for more.
    fn settle(&mut self) -> io::Result<()> {
        let Some(Sealed { seal, key, number, rest }) = &mut self.sealed else { return Ok(()) };
        if !rest.is_empty() {
            self.file.write_all(&seal.seal_short(key, *number, rest))?;
            rest.clear();
            *number += 1;
        }
        Ok(())
    }

    /// `header`: what a plain file is to begin with.
    fn finish(&mut self, header: Option<[u8; wav::HEADER]>) -> io::Result<()> {
        match (&self.sealed, header) {
            (Some(_), _) => {
                // The last chunk is empty: all that is in a file is found without its key.
                self.settle()?;
                let Some(Sealed { seal, number, .. }) = &self.sealed else { return Ok(()) };
                self.file.write_all(&seal.seal(*number, true, &[]))
            }
            (None, Some(header)) => {
                self.file.rewind()?;
                self.file.write_all(&header)
            }
            (None, None) => Ok(()),
        }
    }
}

/// Whether [`Growing::open`] could not go on with a file for its key alone.
pub fn is_of_another_key(error: &io::Error) -> bool {
    let why = error.get_ref().and_then(|why| why.downcast_ref::<seal::Error>());
    why == Some(&seal::Error::OtherKey)
}

/// The same, or that there is none.
pub fn wants_a_key(error: &io::Error) -> bool {
    let has_none = || error.get_ref().is_some_and(|why| why.to_string() == NO_KEY);
    is_of_another_key(error) || has_none()
}

/// What a file is, by its name.
pub fn form(path: &Path) -> Form {
    path.file_name().and_then(|name| Form::of(name.to_str()?)).unwrap_or_default()
}

pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(PART);
    name.into()
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut dice = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut dice)?;
    Ok(dice)
}
