//! Carries each effect of a layer to the layer that it concerns, or out.

use super::ledger::Names;
use super::{Command, Out, Switch, What};
use crate::acd::{self, Desk, Join, Miss, Withdrawn};
use crate::base::{AgentId, CallId, Id, Instant, Now, QueueId, TrunkId};
use crate::call::{self, codes::Code};
use crate::sip::{self, Notice, Target};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Something that one layer has asked for.
#[derive(Debug)]
pub(super) enum Work {
    Sip(sip::Effect),
    Desk(acd::Effect),
    Call(call::Effect),
}

impl Switch {
    /// Carries until nothing is left.
    pub(super) fn settle(&mut self, now: Now, out: &mut Out) {
        while let Some(work) = self.next_work(now) {
            self.carry(now, work, out);
        }
        out.commands.extend(self.spare.rows.drain(..).map(|row| Command::Store(Box::new(row))));
    }

    /// When all else is done, whoever is lent and left alone is given back.
    fn next_work(&mut self, now: Now) -> Option<Work> {
        if self.work.is_empty() {
            self.give_back_lent(now);
        }
        self.work.pop_front()
    }

    fn carry(&mut self, now: Now, work: Work, out: &mut Out) {
        match work {
            Work::Sip(effect) => self.carry_sip(now, effect, out),
            Work::Desk(effect) => self.carry_desk(now, effect, out),
            Work::Call(effect) => self.carry_call(now, effect, out),
        }
    }

    fn carry_sip(&mut self, now: Now, effect: sip::Effect, out: &mut Out) {
        match effect {
            sip::Effect::Send { hop, bytes } => out.commands.push(Command::Send { hop, bytes }),
            sip::Effect::Close { flow } => out.commands.push(Command::Close { flow }),
            sip::Effect::Keep { flow } => out.commands.push(Command::Keep { flow }),
            sip::Effect::Ask { query, name, kind } => {
                out.commands.push(Command::Ask { query, name, kind });
            }
            sip::Effect::Notice(notice) => self.carry_notice(now, notice, out),
        }
    }

    fn carry_notice(&mut self, now: Now, notice: Notice, out: &mut Out) {
        match notice {
            Notice::Bound { user, contacts, why } => {
                // Whoever sits there is reached there, the phone's owner or a guest.
                let seated = self.state.calls.seats.agent_at(&user).map(str::to_string);
                if let Some(name) = seated
                    && let Some(agent) = self.state.desk.agent_id(&name)
                {
                    let reachable = self.is_bound(&name);
                    self.desk(now, |desk, cx, out| desk.reachable(cx, agent, reachable, out));
                    self.look_for(now, &name, out);
                }
                let contacts = contacts.into_iter().map(|contact| contact.uri).collect();
                let why = format!("{why:?}").to_lowercase();
                self.fact(now, What::Phone { user, contacts, why }, out);
            }
            Notice::PhoneBack { user, proven } => self.phone_back(now, user, proven, out),
            Notice::PhoneGone { user } => self.phone_gone(now, user, out),
            Notice::TrunkUp { trunk, up } => {
                self.fact(now, What::Trunk { trunk, up }, out);
                self.calls(now, |calls, io| calls.trunk(io, trunk, up));
            }
            Notice::Locked { user, peer } => self.fact(now, What::Locked { user, peer }, out),
            Notice::Referred { leg, refer } => {
                // Which leg is meant only the SIP layer can tell.
                let meant = refer.replaces.as_ref().map(|dialog| self.state.sip.meant(dialog));
                self.calls(now, |calls, io| calls.referred(io, leg, *refer, meant));
            }
            Notice::Invited { .. }
            | Notice::Progress { .. }
            | Notice::Answered { .. }
            | Notice::Refused { .. }
            | Notice::Stopped { .. }
            | Notice::Unheard { .. }
            | Notice::LeftEarly { .. }
            | Notice::Confirmed { .. }
            | Notice::Offered { .. }
            | Notice::OfferAnswered { .. }
            | Notice::OfferRefused { .. }
            | Notice::Key { .. }
            | Notice::Ended { .. } => {
                let from = notice.leg().and_then(|leg| self.state.sip.heard_from(leg));
                self.calls(now, |calls, io| calls.notice(io, notice, from));
            }
        }
    }

