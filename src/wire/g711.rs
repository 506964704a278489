//! G.711, the codec of the telephone network: 8,000 samples a second, one octet each.
//!
//! In: samples or octets. Out: the other, through tables made at compile time. May import: base.

use serde::{Deserialize, Serialize};

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// A-law, PCMA, static payload type 8.
    A,
    /// Mu-law, PCMU, static payload type 0.
    Mu,
}

impl Law {
    pub const BOTH: [Law; 2] = [Law::A, Law::Mu];

    /// The encoding name of RFC 3551.
    pub const fn name(self) -> &'static str {
        match self {
            Law::A => "PCMA",
            Law::Mu => "PCMU",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|law| law.name().eq_ignore_ascii_case(name))
    }

    /// The payload type that RFC 3551 gave it.
    pub const fn static_payload(self) -> u8 {
        match self {
            Law::A => 8,
            Law::Mu => 0,
        }
    }

    pub const fn of_static(payload: u8) -> Option<Self> {
        match payload {
            8 => Some(Law::A),
            0 => Some(Law::Mu),
            _ => None,
        }
    }
}

/// For every octet of a law, its linear sample and its octet in the other law.
struct Tables {
    decode: [i16; 256],
    other: [u8; 256],
}

static A: Tables = tables(Law::A);
static MU: Tables = tables(Law::Mu);

const fn tables(law: Law) -> Tables {
    let (mut decode, mut other) = ([0; 256], [0; 256]);
    let mut octet = 0;
    while octet < 256 {
        decode[octet] = law.expand(octet as u8);
        other[octet] = law.other().compress(decode[octet]);
        octet += 1;
    }
    Tables { decode, other }
}

impl Law {
    pub const fn other(self) -> Self {
        match self {
            Law::A => Law::Mu,
            Law::Mu => Law::A,
        }
    }

    /// The octet of silence.
    pub const fn silence(self) -> u8 {
        match self {
            Law::A => 0xd5,
            Law::Mu => 0xff,
        }
    }

    /// 16-bit linear; a full-scale tone stays below clipping.
    pub fn decode(self, octet: u8) -> i16 {
        self.tables().decode[usize::from(octet)]
    }

    pub const fn encode(self, sample: i16) -> u8 {
        self.compress(sample)
    }

    /// Turns octets of this law into octets of the other, in place.
    pub fn convert(self, octets: &mut [u8]) {
        let map = &self.tables().other;
        for octet in octets {
            *octet = map[usize::from(*octet)];
        }
    }

    fn tables(self) -> &'static Tables {
        match self {
            Law::A => &A,
            Law::Mu => &MU,
        }
    }

    /// G.711 tables 1a to 2b, by their arithmetic.
    const fn expand(self, octet: u8) -> i16 {
        match self {
            Law::A => {
                let bits = octet ^ 0x55;
                let (segment, step) = ((bits >> 4 & 7) as i16, (bits & 15) as i16);
                let size = match segment {
                    0 => (step << 4) + 8,
                    _ => ((step << 4) + 0x108) << (segment - 1),
                };
                if bits & 0x80 != 0 { size } else { -size }
            }
            Law::Mu => {
                let bits = !octet;
                let (segment, step) = ((bits >> 4 & 7) as i16, (bits & 15) as i16);
                let size = (((step << 3) + BIAS) << segment) - BIAS;
                if bits & 0x80 == 0 { size } else { -size }
            }
        }
    }

    /// The octet whose decision interval the sample lies in.
    const fn compress(self, sample: i16) -> u8 {
        match self {
            Law::A => {
                let (sign, size) = if sample >= 0 { (0x80, sample) } else { (0, !sample) };
                let steps = size >> 4;
                let segment = if steps < 32 { (steps >> 4) as u32 } else { steps.ilog2() - 3 };
                let step = if segment < 2 { steps & 15 } else { steps >> (segment - 1) & 15 };
                (sign | (segment as u8) << 4 | step as u8) ^ 0x55
            }
            Law::Mu => {
                let negative = sample < 0;
                let size = (sample as i32).unsigned_abs() as i32 + BIAS as i32;
                let size = if size > 0x7fff { 0x7fff } else { size };
                let segment = size.ilog2() - 7;
                let step = (size >> (segment + 3) & 15) as u8;
                !((negative as u8) << 7 | (segment as u8) << 4 | step)
            }
        }
    }
}

