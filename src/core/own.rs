//! Carries what agents do with their own phones: who is at one that calls, what they keyed in, and
//! whom the call keeps from callers.

use super::{Out, Switch, What};
use crate::acd::{AgentState, Standing, Wish};
use crate::base::{AgentId, CallId, Now};
use crate::call::codes::{self, Act, Code};
use crate::call::tries::Trial;
use crate::call::{AtPhone, Begun, Extension, Fact};
use crate::sip::Source;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a feature code did nothing; the phone only hears that it did not.
pub(super) type Denied = &'static str;

impl Switch {
    /// A phone of ours calls.
    pub(super) fn begin(&mut self, now: Now, begun: Begun, out: &mut Out) {
        if let Some(agent) = begun.home.clone() {
            return self.begin_home(now, &agent, begun);
        }
        let Source::User(phone) = begun.invited.source.clone() else { return };
        let code = crate::call::code_of(&self.settings.call, &begun.invited);
        match code {
            Some(code) if code.act.is_answered() => self.begin_code(now, &phone, begun, code, out),
            Some(_) | None => self.begin_call(now, &phone, begun),
        }
    }

    fn begin_call(&mut self, now: Now, phone: &str, begun: Begun) {
        let at = self.at_phone(phone);
        let dialled = self.settings.call.extension(&begun.invited.target.user);
        let extension =
            dialled.map(|phone| phone.user.clone()).and_then(|user| self.colleague(&user));
        let mut kept = None;
        self.calls(now, |calls, io| kept = calls.begin(io, begun, &at, extension));
        let Some((call, agents)) = kept else { return };
        self.will_reconcile(now);
        let own = self.state.calls.get(call).and_then(|call| call.own.as_deref());
        if let Some(agent) = own.and_then(|own| own.second_of) {
            self.state.desk.wait_beside(agent, call, |_| true);
        }
        for agent in agents {
            self.desk(now, |desk, cx, out| desk.occupy(cx, agent, call, out));
        }
    }

    /// Who is at a phone, as the desk knows them.
    pub(super) fn at_phone(&self, phone: &str) -> AtPhone {
        self.seated_at(phone, self.state.calls.seats.agent_at(phone))
    }

    /// Who keys in a code: at a desk whoever sits at the phone, from home whose pin it was.
    fn who_keys(&self, call: CallId, phone: &str) -> AtPhone {
        match self.state.calls.home_of(call) {
            Some((agent, _)) => self.seated_at(phone, Some(agent)),
            None => self.at_phone(phone),
        }
    }

    fn seated_at(&self, phone: &str, seated: Option<&str>) -> AtPhone {
        let agent = seated.and_then(|name| self.state.desk.agent_id(name));
        let standing = agent.map_or(Standing::Off, |agent| self.state.desk.standing(agent));
        AtPhone {
            account: seated.unwrap_or(phone).to_string(),
            agent,
            logged_in: agent.is_some_and(|agent| self.state.desk.is_logged_in(agent)),
            offered: standing == Standing::Offered,
            in_call: standing == Standing::InCall,
        }
    }

    /// The agent whose extension was dialled, wherever they sit; or whoever sits at a phone that is
    /// nobody's.
    fn colleague(&self, user: &str) -> Option<Extension> {
        let desk = &self.state.desk;
        let seated = || self.state.calls.seats.agent_at(user).and_then(|name| desk.agent_id(name));
        let agent = desk.agent_id(user).or_else(seated)?;
        let free = match desk.standing(agent) {
            Standing::Off | Standing::Free => true,
            Standing::WrapUp | Standing::Offered | Standing::InCall => false,
        };
        let (phones, own) = self.phones_of(agent);
        let own = own.and_then(|at| self.settings.call.phones.get(at));
        let waits = own.is_some_and(|phone| phone.call_waiting) && desk.may_wait_beside(agent);
        Some(Extension { agent, free, waits, phones })
    }

    fn begin_code(&mut self, now: Now, phone: &str, begun: Begun, code: Code, out: &mut Out) {
        let at = self.at_phone(phone);
        let peer = begun.invited.hop.peer;
        let Code { act, rest } = code;
        let mut answered = None;
        self.calls(now, |calls, io| answered = calls.answer_code(io, begun, &at, (phone, act)));
        let Some(call) = answered else { return };
        if act.asks() && rest.is_empty() {
            self.keep_or_next(now, at.agent, call);
            self.calls(now, |calls, io| calls.ask_keys(io, call));
            return;
        }
        self.keyed(now, (call, phone, peer), Code { act, rest }, out);
    }

