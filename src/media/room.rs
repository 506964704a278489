//! Rooms: ports that hear one another, each those it is to hear and never itself.
//!
//! In: what each was heard to say, 20 ms at a time. Out: what each is to hear. Those who
//! hear the same people hear one encoding of it in each law. May import: base, wire.

use super::effect::Effect;
use super::port::Port;
use super::tune::FRAME;
use crate::base::PortId;
use crate::base::limits::ROOM_MAX;
use crate::wire::codec::Codec;
use crate::wire::g711::Law;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Room {
    pub members: Vec<PortId>,
    /// Whom each of them hears, as bits by place.
    pub hears: Vec<u16>,
    /// In the wheel.
    pub slot: usize,
}

impl Room {
    pub fn leave(&mut self, port: PortId) {
        let Some(at) = self.members.iter().position(|member| *member == port) else { return };
        self.members.remove(at);
        self.hears.remove(at);
        let (below, above) = ((1u16 << at) - 1, u16::MAX << at);
        self.hears.iter_mut().for_each(|mask| *mask = *mask & below | *mask >> 1 & above);
    }
}

/// One turn of a room.
pub(super) struct Mix {
    said: [[i16; FRAME]; ROOM_MAX],
    /// Who says something, as bits by place.
    heard: u16,
    /// What was encoded already: of whom, in which law.
    known: Vec<(u16, Law, Arc<[u8]>)>,
}

impl Mix {
    pub fn new() -> Self {
        Self { said: [[0; FRAME]; ROOM_MAX], heard: 0, known: Vec::new() }
    }

    /// What the member at this place says.
    pub fn listen(&mut self, at: usize, port: &mut Port) {
        self.heard |= u16::from(port.take_said(&mut self.said[at])) << at;
    }

    /// What the member at this place hears.
    pub fn speak(&mut self, hears: u16, port: &mut Port, round: u64, out: &mut Vec<Effect>) {
        let Some(law) = port.codec().and_then(Codec::law) else { return };
        let who = self.heard & hears;
        let known = self.known.iter().find(|(whom, other, _)| (*whom, *other) == (who, law));
        let audio = match known {
            Some((_, _, audio)) => Arc::clone(audio),
            None => {
                let audio = self.sum(who, law);
                self.known.push((who, law, Arc::clone(&audio)));
                audio
            }
        };
        out.extend(port.frame(round, &audio, 0).map(Effect::Send));
    }

    /// What these say together, no louder than can be said.
    fn sum(&self, who: u16, law: Law) -> Arc<[u8]> {
        let mut all = [0i32; FRAME];
        let heard = self.said.iter().enumerate().filter(|(at, _)| who >> at & 1 != 0);
        for (_, said) in heard {
            all.iter_mut().zip(said).for_each(|(sum, sample)| *sum += i32::from(*sample));
        }
        let limit = |sum: i32| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        all.into_iter().map(|sum| law.encode(limit(sum))).collect()
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
