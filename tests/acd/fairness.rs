//! Fairness, as a property of random days: nobody who may go to a free agent is ever passed over
//! for longer than the aging limit, whatever weights and priorities say; eligibility comes before
//! weight; and every account of a decision is true.

use crate::acd_world::{World, agent, ms, queue, secs};
use pukar::acd::{AgentState, Claim, Effect, Fact, Join, Relax, Settings, Stage, Strategy, Wish};
use pukar::base::{AgentId, CallId, Instant, QueueId, Rng};
use std::collections::BTreeMap;

const AGING: u64 = 60;

/// Three queues of very different weights, for agents of different skills, levels and languages.
fn settings(rng: &mut Rng) -> Settings {
    let strategies = Strategy::ALL.map(|(_, strategy)| strategy);
    let queues = [("light", 0), ("middle", 10), ("heavy", 1_000)].map(|(name, weight)| {
        let mut queue = queue(name, strategies[rng.below(7) as usize]);
        queue.weight = weight;
        queue.aging = secs(AGING);
        queue.wrap_up = secs(2);
        queue.language_after = secs(5);
        if rng.chance(50) {
            queue.skills = vec!["health".into()];
            queue.level = 2;
            queue.relax = vec![Relax { after: secs(10), level: 1 }];
        }
        queue
    });
    let skills = ["health", "health=2", "lang:hi", "lang:en"];
    let agents = (0..4).map(|i| {
        let own: Vec<&str> = skills.iter().copied().filter(|_| rng.chance(60)).collect();
        agent(&format!("op{i}"), &own)
    });
    let agents = agents.collect();
    Settings { queues: queues.into(), agents }
}

struct Day {
    world: World,
    rng: Rng,
    /// The languages and the arrival of everybody who waits.
    wants: BTreeMap<u64, (Vec<String>, Instant, bool)>,
    aged: u64,
}

impl Day {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let settings = settings(&mut rng);
        let mut world = World::new(&settings);
        world.strict = false;
        Self { world, rng, wants: BTreeMap::new(), aged: 0 }
    }

    fn join(&mut self, call: u64) {
        let heavy = self.rng.chance(70);
        let queue = QueueId(if heavy { 2 } else { self.rng.below(3) });
        let mut join = Join {
            priority: self.rng.below(10) as u8,
            emergency: self.rng.chance(2),
            ..Join::default()
        };
        if self.rng.chance(40) {
            join.languages = vec![["hi", "en"][self.rng.below(2) as usize].into()];
        }
        self.wants.insert(call, (join.languages.clone(), self.world.now, join.emergency));
        self.world.join_with(call, queue, join);
        self.judge(&self.world.out.clone());
    }

    /// Every decision: nobody who was eligible for this agent and has aged was passed over by
    /// anybody but an emergency or somebody who came before.
    fn judge(&mut self, out: &[Effect]) {
        for effect in out {
            let Effect::Fact(Fact::Picked(pick)) = effect else { continue };
            let Some(&(_, came, emergency)) = self.wants.get(&pick.call.0) else { continue };
            self.aged += u64::from(pick.claim == Claim::Aged);
            let agent = pick.agents[0].0;
            for (&other, (_, arrived, _)) in &self.wants {
                let waits = self.world.desk.stage(CallId(other)) == Some(&Stage::Waiting);
                let aged = self.world.now.since(*arrived) > secs(AGING) + ms(1);
                if waits && aged && !emergency && *arrived < came {
                    assert!(!self.may(agent, other), "{other} was passed over for {pick:?}");
                }
            }
        }
    }

    /// Fully relaxed after ten seconds, so whoever has aged may go to all who serve the queue.
    fn may(&self, agent: AgentId, call: u64) -> bool {
        let queue = self.world.desk.queue_of(CallId(call)).unwrap();
        self.world.desk.serves(agent).contains(&queue)
    }

    fn pass(&mut self, millis: u64) {
        let end = self.world.now + ms(millis);
        while self.world.timers.next().is_some_and(|(at, _)| at <= end) {
            self.world.fire();
            self.judge(&self.world.out.clone());
        }
        self.world.now = end;
    }

    fn agents_act(&mut self) {
        let agents: Vec<AgentId> = self.world.desk.agents().map(|(id, _)| id).collect();
        for agent in agents {
            match self.world.state(agent) {
                AgentState::Offered { call } => {
                    self.world.answered(call.0, agent);
                    self.wants.remove(&call.0);
                }
                AgentState::Talking { call } if self.rng.chance(25) => {
                    self.world.released(call.0, agent);
                }
                AgentState::WrapUp { .. } if self.rng.chance(30) => {
                    let _ = self.world.wish(agent, Wish::EndWrapUp);
                }
                _ => continue,
            }
            self.judge(&self.world.out.clone());
        }
    }
}

#[test]
fn nobody_is_passed_over_for_longer_than_the_aging_limit() {
    let mut aged = 0;
    for seed in 0..150 {
        let mut day = Day::new(seed);
        for call in 0..250 {
            day.join(call);
            let pause = 200 + day.rng.below(1_500);
            day.pass(pause);
            day.agents_act();
        }
        day.world.desk.check().unwrap();
        aged += day.aged;
    }
    assert!(aged > 1_000, "only {aged} had to be helped by their age");
}

#[test]
fn a_light_queue_is_served_within_the_limit_though_the_heavy_one_never_empties() {
    let mut light = queue("light", Strategy::LongestIdle);
    light.aging = secs(AGING);
    let mut heavy = light.clone();
    (heavy.name, heavy.weight) = ("heavy".into(), 100);
    for queue in [&mut light, &mut heavy] {
        queue.wrap_up = ms(0);
    }
    let settings = Settings { queues: vec![light, heavy], agents: vec![agent("op", &[])] };
    let mut w = World::new(&settings);
    let (light, heavy, op) = (w.q("light"), w.q("heavy"), w.a("op"));
    w.join(0, heavy);
    w.answered(0, op);
    w.join(1_000, light);
    let came = w.now;
    let mut talking = 0;
    for call in 1..100 {
        w.join(call, heavy);
        w.pass(secs(5));
        w.released(talking, op);
        let (next, _) = w.offers()[0];
        w.answered(next, op);
        talking = next;
        if next == 1_000 {
            let waited = w.now.since(came);
            assert!(waited >= secs(AGING) && waited <= secs(AGING + 5), "{waited:?}");
            return;
        }
    }
    panic!("starved");
}