    /// A code is complete.
    pub(super) fn keyed(
        &mut self,
        now: Now,
        (call, phone, peer): (CallId, &str, SocketAddr),
        code: Code,
        out: &mut Out,
    ) {
        let at = self.who_keys(call, phone);
        let act = code.act;
        let result = self.do_code(now, (call, phone, peer), &at, &code, out);
        // The tone is heard in peace: whoever is at the phone is offered nobody meanwhile.
        let ends_wrap_up = matches!(act, Act::LogIn | Act::Ready | Act::EndWrapUp | Act::Category);
        match ends_wrap_up && result.is_ok() {
            true => self.keep(now, at.agent, call),
            false => self.keep_or_next(now, at.agent, call),
        }
        let result = match (act, result) {
            (Act::LogIn | Act::Ready, Ok(agent)) => {
                self.keep(now, Some(agent), call);
                self.wish(now, agent, Wish::Ready);
                Ok(agent)
            }
            (_, result) => result,
        };
        let agent = result.ok().or(at.agent);
        let agent = agent.and_then(|agent| self.state.desk.agent_name(agent)).unwrap_or_default();
        let (agent, phone) = (agent.to_string(), phone.to_string());
        let (code, why) = (act.name().to_string(), result.err().unwrap_or_default().to_string());
        self.fact(now, What::Code { agent, phone, code, why }, out);
        self.calls(now, |calls, io| calls.signal(io, call, result.is_ok()));
    }

    /// The call of a code keeps this agent from callers until it is over.
    pub(super) fn keep(&mut self, now: Now, agent: Option<AgentId>, call: CallId) {
        let Some(agent) = agent.filter(|_| self.state.calls.get(call).is_some()) else { return };
        match self.state.desk.standing(agent) {
            Standing::Off | Standing::Free | Standing::WrapUp => {}
            Standing::Offered | Standing::InCall => return,
        }
        self.state.calls.keep(call, agent);
        self.desk(now, |desk, cx, out| desk.occupy(cx, agent, call, out));
    }

    /// The same, when notes are over that are written just now.
    fn keep_or_next(&mut self, now: Now, agent: Option<AgentId>, call: CallId) {
        match agent.filter(|agent| self.state.desk.standing(*agent) == Standing::WrapUp) {
            Some(agent) => self.keep_next(agent, call),
            None => self.keep(now, agent, call),
        }
    }

    /// When whatever this agent has in hand is over, they are in this call.
    pub(super) fn keep_next(&mut self, agent: AgentId, call: CallId) {
        if self.state.calls.get(call).is_none() {
            return;
        }
        self.state.calls.keep_next(call, agent);
        let super::State { desk, calls, .. } = &mut self.state;
        desk.wait_beside(agent, call, |beside| calls.get(beside).is_some());
    }

    fn do_code(
        &mut self,
        now: Now,
        (call, phone, peer): (CallId, &str, SocketAddr),
        at: &AtPhone,
        code: &Code,
        out: &mut Out,
    ) -> Result<AgentId, Denied> {
        let home = self.state.calls.home_of(call).map(|(_, proven)| proven);
        if home == Some(false) {
            return Err("no pin was keyed in");
        }
        if code.act == Act::LogIn {
            return match home {
                Some(_) => self.is_home(now, phone),
                None => self.log_in(now, (phone, peer), &code.rest, out),
            };
        }
        let agent = at.agent.ok_or("nobody sits at this phone")?;
        let logged_in = || at.logged_in.then_some(()).ok_or("nobody is logged in at this phone");
        let codes = &self.settings.call.codes;
        match code.act {
            Act::LogIn
            | Act::Directory
            | Act::Back
            | Act::Consult
            | Act::Join
            | Act::Blind
            | Act::ToQueue
            | Act::Park
            | Act::Private
            | Act::PickUp => return Err("it is not done so"),
            Act::LogOut => {
                logged_in()?;
                self.wish(now, agent, Wish::LogOut);
                self.tidy_seats(now);
            }
            Act::Ready => {
                // Whoever has a pin proves it; a phone of one's own is proof where there is none.
                let proven = home == Some(true);
                let open = at.logged_in || proven || self.pin_of(&at.account).is_none();
                open.then_some(()).ok_or("log in first")?;
            }
            Act::Pause => {
                logged_in()?;
                let reason = codes::chosen(&codes.reasons, &code.rest).ok_or("no such reason")?;
                let reason = reason.name.clone();
                self.wish(now, agent, Wish::Pause { reason });
            }
            Act::EndWrapUp => match self.state.desk.standing(agent) {
                // The call of the code ends it.
                Standing::WrapUp => {}
                _ => return Err("there is no wrap-up to end"),
            },
            Act::Category => {
                let category = codes::chosen(&codes.categories, &code.rest);
                let category = category.ok_or("no such category")?.name.clone();
                self.categorise(now, agent, &category, out).map_err(|_| "there is no call")?;
            }
        }
        Ok(agent)
    }

