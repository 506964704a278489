//! What is still to come in a world, by the time at which it does.

use super::phone::Wake;
use super::world::World;
use crate::base::{Instant, PortId, QueryId};
use crate::core::Event;
use crate::media::control;
use crate::sip::{Hop, RecordKind};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug)]
pub(super) enum Work {
    /// A message reaches the switch, if the connection that it came by is still open.
    Arrive {
        hop: Hop,
        bytes: Vec<u8>,
    },
    /// A message reaches a phone, by a connection or without.
    Deliver {
        hop: Hop,
        phone: SocketAddr,
        bytes: Vec<u8>,
    },
    Phone {
        address: SocketAddr,
        call_id: String,
        what: Wake,
    },
    /// A phone registers, as it does all its life.
    Sign {
        address: SocketAddr,
        round: u32,
    },
    /// A registered phone leaves, or only forgets to refresh; and comes back.
    Restless {
        address: SocketAddr,
        forgets: bool,
    },
    Return {
        address: SocketAddr,
    },
    Dial {
        address: SocketAddr,
        number: &'static str,
    },
    GiveUp {
        address: SocketAddr,
    },
    Press {
        address: SocketAddr,
        key: char,
    },
    /// An agent at home presses a key, should a call be there.
    Accept {
        n: u16,
        key: char,
    },
    /// An agent dials something at the own phone.
    Own {
        n: u16,
    },
    Vanish {
        address: SocketAddr,
    },
    Cut {
        address: SocketAddr,
        span: Duration,
    },
    Mend {
        address: SocketAddr,
    },
    Media(control::Event),
    /// The port has waited for audio for as long as it was told to.
    Silent {
        port: PortId,
    },
    Break {
        port: PortId,
    },
    Dns {
        query: QueryId,
        name: String,
        kind: RecordKind,
    },
    Tell(Event),
    Tick,
    /// Another process takes over.
    Rise,
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    work: BTreeMap<(Instant, u64), Work>,
    serial: u64,
    /// Work other than ticks and registrations.
    pending: usize,
    /// When the one tick that counts is planned.
    tick: Option<Instant>,
}

impl Agenda {
    /// Takes what comes next. A tick that an earlier deadline has overtaken means nothing.
    pub fn next(&mut self) -> Option<(Instant, Work)> {
        loop {
            let ((at, _), work) = self.work.pop_first()?;
            self.pending -= usize::from(counts(&work));
            match work {
                Work::Tick if self.tick != Some(at) => continue,
                Work::Tick => self.tick = None,
                _ => {}
            }
            return Some((at, work));
        }
    }

    pub fn is_due(&self, until: Instant) -> bool {
        self.work.first_key_value().is_some_and(|((at, _), _)| *at <= until)
    }

    /// Nothing is to come for which the day goes on.
    pub fn is_done(&self) -> bool {
        self.pending == 0
    }

    fn add(&mut self, at: Instant, work: Work) {
        self.serial += 1;
        self.pending += usize::from(counts(&work));
        self.work.insert((at, self.serial), work);
    }
}

/// Whether the day goes on for this.
fn counts(work: &Work) -> bool {
    !matches!(work, Work::Tick | Work::Sign { .. })
}

impl World {
    pub(super) fn at(&mut self, at: Instant, work: Work) {
        self.agenda.add(at, work);
    }

    /// One tick is planned, for the next deadline.
    pub(super) fn wake_later(&mut self) {
        if self.life.is_down() {
            return;
        }
        let Some((at, _)) = self.switch.next_deadline() else { return };
        let at = at.max(self.now);
        if self.agenda.tick.is_none_or(|planned| at < planned) {
            self.agenda.tick = Some(at);
            self.at(at, Work::Tick);
        }
    }

    /// What was on its way inside the process, or to it over a stream, is lost with it.
    pub(super) fn forget_inner_work(&mut self) {
        let lost = |work: &Work| {
            matches!(
                work,
                Work::Media(_)
                    | Work::Silent { .. }
                    | Work::Break { .. }
                    | Work::Dns { .. }
                    | Work::Tell(Event::Unreachable { .. } | Event::Recording(_))
            )
        };
        let agenda = &mut self.agenda;
        agenda.work.retain(|_, work| !lost(work));
        agenda.pending = agenda.work.values().filter(|work| counts(work)).count();
        agenda.tick = None;
    }
}
