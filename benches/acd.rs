//! What a decision of the queue engine costs, in CPU time, by agents and by waiting callers.
//!
//! `cargo bench --bench acd`. A busy cycle is three inputs and one match: a caller joins a full
//! queue, an agent ends a call and is offered the next caller, and answers. An idle cycle is three
//! inputs and one match as well: a caller joins, the longest idle of all free agents is offered
//! the call, answers, and ends it. Ten queues, every agent serves three. Every match comes with
//! its account: up to 32 agents who were considered, and why each was not chosen.
//!
//! With needs: callers ask for levels and languages and have priorities, so that each queue has a
//! dozen lanes. A state change is a pause and a return, while nobody waits.

use pukar::acd::{
    AgentSettings, Desk, Effect, Join, QueueSettings, Settings, Skill, Strategy, Wish,
};
use pukar::base::{AgentId, CallId, Cx, Instant, Now, QueueId, Rng, Timers, Wall};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

const QUEUES: u64 = 10;
const CYCLES: u64 = 50_000;

struct Bench {
    desk: Desk,
    now: Instant,
    rng: Rng,
    timers: Timers,
    out: Vec<Effect>,
    next_call: u64,
    ringing: Vec<(CallId, AgentId)>,
    talking: VecDeque<(CallId, AgentId)>,
    answers: u64,
    needs: bool,
}

macro_rules! input {
    ($bench:ident, $method:ident, $($argument:expr),*) => {{
        $bench.now = $bench.now + Duration::from_micros(7);
        let now = Now { instant: $bench.now, wall: Wall(0) };
        let mut cx = Cx { now, rng: &mut $bench.rng, timers: &mut $bench.timers };
        let result = black_box($bench.desk.$method(&mut cx, $($argument),*, &mut $bench.out));
        $bench.collect();
        result
    }};
}

impl Bench {
    fn new(agents: usize, strategy: Strategy) -> Self {
        let mut bench = Self {
            desk: Desk::default(),
            now: Instant(1),
            rng: Rng::new(1),
            timers: Timers::default(),
            out: Vec::new(),
            next_call: 0,
            ringing: Vec::new(),
            talking: VecDeque::new(),
            answers: 0,
            needs: false,
        };
        let settings = settings(agents, strategy);
        input!(bench, reload, &settings);
        bench
    }

    fn collect(&mut self) {
        for effect in self.out.drain(..) {
            if let Effect::Offer { call, agent } = effect {
                self.ringing.push((call, agent));
            }
        }
    }

    fn waiting(&self) -> usize {
        self.desk.queues().map(|queue| self.desk.length(queue)).sum()
    }

    fn join(&mut self) {
        let call = CallId(self.next_call);
        let queue = QueueId(self.next_call % QUEUES);
        self.next_call += 1;
        let arrived = self.now;
        let mut join = Join::from(arrived);
        if self.needs {
            join.priority = (call.0 / 3 % 3) as u8;
            let wanted: [&[&str]; 4] = [&[], &["hi"], &["en", "hi"], &["local", "hi"]];
            join.languages = wanted[(call.0 / 7 % 4) as usize].iter().map(|&l| l.into()).collect();
        }
        input!(self, join, call, queue, join);
    }

    /// Every agent on the phone, and so many callers waiting.
    fn fill(&mut self, agents: usize, waiting: usize) {
        while self.talking.len() < agents {
            self.join();
            self.answer();
        }
        while self.waiting() < waiting {
            self.join();
        }
    }

    fn flip(&mut self, agent: AgentId) {
        let tea = Wish::Pause { reason: "tea".into() };
        input!(self, wish, agent, tea).unwrap();
        input!(self, wish, agent, Wish::Ready).unwrap();
    }

    fn answer(&mut self) {
        if let Some((call, agent)) = self.ringing.pop() {
            self.ringing.clear();
            input!(self, answered, call, agent);
            self.talking.push_back((call, agent));
            self.answers += 1;
        }
    }

    fn release(&mut self) {
        if let Some((call, agent)) = self.talking.pop_front() {
            input!(self, released, call, agent);
        }
    }
}

