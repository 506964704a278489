//! What RFC 3711 does to one packet, once its number is known: keys are derived from the master key
//! (section 4.3), the payload is sealed and proved by AES in counter mode with HMAC-SHA1 (section
//! 4.1.1, 4.2.1), or by AES-GCM (RFC 7714). The primitives are those of `aes`, `ctr` and `ring`.
//!
//! In: a packet, its number. Out: the same, sealed or opened. May import: wire.

use crate::wire::sdp::{Master, Suite};
use aes::cipher::{InnerIvInit, KeyInit, KeyIvInit, StreamCipher, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use ctr::{Ctr128BE, CtrCore, flavors};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;

/// Octets of a proof by GCM, and of one of reports by HMAC-SHA1 (RFC 4568 section 6.2.2: also where
/// that of sound has 4).
const GCM_TAG: usize = 16;
const REPORT_TAG: usize = 10;
/// What a report tells in the clear: its header, and its source.
const REPORT_HEAD: usize = 8;
/// Octets of a report's number; the first bit says that it is encrypted.
const NUMBER: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// The keys of one direction, derived from a master key.
pub struct Cipher {
    sound: Keys,
    reports: Keys,
}

/// The keys of sound, or of reports.
enum Keys {
    Cm { aes: Box<Aes128>, salt: [u8; 14], proof: hmac::Key, tag: usize },
    Gcm { key: Box<LessSafeKey>, salt: [u8; 14] },
}

/// Labels of what is derived (RFC 3711 section 4.3.2): of sound; those of reports follow.
const KEY: u8 = 0;
const PROOF: u8 = 1;
const SALT: u8 = 2;

impl Cipher {
    pub fn new(master: &Master) -> Self {
        let tag = match master.suite {
            Suite::Cm32 => 4,
            Suite::Cm80 | Suite::Gcm128 | Suite::Gcm256 => REPORT_TAG,
        };
        Self { sound: Keys::derive(master, 0, tag), reports: Keys::derive(master, 3, REPORT_TAG) }
    }

    /// Seals RTP whose payload begins at `start`. `index`: its 48-bit number.
    pub fn seal(&self, packet: &mut Vec<u8>, start: usize, index: u64) {
        let source = word(packet, 8);
        match &self.sound {
            Keys::Cm { aes, salt, proof, tag } => {
                crypt(aes, iv(salt, source, index), &mut packet[start..]);
                let whole = prove(proof, packet, &roll_over(index));
                packet.extend_from_slice(&whole.as_ref()[..*tag]);
            }
            Keys::Gcm { key, salt } => {
                let (head, payload) = packet.split_at_mut(start);
                let proof = gcm_seal(key, nonce(salt, source, index), head, payload);
                packet.extend_from_slice(&proof);
            }
        }
    }

    /// Opens RTP in place, if it is proved under this number: its length without the proof. It is
    /// as it was where it is not.
    pub fn open(&self, packet: &mut [u8], start: usize, index: u64) -> Option<usize> {
        let source = word(packet, 8);
        match &self.sound {
            Keys::Cm { aes, salt, proof, tag } => {
                let length = packet.len().checked_sub(*tag).filter(|length| *length >= start)?;
                let (told, said) = packet.split_at_mut(length);
                let whole = prove(proof, told, &roll_over(index));
                is_same(&whole.as_ref()[..*tag], said)?;
                crypt(aes, iv(salt, source, index), &mut told[start..]);
                Some(length)
            }
            Keys::Gcm { key, salt } => {
                let (head, sealed) = packet.split_at_mut(start);
                let length = gcm_open(key, nonce(salt, source, index), head, sealed)?;
                Some(start + length)
            }
        }
    }

    /// Seals RTCP (RFC 3711 section 3.4). `index`: its 31-bit number.
    pub fn seal_report(&self, packet: &mut Vec<u8>, index: u32) {
        let source = word(packet, 4);
        let number = (index | ENCRYPTED).to_be_bytes();
        match &self.reports {
            Keys::Cm { aes, salt, proof, tag } => {
                crypt(aes, iv(salt, source, index.into()), &mut packet[REPORT_HEAD..]);
                packet.extend_from_slice(&number);
                let whole = prove(proof, packet, &[]);
                packet.extend_from_slice(&whole.as_ref()[..*tag]);
            }
            // RFC 7714 section 9.3: there the number is the last, and proved with the header.
            Keys::Gcm { key, salt } => {
                let (head, rest) = packet.split_at_mut(REPORT_HEAD);
                let told = [head, &number[..]].concat();
                let proof = gcm_seal(key, nonce(salt, source, index.into()), &told, rest);
                packet.extend_from_slice(&proof);
                packet.extend_from_slice(&number);
            }
        }
    }

    /// Opens RTCP in place, if it is proved: its length then, and its number.
    pub fn open_report(&self, packet: &mut [u8]) -> Option<(usize, u32)> {
        let behind = match &self.reports {
            Keys::Cm { tag, .. } => NUMBER + tag,
            Keys::Gcm { .. } => GCM_TAG + NUMBER,
        };
        let end = packet.len().checked_sub(behind).filter(|end| *end >= REPORT_HEAD)?;
        let source = word(packet, 4);
        match &self.reports {
            Keys::Cm { aes, salt, proof, .. } => {
                let (told, said) = packet.split_at_mut(end + NUMBER);
                is_same(&prove(proof, told, &[]).as_ref()[..said.len()], said)?;
                let number = word(told, end);
                if number & ENCRYPTED != 0 {
                    let iv = iv(salt, source, (number & !ENCRYPTED).into());
                    crypt(aes, iv, &mut told[REPORT_HEAD..end]);
                }
                Some((end, number & !ENCRYPTED))
            }
            Keys::Gcm { key, salt } => {
                let number = word(packet, packet.len() - NUMBER);
                // Nobody has to leave a report open, and then all of it is proved in another way.
                if number & ENCRYPTED == 0 {
                    return None;
                }
                let told = [&packet[..REPORT_HEAD], &packet[packet.len() - NUMBER..]].concat();
                let nonce = nonce(salt, source, (number & !ENCRYPTED).into());
                let sealed = &mut packet[REPORT_HEAD..end + GCM_TAG];
                gcm_open(key, nonce, &told, sealed)?;
                Some((end, number & !ENCRYPTED))
            }
        }
    }
}

impl Keys {
    fn derive(master: &Master, first: u8, tag: usize) -> Self {
        let mut salt = [0; 14];
        let salt_length = master.suite.lengths().1;
        derive(master, first + SALT, &mut salt[..salt_length]);
        let mut octets = [0; 32];
        let key = &mut octets[..master.key().len()];
        derive(master, first + KEY, key);
        let gcm = match master.suite {
            Suite::Gcm128 => &aead::AES_128_GCM,
            Suite::Gcm256 => &aead::AES_256_GCM,
            Suite::Cm80 | Suite::Cm32 => {
                let mut proof = [0; 20];
                derive(master, first + PROOF, &mut proof);
                let proof = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &proof);
                let aes = Aes128::new_from_slice(key).expect("a key of 16 octets");
                return Self::Cm { aes: Box::new(aes), salt, proof, tag };
            }
        };
        let key = UnboundKey::new(gcm, key).expect("a key as long as its suite's");
        Self::Gcm { key: Box::new(LessSafeKey::new(key)), salt }
    }
}

