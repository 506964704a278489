//! Our G.722 and SpanDSP's, which is not ours and comes with baresip: the same octets from the
//! same sound, and the same sound from the same octets, bit by bit. What is louder than can be said
//! is as loud as can be here, and wraps around there.
#![allow(unsafe_code)]

use libc::{c_int, c_void};
use pukar::media::sound::{Decoder, Encoder, WIDE};
use pukar::wire::codec::Codec;
use std::f64::consts::TAU;
use std::ffi::CStr;
use std::ptr::null_mut;

type Init = unsafe extern "C" fn(*mut c_void, c_int, c_int) -> *mut c_void;
type Encode = unsafe extern "C" fn(*mut c_void, *mut u8, *const i16, c_int) -> c_int;
type Decode = unsafe extern "C" fn(*mut c_void, *mut i16, *const u8, c_int) -> c_int;

fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: both names end with a zero and outlive the calls; nothing of the library runs but its
    // own beginning.
    let found = unsafe {
        let library = libc::dlopen(c"libspandsp.so.2".as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "no SpanDSP: install baresip-core, as tests/run does");
        libc::dlsym(library, name.as_ptr())
    };
    assert!(!found.is_null(), "{name:?}");
    found
}

fn their_octets(samples: &[i16]) -> Vec<u8> {
    let mut octets = vec![0; samples.len()];
    // SAFETY: the types are those of spandsp/g722.h; an octet stands for two samples, so that
    // there is room for all; the state that `init` makes is never freed.
    let count = unsafe {
        let init: Init = std::mem::transmute(symbol(c"g722_encode_init"));
        let encode: Encode = std::mem::transmute(symbol(c"g722_encode"));
        let state = init(null_mut(), 64_000, 0);
        encode(state, octets.as_mut_ptr(), samples.as_ptr(), samples.len() as c_int)
    };
    octets.truncate(count as usize);
    octets
}

fn their_samples(octets: &[u8]) -> Vec<i16> {
    let mut samples = vec![0; 4 * octets.len()];
    // SAFETY: as above; an octet becomes two samples.
    let count = unsafe {
        let init: Init = std::mem::transmute(symbol(c"g722_decode_init"));
        let decode: Decode = std::mem::transmute(symbol(c"g722_decode"));
        let state = init(null_mut(), 64_000, 0);
        decode(state, samples.as_mut_ptr(), octets.as_ptr(), octets.len() as c_int)
    };
    samples.truncate(count as usize);
    samples
}

fn our_octets(samples: &[i16]) -> Vec<u8> {
    let (mut encoder, mut octets) = (Encoder::new(Codec::G722, WIDE), Vec::new());
    samples.chunks(320).for_each(|frame| encoder.encode(frame, &mut octets));
    octets
}

fn our_samples(octets: &[u8]) -> Vec<i16> {
    let (mut decoder, mut samples) = (Decoder::new(Codec::G722, WIDE), Vec::new());
    octets.chunks(160).for_each(|frame| decoder.decode(frame, &mut samples));
    samples
}

fn dice(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

/// Two seconds of each: a voice, noise, the loudest there is, silence, a glide over all pitches.
fn sounds() -> [(&'static str, Vec<i16>); 5] {
    let second = |n: i32| f64::from(n) / f64::from(WIDE);
    let all = || 0..2 * WIDE as i32;
    let voice = |n| {
        let phase = TAU * (140.0 * second(n) + 20.0 * second(n).powi(2));
        let loud = 3_000.0 * (1.0 + (TAU * 3.0 * second(n)).sin());
        (loud * (1..30).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum::<f64>()) as i16
    };
    let glide = |n| (20_000.0 * (TAU * 2_000.0 * second(n).powi(2)).sin()) as i16;
    let mut roll = dice(7);
    [
        ("a voice", all().map(voice).collect()),
        ("noise", all().map(|_| roll() as i16).collect()),
        ("the loudest", all().map(|n| if n / 37 % 2 == 0 { i16::MAX } else { i16::MIN }).collect()),
        ("silence", all().map(|n| i16::from(n < 50) * 9_000).collect()),
        ("a glide", all().map(glide).collect()),
    ]
}

#[test]
fn the_same_sound_becomes_the_same_octets() {
    for (name, samples) in sounds() {
        let (ours, theirs) = (our_octets(&samples), their_octets(&samples));
        assert_eq!(ours.len(), samples.len() / 2, "{name}");
        let first = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        assert_eq!((first, ours.len()), (None, theirs.len()), "{name}");
    }
}

#[test]
fn the_same_octets_become_the_same_sound() {
    let spoken = sounds().map(|(name, samples)| (name, their_octets(&samples)));
    let mut roll = dice(11);
    let garbage = ("garbage", (0..32_000).map(|_| roll() as u8).collect());
    for (name, octets) in spoken.into_iter().chain([garbage]) {
        let (ours, theirs) = (our_samples(&octets), their_samples(&octets));
        let loudest = |sample: i16| sample == i16::MAX || sample == i16::MIN;
        let pairs = || ours.iter().zip(&theirs);
        let first = pairs().position(|(a, b)| a != b && !loudest(*a));
        assert_eq!((first, ours.len()), (None, theirs.len()), "{name}");
        let wrapped = pairs().filter(|(a, b)| a != b).count();
        assert!(wrapped < ours.len() / 2, "{name}: {wrapped} of {}", ours.len());
    }
}
