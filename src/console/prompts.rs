//! `pukar prompts`: which names there are in which language and where each comes from; and the
//! renderer, which has espeak-ng speak what nobody has recorded. It needs no running switch.

use super::args::PromptsAct;
use super::table::{Side, render};
use super::{Fault, files, print};
use crate::config::Settings;
use crate::shell::prompts::{Found, Prompts, Source, text};
use crate::wire::g711::Law;
use crate::wire::wav;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ESPEAK: &str = "espeak-ng";
/// Slow enough for the street and the village.
const WORDS_A_MINUTE: &str = "140";
/// Samples of silence that stay at either end: 30 ms, so that words do not stick together.
const REST: usize = 240;
/// The least that a word takes: 100 ms.
const SAMPLES_MIN: usize = 800;

pub fn run(act: &PromptsAct) -> Result<(), Fault> {
    match act {
        PromptsAct::List { config, missing, json } => {
            list(&settings(config)?, *missing, *json).and_then(|text| print(&text))
        }
        PromptsAct::Build { config, language, out, voice, force } => {
            let settings = settings(config)?;
            let out = out.clone().unwrap_or_else(|| settings.prompts.clone());
            let languages = match language {
                Some(language) => vec![language.clone()],
                None => vec!["en".into(), "hi".into()],
            };
            for language in &languages {
                let voice = voice.as_deref().unwrap_or(language);
                let job = Job { language, voice, out: &out, force: *force };
                print(&format!("{}\n", build(&settings, &job)?))?;
            }
            Ok(())
        }
    }
}

/// Those of the configuration, where there is one.
fn settings(config: &Path) -> Result<Settings, Fault> {
    match config.exists() {
        true => files::read_settings(config, None),
        false => Ok(Settings::default()),
    }
}

fn list(settings: &Settings, missing: bool, as_json: bool) -> Result<String, Fault> {
    let prompts = Prompts::of(settings);
    let configured: Vec<&str> = settings.tunes.iter().map(|tune| tune.name.as_str()).collect();
    let mut names: BTreeSet<String> = prompts.others().map(str::to_string).collect();
    names.extend(configured.iter().map(|name| (*name).to_string()));
    for language in prompts.languages() {
        names.extend(prompts.names(&language).iter().map(|name| format!("{language}/{name}")));
    }
    let found: BTreeMap<String, Option<Found>> =
        names.into_iter().map(|name| (name.clone(), prompts.find(&name))).collect();
    let lacks = |name: &str, found: &Option<Found>| found.as_ref().is_none_or(|f| f.name != name);
    let shown = found.iter().filter(|(name, found)| !missing || lacks(name, found));
    if as_json {
        let rows = shown.map(|(name, found)| {
            let by = found.as_ref().map(|found| &found.name);
            json!({"name": name, "missing": lacks(name, found), "plays": by, "from": from(found)})
        });
        return Ok(format!("{}\n", rows.collect::<serde_json::Value>()));
    }
    let rows: Vec<Vec<String>> =
        shown.map(|(name, found)| vec![name.clone(), said(found, name)]).collect();
    let absent = found.iter().filter(|(name, found)| lacks(name, found)).count();
    let known = found.len();
    let tail = match absent {
        0 => format!("{known} prompts, none is missing\n"),
        _ => format!("{known} prompts, {absent} are missing in their own language\n"),
    };
    let head = [("NAME", Side::Left), ("FROM", Side::Left)];
    Ok(if rows.is_empty() { tail } else { render(&head, &rows) + &tail })
}

fn from(found: &Option<Found>) -> String {
    match found.as_ref().map(|found| &found.source) {
        Some(Source::File(path)) => path.display().to_string(),
        Some(Source::BuiltIn) => "built in".into(),
        Some(Source::Nothing) => "nothing to say".into(),
        Some(Source::Tone) => "computed".into(),
        None => "missing".into(),
    }
}

fn said(found: &Option<Found>, name: &str) -> String {
    match found {
        Some(other) if other.name != *name => format!("missing, {} is played", other.name),
        _ => from(found),
    }
}

struct Job<'a> {
    language: &'a str,
    voice: &'a str,
    out: &'a Path,
    force: bool,
}

/// Renders a language, but for what is recorded there already; a sentence on what came of it.
fn build(settings: &Settings, job: &Job) -> Result<String, Fault> {
    let language = job.language;
    let mut text = text(&settings.prompts, language).map_err(Fault::usage)?.ok_or_else(|| {
        Fault::usage(format!(
            "nobody knows what to say in {language}: write it into {}/{language}.tsv, a name, a \
             tab and the text a line, as in the shipped hi.tsv",
            settings.prompts.display()
        ))
    })?;
    let titled = settings.call.districts.iter().filter(|_| language == "hi");
    titled.for_each(|d| text.add(&format!("district/{}", d.name), &d.title));
    let voices = espeak(&["--voices"], None)?;
    if !voices.lines().any(|line| speaks(line, job.voice)) {
        let known = format!("`{ESPEAK} --voices` lists those there are");
        let line = format!("{ESPEAK} has no voice {}; choose one with --voice: {known}", job.voice);
        return Err(Fault::usage(line));
    }
    let (mut rendered, mut kept, mut wrong) = (BTreeMap::new(), 0, Vec::new());
    for (name, said) in text.rows().filter(|(_, said)| !said.is_empty()) {
        let path = job.out.join(language).join(format!("{name}.wav"));
        if path.exists() && !job.force {
            kept += 1;
            continue;
        }
        let octets = speak(job.voice, said)?;
        if octets.len() < SAMPLES_MIN {
            wrong.push(format!("{name} (\"{said}\") makes no sound"));
        }
        let number = name.starts_with("n/");
        if let Some(other) = rendered.get(&octets).filter(|_| number) {
            wrong.push(format!("{name} sounds like {other}"));
        }
        save(&path, &wav::g711(Law::A, 1, wav::RATE, &octets))?;
        rendered.insert(octets, name.to_string());
    }
    let count = text.rows().filter(|(_, said)| !said.is_empty()).count() - kept;
    if !wrong.is_empty() {
        return Err(Fault::work(format!("{language}: {}; record them", wrong.join(", "))));
    }
    let place = job.out.join(language);
    let hint = if kept > 0 { ", which --force renders anew" } else { "" };
    Ok(format!("{}: {count} rendered, {kept} were there{hint}", place.display()))
}

