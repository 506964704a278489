//! `SIGUSR2`: the program that lies now where this one was started from takes its
//! place in the same process (execve(2)). It is asked first whether it can read what this one
//! remembers, and the configuration as it is now; where it cannot, nothing happens.

use super::admin::Reload;
use super::running::Running;
use crate::core::journal;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// How long the other program has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// This program, whatever lies in its place by now.
const SELF: &str = "/proc/self/exe";

/// What was started, and how.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    config: Option<PathBuf>,
    /// Reads the configuration as it is now.
    read: Option<Reload>,
}

impl Program {
    /// `config`: what it will read, and how this program would.
    pub fn own(config: Option<PathBuf>, read: Option<Reload>) -> Self {
        let path = std::env::current_exe().unwrap_or_else(|_| SELF.into());
        Self { path, arguments: std::env::args_os().skip(1).collect(), config, read }
    }

    /// Asks the program that lies there now.
    pub async fn can_replace(&self, running: &Running) -> Result<(), String> {
        let at = self.path.display();
        if !running.journal_is_whole() {
            return Err(
                "the journal has a gap, and the calls are nowhere else: free some room on \
                        its disk, and wait until the journal is whole again"
                    .into(),
            );
        }
        let answer = self.ask(&["shape".as_ref()]).await?;
        let said = String::from_utf8_lossy(&answer.stdout);
        if said.trim() != journal::shape().to_string() {
            return Err(format!(
                "{at} keeps its calls in another form than the program that runs, so it cannot go \
                 on with them. Drain this one (SIGTERM) and start the other"
            ));
        }
        let Some(config) = &self.config else { return Ok(()) };
        let answer = self.ask(&["check".as_ref(), "--config".as_ref(), config.as_os_str()]).await?;
        if answer.status.success() {
            return self.keeps_the_folder(running).await;
        }
        let said = String::from_utf8_lossy(&answer.stderr);
        Err(format!("{at} cannot use the configuration as it is now:\n{}", said.trim_end()))
    }

    /// A program with another data folder would find no journal there, and no calls.
    async fn keeps_the_folder(&self, running: &Running) -> Result<(), String> {
        let Some(read) = self.read.clone() else { return Ok(()) };
        let fresh = tokio::task::spawn_blocking(move || read()).await;
        let fresh = fresh.map_err(|_| "the configuration could not be read".to_string())??;
        let at = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.into());
        if at(&fresh.data) == at(running.data()) {
            return Ok(());
        }
        Err(format!(
            "[switch] data says {} now, and the calls are in {}: put it back, or drain this one \
             (SIGTERM) and start the other",
            fresh.data.display(),
            running.data().display()
        ))
    }

    async fn ask(&self, words: &[&OsStr]) -> Result<Output, String> {
        let at = self.path.display();
        let mut asked = tokio::process::Command::new(&self.path);
        let answer = asked.args(words).stdin(Stdio::null()).kill_on_drop(true).output();
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        let answer = answer.map_err(|_| format!("{at} does not answer"))?;
        answer.map_err(|e| format!("{at} cannot be started: {e}"))
    }

    /// Never returns, but with a sentence: then there is no switch any more, and the journal has
    /// everything for the next start.
    /// `pass_on`: has signals wait for the next program.
    pub fn replace(&self, running: Running, pass_on: impl FnOnce()) -> String {
        tracing::info!("{} goes on in the place of this program", self.path.display());
        let (open, safe) = running.leave();
        pass_on();
        let (name, value) = match open.leave() {
            Ok(told) => told,
            Err(error) => return format!("nothing can be left open: {error}"),
        };
        let program = |path: PathBuf| {
            let mut program = Command::new(path);
            program.args(&self.arguments).env(name, &value);
            program
        };
        if safe {
            let error = program(self.path.clone()).exec();
            tracing::error!("{} cannot be started: {error}", self.path.display());
        } else {
            tracing::error!("the journal could not be finished, so the old program goes on");
        }
        format!("not even this program can be started again: {}", program(SELF.into()).exec())
    }
}
