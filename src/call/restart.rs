//! Calls go on in another process: their ports are opened again under the same numbers, whoever
//! talked is bridged, whoever waited hears what they heard; and whoever is not heard of is asked.

use super::calls::{Calls, Io};
use super::hearing::{connect, forget_ails, watch};
use super::leg::{Leg, Stage};
use super::ports::Ports;
use super::{Call, Effect, EndedBy, Fact};
use crate::base::{CallId, LegId, PortId, Timer};
use crate::media::control::{Command, Figures};
use crate::sip::Act;
use std::time::Duration;

/// How often whoever waits and sends nothing is asked whether they are there.
const ABSENT_AGAIN: Duration = Duration::from_secs(60);
/// How long a party has to be heard after a restart before it is asked whether it is there, ...
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// ... and how far apart the parties are asked.
const ASKED_APART: Duration = Duration::from_millis(5);

impl Calls {
    pub fn restarted(&mut self, io: &mut Io) {
        (self.gate.draining, self.gate.swamped) = (false, false);
        self.forget_figures(io);
        self.record_again(io);
        let calls: Vec<CallId> = self.table.keys().collect();
        let mut recheck = io.cx.now.instant + HEARD_WITHIN;
        for id in calls {
            let Some(call) = self.table.get_mut(id) else { continue };
            open_again(io, call);
            hear_again(io, id, call);
            for leg in call.legs_mut() {
                io.cx.timers.cancel(Timer::Silence(leg.id));
                if std::mem::take(&mut leg.silent) {
                    io.fact(Fact::Silent { call: id, role: leg.role, silent: false });
                }
                forget_ails(io, id, leg);
                leg.unheard = leg.stage == Stage::Up;
                leg.absent = false;
                if leg.unheard {
                    io.cx.timers.set(Timer::Recheck(leg.id), recheck);
                    recheck = recheck + ASKED_APART;
                }
            }
        }
    }

    /// New settings. Ports that are dealt out stay as they are until nobody has one.
    pub fn reload(&mut self, io: &mut Io) {
        let media = &io.settings.media;
        if self.by_port.is_empty() && self.ports.taken() == 0 {
            let fresh = Ports::new(media.ports, media.workers);
            if !fresh.is_same_range(&self.ports) {
                self.ports = fresh;
            }
        }
    }

    /// Ports that were closed and have not told their figures: they are gone with the process.
    fn forget_figures(&mut self, io: &mut Io) {
        self.earlier.forget_left();
        let by_leg = &self.by_leg;
        let gone = self.by_port.iter().filter(|(_, (_, leg))| !by_leg.contains_key(leg));
        let gone: Vec<PortId> = gone.map(|(port, _)| *port).collect();
        for port in gone {
            if let Some((call, leg)) = self.by_port.remove(&port) {
                self.measured(io, (call, leg), &Figures::default());
            }
        }
    }

    /// `Timer::Recheck`: an offer as it stands asks the party whether it is there (RFC 3261
    /// section 12.2.1.2: 481, 408 or no answer end the dialog).
    pub fn recheck(&mut self, io: &mut Io, leg: LegId) {
        let call = self.by_leg.get(&leg).and_then(|id| self.table.get_mut(*id));
        let Some(leg) = call.and_then(|call| call.leg_mut(leg)) else { return };
        if leg.absent {
            io.cx.timers.set(Timer::Recheck(leg.id), io.cx.now.instant + ABSENT_AGAIN);
        }
        if leg.unheard {
            io.out.push(leg.offer_again(&io.settings.media));
        } else if leg.absent {
            // Nothing is to change for them, and not every carrier likes to be offered anything.
            io.out.push(leg.act(Act::Probe));
        }
    }

    /// Nothing comes from whoever waits, or something does again. They may be mute, or they may
    /// have gone and their BYE with them: then nobody shall be offered to an agent.
    pub(super) fn absent(&mut self, io: &mut Io, leg: LegId, absent: bool) {
        let call = self.by_leg.get(&leg).and_then(|id| self.table.get_mut(*id));
        let Some(leg) = call.and_then(|call| call.leg_mut(leg)) else { return };
        if std::mem::replace(&mut leg.absent, absent) == absent {
            return;
        }
        match absent {
            true => io.cx.timers.set(Timer::Recheck(leg.id), io.cx.now.instant),
            false if !leg.unheard => io.cx.timers.cancel(Timer::Recheck(leg.id)),
            false => {}
        }
    }

    /// Audio of a leg comes in.
    pub(super) fn is_heard(&mut self, io: &mut Io, port: PortId) {
        if let Some(&(id, leg)) = self.by_port.get(&port) {
            self.is_there(io, id, leg);
        }
    }

    /// A leg has shown that it is there.
    pub(super) fn is_there(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let leg = self.table.get_mut(id).and_then(|call| call.leg_mut(leg));
        if let Some(leg) = leg.filter(|leg| leg.unheard) {
            leg.unheard = false;
            if !leg.absent {
                io.cx.timers.cancel(Timer::Recheck(leg.id));
            }
        }
    }
}

impl Leg {
    /// Who ended a call whose far end has vanished.
    pub(super) fn lost_as(&self, by: EndedBy) -> EndedBy {
        if self.unheard { EndedBy::Recovered } else { by }
    }
}

fn open_again(io: &mut Io, call: &Call) {
    for leg in call.legs() {
        io.open(leg.side.door());
        io.out.extend(leg.agree());
    }
}

fn hear_again(io: &mut Io, id: CallId, call: &mut Call) {
    connect(io, call);
    // A dialled party that sends tones before it answers.
    let early = call.caller.stage != Stage::Up && call.caller.side.far.is_some();
    if let Some(peer) = call.others.iter().find(|leg| early && leg.side.far.is_some()) {
        io.media(Command::Bridge { a: call.caller.side.port, b: peer.side.port });
    }
    for leg in call.legs().filter(|leg| leg.hears_tune) {
        io.out.extend(call.hears(leg).map(Effect::Media));
    }
    for leg in call.talk.clone() {
        watch(io, call, id, leg);
    }
    if call.is_caller_up() && !call.is_heard(call.caller.id) {
        let silence = call.caller.awaits_nobody(io);
        io.media(Command::Watch { port: call.caller.side.port, silence });
    }
}