    fn log_in(
        &mut self,
        now: Now,
        (phone, peer): (&str, SocketAddr),
        keyed: &str,
        out: &mut Out,
    ) -> Result<AgentId, Denied> {
        let (id, pin) = codes::login(keyed);
        let name = match id {
            Some(id) => {
                self.settings.call.extension(id).map_or(id, |phone| &phone.user).to_string()
            }
            None => phone.to_string(),
        };
        let trial = Trial::Desk { phone, agent: &name };
        let agent = self.prove(now, (trial, peer), (&name, pin), out)?;
        self.sit_down(now, (&name, phone));
        Ok(agent)
    }

    /// Whether that is the agent's pin; tries are counted by where they come from, and for whom.
    pub(super) fn prove(
        &mut self,
        now: Now,
        (trial, peer): (Trial, SocketAddr),
        (name, pin): (&str, &str),
        out: &mut Out,
    ) -> Result<AgentId, Denied> {
        if self.state.calls.tries.is_locked(trial, now.instant) {
            return Err("too many wrong pins");
        }
        let right = self.pin_of(name).is_some_and(|own| own == pin);
        let agent = self.state.desk.agent_id(name).filter(|_| right);
        let tries = &mut self.state.calls.tries;
        let Some(agent) = agent else {
            let lock_after = self.settings.sip.lock_after;
            if tries.wrong(trial, lock_after, now.instant) {
                let user = crate::base::text::clean(name, 64);
                self.fact(now, What::Locked { user, peer }, out);
            }
            return Err("wrong pin");
        };
        tries.right(trial);
        Ok(agent)
    }

    /// One phone, one agent: whoever sat there before has gone.
    pub(super) fn sit_down(&mut self, now: Now, (name, phone): (&str, &str)) {
        let before = self.state.calls.seats.agent_at(phone).map(str::to_string);
        let moved = self.state.calls.seats.sit(name, phone);
        if let Some(before) = before.filter(|before| before != name)
            && let Some(before) = self.state.desk.agent_id(&before)
            && self.state.desk.is_logged_in(before)
        {
            self.wish(now, before, Wish::LogOut);
        }
        self.reseat(now, moved);
    }

    /// A supervisor logs somebody in; `at PHONE` seats them there, where nobody else is at work.
    pub(super) fn log_in_by_hand(
        &mut self,
        now: Now,
        (agent, name): (AgentId, &str),
        rest: &str,
    ) -> Result<String, String> {
        let phone = match rest.split_once(' ') {
            None if rest.is_empty() => None,
            Some(("at", phone)) => Some(phone.trim()),
            Some(_) | None => return Err(format!("\"{rest}\" is no phone: say login at PHONE")),
        };
        if let Some(phone) = phone {
            let known = self.settings.call.extension(phone).filter(|phone| !phone.is_home());
            let known = known.ok_or_else(|| format!("there is no desk phone \"{phone}\""))?;
            let user = known.user.clone();
            if matches!(self.state.desk.standing(agent), Standing::Offered | Standing::InCall) {
                return Err(format!("{name} has a call in hand"));
            }
            let sits = self.at_phone(&user);
            // Whoever has logged out may have a call in hand there still, or have dialled for help.
            let is_at_work = sits.logged_in || sits.offered || sits.in_call;
            if is_at_work && sits.agent != Some(agent) {
                let who = sits.agent.and_then(|agent| self.state.desk.agent_name(agent));
                return Err(format!("{} is at work at {phone}", who.unwrap_or_default()));
            }
            self.sit_down(now, (name, &user));
        }
        self.wish(now, agent, Wish::Ready);
        Ok(format!("{name}: login {rest}").trim_end().into())
    }

