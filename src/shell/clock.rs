//! The only place that reads the clocks of the machine.
//!
//! In: nothing. Out: [`Now`]. Everything below the shell is handed time and never takes it.

use super::sys::boot;
use crate::base::{Instant, Now, Wall};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Counts microseconds from its start; copies of it agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    /// What it said at its start.
    base: Instant,
}

/// Waiting for what takes no time, but not for ever.
#[derive(Debug)]
pub struct Patience {
    began: Clock,
    span: Duration,
}

impl Patience {
    pub fn of(span: Duration) -> Self {
        Self { began: Clock::start(), span }
    }

    pub fn is_over(&self) -> bool {
        self.began.instant().since(Instant(0)) >= self.span
    }
}

/// No downtime counts for more: whoever was on the phone has gone, and the calendar may be wrong.
const DOWN_MAX: Duration = Duration::from_secs(86_400);
/// More than clocks differ by themselves.
const MOVED: Duration = Duration::from_secs(60);
/// How the clock stands to that of the machine.
const NOTE: &str = "clock";

impl Clock {
    pub fn start() -> Self {
        Self::from(Instant(0))
    }

    /// Goes on from the last that another process knew. Where the machine has not been started
    /// anew since, its own clock says how long ago that was, whatever became of the calendar.
    pub fn resume(last: Now, folder: &Path) -> Self {
        let wall = Self::start().now().wall;
        Self::from(base_of(last, wall, by_boot(folder)))
    }

    /// The same by the calendar alone. It never goes back, whatever the calendar says.
    pub fn after(last: Now) -> Self {
        let wall = Self::start().now().wall;
        Self::from(base_of(last, wall, None))
    }

    /// Notes in the data folder how it stands to the machine's own clock. A note that is wrong is
    /// worse than none.
    pub fn note(&self, folder: &Path) {
        let path = folder.join(NOTE);
        let noted = boot::id().and_then(|id| {
            let ahead = boot::micros()? as i64 - self.instant().0 as i64;
            std::fs::write(&path, format!("{id} {ahead}\n"))
        });
        if let Err(error) = noted {
            tracing::warn!("{}: {error}. After a crash the calendar counts", path.display());
            let _ = std::fs::remove_file(&path);
        }
    }

    #[allow(clippy::disallowed_methods)]
    fn from(base: Instant) -> Self {
        Self { origin: std::time::Instant::now(), base }
    }

    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let wall = match since {
            Ok(after) => after.as_micros() as i64,
            Err(before) => -(before.duration().as_micros() as i64),
        };
        Now { instant: self.instant(), wall: Wall(wall) }
    }

    pub fn instant(&self) -> Instant {
        self.base + self.origin.elapsed()
    }
}

/// The calendar beside the clock, while the switch runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar {
    last: Option<Now>,
}

impl Calendar {
    /// By how many seconds it was moved since the last look, where that is more than it and the
    /// clock differ by themselves.
    pub fn review(&mut self, now: Now) -> Option<i64> {
        let last = self.last.replace(now)?;
        let passed = now.instant.since(last.instant).as_micros() as i64;
        let moved = now.wall.0.saturating_sub(last.wall.0).saturating_sub(passed);
        let is_much = moved.unsigned_abs() > MOVED.as_micros() as u64;
        is_much.then_some(moved / 1_000_000)
    }
}

/// What it has to be now by the machine's own clock, if that still runs as it did then.
fn by_boot(folder: &Path) -> Option<Instant> {
    let note = std::fs::read_to_string(folder.join(NOTE)).ok()?;
    let (id, ahead) = note.trim_end().split_once(' ')?;
    let ahead: i64 = ahead.parse().ok()?;
    let same = boot::id().is_ok_and(|now| now == id);
    let now = boot::micros().ok()? as i64;
    same.then(|| u64::try_from(now - ahead).ok().map(Instant)).flatten()
}

