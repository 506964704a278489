//! Keys as telephone-event (RFC 4733 section 2.3): four octets in an RTP payload.
//!
//! In: a payload. Out: a [`Press`]. May import: base.

/// What one packet of a key press says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    pub key: char,
    /// The last packet of the press; it is sent three times.
    pub end: bool,
    /// Power below 0 dBm0, in dB.
    pub volume: u8,
    /// How long the key has been down, in units of the timestamp.
    pub duration: u16,
}

/// Makes a duration of ticks of one clock the same of another, in place.
pub fn scale(payload: &mut [u8], from: u32, to: u32) {
    if let [_, _, high, low, ..] = payload {
        let duration = u64::from(u16::from_be_bytes([*high, *low]));
        let scaled = duration * u64::from(to) / u64::from(from.max(1));
        [*high, *low] = u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes();
    }
}

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

impl Press {
    /// `None` for anything that is no key: flash, tones, a short payload.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low, ..] = payload else { return None };
        let key = char::from(*KEYS.get(usize::from(event))?);
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { key, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// `None` where `key` is none.
    pub fn bytes(&self) -> Option<[u8; 4]> {
        let event = KEYS.iter().position(|key| char::from(*key) == self.key)?;
        let [high, low] = self.duration.to_be_bytes();
        Some([event as u8, u8::from(self.end) << 7 | self.volume & 0x3f, high, low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_as_it_was_written() {
        for key in "0123456789*#ABCD".chars() {
            for end in [false, true] {
                let press = Press { key, end, volume: 10, duration: 1_600 };
                assert_eq!(Press::parse(&press.bytes().unwrap()), Some(press));
            }
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(Press::parse(&[]), None);
        assert_eq!(Press::parse(&[1, 2, 3]), None);
        assert_eq!(Press::parse(&[16, 0, 0, 0]), None);
        assert_eq!(Press { key: 'x', end: false, volume: 0, duration: 0 }.bytes(), None);
    }
}
