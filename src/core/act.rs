//! Carries what people do through the admin socket to the layer that it concerns, answers whether
//! it was done, or why not, and tells who did what to whom.

use super::fact::Audit;
use super::{MissedAct, Out, Switch, Verb, What};
use crate::acd::{Door, Effect, Fact, Hand, Standing, Ways, When, Wish};
use crate::base::{AgentId, CallId, Now, QueueId};
use crate::call::codes::Code;
use crate::call::{Ask, Ears};
use serde::{Deserialize, Serialize};

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// In words.
    Said(String),
    /// A word to a group was none to this one of it, who is logged out and was left so.
    LeftOff,
}

impl Done {
    pub fn words(self) -> String {
        match self {
            Self::Said(words) => words,
            Self::LeftOff => "logged out, and left so".into(),
        }
    }
}

impl<T: Into<String>> From<T> for Done {
    fn from(words: T) -> Self {
        Self::Said(words.into())
    }
}

impl Switch {
    /// What somebody does: done, or why not. Either way it is on the books.
    pub(super) fn act(
        &mut self,
        now: Now,
        by: String,
        verb: Verb,
        out: &mut Out,
    ) -> Result<Done, String> {
        if let Verb::Explain { call } = &verb {
            return self.explain(now, call).map(Done::Said);
        }
        let verb = verb.signed(&by);
        let (what, on) = verb.told();
        let result = match &verb {
            Verb::SetMember { agent, .. } if self.is_off(agent) => Ok(Done::LeftOff),
            _ => self.carry_out(now, &by, verb, out).map(Done::Said),
        };
        let refused = match &result {
            Ok(Done::Said(_)) => String::new(),
            Ok(Done::LeftOff) => "logged out".into(),
            Err(why) => why.clone(),
        };
        let audit = Audit { by, verb: what.into(), on, refused };
        self.fact(now, What::Audit(Box::new(audit)), out);
        result
    }

    fn is_off(&self, agent: &str) -> bool {
        self.agent(agent).is_ok_and(|id| !self.state.desk.is_logged_in(id))
    }

