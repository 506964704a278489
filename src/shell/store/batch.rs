//! How much a store is given at once: as many rows as it takes in some seconds. What is too much
//! for a slow one fails as a whole, time after time, and it would never get anything more.

use std::time::Duration;

/// What takes less time may be twice as much, and what takes more is too much.
const QUICK: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_secs(8);

pub struct Batch {
    most: usize,
    rows: usize,
}

impl Batch {
    pub fn new(most: usize) -> Self {
        Self { most, rows: most }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// So many rows were taken in this time.
    pub fn taken(&mut self, rows: usize, took: Duration) {
        if took < QUICK {
            self.rows = (self.rows * 2).min(self.most);
        } else if took > SLOW {
            self.failed(rows);
        }
    }

    /// So many rows were not taken.
    pub fn failed(&mut self, rows: usize) {
        self.rows = (self.rows.min(rows) / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until a store has so many rows that takes a while for each, and gives up on what
    /// takes too long; 0 where it never has them.
    fn fed(total: usize, each: Duration, limit: Duration) -> u64 {
        let (mut batch, mut left, mut spent) = (Batch::new(1_000), total, Duration::ZERO);
        for _ in 0..10_000 {
            let rows = batch.rows().min(left);
            let took = each * rows as u32;
            if took > limit {
                batch.failed(rows);
                spent += limit;
            } else {
                batch.taken(rows, took);
                left -= rows;
                spent += took;
            }
            if left == 0 {
                return spent.as_secs();
            }
        }
        0
    }

    #[test]
    fn however_slow_a_store_is_it_gets_on_about_as_fast_as_it_can() {
        let limit = Duration::from_secs(15);
        for (each, total) in [(1, 20_000), (25, 20_000), (75, 5_000), (2_000, 200), (14_000, 10)] {
            let best = each * total as u64 / 1_000;
            let spent = fed(total, Duration::from_millis(each), limit);
            assert!(spent > 0 && spent <= best + 200, "{each} ms a row: {spent} s, of {best}");
        }
    }
}
