//! What the ports of a leg have seen: of the one that it has at its end, and of those that it had
//! before, where its far end has gone over to the other family of addresses.
//!
//! In: the figures of ports that are closed. Out: one fact a leg. May import: base, media.

use super::Fact;
use super::calls::{Calls, Io};
use crate::base::{CallId, LegId, PortId};
use crate::media::control::Figures;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of legs that are at another port by now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// Ports whose figures are still to come.
    left: BTreeMap<PortId, LegId>,
    seen: BTreeMap<LegId, Figures>,
}

// No figure is ever no number.
impl Eq for Earlier {}

impl Earlier {
    pub fn len(&self) -> usize {
        self.left.len() + self.seen.len()
    }

    /// The leg has left this port.
    pub fn leaves(&mut self, leg: LegId, port: PortId) {
        self.left.insert(port, leg);
    }

    /// There will be no figures of ports that were left: they are gone with the process.
    pub fn forget_left(&mut self) {
        self.left.clear();
    }

    /// Nor of this one.
    pub fn forget(&mut self, port: PortId) {
        self.left.remove(&port);
    }

    /// Whether that is the end of a port that a leg had before.
    fn closed(&mut self, port: PortId, figures: &Figures, knows: impl Fn(LegId) -> bool) -> bool {
        let Some(leg) = self.left.remove(&port) else { return false };
        if knows(leg) {
            let before = self.seen.remove(&leg);
            self.seen.insert(leg, after(figures, before.as_ref()));
        }
        true
    }
}

impl Calls {
    /// A port is closed, and these are its figures.
    pub(super) fn port_closed(&mut self, io: &mut Io, port: PortId, figures: &Figures) {
        let at_last = |leg| self.by_port.values().any(|(_, other)| *other == leg);
        if self.earlier.closed(port, figures, at_last) {
            return;
        }
        if let Some((call, leg)) = self.by_port.remove(&port) {
            self.measured(io, (call, leg), figures);
        }
    }

    /// All that there will be of this leg.
    pub(super) fn measured(&mut self, io: &mut Io, (call, leg): (CallId, LegId), last: &Figures) {
        let before = self.earlier.seen.remove(&leg);
        self.earlier.left.retain(|_, other| *other != leg);
        io.fact(Fact::Measured { call, leg, figures: after(last, before.as_ref()) });
    }
}

/// The figures of two ports, one after the other. What cannot be added up is of the last one that
/// heard anything; how it sounded is as of all packets.
fn after(last: &Figures, before: Option<&Figures>) -> Figures {
    let Some(before) = before else { return *last };
    let share = before.received as f32 / (before.received + last.received).max(1) as f32;
    let theirs = match (last.theirs, before.theirs) {
        (Some(last), Some(before)) => {
            Some(crate::media::control::Theirs { lost: last.lost + before.lost, ..last })
        }
        (last, before) => last.or(before),
    };
    Figures {
        received: last.received + before.received,
        sent: last.sent + before.sent,
        lost: last.lost + before.lost,
        refused: last.refused + before.refused,
        jitter: if last.received > 0 { last.jitter } else { before.jitter },
        mos: last.mos * (1.0 - share) + before.mos * share,
        theirs,
        round_trip: last.round_trip.or(before.round_trip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_one_after_the_other_are_one() {
        let of = |received, mos| Figures {
            received,
            sent: 10,
            lost: 3,
            jitter: received as u32,
            refused: 1,
            mos,
            ..Figures::default()
        };
        let both = after(&of(300, 4.0), Some(&of(100, 2.0)));
        assert_eq!((both.received, both.sent, both.lost, both.refused), (400, 20, 6, 2));
        assert_eq!((both.jitter, both.mos), (300, 3.5));
        let silent = after(&Figures::default(), Some(&of(100, 2.0)));
        assert_eq!((silent.received, silent.jitter, silent.mos), (100, 100, 2.0));
        assert_eq!(after(&of(5, 1.0), None), of(5, 1.0));
    }

    /// Whatever comes when, nothing is kept of a leg that is gone.
    #[test]
    fn nothing_is_left_of_a_leg_that_nobody_knows_any_more() {
        let (mut earlier, leg, port) = (Earlier::default(), LegId(1), PortId(7));
        earlier.leaves(leg, port);
        assert!(earlier.closed(port, &Figures::default(), |_| false) && earlier.len() == 0);
        assert!(!earlier.closed(port, &Figures::default(), |_| true), "it was told of once");
        earlier.leaves(leg, port);
        earlier.forget(port);
        assert_eq!(earlier.len(), 0);
    }
}
