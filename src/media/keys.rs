//! Keys of a telephone (RFC 4733): each press is told once, however many packets carry it and
//! whichever of them are lost. May import: wire.

use crate::base::Instant;
use crate::wire::dtmf::Press;
use std::time::Duration;

/// Which presses have been told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys {
    last: Option<(u32, u32, char)>,
    /// Since when presses are counted, and how many were told.
    second: Option<(Instant, u8)>,
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

/// How far back a late packet of an older press may lie, in units of the timestamp: 5 s.
const LATE: u32 = 40_000;

impl Keys {
    /// All packets of a press carry the timestamp of its beginning (RFC 4733 section 2.5.1.2).
    pub fn heard(&mut self, now: Instant, (ssrc, timestamp): (u32, u32), payload: &[u8]) -> Heard {
        let Some(Press { key, .. }) = Press::parse(payload) else { return Heard::Nothing };
        if let Some((last_ssrc, last, _)) = self.last
            && last_ssrc == ssrc
            && last.wrapping_sub(timestamp) < LATE
        {
            return Heard::Nothing;
        }
        self.last = Some((ssrc, timestamp, key));
        let (since, told) = match self.second {
            Some((since, told)) if now.since(since) < Duration::from_secs(1) => (since, told),
            Some(_) | None => (now, 0),
        };
        if told == A_SECOND {
            return Heard::TooMany;
        }
        self.second = Some((since, told + 1));
        Heard::Key(key)
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
