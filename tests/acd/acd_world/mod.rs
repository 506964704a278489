//! A desk with a clock, dice and timers around it, for the tests of the queue engine. It checks
//! every law after every input.

use pukar::acd::{
    AgentSettings, AgentState, Away, Desk, Effect, Fact, Hand, Instead, Join, Miss, QueueSettings,
    Refused, Settings, Skill, Strategy, Unfree, Wish,
};
use pukar::base::{AgentId, CallId, Cx, Instant, Now, QueueId, Rng, Timer, Timers, Wall};
use std::collections::BTreeMap;
use std::time::Duration;

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn queue(name: &str, strategy: Strategy) -> QueueSettings {
    QueueSettings {
        name: name.into(),
        strategy,
        ring_for: secs(20),
        max_wait: Duration::ZERO,
        wrap_up: secs(10),
        pause_after: 0,
        rest: secs(5),
        ..QueueSettings::default()
    }
}

/// A fixed agent, ready from the start. Skills are written as in the configuration: `health=2`.
pub fn agent(id: &str, skills: &[&str]) -> AgentSettings {
    let skills = skills.iter().map(|skill| match skill.split_once('=') {
        Some((name, level)) => Skill { name: name.into(), level: level.parse().unwrap() },
        None => (*skill).into(),
    });
    let skills = skills.collect();
    AgentSettings { id: id.into(), skills, ready: true, fixed: true }
}

/// `n` agents `op0`, `op1`, … without skills.
pub fn agents(n: usize) -> Vec<AgentSettings> {
    (0..n).map(|i| agent(&format!("op{i}"), &[])).collect()
}

pub fn one_queue(queue: QueueSettings, n: usize) -> Settings {
    Settings { queues: vec![queue], agents: agents(n) }
}

#[derive(Clone)]
pub struct World {
    pub desk: Desk,
    pub now: Instant,
    pub rng: Rng,
    pub timers: Timers,
    /// What the last input brought.
    pub out: Vec<Effect>,
    /// States as the facts tell them.
    pub told: BTreeMap<AgentId, AgentState>,
    /// Check all laws after every input.
    pub strict: bool,
    /// A phone that is told to stop does so in the same breath.
    pub prompt: bool,
}

macro_rules! input {
    ($world:ident, |$desk:ident, $cx:ident, $out:ident| $body:expr) => {{
        $world.out.clear();
        let wall = Wall($world.now.0 as i64);
        let now = Now { instant: $world.now, wall };
        let result = {
            let $cx = &mut Cx { now, rng: &mut $world.rng, timers: &mut $world.timers };
            let ($desk, $out) = (&mut $world.desk, &mut $world.out);
            let result = $body;
            if $world.prompt {
                hush($desk, $cx, $out);
            }
            result
        };
        $world.verify();
        result
    }};
}

impl World {
    pub fn new(settings: &Settings) -> Self {
        let mut world = Self {
            desk: Desk::default(),
            now: Instant(1_000_000),
            rng: Rng::new(1),
            timers: Timers::default(),
            out: Vec::new(),
            told: BTreeMap::new(),
            strict: true,
            prompt: true,
        };
        world.reload(settings);
        world
    }

    pub fn reload(&mut self, settings: &Settings) {
        input!(self, |desk, cx, out| desk.reload(cx, settings, out))
    }

    /// Joins now.
    pub fn join(&mut self, call: u64, queue: QueueId) {
        self.join_from(call, queue, self.now);
    }

    pub fn join_from(&mut self, call: u64, queue: QueueId, arrived: Instant) {
        self.join_with(call, queue, Join::from(arrived));
    }

    pub fn join_with(&mut self, call: u64, queue: QueueId, join: Join) {
        input!(self, |desk, cx, out| desk.join(cx, CallId(call), queue, join, out))
    }

    pub fn leave(&mut self, call: u64) {
        input!(self, |desk, cx, out| desk.leave(cx, CallId(call), out))
    }

    pub fn missed(&mut self, call: u64, agent: AgentId, miss: Miss) {
        input!(self, |desk, cx, out| desk.missed(cx, CallId(call), agent, miss, out))
    }

    pub fn answered(&mut self, call: u64, agent: AgentId) -> bool {
        input!(self, |desk, cx, out| desk.answered(cx, CallId(call), agent, out))
    }

    pub fn released(&mut self, call: u64, agent: AgentId) {
        input!(self, |desk, cx, out| desk.released(cx, CallId(call), agent, out))
    }

    /// The agent's phone has fallen silent, or is back, and was away.
    pub fn silent(&mut self, agent: AgentId, silent: bool, away: bool) {
        input!(self, |desk, cx, out| desk.silent(cx, agent, (silent, away), out))
    }

    /// The agent's phone has stopped ringing.
    pub fn quiet(&mut self, agent: AgentId) {
        input!(self, |desk, cx, out| desk.quiet(cx, agent, out))
    }

    pub fn spared(&mut self, call: u64, agent: AgentId) {
        input!(self, |desk, cx, out| desk.spared(cx, CallId(call), agent, out))
    }

    pub fn amend(&mut self, call: u64, emergency: bool, languages: &[&str]) {
        let languages: Vec<String> = languages.iter().map(ToString::to_string).collect();
        input!(self, |desk, cx, out| desk.amend(cx, CallId(call), (emergency, &languages), out))
    }

    pub fn wish(&mut self, agent: AgentId, wish: Wish) -> Result<(), Refused> {
        input!(self, |desk, cx, out| desk.wish(cx, agent, wish, out))
    }

    pub fn ready(&mut self, agent: AgentId) {
        self.wish(agent, Wish::Ready).unwrap();
    }

