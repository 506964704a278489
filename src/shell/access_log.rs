//! The access log: every act, and every look at callers' numbers or into a recording, a line of
//! JSON each in `audit/<month>.jsonl` of the data folder. The facts in memory and the journal go
//! back some hours; this goes back as far as `[records] keep_audit` says.
//!
//! In: the board, which is asked once a second. Out: files, each fact once, over all processes.

use super::board::{Acts, BoardReader};
use super::clock::Clock;
use super::stamp::rfc3339;
use super::store::belongs_as;
use crossbeam_channel::{self as channel, RecvTimeoutError, Sender};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Holds the number of the last fact that was looked at.
const SEEN: &str = "seen";
/// How many facts go by without an act until it is noted that they have been looked at: whoever
/// goes on must not take them for missing.
const NOTED_EVERY: u64 = 10_000;
/// How long an act may be only in the journal and in memory.
const EVERY: Duration = Duration::from_secs(1);

/// The thread; dropping the sender and joining it writes the rest.
pub struct AccessLog {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl AccessLog {
    /// `data`: the data folder.
    pub fn start(data: &Path, board: BoardReader) -> io::Result<Self> {
        let dir = data.join("audit");
        let (stop, stopped) = channel::bounded::<()>(0);
        let keep = move || {
            let mut log = Log::new(&dir);
            let mut well = true;
            loop {
                let over = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
                let written = log.write_down(&|seen| board.with(|board| board.acts_after(seen)));
                if let Err(error) = &written
                    && well
                {
                    tracing::error!(
                        "{}: who looks at what cannot be written down: {error}. It is tried again \
                         every second, as long as the acts are in memory",
                        dir.display()
                    );
                }
                well = written.is_ok();
                if over {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("access log".into()).spawn(keep)?;
        Ok(Self { stop, thread })
    }

    /// When nothing is told any more: writes what there is.
    pub fn finish(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

/// The files, and how far they go.
struct Log {
    dir: PathBuf,
    /// The number of the last fact that was looked at; `None` until the files have been.
    seen: Option<u64>,
    /// The same, as the folder has it.
    noted: u64,
}

impl Log {
    fn new(dir: &Path) -> Self {
        Self { dir: dir.into(), seen: None, noted: 0 }
    }

    /// Appends the acts behind the last one.
    fn write_down(&mut self, acts_after: &dyn Fn(u64) -> Acts) -> io::Result<()> {
        let seen = match self.seen {
            Some(seen) => seen,
            None => last(&self.dir)?,
        };
        let mut acts = acts_after(seen);
        if acts.newest < seen {
            // Somebody has taken the journal away: the numbers begin again.
            acts = acts_after(0);
            self.noted = 0;
            self.note(0)?;
        }
        let mut lines = acts.texts;
        if let (Some((from, to)), Some(first)) = (acts.missing, lines.first()) {
            // As of the first act behind it; without one there is nothing to be in doubt about.
            let at = format!("{}-01T00:00:00.000Z", month_of(first));
            let gap = json!({"seq": to, "at": at, "kind": "audit.gap", "from": from, "to": to});
            lines.insert(0, gap.to_string().into());
        }
        self.append(&lines)?;
        if acts.missing.is_some() && lines.is_empty() {
            return Ok(());
        }
        self.seen = Some(acts.newest);
        if acts.newest >= self.noted + NOTED_EVERY {
            self.note(acts.newest)?;
        }
        Ok(())
    }

    fn note(&mut self, seen: u64) -> io::Result<()> {
        if self.dir.exists() {
            fs::write(self.dir.join(SEEN), seen.to_string())?;
        }
        self.noted = seen;
        Ok(())
    }

    fn append(&self, lines: &[Arc<str>]) -> io::Result<()> {
        let mut lines = lines.iter().peekable();
        while let Some(month) = lines.peek().map(|line| month_of(line)) {
            let mut text = String::new();
            while let Some(line) = lines.next_if(|line| month_of(line) == month) {
                text.push_str(line);
                text.push('\n');
            }
            let mut file = open(&self.dir, &format!("{month}.jsonl"))?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
        }
        Ok(())
    }
}

/// Writes down that somebody looks into a journal, in which callers' numbers are, without a switch:
/// in the log of the data folder that the journal is of. Who cannot be written down sees nothing.
pub fn note_look(journal: &Path, by: &str, verb: &str, on: &str) -> Result<(), String> {
    let journal = journal.canonicalize().map_err(|e| format!("{}: {e}", journal.display()))?;
    let own = journal.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == "journal"));
    let data = own.unwrap_or(&journal).parent().unwrap_or(&journal);
    note_look_in(data, by, verb, on)
}

/// The same, of what is in a data folder.
pub fn note_look_in(data: &Path, by: &str, verb: &str, on: &str) -> Result<(), String> {
    let dir = data.join("audit");
    let at = rfc3339(Clock::start().now().wall);
    let line = json!({"at": at, "kind": "audit", "by": by, "verb": verb, "on": on});
    let written = open(&dir, &format!("{}.jsonl", &at[..7]))
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.map_err(|e| {
        format!(
            "{}: it cannot be written down who looks, so nothing is shown: {e}. Copy the journal \
             to where you may write",
            dir.display()
        )
    })
}

/// The files that are there, by their months.
pub fn months(dir: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let paths = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let month = |path: &Path| {
        let month = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
        let is_month = month.len() == 7 && month.as_bytes()[4] == b'-';
        is_month.then(|| month.to_string())
    };
    Ok(paths.filter_map(|path| Some((month(&path)?, path))).collect())
}

/// Notes that everything up to this fact has been looked at, for when the lines that say so go.
pub fn note_seen(dir: &Path, seq: u64) -> io::Result<()> {
    if noted_seen(dir) >= seq {
        return Ok(());
    }
    let fresh = dir.join(SEEN).with_extension("new");
    fs::write(&fresh, seq.to_string())?;
    belongs_as(&fresh, dir)?;
    fs::rename(fresh, dir.join(SEEN))
}

fn noted_seen(dir: &Path) -> u64 {
    let text = fs::read_to_string(dir.join(SEEN)).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(dir.join(name))
}

/// The number of the last fact that is known to have been looked at: that in the newest file with
/// a number, or a later one. A line of the newest that was left unfinished is cut off.
fn last(dir: &Path) -> io::Result<u64> {
    let names = match fs::read_dir(dir) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut files: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    if let Some(newest) = files.last() {
        let mut file = OpenOptions::new().read(true).write(true).open(newest)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
        }
    }
    let written = files.iter().rev().find_map(|path| last_in(path)).unwrap_or(0);
    Ok(noted_seen(dir).max(written))
}

/// The last number in a file; looks by hand have none.
pub fn last_in(path: &Path) -> Option<u64> {
    let text = fs::read(path).ok()?;
    let seq = |line: &[u8]| serde_json::from_slice::<Value>(line).ok()?["seq"].as_u64();
    text.split(|octet| *octet == b'\n').rev().find_map(seq)
}

/// `2026-11`; what does not say when it was is of this month, and so goes some day as all does.
fn month_of(line: &str) -> String {
    let fact: Value = serde_json::from_str(line).unwrap_or_default();
    let month = fact["at"].as_str().and_then(|at| at.get(..7)).map(str::to_string);
    month.unwrap_or_else(|| rfc3339(Clock::start().now().wall)[..7].into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    fn act(seq: u64, at: &str) -> Arc<str> {
        format!(r#"{{"seq":{seq},"at":"{at}T00:00:00.000Z","kind":"audit"}}"#).into()
    }

    /// A board that knows these acts, and facts up to `newest`.
    fn board(oldest: u64, newest: u64, acts: &[(u64, &'static str)]) -> impl Fn(u64) -> Acts {
        let acts = acts.to_vec();
        move |seen| Acts {
            texts: acts.iter().filter(|(n, _)| *n > seen).map(|(n, at)| act(*n, at)).collect(),
            newest,
            missing: (seen + 1 < oldest).then_some((seen + 1, oldest - 1)),
        }
    }

    fn seqs(folder: &Folder, month: &str) -> Vec<u64> {
        let text = fs::read_to_string(folder.0.join(format!("{month}.jsonl"))).unwrap_or_default();
        let fact = |line| serde_json::from_str::<Value>(line).unwrap();
        text.lines().map(|line| fact(line)["seq"].as_u64().unwrap()).collect()
    }

    #[test]
    fn every_act_is_there_once_whichever_process_writes_it_down() {
        let folder = Folder::new("access");
        let acts = [(3, "2026-11-30"), (7, "2026-11-30"), (9, "2026-12-01")];
        let mut log = Log::new(&folder.0);
        log.write_down(&board(1, 5, &acts[..1])).unwrap();
        log.write_down(&board(1, 8, &acts[..2])).unwrap();
        // It dies in the middle of a line.
        let mut file = open(&folder.0, "2026-11.jsonl").unwrap();
        file.write_all(b"{\"seq\":8,\"at").unwrap();
        let mut log = Log::new(&folder.0);
        log.write_down(&board(1, 20, &acts)).unwrap();
        log.write_down(&board(1, 30, &acts)).unwrap();
        assert_eq!((seqs(&folder, "2026-11"), seqs(&folder, "2026-12")), (vec![3, 7], vec![9]));
    }

    #[test]
    fn a_look_into_the_journal_by_hand_stands_among_the_others_and_confuses_nobody() {
        let folder = Folder::new("access-hand");
        let (aside, audit) = (folder.0.join("journal/set-aside"), folder.0.join("audit"));
        fs::create_dir_all(&aside).unwrap();
        note_look(&folder.0.join("journal"), "hema (uid 7)", "calls.why --journal", "01HZ7")
            .unwrap();
        note_look(&aside, "hema (uid 7)", "events --journal", "").unwrap();
        let file = fs::read_dir(&audit).unwrap().next().unwrap().unwrap().path();
        let text = fs::read_to_string(file).unwrap();
        let looks: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(looks.len(), 2, "{text}");
        assert_eq!((&looks[0]["by"], &looks[0]["on"]), (&json!("hema (uid 7)"), &json!("01HZ7")));
        let month = looks[1]["at"].as_str().unwrap()[..7].to_string();
        let mut log = Log::new(&audit);
        let act: Arc<str> =
            text.lines().next().unwrap().replace("\"by\"", "\"seq\":3,\"by\"").into();
        let board = |seen: u64| Acts {
            texts: if seen < 3 { vec![Arc::clone(&act)] } else { Vec::new() },
            newest: 3,
            missing: None,
        };
        log.write_down(&board).unwrap();
        note_look(&aside, "hema (uid 7)", "events --journal", "").unwrap();
        Log::new(&audit).write_down(&board).unwrap();
        let text = fs::read_to_string(audit.join(format!("{month}.jsonl"))).unwrap();
        assert_eq!(text.matches("\"seq\":3").count(), 1, "{text}");
    }

    #[test]
    fn what_it_could_not_see_is_stated_and_numbers_that_begin_again_are_followed() {
        let folder = Folder::new("access-gap");
        let mut log = Log::new(&folder.0);
        log.write_down(&board(1, 5, &[(3, "2026-11-30")])).unwrap();
        log.write_down(&board(40, 50, &[(45, "2026-11-30")])).unwrap();
        let text = fs::read_to_string(folder.0.join("2026-11.jsonl")).unwrap();
        assert!(text.contains(r#""kind":"audit.gap","from":6,"to":39"#), "{text}");
        let mut log = Log::new(&folder.0);
        log.write_down(&board(1, 4, &[(2, "2026-12-01")])).unwrap();
        assert_eq!(seqs(&folder, "2026-12"), [2]);
    }

    #[test]
    fn an_act_without_a_time_is_of_a_month_that_goes_some_day() {
        let folder = Folder::new("access-undated");
        let acts = Acts {
            texts: vec![r#"{"seq":3,"kind":"audit"}"#.into()],
            newest: 3,
            missing: Some((1, 2)),
        };
        Log::new(&folder.0).write_down(&|_| acts.clone()).unwrap();
        let months = months(&folder.0).unwrap();
        let (month, path) = months.first_key_value().unwrap();
        assert!(month.starts_with("20") && months.len() == 1, "{months:?}");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_log_of_which_nothing_is_left_goes_on_behind_what_it_had() {
        let folder = Folder::new("access-purged");
        let acts = [(3, "2026-11-30"), (7, "2026-11-30")];
        Log::new(&folder.0).write_down(&board(1, 8, &acts)).unwrap();
        note_seen(&folder.0, 7).unwrap();
        note_seen(&folder.0, 5).unwrap();
        fs::remove_file(folder.0.join("2026-11.jsonl")).unwrap();
        Log::new(&folder.0).write_down(&board(1, 9, &acts)).unwrap();
        assert_eq!(seqs(&folder, "2026-11"), [0; 0], "what is gone stays gone");
    }
}
