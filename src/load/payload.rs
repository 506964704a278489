//! The voice of a test phone: 160 octets of G.711 that say who speaks, which packet this is and
//! when it left, so that whoever hears it can tell loss, delay, mix-ups and damage.
//!
//! Every octet carries four bits as one of sixteen loud-apart sample values (sign and segment),
//! so the content outlives a change of law, and the rest is a pattern drawn from the stamp.
//! In: a stamp. Out: octets, and back. Knows nothing of sockets. May import: wire.

use crate::wire::g711::Law;
use siphasher::sip::SipHasher13;

/// Octets in 20 ms of G.711.
pub const FRAME: usize = 160;

const MAGIC: u16 = 0x50ca;
/// Octets of the stamp: magic, flags, who, leg, seq, time, check.
const STAMP: usize = 2 + 1 + 4 + 4 + 4 + 8 + 4;

/// What a packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub agent: bool,
    /// The law it was spoken in.
    pub law: Law,
    /// Which caller or agent, from 0.
    pub who: u32,
    /// Which leg of the test, from 0.
    pub leg: u32,
    pub seq: u32,
    /// When it left, nanoseconds of the tester's clock.
    pub sent: u64,
}

/// What was found in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A phone of ours, every octet as it was spoken.
    Voice(Stamp),
    /// A phone of ours, content whole, octets changed: a change of law on the way.
    Recoded(Stamp),
    /// It begins as a phone of ours does, and is damaged.
    Damaged,
    /// Music, a prompt, silence, or somebody else.
    Foreign,
}

/// Writes what `stamp` says as one frame.
pub fn write(stamp: &Stamp, out: &mut [u8; FRAME]) {
    let mut bytes = [0u8; FRAME / 2];
    fill(stamp, &mut bytes);
    let codes = codes(stamp.law);
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = codes[usize::from(byte >> 4)];
        pair[1] = codes[usize::from(byte & 15)];
    }
}

/// What 20 ms of music or of a prompt are known by, octet by octet.
pub fn print(payload: &[u8]) -> u32 {
    SipHasher13::new().hash(payload) as u32
}

/// Reads a frame that arrived in `law`.
pub fn read(payload: &[u8], law: Law) -> Content {
    let Ok(frame) = <&[u8; FRAME]>::try_from(payload) else { return Content::Foreign };
    let symbols = symbols(law);
    let byte = |at: usize| {
        symbols[usize::from(frame[2 * at])] << 4 | symbols[usize::from(frame[2 * at + 1])]
    };
    if u16::from_be_bytes([byte(0), byte(1)]) != MAGIC {
        return Content::Foreign;
    }
    let mut bytes = [0u8; FRAME / 2];
    for (at, place) in bytes.iter_mut().enumerate() {
        *place = byte(at);
    }
    let stamp = stamp_of(&bytes);
    let mut expected = [0u8; FRAME / 2];
    fill(&stamp, &mut expected);
    if bytes != expected {
        return Content::Damaged;
    }
    let mut spoken = [0u8; FRAME];
    write(&stamp, &mut spoken);
    if stamp.law == law && &spoken == frame {
        Content::Voice(stamp)
    } else {
        Content::Recoded(stamp)
    }
}

fn fill(stamp: &Stamp, bytes: &mut [u8; FRAME / 2]) {
    bytes[0..2].copy_from_slice(&MAGIC.to_be_bytes());
    bytes[2] = u8::from(stamp.agent) | u8::from(stamp.law == Law::Mu) << 1;
    bytes[3..7].copy_from_slice(&stamp.who.to_be_bytes());
    bytes[7..11].copy_from_slice(&stamp.leg.to_be_bytes());
    bytes[11..15].copy_from_slice(&stamp.seq.to_be_bytes());
    bytes[15..23].copy_from_slice(&stamp.sent.to_be_bytes());
    let mut noise = u64::from(stamp.leg) << 32 ^ u64::from(stamp.seq) ^ stamp.sent.rotate_left(20);
    noise = noise.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let check = (noise >> 32) as u32 ^ stamp.who ^ u32::from(bytes[2]);
    bytes[23..STAMP].copy_from_slice(&check.to_be_bytes());
    for chunk in bytes[STAMP..].chunks_mut(8) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        chunk.copy_from_slice(&noise.to_be_bytes()[..chunk.len()]);
    }
}

fn stamp_of(bytes: &[u8; FRAME / 2]) -> Stamp {
    let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
    Stamp {
        agent: bytes[2] & 1 == 1,
        law: if bytes[2] & 2 == 2 { Law::Mu } else { Law::A },
        who: word(3),
        leg: word(7),
        seq: word(11),
        sent: u64::from(word(15)) << 32 | u64::from(word(19)),
    }
}