    fn carry_out(
        &mut self,
        now: Now,
        asker: &str,
        verb: Verb,
        out: &mut Out,
    ) -> Result<String, String> {
        match verb {
            Verb::SetAgent { agent, state, reason } | Verb::SetMember { agent, state, reason } => {
                self.set_agent(now, &agent, &state, reason, out)
            }
            Verb::Block { number, reason, span, by } => {
                self.block(now, (&number, &reason, &by), span, out)
            }
            Verb::Unblock { number, reason, by } => self.unblock(now, (&number, &reason, &by), out),
            Verb::Hangup { call } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.hang_up(io, id));
                Ok(format!("{call}: hung up"))
            }
            Verb::Record { call, on } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.pause_recording(io, id, on))?;
                Ok(format!("{call}: {} from now on", if on { "recorded" } else { "not recorded" }))
            }
            Verb::OpenRecording { .. } | Verb::Noted { .. } => Ok(String::new()),
            Verb::Explain { call } => self.explain(now, &call),
            Verb::Transfer { call, to, way } => {
                let id = self.call(&call)?;
                let ask = Ask { to: &to, way, by: None, reports: false };
                self.calls(now, |calls, io| calls.transfer(io, id, ask))?;
                Ok(format!("{call}: on its way to {to}"))
            }
            Verb::Pick { call, agent } => {
                let id = self.call(&call)?;
                self.agent(&agent)?;
                self.calls(now, |calls, io| calls.pick(io, id, &agent))?;
                Ok(format!("{call}: on its way to {agent}"))
            }
            Verb::Park { call } => {
                let id = self.call(&call)?;
                let slot = self.calls(now, |calls, io| calls.park(io, id))?;
                Ok(format!("{call}: parked in {slot}"))
            }
            Verb::Return { call } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.return_call(io, id))?;
                Ok(format!("{call}: waits again"))
            }
            Verb::Hold { call, hold } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.hold(io, id, hold))?;
                Ok(format!("{call}: {}", if hold { "on hold" } else { "talks again" }))
            }
            Verb::Watch { call, phone, ears } => self.watch(now, &call, &phone, ears),
            Verb::ChooseDistrict { call, district } => self.choose_district(now, &call, &district),
            Verb::Missed { number, act } => self.act_on_missed(now, (&number, asker), act),
            Verb::SetQueue { queue, to } => self.set_queue(now, &queue, &to, out),
            Verb::PutMessage { queue, message, minutes } => {
                self.put_message(now, (queue, message), minutes, out)
            }
            Verb::Hush { queue } => self.hush(now, &queue, out),
            Verb::Lend { queue, agent, lent } => {
                let (id, who) = (self.queue(&queue)?, self.agent(&agent)?);
                let hand = if lent { Hand::Lend(who) } else { Hand::TakeAway(who) };
                self.lay_hand(now, id, hand, out);
                let does = if lent { "serves it" } else { "does not serve it" };
                Ok(format!("{queue}: {agent} {does} until the end of their shift"))
            }
        }
    }

    fn choose_district(&mut self, now: Now, call: &str, district: &str) -> Result<String, String> {
        let id = self.call(call)?;
        if self.settings.call.district(district).is_none() {
            return Err(format!("no district \"{district}\" in the configuration"));
        }
        self.calls(now, |calls, io| calls.choose_district(io, id, district));
        Ok(format!("{call}: {district}"))
    }

    /// A supervisor wants to hear a call; until they are out of it they are kept from callers.
    fn watch(&mut self, now: Now, call: &str, phone: &str, ears: Ears) -> Result<String, String> {
        let id = self.call(call)?;
        let known = self.settings.call.extension(phone).map_or(phone, |phone| phone.user.as_str());
        let desk = &self.state.desk;
        let seated = || self.state.calls.seats.agent_at(known).and_then(|name| desk.agent_id(name));
        let agent = desk.agent_id(known).or_else(seated);
        let agent = agent.ok_or_else(|| format!("nobody sits at a phone \"{phone}\""))?;
        let watches = self.state.calls.get(id).is_some_and(|call| call.watcher(agent).is_some());
        match desk.standing(agent) {
            Standing::Off | Standing::Free | Standing::WrapUp => {}
            Standing::InCall if watches => {}
            Standing::Offered | Standing::InCall => {
                return Err(format!("{phone} has a call in hand"));
            }
        }
        let (phones, _) = self.phones_of(agent);
        self.calls(now, |calls, io| calls.watch(io, id, (agent, ears), phones))?;
        if !watches {
            self.will_reconcile(now);
            self.desk(now, |desk, cx, out| desk.occupy(cx, agent, id, out));
        }
        Ok(match watches {
            true => format!("{call}: {} from now on", ears.name()),
            false => format!("{call}: {} as soon as {phone} answers", ears.name()),
        })
    }

    /// The same by a key on the supervisor's own phone, which asks nobody: it is on the books too.
    pub(super) fn ears_keyed(
        &mut self,
        now: Now,
        (call, agent): (CallId, AgentId),
        (from, to): (Ears, Ears),
        refused: String,
        out: &mut Out,
    ) {
        let how = format!("from {}", from.name());
        self.by_key(now, (call, agent), (verb_of(to), &how), refused, out);
    }

    /// And what an agent keys in while they talk: who asked whom, joined, parked or sent whom on.
    pub(super) fn code_keyed(
        &mut self,
        now: Now,
        who: (CallId, AgentId),
        code: &Code,
        refused: String,
        out: &mut Out,
    ) {
        let how = [code.act.name(), &code.rest].join(" ");
        self.by_key(now, who, (code.act.verb(), how.trim_end()), refused, out);
    }

    fn by_key(
        &mut self,
        now: Now,
        (call, agent): (CallId, AgentId),
        (verb, how): (&str, &str),
        refused: String,
        out: &mut Out,
    ) {
        let by = self.state.desk.agent_name(agent).unwrap_or_default().to_string();
        let name = self.state.calls.get(call).map_or(String::new(), |call| call.name.clone());
        let on = format!("{name} {by} by key, {how}");
        let audit = Audit { by, verb: verb.into(), on, refused };
        self.fact(now, What::Audit(Box::new(audit)), out);
    }

    fn set_agent(
        &mut self,
        now: Now,
        agent: &str,
        state: &str,
        reason: String,
        out: &mut Out,
    ) -> Result<String, String> {
        let id = self.agent(agent)?;
        if state == "category" {
            self.categorise(now, id, &reason, out)?;
            return Ok(format!("{agent}: {reason}"));
        }
        if state == "login" {
            return self.log_in_by_hand(now, (id, agent), &reason);
        }
        let (wish, forced) = match state {
            "ready" => (Wish::Ready, false),
            "pause" => (Wish::Pause { reason }, false),
            "logout" => (Wish::LogOut, false),
            "force-logout" => (Wish::LogOut, true),
            "end-wrap-up" => (Wish::EndWrapUp, false),
            _ => {
                return Err(format!(
                    "\"{state}\" is no state: say login, ready, pause, logout, force-logout, \
                     end-wrap-up or category"
                ));
            }
        };
        let mut done = Ok(());
        self.desk(now, |desk, cx, out| done = desk.wish(cx, id, wish, out));
        if forced {
            // Where there is no wrap-up, there is nothing to cut short.
            self.desk(now, |desk, cx, out| desk.wish(cx, id, Wish::EndWrapUp, out)).ok();
        }
        self.tidy_seats(now);
        done.map(|()| format!("{agent}: {state}")).map_err(|why| why.to_string())
    }

    fn set_queue(
        &mut self,
        now: Now,
        queue: &str,
        to: &str,
        out: &mut Out,
    ) -> Result<String, String> {
        let id = self.queue(queue)?;
        let (word, rest) = to.split_once(' ').unwrap_or((to, ""));
        let hand = match (word, rest) {
            ("open", "") => Hand::Door(Door::Open),
            ("close", "") => Hand::Door(match self.has_way_onward(queue) {
                true => Door::Onward,
                false => Door::Shut,
            }),
            ("overflow", "on") => Hand::Ways(Ways::Open),
            ("overflow", "off") => Hand::Ways(Ways::Shut),
            ("overflow", "auto") => Hand::Ways(Ways::Configured),
            ("weight", weight) => match weight.parse() {
                Ok(weight @ 0..=1_000) => Hand::Weight(weight),
                Ok(_) | Err(_) => return Err("a weight is a number from 0 to 1000".into()),
            },
            _ => {
                return Err(format!(
                    "\"{to}\" is nothing that a queue can be: say open, close, overflow \
                     on|off|auto, or weight N"
                ));
            }
        };
        if hand == Hand::Ways(Ways::Open) && !self.has_ways_out(queue) {
            return Err(format!("{queue} has no [[queue.overflow]] that could be opened"));
        }
        self.lay_hand(now, id, hand, out);
        Ok(match hand {
            Hand::Door(Door::Onward) => {
                format!("{queue}: closed; callers take its way out, and so does who waits")
            }
            Hand::Door(Door::Shut) => {
                format!("{queue}: closed; new callers are turned away, who waits is served")
            }
            Hand::Door(Door::Open)
            | Hand::Weight(_)
            | Hand::Configured
            | Hand::Lend(_)
            | Hand::TakeAway(_)
            | Hand::Ways(_) => format!("{queue}: {to}"),
        })
    }

    fn lay_hand(&mut self, now: Now, queue: QueueId, hand: Hand, out: &mut Out) {
        if let Hand::Ways(ways) = hand {
            self.state.relief.say(queue, ways);
            self.work
                .push_back(super::carry::Work::Desk(Effect::Fact(Fact::Handled { queue, hand })));
        } else {
            self.desk(now, |desk, cx, out| desk.lay_hand(cx, queue, hand, out));
        }
        self.settle(now, out);
        self.relieve_everybody(now, out);
    }

    /// Whether there is a way out for callers of a queue without staff.
    fn has_way_onward(&self, queue: &str) -> bool {
        let out = self.settings.overflows.iter().find(|out| out.queue == queue);
        out.is_some_and(|out| out.ways.iter().any(|way| way.when == When::Unstaffed))
    }

    fn has_ways_out(&self, queue: &str) -> bool {
        self.settings.overflows.iter().any(|out| out.queue == queue && !out.ways.is_empty())
    }

    pub(super) fn agent(&self, name: &str) -> Result<AgentId, String> {
        let id = self.state.desk.agent_id(name);
        id.ok_or_else(|| format!("no agent \"{name}\": see `pukar agents`"))
    }

    pub(super) fn call(&self, name: &str) -> Result<CallId, String> {
        let id = self.state.calls.named(name);
        id.ok_or_else(|| format!("no live call {name}: see `pukar calls`"))
    }

    pub(super) fn queue(&self, name: &str) -> Result<QueueId, String> {
        let id = self.state.desk.queue_id(name);
        id.ok_or_else(|| format!("no queue \"{name}\": see `pukar queues`"))
    }
}

