//! `SIGUSR2`: the program that lies now where this one was started from takes its
//! place in the same process (execve(2)). It is asked first whether it can read what this one
//! remembers, and the configuration as it is now; where it cannot, nothing happens.

use super::journal::{that_can_go_on, try_once};
use super::running::Running;
use crate::core::journal;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long the other program has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// This program, whatever lies in its place by now.
const SELF: &str = "/proc/self/exe";

/// Longer than a start that comes to nothing.
pub const PROVEN: Duration = Duration::from_secs(60);
/// Names the program that was started, where another one goes on in its place; see [`go_back`].
const STARTED: &str = "PUKAR_STARTED";

/// What was started, and how.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    config: Option<PathBuf>,
    folder: Option<Folder>,
}

/// Which data folder the configuration names as it is now, whatever else is in it: what is new
/// there is for the other program to understand.
pub type Folder = Arc<dyn Fn() -> PathBuf + Send + Sync>;

/// Another program was put where the last one lay, and the last one died before it was told to hand
/// over: only it can handle the events after its last snapshot, so it goes on, and `pukar upgrade`
/// brings this one in. Returns where there is nothing to go back to.
pub fn go_back(data: &Path) {
    if std::env::var_os(STARTED).is_some() {
        return;
    }
    let Some(kept) = that_can_go_on(data) else { return };
    if !try_once(data) {
        return tracing::error!(
            "the switch that died was another version, {} took over, and died as well: this \
             one goes on without its calls",
            kept.display()
        );
    }
    let own = std::env::current_exe().unwrap_or_else(|_| SELF.into());
    tracing::error!(
        "the switch that died was another version, and only that one can go on with its calls: {} \
         takes over. `pukar upgrade` brings this one in, with the calls",
        kept.display()
    );
    let mut program = Command::new(&kept);
    let error = program.args(std::env::args_os().skip(1)).env(STARTED, own).exec();
    tracing::error!("{} cannot be started: {error}", kept.display());
}

/// How long a program that was gone back to has to be at work until it is believed to stay so.
pub fn proves_itself_in() -> Duration {
    match std::env::var_os(STARTED) {
        Some(_) => PROVEN,
        None => Duration::ZERO,
    }
}

impl Program {
    /// `config`: what it will read, and which data folder that names.
    pub fn own(config: Option<PathBuf>, folder: Option<Folder>) -> Self {
        let started = std::env::var_os(STARTED).map(PathBuf::from);
        let own = || std::env::current_exe().unwrap_or_else(|_| SELF.into());
        let path = started.unwrap_or_else(own);
        Self { path, arguments: std::env::args_os().skip(1).collect(), config, folder }
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
        if !running.outbox_takes_rows() {
            return Err("the outbox takes no records, so another program could not be given all \
                        that this one knows: see the log for why, and free some room on its disk"
                .into());
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
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let data = tokio::task::spawn_blocking(move || folder()).await;
        let data = data.map_err(|_| "the configuration could not be read".to_string())?;
        let at = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.into());
        if at(&data) == at(running.data()) {
            return Ok(());
        }
        Err(format!(
            "[switch] data says {} now, and the calls are in {}: put it back, or drain this one \
             (SIGTERM) and start the other",
            data.display(),
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
            // Nobody has handed over to that one: it is what was started.
            let error = program(self.path.clone()).env_remove(STARTED).exec();
            tracing::error!("{} cannot be started: {error}", self.path.display());
        } else {
            tracing::error!("the journal could not be finished, so the old program goes on");
        }
        format!("not even this program can be started again: {}", program(SELF.into()).exec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Settings};
    use crate::shell::Options;
    use crate::shell::store::tests::Folder as Scratch;
    use crate::sip::{Listener, Transport};
    use std::os::unix::fs::PermissionsExt;

    /// A program that keeps calls as this one does, and finds every configuration right.
    fn newer(folder: &Path) -> PathBuf {
        let path = folder.join("newer");
        let text = format!("#!/bin/sh\n[ \"$1\" = shape ] && echo {}\nexit 0\n", journal::shape());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn what_only_the_newer_program_understands_is_no_reason_against_it() {
        let folder = Scratch::new("newer");
        let mut settings = Settings::default().with_data(&folder.0.join("data"));
        let bind = "127.0.0.1:0".parse().unwrap();
        settings.sip.listen = vec![Listener { transport: Transport::Udp, bind, advertise: None }];
        let running = Running::start(settings, Options::default()).unwrap();
        let config = folder.0.join("helpline.toml");
        let can = |text: String| {
            std::fs::write(&config, &text).unwrap();
            let data = move || config::data_folder(&[("helpline.toml".into(), text.clone())]);
            let (path, arguments) = (newer(&folder.0), Vec::new());
            let (config, folder) = (Some(config.clone()), Some(Arc::new(data) as Folder));
            let program = Program { path, arguments, config, folder };
            running.runtime().block_on(program.can_replace(&running))
        };
        let data = |name: &str| folder.0.join(name).display().to_string();
        let mine = format!("[switch]\ndata = \"{}\"\n[next_year]\nkey = 7\n", data("data"));
        assert_eq!(can(mine), Ok(()));
        let why = can(format!("[switch]\ndata = \"{}\"\n", data("other"))).unwrap_err();
        assert!(why.contains("put it back"), "{why}");
    }
}