/// Whether this line of the list of voices is one of that name: its own, or one it answers to, as
/// `en-gb … (en 2)` does to `en`.
fn speaks(line: &str, voice: &str) -> bool {
    let own = line.split_whitespace().nth(1) == Some(voice);
    own || line.contains(&format!("({voice} "))
}

/// A sentence as A-law at the telephone's rate, without silence at its ends.
fn speak(voice: &str, said: &str) -> Result<Vec<u8>, Fault> {
    let file = std::env::temp_dir().join(format!("pukar-speak-{}.wav", std::process::id()));
    let path = file.display().to_string();
    espeak(&["-v", voice, "-s", WORDS_A_MINUTE, "-w", &path, "--", said], Some(&file))?;
    let bytes = fs::read(&file).map_err(|e| Fault::work(format!("{path}: {e}")));
    let _ = fs::remove_file(&file);
    let samples = wav::read(&bytes?).map_err(|e| Fault::work(format!("{ESPEAK}: {said}: {e}")))?;
    let mut samples = wav::trim(&samples, REST).to_vec();
    wav::level(&mut samples);
    Ok(samples.into_iter().map(|sample| Law::A.encode(sample)).collect())
}

fn espeak(arguments: &[&str], wrote: Option<&Path>) -> Result<String, Fault> {
    let done = Command::new(ESPEAK).args(arguments).output().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Fault::work(format!(
            "{ESPEAK} is not installed, and it is what speaks: apt-get install {ESPEAK}"
        )),
        _ => Fault::work(format!("{ESPEAK} cannot be run: {e}")),
    })?;
    let failed = !done.status.success() || wrote.is_some_and(|file| !file.exists());
    if failed {
        let why = String::from_utf8_lossy(&done.stderr).trim().replace('\n', "; ");
        return Err(Fault::work(format!("{ESPEAK} failed: {why}")));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whole or not at all: a switch may be starting.
fn save(path: &Path, octets: &[u8]) -> Result<(), Fault> {
    let why = |e: std::io::Error| Fault::work(format!("cannot write {}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(why)?;
    }
    let part: PathBuf = path.with_extension("part");
    fs::write(&part, octets).and_then(|()| fs::rename(&part, path)).map_err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_where_each_comes_from_and_what_is_missing() {
        let mut settings = Settings { prompts: "/nowhere".into(), ..Settings::default() };
        settings.prompt_fallback.insert("surgujia".into(), "hi".into());
        settings.tunes.push(crate::config::Tune {
            name: "hi/anthem".into(),
            ..crate::config::Tune::default()
        });
        let text = list(&settings, false, false).unwrap();
        let row = |name: &str| {
            let found = text.lines().find(|line| line.split_whitespace().next() == Some(name));
            found.map(|line| line[name.len()..].trim().to_string()).unwrap_or_default()
        };
        assert_eq!(row("hi/n/99"), "built in");
        assert_eq!(row("en/transfer_end"), "nothing to say");
        assert_eq!(row("tone/busy"), "computed");
        assert_eq!(row("surgujia/welcome"), "missing, hi/welcome is played");
        assert_eq!(row("hi/anthem"), "missing");
        let missing = list(&settings, true, false).unwrap();
        assert!(!missing.contains("\nhi/n/99 ") && missing.contains("surgujia/n/99"));
        let json: serde_json::Value =
            serde_json::from_str(&list(&settings, true, true).unwrap()).unwrap();
        assert!(json.as_array().unwrap().iter().all(|row| row["missing"] == true));
    }

    #[test]
    fn a_voice_is_known_by_any_of_its_names() {
        let line = " 2  en-gb           --/M      English_(Great_Britain) gmw/en  (en 2)";
        assert!(speaks(line, "en-gb") && speaks(line, "en"));
        assert!(!speaks(line, "gb") && !speaks(line, "hi"));
    }

    #[test]
    fn a_language_without_a_text_is_told_where_to_write_it() {
        let settings = Settings { prompts: "/nowhere".into(), ..Settings::default() };
        let out = Path::new("/nowhere");
        let job = Job { language: "mr", voice: "mr", out, force: false };
        let fault = build(&settings, &job).unwrap_err();
        assert_eq!(fault.exit, 2);
        assert!(fault.line.contains("/nowhere/mr.tsv"), "{}", fault.line);
    }
}
