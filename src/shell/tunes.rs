//! Everything that the settings have played, read once and encoded once: what lies on the shelf
//! already is neither read nor encoded again, by a reload or by the next program.

use super::prompts::{Found, Prompts, Source, built_in};
use super::sys::inherit;
use crate::base::{Id, TuneId};
use crate::config::Settings;
use crate::media::{Tune, Tunes};
use bytes::Bytes;
use crossbeam_channel::{self as channel, RecvTimeoutError};
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Names in one line of the log.
const NAMED_MAX: usize = 20;

/// How long a folder of prompts is waited for: far longer than a thousand of them take.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What has been read.
pub struct Loaded {
    pub tunes: Tunes,
    /// What is wrong, a sentence each.
    pub complaints: Vec<String>,
    pub shelf: Shelf,
}

/// What was encoded already, by what it was made of.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    made: BTreeMap<Origin, Tune>,
    /// What was played last, by the name that the configuration has for it.
    named: BTreeMap<String, Tune>,
    /// The folder is being read.
    busy: Arc<AtomicBool>,
}

/// A file, its length and the time of its last change; or a voice of the program and what is in it.
type Origin = (String, u64, u64);

impl Shelf {
    /// A file in memory, for the next program.
    pub fn write(&self) -> io::Result<File> {
        let octets = |law: &[u8]| Bytes::copy_from_slice(law);
        let rows = self.made.iter().map(|(origin, tune)| {
            let (a, mu) = tune.laws();
            (origin.clone(), octets(a), octets(mu))
        });
        let rows: Vec<(Origin, Bytes, Bytes)> = rows.collect();
        let text = postcard::to_stdvec(&rows).map_err(io::Error::other)?;
        let mut file = inherit::memory_file()?;
        file.write_all(&text)?;
        Ok(file)
    }

    /// What the program before this one has left. Nothing where that cannot be read: then all is
    /// encoded anew.
    pub fn read(mut file: File) -> Self {
        let mut text = Vec::new();
        let rows = file
            .rewind()
            .and_then(|()| file.read_to_end(&mut text))
            .ok()
            .and_then(|_| postcard::from_bytes::<Vec<(Origin, Bytes, Bytes)>>(&text).ok());
        let rows = rows.into_iter().flatten();
        let made = rows.filter_map(|(origin, a, mu)| Some((origin, Tune::of(&a, &mu)?)));
        Self { made: made.collect(), ..Self::default() }
    }
}

/// [`load`] by a thread of its own, since a folder of prompts may hang, as one of another machine
/// does whose network is gone. Then everything is heard as it was before; what is new, in the
/// voices of the program. While one such thread hangs there is no second.
pub fn load_in_time(settings: &Settings, shelf: &Shelf) -> Loaded {
    let (own, mut fresh) = (settings.clone(), shelf.clone());
    let read = move || {
        let (tunes, complaints) = load(&own, &mut fresh);
        Loaded { tunes, complaints, shelf: fresh }
    };
    within(PATIENCE, &shelf.busy, read).unwrap_or_else(|why| without_folder(settings, shelf, why))
}

fn without_folder(settings: &Settings, shelf: &Shelf, why: &str) -> Loaded {
    let own = Settings { prompts: PathBuf::new(), ..settings.clone() };
    let (mut tunes, _) = load(&own, &mut shelf.clone());
    for (slot, wanted) in settings.tunes.iter().enumerate() {
        if let Some(known) = shelf.named.get(&wanted.name) {
            tunes.insert(TuneId::new(slot as u32, 0), known.clone());
        }
    }
    let complaint = format!(
        "{}: the folder of prompts {why}. Until the next reload callers hear what they heard \
         before, and else the built-in voices",
        settings.prompts.display()
    );
    Loaded { tunes, complaints: vec![complaint], shelf: shelf.clone() }
}

/// Somebody reads the folder until this is dropped, however they end.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What comes of it, if it is done so soon; if not, it goes on by itself, and is busy.
fn within<T: Send + 'static>(
    span: Duration,
    busy: &Arc<AtomicBool>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, &'static str> {
    const HANGS: &str = "hangs: see to its disk, or to its network";
    if busy.swap(true, Ordering::Relaxed) {
        return Err(HANGS);
    }
    let (sender, done) = channel::bounded(1);
    let until = Busy(Arc::clone(busy));
    let job = move || {
        let came = work();
        drop(until);
        sender.send(came)
    };
    if std::thread::Builder::new().name("prompts".into()).spawn(job).is_err() {
        return Err("is not read: there is no room for a thread");
    }
    done.recv_timeout(span).map_err(|why| match why {
        RecvTimeoutError::Timeout => HANGS,
        RecvTimeoutError::Disconnected => "is not read: whoever read it broke down",
    })
}

