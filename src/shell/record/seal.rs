//! Recordings at rest, encrypted: a header, then chunks of ChaCha20-Poly1305 (RFC 8439), each with
//! its number and whether it is the last in its nonce, so that none can be swapped, left out or cut
//! off unseen. Every file has a key of its own, made from the configured one and its salt. Whoever
//! goes on with a file writes a header again, with a new salt: no key seals twice under one nonce.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

const MAGIC: [u8; 8] = *b"PUKARREC";
/// Before a chunk that is shorter than others, though not the last: the key's print and, in as many
/// octets as a salt has, how much sound there is in it.
const SHORT: [u8; 8] = *b"PUKARCUT";
/// Octets before the first chunk: the magic, the key's print, the salt.
pub const HEADER: usize = 8 + PRINT + SALT;
/// What a key is told by, which does not give it away.
const PRINT: usize = 8;
pub const SALT: usize = 16;
/// Octets of sound in a chunk but the last: a second of both sides.
pub const CHUNK: usize = 16_000;
/// Octets that a chunk is longer by when sealed.
pub const TAG: usize = 16;

/// Chunks that hold whatever a file ends with: more than 64 KB.
const LAST: usize = 5;

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
pub struct Seal(LessSafeKey);

impl Seal {
    /// All salts up to here: what is sealed after one stays behind what it was written after.
    fn of(master: &str, salts: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for part in [b"pukar recording\0".as_slice(), salts, master.as_bytes()] {
            digest.update(part);
        }
        let key = UnboundKey::new(&CHACHA20_POLY1305, &digest.finalize());
        Self(LessSafeKey::new(key.expect("a digest is as long as a key")))
    }

    /// A new file's seal, and what it begins with.
    pub fn fresh(master: &str, salt: [u8; SALT]) -> (Self, Vec<u8>) {
        (Self::of(master, &salt), mark(MAGIC, master, salt))
    }

    /// The seal of what follows in a file, and what has to be written before it.
    pub fn again(master: &str, whole: &Whole, salt: [u8; SALT]) -> Result<(Self, Vec<u8>), Error> {
        if whole.print != print(master) {
            return Err(Error::OtherKey);
        }
        let salts = [whole.salts.as_slice(), &salt].concat();
        Ok((Self::of(master, &salts), mark(MAGIC, master, salt)))
    }

    /// A chunk that is shorter than others, and not the last.
    pub fn seal_short(&self, master: &str, number: u64, sound: &[u8]) -> Vec<u8> {
        let length = (sound.len() as u128).to_le_bytes();
        [mark(SHORT, master, length), self.seal(number, false, sound)].concat()
    }

    pub fn seal(&self, number: u64, last: bool, sound: &[u8]) -> Vec<u8> {
        let mut chunk = Vec::with_capacity(sound.len() + TAG);
        chunk.extend_from_slice(sound);
        self.seal_in_place(number, last, &mut chunk);
        chunk
    }

    /// The same where the sound lies, and its tag behind it.
    pub fn seal_in_place(&self, number: u64, last: bool, chunk: &mut Vec<u8>) {
        // It fails for what is over 256 GiB only.
        if self.0.seal_in_place_append_tag(nonce(number, last), Aad::empty(), chunk).is_err() {
            chunk.clear();
        }
    }

    fn open(&self, number: u64, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut chunk = sealed.to_vec();
        let sound = self.0.open_in_place(nonce(number, last), Aad::empty(), &mut chunk).ok()?;
        let length = sound.len();
        chunk.truncate(length);
        Some(chunk)
    }
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut octets = [0; 12];
    octets[..8].copy_from_slice(&number.to_le_bytes());
    octets[11] = u8::from(last);
    Nonce::assume_unique_for_key(octets)
}

fn print(master: &str) -> [u8; PRINT] {
    let mut digest = Sha256::new();
    digest.update(b"pukar recording key\0");
    digest.update(master.as_bytes());
    let mut print = [0; PRINT];
    print.copy_from_slice(&digest.finalize()[..PRINT]);
    print
}

fn mark(magic: [u8; 8], master: &str, rest: [u8; SALT]) -> Vec<u8> {
    [magic.as_slice(), &print(master), &rest].concat()
}

