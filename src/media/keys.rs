//! Keys of a telephone (RFC 4733): each press is told once, however many packets carry it and
//! whichever of them are lost. May import: base, wire.

use crate::base::Instant;
use crate::wire::dtmf::Press;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which presses have been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    last: Option<Told>,
    /// Since when presses are counted, and how many were told.
    second: Option<(Instant, u8)>,
}

/// A press that was told: its stream, when it began, which key, and for how long it is held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    ssrc: u32,
    timestamp: u32,
    key: char,
    duration: u16,
}

/// What a packet says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// This is the first packet of its press.
    Key(char),
    /// No key, or one that has been told.
    Nothing,
    /// More presses than a person, or a dialler, makes in a second.
    TooMany,
}

/// Presses of one port that are told in a second: whoever sends more wants to keep us busy.
const A_SECOND: u8 = 20;

/// Who holds a key for so long may have more to say of it than a duration holds.
const LONG: u16 = 0xe000;

/// How far back a late packet of an older press may lie, in units of the timestamp: 5 s.
const LATE: u32 = 40_000;

impl Keys {
    /// All packets of a press carry the timestamp of its beginning (RFC 4733 section 2.5.1.2).
    pub fn heard(&mut self, now: Instant, (ssrc, timestamp): (u32, u32), payload: &[u8]) -> Heard {
        let Some(Press { key, duration, .. }) = Press::parse(payload) else {
            return Heard::Nothing;
        };
        if let Some(last) = self.last.as_mut().filter(|last| last.ssrc == ssrc) {
            if last.timestamp == timestamp {
                last.duration = last.duration.max(duration);
            }
            if last.timestamp.wrapping_sub(timestamp) < LATE {
                return Heard::Nothing;
            }
            // RFC 4733 section 2.5.1.3: a key that is held for longer than can be said goes on as
            // another segment, where the one before has ended.
            let since = timestamp.wrapping_sub(last.timestamp);
            let goes_on = since == u32::from(last.duration) || since == u32::from(u16::MAX);
            if last.key == key && last.duration >= LONG && goes_on {
                *last = Told { ssrc, timestamp, key, duration };
                return Heard::Nothing;
            }
        }
        self.last = Some(Told { ssrc, timestamp, key, duration });
        match self.is_one_more(now) {
            true => Heard::Key(key),
            false => Heard::TooMany,
        }
    }

    /// Whether another press may be told, wherever it was heard.
    pub fn is_one_more(&mut self, now: Instant) -> bool {
        let (since, told) = match self.second {
            Some((since, told)) if now.since(since) < Duration::from_secs(1) => (since, told),
            Some(_) | None => (now, 0),
        };
        if told == A_SECOND {
            return false;
        }
        self.second = Some((since, told + 1));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: char, end: bool, duration: u16) -> [u8; 4] {
        Press { key, end, volume: 10, duration }.bytes().unwrap()
    }

    const NOW: Instant = Instant(1_000_000);

    fn heard(keys: &mut Keys, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        match keys.heard(NOW, (ssrc, timestamp), payload) {
            Heard::Key(key) => Some(key),
            Heard::Nothing => None,
            Heard::TooMany => panic!("too many"),
        }
    }

    #[test]
    fn a_press_of_many_packets_is_told_once() {
        let mut keys = Keys::default();
        assert_eq!(heard(&mut keys, 1, 800, &press('5', false, 160)), Some('5'));
        for duration in [320, 480] {
            assert_eq!(heard(&mut keys, 1, 800, &press('5', false, duration)), None);
        }
        for _ in 0..3 {
            assert_eq!(heard(&mut keys, 1, 800, &press('5', true, 640)), None);
        }
        assert_eq!(heard(&mut keys, 1, 4_000, &press('5', false, 160)), Some('5'));
        assert_eq!(heard(&mut keys, 1, 800, &press('5', true, 640)), None);
    }

    #[test]
    fn a_key_that_is_held_for_longer_than_can_be_said_is_one_press() {
        let mut keys = Keys::default();
        let mut told = Vec::new();
        for segment in 0..3u32 {
            for held in (960..=u16::MAX).step_by(960).chain([u16::MAX]) {
                let at = 5_000 + segment * 0xffff;
                told.extend(heard(&mut keys, 1, at, &press('5', false, held)));
            }
        }
        assert_eq!(told, ['5']);
        let next = 5_000 + 3 * 0xffff + 4_000;
        assert_eq!(heard(&mut keys, 1, next, &press('5', false, 160)), Some('5'));
    }

    #[test]
    fn lost_packets_lose_no_press_as_long_as_one_comes() {
        let mut keys = Keys::default();
        assert_eq!(heard(&mut keys, 1, 800, &press('1', true, 640)), Some('1'));
        assert_eq!(heard(&mut keys, 1, 2_400, &press('2', false, 160)), Some('2'));
        assert_eq!(heard(&mut keys, 2, 100, &press('3', false, 160)), Some('3'));
        assert_eq!(heard(&mut keys, 2, u32::MAX - 10, &press('4', false, 160)), None);
        assert_eq!(heard(&mut keys, 3, u32::MAX - 10, &press('4', false, 160)), Some('4'));
        assert_eq!(heard(&mut keys, 3, 20, &press('4', false, 160)), Some('4'));
        assert_eq!(heard(&mut keys, 3, 40_000, &[99, 0, 0, 0]), None);
    }

    #[test]
    fn a_flood_of_presses_is_told_no_faster_than_keys_can_be_pressed() {
        let mut keys = Keys::default();
        let mut told = |span: std::ops::Range<u64>| {
            let one = |n: u64| {
                let now = NOW + Duration::from_millis(n);
                keys.heard(now, (1, 50_000 + n as u32), &press('5', false, 160))
            };
            let all: Vec<Heard> = span.map(one).collect();
            assert!(!all.contains(&Heard::Nothing));
            all.iter().filter(|heard| **heard == Heard::Key('5')).count()
        };
        assert_eq!(told(0..1_000), usize::from(A_SECOND));
        assert_eq!(told(1_000..2_000), usize::from(A_SECOND));
    }
}
