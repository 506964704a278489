//! Keys that we press for a far end: as telephone-event (RFC 4733), or as tones in the sound where
//! it knows no other way.
//!
//! In: keys, and the rounds of the wheel. Out: what is due in each. May import: wire.

use super::tones;
use crate::wire::dtmf::Press;
use std::collections::VecDeque;

/// Keys that wait to be pressed.
const KEYS_MAX: usize = 32;
/// Rounds of 20 ms: how long a key is down, its end is told three times (RFC 4733 section
/// 2.5.1.4), and there is a pause before the next.
const DOWN: u16 = 5;
const END: u16 = DOWN + 2;
const ROUNDS: u16 = DOWN + 5;
/// Power of the tone, in dB below 0 dBm0.
const VOLUME: u8 = 10;

#[derive(Debug)]
pub struct Presses {
    pub slot: usize,
    keys: VecDeque<char>,
    /// Rounds since the first key went down.
    step: u16,
    /// Of the first packet of this press.
    timestamp: u32,
    last: Option<u32>,
    /// This press began amid a stream of our own, and not amid another's that is passed on.
    amid_ours: bool,
}

/// What a round brings.
#[derive(Debug, PartialEq)]
pub enum Due {
    /// A packet of telephone-event.
    Event {
        payload: [u8; 4],
        timestamp: u32,
        first: bool,
    },
    /// 20 ms of a tone, or of the silence behind it.
    Tone(Box<[i16; 160]>),
    Pause,
    /// All have been pressed.
    Over,
}

/// How they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With this many ticks in 20 ms, and the timestamp of the stream as it is.
    Events {
        ticks: u32,
        stream: u32,
    },
    Tones,
}

impl Presses {
    pub fn new(slot: usize) -> Self {
        Self { slot, keys: VecDeque::new(), step: 0, timestamp: 0, last: None, amid_ours: false }
    }

    pub fn add(&mut self, keys: &str) {
        let real = keys.chars().map(|key| key.to_ascii_uppercase()).filter(|key| is_key(*key));
        self.keys.extend(real.take(KEYS_MAX - self.keys.len().min(KEYS_MAX)));
    }

    /// Whether a key is down that went down amid our own stream.
    pub fn is_amid_ours(&self) -> bool {
        self.amid_ours && (1..END).contains(&self.step)
    }

    /// `amid_ours`: what the far end hears now is our own stream.
    pub fn turn(&mut self, way: Way, amid_ours: bool) -> Due {
        let Some(&key) = self.keys.front() else { return Due::Over };
        let step = self.step;
        if step == 0 {
            self.amid_ours = amid_ours;
        }
        self.step = (step + 1) % ROUNDS;
        if self.step == 0 {
            self.keys.pop_front();
        }
        match way {
            Way::Tones if step < DOWN => {
                Due::Tone(Box::new(tones::tone(key, u32::from(step) * 160)))
            }
            Way::Tones => Due::Tone(Box::new([0; 160])),
            Way::Events { ticks, stream } => {
                if step == 0 {
                    // Two presses are told apart by their timestamps alone.
                    let after = self.last.map(|last| last.wrapping_add(u32::from(ROUNDS) * ticks));
                    let newer = |after: u32| stream.wrapping_sub(after) < u32::MAX / 2;
                    self.timestamp = after.filter(|after| !newer(*after)).unwrap_or(stream);
                    self.last = Some(self.timestamp);
                }
                let duration = u32::from((step + 1).min(DOWN)) * ticks;
                let end = step + 1 >= DOWN;
                let press = Press { key, end, volume: VOLUME, duration: duration as u16 };
                match press.bytes().filter(|_| step < END) {
                    Some(payload) => {
                        Due::Event { payload, timestamp: self.timestamp, first: step == 0 }
                    }
                    None => Due::Pause,
                }
            }
        }
    }
}

fn is_key(key: char) -> bool {
    Press { key, end: false, volume: 0, duration: 0 }.bytes().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_grows_ends_three_times_and_the_next_is_another() {
        let mut presses = Presses::new(0);
        presses.add("1x#");
        let way = Way::Events { ticks: 160, stream: 1_000 };
        let all: Vec<Due> = (0..21).map(|_| presses.turn(way, true)).collect();
        let told = |due: &Due| match due {
            Due::Event { payload, timestamp, first } => {
                let press = Press::parse(payload).unwrap();
                Some((press.key, press.duration, press.end, *timestamp, *first))
            }
            Due::Tone(_) | Due::Pause | Due::Over => None,
        };
        let one: Vec<_> = all[..10].iter().filter_map(told).collect();
        let durations: Vec<u16> = one.iter().map(|press| press.1).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        let ends: Vec<bool> = one.iter().map(|press| press.2).collect();
        assert_eq!(ends, [false, false, false, false, true, true, true]);
        assert!(one.iter().all(|press| press.0 == '1' && press.3 == 1_000));
        assert!(one[0].4 && !one[1].4);
        let two: Vec<_> = all[10..20].iter().filter_map(told).collect();
        assert!(two.iter().all(|press| press.0 == '#' && press.3 == 1_000 + 10 * 160));
        assert_eq!(all[20], Due::Over);
    }

    #[test]
    fn no_more_keys_wait_than_fit() {
        let mut presses = Presses::new(0);
        (0..10).for_each(|_| presses.add("0123456789"));
        assert_eq!(presses.keys.len(), KEYS_MAX);
    }

    #[test]
    fn a_tone_that_we_press_is_a_key_that_we_hear() {
        for key in "0123456789*#ABCD".chars() {
            let (mut presses, mut ear) = (Presses::new(0), tones::Tones::default());
            presses.add(&key.to_string());
            let mut heard = Vec::new();
            for _ in 0..ROUNDS {
                if let Due::Tone(samples) = presses.turn(Way::Tones, true) {
                    ear.hear(*samples, &mut heard);
                }
            }
            assert_eq!(heard, [key]);
        }
    }
}