/// What stands next in a file whose key has this print.
enum Next {
    /// What follows has a salt of its own.
    Salt([u8; SALT]),
    /// So many octets before a chunk, and so much sound in it.
    Chunk { before: usize, sound: usize },
}

impl Next {
    fn read(own: &[u8], next: &[u8]) -> Self {
        let usual = Self::Chunk { before: 0, sound: CHUNK };
        let Some((mark, rest)) = next.get(..HEADER).and_then(|next| next.split_at_checked(8))
        else {
            return usual;
        };
        let (print, rest) = rest.split_at(PRINT);
        let Ok(rest) = <[u8; SALT]>::try_from(rest) else { return usual };
        if print != own {
            return usual;
        }
        match usize::try_from(u128::from_le_bytes(rest)) {
            _ if mark == MAGIC => Self::Salt(rest),
            Ok(sound) if mark == SHORT && sound < CHUNK => Self::Chunk { before: HEADER, sound },
            Ok(_) | Err(_) => usual,
        }
    }
}

/// What of a file that was broken off is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    pub chunks: u64,
    /// Octets of sound in them.
    pub sound: u64,
    /// Octets of the file up to their end.
    pub end: u64,
    print: [u8; PRINT],
    salts: Vec<u8>,
    /// The last of them.
    last: VecDeque<Place>,
}

/// A chunk as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    number: u64,
    at: u64,
    size: usize,
    /// Octets of salts before it.
    salts: usize,
}

/// Whether another process than the one that began a file has written in it. Needs no key.
pub fn was_gone_on_with(file: &[u8]) -> bool {
    let whole = whole(&mut io::Cursor::new(file)).ok().flatten();
    whole.is_some_and(|whole| whole.salts.len() > SALT)
}

/// Needs no key. `None`: not even the first header is whole.
pub fn whole(file: &mut (impl Read + Seek)) -> io::Result<Option<Whole>> {
    let length = file.seek(SeekFrom::End(0))?;
    if length < HEADER as u64 {
        return Ok(None);
    }
    let mut next = [0; HEADER];
    let mut whole = Whole::default();
    loop {
        let left = length - whole.end;
        file.seek(SeekFrom::Start(whole.end))?;
        let known = &mut next[..HEADER.min(left as usize)];
        file.read_exact(known)?;
        if whole.end == 0 {
            if known[..8] != MAGIC {
                return Err(io::Error::other(Error::NotSealed));
            }
            whole.print.copy_from_slice(&known[8..8 + PRINT]);
        }
        let octets = match Next::read(&whole.print, known) {
            Next::Salt(salt) => {
                whole.salts.extend_from_slice(&salt);
                whole.end += HEADER as u64;
                continue;
            }
            Next::Chunk { before, sound } if (before + sound + TAG) as u64 <= left => {
                let (number, salts) = (whole.chunks, whole.salts.len());
                let (at, size) = (whole.end + before as u64, sound + TAG);
                whole.last.push_back(Place { number, at, size, salts });
                whole.last.drain(..whole.last.len().saturating_sub(LAST));
                whole.sound += sound as u64;
                before + sound + TAG
            }
            Next::Chunk { .. } => return Ok(Some(whole)),
        };
        whole.chunks += 1;
        whole.end += octets as u64;
    }
}

/// The sound of the last chunks of a file, of which one may be as long as it likes.
pub fn end(master: &str, file: &mut (impl Read + Seek), whole: &Whole) -> io::Result<Vec<u8>> {
    if whole.print != print(master) {
        return Err(io::Error::other(Error::OtherKey));
    }
    let mut sound = Vec::new();
    for Place { number, at, size, salts } in whole.last.iter().copied() {
        let mut chunk = vec![0; size];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut chunk)?;
        let seal = Seal::of(master, &whole.salts[..salts]);
        let plain = seal.open(number, false, &chunk).or_else(|| seal.open(number, true, &chunk));
        sound.extend(plain.ok_or_else(|| io::Error::other(Error::Damaged(number)))?);
    }
    Ok(sound)
}

