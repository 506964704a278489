//! Rooms: three or more ports that hear one another, each all the others and never itself.
//!
//! In: what each was heard to say, 20 ms at a time. Out: what each is to hear. Those who say
//! nothing all hear the same, and it is encoded once for each law. May import: base, wire.

use super::effect::Effect;
use super::port::Port;
use super::tune::FRAME;
use crate::base::PortId;
use crate::base::limits::ROOM_MAX;
use crate::wire::g711::Law;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Room {
    pub members: Vec<PortId>,
    /// In the wheel.
    pub slot: usize,
}

/// One turn of a room.
pub(super) struct Mix {
    said: [[i16; FRAME]; ROOM_MAX],
    spoke: [bool; ROOM_MAX],
    all: [i32; FRAME],
    /// What those hear who say nothing, by law.
    quiet: [Option<Arc<[u8]>>; 2],
}

impl Mix {
    pub fn new() -> Self {
        let none = [None, None];
        Self {
            said: [[0; FRAME]; ROOM_MAX],
            spoke: [false; ROOM_MAX],
            all: [0; FRAME],
            quiet: none,
        }
    }

    /// What the member at this place says.
    pub fn listen(&mut self, at: usize, port: &mut Port) {
        self.spoke[at] = port.take_said(&mut self.said[at]);
        if self.spoke[at] {
            for (sum, sample) in self.all.iter_mut().zip(&self.said[at]) {
                *sum += i32::from(*sample);
            }
        }
    }

    /// What the member at this place hears.
    pub fn speak(&mut self, at: usize, port: &mut Port, round: u64, out: &mut Vec<Effect>) {
        let Some(law) = port.law() else { return };
        let audio = match self.spoke[at] {
            true => self.without(Some(at), law),
            false => {
                let index = usize::from(law == Law::Mu);
                let known = self.quiet[index].clone();
                let audio = known.unwrap_or_else(|| self.without(None, law));
                self.quiet[index] = Some(Arc::clone(&audio));
                audio
            }
        };
        out.extend(port.frame(round, &audio, 0).map(Effect::Send));
    }

    /// The sum of all but one, no louder than can be said.
    fn without(&self, at: Option<usize>, law: Law) -> Arc<[u8]> {
        let own = at.map(|at| &self.said[at]);
        let octet = |n: usize| {
            let others = self.all[n] - own.map_or(0, |own| i32::from(own[n]));
            law.encode(others.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
        };
        (0..FRAME).map(octet).collect()
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
