//! What can be done with a call that somebody has in hand: sent to another, asked about, held,
//! joined, given back to the queue. Each is done, or a sentence says why not.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::handover::{Handover, Way};
use super::hearing::start_music;
use super::target::Destination;
use super::{Effect, Fact, Goal};
use crate::base::limits::ROOM_MAX;
use crate::base::{AgentId, CallId, LegId, QueueId, Timer};
use crate::media::control::Music;
use crate::sip::{Act, Cause};
use std::collections::BTreeSet;

/// What is asked for.
pub struct Ask<'a> {
    pub to: &'a str,
    pub way: Way,
    /// The leg of whoever asks; `None`: a supervisor's hand.
    pub by: Option<LegId>,
    /// They wait to be told how it goes (RFC 3515).
    pub reports: bool,
}

impl Calls {
    pub fn transfer(&mut self, io: &mut Io, id: CallId, ask: Ask) -> Result<(), String> {
        self.turn_round(io, id)?;
        let call = self.table.get(id).ok_or("the call is over")?;
        if call.is_lent() {
            return Err(
                "the caller waits at another switch too, until the queue has an agent for them"
                    .into(),
            );
        }
        if !call.is_caller_up() {
            return Err("the caller is not in the call any more".into());
        }
        if call.goal == Goal::Goodbye {
            return Err("the caller is being told goodbye".into());
        }
        if let Some(over) = &call.handover {
            return Err(format!("the call is on its way to {} already", over.to));
        }
        let by = match ask.way {
            Way::Consult if call.talk.len() > 2 => {
                return Err("several talk with the caller".into());
            }
            Way::Consult => Some(ask.by.or(call.only_partner()).ok_or(NOBODY_TALKS)?),
            Way::Join if call.talk.len() < 2 => return Err(NOBODY_TALKS.into()),
            Way::Join if call.talk.len() + call.watchers.len() >= ROOM_MAX => {
                return Err("the room is full".into());
            }
            Way::Join | Way::Blind | Way::Recall => ask.by,
        };
        let agent = by.or(call.only_partner()).and_then(|leg| call.agent_of(leg));
        let destination = self.destination(io, call, ask.to, (ask.way, agent))?;
        if let Destination::Queue(queue) = destination
            && let Some(why) = turned_away(io, call, queue)
        {
            return Err(format!("{} takes nobody just now: {why}", ask.to));
        }
        // Where nobody answers there, the caller has to be somewhere.
        let homeless = call.queue().is_none() && agent.is_none() && call.parked.is_none();
        if ask.way == Way::Blind && homeless && matches!(destination, Destination::Tries(_)) {
            return Err("the call has no queue and no agent to come back to: name a queue".into());
        }
        io.fact(Fact::Transferring { call: id, by: agent, to: ask.to.into(), way: ask.way });
        match ask.way {
            Way::Consult => self.set_talk(io, id, by.into_iter().collect()),
            Way::Join => {}
            Way::Blind | Way::Recall => self.leave_alone(io, id, by.filter(|_| ask.reports)),
        }
        match destination {
            Destination::Queue(queue) => self.send_to_queue(io, id, queue, (agent, ask)),
            Destination::Tries(next) => {
                let Some(call) = self.table.get_mut(id) else { return Ok(()) };
                let by = match ask.way {
                    Way::Blind | Way::Recall => by.filter(|_| ask.reports),
                    Way::Consult | Way::Join => by,
                };
                let over = Handover::new(ask.to.into(), ask.way, next);
                let since = io.cx.now.instant;
                let tone = io.settings.signals.ring.map(|tune| Music { tune, since });
                let over = Handover { by, agent, reports: ask.reports, tone, ..over };
                call.handover = Some(Box::new(over));
                start_music(io, call);
                self.try_next(io, id, (480, ""));
            }
        }
        Ok(())
    }