/// The sound of a sealed file, and whether it was finished and not broken off.
pub fn open(master: &str, file: &[u8]) -> Result<(Vec<u8>, bool), Error> {
    let header = file.get(..HEADER).filter(|header| header.starts_with(&MAGIC));
    let (own, salt) = header.ok_or(Error::NotSealed)?[8..].split_at(PRINT);
    let mut salts = salt.to_vec();
    if own != print(master) {
        return Err(Error::OtherKey);
    }
    let mut seal = Seal::of(master, &salts);
    let (mut sound, mut finished) = (Vec::new(), false);
    let (mut rest, mut number) = (&file[HEADER..], 0);
    while !rest.is_empty() {
        if finished {
            return Err(Error::Damaged(number));
        }
        let (before, length) = match Next::read(own, rest) {
            Next::Salt(salt) => {
                salts.extend_from_slice(&salt);
                seal = Seal::of(master, &salts);
                rest = &rest[HEADER..];
                continue;
            }
            Next::Chunk { before, sound } => (before, sound + TAG),
        };
        let chunk = &rest[before..(before + length).min(rest.len())];
        rest = &rest[before + chunk.len()..];
        if let Some(plain) = seal.open(number, false, chunk) {
            sound.extend(plain);
        } else if let Some(plain) = seal.open(number, true, chunk) {
            sound.extend(plain);
            finished = true;
        } else if chunk.len() < length {
            // It was being written when the process died.
            return Ok((sound, false));
        } else {
            return Err(Error::Damaged(number));
        }
        number += 1;
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
        let whole = whole(&mut io::Cursor::new(cut)).unwrap().unwrap();
        let (octets, end) = (2 * CHUNK as u64, (HEADER + 2 * (CHUNK + TAG)) as u64);
        assert_eq!((whole.chunks, whole.sound, whole.end), (2, octets, end));
        let last = super::end(KEY, &mut io::Cursor::new(cut), &whole).unwrap();
        assert!(last.starts_with(&[1; CHUNK]) && last.ends_with(&[2; CHUNK]));
        assert!(super::end("another key", &mut io::Cursor::new(cut), &whole).is_err());
        let at_a_chunk = &file[..HEADER + CHUNK + TAG];
        assert_eq!(open(KEY, at_a_chunk).unwrap(), (vec![1; CHUNK], false));
    }

    #[test]
    fn what_is_gone_on_with_is_sealed_anew_and_stays_where_it_was() {
        let (seal, mut file) = Seal::fresh(KEY, [7; SALT]);
        file.extend(seal.seal(0, false, &[1; CHUNK]));
        file.extend(seal.seal_short(KEY, 1, &[2; 100]));
        let torn = [file.as_slice(), &seal.seal(2, false, &[3; CHUNK])[..900]].concat();
        let left = whole(&mut io::Cursor::new(&torn)).unwrap().unwrap();
        assert_eq!((left.chunks, left.sound), (2, CHUNK as u64 + 100));
        assert_eq!(left.end, file.len() as u64);
        assert_eq!(open(KEY, &torn).unwrap(), ([vec![1; CHUNK], vec![2; 100]].concat(), false));
        assert_eq!(Seal::again("another key", &left, [8; SALT]).err(), Some(Error::OtherKey));
        let (again, header) = Seal::again(KEY, &left, [8; SALT]).unwrap();
        let (before, after) = (seal.seal(2, false, &[3; CHUNK]), again.seal(2, false, &[3; CHUNK]));
        assert!(before != after, "the same number is no nonce of the same key");
        let all = [file.as_slice(), &header, &after, &again.seal(3, true, &[4; 10])].concat();
        let sound = [vec![1; CHUNK], vec![2; 100], vec![3; CHUNK], vec![4; 10]].concat();
        // The very last one is told from a torn one by its key alone.
        let whole = whole(&mut io::Cursor::new(&all)).unwrap().unwrap();
        let last = end(KEY, &mut io::Cursor::new(&all[..]), &whole).unwrap();
        assert!(last == sound[..sound.len() - 10], "{} octets", last.len());
        assert_eq!(open(KEY, &all).unwrap(), (sound, true));
        let without = [&file[..HEADER], &header, &after].concat();
        assert_eq!(open(KEY, &without), Err(Error::Damaged(0)), "a part was left out");
    }
}