/// Every tune of the settings, and a sentence for each thing that is wrong with them. Where none
/// can be had a tone takes its place, so that a caller hears that the line is alive; a word that is
/// recorded in no language is left out of its sentence. The shelf has what was encoded, afterwards.
pub fn load(settings: &Settings, shelf: &mut Shelf) -> (Tunes, Vec<String>) {
    let prompts = Prompts::of(settings);
    let before = std::mem::take(shelf);
    shelf.busy = before.busy;
    let (mut tunes, mut complaints) = (Tunes::default(), Vec::new());
    for (slot, wanted) in settings.tunes.iter().enumerate() {
        let id = TuneId::new(slot as u32, 0);
        let first = prompts.find(&wanted.name);
        if let Some(origin) = first.as_ref().and_then(origin)
            && let Some(known) = before.made.get(&origin)
        {
            tunes.insert(id, known.clone());
            shelf.made.insert(origin, known.clone());
            continue;
        }
        let (best, wrong) = prompts.best(&wanted.name);
        complaints.extend(wrong.into_iter().map(|why| match &best {
            Some((found, _)) => format!("{why}. Callers hear {} in its place", source(found)),
            None if wanted.speech => format!("{why}. It is left out"),
            None => format!("{why}. Callers hear a tone in its place"),
        }));
        match best {
            Some((found, samples)) => {
                let tune = Tune::new(&samples);
                if let Some(origin) = origin(&found) {
                    shelf.made.insert(origin, tune.clone());
                }
                tunes.insert(id, tune);
            }
            None if wanted.speech => {}
            None => tunes.insert(id, Tune::new(&stand_in(&prompts))),
        }
    }
    complaints.extend(missing(settings, &prompts));
    let named = settings.tunes.iter().enumerate().filter_map(|(slot, wanted)| {
        Some((wanted.name.clone(), tunes.find(TuneId::new(slot as u32, 0))?.clone()))
    });
    shelf.named = named.collect();
    (tunes, complaints)
}

/// `None`: it is made without reading anything.
fn origin(found: &Found) -> Option<Origin> {
    match &found.source {
        Source::File(path) => {
            let about = std::fs::metadata(path).ok()?;
            let changed = (about.mtime() as u64).wrapping_mul(1_000_000_000);
            let changed = changed.wrapping_add(about.mtime_nsec() as u64);
            Some((path.display().to_string(), about.len(), changed))
        }
        Source::BuiltIn => {
            let octets = built_in(&found.name);
            let mut hasher = SipHasher13::new();
            hasher.write(octets);
            Some((format!("built in: {}", found.name), octets.len() as u64, hasher.finish()))
        }
        Source::Nothing | Source::Tone => None,
    }
}

/// What is not recorded, in one sentence: a tone stands in for it, or another language.
pub fn missing(settings: &Settings, prompts: &Prompts) -> Option<String> {
    let (mut absent, mut silent, mut spoken_for) = (Vec::new(), Vec::new(), Vec::new());
    for tune in &settings.tunes {
        match prompts.find(&tune.name) {
            None if tune.speech => silent.push(tune.name.clone()),
            None => absent.push(tune.name.clone()),
            Some(found) if found.name != tune.name => {
                spoken_for.push(format!("{} ({})", tune.name, found.name));
            }
            Some(_) => {}
        }
    }
    let part = |names: &[String], what: &str| {
        let more = names.len().saturating_sub(NAMED_MAX);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = names[..names.len().min(NAMED_MAX)].join(", ");
        (!names.is_empty()).then(|| format!("{what}: {named}{rest}"))
    };
    let parts: Vec<String> = [
        part(&absent, "prompts that are missing, callers hear a tone in their place"),
        part(&silent, "words that are missing, they are left out"),
        part(&spoken_for, "prompts that are missing, another language stands in"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "{}. Record them as {}/<name>.wav, or see `pukar prompts list`",
            parts.join("; "),
            settings.prompts.display()
        )
    })
}

