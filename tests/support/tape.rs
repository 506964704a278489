//! What a telephone writes down while it talks: a WAV file that grows, and whose newest sample is
//! as old as its last change. So it is known of each sample when it was said or heard.

use pukar::wire::codec::Codec;
use std::f64::consts::PI;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

const HEADER: usize = 44;

pub struct Tape {
    /// Samples a second.
    rate: usize,
    samples: Vec<i16>,
    /// When the newest was written, in seconds of the wall clock.
    newest: f64,
}

/// What its header says: samples a second, and octets of a sample of all channels. linphone writes
/// the header when the call is over; until then there is one channel, of the rate of its `codec`.
fn form(header: &[u8], codec: Codec) -> (usize, usize) {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| header[at + n])) as usize;
    match word(24) {
        0 => (codec.rate() as usize, 2),
        rate => (rate, 2 * usize::from(header[22])),
    }
}

impl Tape {
    /// `None`: there is nothing on it yet.
    pub fn read(path: &Path, codec: Codec) -> Option<Self> {
        let file = File::open(path).ok()?;
        let about = file.metadata().ok()?;
        let mut bytes = Vec::new();
        file.take(about.len()).read_to_end(&mut bytes).ok()?;
        let (rate, size) = form(bytes.get(..HEADER)?, codec);
        let left = |sample: &[u8]| i16::from_le_bytes([sample[0], sample[1]]);
        let samples = bytes[HEADER..].chunks_exact(size).map(left).collect();
        let newest = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        Some(Self { rate, samples, newest })
    }

    /// Of a file that may still grow, without what is on it.
    pub fn seconds_of(path: &Path, codec: Codec) -> f64 {
        let mut header = [0; HEADER];
        let Ok(mut file) = File::open(path) else { return 0.0 };
        let (Ok(()), Ok(about)) = (file.read_exact(&mut header), file.metadata()) else {
            return 0.0;
        };
        let (rate, size) = form(&header, codec);
        (about.len() as usize - HEADER) as f64 / (rate * size) as f64
    }

    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / self.rate as f64
    }

    /// When it came to this place, which is counted in seconds from the beginning.
    pub fn moment(&self, seconds: f64) -> f64 {
        self.newest - (self.seconds() - seconds)
    }

    /// So many seconds from a place on, at a rate that its own is a multiple of.
    pub fn part(&self, from: f64, seconds: f64, rate: usize) -> Vec<i16> {
        assert!(self.rate.is_multiple_of(rate), "{} samples a second", self.rate);
        let times = self.rate / rate;
        let from = (from * self.rate as f64) as usize;
        let places = (0..(seconds * rate as f64) as usize).map(|n| from + n * times);
        if times == 1 {
            return places.map(|place| self.samples[place]).collect();
        }
        // A windowed sinc that ends short of half the lower rate.
        let reach = 16 * times as isize;
        let turn = PI * 0.94 / times as f64;
        let tap = |at: isize| {
            let at = at as f64;
            let sinc = if at == 0.0 { turn } else { (turn * at).sin() / at };
            sinc / PI * (0.5 + 0.5 * (PI * at / (reach + 1) as f64).cos())
        };
        let taps: Vec<f64> = (-reach..=reach).map(tap).collect();
        let reach = reach as usize;
        let lower = |place: usize| {
            let (first, skipped) = (place.saturating_sub(reach), reach.saturating_sub(place));
            let around = self.samples[first..].iter().zip(&taps[skipped..]);
            around.map(|(sample, tap)| f64::from(*sample) * tap).sum::<f64>() as i16
        };
        places.map(lower).collect()
    }
}
