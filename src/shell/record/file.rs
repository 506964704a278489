//! Recordings in their folder: what a dead process was writing is mended and given its name, what
//! is old is forgotten, what is finished is found and opened.
//!
//! In: paths. Out: files, and their sound. May import: config, wire.

use super::growing::{self, Growing, NO_KEY, PART, RATE, form, part_of};
use super::timeline::FRAME;
use super::{mark, seal};
use crate::call::Form;
use crate::config::Hold;
use crate::shell::store::proof::{self, Proof};
use crate::wire::g711::Law;
use crate::wire::{ogg, wav};
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Behind the name of a call whose recording was begun under a key that is not known any more.
const BEFORE: &str = ".before";
/// How many of those one call may have.
const PUT_BY_MAX: usize = 100;

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

/// Mends one of [`left_behind`], marks it, and gives it its name. One without any sound is no
/// recording. A sealed one needs no key: it is read as far as it goes, and its seals say that it
/// was broken off.
pub fn mend(part: &Path) -> io::Result<()> {
    let path = part.with_extension("");
    let mut file = OpenOptions::new().read(true).write(true).open(part)?;
    let is_sound = match form(&path) {
        Form { sealed: true, .. } => seal::whole(&mut file)?.is_some_and(|whole| whole.chunks > 0),
        Form { opus: true, .. } => close(&mut file)?,
        Form { .. } if growing::is_ended_wav(&mut file)? => true,
        Form { .. } if file.metadata()?.len() > wav::HEADER as u64 => {
            return Growing::open(&path, None)?.finish();
        }
        Form { .. } => false,
    };
    file.sync_data()?;
    if is_sound { fs::rename(part, path) } else { fs::remove_file(part) }
}

/// Whether one of [`left_behind`] was written to its end. One that cannot be read was not.
pub fn is_ended(part: &Path, key: Option<&str>) -> bool {
    match form(&part.with_extension("")) {
        Form { sealed: true, .. } => fs::read(part)
            .ok()
            .zip(key)
            .and_then(|(file, key)| seal::open(key, &file).ok())
            .is_some_and(|(_, finished)| finished),
        Form { opus: true, .. } => File::open(part)
            .and_then(|mut file| the_end_of(&mut file))
            .is_ok_and(|(_, end)| ogg::last(&end).is_some_and(|(_, page)| page.ends())),
        Form { .. } => {
            File::open(part).and_then(|mut file| growing::is_ended_wav(&mut file)).unwrap_or(false)
        }
    }
}

/// As much as holds the last page of an Ogg file, and where it begins.
fn the_end_of(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let mut end = Vec::new();
    let start = file.metadata()?.len().saturating_sub(2 * ogg::PAGE_MAX as u64);
    file.seek(SeekFrom::Start(start))?;
    file.read_to_end(&mut end)?;
    Ok((start, end))
}

/// Cuts an Ogg file behind its last whole page, which is made the last. False: there is none.
fn close(file: &mut File) -> io::Result<bool> {
    let (start, mut end) = the_end_of(file)?;
    let Some((at, page)) = ogg::last(&end).filter(|(_, page)| page.granule > 0) else {
        return Ok(false);
    };
    if page.ends() {
        return Ok(true);
    }
    let last = &mut end[at..at + page.size];
    ogg::close(last);
    // Before the page that makes it whole: who finds it so believes what it says.
    mark::ogg_on_disk(file)?;
    file.seek(SeekFrom::Start(start + at as u64))?;
    file.write_all(last)?;
    file.set_len(start + (at + page.size) as u64)?;
    Ok(true)
}

/// Takes what is there of a recording out of the way: where it is then, still to be mended. Its
/// name is that of the call with `.before1` behind it, or the next that is free.
pub fn put_by(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (call, end) = name.split_once('.').unwrap_or((name, ""));
    let names = (1..=PUT_BY_MAX).map(|n| path.with_file_name(format!("{call}{BEFORE}{n}.{end}")));
    let mut free = names.filter(|path| !path.exists() && !part_of(path).exists());
    let part = part_of(&free.next().ok_or_else(|| io::Error::other("it has too many keys"))?);
    fs::rename(part_of(path), &part)?;
    Ok(part)
}