/// Added to a mu-law sample's size, so that every segment begins at a power of two.
const BIAS: i16 = 0x84;

#[cfg(test)]
mod tests {
    use super::*;

    /// The octet whose sample lies nearest, found the slow way.
    fn distance(law: Law, sample: i16) -> i32 {
        (0..=255).map(|o| (i32::from(law.decode(o)) - i32::from(sample)).abs()).min().unwrap()
    }

    #[test]
    fn known_values_are_those_of_the_recommendation() {
        let a: Vec<i16> = [0xd5, 0x55, 0xaa, 0x2a, 0x80].map(|o| Law::A.decode(o)).into();
        assert_eq!(a, [8, -8, 32_256, -32_256, 5_504]);
        let mu: Vec<i16> = [0xff, 0x7f, 0x80, 0x00, 0xf0].map(|o| Law::Mu.decode(o)).into();
        assert_eq!(mu, [0, 0, 32_124, -32_124, 120]);
        for law in Law::BOTH {
            assert!(law.decode(law.silence()).abs() <= 8);
        }
    }

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for law in Law::BOTH {
            for octet in 0..=255 {
                let again = law.encode(law.decode(octet));
                assert_eq!(law.decode(again), law.decode(octet), "{law:?} {octet:#x}");
                // Mu-law has two zeros.
                assert!(again == octet || (law, octet) == (Law::Mu, 0x7f), "{law:?} {octet:#x}");
            }
        }
    }

    #[test]
    fn every_sample_goes_to_a_step_that_is_near() {
        for law in Law::BOTH {
            for sample in i16::MIN..=i16::MAX {
                let off = i32::from(law.decode(law.encode(sample))) - i32::from(sample);
                // Between two steps of unequal size the nearer one is not always the right one.
                let best = distance(law, sample);
                assert!(off.abs() <= best + 8 || off.abs() <= best * 3, "{law:?} {sample} {off}");
            }
        }
    }

    #[test]
    fn encoding_is_monotonous() {
        for law in Law::BOTH {
            let steps: Vec<i16> =
                (i16::MIN..=i16::MAX).map(|sample| law.decode(law.encode(sample))).collect();
            assert!(steps.is_sorted(), "{law:?}");
        }
    }

    #[test]
    fn the_map_between_the_laws_is_decoding_and_encoding() {
        for law in Law::BOTH {
            let mut octets: Vec<u8> = (0..=255).collect();
            law.convert(&mut octets);
            for (octet, other) in (0..=255).zip(octets) {
                assert_eq!(other, law.other().encode(law.decode(octet)));
            }
        }
    }

    #[test]
    fn a_second_trip_through_the_other_law_changes_nothing_more() {
        for law in Law::BOTH {
            let mut once: Vec<u8> = (0..=255).collect();
            law.convert(&mut once);
            law.other().convert(&mut once);
            let mut twice = once.clone();
            law.convert(&mut twice);
            law.other().convert(&mut twice);
            assert_eq!(once, twice, "{law:?}");
        }
    }

    #[test]
    fn names_and_static_types_are_those_of_rfc_3551() {
        for law in Law::BOTH {
            assert_eq!(Law::named(&law.name().to_lowercase()), Some(law));
            assert_eq!(Law::of_static(law.static_payload()), Some(law));
        }
        assert_eq!((Law::named("G729"), Law::of_static(18)), (None, None));
    }
}
