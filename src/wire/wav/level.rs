//! How loud a prompt is, and where it begins and ends. People record with whatever is at hand; the
//! telephone expects speech at one level. May import: base.

use super::RATE;

/// Samples in the 20 ms that loudness is measured over.
const FRAME: usize = RATE as usize / 50;
/// The loudness of speech while it sounds: 20 dB below a full-scale square wave, a little above the
/// network's usual -26 (ITU-T P.56), since prompts are heard in the street.
const SPEECH: f64 = 32_768.0 * 0.1;
/// The loudest sample after amplification: 1 dB below full scale.
const PEAK: f64 = 32_768.0 * 0.89;
/// What is less than 1 dB off stays as it is, octet by octet.
const CLOSE: f64 = 1.122;
/// At most 20 dB: what is fainter is noise.
const GAIN_MAX: f64 = 10.0;
/// A frame this far below the loudest one, 30 dB, is a pause.
const PAUSE: f64 = 0.0316;

fn rms(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

/// Brings speech to the level that all prompts have; pauses do not count. Never clips.
pub fn level(samples: &mut [i16]) {
    let frames: Vec<f64> = samples.chunks(FRAME).map(rms).collect();
    let loudest = frames.iter().copied().fold(0.0, f64::max);
    let sounding: Vec<f64> = frames.into_iter().filter(|rms| *rms > loudest * PAUSE).collect();
    let power: f64 = sounding.iter().map(|rms| rms * rms).sum();
    let loudness = (power / sounding.len().max(1) as f64).sqrt();
    if loudness < 1.0 {
        return;
    }
    let peak = samples.iter().map(|s| f64::from(*s).abs()).fold(1.0, f64::max);
    let gain = (SPEECH / loudness).min(GAIN_MAX).min(PEAK / peak);
    if (1.0 / CLOSE..CLOSE).contains(&gain) {
        return;
    }
    for sample in samples {
        *sample = (f64::from(*sample) * gain).round().clamp(-32_768.0, 32_767.0) as i16;
    }
}

/// What sounds, with `rest` samples of what is before and after.
pub fn trim(samples: &[i16], rest: usize) -> &[i16] {
    let step = FRAME / 4;
    let loud: Vec<f64> = samples.chunks(step).map(rms).collect();
    let threshold = loud.iter().copied().fold(0.0, f64::max) * PAUSE;
    let sounds = |rms: &f64| *rms > threshold;
    let (Some(first), Some(last)) = (loud.iter().position(sounds), loud.iter().rposition(sounds))
    else {
        return &[];
    };
    let (start, end) = (first * step, ((last + 1) * step).min(samples.len()));
    &samples[start.saturating_sub(rest)..(end + rest).min(samples.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a tone between two of silence.
    fn spoken(loudness: f64) -> Vec<i16> {
        let tone = |n: usize| (loudness * (n as f64 * 0.7).sin()) as i16;
        let silence = || std::iter::repeat_n(0, RATE as usize);
        silence().chain((0..RATE as usize).map(tone)).chain(silence()).collect()
    }

    #[test]
    fn faint_and_loud_voices_come_out_alike_and_a_good_one_as_it_was() {
        for loudness in [1_000.0, 3_000.0, 20_000.0, 32_000.0] {
            let mut samples = spoken(loudness);
            level(&mut samples);
            let now = rms(&samples[9_000..15_000]);
            assert!((now - SPEECH).abs() < 0.02 * SPEECH, "{loudness}: {now}");
            let once = samples.clone();
            level(&mut samples);
            assert_eq!(samples, once);
        }
    }

    #[test]
    fn neither_noise_nor_a_click_nor_nothing_is_blown_up() {
        let mut noise = spoken(20.0);
        level(&mut noise);
        assert!(rms(&noise[9_000..15_000]) < 200.0);
        let mut click = spoken(500.0);
        click[100] = 30_000;
        level(&mut click);
        assert!(click[100] <= 30_000, "one click does not let the voice be made louder");
        let mut nothing = vec![0; 500];
        level(&mut nothing);
        level(&mut []);
        assert_eq!(nothing, [0; 500]);
    }

    #[test]
    fn silence_before_and_after_is_taken_away() {
        let samples = spoken(5_000.0);
        let trimmed = trim(&samples, 400);
        assert!((8_800..=8_900).contains(&trimmed.len()), "{}", trimmed.len());
        assert!(trim(&[0; 500], 10).is_empty() && trim(&[], 10).is_empty());
    }
}
