//! Measures the CPU time of small operations: this thread's clock, not the wall's, so that a busy
//! machine disturbs little. Cases of one run take turns, round by round, so that their ratios hold
//! even where absolute figures do not.
#![allow(unsafe_code, dead_code)]

use std::hint::black_box;

const ROUNDS: usize = 41;
/// CPU time that one round of one case should take.
const ROUND_NS: u64 = 3_000_000;

/// The cases of one benchmark. The first one is what the others are compared with.
#[derive(Default)]
pub struct Bench<'a> {
    cases: Vec<Case<'a>>,
}

struct Case<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    repeats: u64,
    ns: Vec<f64>,
}

impl<'a> Bench<'a> {
    pub fn case<T>(&mut self, name: &'static str, mut work: impl FnMut() -> T + 'a) -> &mut Self {
        let run = Box::new(move || {
            black_box(work());
        });
        self.cases.push(Case { name, run, repeats: 1, ns: Vec::new() });
        self
    }

    /// Runs all cases and prints them; returns the median of each, in nanoseconds.
    pub fn run(mut self, title: &str) -> Vec<(&'static str, f64)> {
        self.cases.iter_mut().for_each(Case::warm_up);
        for _ in 0..ROUNDS {
            self.cases.iter_mut().for_each(Case::round);
        }
        println!("{title}: CPU ns per operation, {ROUNDS} rounds");
        println!("{:<44} {:>9} {:>9} {:>9} {:>7}", "", "median", "fastest", "p90", "ratio");
        let mut medians = Vec::new();
        for case in &mut self.cases {
            case.ns.sort_by(f64::total_cmp);
            let at = |share: f64| case.ns[((ROUNDS - 1) as f64 * share) as usize];
            let (median, first) = (at(0.5), medians.first().map_or(at(0.5), |&(_, ns)| ns));
            let (low, high, ratio) = (at(0.0), at(0.9), median / first);
            println!("{:<44} {median:>9.1} {low:>9.1} {high:>9.1} {ratio:>7.2}", case.name);
            medians.push((case.name, median));
        }
        println!();
        medians
    }
}

impl Case<'_> {
    /// Finds how many repeats fill a round, and warms caches and branch predictors meanwhile.
    fn warm_up(&mut self) {
        while self.spend() < ROUND_NS {
            self.repeats *= 2;
        }
    }

    fn round(&mut self) {
        let spent = self.spend();
        self.ns.push(spent as f64 / self.repeats as f64);
    }

    fn spend(&mut self) -> u64 {
        let before = cpu_ns();
        for _ in 0..self.repeats {
            (self.run)();
        }
        cpu_ns() - before
    }
}

/// CPU time of this thread.
pub fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and `time` lives through the call.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
