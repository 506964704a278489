//! The prompts by their names: a file of the configured folder, what is built in, or the same in
//! the language that speaks for one that is not recorded.
//!
//! In: `<language>/<name>` or `<name>`. Out: audio at 8,000 Hz. May import: base, config, wire.

mod text;
mod tones;

pub use text::{Text, text};

use crate::base::text::name;
use crate::config::{Country, Settings};
use crate::wire::wav;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

mod shipped {
    include!(concat!(env!("OUT_DIR"), "/prompts.rs"));
}

/// Octets in one file that is read for a prompt; see [`wav::FILE_MAX`].
const FILE_MAX: u64 = wav::FILE_MAX as u64;
/// Folders below the folder of prompts that are looked into.
const DEPTH_MAX: usize = 4;

/// Where the audio of a name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    BuiltIn,
    /// It says nothing in this language, and that is right: `transfer_end` in English.
    Nothing,
    /// Computed: it needs no recording.
    Tone,
}

/// One that was found: by its own name, or by that of another language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub source: Source,
}

/// The folder as it was when this was made, what is built in, and who speaks for whom.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    folder: PathBuf,
    /// Whose tones they are.
    country: Country,
    files: BTreeMap<String, PathBuf>,
    texts: BTreeMap<String, Text>,
    fallback: BTreeMap<String, String>,
}

impl Prompts {
    pub fn of(settings: &Settings) -> Self {
        let mut prompts = Self {
            folder: settings.prompts.clone(),
            country: settings.country,
            fallback: settings.prompt_fallback.clone(),
            ..Self::default()
        };
        let folder = prompts.folder.clone();
        prompts.look(&folder, "", 0);
        let shipped = shipped::TEXTS.iter().map(|(language, _)| (*language).to_string());
        for language in shipped.chain(prompts.languages()).collect::<BTreeSet<_>>() {
            // A text that cannot be read is the renderer's to complain of.
            if let Ok(Some(text)) = text(&prompts.folder, &language) {
                prompts.texts.insert(language, text);
            }
        }
        prompts
    }

