//! The thread that tells of a disk which is too slow for what is said, or takes nothing any more:
//! whoever writes hangs in it then, and tells nobody.
//!
//! In: what the workers have lost, and when whoever writes was last seen to go on. Out: news for
//! the core. It touches no disk. May import: base, core.

use super::{Recorder, Shared};
use crate::base::Instant;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);
/// Whoever has not gone on for so long hangs.
const HANGS: Duration = Duration::from_secs(3);
/// A look that comes so late was kept from coming by what kept everybody: the process was paused.
const LATE: Duration = Duration::from_secs(1);
/// Losses of sound are told this often at most.
const TELL: Duration = Duration::from_secs(10);

pub struct Watcher {
    config: Recorder,
    shared: Arc<Shared>,
    /// Packets lost that were told, and when.
    lost: u64,
    told: Option<Instant>,
    /// When it was last seen to go on.
    hangs: Option<Instant>,
}

impl Watcher {
    pub fn new(config: Recorder, shared: Arc<Shared>) -> Self {
        Self { config, shared, lost: 0, told: None, hangs: None }
    }

    /// Until whoever writes says that it is over, or is no more.
    pub fn run(mut self, over: &Receiver<()>) {
        let mut looked = self.config.clock.instant();
        loop {
            match over.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) => return,
                Err(RecvTimeoutError::Disconnected) => return self.is_broken(),
            }
            let now = self.config.clock.instant();
            if now.since(looked) < LATE {
                self.look(now);
            }
            looked = now;
        }
    }

    fn is_broken(&self) {
        const WHY: &str = "whoever writes recordings broke down";
        tracing::error!("{WHY}: nothing is recorded until the next start. Calls go on");
        self.config.alarm(Some(WHY.into()));
    }

    fn look(&mut self, now: Instant) {
        let beat = Instant(self.shared.beat.load(Ordering::Relaxed));
        match self.hangs {
            None if now.since(beat) >= HANGS => self.hangs(beat),
            Some(since) if now.since(beat) < HANGS => self.goes_on(beat.since(since)),
            None | Some(_) => {}
        }
        let lost = self.shared.lost.load(Ordering::Relaxed);
        if lost > self.lost && self.told.is_none_or(|at| now.since(at) >= TELL) {
            self.config.meters.recording_packets_lost.absolute(lost);
            tracing::error!(
                "recordings have gaps: {} packets were not written, since the disk is too slow or \
                 somebody sends more than any telephone",
                lost - self.lost
            );
            (self.lost, self.told) = (lost, Some(now));
            self.shared.tell_losers(&self.config);
        }
    }

    fn hangs(&mut self, since: Instant) {
        self.hangs = Some(since);
        let folder = self.config.folder.display();
        tracing::error!(
            "{folder}: the disk hangs, and no recording is written. Calls go on; see to the disk"
        );
        self.config.alarm(Some(format!("{folder}: the disk hangs")));
    }

    fn goes_on(&mut self, after: Duration) {
        self.hangs = None;
        tracing::warn!("recordings are written again, after {} s", after.as_secs());
        self.config.alarm(None);
    }
}
