//! The switch in the foreground: signals and log.

use super::core_loop::Over;
use super::journal::{keep_a_copy, keep_program, stands};
use super::log;
use super::manager::{self, Told};
use super::moved;
use super::running::{Options, Running};
use super::sys::signals;
use super::upgrade::{self, Program};
use crate::config::Settings;
use crate::core::Event;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// Between the answer to whoever wanted an upgrade, and the upgrade.
const ANSWERED: Duration = Duration::from_millis(50);
/// For BYEs, their answers and the last figures of media ports.
const GOODBYE: Duration = Duration::from_secs(3);

/// Runs until it is told to end. `SIGTERM`: no new calls, then ends with the last one, or when
/// `drain` is over; a second one hangs up on everybody and ends, as `SIGINT` does. `SIGHUP`: reads
/// the configuration again. `SIGUSR2`: another program, which lies where this one lay, goes on with
/// everything. An error is one sentence, for stderr and exit status 1.
pub fn run(settings: Settings, options: Options) -> Result<(), String> {
    log::start(settings.log);
    // One that comes before somebody obeys it would end the process: in an upgrade, with its calls.
    if let Err(error) = signals::hold(&OBEYED) {
        tracing::warn!("signals cannot be held back: {error}");
    }
    // A file that may grow no longer is a failed write, like a full disk, and no reason to die.
    if let Err(error) = signals::ignore(libc::SIGXFSZ) {
        tracing::warn!("a limit of file sizes would end the switch: {error}");
    }
    upgrade::go_back(&moved::calls_of(&settings.data));
    let program = Program::own(options.config.clone(), options.folder.clone());
    let (wish, mut wishes) = mpsc::channel(1);
    let options = Options { upgrade: Some(wish), ..options };
    let running = Running::start(settings, options)?;
    let signals = running.runtime().block_on(async { Signals::new() });
    let signals = signals.and_then(|kept| signals::release(&OBEYED).map(|()| kept));
    for (transport, at) in running.listens() {
        tracing::info!("listening on {transport:?} {at}");
    }
    tracing::info!("admin socket {}", running.admin_socket().display());
    if let Some(at) = running.http() {
        tracing::info!("wallboard http://{at}/");
    }
    manager::tell(Told::Ready);
    running.runtime().spawn(manager::watch(running.core()));
    let journal = running.data().join("journal");
    running.runtime().spawn(async move {
        tokio::time::sleep(upgrade::proves_itself_in()).await;
        let dir = journal.clone();
        let keep = move || {
            stands(&dir);
            keep_program(&dir);
        };
        let _ = tokio::task::spawn_blocking(keep).await;
        // The disk has enough to do when a switch starts, and most programs are not written into.
        tokio::time::sleep(upgrade::PROVEN).await;
        let _ = tokio::task::spawn_blocking(move || keep_a_copy(&journal)).await;
    });
    match signals {
        Ok(mut signals) => {
            let obeyed = signals.obey(&running, &program, &mut wishes);
            match running.runtime().block_on(obeyed) {
                Then::End => {}
                Then::Replace => {
                    manager::tell(Told::Reloading);
                    return Err(program.replace(running, || signals.pass_on()));
                }
            }
        }
        Err(error) => {
            tracing::error!("signals cannot be received: {error}");
            running.stop();
        }
    }
    end(running)
}

/// A core that broke leaves a journal that has everything: nobody on the phone waits for a store,
/// or for a disk, until the next process is there, and voices are relayed until this one is gone.
fn end(running: Running) -> Result<(), String> {
    let broke = || Err("the switch broke down; the log says where".into());
    if *running.over().borrow() == Some(Over::Broken) {
        std::mem::forget(running);
        return broke();
    }
    match running.finish() {
        Over::Drained | Over::Stopped | Over::Left => {
            tracing::info!("ended");
            Ok(())
        }
        Over::Broken => broke(),
    }
}

/// The signals that are obeyed.
const OBEYED: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR2];

/// What comes after the signals.
enum Then {
    End,
    /// Another program goes on.
    Replace,
}

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr2: Signal,
}

