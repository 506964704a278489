//! Configuration files: reads them for `check`, and for whoever runs the switch.

use super::{Fault, print};
use crate::call::Directory;
use crate::config::{self, Mistake, Settings};
use crate::shell;
use crate::shell::prompts::Prompts;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Octets in one configuration file.
const FILE_MAX: u64 = 16 << 20;

/// The settings of a file, or of a folder of `*.toml` read together in the order of their names.
/// All mistakes are on stderr when this fails. `data`: where everything written is to go instead.
pub fn read_settings(path: &Path, data: Option<&Path>) -> Result<Settings, Fault> {
    let settings = match config::parse(&texts(path)?, &|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(mistakes) => return Err(report(path, &mistakes)),
    };
    let settings = with_directory(settings);
    Ok(match data {
        Some(dir) => settings.with_data(dir),
        None => settings,
    })
}

/// Where a configuration has the switch write, as far as that can be read, whatever else is wrong.
pub fn data_folder(path: &Path, data: Option<&Path>) -> PathBuf {
    let read = || match texts(path) {
        Ok(texts) => config::data_folder(&texts),
        Err(_) => Settings::default().data,
    };
    data.map_or_else(read, Path::to_path_buf)
}

/// `pukar check`.
pub fn check(path: &Path) -> Result<(), Fault> {
    let (settings, warnings) =
        config::parse_and_warn(&texts(path)?, &|name| std::env::var(name).ok());
    let settings = with_directory(settings.map_err(|mistakes| report(path, &mistakes))?);
    for warning in &warnings {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    let directory = &settings.call.directory;
    for row in &directory.refused {
        let _ = writeln!(std::io::stderr(), "warning: {}:{}: {}", row.file, row.line, row.why);
    }
    if let Some(over) = shell::check_keys(&settings.tls).map_err(Fault::usage)? {
        let _ = writeln!(std::io::stderr(), "warning: {over}");
    }
    check_prompts(&settings)?;
    print(&format!(
        "{}: no mistakes; {} lines, {} queues, {} agents, {} trunks, {} districts, {} shifts, {} \
         in the directory\n",
        path.display(),
        settings.call.lines.len(),
        settings.acd.queues.len(),
        settings.acd.agents.len(),
        settings.sip.trunks.len(),
        settings.call.districts.len(),
        settings.roster.shifts.len(),
        settings.call.directory.entries.len(),
    ))
}

/// Every prompt that is named can be played; one that another language stands in for is no fault.
fn check_prompts(settings: &Settings) -> Result<(), Fault> {
    let prompts = Prompts::of(settings);
    let mut wrong = Vec::new();
    let mut spoken_for = BTreeMap::new();
    for tune in &settings.tunes {
        let name = &tune.name;
        let Some(found) = prompts.find(name) else {
            let file = settings.prompts.join(format!("{name}.wav"));
            wrong.push(format!("{}: no such prompt; record it, or take it out", file.display()));
            continue;
        };
        if let Err(why) = prompts.audio(&found) {
            wrong.push(why);
        }
        if let (true, Some((language, _)), Some((other, _))) =
            (tune.speech, name.split_once('/'), found.name.split_once('/'))
            && language != other
        {
            *spoken_for.entry((language.to_string(), other.to_string())).or_insert(0) += 1;
        } else if found.name != *name {
            let line = format!("warning: {name} is missing, {} is played", found.name);
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
    for ((language, other), words) in spoken_for {
        let line = format!("warning: {words} words of {language} are missing, {other} is spoken");
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let _ = writeln!(std::io::stderr(), "{}", wrong.join("\n"));
    Err(Fault::usage(format!("{} prompts are missing or broken", wrong.len())))
}

/// Reads the directory's files. A row, or a file, that is wrong stands among the refused: nothing
/// of it keeps the switch from its calls.
fn with_directory(mut settings: Settings) -> Settings {
    let mut directory = Directory::default();
    for file in &settings.directory_files {
        match text(file) {
            Ok(csv) => directory.read(&file.display().to_string(), &csv, &settings.call),
            Err(fault) => directory.refuse_file(&file.display().to_string(), 0, fault.line),
        }
    }
    settings.call.directory = Arc::new(directory);
    settings
}

fn report(path: &Path, mistakes: &[Mistake]) -> Fault {
    let mut text = String::new();
    for mistake in mistakes {
        text.push_str(&format!("{mistake}\n"));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
    let many = if mistakes.len() == 1 { "mistake" } else { "mistakes" };
    Fault::usage(format!("{} {many} in {}", mistakes.len(), path.display()))
}

/// The files and their text.
fn texts(path: &Path) -> Result<Vec<(String, String)>, Fault> {
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), text(path)?)]);
    }
    let unreadable = |e| Fault::usage(format!("cannot read {}: {e}", path.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if !hidden && file.extension().is_some_and(|end| end == "toml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        let line = format!("no .toml file in {}; put one there", path.display());
        return Err(Fault::usage(line));
    }
    files.iter().map(|file| Ok((file.display().to_string(), text(file)?))).collect()
}

fn text(path: &Path) -> Result<String, Fault> {
    let name = path.display();
    let why = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Fault::usage(format!("no configuration at {name}; name one with --config FILE"))
        }
        std::io::ErrorKind::InvalidData => {
            Fault::usage(format!("{name} is not UTF-8; save it as UTF-8"))
        }
        _ => Fault::usage(format!("cannot read {name}: {e}")),
    };
    if fs::metadata(path).map_err(why)?.len() > FILE_MAX {
        return Err(Fault::usage(format!("{name} is over {FILE_MAX} octets; split it")));
    }
    fs::read_to_string(path).map_err(why)
}