/// The sixteen octets that carry four bits each: both signs, middle of all eight segments.
const fn codes(law: Law) -> &'static [u8; 16] {
    const A: [u8; 16] = sixteen(0x55);
    const MU: [u8; 16] = sixteen(0xff);
    match law {
        Law::A => &A,
        Law::Mu => &MU,
    }
}

const fn sixteen(mask: u8) -> [u8; 16] {
    let mut codes = [0; 16];
    let mut symbol = 0;
    while symbol < 16 {
        // G.711: positive samples have the top bit of an A-law octet set, and of an (inverted)
        // mu-law octet too.
        let sign = if (symbol as u8) & 8 == 0 { 0x80 } else { 0 };
        let plain = sign | ((symbol as u8) & 7) << 4 | 8;
        codes[symbol] = if mask == 0x55 { plain ^ 0x55 } else { plain ^ 0x7f };
        symbol += 1;
    }
    codes
}

/// Which four bits each octet of `law` is nearest to.
const fn symbols(law: Law) -> &'static [u8; 256] {
    const A: [u8; 256] = nearest(true);
    const MU: [u8; 256] = nearest(false);
    match law {
        Law::A => &A,
        Law::Mu => &MU,
    }
}

const fn nearest(a_law: bool) -> [u8; 256] {
    // Halfway (by ratio) between the middles of neighbouring segments, both laws together.
    const BOUNDS: [i32; 7] = [190, 510, 1_080, 2_200, 4_500, 9_000, 18_000];
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let sample = if a_law { a_sample(octet as u8) } else { mu_sample(octet as u8) };
        let size = sample.abs();
        let mut segment = 0;
        while segment < 7 && size >= BOUNDS[segment] {
            segment += 1;
        }
        table[octet] = segment as u8 | if sample < 0 { 8 } else { 0 };
        octet += 1;
    }
    table
}

/// ITU-T G.711 table 1, 16 bits.
const fn a_sample(octet: u8) -> i32 {
    let plain = octet ^ 0x55;
    let (segment, step) = ((plain >> 4) & 7, (plain & 15) as i32);
    let size = match segment {
        0 => step * 16 + 8,
        _ => (step * 16 + 264) << (segment - 1),
    };
    if plain & 0x80 != 0 { size } else { -size }
}

/// ITU-T G.711 table 2, 16 bits.
const fn mu_sample(octet: u8) -> i32 {
    let plain = !octet;
    let (segment, step) = ((plain >> 4) & 7, (plain & 15) as i32);
    let size = (((step << 3) + 132) << segment) - 132;
    if plain & 0x80 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(law: Law, seq: u32) -> Stamp {
        Stamp {
            agent: seq.is_multiple_of(2),
            law,
            who: 77,
            leg: 40_123,
            seq,
            sent: 1 << 41 | 12_345,
        }
    }

    /// The octet of `to` whose sample lies nearest, as a transcoder finds it.
    fn convert(octet: u8, from: Law) -> u8 {
        let sample = if from == Law::A { a_sample(octet) } else { mu_sample(octet) };
        let sample_of = if from == Law::A { mu_sample } else { a_sample };
        (0..=255).min_by_key(|&o| (sample_of(o) - sample).abs()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        for law in [Law::A, Law::Mu] {
            for seq in 0..500 {
                let mut frame = [0; FRAME];
                write(&stamp(law, seq), &mut frame);
                assert_eq!(read(&frame, law), Content::Voice(stamp(law, seq)));
            }
        }
    }

    #[test]
    fn content_outlives_a_change_of_law_and_back() {
        for (law, other) in [(Law::A, Law::Mu), (Law::Mu, Law::A)] {
            let mut frame = [0; FRAME];
            write(&stamp(law, 9), &mut frame);
            let once = frame.map(|o| convert(o, law));
            assert_eq!(read(&once, other), Content::Recoded(stamp(law, 9)));
            let twice = once.map(|o| convert(o, other));
            assert!(matches!(
                read(&twice, law),
                Content::Recoded(s) | Content::Voice(s) if s == stamp(law, 9)
            ));
        }
    }

    #[test]
    fn one_changed_octet_is_damage_and_music_is_foreign() {
        let mut frame = [0; FRAME];
        write(&stamp(Law::A, 3), &mut frame);
        for at in [5, 60, 159] {
            let mut broken = frame;
            broken[at] ^= 0x80;
            assert_eq!(read(&broken, Law::A), Content::Damaged, "octet {at}");
        }
        assert_eq!(read(&[0xd5; FRAME], Law::A), Content::Foreign);
        assert_eq!(read(&frame[..80], Law::A), Content::Foreign);
    }
}
