//! The minutes of a day in which somebody works, a bit each, and those of a week.

use crate::acd::DAY_MINUTES;
use std::ops::Range;

pub const DAY: usize = DAY_MINUTES as usize;
pub const WEEK: usize = 7 * DAY;
const WORDS: usize = DAY.div_ceil(64);

/// Minutes after midnight, by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day([u64; WORDS]);

#[cfg(test)]
thread_local! {
    /// What was looked at so far: words of 64 minutes, and shifts.
    pub static WORK: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Work is done, for tests that bound it.
pub fn counted(words: usize) {
    #[cfg(test)]
    WORK.set(WORK.get() + words as u64);
    let _ = words;
}

impl Day {
    pub const NONE: Self = Self([0; WORDS]);

    pub fn fill(&mut self, minutes: Range<usize>) {
        let (mut at, end) = (minutes.start, minutes.end.min(DAY));
        while at < end {
            let bits = (64 - at % 64).min(end - at);
            self.0[at / 64] |= (u64::MAX >> (64 - bits)) << (at % 64);
            at += bits;
            counted(1);
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(here, there)| *here |= there);
        counted(WORDS);
    }

    /// Whether there is no minute of the other that is not here.
    pub fn covers(&self, other: &Self) -> bool {
        counted(WORDS);
        self.0.iter().zip(other.0).all(|(here, there)| there & !here == 0)
    }

    pub fn is_full(&self) -> bool {
        counted(WORDS);
        self.0.iter().map(|word| word.count_ones() as usize).sum::<usize>() == DAY
    }

    pub fn has(&self, minute: usize) -> bool {
        self.0[minute / 64] >> (minute % 64) & 1 != 0
    }

    /// The first time at which nobody is there.
    pub fn first_gap(&self) -> Option<(usize, usize)> {
        if self.is_full() {
            return None;
        }
        let from = (0..DAY).find(|minute| !self.has(*minute))?;
        let until = (from..DAY).find(|minute| self.has(*minute)).unwrap_or(DAY);
        Some((from, until))
    }
}

/// The spans of a week, in minutes from Monday, in which nobody is there.
pub fn gaps(week: &[Day; 7]) -> Vec<(usize, usize)> {
    if week.iter().all(Day::is_full) {
        return Vec::new();
    }
    let has = |minute: usize| week[minute / DAY % 7].has(minute % DAY);
    // A gap over the end of the week is one gap: begin to count where somebody works.
    let Some(start) = (0..WEEK).find(|minute| has(*minute)) else { return vec![(0, WEEK)] };
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    for minute in (start..start + WEEK).filter(|minute| !has(*minute)) {
        match gaps.last_mut() {
            Some((_, end)) if *end == minute => *end += 1,
            Some(_) | None => gaps.push((minute, minute + 1)),
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_filled_bit_by_bit_and_gaps_found_over_the_end_of_the_week() {
        for (from, until) in [(0, 1), (0, 64), (63, 65), (1, 1440), (700, 700), (1_439, 1_440)] {
            let mut day = Day::NONE;
            day.fill(from..until);
            assert!((0..DAY).all(|at| day.has(at) == (from..until).contains(&at)), "{from}");
        }
        let mut day = Day::NONE;
        day.fill(0..600);
        assert!(day.covers(&Day::NONE) && !Day::NONE.covers(&day));
        assert_eq!(day.first_gap(), Some((600, 1_440)));
        day.fill(660..1_440);
        assert_eq!((day.first_gap(), day.is_full()), (Some((600, 660)), false));
        let mut week: [Day; 7] = std::array::from_fn(|_| day.clone());
        let every = |n: usize| (n * DAY + 600, n * DAY + 660);
        assert_eq!(gaps(&week), (0..7).map(every).collect::<Vec<_>>());
        day.fill(600..660);
        assert!(day.is_full() && day.first_gap().is_none());
        week = std::array::from_fn(|_| day.clone());
        assert_eq!(gaps(&week), []);
        let mut evening = Day::NONE;
        evening.fill(0..1_400);
        let mut morning = Day::NONE;
        morning.fill(30..DAY);
        (week[0], week[6]) = (morning, evening);
        assert_eq!(gaps(&week), [(WEEK - 40, WEEK + 30)]);
        week = std::array::from_fn(|_| Day::NONE);
        assert_eq!(gaps(&week), [(0, WEEK)]);
    }
}