    pub(super) fn pin_of(&self, agent: &str) -> Option<&str> {
        let at = self.settings.acd.agents.iter().position(|own| own.id == agent)?;
        Some(self.settings.pins.get(at)?.as_ref()?.0.as_str())
    }

    fn wish(&mut self, now: Now, agent: AgentId, wish: Wish) {
        // What is wished for was looked at before: nobody has to be told that it cannot be.
        self.desk(now, |desk, cx, out| _ = desk.wish(cx, agent, wish, out));
    }

    /// What the call of this agent, in hand or wrapped up, was about.
    pub(super) fn categorise(
        &mut self,
        now: Now,
        agent: AgentId,
        category: &str,
        out: &mut Out,
    ) -> Result<(), String> {
        let known = self.settings.call.codes.category(category);
        let category = known.ok_or_else(|| self.no_category(category))?.name.clone();
        let calls = &self.state.calls;
        let is_talk = |call: CallId| calls.get(call).is_some_and(|call| !call.is_coded());
        let call = match self.state.desk.state(agent) {
            Some(AgentState::Talking { call } | AgentState::WrapUp { call }) => *call,
            // The one in which they key this in is about nothing.
            Some(AgentState::OwnCall { call }) if is_talk(*call) => *call,
            _ => return Err("the agent has no call, in hand or to wrap up".into()),
        };
        self.categorised(now, call, agent, category, out);
        Ok(())
    }

    /// An agent has said what this call was about.
    pub(super) fn categorised(
        &mut self,
        now: Now,
        call: CallId,
        agent: AgentId,
        category: String,
        out: &mut Out,
    ) {
        self.judged(now, call, agent, &category, out);
        self.state.calls.is_about(call, &category);
        self.fact(now, What::Call(Fact::Category { call, agent, category }), out);
    }

    fn no_category(&self, name: &str) -> String {
        let all = self.settings.call.codes.categories.iter().map(|own| own.name.as_str());
        let all: Vec<&str> = all.collect();
        format!("no category \"{name}\": there are {}", all.join(", "))
    }

    /// A call that kept agents from callers is over.
    pub(super) fn own_over(&mut self, now: Now, call: CallId, agents: Vec<AgentId>, noted: bool) {
        let wrap_up = if noted { self.settings.call.out.wrap_up } else { Duration::ZERO };
        for agent in agents {
            self.desk(now, |desk, cx, out| desk.own_over(cx, agent, call, wrap_up, out));
        }
    }

    /// Whoever has logged out is no guest at a phone any more.
    pub(super) fn tidy_seats(&mut self, now: Now) {
        let gone: Vec<String> = (self.state.calls.seats.guests())
            .filter(|(agent, phone)| {
                let id = self.state.desk.agent_id(agent);
                let there = id.is_some_and(|id| self.state.desk.is_logged_in(id));
                !there || !self.phones.contains_key(*phone)
            })
            .map(|(agent, _)| agent.to_string())
            .collect();
        for agent in gone {
            let moved = self.state.calls.seats.leave(&agent);
            self.reseat(now, moved);
        }
    }

    /// These agents are reached at another phone than before.
    fn reseat(&mut self, now: Now, moved: Vec<String>) {
        for name in moved {
            let Some(agent) = self.state.desk.agent_id(&name) else { continue };
            let own = self.state.calls.seats.phone_of(&name) == Some(name.as_str());
            let there = self.is_bound(&name);
            self.desk(now, |desk, cx, out| desk.seated(cx, agent, (own, there), out));
        }
    }

    /// Whether the phone at which an agent is reached is there; at their own, whether one has
    /// registered, for a fixed address is known to the desk.
    pub(super) fn is_bound(&self, agent: &str) -> bool {
        let Some(phone) = self.state.calls.seats.phone_of(agent) else { return false };
        let registered = !self.state.sip.contacts(phone).is_empty();
        let fixed = || {
            let known = self.phones.get(phone).and_then(|at| self.settings.call.phones.get(*at));
            known.is_some_and(|phone| phone.contact.is_some())
        };
        registered || phone != agent && fixed()
    }
}
