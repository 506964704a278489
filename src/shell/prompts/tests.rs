//! What is shipped, what replaces it, and who speaks for whom.

use super::*;
use crate::wire::g711::Law;
use std::fs;

/// A folder of its own for a test.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pukar-prompts-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("hi/n")).unwrap();
    path
}

fn prompts(folder: &Path) -> Prompts {
    Prompts::of(&Settings { prompts: folder.into(), ..Settings::default() })
}

/// A tenth of a second of a sound that no prompt makes.
fn sound() -> Vec<u8> {
    wav::g711(Law::A, 1, wav::RATE, &[0x2a; 800])
}

fn rms(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

#[test]
fn every_shipped_text_is_spoken_clearly_and_without_waiting() {
    let prompts = prompts(Path::new("/nowhere"));
    for language in ["hi", "en"] {
        let texts = text(Path::new("/nowhere"), language).unwrap().unwrap();
        assert!(texts.names().count() > 150);
        for (name, said) in texts.rows() {
            let found = prompts.find(&format!("{language}/{name}")).unwrap();
            assert_eq!(found.name, format!("{language}/{name}"), "another language stands in");
            let samples = prompts.audio(&found).unwrap();
            if said.is_empty() {
                assert_eq!(found.source, Source::Nothing);
                continue;
            }
            assert_eq!(found.source, Source::BuiltIn, "{language}/{name}");
            assert!(rms(&samples) > 1_000.0, "{name}: RMS {}", rms(&samples));
            let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!(peak < 31_500, "{name} clips: {peak}");
            assert!(samples.len() > 1_200, "{name}: {} samples", samples.len());
            let quiet = samples.len() - wav::trim(&samples, 0).len();
            assert!(quiet <= 1_200, "{name}: {quiet} samples of silence at its ends");
        }
    }
}

#[test]
fn every_shipped_recording_has_its_text() {
    for (name, _) in shipped::AUDIO {
        let (language, rest) = name.split_once('/').unwrap();
        let texts = text(Path::new("/nowhere"), language).unwrap().unwrap();
        assert!(texts.said(rest).is_some_and(|said| !said.is_empty()), "{name}");
    }
}

#[test]
fn no_two_numbers_sound_alike() {
    let prompts = prompts(Path::new("/nowhere"));
    for language in ["hi", "en"] {
        let audio =
            |n: u32| prompts.audio(&prompts.find(&format!("{language}/n/{n}")).unwrap()).unwrap();
        let different: BTreeSet<Vec<i16>> = (0..100).map(audio).collect();
        assert_eq!(different.len(), 100, "{language}");
    }
}

#[test]
fn a_file_in_the_folder_replaces_what_is_built_in() {
    let folder = folder("replaces");
    let path = folder.join("hi/n/5.WAV");
    fs::write(&path, sound()).unwrap();
    let prompts = prompts(&folder);
    let found = prompts.find("hi/n/5").unwrap();
    assert_eq!(found.source, Source::File(path));
    assert_eq!(prompts.audio(&found).unwrap().len(), 800);
    assert_eq!(prompts.find("hi/n/6").unwrap().source, Source::BuiltIn);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_name_is_found_however_its_letters_are_composed() {
    let folder = folder("composed");
    // U+0929 is one letter, or two: न and its nukta.
    fs::write(folder.join("hi/\u{928}\u{93c}.wav"), sound()).unwrap();
    let prompts = prompts(&folder);
    for spelled in ["hi/\u{929}", "hi/\u{928}\u{93c}"] {
        assert!(matches!(prompts.find(spelled).unwrap().source, Source::File(_)));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_language_that_lacks_one_is_spoken_for_in_the_order_that_is_configured() {
    let folder = folder("chain");
    fs::create_dir_all(folder.join("surgujia")).unwrap();
    fs::write(folder.join("surgujia/welcome.wav"), sound()).unwrap();
    let plain = prompts(&folder);
    assert_eq!(plain.speakers("surgujia"), ["surgujia", "hi", "en"]);
    assert_eq!(plain.speakers("en"), ["en", "hi"]);
    assert_eq!(plain.find("surgujia/welcome").unwrap().name, "surgujia/welcome");
    assert_eq!(plain.find("surgujia/busy").unwrap().name, "hi/busy");
    assert_eq!(plain.find("hi/am").unwrap().name, "en/am");
    assert_eq!(plain.find("surgujia/anthem"), None);
    assert_eq!(plain.find("anthem"), None);
    assert!(plain.languages().contains("surgujia"));
    assert!(plain.names("surgujia").contains("n/55"), "as Hindi has it");
    let fallback = [("surgujia".to_string(), "en".to_string())].into();
    let settings =
        Settings { prompts: folder.clone(), prompt_fallback: fallback, ..Settings::default() };
    let english = Prompts::of(&settings);
    assert_eq!(english.find("surgujia/busy").unwrap().name, "en/busy");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_is_no_sound_is_named_with_the_reason() {
    let folder = folder("broken");
    fs::write(folder.join("hi/next.wav"), b"ID3 no wav").unwrap();
    let prompts = prompts(&folder);
    let why = prompts.audio(&prompts.find("hi/next").unwrap()).unwrap_err();
    assert!(why.contains("hi/next.wav: not a sound WAV file"), "{why}");
    fs::remove_dir_all(folder).unwrap();
}

/// A dead source: whoever waited for it would wait for ever.
#[test]
fn q43_what_is_no_regular_file_is_not_waited_for() {
    let folder = folder("pipe");
    let make = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(folder.join(name)).status();
        assert!(made.unwrap().success());
    };
    make("hi/busy.wav");
    make("hi.tsv");
    std::os::unix::fs::symlink("/dev/zero", folder.join("hi/next.wav")).unwrap();
    fs::create_dir_all(folder.join("hi/n/deep/er/and.wav")).unwrap();
    let prompts = prompts(&folder);
    for name in ["hi/busy", "hi/next", "hi/n/deep/er/and"] {
        let first = prompts.find(name).unwrap();
        let why = prompts.audio(&first).unwrap_err();
        let path = folder.join(format!("{name}.wav"));
        let said = format!("{}: it is no regular file; ", path.display());
        assert!(why.starts_with(&said), "{why}");
    }
    let (best, wrong) = prompts.best("hi/busy");
    assert_eq!((best.unwrap().0.source, wrong.len()), (Source::BuiltIn, 1));
    let why = text(&folder, "hi").unwrap_err();
    assert!(why.contains("hi.tsv: it is no regular file"), "{why}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_word_that_a_sentence_may_need_is_shipped() {
    use crate::say::{Thing, vocabulary};
    let prompts = prompts(Path::new("/nowhere"));
    let choices = [
        Thing::Language("hi".into()),
        Thing::Language("en".into()),
        Thing::District("alirajpur".into()),
        Thing::Queue("general".into()),
    ];
    for language in ["hi", "en"] {
        for name in vocabulary(language, &choices) {
            assert_eq!(prompts.find(&name).map(|found| found.name), Some(name));
        }
    }
}
