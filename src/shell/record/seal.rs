//! Recordings at rest, encrypted: a header, then chunks of ChaCha20-Poly1305 (RFC 8439), each with
//! its number and whether it is the last in its nonce, so that none can be swapped, left out or cut
//! off unseen. Every file has a key of its own, made from the configured one and its salt.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"PUKARREC";
/// Octets before the first chunk: the magic, the key's print, the salt.
pub const HEADER: usize = 8 + PRINT + SALT;
/// What a key is told by, which does not give it away.
const PRINT: usize = 8;
pub const SALT: usize = 16;
/// Octets of sound in a chunk but the last: a second of both sides.
pub const CHUNK: usize = 16_000;
/// Octets that a chunk is longer by when sealed.
const TAG: usize = 16;

/// Why a sealed file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    NotSealed,
    OtherKey,
    /// A chunk, by its number, is not what was written.
    Damaged(u64),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSealed => f.write_str("no sealed recording"),
            Self::OtherKey => {
                f.write_str("sealed with another key; [recording] key has to be that one")
            }
            Self::Damaged(chunk) => write!(f, "damaged, or changed by someone, in second {chunk}"),
        }
    }
}

impl std::error::Error for Error {}

/// The key of one file.
pub struct Seal {
    cipher: ChaCha20Poly1305,
}

impl Seal {
    fn of(master: &str, salt: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for part in [b"pukar recording\0".as_slice(), salt, master.as_bytes()] {
            digest.update(part);
        }
        Self { cipher: ChaCha20Poly1305::new(Key::from_slice(&digest.finalize())) }
    }

    /// A new file's seal, and what it begins with.
    pub fn fresh(master: &str, salt: [u8; SALT]) -> (Self, Vec<u8>) {
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&print(master));
        header.extend_from_slice(&salt);
        (Self::of(master, &salt), header)
    }

    /// The seal of a file that begins with `header`.
    pub fn again(master: &str, header: &[u8]) -> Result<Self, Error> {
        let rest = header.get(..HEADER).and_then(|h| h.strip_prefix(&MAGIC));
        let (own, salt) = rest.ok_or(Error::NotSealed)?.split_at(PRINT);
        match own == print(master) {
            true => Ok(Self::of(master, salt)),
            false => Err(Error::OtherKey),
        }
    }

    pub fn seal(&self, number: u64, last: bool, sound: &[u8]) -> Vec<u8> {
        let sealed = self.cipher.encrypt(&nonce(number, last), Payload::from(sound));
        // It fails for what is over 256 GiB only.
        sealed.unwrap_or_default()
    }

    fn open(&self, number: u64, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        self.cipher.decrypt(&nonce(number, last), Payload::from(sealed)).ok()
    }
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut octets = [0; 12];
    octets[..8].copy_from_slice(&number.to_le_bytes());
    octets[11] = u8::from(last);
    octets.into()
}

fn print(master: &str) -> [u8; PRINT] {
    let mut digest = Sha256::new();
    digest.update(b"pukar recording key\0");
    digest.update(master.as_bytes());
    let mut print = [0; PRINT];
    print.copy_from_slice(&digest.finalize()[..PRINT]);
    print
}

/// How many chunks of a file that was broken off are whole, and the octets up to their end.
pub fn whole(length: u64) -> (u64, u64) {
    let chunks = length.saturating_sub(HEADER as u64) / (CHUNK + TAG) as u64;
    (chunks, HEADER as u64 + chunks * (CHUNK + TAG) as u64)
}

/// The sound of a sealed file, and whether it was finished and not broken off.
pub fn open(master: &str, file: &[u8]) -> Result<(Vec<u8>, bool), Error> {
    let seal = Seal::again(master, file)?;
    let (mut sound, mut finished) = (Vec::new(), false);
    for (number, chunk) in (0..).zip(file[HEADER..].chunks(CHUNK + TAG)) {
        if finished {
            return Err(Error::Damaged(number));
        }
        if let Some(plain) = seal.open(number, false, chunk) {
            sound.extend(plain);
        } else if let Some(plain) = seal.open(number, true, chunk) {
            sound.extend(plain);
            finished = true;
        } else if chunk.len() < CHUNK + TAG {
            // It was being written when the process died.
            return Ok((sound, false));
        } else {
            return Err(Error::Damaged(number));
        }
    }
    Ok((sound, finished))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "correct horse battery staple";

    fn sealed(parts: &[&[u8]]) -> Vec<u8> {
        let (seal, mut file) = Seal::fresh(KEY, [7; SALT]);
        for (number, part) in (0..).zip(parts) {
            file.extend(seal.seal(number, number as usize + 1 == parts.len(), part));
        }
        file
    }

    #[test]
    fn what_is_sealed_is_opened_with_the_same_key_and_no_other() {
        let file = sealed(&[&[1; CHUNK], &[2; CHUNK], &[3; 100]]);
        let (sound, finished) = open(KEY, &file).unwrap();
        assert_eq!((sound.len(), finished), (2 * CHUNK + 100, true));
        assert!(sound.starts_with(&[1; CHUNK]) && sound.ends_with(&[3; 100]));
        assert_eq!(open("another key", &file), Err(Error::OtherKey));
        assert_eq!(open(KEY, b"RIFF"), Err(Error::NotSealed));
        assert!(!file.windows(64).any(|part| part.iter().all(|octet| *octet == 1)));
    }

    #[test]
    fn no_octet_and_no_chunk_is_changed_unseen() {
        let file = sealed(&[&[1; CHUNK], &[2; CHUNK], &[3; 100]]);
        let mut flipped = file.clone();
        flipped[HEADER + 5] ^= 1;
        assert_eq!(open(KEY, &flipped), Err(Error::Damaged(0)));
        let mut swapped = file[..HEADER].to_vec();
        let chunk = CHUNK + TAG;
        swapped.extend_from_slice(&file[HEADER + chunk..HEADER + 2 * chunk]);
        swapped.extend_from_slice(&file[HEADER..HEADER + chunk]);
        assert_eq!(open(KEY, &swapped), Err(Error::Damaged(0)));
        let longer = [file.clone(), vec![0; 50]].concat();
        assert_eq!(open(KEY, &longer).map(|(_, finished)| finished), Ok(false));
    }

    #[test]
    fn one_that_was_broken_off_is_read_as_far_as_it_goes() {
        let file = sealed(&[&[1; CHUNK], &[2; CHUNK], &[3; CHUNK]]);
        let cut = &file[..file.len() - 1_000];
        let (sound, finished) = open(KEY, cut).unwrap();
        assert_eq!((sound.len(), finished), (2 * CHUNK, false));
        assert_eq!(whole(cut.len() as u64), (2, (HEADER + 2 * (CHUNK + TAG)) as u64));
        let at_a_chunk = &file[..HEADER + CHUNK + TAG];
        assert_eq!(open(KEY, at_a_chunk).unwrap(), (vec![1; CHUNK], false));
    }
}