/// Deletes folders of days before `first`, `YYYY-MM-DD`, with all that is in them, but for those in
/// which there may be something that is held. First the proof, in `purges.jsonl` beside them.
pub fn forget_before(folder: &Path, first: &str, holds: &[Hold]) -> io::Result<usize> {
    let mut forgotten = 0;
    for day in days(folder) {
        let name = day.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name < first && !holds.iter().any(|hold| may_concern(hold, &day, name)) {
            prove(folder, &day, name)?;
            fs::remove_dir_all(&day)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// What is about to be deleted: a day of sound is too long to be read for it, and its files have
/// the names of calls.
fn prove(folder: &Path, day: &Path, name: &str) -> io::Result<()> {
    let (mut names, mut octets) = (Vec::new(), 0);
    for file in fs::read_dir(day)? {
        let (file, len) = file.and_then(|file| Ok((file.file_name(), file.metadata()?.len())))?;
        octets += len;
        names.push(format!("{} {len}\n", file.display()));
    }
    names.sort();
    let what = format!(
        "recordings of {name}, {octets} octets; the digest is that of their names and lengths, a \
         line each in the order of the names"
    );
    let (at, by, count) = (proof::now(), "[recording] keep".into(), names.len() as u64);
    let digest = proof::hex(Sha256::digest(names.concat()));
    let proof = Proof { at, by, what, count, digest, ..Proof::default() };
    let told: Vec<_> =
        (count > 0).then(|| proof.told_of("recordings", "recordings")).into_iter().collect();
    let written = proof::append(&proof::of_data(folder), folder, &told);
    if let Err(error) = written {
        // The disk is full perhaps, and what goes makes room on it: then the log has it.
        tracing::error!("{}: a proof cannot be written: {error}. It is {told:?}", folder.display());
    }
    Ok(())
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
        named(day, call).or_else(|| named(day, &format!("{call}{BEFORE}1"))).is_some()
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

/// The finished recording of the call that records show under this id, or what was put by of it.
pub fn find(folder: &Path, id: &str) -> Option<PathBuf> {
    let call = id.trim_end_matches(|c: char| c.is_ascii_digit());
    let call = call.strip_suffix(BEFORE).unwrap_or(id);
    if !call.chars().all(|c| c.is_ascii_alphanumeric()) || call.is_empty() {
        return None;
    }
    days(folder).into_iter().rev().find_map(|day| named(&day, id))
}

fn named(day: &Path, call: &str) -> Option<PathBuf> {
    Form::names(call).map(|name| day.join(name)).find(|path| path.is_file())
}

/// Whether [`open`] makes an Ogg file of it, and no WAV.
pub fn is_opus(path: &Path) -> bool {
    form(path).opus
}

/// [`open`] by whichever of these keys it is sealed with; what is wrong is told of the first.
pub fn open_by<'a>(
    path: &Path,
    mut keys: impl Iterator<Item = &'a str>,
) -> Result<(Vec<u8>, bool), String> {
    let first = open(path, keys.next());
    first.or_else(|why| keys.find_map(|key| open(path, Some(key)).ok()).ok_or(why))
}

/// A finished file as a WAV or an Ogg one, and whether one process wrote it, from the beginning to
/// the end; if not, the file itself says so.
pub fn open(path: &Path, key: Option<&str>) -> Result<(Vec<u8>, bool), String> {
    let why = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let bytes = fs::read(path).map_err(|e| why(&e))?;
    let form = form(path);
    if !form.sealed {
        let whole = !mark::is_on(&bytes);
        return Ok((bytes, whole));
    }
    let key = key.ok_or_else(|| why(&NO_KEY))?;
    let (mut sound, finished) = seal::open(key, &bytes).map_err(|e| why(&e))?;
    let whole = finished && !seal::was_gone_on_with(&bytes);
    if !form.opus {
        sound = wav::g711(Law::A, FRAME as u16, RATE, &sound);
    } else if !finished && let Some((at, page)) = ogg::last(&sound) {
        sound.truncate(at + page.size);
        ogg::close(&mut sound[at..]);
    }
    match form.opus {
        _ if whole => {}
        true => _ = mark::ogg(&mut sound),
        false => mark::wav(&mut sound),
    }
    Ok((sound, whole))
}