fn settings(agents: usize, strategy: Strategy) -> Settings {
    let queue = |i: u64| QueueSettings {
        name: format!("queue{i}"),
        skills: vec![format!("skill{i}")],
        strategy,
        weight: (i % 3) as u32,
        wrap_up: Duration::ZERO,
        ..QueueSettings::default()
    };
    let skills = |i: u64| {
        let skill = |k: u64| Skill {
            name: format!("skill{}", (i + 3 * k) % QUEUES),
            level: 1 + (i / 7 % 3) as u8,
        };
        let languages = ["lang:hi", "lang:en", "lang:local"].map(Skill::from);
        let spoken = languages.into_iter().take(1 + (i / 5 % 3) as usize);
        (0..3).map(skill).chain(spoken).collect()
    };
    let agent = |i: u64| AgentSettings {
        id: format!("op{i}"),
        skills: skills(i),
        ready: true,
        fixed: true,
    };
    Settings {
        queues: (0..QUEUES).map(queue).collect(),
        agents: (0..agents as u64).map(agent).collect(),
    }
}

fn main() {
    println!("{:<42} {:>10} {:>10}", "cycle", "ns/cycle", "ns/input");
    for agents in [10, 1_000, 20_000] {
        let mut bench = Bench::new(agents, Strategy::LongestIdle);
        report(&format!("idle, {agents} agents"), CYCLES, 3, || {
            bench.join();
            bench.answer();
            bench.release();
        });
        assert_eq!(bench.answers, CYCLES + CYCLES / 10, "one match a cycle");
        for waiting in [100, 1_000, 10_000] {
            let mut bench = Bench::new(agents, Strategy::LongestIdle);
            bench.fill(agents, waiting);
            stall(&mut bench);
            let before = bench.answers;
            report(&format!("busy, {agents} agents, {waiting} waiting"), CYCLES, 3, || {
                bench.join();
                bench.release();
                bench.answer();
            });
            assert_eq!(bench.answers - before, CYCLES + CYCLES / 10, "one match a cycle");
            assert_eq!(bench.waiting(), waiting, "as many wait as before");
        }
    }
    for (agents, waiting) in [(1_000, 1_000), (20_000, 10_000)] {
        let mut bench = Bench::new(agents, Strategy::LongestIdle);
        bench.needs = true;
        bench.fill(agents, waiting);
        report(&format!("needs, {agents} agents, {waiting} waiting"), CYCLES, 3, || {
            bench.join();
            bench.release();
            bench.answer();
        });
        let (desk, now) = (&bench.desk, bench.now);
        let calls: Vec<CallId> = desk.line(QueueId(3)).collect();
        let mut turn = 0;
        report(&format!("position and wait, {waiting} waiting"), CYCLES, 1, || {
            turn = (turn + 61) % calls.len();
            black_box(desk.outlook(now, calls[turn]));
        });
    }
    for agents in [10, 1_000, 20_000] {
        let mut bench = Bench::new(agents, Strategy::LongestIdle);
        let mut turn = 0;
        report(&format!("state change, {agents} agents"), CYCLES, 2, || {
            turn = (turn + 1) % agents as u64;
            bench.flip(AgentId(turn));
        });
    }
    for strategy in [Strategy::FewestCalls, Strategy::RoundRobin, Strategy::Random] {
        let mut bench = Bench::new(20_000, strategy);
        report(&format!("idle, 20000 agents, {}", strategy.name()), CYCLES, 3, || {
            bench.join();
            bench.answer();
            bench.release();
        });
    }
    let mut bench = Bench::new(166, Strategy::RingAll);
    report("ring all, about 50 phones a call", 2_000, 3, || {
        bench.join();
        bench.answer();
        bench.release();
    });
    let settings = settings(20_000, Strategy::LongestIdle);
    let mut bench = Bench::new(20_000, Strategy::LongestIdle);
    report("reload, 20000 agents", 5, 1, || input!(bench, reload, &settings));
}

/// The longest of the cycles, one by one: a pick that searched the line would stand out here.
fn stall(bench: &mut Bench) {
    let mut spans: Vec<Duration> = (0..CYCLES)
        .map(|_| {
            let start = cpu_time();
            bench.join();
            bench.release();
            bench.answer();
            cpu_time() - start
        })
        .collect();
    spans.sort_unstable();
    let at = |share: f64| spans[((spans.len() - 1) as f64 * share) as usize].as_nanos();
    println!("{:<42} {:>10} {:>10}", "  of one cycle: p99.9, longest", at(0.999), at(1.0));
}

fn report(name: &str, cycles: u64, inputs: u64, mut cycle: impl FnMut()) {
    (0..cycles / 10).for_each(|_| cycle());
    let start = cpu_time();
    (0..cycles).for_each(|_| cycle());
    let nanos = (cpu_time() - start).as_nanos() as u64 / cycles;
    println!("{name:<42} {nanos:>10} {:>10}", nanos / inputs);
}

/// CPU time of this process: what others do on the machine is not in it.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the one value that the call writes.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