    /// Names of files are compared composed: some systems write them decomposed.
    fn look(&mut self, folder: &Path, above: &str, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            if stem.starts_with('.') {
                continue;
            }
            let whole = name(&format!("{above}{stem}"));
            if path.is_dir() && depth < DEPTH_MAX {
                self.look(&path, &format!("{whole}/"), depth + 1);
            } else if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav")) {
                self.files.entry(whole).or_insert(path);
            }
        }
    }

    /// The one that is played under this name. `None`: nobody has recorded it in any language that
    /// speaks for its own.
    pub fn find(&self, wanted: &str) -> Option<Found> {
        self.all(wanted).into_iter().next()
    }

    /// The audio that is played under this name, and what is wrong with each file that should have
    /// been heard before it: what is behind that speaks on.
    pub fn best(&self, wanted: &str) -> (Option<(Found, Vec<i16>)>, Vec<String>) {
        let mut wrong = Vec::new();
        for found in self.all(wanted) {
            match self.audio(&found) {
                Ok(audio) => return (Some((found, audio)), wrong),
                Err(why) => wrong.push(why),
            }
        }
        (None, wrong)
    }

    /// All that could be played under this name, the dearest first.
    fn all(&self, wanted: &str) -> Vec<Found> {
        let wanted = name(wanted);
        let others = wanted.split_once('/').map_or(Vec::new(), |(language, rest)| {
            let others = self.speakers(language).into_iter().skip(1);
            others.map(|other| format!("{other}/{rest}")).collect()
        });
        let names = std::iter::once(wanted).chain(others);
        let found = |name: String| {
            let sources = self.sources(&name);
            sources.map(move |source| Found { name: name.clone(), source })
        };
        names.flat_map(found).collect()
    }

    fn sources(&self, name: &str) -> impl Iterator<Item = Source> + use<> {
        let file = self.files.get(name).map(|path| Source::File(path.clone()));
        let built_in = shipped(name).map(|_| Source::BuiltIn);
        let tone = tones::is_tone(name).then_some(Source::Tone);
        let text = name.split_once('/').and_then(|(language, rest)| {
            self.texts.get(language)?.said(rest).filter(|said| said.is_empty())
        });
        [file, built_in, tone, text.map(|_| Source::Nothing)].into_iter().flatten()
    }

    /// A language, and those that speak for it, in order: as configured, and else Hindi for all,
    /// and English for Hindi.
    pub fn speakers(&self, language: &str) -> Vec<String> {
        let mut chain = vec![language.to_string()];
        while let Some(last) = chain.last() {
            let default = if last == "hi" { "en" } else { "hi" };
            let next = self.fallback.get(last).map_or(default, String::as_str).to_string();
            if chain.contains(&next) {
                break;
            }
            chain.push(next);
        }
        chain
    }

    /// The audio of one that was found, at the level that all have.
    pub fn audio(&self, found: &Found) -> Result<Vec<i16>, String> {
        let bytes: Cow<[u8]> = match &found.source {
            Source::Nothing => return Ok(Vec::new()),
            Source::Tone => return Ok(tones::tone(self.country, &found.name).unwrap_or_default()),
            Source::BuiltIn => Cow::Borrowed(shipped(&found.name).unwrap_or_default()),
            Source::File(path) => {
                let octets = read(path, FILE_MAX);
                Cow::Owned(octets.map_err(|why| format!("{}: {why}", path.display()))?)
            }
        };
        let mut samples = wav::read(&bytes).map_err(|why| match &found.source {
            Source::File(path) => format!("{}: {why}", path.display()),
            Source::BuiltIn | Source::Nothing | Source::Tone => format!("{}: {why}", found.name),
        })?;
        wav::level(&mut samples);
        Ok(samples)
    }

    /// Languages that have a folder, are built in, or are spoken for.
    pub fn languages(&self) -> BTreeSet<String> {
        let files = self.files.keys().map(String::as_str);
        let shipped = shipped::AUDIO.iter().map(|(name, _)| *name);
        let folders = files.chain(shipped).filter_map(|name| Some(name.split_once('/')?.0));
        folders
            .chain(self.fallback.keys().map(String::as_str))
            .chain(self.texts.keys().map(String::as_str))
            .filter(|language| *language != tones::FOLDER)
            .map(str::to_string)
            .collect()
    }

    /// All names there are in a language, without it: those it has a text, a file or a built-in
    /// for, and where it has no text those of the language that speaks for it.
    pub fn names(&self, language: &str) -> BTreeSet<String> {
        let texts = self.speakers(language).into_iter().find_map(|l| self.texts.get(&l));
        let files = self.files.keys().map(String::as_str);
        let shipped = shipped::AUDIO.iter().map(|(name, _)| *name);
        let own = files.chain(shipped).filter_map(|name| name.strip_prefix(language));
        own.filter_map(|rest| rest.strip_prefix('/'))
            .chain(texts.into_iter().flat_map(Text::names))
            .map(str::to_string)
            .collect()
    }

    /// Files that belong to no language: `music`.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        let own = self.files.keys().map(String::as_str).filter(|name| !name.contains('/'));
        own.chain(tones::NAMES)
    }
}

/// A shipped voice as it lies in the program.
pub fn built_in(name: &str) -> &'static [u8] {
    shipped(name).unwrap_or_default()
}

fn shipped(name: &str) -> Option<&'static [u8]> {
    let at = shipped::AUDIO.binary_search_by_key(&name, |(name, _)| *name).ok()?;
    Some(shipped::AUDIO[at].1)
}

/// A whole file of so many octets at most. What is none, as a pipe or a device, is not waited for,
/// and one that grows while it is read is not read for ever.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(|e| e.to_string())?;
    let about = file.metadata().map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("it is no regular file; put one there, or take it away".into());
    }
    let mut octets = Vec::new();
    if about.len() <= most {
        file.take(most + 1).read_to_end(&mut octets).map_err(|e| e.to_string())?;
    }
    if about.len() > most || octets.len() as u64 > most {
        return Err(format!("over {most} octets, which is more than is read"));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