fn source(found: &Found) -> String {
    match &found.source {
        Source::File(path) => path.display().to_string(),
        Source::BuiltIn => format!("the built-in {}", found.name),
        Source::Nothing => "nothing".into(),
        Source::Tone => "a tone".into(),
    }
}

fn stand_in(prompts: &Prompts) -> Vec<i16> {
    prompts.find("tone").and_then(|tone| prompts.audio(&tone).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::shell::store::tests::Folder;
    use crate::wire::g711::Law;
    use crate::wire::wav;
    use std::fs;

    #[test]
    fn a_prompt_that_is_missing_is_named_and_replaced_by_the_tone() {
        let tune = |name: &str| config::Tune { name: name.into(), ..config::Tune::default() };
        let word = config::Tune { speech: true, ..tune("hi/nobody-said") };
        let settings = Settings {
            tunes: vec![tune("hi/anthem"), tune("tone"), tune("bhili/n/5"), word],
            prompts: "/nowhere".into(),
            ..Settings::default()
        };
        let (tunes, complaints) = load(&settings, &mut Shelf::default());
        let said = "prompts that are missing, callers hear a tone in their place: hi/anthem; \
                    words that are missing, they are left out: hi/nobody-said; \
                    prompts that are missing, another language stands in: bhili/n/5 (hi/n/5). \
                    Record them as /nowhere/<name>.wav, or see `pukar prompts list`";
        assert_eq!(complaints, [said]);
        for slot in 0..2 {
            assert_eq!(tunes.find(TuneId::new(slot, 0)).unwrap().frames(), 150);
        }
        assert!(tunes.find(TuneId::new(2, 0)).unwrap().frames() < 75, "a word, not the tone");
        assert_eq!(tunes.find(TuneId::new(3, 0)), None);
    }

    #[test]
    fn what_was_encoded_before_is_taken_from_the_shelf_unless_its_file_is_another() {
        let folder = Folder::new("shelf");
        let wave = |samples: usize| wav::g711(Law::A, 1, 8_000, &vec![0x35; samples]);
        std::fs::write(folder.0.join("music.wav"), wave(1_600)).unwrap();
        let tune = |name: &str| config::Tune { name: name.into(), ..config::Tune::default() };
        let tunes = vec![tune("music"), tune("hi/next")];
        let settings = Settings { prompts: folder.0.clone(), tunes, ..Settings::default() };
        let mut shelf = Shelf::default();
        let music = |tunes: &Tunes| tunes.find(TuneId::new(0, 0)).unwrap().clone();
        let place = |tune: &Tune| tune.laws().0.as_ptr();
        let first = music(&load(&settings, &mut shelf).0);
        let again = music(&load(&settings, &mut shelf).0);
        assert_eq!(place(&first), place(&again), "nothing is encoded twice");
        let mut handed = Shelf::read(shelf.write().unwrap());
        assert_eq!(handed.made, shelf.made, "the next program has all of it");
        assert_eq!(handed.made.len(), 2);
        std::fs::write(folder.0.join("music.wav"), wave(3_200)).unwrap();
        assert_eq!(music(&load(&settings, &mut handed).0).frames(), 2 * first.frames());
        let nothing = inherit::memory_file().unwrap();
        assert!(Shelf::read(nothing).made.is_empty(), "and what cannot be read is encoded anew");
    }

    const LONG: Duration = Duration::from_secs(60);

    /// A disk that takes no question, until `go` is dropped.
    fn hanging() -> (channel::Sender<()>, impl FnOnce() -> u32 + Send + 'static) {
        let (go, stuck) = channel::bounded(0);
        (go, move || stuck.recv().map_or(7, |()| 0))
    }

    #[test]
    fn q43_a_folder_that_hangs_is_not_waited_for_for_ever_and_asked_once() {
        let (busy, soon) = (Arc::default(), Duration::from_millis(1));
        let (go, work) = hanging();
        assert!(within(soon, &busy, work).is_err_and(|why| why.contains("hangs")));
        let asked = || panic!("while it hangs nobody else is sent to it");
        assert!(within::<u32>(soon, &busy, asked).is_err_and(|why| why.contains("hangs")));
        drop(go);
        while busy.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let breaks = || -> u32 { panic!("on purpose") };
        assert!(within(LONG, &busy, breaks).is_err_and(|why| why.contains("broke down")));
        assert_eq!(within(LONG, &busy, || 7), Ok(7));
    }

    #[test]
    fn q43_while_a_folder_hangs_everything_is_heard_as_before() {
        let folder = Folder::new("hanging");
        let wave = wav::g711(Law::A, 1, 8_000, &[0x35; 1_600]);
        std::fs::write(folder.0.join("music.wav"), wave).unwrap();
        let tune = |name: &str| config::Tune { name: name.into(), ..config::Tune::default() };
        let settings = Settings {
            prompts: folder.0.clone(),
            tunes: vec![tune("music")],
            ..Settings::default()
        };
        let before = load_in_time(&settings, &Shelf::default());
        assert_eq!(before.complaints, Vec::<String>::new());
        // Another prompt comes before it, so that its place is another.
        let settings = Settings { tunes: vec![tune("hi/next"), tune("music")], ..settings };
        before.shelf.busy.store(true, Ordering::Relaxed);
        let after = load_in_time(&settings, &before.shelf);
        let at = |loaded: &Loaded, slot| loaded.tunes.find(TuneId::new(slot, 0)).unwrap().clone();
        assert_eq!(at(&after, 1), at(&before, 0));
        assert!(at(&after, 0).frames() > 5, "the program's own voice");
        let [complaint] = &after.complaints[..] else { panic!("{:?}", after.complaints) };
        assert!(complaint.contains("the folder of prompts hangs"), "{complaint}");
        after.shelf.busy.store(false, Ordering::Relaxed);
        let again = load_in_time(&settings, &after.shelf);
        assert_eq!(again.complaints, Vec::<String>::new());
        assert_eq!(at(&again, 1).laws().0.as_ptr(), at(&before, 0).laws().0.as_ptr());
    }

    #[test]
    fn a_file_that_cannot_be_played_is_named_and_what_is_behind_it_speaks_on() {
        let folder = std::env::temp_dir().join(format!("pukar-tunes-{}", std::process::id()));
        fs::create_dir_all(folder.join("hi/n")).unwrap();
        fs::create_dir_all(folder.join("bhili/n")).unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
        put("hi/n/5.wav", b"ID3, an mp3 by another name");
        put("bhili/n/5.wav", b"");
        put("bhili/own.wav", b"RIFF");
        put("song.wav", &wav::g711(Law::A, 3, wav::RATE, &[0; 30]));
        let huge = fs::File::create(folder.join("hi/pos.wav")).unwrap();
        huge.set_len(wav::FILE_MAX as u64 + 1).unwrap();
        let tune = |name: &str, speech| config::Tune { name: name.into(), speech, file: None };
        let words = ["hi/n/5", "bhili/n/5", "bhili/own", "hi/pos"].map(|name| tune(name, true));
        let settings = Settings {
            tunes: words.into_iter().chain([tune("song", false)]).collect(),
            prompts: folder.clone(),
            ..Settings::default()
        };
        let (tunes, complaints) = load(&settings, &mut Shelf::default());
        let at = |name: &str| folder.join(name).display().to_string();
        let expected = [
            (at("hi/n/5.wav"), "not a sound WAV file", "Callers hear the built-in hi/n/5 in"),
            (at("bhili/n/5.wav"), "not a sound WAV file", "Callers hear the built-in hi/n/5 in"),
            (at("hi/n/5.wav"), "not a sound WAV file", "Callers hear the built-in hi/n/5 in"),
            (at("bhili/own.wav"), "not a sound WAV file", "It is left out"),
            (
                at("hi/pos.wav"),
                "octets, which is more than is read",
                "Callers hear the built-in hi/pos in",
            ),
            (at("song.wav"), "3 channels is not supported", "Callers hear a tone in its place"),
        ];
        assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
        for ((file, why, heard), said) in expected.iter().zip(&complaints) {
            assert!(said.starts_with(file) && said.contains(why) && said.contains(heard), "{said}");
        }
        let frames = |slot| tunes.find(TuneId::new(slot, 0)).map(Tune::frames);
        assert!(frames(0).is_some_and(|frames| (10..75).contains(&frames)));
        assert_eq!((frames(0), frames(2), frames(4)), (frames(1), None, Some(150)));
        let _ = fs::remove_dir_all(folder);
    }
}
