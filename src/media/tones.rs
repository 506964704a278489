//! Keys as pairs of tones in the sound itself (ITU-T Q.23, Q.24), for trunks that have no other way
//! to tell of them: made, and found by Goertzel's filters.
//!
//! In: samples at 8,000 Hz. Out: keys, each once; or samples. May import: nothing.

use std::f32::consts::TAU;

const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
const RATE: f32 = 8_000.0;
/// Samples that are looked at together: 12.75 ms tell the tones apart, and Q.24 wants a key of
/// 40 ms to be found, which holds two whole blocks wherever it begins.
const BLOCK: usize = 102;
/// Mean power of a tone that is too faint: 39 dB below 0 dBm0, which is a root mean square of
/// 16,140. Q.24 has the faintest that must be heard well above it.
const FAINT: f32 = 181.0 * 181.0;
/// The two tones are this part of all power; a voice is elsewhere too.
const PURE: f32 = 0.75;
/// The louder is at most so many times as powerful: 8 dB (Q.24's twist).
const TWIST: f32 = 6.3;
/// And so many times as powerful as any other of its group.
const ALONE: f32 = 4.0;
/// Blocks without it until a key is up: Q.24 forbids that a gap of 10 ms make two of one.
const UP: u8 = 3;
/// Amplitude of a tone of ours: -10 dBm0 each, as presses in packets say of theirs.
const LOUD: f32 = 7_220.0;

/// 20 ms of a key, `since` samples after it went down. Silence for what is no key.
pub fn tone(key: char, since: u32) -> [i16; 160] {
    let place = |(row, keys): (usize, &[char; 4])| {
        keys.iter().position(|other| *other == key).map(|column| (LOW[row], HIGH[column]))
    };
    let Some((low, high)) = KEYS.iter().enumerate().find_map(place) else { return [0; 160] };
    std::array::from_fn(|n| {
        let at = TAU * (since as usize + n) as f32 / RATE;
        (LOUD * ((at * low).sin() + (at * high).sin())) as i16
    })
}

#[derive(Clone, Debug, Default)]
pub struct Tones {
    block: Vec<i16>,
    /// The key of the last block, and whether it was told.
    key: Option<char>,
    told: bool,
    /// Blocks since it was there.
    up: u8,
    /// Samples that are passed over.
    deaf: usize,
}

/// The echo of a tone of ours may be on its way for so long: 300 ms.
const ECHO: usize = 2_400;

impl Tones {
    pub fn hear(&mut self, samples: impl IntoIterator<Item = i16>, keys: &mut Vec<char>) {
        for sample in samples {
            if self.deaf > 0 {
                self.deaf -= 1;
                continue;
            }
            self.block.push(sample);
            if self.block.len() == BLOCK {
                let key = find(&self.block);
                self.block.clear();
                keys.extend(self.judge(key));
            }
        }
    }

    /// We press a key ourselves: what comes now, and for a while, is its echo.
    pub fn overhear(&mut self) {
        *self = Self { deaf: ECHO, ..Self::default() };
    }

    /// A key that was told has not come up yet.
    pub fn is_down(&self) -> bool {
        self.told
    }

    /// A key is believed in its second block.
    fn judge(&mut self, key: Option<char>) -> Option<char> {
        if key.is_none() || key != self.key {
            self.up += 1;
            if self.up >= UP || !self.told {
                (self.key, self.told, self.up) = (key, false, 0);
            }
            return None;
        }
        self.up = 0;
        (!std::mem::replace(&mut self.told, true)).then_some(key).flatten()
    }
}

fn find(block: &[i16]) -> Option<char> {
    let total: f32 = block.iter().map(|s| f32::from(*s) * f32::from(*s)).sum();
    let size = block.len() as f32;
    if total < 2.0 * FAINT * size {
        return None;
    }
    let (row, low) = loudest(block, &LOW)?;
    let (column, high) = loudest(block, &HIGH)?;
    // A tone of amplitude A has a power of A² n / 2, and Goertzel's is (A n / 2)².
    let both = (low + high) * 2.0 / size;
    let twisted = low > high * TWIST || high > low * TWIST;
    (both > PURE * total && !twisted).then(|| KEYS[row][column])
}

