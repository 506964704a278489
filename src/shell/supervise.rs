//! `pukar run --supervise`: a small parent that starts the switch, and starts it again when it
//! dies, at once and then less and less often, for ever: a helpline that is down wants to be up. It
//! passes on signals, ends with a switch that ended in order, and gives up only where there never
//! was one, since the configuration says none that could be.

use super::sys::process;
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

/// Before the first new start, the second, and so on; the last is for all that follow.
const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Who has lived so long dies of something new.
const LONG: Duration = Duration::from_secs(30);
/// Exit status of a fault of usage or configuration.
const USAGE: i32 = 2;

/// Runs `command` until it ends by itself; its exit status.
pub fn supervise(command: Command) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("signals cannot be received: {e}"))?;
    runtime.block_on(watch(command, &PAUSES)).map_err(|e| format!("the switch: {e}"))
}

async fn watch(mut command: Command, pauses: &[Duration]) -> std::io::Result<u8> {
    let mut signals = Signals::new()?;
    let (mut deaths, mut has_run) = (0, false);
    loop {
        let began = Instant::now();
        let ended = match signals.live(&mut command).await {
            Ok(status) => status.code(),
            // No memory, or no program there while it is replaced: that passes.
            Err(error) if has_run => {
                eprintln!("pukar: the switch cannot be started: {error}");
                None
            }
            Err(error) => return Err(error),
        };
        if signals.ending {
            return Ok(ended.map_or(1, |code| code as u8));
        }
        match ended {
            Some(0) => return Ok(0),
            // Another try changes nothing; after a life it does, when somebody has mended the file.
            Some(USAGE) if !has_run => return Ok(USAGE as u8),
            _ => {}
        }
        if began.elapsed() >= LONG {
            deaths = 0;
        }
        has_run |= ended != Some(USAGE);
        let pause = pauses.get(deaths).or(pauses.last()).copied().unwrap_or_default();
        deaths += 1;
        let how = ended.map_or("by a signal".into(), |code| format!("with exit status {code}"));
        eprintln!("pukar: the switch died {how} and is started again in {pause:?}");
        if signals.told_to_end(pause).await {
            eprintln!("pukar: told to end while no switch was at work");
            return Ok(1);
        }
    }
}

/// What is passed on. They are kept from one life to the next, so that none ends the parent.
struct Signals {
    child_died: Signal,
    term: Signal,
    int: Signal,
    hup: Signal,
    usr2: Signal,
    /// The switch was told to end: whatever it dies of, that was its last life.
    ending: bool,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            child_died: signal(SignalKind::child())?,
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr2: signal(SignalKind::user_defined2())?,
            ending: false,
        })
    }

    /// One life of the switch.
    async fn live(&mut self, command: &mut Command) -> std::io::Result<ExitStatus> {
        let mut child = command.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let passed_on = tokio::select! {
                _ = self.child_died.recv() => continue,
                _ = self.term.recv() => SignalKind::terminate(),
                _ = self.int.recv() => SignalKind::interrupt(),
                _ = self.hup.recv() => SignalKind::hangup(),
                _ = self.usr2.recv() => SignalKind::user_defined2(),
            };
            self.ending |= [SignalKind::terminate(), SignalKind::interrupt()].contains(&passed_on);
            process::signal(&child, passed_on.as_raw_value())?;
        }
    }

    /// Pauses; true where it is told to end meanwhile.
    async fn told_to_end(&mut self, pause: Duration) -> bool {
        tokio::select! {
            _ = self.term.recv() => true,
            _ = self.int.recv() => true,
            () = sleep(pause) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    /// Supervises a shell that notes each life; what it came to, and how many lives there were.
    fn lives(name: &str, script: &str) -> (u8, usize) {
        let folder = Folder::new(name);
        let notes = folder.0.join("lives");
        let mut command = Command::new("/bin/sh");
        let script = format!("echo >> {0}; lives=$(wc -l < {0}); {script}", notes.display());
        command.arg("-c").arg(script);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pauses = [Duration::ZERO, Duration::from_millis(1)];
        let exit = runtime.block_on(watch(command, &pauses)).unwrap();
        (exit, std::fs::read_to_string(notes).unwrap().lines().count())
    }

    #[test]
    fn a_switch_that_dies_and_dies_is_started_until_it_lives() {
        let script = "[ $lives -lt 12 ] && exit 1; exit 0";
        assert_eq!(lives("supervise-dies", script), (0, 12));
    }

    #[test]
    fn a_configuration_that_never_ran_is_final_and_one_that_did_is_tried_again() {
        assert_eq!(lives("supervise-usage", "exit 2"), (2, 1));
        let script = "[ $lives -eq 1 ] && exit 1; [ $lives -lt 4 ] && exit 2; exit 0";
        assert_eq!(lives("supervise-broken-later", script), (0, 4));
    }
}
