//! The process dies in the midst of what it does, is away for a while, and another takes over with
//! nothing but the journal. Ports and streams are gone, and so is what was on its way to it.

use super::agenda::Work;
use super::plan::agent_name;
use super::world::World;
use crate::core::{Event, Out};
use std::collections::BTreeSet;
use std::time::Duration;

/// How the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// It dies in the next event, after this share in a hundred of its commands.
    doomed: Option<u64>,
    down: bool,
    kills: u64,
}

impl Life {
    pub fn is_down(self) -> bool {
        self.down
    }

    /// How often it has died.
    pub fn kills(self) -> u64 {
        self.kills
    }

    /// Whether this is the event it dies in.
    pub fn dies(&mut self) -> Option<u64> {
        self.doomed.take()
    }
}

impl World {
    /// The next event is the last of this process.
    pub(super) fn doom(&mut self) {
        self.life.doomed = Some(self.rng.below(101));
    }

    /// Killed between two events, and up again at once.
    pub fn kill(&mut self) -> Result<(), String> {
        self.fall();
        self.rise()
    }

    /// Killed after so many of a hundred of the commands, rows among them.
    pub(super) fn die(&mut self, out: Out, share: u64) -> Result<(), String> {
        let done = out.commands.len() * share as usize / 100;
        for command in out.commands.into_iter().take(done) {
            self.execute(command)?;
        }
        self.laws.forget_connected();
        self.fall();
        let away = match self.rng.chance(5) {
            true => self.rng.below(60_000),
            false => self.rng.below(1_500),
        };
        self.at(self.now + Duration::from_millis(away), Work::Rise);
        Ok(())
    }

    fn fall(&mut self) {
        self.life.down = true;
        self.life.kills += 1;
        self.forget_inner_work();
        self.ports.crash();
        self.tapes.clear();
        self.lose_streams();
    }

    /// Phones notice that their streams have closed, and come back.
    fn lose_streams(&mut self) {
        for phone in self.streams.cut_all() {
            let after = Duration::from_millis(200 + self.rng.below(3_000));
            self.at(self.now + after, Work::Return { address: phone });
        }
    }

    pub(super) fn rise(&mut self) -> Result<(), String> {
        let (switch, rows) = self.diary.replay()?;
        if switch.state() != self.switch.state() {
            return Err("the switch that the journal makes is not the one that died".into());
        }
        self.switch = switch;
        self.laws.store_missing(rows)?;
        // Whoever tried while nobody was there has no connection either.
        self.lose_streams();
        self.life.down = false;
        self.feed(Event::Restarted { flows: BTreeSet::new(), secret: Default::default() })?;
        self.check_talks()
    }

    /// Whoever talked is bridged again.
    fn check_talks(&self) -> Result<(), String> {
        if self.life.is_down() {
            return Ok(());
        }
        for (n, reach) in (0..).zip(&self.plan.agents) {
            let talks = self.switch.state().is_heard(&agent_name(n));
            if talks && !self.ports.is_bridged(reach.address(n).ip()) {
                return Err(format!("op{n} talked, and hears nobody after a restart"));
            }
        }
        Ok(())
    }
}