impl Signals {
    /// From now on they are kept until somebody obeys them.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr2: signal(SignalKind::user_defined2())?,
        })
    }

    /// What comes from now on is for the next program; and so is what came and was not obeyed.
    fn pass_on(&mut self) {
        if let Err(error) = signals::hold(&OBEYED) {
            return tracing::error!("signals cannot be held back: {error}");
        }
        let mut nobody = Context::from_waker(Waker::noop());
        let streams = [&mut self.term, &mut self.int, &mut self.hup];
        for (stream, signal) in streams.into_iter().zip(OBEYED) {
            if stream.poll_recv(&mut nobody).is_ready() {
                let _ = signals::send_to_self(signal);
            }
        }
    }

    async fn obey(
        &mut self,
        running: &Running,
        program: &Program,
        wishes: &mut mpsc::Receiver<oneshot::Sender<Result<String, String>>>,
    ) -> Then {
        let mut over = running.over();
        loop {
            tokio::select! {
                _ = self.term.recv() => break,
                _ = self.int.recv() => {
                    end_now(running).await;
                    return Then::End;
                }
                _ = self.hup.recv() => reload(running).await,
                _ = self.usr2.recv() => match program.can_replace(running).await {
                    Ok(()) => return Then::Replace,
                    Err(why) => tracing::error!("no upgrade, and everything goes on: {why}"),
                },
                Some(answer) = wishes.recv() => {
                    let can = program.can_replace(running).await;
                    let comes = can.is_ok();
                    let _ = answer.send(can.map(|()| "another program goes on".into()));
                    if comes {
                        // For the answer to leave.
                        tokio::time::sleep(ANSWERED).await;
                        return Then::Replace;
                    }
                }
                _ = over.wait_for(Option::is_some) => return Then::End,
            }
        }
        drain(running, &mut self.term, &mut self.int).await;
        Then::End
    }
}

async fn drain(running: &Running, term: &mut Signal, int: &mut Signal) {
    let within = running.drain_within();
    let live = running.status()["calls"]["live"].clone();
    tracing::info!(
        "draining: no new calls, {live} live ones have {} s; a second SIGTERM ends at once",
        within.as_secs()
    );
    manager::tell(Told::Stopping);
    let mut over = running.over();
    let _ = running.inbox().control(Event::Drain).await;
    tokio::select! {
        _ = over.wait_for(Option::is_some) => return,
        _ = term.recv() => tracing::warn!("ending at once, as told"),
        _ = int.recv() => tracing::warn!("ending at once, as told"),
        () = tokio::time::sleep(within.max(Duration::from_secs(1))) => {
            tracing::warn!("the time to drain is over; live calls are ended");
        }
    }
    end_now(running).await;
}

/// Hangs up on whoever is left, and gives the goodbyes and the records a moment.
async fn end_now(running: &Running) {
    running.hang_up().await;
    let mut over = running.over();
    let _ = tokio::time::timeout(GOODBYE, over.wait_for(Option::is_some)).await;
    running.stop();
}

/// Mistakes are logged, and the old configuration stays in force.
async fn reload(running: &Running) {
    let Some(read) = running.reload().cloned() else {
        return tracing::warn!("nothing to reload: there is no configuration file");
    };
    manager::tell(Told::Reloading);
    let refused = &running.meters().configuration_refused;
    match tokio::task::spawn_blocking(move || read()).await {
        Ok(Ok(settings)) => {
            refused.set(0.0);
            let _ = running.inbox().control(Event::Reload(Box::new(settings))).await;
            tracing::info!("the new configuration is in force");
        }
        Ok(Err(mistakes)) => {
            refused.set(1.0);
            tracing::error!(
                "the configuration has mistakes, so the old one stays in force:\n{mistakes}"
            );
        }
        Err(_) => tracing::error!("the configuration could not be read"),
    }
    manager::tell(Told::Ready);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Remote, Store};
    use crate::shell::store::tests::Folder;
    use std::net::TcpListener;

    #[test]
    fn a_core_that_broke_waits_for_no_store_that_hangs() {
        let folder = Folder::new("broken-hangs");
        // It is connected to, and never says a word.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = silent.local_addr().unwrap();
        let mut settings = Settings::default().with_data(&folder.0);
        settings.sip.listen.clear();
        settings.stores = vec![Store::Nats(Remote {
            user: String::new(),
            secret: None,
            host: at.ip().to_string(),
            port: at.port(),
            path: "CALLS".into(),
            tls: false,
            switch: "main".into(),
        })];
        let running = Running::start(settings, Options::default()).unwrap();
        let asked = silent.accept().unwrap();
        running.core().break_down();
        assert_eq!(running.wait(Duration::from_secs(10)), Some(super::Over::Broken));
        let (ended, end_of) = std::sync::mpsc::channel();
        std::thread::spawn(move || ended.send(end(running)));
        // The store is given up after five seconds.
        let how = end_of.recv_timeout(Duration::from_secs(3)).expect("it waits for the store");
        assert!(how.unwrap_err().contains("broke down"));
        drop(asked);
    }
}
