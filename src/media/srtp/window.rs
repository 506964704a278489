//! Numbers of packets that were sealed or opened, each once (RFC 3711 section 3.3.2).
//! May import: nothing.

/// How far below the highest a number may come late.
const WIDTH: u64 = 128;

#[derive(Clone, Copy, Debug)]
pub struct Window {
    highest: u64,
    /// Bit n: the number that is n below the highest was there.
    seen: u128,
}

impl Window {
    pub fn new(first: u64) -> Self {
        Self { highest: first, seen: 1 }
    }

    /// Whether this number was not there yet, for certain.
    pub fn lacks(&self, number: u64) -> bool {
        match self.highest.checked_sub(number) {
            Some(below) => below < WIDTH && self.seen >> below & 1 == 0,
            None => true,
        }
    }

    pub fn put(&mut self, number: u64) {
        match self.highest.checked_sub(number) {
            Some(below) if below < WIDTH => self.seen |= 1 << below,
            Some(_) => {}
            None => {
                let ahead = number - self.highest;
                self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 } | 1;
                self.highest = number;
            }
        }
    }

    /// The whole number of a packet that tells its lower 16 bits: of all that end so, the nearest
    /// (RFC 3711 appendix A). None where that is from before the first round.
    pub fn whole(&self, sequence: u16) -> Option<u64> {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.checked_add_signed(i64::from(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_sequence_number_is_of_the_nearest_round() {
        for (highest, sequence, whole) in [
            (5, 6, Some(6)),
            (5, 0xfffe, None),
            (0xffff, 0, Some(0x1_0000)),
            (0x1_0003, 0xfffe, Some(0xfffe)),
            (0x1_7000, 0x8000, Some(0x1_8000)),
            (0x3_fff0, 0x10, Some(0x4_0010)),
        ] {
            assert_eq!(Window::new(highest).whole(sequence), whole, "{highest:x} {sequence:x}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_number_is_taken_twice_and_none_that_is_new_and_near_is_lost(
            steps in proptest::collection::vec(-200i64..300, 1..400)
        ) {
            let (mut window, mut there, mut at) = (Window::new(1_000), BTreeSet::new(), 1_000i64);
            there.insert(1_000u64);
            for step in steps {
                at = (at + step).max(0);
                let number = at as u64;
                let highest = *there.last().unwrap();
                let is_new = !there.contains(&number) && number + WIDTH > highest;
                proptest::prop_assert_eq!(window.lacks(number), is_new);
                if is_new {
                    window.put(number);
                    there.insert(number);
                }
                proptest::prop_assert_eq!(window.highest, *there.last().unwrap());
            }
        }
    }
}
