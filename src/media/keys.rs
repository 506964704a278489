//! Keys of a telephone (RFC 4733): each press is told once, however many packets carry it and
//! whichever of them are lost. May import: wire.

use crate::wire::dtmf::Press;

/// Which presses have been told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys {
    last: Option<(u32, u32, char)>,
}

/// How far back a late packet of an older press may lie, in units of the timestamp: 5 s.
const LATE: u32 = 40_000;

impl Keys {
    /// The key, if this packet is the first to tell of its press. All packets of a press carry the
    /// timestamp of its beginning (RFC 4733 section 2.5.1.2).
    pub fn heard(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        let key = Press::parse(payload)?.key;
        if let Some((last_ssrc, last, _)) = self.last
            && last_ssrc == ssrc
            && last.wrapping_sub(timestamp) < LATE
        {
            return None;
        }
        self.last = Some((ssrc, timestamp, key));
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: char, end: bool, duration: u16) -> [u8; 4] {
        Press { key, end, volume: 10, duration }.bytes().unwrap()
    }

    #[test]
    fn a_press_of_many_packets_is_told_once() {
        let mut keys = Keys::default();
        assert_eq!(keys.heard(1, 800, &press('5', false, 160)), Some('5'));
        for duration in [320, 480] {
            assert_eq!(keys.heard(1, 800, &press('5', false, duration)), None);
        }
        for _ in 0..3 {
            assert_eq!(keys.heard(1, 800, &press('5', true, 640)), None);
        }
        assert_eq!(keys.heard(1, 4_000, &press('5', false, 160)), Some('5'));
        assert_eq!(keys.heard(1, 800, &press('5', true, 640)), None);
    }

    #[test]
    fn lost_packets_lose_no_press_as_long_as_one_comes() {
        let mut keys = Keys::default();
        assert_eq!(keys.heard(1, 800, &press('1', true, 640)), Some('1'));
        assert_eq!(keys.heard(1, 2_400, &press('2', false, 160)), Some('2'));
        assert_eq!(keys.heard(2, 100, &press('3', false, 160)), Some('3'));
        assert_eq!(keys.heard(2, u32::MAX - 10, &press('4', false, 160)), None);
        assert_eq!(keys.heard(3, u32::MAX - 10, &press('4', false, 160)), Some('4'));
        assert_eq!(keys.heard(3, 20, &press('4', false, 160)), Some('4'));
        assert_eq!(keys.heard(3, 40_000, &[99, 0, 0, 0]), None);
    }
}
