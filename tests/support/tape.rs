//! What a telephone writes down while it talks: a WAV file that grows, and whose newest sample is
//! as old as its last change. So it is known of each sample when it was said or heard.

use pukar::wire::codec::Codec;
use std::f64::consts::PI;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

const HEADER: usize = 44;

pub struct Tape {
    file: File,
    /// Samples a second.
    rate: usize,
    /// Octets of a sample of all channels.
    size: usize,
    /// Samples that were on it when it was opened.
    length: usize,
    /// When the newest was written, in seconds of the wall clock.
    newest: f64,
}

impl Tape {
    /// `None`: there is nothing on it yet. linphone writes the header when the call is over; until
    /// then there is one channel, of the rate of its `codec`.
    pub fn open(path: &Path, codec: Codec) -> Option<Self> {
        let file = File::open(path).ok()?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let (rate, size) = match u32::from_le_bytes(header[24..28].try_into().ok()?) {
            0 => (codec.rate(), 2),
            rate => (rate, 2 * usize::from(header[22])),
        };
        let about = file.metadata().ok()?;
        let length = (about.len() as usize - HEADER) / size;
        let newest = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        Some(Self { file, rate: rate as usize, size, length, newest })
    }

    pub fn seconds(&self) -> f64 {
        self.length as f64 / self.rate as f64
    }

    /// When it came to this place, which is counted in seconds from the beginning.
    pub fn moment(&self, seconds: f64) -> f64 {
        self.newest - (self.seconds() - seconds)
    }

    /// So many seconds from a place on, of the first channel, at a rate that its own is a multiple
    /// of.
    pub fn part(&self, from: f64, seconds: f64, rate: usize) -> Vec<i16> {
        assert!(self.rate.is_multiple_of(rate), "{} samples a second", self.rate);
        let times = self.rate / rate;
        let from = (from * self.rate as f64) as usize;
        let count = (seconds * rate as f64) as usize;
        if times == 1 {
            return self.samples(from, count);
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
        let around = self.samples(from - reach as usize, count * times + taps.len());
        let windows = around.windows(taps.len()).step_by(times).take(count);
        windows.map(|window| dot(window, &taps) as i16).collect()
    }

    /// What is not there is silence.
    fn samples(&self, from: usize, count: usize) -> Vec<i16> {
        let mut bytes = vec![0; count * self.size];
        let (mut read, at) = (0, HEADER + from * self.size);
        while let Ok(more @ 1..) = self.file.read_at(&mut bytes[read..], (at + read) as u64) {
            read += more;
        }
        let first = |sample: &[u8]| i16::from_le_bytes([sample[0], sample[1]]);
        bytes.chunks_exact(self.size).map(first).collect()
    }
}

fn dot(samples: &[i16], taps: &[f64]) -> f64 {
    samples.iter().zip(taps).map(|(sample, tap)| f64::from(*sample) * tap).sum()
}
