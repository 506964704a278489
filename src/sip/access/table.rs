//! A bounded table whose entries age: each has a time after which it means nothing, and when the
//! table is full the entry that is nearest to that time gives way.

use crate::base::Instant;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table<K: Ord, V> {
    entries: BTreeMap<K, (Instant, V)>,
    order: BTreeSet<(Instant, K)>,
    most: usize,
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub fn new(most: usize) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeSet::new(), most }
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (until, value) = self.entries.remove(key)?;
        self.order.remove(&(until, key.clone()));
        Some(value)
    }

    /// Old entries leave at most two at a time, so that no single request pays for many.
    pub fn put(&mut self, now: Instant, key: K, until: Instant, value: V) {
        self.remove(&key);
        for _ in 0..2 {
            let full = self.entries.len() >= self.most;
            if self.order.first().is_some_and(|&(end, _)| full || end <= now)
                && let Some((_, old)) = self.order.pop_first()
            {
                self.entries.remove(&old);
            }
        }
        self.order.insert((until, key.clone()));
        self.entries.insert(key, (until, value));
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        debug_assert_eq!(self.entries.len(), self.order.len());
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_nearest_to_its_end_gives_way() {
        let mut table = Table::new(2);
        table.put(Instant(0), "a", Instant(30), 1);
        table.put(Instant(0), "b", Instant(20), 2);
        table.put(Instant(0), "c", Instant(40), 3);
        assert_eq!((table.len(), table.get(&"b")), (2, None));
        table.put(Instant(50), "d", Instant(60), 4);
        assert_eq!((table.len(), table.get(&"d")), (1, Some(&4)));
        table.put(Instant(50), "d", Instant(70), 5);
        assert_eq!((table.len(), table.remove(&"d"), table.len()), (1, Some(5), 0));
    }
}
