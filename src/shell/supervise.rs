//! `pukar run --supervise`: a small parent that starts the switch, and starts it again at once when
//! it dies. It passes on signals, ends with a switch that ended in order, and gives up where one
//! after the other dies at once.

use super::sys::process;
use std::collections::VecDeque;
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// So many deaths within this time are no accident.
const DEATHS: usize = 5;
const WITHIN: Duration = Duration::from_secs(30);
/// Exit status of a fault of usage or configuration: another try changes nothing.
const USAGE: i32 = 2;

/// Runs `command` until it ends by itself; its exit status.
pub fn supervise(mut command: Command) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("signals cannot be received: {e}"))?;
    runtime.block_on(async {
        let mut deaths = VecDeque::new();
        loop {
            let status = live(&mut command).await.map_err(|e| format!("the switch: {e}"))?;
            match status.code() {
                Some(0) => return Ok(0),
                Some(USAGE) => return Ok(USAGE as u8),
                _ => {}
            }
            let now = tokio::time::Instant::now();
            deaths.push_back(now);
            deaths.retain(|death| now.duration_since(*death) < WITHIN);
            if deaths.len() >= DEATHS {
                return Err(format!(
                    "the switch died {DEATHS} times within {} s, the last time with {status}; it \
                     is not started again",
                    WITHIN.as_secs()
                ));
            }
            eprintln!("pukar: the switch died with {status} and is started again");
        }
    })
}

/// One life of the switch.
async fn live(command: &mut Command) -> std::io::Result<ExitStatus> {
    // Before the start, so that no death is missed.
    let mut child_died = signal(SignalKind::child())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    let mut usr2 = signal(SignalKind::user_defined2())?;
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let passed_on = tokio::select! {
            _ = child_died.recv() => continue,
            _ = term.recv() => SignalKind::terminate(),
            _ = int.recv() => SignalKind::interrupt(),
            _ = hup.recv() => SignalKind::hangup(),
            _ = usr2.recv() => SignalKind::user_defined2(),
        };
        process::signal(&child, passed_on.as_raw_value())?;
    }
}
