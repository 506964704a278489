//! A sorted set that also knows how many of its members come before another, and which is the
//! k-th: what a place in the line and a draw among the free agents need.
//!
//! Blocks of at most `BLOCK` members each. A change costs the search for the block and a move
//! within it; a rank costs a sum over the blocks. Two sets are equal when their members are.

use crate::base::steps::step;
use serde::de::Deserializer;
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

const BLOCK: usize = 128;

#[derive(Clone, Debug)]
pub(super) struct Sorted<T> {
    /// None is empty.
    blocks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }
}

impl<T: Ord> Sorted<T> {
    /// False: it was there.
    pub fn insert(&mut self, member: T) -> bool {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let at = self.block_of(&member).min(self.blocks.len() - 1);
        let block = &mut self.blocks[at];
        let Err(index) = block.binary_search(&member) else { return false };
        block.insert(index, member);
        self.len += 1;
        if block.len() > BLOCK {
            let upper = block.split_off(BLOCK / 2);
            self.blocks.insert(at + 1, upper);
        }
        true
    }

    /// False: it was not there.
    pub fn remove(&mut self, member: &T) -> bool {
        let at = self.block_of(member);
        let Some(block) = self.blocks.get_mut(at) else { return false };
        let Ok(index) = block.binary_search(member) else { return false };
        block.remove(index);
        self.len -= 1;
        if block.is_empty() {
            self.blocks.remove(at);
        }
        true
    }

    pub fn contains(&self, member: &T) -> bool {
        let block = self.blocks.get(self.block_of(member));
        block.is_some_and(|block| block.binary_search(member).is_ok())
    }

    pub fn first(&self) -> Option<&T> {
        self.blocks.first().and_then(|block| block.first())
    }

    /// The first member that comes after this, which need not be one.
    pub fn after(&self, member: &T) -> Option<&T> {
        let at = self.blocks.partition_point(|b| b.last().is_some_and(|last| last <= member));
        let block = self.blocks.get(at)?;
        block.get(block.partition_point(|other| other <= member))
    }

    /// How many members come before this, which need not be one.
    pub fn rank(&self, member: &T) -> usize {
        let at = self.block_of(member);
        step(at);
        let before: usize = self.blocks[..at].iter().map(Vec::len).sum();
        let within = self.blocks.get(at).map_or(0, |block| block.partition_point(|m| m < member));
        before + within
    }

    /// The member that has `rank` others before it.
    pub fn nth(&self, mut rank: usize) -> Option<&T> {
        for block in &self.blocks {
            step(1);
            match block.get(rank) {
                Some(member) => return Some(member),
                None => rank -= block.len(),
            }
        }
        None
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten().inspect(|_| step(1))
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The block that holds this, or would; one past the last when this comes after everything.
    fn block_of(&self, member: &T) -> usize {
        step(1);
        self.blocks.partition_point(|block| block.last().is_some_and(|last| last < member))
    }
}

impl<T: Ord> PartialEq for Sorted<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: Ord> FromIterator<T> for Sorted<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut sorted = Self::default();
        for member in members {
            sorted.insert(member);
        }
        sorted
    }
}

impl<T: Ord + Serialize> Serialize for Sorted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // With its length, which compact formats want to know first.
        let mut members = serializer.serialize_seq(Some(self.len))?;
        self.iter().try_for_each(|member| members.serialize_element(member))?;
        members.end()
    }
}

impl<'de, T: Ord + Deserialize<'de>> Deserialize<'de> for Sorted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<T>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn it_is_the_set_of_the_standard_library_with_ranks() {
        let mut rng = Rng::new(7);
        let (mut sorted, mut plain) = (Sorted::default(), BTreeSet::new());
        for step in 0..20_000 {
            let member = rng.below(3_000);
            match rng.chance(if step < 10_000 { 70 } else { 30 }) {
                true => assert_eq!(sorted.insert(member), plain.insert(member)),
                false => assert_eq!(sorted.remove(&member), plain.remove(&member)),
            }
            let probe = rng.below(3_100);
            assert_eq!(sorted.contains(&probe), plain.contains(&probe));
            assert_eq!(sorted.after(&probe), plain.range(probe + 1..).next());
            assert_eq!((sorted.len(), sorted.first()), (plain.len(), plain.first()));
            if step % 50 == 0 {
                assert_eq!(sorted.rank(&probe), plain.range(..probe).count());
                let nth = probe as usize;
                assert_eq!(sorted.nth(nth), plain.iter().nth(nth));
                assert!(sorted.iter().eq(plain.iter()));
            }
        }
        let text = serde_json::to_string(&sorted).unwrap();
        assert_eq!(serde_json::from_str::<Sorted<u64>>(&text).unwrap(), sorted);
    }
}
