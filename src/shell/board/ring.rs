//! The recent facts, by number, as text. A subscriber asks for what it has not seen; nothing is
//! kept for any one of them.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Facts kept. At ten facts a call and ten calls a second: a quarter of an hour.
pub const KEPT: usize = 100_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    facts: VecDeque<Arc<str>>,
    /// Number of the oldest fact kept; that of the next one while there are none.
    oldest: u64,
}

/// What was asked for is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// It is gone; this is the oldest that is left.
    TooOld { oldest: u64 },
    /// It has not been yet: the numbers started again.
    Ahead { newest: u64 },
}

impl Ring {
    pub fn push(&mut self, seq: u64, text: Arc<str>) {
        if seq != self.oldest + self.facts.len() as u64 {
            // A gap: facts were lost on the way here. Nobody shall believe in an unbroken stream.
            self.facts.clear();
            self.oldest = seq;
        }
        if self.facts.len() == KEPT {
            self.facts.pop_front();
            self.oldest += 1;
        }
        self.facts.push_back(text);
    }

    pub fn from(&self, from: u64, limit: usize) -> Result<Vec<Arc<str>>, Missed> {
        let next = self.oldest + self.facts.len() as u64;
        if from < self.oldest {
            return Err(Missed::TooOld { oldest: self.oldest });
        }
        if from > next.max(1) {
            return Err(Missed::Ahead { newest: next.saturating_sub(1) });
        }
        let skip = (from - self.oldest) as usize;
        Ok(self.facts.iter().skip(skip).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(seqs: std::ops::Range<u64>) -> Ring {
        let mut ring = Ring::default();
        seqs.for_each(|seq| ring.push(seq, seq.to_string().into()));
        ring
    }

    #[test]
    fn a_subscriber_resumes_where_it_stopped() {
        let ring = ring(1..11);
        let text = |from, limit| ring.from(from, limit).unwrap().join(" ");
        assert_eq!(text(8, 10), "8 9 10");
        assert_eq!(text(1, 2), "1 2");
        assert_eq!(text(11, 10), "");
        assert_eq!(ring.from(12, 1), Err(Missed::Ahead { newest: 10 }));
        assert_eq!(Ring::default().from(1, 5), Ok(Vec::new()));
    }

    #[test]
    fn what_has_gone_is_said_to_be_gone() {
        let last = KEPT as u64 + 6;
        let ring = ring(1..last);
        assert_eq!(ring.from(5, 1), Err(Missed::TooOld { oldest: 6 }));
        assert_eq!(&*ring.from(6, 1).unwrap()[0], "6");
        assert_eq!(ring.from(last - 1, 9).unwrap().len(), 1);
    }

    #[test]
    fn a_gap_is_never_papered_over() {
        let mut ring = ring(1..5);
        ring.push(9, "9".into());
        assert_eq!(ring.from(4, 9), Err(Missed::TooOld { oldest: 9 }));
    }
}
