//! What is played to a port, and how far it has come: a list of tunes once, then music for ever.
//!
//! In: the rounds of the wheel, 20 ms apart. Out: the frame that is due. May import: base.

use super::control::Far;
use super::tune::{Piece, Tune};
use crate::base::Instant;

/// Microseconds from one round to the next.
pub const ROUND: u64 = 20_000;

#[derive(Debug)]
pub struct Playing {
    pub slot: usize,
    pub piece: u32,
    /// None of them is empty.
    list: Vec<Tune>,
    /// Which of the list, and which frame of it, comes next.
    at: usize,
    frame: usize,
    /// And since which round it plays.
    music: Option<(Tune, u64)>,
    /// The end of the list has been told, or there was none.
    told: bool,
}

impl Playing {
    pub fn new(slot: usize, piece: u32, list: Vec<Tune>, music: Option<(Tune, Instant)>) -> Self {
        let told = list.is_empty();
        let music = music.map(|(tune, since)| (tune, since.0 / ROUND));
        Self { slot, piece, list, at: 0, frame: 0, music, told }
    }

    /// The frame of this round. `None`: it is over.
    pub fn next(&mut self, far: &Far, round: u64) -> Option<Piece> {
        if let Some(tune) = self.list.get(self.at) {
            let piece = tune.frame(far.codec, &far.opus, self.frame);
            self.frame += 1;
            if self.frame >= tune.frames() {
                (self.at, self.frame) = (self.at + 1, 0);
            }
            return Some(piece);
        }
        let (tune, since) = self.music.as_ref()?;
        let frame = round.saturating_sub(*since) % tune.frames() as u64;
        Some(tune.frame(far.codec, &far.opus, frame as usize))
    }

    /// The list has just come to its end. True once.
    pub fn list_ended(&mut self) -> bool {
        let ended = self.at >= self.list.len() && !self.told;
        self.told |= ended;
        ended
    }

    pub fn is_over(&self) -> bool {
        self.music.is_none() && self.at >= self.list.len()
    }
}
