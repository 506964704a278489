//! The recent facts, by number. A subscriber asks for what it has not seen; nothing is kept for any
//! one of them. Most facts are never asked for, so their text is made when somebody does.

use super::fact_text;
use super::fold::Board;
use crate::core::{Fact, What};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

/// Facts kept. At ten facts a call and ten calls a second: a quarter of an hour.
pub const KEPT: usize = 100_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    facts: VecDeque<Arc<Kept>>,
    /// Number of the oldest fact kept; that of the next one while there are none.
    oldest: u64,
    /// Facts from this number on have the names that are in force; the others have their texts.
    renamed: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kept {
    Told {
        fact: Fact,
        #[serde(skip)]
        text: OnceLock<Arc<str>>,
    },
    /// As it read before names changed.
    Text(Arc<str>),
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Told { fact, .. }, Self::Told { fact: other, .. }) => fact == other,
            (Self::Text(text), Self::Text(other)) => text == other,
            (Self::Told { .. }, Self::Text(_)) | (Self::Text(_), Self::Told { .. }) => false,
        }
    }
}

impl Kept {
    fn text(&self, board: &Board) -> Arc<str> {
        match self {
            Self::Told { fact, text } => {
                Arc::clone(text.get_or_init(|| fact_text::render(board, fact)))
            }
            Self::Text(text) => Arc::clone(text),
        }
    }
}

/// Acts, and looks at what is not for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acts {
    pub texts: Vec<Arc<str>>,
    /// The number of the newest fact that was looked at.
    pub newest: u64,
    /// Facts that are gone, where there may have been some: the first and the last.
    pub missing: Option<(u64, u64)>,
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
    pub fn push(&mut self, fact: Fact) {
        if fact.seq != self.next() {
            // A gap: facts were lost on the way here. Nobody shall believe in an unbroken stream.
            self.facts.clear();
            self.oldest = fact.seq;
        }
        if self.facts.len() == KEPT {
            self.facts.pop_front();
            self.oldest += 1;
        }
        self.facts.push_back(Arc::new(Kept::Told { fact, text: OnceLock::new() }));
    }

    /// Number of the oldest fact that somebody may ask for.
    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Up to `limit` texts from number `from` on, in the words of `board`, whose ring this is.
    pub fn from(&self, from: u64, limit: usize, board: &Board) -> Result<Vec<Arc<str>>, Missed> {
        let next = self.next();
        if from < self.oldest {
            return Err(Missed::TooOld { oldest: self.oldest });
        }
        if from > next.max(1) {
            return Err(Missed::Ahead { newest: next.saturating_sub(1) });
        }
        let skip = (from - self.oldest) as usize;
        Ok(self.facts.iter().skip(skip).take(limit).map(|kept| kept.text(board)).collect())
    }

    /// The acts among the facts behind number `seen`.
    pub fn acts_after(&self, seen: u64, board: &Board) -> Acts {
        let skip = (seen + 1).saturating_sub(self.oldest) as usize;
        let is_act = |kept: &Kept| match kept {
            Kept::Told { fact, .. } => matches!(fact.what, What::Audit(_)),
            Kept::Text(text) => text.contains("\"kind\":\"audit\""),
        };
        let acts = self.facts.iter().skip(skip).filter(|kept| is_act(kept));
        Acts {
            texts: acts.map(|kept| kept.text(board)).collect(),
            newest: self.next().saturating_sub(1),
            missing: (seen + 1 < self.oldest).then(|| (seen + 1, self.oldest - 1)),
        }
    }

    /// The names of `board` are about to change: what was told in them is written down.
    pub fn settle(&mut self, board: &Board) {
        let settled = self.renamed.saturating_sub(self.oldest) as usize;
        for kept in self.facts.iter_mut().skip(settled) {
            *kept = Arc::new(Kept::Text(kept.text(board)));
        }
        self.renamed = self.next();
    }

    fn next(&self) -> u64 {
        self.oldest + self.facts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Now;
    use crate::shell::board::Names;

    fn fact(seq: u64) -> Fact {
        Fact { seq, at: Now::default(), what: What::Reloaded }
    }

    fn ring(seqs: std::ops::Range<u64>) -> Ring {
        let mut ring = Ring::default();
        seqs.for_each(|seq| ring.push(fact(seq)));
        ring
    }

    fn board() -> Board {
        Board::new(Names::default(), Now::default())
    }

    /// The numbers in the texts.
    fn read(ring: &Ring, from: u64, limit: usize) -> Result<Vec<u64>, Missed> {
        let seq = |text: Arc<str>| {
            let line: serde_json::Value = serde_json::from_str(&text).unwrap();
            line["seq"].as_u64().unwrap()
        };
        Ok(ring.from(from, limit, &board())?.into_iter().map(seq).collect())
    }

    #[test]
    fn a_subscriber_resumes_where_it_stopped() {
        let ring = ring(1..11);
        assert_eq!(read(&ring, 8, 10), Ok(vec![8, 9, 10]));
        assert_eq!(read(&ring, 1, 2), Ok(vec![1, 2]));
        assert_eq!(read(&ring, 11, 10), Ok(Vec::new()));
        assert_eq!(read(&ring, 12, 1), Err(Missed::Ahead { newest: 10 }));
        assert_eq!(read(&Ring::default(), 1, 5), Ok(Vec::new()));
    }

    #[test]
    fn what_has_gone_is_said_to_be_gone() {
        let last = KEPT as u64 + 6;
        let ring = ring(1..last);
        assert_eq!(read(&ring, 5, 1), Err(Missed::TooOld { oldest: 6 }));
        assert_eq!(read(&ring, 6, 1), Ok(vec![6]));
        assert_eq!(read(&ring, last - 1, 9), Ok(vec![last - 1]));
    }

    #[test]
    fn a_gap_is_never_papered_over() {
        let mut ring = ring(1..5);
        ring.push(fact(9));
        assert_eq!(read(&ring, 4, 9), Err(Missed::TooOld { oldest: 9 }));
    }
}