    /// The caller goes to this queue, by an agent who waits to be told.
    pub(super) fn send_to(
        &mut self,
        io: &mut Io,
        id: CallId,
        by: LegId,
        (queue, to): (QueueId, &str),
    ) {
        let ask = Ask { to, way: Way::Blind, by: Some(by), reports: true };
        let agent = self.table.get(id).and_then(|call| call.agent_of(by));
        io.fact(Fact::Transferring { call: id, by: agent, to: to.into(), way: ask.way });
        self.leave_alone(io, id, Some(by));
        self.send_to_queue(io, id, queue, (agent, ask));
    }

    fn send_to_queue(
        &mut self,
        io: &mut Io,
        id: CallId,
        queue: QueueId,
        (agent, ask): (Option<AgentId>, Ask),
    ) {
        io.fact(Fact::Transferred { call: id, by: agent, to: ask.to.into() });
        if let Some(by) = ask.by.filter(|_| ask.reports) {
            let leg = self.table.get(id).and_then(|call| call.leg(by));
            io.out.extend(leg.map(|leg| leg.act(Act::Report { status: 200 })));
            self.dismiss(io, id, by, normal());
        }
        if let Some(call) = self.table.get_mut(id) {
            call.goal = Goal::Served { queue };
            // From here on they may be sent anywhere again.
            call.been = BTreeSet::from([queue]);
        }
        self.back_to_queue(io, id);
    }

    /// Everybody but the caller goes; `but` stays apart, to hear how it goes.
    pub(super) fn leave_alone(&mut self, io: &mut Io, id: CallId, but: Option<LegId>) {
        self.slot_is_told(io, id);
        let Some(call) = self.table.get_mut(id) else { return };
        let partners: Vec<LegId> = call.partners().map(|leg| leg.id).collect();
        call.parked = None;
        io.cx.timers.cancel(Timer::Parked(id));
        let was = call.goal.clone();
        if call.found.is_none() {
            call.leave_desk();
        }
        match was {
            Goal::Queue(_) if call.found.is_none() => {
                io.out.push(Effect::Leave { call: id, hung_up: false });
            }
            Goal::Menu { .. } => io.cx.timers.cancel(Timer::Menu(id)),
            Goal::Queue(_)
            | Goal::Served { .. }
            | Goal::Later { .. }
            | Goal::Goodbye
            | Goal::Dial(_)
            | Goal::Placed
            | Goal::Codes => {}
        }
        if call.rings_centre() {
            self.stop_centre(io, id, normal());
        }
        self.set_talk(io, id, Vec::new());
        for leg in partners.iter().filter(|leg| Some(**leg) != but) {
            self.dismiss(io, id, *leg, normal());
        }
        if !partners.is_empty() {
            io.fact(Fact::Alone { call: id });
        }
    }

    /// Gives the caller back to the queue, at the place of the arrival.
    pub fn return_call(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        let call = self.table.get(id).ok_or("the call is over")?;
        if !call.is_caller_up() {
            return Err("the caller is not in the call any more".into());
        }
        if call.queue().is_none() {
            return Err("the call has no queue to go back to".into());
        }
        if !call.is_served() {
            return Err("the caller waits already".into());
        }
        self.call_off(io, id);
        self.leave_alone(io, id, None);
        self.back_to_queue(io, id);
        Ok(())
    }

    /// A handover is called off: whoever rings stops, whoever was asked first goes.
    pub(super) fn call_off(&mut self, io: &mut Io, id: CallId) {
        // That nobody wants it to ring any longer is no failure of a number.
        if let Some(call) = self.table.get_mut(id) {
            call.rung = None;
        }
        self.stop_ringing(io, id, None);
        let over = self.table.get_mut(id).and_then(|call| call.handover.take());
        let Some(over) = over else { return };
        let (to, why) = (over.to, "called off".into());
        io.fact(Fact::NotTransferred { call: id, to, why });
        let apart = over.by.filter(|by| self.table.get(id).is_some_and(|c| !c.is_talking(*by)));
        for leg in over.consulted.into_iter().chain(apart) {
            let talk = self.table.get(id).map(|call| call.talk_without(leg));
            self.set_talk(io, id, talk.unwrap_or_default());
            self.dismiss(io, id, leg, normal());
        }
    }