    fn carry_desk(&mut self, now: Now, effect: acd::Effect, out: &mut Out) {
        match effect {
            acd::Effect::Offer { call, agent } => {
                self.will_reconcile(now);
                let (phones, known) = self.phones_of(agent);
                let before = self.work.len();
                self.calls(now, |calls, io| calls.offer(io, call, agent, known, phones));
                // They ring before the desk's next word about them is carried: it may be to stop.
                for work in self.work.split_off(before) {
                    self.carry(now, work, out);
                }
            }
            acd::Effect::Withdraw { call, agent, why } => {
                let why = match why {
                    Withdrawn::RingTimeout => call::Stop::RangOut,
                    Withdrawn::AnsweredElsewhere => call::Stop::AnsweredElsewhere,
                    Withdrawn::CallerGone | Withdrawn::AgentGone => call::Stop::Gone,
                };
                self.calls(now, |calls, io| calls.withdraw(io, call, agent, why));
            }
            acd::Effect::Unclaimed { call, agent } => self.calls(now, |calls, io| {
                calls.unclaimed(io, call, Some(agent), "not to be had any more");
                calls.hush(io, agent);
            }),
            acd::Effect::TurnedAway { call, why: acd::Away::NoQueue, .. }
                if self.rehouse(now, call, out) => {}
            acd::Effect::TurnedAway { call, queue, why, instead } => {
                self.turned_away(now, (call, queue), (why, instead), out);
            }
            acd::Effect::Fact(fact) => self.fact(now, What::Desk(fact), out),
        }
    }

    fn carry_call(&mut self, now: Now, effect: call::Effect, out: &mut Out) {
        match effect {
            call::Effect::Act { leg, act } => {
                self.sip(now, |ua, cx, out| ua.act(cx, leg, act, out))
            }
            call::Effect::Dial { call, role, side, dial } => {
                let leg = self.sip(now, |ua, cx, out| ua.invite(cx, *dial, out));
                self.calls(now, |calls, io| calls.placed(io, call, role, *side, leg));
            }
            call::Effect::Tape(tape) => out.commands.push(Command::Tape(tape)),
            call::Effect::Media(command) => out.commands.push(Command::Media(command)),
            call::Effect::Join { call, queue, arrived } => {
                self.join(now, call, queue, arrived);
                self.relieve(now, call, out);
            }
            call::Effect::Emergency { call } => self.amend(now, call),
            call::Effect::WantsBack { call } => self.wants_back(now, call),
            call::Effect::Reached { call } | call::Effect::BackOver { call } => {
                self.back_is_over(now, call);
            }
            call::Effect::NotReached { call, agent } => self.not_reached(now, call, agent),
            call::Effect::Spared { call, agent } => self.spared(now, call, agent),
            call::Effect::TalkedWith { number, line } => self.talked_with(now, &number, line),
            call::Effect::CutOff { origin } => self.cut_off(now, &origin),
            call::Effect::Abandoned { origin } => self.abandoned(now, *origin),
            call::Effect::Leave { call, hung_up } => self.left(now, call, hung_up),
            call::Effect::Claim { call, agent, queue } => {
                let claimed = self.desk(now, |desk, cx, out| {
                    desk.claim(cx, call, agent, queue, out).map(|()| agent)
                });
                self.claimed(now, call, claimed);
            }
            call::Effect::ClaimAny { call, queue } => self.claim_any(now, call, queue),
            call::Effect::Seize { call, agent, queue, leg, place, body } => {
                let seized = self.seize(now, (call, agent), queue);
                self.calls(now, |calls, io| match seized {
                    Ok(()) => calls.seized(io, (call, agent), (leg, place), body),
                    Err(why) => calls.not_seized(io, call, leg, why.to_string()),
                });
            }
            call::Effect::CarryOver { from, to, agent, queue, wrap_up, answered } => {
                let (calls, notes) = ((from, to), (queue, wrap_up));
                self.carry_over(now, calls, agent, notes, answered);
            }
            call::Effect::Answered { call, agent } => self.answered(now, call, agent),
            call::Effect::Missed { call, agent, why } => self.missed(now, call, (agent, why), out),
            call::Effect::Released { call, agent } => self.released(now, call, agent),
            call::Effect::Quiet { agent } => self.quiet(now, agent),
            call::Effect::Begin(begun) => self.begin(now, *begun, out),
            call::Effect::Keyed { call, phone, act, digits } => {
                let peer = self.peer_of(call);
                self.keyed(now, (call, &phone, peer), Code { act, rest: digits }, out);
            }
            call::Effect::Proves { call, agent, pin } => {
                self.proves(now, (call, &agent), &pin, out);
            }
            call::Effect::Categorised { call, agent, category } => {
                self.categorised(now, call, agent, category, out);
            }
            call::Effect::CodeKeyed { call, agent, code, refused } => {
                self.code_keyed(now, (call, agent), &code, refused, out);
            }
            call::Effect::EarsKeyed { call, agent, from, to, refused } => {
                self.ears_keyed(now, (call, agent), (from, to), refused, out);
            }
            call::Effect::OwnOver { call, agents, noted } => {
                self.own_over(now, call, agents, noted);
            }
            call::Effect::Fact(fact) => self.fact(now, What::Call(fact), out),
        }
    }