/// Which of a group is loudest, and its power, if it is alone.
fn loudest(block: &[i16], group: &[f32; 4]) -> Option<(usize, f32)> {
    let powers = group.map(|hertz| goertzel(block, hertz));
    let (at, most) = (0..4).map(|n| (n, powers[n])).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let alone = (0..4).all(|n| n == at || powers[n] * ALONE < most);
    alone.then_some((at, most))
}

fn goertzel(block: &[i16], hertz: f32) -> f32 {
    let twice = 2.0 * (TAU * hertz / RATE).cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    for sample in block {
        (last, before) = (f32::from(*sample) + twice * last - before, last);
    }
    last * last + before * before - twice * last * before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(samples: impl IntoIterator<Item = i16>) -> Vec<char> {
        let (mut ear, mut keys) = (Tones::default(), Vec::new());
        ear.hear(samples, &mut keys);
        keys
    }

    fn key(key: char, millis: u32) -> Vec<i16> {
        let whole: Vec<i16> = (0..millis.div_ceil(20)).flat_map(|n| tone(key, n * 160)).collect();
        whole[..millis as usize * 8].to_vec()
    }

    #[test]
    fn a_key_is_heard_once_however_long_and_twice_with_a_pause() {
        for millis in [40, 60, 100, 500] {
            for before in [0, 37, 90, 160] {
                let sound = [vec![0; before], key('5', millis), vec![0; 400]].concat();
                assert_eq!(heard(sound), ['5'], "{millis} ms, {before} samples before");
            }
        }
        let twice = [key('#', 60), vec![0; 400], key('#', 60), vec![0; 400]].concat();
        assert_eq!(heard(twice), ['#', '#']);
        let short_gap = [key('1', 60), vec![0; 70], key('1', 60), vec![0; 400]].concat();
        assert_eq!(heard(short_gap), ['1'], "a gap of 9 ms is none");
    }

    #[test]
    fn keys_are_heard_faint_and_in_noise() {
        let mut dice = 7u32;
        let noise = |loud: f32, dice: &mut u32| {
            *dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (((*dice >> 8) as f32 / (1 << 23) as f32 - 1.0) * loud) as i16
        };
        let faint: Vec<i16> =
            key('9', 80).iter().map(|s| s / 20 + noise(60.0, &mut dice)).collect();
        assert_eq!(heard([faint, vec![0; 300]].concat()), ['9']);
        let only: Vec<i16> = (0..80_000).map(|_| noise(8_000.0, &mut dice)).collect();
        assert!(heard(only).is_empty());
    }

    #[test]
    fn a_key_is_as_loud_as_its_packets_say_and_one_that_is_too_faint_is_none() {
        for (row, low) in LOW.into_iter().enumerate() {
            for (column, high) in HIGH.into_iter().enumerate() {
                let sound = key(KEYS[row][column], 200);
                for hertz in [low, high] {
                    // A tone of amplitude A has a power of (A n / 2)² here, and one of 0 dBm0 an
                    // amplitude of 22,827.
                    let amplitude = 2.0 * goertzel(&sound, hertz).sqrt() / sound.len() as f32;
                    let level = 20.0 * (amplitude / 22_827.0).log10();
                    assert!((level + 10.0).abs() < 0.2, "{hertz} Hz: {level} dBm0");
                }
            }
        }
        let at = |level: f32| {
            let part = 10f32.powf((level + 10.0) / 20.0);
            heard(key('4', 200).iter().map(|s| (f32::from(*s) * part) as i16).chain([0; 400]))
        };
        assert_eq!((at(-37.0), at(-41.0)), (vec!['4'], vec![]));
    }

    #[test]
    fn no_voice_is_a_key() {
        // Harmonics of every pitch of a voice, ten seconds of it.
        let voice = (0..80_000).map(|n| {
            let at = n as f32 / RATE;
            let phase = TAU * (100.0 * at + 12.0 * at * at);
            let harmonics = (1..12).map(|k| (k as f32 * phase).sin() / k as f32);
            (5_000.0 * harmonics.sum::<f32>()) as i16
        });
        assert!(heard(voice).is_empty());
        let one_tone = (0..8_000).map(|n| (8_000.0 * (TAU * 941.0 * n as f32 / RATE).sin()) as i16);
        assert!(heard(one_tone).is_empty());
    }

    #[test]
    fn silence_and_the_loudest_noise_are_no_keys() {
        assert!(heard(vec![0; 8_000]).is_empty());
        assert!(heard(vec![i16::MIN; 8_000]).is_empty());
    }
}