/// What the clock begins with, from what it said last, the calendar, and the machine's own clock.
fn base_of(last: Now, wall: Wall, by_boot: Option<Instant>) -> Instant {
    let by_calendar = u64::try_from(wall.0.saturating_sub(last.wall.0));
    if let Some(at) = by_boot.filter(|at| *at >= last.instant) {
        let passed = at.since(last.instant);
        let moved = Duration::from_micros(by_calendar.unwrap_or(0)).abs_diff(passed);
        if by_calendar.is_err() || moved > MOVED {
            tracing::warn!(
                "the calendar was moved while no switch ran: by the machine's clock that was {} s",
                passed.as_secs()
            );
        }
        return at;
    }
    if by_calendar.is_err() {
        tracing::warn!("the calendar has gone back since the switch last ran: no time counts");
    }
    let passed = Duration::from_micros(by_calendar.unwrap_or(0));
    if passed > DOWN_MAX {
        tracing::warn!("the switch last ran {} h ago; a day of it counts", hours(passed));
    }
    last.instant + passed.min(DOWN_MAX)
}

fn hours(span: Duration) -> u64 {
    span.as_secs() / 3_600
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    const SECOND: u64 = 1_000_000;
    const HOUR: i64 = 3_600_000_000;

    fn last() -> Now {
        Now { instant: Instant(500 * SECOND), wall: Wall(1_700_000_000_000_000) }
    }

    fn base(calendar_moved: i64, by_boot: Option<u64>) -> u64 {
        let wall = Wall(last().wall.0 + calendar_moved);
        base_of(last(), wall, by_boot.map(|seconds| Instant(seconds * SECOND))).0 / SECOND
    }

    #[test]
    fn a_calendar_that_steps_while_the_switch_is_down_is_time_for_no_timer() {
        for step in [-5 * HOUR, -1, 5 * HOUR, 500 * HOUR] {
            assert_eq!(base(step, Some(503)), 503, "stepped by {step}");
        }
    }

    #[test]
    fn a_calendar_that_is_moved_while_the_switch_runs_is_noticed_once_and_a_slow_drift_never() {
        let mut calendar = Calendar::default();
        let mut now = last();
        let mut after = |seconds: u64, calendar_moved: i64| {
            now.instant = now.instant + Duration::from_secs(seconds);
            now.wall = Wall(now.wall.0 + seconds as i64 * 1_000_000 + calendar_moved);
            calendar.review(now)
        };
        assert_eq!(after(0, 0), None, "there is nothing to compare with");
        assert_eq!(after(3_600, 0), None, "however long it sleeps");
        assert_eq!(after(1, 5 * HOUR), Some(18_000));
        assert_eq!(after(1, 0), None, "told once");
        assert_eq!(after(1, -9 * HOUR), Some(-32_400));
        assert!((0..100).all(|_| after(10, 2_000_000).is_none()), "it is set right bit by bit");
    }

    #[test]
    fn without_the_clock_of_the_same_start_of_the_machine_the_calendar_counts_within_bounds() {
        assert_eq!(base(20 * SECOND as i64, None), 520);
        assert_eq!(base(-5 * HOUR, None), 500, "never back");
        assert_eq!(base(500 * HOUR, None), 500 + 86_400, "a day at most");
        assert_eq!(base(20 * SECOND as i64, Some(499)), 520, "a note of something else");
    }

    #[test]
    fn the_machine_s_clock_is_found_again_by_the_next_process_and_by_no_other_start() {
        let folder = Folder::new("clock");
        let clock = Clock::from(Instant(900 * SECOND));
        clock.note(&folder.0);
        let before = clock.instant();
        // The calendar has been put forward by a day: what was noted under it is a day ago.
        let wall = Wall(clock.now().wall.0 - 24 * HOUR);
        let again = Clock::resume(Now { instant: before, wall }, &folder.0);
        let gone = again.instant().since(before);
        assert!(gone < Duration::from_secs(60), "{gone:?}");
        let note = std::fs::read_to_string(folder.0.join(NOTE)).unwrap();
        let other = format!("another-start {}", note.split_once(' ').unwrap().1);
        std::fs::write(folder.0.join(NOTE), other).unwrap();
        let again = Clock::resume(Now { instant: before, wall }, &folder.0);
        assert!(again.instant().since(before) > Duration::from_secs(80_000));
    }
}