    /// This agent's phones have stopped to ring.
    fn quiet(&mut self, now: Now, agent: AgentId) {
        self.desk(now, |desk, cx, out| desk.quiet(cx, agent, out));
    }

    /// A caller waits no more: whoever hung up may come back to the place.
    fn left(&mut self, now: Now, call: CallId, hung_up: bool) {
        self.desk(now, |desk, cx, out| match hung_up {
            true => desk.leave(cx, call, out),
            false => desk.take_out(cx, call, out),
        });
        self.relieved(now, call);
    }

    /// Whoever of the queue is best for this caller, of those who are free.
    fn claim_any(&mut self, now: Now, call: CallId, queue: QueueId) {
        let join = self.state.calls.get(call).map_or_else(Join::default, join_of);
        let claimed = self.desk(now, |desk, cx, out| desk.claim_any(cx, (call, queue), join, out));
        self.claimed(now, call, claimed);
    }

    /// The agent has the call in the same breath: their phone has answered for it already.
    fn seize(
        &mut self,
        now: Now,
        (call, agent): (CallId, AgentId),
        queue: Option<QueueId>,
    ) -> Result<(), acd::Unfree> {
        self.desk(now, |desk, cx, out| {
            desk.claim(cx, call, agent, queue, out)?;
            desk.answered(cx, call, agent, out);
            Ok(())
        })?;
        self.asked_for(call, agent);
        Ok(())
    }

    /// The desk remembers by their number who talked to a caller.
    fn asked_for(&mut self, call: CallId, agent: AgentId) {
        if let Some(known) = self.state.calls.get(call) {
            self.state.desk.asked_for(call, agent, &known.number);
        }
    }

    pub(super) fn join(&mut self, now: Now, call: CallId, queue: QueueId, arrived: Instant) {
        self.join_as(now, call, (queue, arrived), false);
    }

    /// The desk knows callers who come back by their number, where it is known. `again`: the queue
    /// takes them whatever it says of others.
    pub(super) fn join_as(
        &mut self,
        now: Now,
        call: CallId,
        (queue, arrived): (QueueId, Instant),
        again: bool,
    ) {
        // Whoever was promised a call had a place in line already.
        let promised = self.take_over(now, call, queue).is_some();
        let is_promise = self.state.callbacks.knows(call);
        self.is_urgent_still(now, call, queue);
        let Some(known) = self.state.calls.get(call) else { return };
        let join = Join {
            // A call of theirs that came before may have lent them its place.
            arrived: Some(arrived.min(known.arrived)),
            keep: is_promise.then_some(self.settings.callbacks.keep),
            again: again || promised || known.was_connected || !known.been.is_empty(),
            ..join_of(known)
        };
        self.desk(now, |desk, cx, out| desk.join(cx, call, queue, join, out));
        if self.state.desk.queue_of(call) == Some(queue) {
            self.calls(now, |calls, io| calls.waits_in(io, call, queue));
            if self.state.desk.is_deserted(queue) {
                self.calls(now, |calls, io| calls.give_back(io, call));
            }
        }
        self.listen(now, call);
    }

    /// Somebody who comes back to their place, and had said that it is an emergency, need not say
    /// so again.
    fn is_urgent_still(&mut self, now: Now, call: CallId, queue: QueueId) {
        let Some(known) = self.state.calls.get(call) else { return };
        let desk = &self.state.desk;
        if desk.comes_back_urgent(now.instant, (call, queue), (&known.number, &known.line)) {
            self.calls(now, |calls, io| calls.is_urgent_still(io, call));
        }
    }

    fn carry_over(
        &mut self,
        now: Now,
        calls: (CallId, CallId),
        agent: AgentId,
        (queue, wrap_up): (Option<QueueId>, Duration),
        answered: bool,
    ) {
        self.desk(now, |desk, cx, out| match answered {
            true => desk.carry_over(cx, calls, agent, (queue, wrap_up), out),
            false => desk.carry_claim(cx, calls, agent, queue, out),
        });
        self.asked_for(calls.1, agent);
    }

    /// Somebody who was talked with may come back to their place.
    fn cut_off(&mut self, now: Now, lost: &call::Origin) {
        let left = (lost.arrived, lost.emergency);
        self.state.desk.cut_off(now.instant, &lost.number, &lost.line, left);
    }

