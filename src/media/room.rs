//! Rooms: ports that hear one another, each those it is to hear and never itself. Two parties of
//! unlike codecs are a room as well: jitter, concealment and conversion exist once.
//!
//! In: what each was heard to say, 20 ms at a time. Out: what each is to hear. Those who hear the
//! same people hear one encoding of it: of a codec that has a memory, those who always do. May
//! import: base, wire.

use super::effect::Effect;
use super::port::Port;
use super::sound::{NARROW, WIDE};
use crate::base::PortId;
use crate::base::limits::ROOM_MAX;
use crate::wire::codec::Codec;
use crate::wire::g711::Law;
use crate::wire::opus::Terms;
use std::sync::Arc;

/// Samples in 20 ms at the higher rate.
pub(super) const SAMPLES_MAX: usize = WIDE as usize / 50;

#[derive(Debug)]
pub(super) struct Room {
    pub members: Vec<PortId>,
    /// Whom each of them hears, as bits by place.
    pub hears: Vec<u16>,
    /// Whose keys are for those who hear them, as bits by place.
    pub keys: u16,
    /// In the wheel.
    pub slot: usize,
}

impl Room {
    pub fn leave(&mut self, port: PortId) {
        let Some(at) = self.members.iter().position(|member| *member == port) else { return };
        self.members.remove(at);
        self.hears.remove(at);
        let (below, above) = ((1u16 << at) - 1, u16::MAX << at);
        let masks = self.hears.iter_mut().chain([&mut self.keys]);
        masks.for_each(|mask| *mask = *mask & below | *mask >> 1 & above);
    }

    /// Who is to be told of the keys of this one.
    pub fn hearers(&self, port: PortId) -> Vec<PortId> {
        let at = self.members.iter().position(|member| *member == port);
        let Some(at) = at.filter(|at| self.keys >> at & 1 != 0) else { return Vec::new() };
        let hears = self.members.iter().zip(&self.hears).filter(|(_, hears)| *hears >> at & 1 != 0);
        hears.map(|(member, _)| *member).collect()
    }
}

/// Wide band is for two who have it: one alone could tell it to nobody.
pub(super) fn rate(wide: usize) -> u32 {
    if wide > 1 { WIDE } else { NARROW }
}

/// One turn of a room.
pub(super) struct Mix {
    rate: u32,
    said: [[i16; SAMPLES_MAX]; ROOM_MAX],
    /// Who says something, as bits by place.
    heard: u16,
    /// What was encoded already.
    known: Vec<(Shared, Arc<[u8]>)>,
}

/// Whose ears one encoding is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shared {
    /// Of whoever hears just these people now.
    Law(u16, Law),
    /// Of whoever hears these people whenever they speak: what it becomes depends on what went
    /// before.
    Coder(u16, Codec, Terms),
}

impl Mix {
    pub fn new(rate: u32) -> Self {
        Self { rate, said: [[0; SAMPLES_MAX]; ROOM_MAX], heard: 0, known: Vec::new() }
    }

    fn samples(&self) -> usize {
        self.rate as usize / 50
    }

    /// What the member at this place says.
    pub fn listen(&mut self, at: usize, port: &mut Port) {
        let samples = self.samples();
        let said = port.take_said(self.rate, &mut self.said[at][..samples]);
        self.heard |= u16::from(said) << at;
    }

    /// What a member hears who hears these.
    pub fn speak(&mut self, hears: u16, port: &mut Port, round: u64, out: &mut Vec<Effect>) {
        let Some((codec, terms)) = port.spoken() else { return };
        let who = self.heard & hears;
        let shared = match codec.law() {
            Some(law) if self.rate == NARROW => Shared::Law(who, law),
            Some(_) | None => Shared::Coder(hears, codec, terms),
        };
        let audio = match self.known.iter().find(|(known, _)| *known == shared) {
            Some((_, audio)) => Arc::clone(audio),
            None => {
                let sum = self.sum(who);
                let Some(audio) = port.encode(self.rate, &sum[..self.samples()]) else { return };
                self.known.push((shared, Arc::clone(&audio)));
                audio
            }
        };
        port.frame(round, (&audio, 0, audio.len()), out);
    }

    /// What these say together, no louder than can be said.
    fn sum(&self, who: u16) -> [i16; SAMPLES_MAX] {
        if who.is_power_of_two() {
            return self.said[who.trailing_zeros() as usize];
        }
        let mut all = [0i32; SAMPLES_MAX];
        let heard = self.said.iter().enumerate().filter(|(at, _)| who >> at & 1 != 0);
        for (_, said) in heard {
            all.iter_mut().zip(said).for_each(|(sum, sample)| *sum += i32::from(*sample));
        }
        all.map(|sum| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
    }
}
/// Rooms by their number.
#[derive(Debug, Default)]
pub(super) struct Rooms(Vec<Option<Room>>);

impl Rooms {
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Room> {
        self.0.get_mut(number as usize)?.as_mut()
    }

    /// The number that the next room will have.
    pub fn free(&mut self) -> u32 {
        let free = self.0.iter().position(Option::is_none);
        free.unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        }) as u32
    }

    pub fn put(&mut self, number: u32, room: Room) {
        self.0[number as usize] = Some(room);
    }

    pub fn remove(&mut self, number: u32) -> Option<Room> {
        self.0.get_mut(number as usize)?.take()
    }
}
