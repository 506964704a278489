//! Numbers that are a nuisance: strikes by agents, and the blocks that follow from them or from a
//! supervisor's word, each with its reason and its end. Silence alone never blocks: only what an
//! agent has said of a call counts.
//!
//! In: numbers, what agents say of calls, the time. Out: who may not come in, and until when.

use crate::base::{CallId, Instant, Wall, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSettings {
    /// Calls of a category that strikes, within the span, after which a number is blocked. Zero:
    /// never.
    pub strikes: u32,
    pub within: Duration,
    pub block_for: Duration,
    /// Calls of one number, within the span, over which it is flagged. Zero: never.
    pub burst: u32,
    pub burst_within: Duration,
    /// Whether it is turned away too.
    pub refuse_burst: bool,
}

impl Default for BlockSettings {
    fn default() -> Self {
        Self {
            strikes: 10,
            within: Duration::from_secs(7 * 86_400),
            block_for: Duration::from_secs(7 * 86_400),
            burst: 20,
            burst_within: Duration::from_secs(600),
            refuse_burst: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub number: String,
    pub reason: String,
    /// An agent's id, or `admin`.
    pub by: String,
    /// Counted by the clock that never steps …
    pub until: Instant,
    /// … and as people read it.
    pub ends: Wall,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    blocked: BTreeMap<String, Block>,
    strikes: Moments,
    calls: Moments,
    /// Calls that an agent may still say something of, the oldest first.
    recent: VecDeque<Recent>,
}

/// When something was with a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Moments {
    of: BTreeMap<String, VecDeque<Instant>>,
    /// The last number that was looked at whether all of its are over.
    looked: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    call: CallId,
    number: String,
    struck: Option<Instant>,
}

impl Blocks {
    pub fn of(&self, number: &str, now: Instant) -> Option<&Block> {
        self.blocked.get(number).filter(|block| block.until > now)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocked.values()
    }

    /// A call of this number comes in. True: there are too many of them.
    pub fn arrives(&mut self, settings: &BlockSettings, number: &str, now: Instant) -> bool {
        self.strikes.forget(settings.within, now);
        self.calls.forget(settings.burst_within, now);
        if number.is_empty() || settings.burst == 0 {
            return false;
        }
        let span = settings.burst_within;
        self.calls.note(number, span, settings.burst as usize + 1, now) > settings.burst as usize
    }

    /// Something may be said of this call.
    pub fn remember(&mut self, call: CallId, number: &str) {
        if number.is_empty() {
            return;
        }
        self.recent.push_back(Recent { call, number: number.into(), struck: None });
        if self.recent.len() > limits::CALLERS_REMEMBERED_MAX {
            self.recent.pop_front();
        }
    }

    /// What an agent says of a call: one strike a call, taken back where the next word is another.
    /// The block that follows, where it was one too many.
    pub fn judged(
        &mut self,
        settings: &BlockSettings,
        call: CallId,
        strike: Option<(&str, &str)>,
        (now, wall): (Instant, Wall),
    ) -> Option<Block> {
        let recent = self.recent.iter_mut().rev().find(|recent| recent.call == call)?;
        let number = recent.number.clone();
        match (strike, recent.struck) {
            (None, None) | (Some(_), Some(_)) => None,
            (None, Some(at)) => {
                recent.struck = None;
                if let Some(strikes) = self.strikes.of.get_mut(&number) {
                    strikes.retain(|struck| *struck != at);
                }
                None
            }
            (Some((by, category)), None) => {
                recent.struck = Some(now);
                let most = settings.strikes.max(1) as usize;
                let count = self.strikes.note(&number, settings.within, most, now);
                if settings.strikes == 0 || count < most || self.of(&number, now).is_some() {
                    return None;
                }
                self.strikes.of.remove(&number);
                let reason = format!("{count} calls, the last of them {category}");
                self.block(&number, reason, by, (now, wall), settings.block_for)
            }
        }
    }

    /// `None`: as many are blocked as can be.
    pub fn block(
        &mut self,
        number: &str,
        reason: String,
        by: &str,
        (now, wall): (Instant, Wall),
        span: Duration,
    ) -> Option<Block> {
        if self.blocked.len() >= limits::BLOCKS_MAX && !self.blocked.contains_key(number) {
            return None;
        }
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let ends = Wall(wall.0.saturating_add(micros));
        let (number, by) = (number.to_string(), by.to_string());
        let block = Block { number: number.clone(), reason, by, until: now + span, ends };
        self.blocked.insert(number, block.clone());
        Some(block)
    }

    pub fn unblock(&mut self, number: &str) -> Option<Block> {
        self.blocked.remove(number)
    }

    /// Blocks that are over.
    pub fn expire(&mut self, now: Instant) -> Vec<Block> {
        let over = |block: &&Block| block.until <= now;
        let over: Vec<Block> = self.blocked.values().filter(over).cloned().collect();
        over.iter().for_each(|block| _ = self.blocked.remove(&block.number));
        over
    }

    /// When the next block is over.
    pub fn next(&self) -> Option<Instant> {
        self.blocked.values().map(|block| block.until).min()
    }
}

impl Moments {
    /// Notes one under a number; how many there are within the span, no more than `most` counted.
    fn note(&mut self, number: &str, span: Duration, most: usize, now: Instant) -> usize {
        let table = &mut self.of;
        if table.len() >= limits::BLOCKS_MAX && !table.contains_key(number) {
            table.retain(|_, moments| moments.back().is_some_and(|&at| now.since(at) < span));
            if table.len() >= limits::BLOCKS_MAX {
                return 0;
            }
        }
        let moments = table.entry(number.into()).or_default();
        while moments.front().is_some_and(|&at| now.since(at) >= span) || moments.len() >= most {
            moments.pop_front();
        }
        moments.push_back(now);
        moments.len()
    }

    /// Looks at the next two numbers, round and round: at least as many go as come, so that no more
    /// than twice those are kept that count.
    fn forget(&mut self, span: Duration, now: Instant) {
        for _ in 0..2 {
            let behind = (Bound::Excluded(self.looked.as_str()), Bound::Unbounded);
            let Some((number, moments)) = self.of.range::<str, _>(behind).next() else {
                return self.looked.clear();
            };
            let (number, last) = (number.clone(), moments.back().copied());
            if last.is_none_or(|at| now.since(at) >= span) {
                self.of.remove(&number);
            }
            self.looked = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Id;

    const DAY: Duration = Duration::from_secs(86_400);

    fn settings() -> BlockSettings {
        BlockSettings { strikes: 3, burst: 2, ..BlockSettings::default() }
    }

    struct Line(Blocks, u32);

    impl Line {
        fn call(&mut self, strike: Option<&str>, now: Instant) -> (CallId, Option<Block>) {
            self.1 += 1;
            let call = CallId::new(self.1, 0);
            self.0.remember(call, "+919826012345");
            let strike = strike.map(|category| ("op1", category));
            (call, self.0.judged(&settings(), call, strike, (now, Wall(0))))
        }
    }

    #[test]
    fn so_many_strikes_in_a_week_block_for_a_week() {
        let mut line = Line(Blocks::default(), 0);
        let mut now = Instant(1);
        assert_eq!(line.call(Some("prank"), now).1, None);
        now = now + 6 * DAY;
        assert_eq!(line.call(Some("prank"), now).1, None);
        now = now + 2 * DAY;
        assert_eq!(line.call(Some("blank"), now).1, None, "the first one is forgotten");
        let block = line.call(Some("prank"), now).1.unwrap();
        assert_eq!(block.reason, "3 calls, the last of them prank");
        assert!(line.0.of("+919826012345", now + 6 * DAY).is_some());
        assert_eq!(line.0.next(), Some(now + 7 * DAY));
        assert!(line.0.of("+919826012345", now + 7 * DAY).is_none());
        assert_eq!(line.0.expire(now + 7 * DAY), [block]);
        assert_eq!(line.0.next(), None);
    }

    #[test]
    fn a_call_is_one_strike_and_a_word_may_be_taken_back() {
        let mut line = Line(Blocks::default(), 0);
        let now = Instant(1);
        let (call, _) = line.call(Some("prank"), now);
        for _ in 0..5 {
            let again = line.0.judged(&settings(), call, Some(("op1", "blank")), (now, Wall(0)));
            assert_eq!(again, None);
        }
        line.0.judged(&settings(), call, None, (now, Wall(0)));
        assert_eq!(line.call(Some("prank"), Instant(2)).1, None);
        assert_eq!(line.call(Some("prank"), Instant(3)).1, None);
        assert!(line.call(Some("prank"), Instant(4)).1.is_some());
    }

    #[test]
    fn a_burst_is_counted_and_passes() {
        let mut blocks = Blocks::default();
        let over = |blocks: &mut Blocks, at| blocks.arrives(&settings(), "+91", Instant(at));
        assert!(!over(&mut blocks, 1) && !over(&mut blocks, 2) && over(&mut blocks, 3));
        assert!(!blocks.arrives(&settings(), "", Instant(4)), "who withholds the number");
        assert!(!over(&mut blocks, 700_000_000));
    }

    #[test]
    fn whoever_has_not_called_for_long_is_remembered_no_more_and_whoever_counts_is() {
        let mut blocks = Blocks::default();
        let mut now = Instant(1);
        let strike = |blocks: &mut Blocks, number: &str, now| {
            let call = CallId::new(1, 0);
            blocks.remember(call, number);
            blocks.judged(&settings(), call, Some(("op1", "prank")), (now, Wall(0)))
        };
        strike(&mut blocks, "+910", now);
        for n in 0..20_000 {
            now = now + Duration::from_secs(60);
            blocks.arrives(&settings(), &format!("+91{}", n * 7_919 % 20_011), now);
            assert!(blocks.calls.of.len() <= 20, "{n}: ten count at a time");
        }
        assert_eq!(blocks.strikes.of.len(), 0, "that was two weeks ago");
        for n in 0..3 {
            now = now + 2 * DAY;
            assert_eq!(strike(&mut blocks, "+911", now).is_some(), n == 2);
            for n in 0..50 {
                blocks.arrives(&settings(), &format!("+92{n}"), now);
            }
        }
    }
}