    /// An agent's phone answered: the desk says whether the call is theirs.
    fn answered(&mut self, now: Now, call: CallId, agent: AgentId) {
        if self.desk(now, |desk, cx, out| desk.answered(cx, call, agent, out)) {
            match self.state.callbacks.begin(call) {
                true => self.calls(now, |calls, io| calls.dial_back(io, call, agent)),
                false => self.calls(now, |calls, io| calls.connect(io, call, agent)),
            }
            self.listen(now, call);
        } else {
            self.calls(now, |calls, io| calls.too_late(io, call, agent));
        }
    }

    fn released(&mut self, now: Now, call: CallId, agent: AgentId) {
        self.desk(now, |desk, cx, out| desk.released(cx, call, agent, out));
        // Their phone may have rung for it only.
        self.calls(now, |calls, io| calls.hush(io, agent));
        self.relieved(now, call);
    }

    /// No phone of the agent took the call.
    pub(super) fn missed(
        &mut self,
        now: Now,
        call: CallId,
        (agent, why): (AgentId, call::Missed),
        out: &mut Out,
    ) {
        let miss = match why {
            call::Missed::NoAnswer => Miss::NoAnswer,
            // Our own want of ports or of trunks is no fault of an agent's and must pause nobody.
            call::Missed::Declined | call::Missed::NoPort | call::Missed::NoWay => Miss::Declined,
            call::Missed::Unreachable => Miss::Unreachable,
        };
        if self.state.calls.stopping.rings_at(agent) {
            // Whoever said nothing may hear of the call yet.
            self.state.desk.stops(agent, call);
        }
        self.desk(now, |desk, cx, out| desk.missed(cx, call, agent, miss, out));
        if miss == Miss::Unreachable {
            self.fell_silent(now, agent, out);
        }
        self.relieve(now, call, out);
        self.listen(now, call);
    }

    /// The desk lets an agent ring who was asked for by name, or says why not.
    fn claimed(&mut self, now: Now, call: CallId, claimed: Result<AgentId, acd::Unfree>) {
        match claimed {
            Ok(agent) => {
                self.asked_for(call, agent);
                let (phones, known) = self.phones_of(agent);
                self.calls(now, |calls, io| {
                    calls.claimed(io, call, agent);
                    calls.offer(io, call, agent, known, phones);
                });
            }
            Err(why) => {
                let why = why.to_string();
                self.calls(now, |calls, io| calls.unclaimed(io, call, None, &why));
            }
        }
    }

    /// Where the agent's phones are: the fixed address of where they sit, or whatever has
    /// registered there. And which of the settings' phones is the agent's own.
    pub(super) fn phones_of(&self, agent: AgentId) -> (Vec<Target>, Option<usize>) {
        let Some(name) = self.state.desk.agent_name(agent) else { return (Vec::new(), None) };
        let own = self.phones.get(name).copied();
        let Some(phone) = self.state.calls.seats.phone_of(name) else { return (Vec::new(), own) };
        let known = self.phones.get(phone).and_then(|at| self.settings.call.phones.get(*at));
        let targets = match known.and_then(|phone| phone.contact.clone()) {
            Some(uri) => vec![Target::Uri(uri)],
            None => self.state.sip.contacts(phone).into_iter().map(Target::Contact).collect(),
        };
        (targets, own)
    }

    /// Where the caller's signalling comes from.
    pub(super) fn peer_of(&self, call: CallId) -> SocketAddr {
        let caller = self.state.calls.get(call).map(|call| call.caller.id);
        let from = caller.and_then(|leg| self.state.sip.heard_from(leg));
        SocketAddr::new(from.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), 0)
    }
}

/// The names of what only the core knows all of.
pub(super) struct Known<'a> {
    pub desk: &'a Desk,
    pub trunks: &'a [sip::Trunk],
}

impl Names for Known<'_> {
    fn agent(&self, agent: AgentId) -> String {
        self.desk.agent_name(agent).unwrap_or_default().to_string()
    }

    fn queue(&self, queue: QueueId) -> String {
        self.desk.queue_settings(queue).map_or(String::new(), |queue| queue.name.clone())
    }

    fn trunk(&self, trunk: TrunkId) -> String {
        let trunk = self.trunks.get(trunk.slot() as usize);
        trunk.map_or(String::new(), |trunk| trunk.name.clone())
    }
}

/// What the desk is told of a caller.
fn join_of(known: &call::Call) -> Join {
    Join {
        arrived: Some(known.arrived),
        priority: known.priority,
        emergency: known.emergency,
        languages: known.languages.clone(),
        caller: Some(known.number.clone()).filter(|number| !number.is_empty()),
        line: known.line.clone(),
        lent: known.is_lent(),
        ..Join::default()
    }
}