    pub fn pause(&mut self, agent: AgentId) {
        self.wish(agent, Wish::Pause { reason: "tea".into() }).unwrap();
    }

    pub fn reachable(&mut self, agent: AgentId, reachable: bool) {
        input!(self, |desk, cx, out| desk.reachable(cx, agent, reachable, out))
    }

    pub fn claim(&mut self, call: u64, agent: AgentId) -> Result<(), Unfree> {
        input!(self, |desk, cx, out| desk.claim(cx, CallId(call), agent, None, out))
    }

    pub fn claim_any(&mut self, call: u64, queue: QueueId, join: Join) -> Result<AgentId, Unfree> {
        input!(self, |desk, cx, out| desk.claim_any(cx, (CallId(call), queue), join, out))
    }

    pub fn claim_for(
        &mut self,
        call: u64,
        agent: AgentId,
        queue: Option<QueueId>,
    ) -> Result<(), Unfree> {
        input!(self, |desk, cx, out| desk.claim(cx, CallId(call), agent, queue, out))
    }

    /// `queue`: whose wrap-up follows a call of their own; else so long a one.
    pub fn carry_over(
        &mut self,
        (from, to): (u64, u64),
        agent: AgentId,
        notes: (Option<QueueId>, Duration),
    ) {
        let calls = (CallId(from), CallId(to));
        input!(self, |desk, cx, out| desk.carry_over(cx, calls, agent, notes, out))
    }

    pub fn carry_claim(&mut self, (from, to): (u64, u64), agent: AgentId, queue: Option<QueueId>) {
        let calls = (CallId(from), CallId(to));
        input!(self, |desk, cx, out| desk.carry_claim(cx, calls, agent, queue, out))
    }

    pub fn occupy(&mut self, agent: AgentId, call: u64) {
        input!(self, |desk, cx, out| desk.occupy(cx, agent, CallId(call), out))
    }

    pub fn own_over(&mut self, agent: AgentId, call: u64, wrap_up: Duration) {
        input!(self, |desk, cx, out| desk.own_over(cx, agent, CallId(call), wrap_up, out))
    }

    pub fn seated(&mut self, agent: AgentId, own: bool, there: bool) {
        input!(self, |desk, cx, out| desk.seated(cx, agent, (own, there), out))
    }

    pub fn lay_hand(&mut self, queue: QueueId, hand: Hand) -> bool {
        input!(self, |desk, cx, out| desk.lay_hand(cx, queue, hand, out))
    }

    /// `lives`: the call waits, and has nothing to do with this agent.
    pub fn repair(&mut self, agent: AgentId, call: u64, lives: bool) {
        input!(self, |desk, cx, out| desk.repair(cx, agent, (CallId(call), lives), out))
    }

    pub fn expire(&mut self, timer: Timer) {
        input!(self, |desk, cx, out| desk.expire(cx, timer, out))
    }

    /// Fires the next timer, at its time. What it brought is in `out`.
    pub fn fire(&mut self) -> Option<Timer> {
        let (at, _) = self.timers.next()?;
        self.now = self.now.max(at);
        let timer = self.timers.pop_due(self.now)?;
        self.expire(timer);
        Some(timer)
    }

    /// Lets time pass and everything happen that falls due; returns all that it brought.
    pub fn pass(&mut self, span: Duration) -> Vec<Effect> {
        let end = self.now + span;
        let mut all = Vec::new();
        while self.timers.next().is_some_and(|(at, _)| at <= end) {
            self.fire();
            all.append(&mut self.out);
        }
        self.now = end;
        all
    }

    /// Who was rung by the last input, and for which call.
    pub fn offers(&self) -> Vec<(u64, AgentId)> {
        offers(&self.out)
    }

    pub fn state(&self, agent: AgentId) -> AgentState {
        self.desk.state(agent).unwrap().clone()
    }

    pub fn q(&self, name: &str) -> QueueId {
        self.desk.queue_id(name).unwrap()
    }

    pub fn a(&self, name: &str) -> AgentId {
        self.desk.agent_id(name).unwrap()
    }

    fn verify(&mut self) {
        for effect in &self.out {
            if let Effect::Fact(Fact::Agent { agent, state }) = effect {
                let before = self.told.insert(*agent, state.clone());
                let before = before.unwrap_or(AgentState::Off);
                assert_ne!(before, *state, "{agent:?}: told twice");
            }
        }
        if !self.strict {
            return;
        }
        self.desk.check().unwrap();
        self.desk.check_timers(&self.timers).unwrap();
        for (agent, state) in self.desk.agents() {
            let told = self.told.get(&agent).unwrap_or(&AgentState::Off);
            assert_eq!(told, state, "{agent:?}: what the facts tell is not what is");
        }
    }
}

/// Every phone that was told to stop has stopped.
fn hush(desk: &mut Desk, cx: &mut Cx<'_>, out: &mut Vec<Effect>) {
    let mut at = 0;
    while let Some(effect) = out.get(at) {
        at += 1;
        match *effect {
            Effect::Withdraw { agent, .. } | Effect::Fact(Fact::Unclaimed { agent, .. }) => {
                desk.quiet(cx, agent, out);
            }
            _ => {}
        }
    }
}

pub fn offers(out: &[Effect]) -> Vec<(u64, AgentId)> {
    let offer = |effect: &Effect| match effect {
        Effect::Offer { call, agent } => Some((call.0, *agent)),
        _ => None,
    };
    out.iter().filter_map(offer).collect()
}

/// The effect by which a caller is refused.
pub fn away(call: u64, queue: QueueId, why: Away) -> Effect {
    Effect::TurnedAway { call: CallId(call), queue, why, instead: Instead::Refuse }
}
