//! Parking: a caller is put down under a number, hears music, and is picked up by anybody who knows
//! it. Nobody is forgotten there: after a while the call goes back to whoever parked it.

use super::Fact;
use super::calls::{Calls, Io};
use super::handover::{Handover, Way};
use super::target::Try;
use crate::base::limits::PARKED_MAX;
use crate::base::{AgentId, CallId, LegId, Timer};
use crate::media::control::Command;
use crate::say::{self, Phrase};
use crate::sip::Cause;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long saying the slot may take, whatever the data plane tells.
const TELLING_MAX: Duration = Duration::from_secs(10);

/// Where a call is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// From 1.
    pub slot: u16,
    pub by: Option<AgentId>,
    /// Whoever parked it is told the slot, and hung up on then.
    pub told: Option<LegId>,
}

impl Calls {
    /// Parks a call that somebody has in hand; the slot that it is in.
    pub fn park(&mut self, io: &mut Io, id: CallId) -> Result<u16, String> {
        let slot = self.put_down(io, id)?;
        self.slot_is_told(io, id);
        Ok(slot)
    }

    /// The same by the hand of whoever has it, who hears in which slot it is.
    pub(super) fn park_aloud(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        let slot = self.put_down(io, id)?;
        let says = say::say(&io.settings.language, &[Phrase::Parked(u64::from(slot))]);
        let says = io.settings.tunes_of(&says);
        let Some(call) = self.table.get_mut(id).filter(|_| !says.is_empty()) else {
            self.slot_is_told(io, id);
            return Ok(());
        };
        call.piece += 1;
        let told = call.parked.and_then(|parked| call.leg(parked.told?));
        if let Some(leg) = told {
            let (port, piece) = (leg.side.port, call.piece);
            let tunes = io.settings.signals.done.into_iter().chain(says).collect();
            io.media(Command::Play { port, piece, tunes, then: None });
            io.cx.timers.set(Timer::Code(id), io.cx.now.instant + TELLING_MAX);
        }
        Ok(())
    }

    /// Whoever parked it has heard the slot, or is needed no more.
    pub(super) fn slot_is_told(&mut self, io: &mut Io, id: CallId) {
        let parked = self.table.get_mut(id).and_then(|call| call.parked.as_mut());
        let Some(parked) = parked else { return };
        let (slot, Some(leg)) = (parked.slot, parked.told.take()) else { return };
        io.cx.timers.cancel(Timer::Code(id));
        // Phones may show the words of Reason (RFC 3326) to whoever will have to name the slot.
        let text = format!("Parked in {slot}");
        self.dismiss(io, id, leg, Cause { q850: Some(16), sip: None, text });
    }

    fn put_down(&mut self, io: &mut Io, id: CallId) -> Result<u16, String> {
        self.turn_round(io, id)?;
        let call = self.table.get(id).ok_or("the call is over")?;
        if !call.is_caller_up() {
            return Err("the caller is not in the call any more".into());
        }
        if call.handover.is_some() {
            return Err("the call is on its way to somebody else".into());
        }
        let leg = call.only_partner().ok_or("nobody has the call in hand, or several have")?;
        let by = call.agent_of(leg);
        if by.is_none() && call.queue().is_none() {
            return Err("the call has no queue and no agent to go back to".into());
        }
        let slot = self.free_slot().ok_or("every parking slot is taken")?;
        self.leave_alone(io, id, Some(leg));
        let Some(call) = self.table.get_mut(id) else { return Ok(slot) };
        call.parked = Some(Parked { slot, by, told: Some(leg) });
        io.cx.timers.set(Timer::Parked(id), io.cx.now.instant + io.settings.in_call.park_for);
        io.fact(Fact::Parked { call: id, slot, by });
        Ok(slot)
    }

    pub fn parked_in(&self, slot: u16) -> Option<CallId> {
        let parked = |call: &super::Call| call.parked.is_some_and(|parked| parked.slot == slot);
        self.table.iter().find(|(_, call)| parked(call)).map(|(id, _)| id)
    }

    /// `Timer::Parked`
    pub fn parked_too_long(&mut self, io: &mut Io, id: CallId) {
        self.slot_is_told(io, id);
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(parked) = call.parked.take() else { return };
        match parked.by {
            Some(agent) => {
                let back = Handover::new(String::new(), Way::Recall, [Try::Agent(agent)].into());
                call.handover = Some(Box::new(back));
                self.try_next(io, id, (480, ""));
            }
            None => self.back_to_queue(io, id),
        }
    }

    fn free_slot(&self) -> Option<u16> {
        let taken = self.table.iter().filter_map(|(_, call)| call.parked);
        let mut taken: Vec<u16> = taken.map(|parked| parked.slot).collect();
        taken.sort_unstable();
        let gap = taken.iter().zip(1..).find(|(slot, free)| **slot != *free).map(|(_, free)| free);
        let next = gap.unwrap_or(taken.len() as u16 + 1);
        (usize::from(next) <= PARKED_MAX).then_some(next)
    }
}