impl Verb {
    /// Whoever claims, closes or blocks, and names nobody, does it in their own name.
    fn signed(mut self, who: &str) -> Self {
        if let Self::Missed {
            act:
                MissedAct::Claim { by }
                | MissedAct::Call { by }
                | MissedAct::Release { by, .. }
                | MissedAct::Close { by },
            ..
        }
        | Self::Block { by, .. }
        | Self::Unblock { by, .. } = &mut self
            && by.is_empty()
        {
            *by = who.into();
        }
        self
    }

    /// Its name on the admin socket, and what it was done to.
    fn told(&self) -> (&'static str, String) {
        match self {
            Self::SetAgent { agent, state, reason } | Self::SetMember { agent, state, reason } => {
                ("agents.set", format!("{agent} {state} {reason}").trim_end().into())
            }
            Self::Block { number, reason, .. } => ("blocks.add", format!("{number} {reason}")),
            Self::Unblock { number, reason, .. } => {
                ("blocks.remove", format!("{number} {reason}").trim_end().into())
            }
            Self::Hangup { call } => ("calls.hangup", call.clone()),
            Self::Record { call, on: true } => ("calls.record", call.clone()),
            Self::Record { call, on: false } => ("calls.private", call.clone()),
            Self::OpenRecording { call } => ("recordings.open", call.clone()),
            Self::Transfer { call, to, way } => {
                ("calls.transfer", format!("{call} {to} {}", way.name()))
            }
            Self::Pick { call, agent } => ("calls.pick", format!("{call} {agent}")),
            Self::Park { call } => ("calls.park", call.clone()),
            Self::Return { call } => ("calls.return", call.clone()),
            Self::Hold { call, hold: true } => ("calls.hold", call.clone()),
            Self::Hold { call, hold: false } => ("calls.resume", call.clone()),
            Self::Watch { call, phone, ears } => (verb_of(*ears), format!("{call} {phone}")),
            Self::ChooseDistrict { call, district } => {
                ("calls.district", format!("{call} {district}"))
            }
            Self::Missed { number, act: MissedAct::Claim { by } } => {
                ("missed.claim", format!("{number} {by}"))
            }
            Self::Missed { number, act: MissedAct::Call { by } } => {
                ("missed.call", format!("{number} {by}").trim_end().into())
            }
            Self::Missed { number, act: MissedAct::Release { by, .. } } => {
                ("missed.release", format!("{number} {by}"))
            }
            Self::Missed { number, act: MissedAct::Close { by } } => {
                ("missed.close", format!("{number} {by}"))
            }
            Self::PutMessage { queue, message, minutes } => {
                ("queues.say", format!("{queue} {message} {minutes}"))
            }
            Self::Hush { queue } => ("queues.hush", queue.clone()),
            Self::SetQueue { queue, to } => ("queues.set", format!("{queue} {to}")),
            Self::Lend { queue, agent, lent: true } => ("queues.add", format!("{queue} {agent}")),
            Self::Lend { queue, agent, lent: false } => {
                ("queues.remove", format!("{queue} {agent}"))
            }
            Self::Explain { call } => ("calls.why", call.clone()),
            Self::Noted { verb, on } => (verb.name(), on.clone()),
        }
    }
}

fn verb_of(ears: Ears) -> &'static str {
    match ears {
        Ears::Listen => "calls.listen",
        Ears::Whisper => "calls.whisper",
        Ears::Barge => "calls.barge",
        Ears::Take => "calls.take",
    }
}

impl super::event::Noted {
    pub fn name(self) -> &'static str {
        match self {
            Self::Seen => "numbers.seen",
            Self::Exported => "records.exported",
            Self::Reloaded => "config.reload",
            Self::Upgraded => "switch.upgrade",
            Self::Refused => "refused",
        }
    }
}
