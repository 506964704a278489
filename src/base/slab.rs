//! A table keyed by dense ids. Iterates in slot order; a removed id never comes back to life.

use super::Id;
use super::steps::step;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slab<K, T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    key: PhantomData<K>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<K, T> Default for Slab<K, T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), key: PhantomData }
    }
}

impl<K: Id, T> Slab<K, T> {
    /// The id that the next `insert` will return.
    pub fn next_key(&self) -> K {
        match self.free.last() {
            Some(&slot) => K::new(slot, self.slots[slot as usize].generation),
            None => K::new(self.slots.len() as u32, 0),
        }
    }

    pub fn insert(&mut self, value: T) -> K {
        let key = self.next_key();
        match self.free.pop() {
            Some(slot) => self.slots[slot as usize].value = Some(value),
            None => self.slots.push(Slot { generation: 0, value: Some(value) }),
        }
        key
    }

    pub fn remove(&mut self, key: K) -> Option<T> {
        let slot = self.slots.get_mut(key.slot() as usize)?;
        if slot.generation != key.generation() {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot());
        Some(value)
    }

    pub fn get(&self, key: K) -> Option<&T> {
        step(1);
        let slot = self.slots.get(key.slot() as usize)?;
        slot.value.as_ref().filter(|_| slot.generation == key.generation())
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        step(1);
        let slot = self.slots.get_mut(key.slot() as usize)?;
        slot.value.as_mut().filter(|_| slot.generation == key.generation())
    }

    pub fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, s)| {
            step(1);
            s.value.as_ref().map(|value| (K::new(slot as u32, s.generation), value))
        })
    }

    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LegId;

    #[test]
    fn a_removed_id_never_names_its_successor() {
        let mut slab: Slab<LegId, &str> = Slab::default();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(first.slot(), second.slot());
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&"second")));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn next_key_is_what_insert_returns() {
        let mut slab: Slab<LegId, u8> = Slab::default();
        let expected = slab.next_key();
        assert_eq!(slab.insert(1), expected);
        slab.remove(expected);
        let expected = slab.next_key();
        assert_eq!(slab.insert(2), expected);
    }
}
