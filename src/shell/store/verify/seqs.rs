//! Sets of numbers, as `1-500,502`: what a purge has taken away.

use std::fmt;

/// Ranges in their order, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// `None` where it is not what [`fmt::Display`] writes.
    pub fn read(text: &str) -> Option<Self> {
        let mut ranges = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            ranges.0.push((first.parse().ok()?, last.parse().ok()?));
        }
        ranges.0.sort_unstable();
        Some(ranges)
    }

    /// Numbers in rising order.
    pub fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut ranges = Self::default();
        for number in numbers {
            match ranges.0.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                Some((_, last)) if *last >= number => {}
                _ => ranges.0.push((number, number)),
            }
        }
        ranges
    }

    pub fn join(&mut self, other: Self) {
        *self = Self::all_of([&*self, &other]);
    }

    /// Of many at once, in the time that sorting them takes.
    pub fn all_of<'r>(many: impl IntoIterator<Item = &'r Self>) -> Self {
        let mut ranges: Vec<_> = many.into_iter().flat_map(|ranges| &ranges.0).copied().collect();
        ranges.sort_unstable();
        let mut joined = Vec::<(u64, u64)>::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// The greatest of them.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(_, last)| *last)
    }

    pub fn holds(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).is_some_and(|at| self.0[at].1 >= number)
    }

    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (first, last)) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_ranges_and_read_back() {
        let ranges = Ranges::of([1, 2, 3, 7, 9, 10]);
        assert_eq!(ranges.to_string(), "1-3,7,9-10");
        assert_eq!(Ranges::read("1-3,7,9-10"), Some(ranges.clone()));
        let held: Vec<u64> = (0..12).filter(|n| ranges.holds(*n)).collect();
        assert_eq!((held, ranges.count()), (vec![1, 2, 3, 7, 9, 10], 6));
        assert_eq!(Ranges::read("1-x"), None);
        let mut both = Ranges::of([1, 2, 3, 4, 5, 6, 20]);
        both.join(Ranges::of([2, 7, 9]));
        assert_eq!((both.to_string(), both.count()), ("1-7,9,20".into(), 9));
        assert!(both.holds(6) && !both.holds(8));
    }
}