    /// Whoever asks first goes back to the caller, and whoever was asked goes.
    pub fn back_to_caller(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        let call = self.table.get(id).ok_or("the call is over")?;
        let over = call.handover.as_deref().filter(|over| over.way == Way::Consult);
        let by = over.and_then(|over| over.by).ok_or("nobody is being asked about the call")?;
        let caller = call.caller.id;
        self.call_off(io, id);
        if self.table.get(id).is_some_and(Call::is_caller_up) {
            self.set_talk(io, id, vec![caller, by]);
        }
        Ok(())
    }

    /// Caller, whoever has the call and whoever was asked hear one another.
    pub fn join_all(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        let call = self.table.get_mut(id).ok_or("the call is over")?;
        let over = call.handover.as_deref();
        let both = over.and_then(|over| Some((over.by?, over.consulted?)));
        let (by, asked) = both.ok_or("nobody else has answered yet")?;
        if !call.is_caller_up() {
            return Err("the caller is not in the call any more".into());
        }
        call.handover = None;
        let talk = vec![call.caller.id, by, asked];
        self.come_together(io, id, talk, asked);
        Ok(())
    }

    /// The caller hears music, or the conversation again.
    pub fn hold(&mut self, io: &mut Io, id: CallId, hold: bool) -> Result<(), String> {
        self.turn_round(io, id)?;
        let call = self.table.get(id).ok_or("the call is over")?;
        let caller = call.caller.id;
        if call.handover.is_some() || !call.is_caller_up() {
            return Err("the call is on its way to somebody else".into());
        }
        let talk = match (hold, &call.talk[..]) {
            (true, [_, _]) if call.is_talking(caller) => call.talk_without(caller),
            (false, &[alone]) if alone != caller => vec![caller, alone],
            (true, _) => return Err("the caller talks with nobody, or with several".into()),
            (false, _) => return Err("the caller is not on hold".into()),
        };
        self.set_talk(io, id, talk);
        Ok(())
    }

    /// This agent, by name, takes a call that waits or is parked.
    pub fn pick(&mut self, io: &mut Io, id: CallId, agent: &str) -> Result<(), String> {
        let call = self.table.get(id).ok_or("the call is over")?;
        if !call.talk.is_empty() {
            return Err("somebody talks with the caller".into());
        }
        let to = format!("agent:{agent}");
        self.transfer(io, id, Ask { to: &to, way: Way::Blind, by: None, reports: false })
    }
}

/// Why this queue would not take the caller, who keeps the place that they have. Whoever was talked
/// with is taken anywhere, as is an emergency.
fn turned_away(io: &Io, call: &Call, queue: QueueId) -> Option<&'static str> {
    let sure = call.emergency || call.was_connected || call.queue() == Some(queue);
    io.people.turns_away(queue).filter(|_| !sure)
}

const NOBODY_TALKS: &str = "nobody talks with the caller";

pub(super) fn normal() -> Cause {
    Cause { q850: Some(16), ..Cause::default() }
}

impl Call {
    /// The one who talks with the caller, or who has put them on hold.
    pub(super) fn only_partner(&self) -> Option<LegId> {
        let mut partners = self.partners();
        let only = partners.next()?.id;
        partners.next().is_none().then_some(only)
    }

    pub(super) fn agent_of(&self, leg: LegId) -> Option<AgentId> {
        self.leg(leg)?.agent()
    }

    pub(super) fn talk_without(&self, leg: LegId) -> Vec<LegId> {
        self.talk.iter().copied().filter(|other| *other != leg).collect()
    }
}