/// RFC 3711 section 4.3.1 with a rate of 0: keys of this label, for as long as the master key is
/// used.
fn derive(master: &Master, label: u8, key: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&master.salt());
    iv[7] ^= label;
    key.fill(0);
    let (of, octets) = ("a key of 16 or 32 octets", master.key());
    match octets.len() {
        16 => Ctr128BE::<Aes128>::new_from_slices(octets, &iv).expect(of).apply_keystream(key),
        _ => Ctr128BE::<Aes256>::new_from_slices(octets, &iv).expect(of).apply_keystream(key),
    }
}

/// AES in counter mode: seals and opens.
fn crypt(aes: &Aes128, iv: [u8; 16], octets: &mut [u8]) {
    let core: CtrCore<&Aes128, flavors::Ctr128BE> = CtrCore::inner_iv_init(aes, &iv.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(octets);
}

/// RFC 3711 section 4.1.1: salt, source and number, each at its place, and a counter of blocks.
fn iv(salt: &[u8; 14], source: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[4..8].copy_from_slice(&source.to_be_bytes());
    iv[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
    iv.iter_mut().zip(salt).for_each(|(octet, salt)| *octet ^= salt);
    iv
}

/// RFC 7714 section 8.1, and 9.1 for reports, whose number has 31 bits: the same two octets ahead.
fn nonce(salt: &[u8; 14], source: u32, index: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&source.to_be_bytes());
    nonce[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    nonce.iter_mut().zip(salt).for_each(|(octet, salt)| *octet ^= salt);
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 3711 section 4.2: what is proved is the packet, and behind it the roll-over counter.
fn prove(key: &hmac::Key, packet: &[u8], behind: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(behind);
    context.sign()
}

fn is_same(one: &[u8], other: &[u8]) -> Option<()> {
    bool::from(one.ct_eq(other)).then_some(())
}

fn gcm_seal(key: &LessSafeKey, nonce: Nonce, head: &[u8], payload: &mut [u8]) -> [u8; GCM_TAG] {
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(head), payload);
    let tag = tag.expect("no packet is as long as what GCM cannot seal");
    tag.as_ref().try_into().expect("a tag of 16 octets")
}

/// In a copy first: what is not proved is written over as well.
fn gcm_open(key: &LessSafeKey, nonce: Nonce, head: &[u8], sealed: &mut [u8]) -> Option<usize> {
    let mut copy = sealed.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(head), &mut copy).ok()?;
    sealed[..opened.len()].copy_from_slice(opened);
    Some(opened.len())
}

/// The upper 32 bits of a number.
fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn word(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const LENGTH: usize>(hex: &str) -> [u8; LENGTH] {
        let octet = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(octet)
    }

    /// RFC 3711 appendix B.2.
    #[test]
    fn the_stream_of_keys_is_that_of_the_standard() {
        let aes = Aes128::new(&octets("2b7e151628aed2a6abf7158809cf4f3c").into());
        let mut stream = [0; 48];
        crypt(&aes, iv(&octets("f0f1f2f3f4f5f6f7f8f9fafbfcfd"), 0, 0), &mut stream);
        let expected: [u8; 48] = octets(
            "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab\
             41e95b3bb0a2e8dd477901e4fca894c0",
        );
        assert_eq!(stream, expected);
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn keys_are_derived_as_in_the_standard() {
        let all: [u8; 30] = octets("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
        let master = Master::new(Suite::Cm80, &all).unwrap();
        let (mut key, mut salt, mut proof) = ([0; 16], [0; 14], [0; 20]);
        derive(&master, KEY, &mut key);
        derive(&master, SALT, &mut salt);
        derive(&master, PROOF, &mut proof);
        assert_eq!(key, octets("c61e7a93744f39ee10734afe3ff7a087"));
        assert_eq!(salt, octets("30cbbc08863d8c85d49db34a9ae1"));
        assert_eq!(proof, octets("cebe321f6ff7716b6fd4ab49af256a156d38baa4"));
    }
}
