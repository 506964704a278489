//! What the desk's work costs: entries of its tables that are looked at, counted and not timed.

use super::{AgentSettings, Desk, Effect, Join, QueueSettings, Settings, Strategy, Wish};
use crate::base::{AgentId, CallId, Cx, Instant, Now, QueueId, Rng, Timers, Wall, steps};
use std::time::Duration;

struct World {
    desk: Desk,
    now: Instant,
    rng: Rng,
    timers: Timers,
    out: Vec<Effect>,
}

impl World {
    fn new(strategy: Strategy, agents: usize) -> Self {
        let sticky = Duration::from_secs(3_600);
        let queue = QueueSettings {
            name: "general".into(),
            strategy,
            sticky,
            max_wait: Duration::ZERO,
            ..QueueSettings::default()
        };
        let agent = |n| AgentSettings {
            id: format!("op{n}"),
            skills: Vec::new(),
            ready: true,
            fixed: true,
        };
        let settings = Settings { queues: vec![queue], agents: (0..agents).map(agent).collect() };
        let (mut rng, mut timers, mut out) = (Rng::new(1), Timers::default(), Vec::new());
        let now = Instant(1_000_000);
        let at = Now { instant: now, wall: Wall(0) };
        let desk =
            Desk::new(&mut Cx { now: at, rng: &mut rng, timers: &mut timers }, &settings, &mut out);
        Self { desk, now, rng, timers, out }
    }

    /// How many entries were looked at.
    fn costs(&mut self, act: impl FnOnce(&mut Desk, &mut Cx, &mut Vec<Effect>)) -> u64 {
        self.now = self.now + Duration::from_millis(1);
        let now = Now { instant: self.now, wall: Wall(0) };
        let before = steps::taken();
        act(
            &mut self.desk,
            &mut Cx { now, rng: &mut self.rng, timers: &mut self.timers },
            &mut self.out,
        );
        steps::taken() - before
    }

    fn wish(&mut self, agent: AgentId, wish: Wish) -> u64 {
        self.costs(|desk, cx, out| desk.wish(cx, agent, wish, out).unwrap())
    }

    fn pause(&mut self, agent: AgentId) -> u64 {
        self.wish(agent, Wish::Pause { reason: "tea".into() })
    }

    fn join(&mut self, call: u64, agent: Option<AgentId>) -> u64 {
        let join = Join { agent, ..Join::default() };
        self.costs(|desk, cx, out| desk.join(cx, CallId(call), QueueId(0), join, out))
    }
}

#[test]
fn q28_a_state_change_costs_the_same_whether_ten_agents_or_ten_thousand() {
    let cost = |agents: usize| {
        let mut world = World::new(Strategy::FewestCalls, agents);
        let ids: Vec<AgentId> = world.desk.agents().map(|(id, _)| id).collect();
        let flips = (0..200).map(|flip| ids[flip * 7 % agents]);
        let cost = flips.map(|op| world.pause(op) + world.wish(op, Wish::Ready));
        cost.max().unwrap()
    };
    assert_eq!(cost(10), cost(10_000));
}

#[test]
fn q28_an_offer_costs_the_same_however_many_wait_for_an_agent_of_their_own() {
    let cost = |held: u64| {
        let mut world = World::new(Strategy::LongestIdle, held as usize + 1);
        let ids: Vec<AgentId> = world.desk.agents().map(|(id, _)| id).collect();
        // Each of them talks, and somebody waits for nobody else.
        for (call, &agent) in (0..).zip(&ids[..held as usize]) {
            world.costs(|desk, cx, out| desk.occupy(cx, agent, CallId(100_000 + call), out));
            world.join(call, Some(agent));
        }
        let free = ids[held as usize];
        world.pause(free);
        world.join(50_000, None);
        let cost = world.wish(free, Wish::Ready);
        assert!(matches!(world.out.last(), Some(Effect::Offer { call: CallId(50_000), .. })));
        cost
    };
    let (few, many) = (cost(40), cost(4_000));
    assert!(many < few + 100, "{few} entries with forty, {many} with four thousand");
}
