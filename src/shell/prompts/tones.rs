//! Tones that need no recording: those of a country's telephones (ITU-T E.180 and its supplement
//! 2), and ours for people at work. A file of the same name replaces any.

use crate::config::Country;
use std::f64::consts::TAU;

const RATE: usize = 8_000;
/// Tones lie here; it is no language.
pub const FOLDER: &str = "tone";
/// `tone` alone is ring-back: what callers hear where there is no music.
pub const NAMES: [&str; 10] = [
    "tone",
    "tone/ring",
    "tone/busy",
    "tone/congested",
    "tone/unobtainable",
    "tone/info",
    "tone/beep",
    "tone/done",
    "tone/refused",
    "tone/accept",
];
/// Root mean square of a tone while it sounds: -10 dBm0, the level of E.180. A sine as loud as
/// G.711 can have it is 3.14 dBm0.
const LOUDNESS: f64 = 5_104.0;
/// Milliseconds in which a tone swells and fades, so that nothing clicks.
const EDGE: f64 = 5.0;

/// A part of a cadence: some milliseconds of these frequencies together, or of none.
#[derive(Clone, Copy)]
struct Part {
    millis: usize,
    hertz: &'static [f64],
    /// It trembles, 25 times a second.
    trembles: bool,
}

const fn on(millis: usize, hertz: &'static [f64]) -> Part {
    Part { millis, hertz, trembles: false }
}

const fn trembling(millis: usize, hertz: &'static [f64]) -> Part {
    Part { millis, hertz, trembles: true }
}

const fn off(millis: usize) -> Part {
    on(millis, &[])
}

/// What a country's telephones sound like.
struct Plan {
    ring: &'static [Part],
    busy: &'static [Part],
    /// There is no way through just now.
    congested: &'static [Part],
    /// There is no such number.
    unobtainable: &'static [Part],
}

const INDIA: Plan = Plan {
    ring: &[trembling(400, &[400.0]), off(200), trembling(400, &[400.0]), off(2_000)],
    busy: &[on(750, &[400.0]), off(750)],
    congested: &[on(250, &[400.0]), off(250)],
    unobtainable: &[on(2_800, &[400.0]), off(200)],
};
/// What E.180 recommends to all.
const ITU: Plan = Plan {
    ring: &[on(1_000, &[425.0]), off(4_000)],
    busy: &[on(500, &[425.0]), off(500)],
    congested: &[on(250, &[425.0]), off(250)],
    unobtainable: &INFO,
};
const BRITAIN: Plan = Plan {
    ring: &[on(400, &[400.0, 450.0]), off(200), on(400, &[400.0, 450.0]), off(2_000)],
    busy: &[on(375, &[400.0]), off(375)],
    congested: &[on(400, &[400.0]), off(350), on(225, &[400.0]), off(525)],
    // Without a pause; what is heard without end is heard again from here.
    unobtainable: &[on(10_000, &[400.0])],
};
const AMERICA: Plan = Plan {
    ring: &[on(2_000, &[440.0, 480.0]), off(4_000)],
    busy: &[on(500, &[480.0, 620.0]), off(500)],
    congested: &[on(250, &[480.0, 620.0]), off(250)],
    unobtainable: &INFO,
};
/// The special information tone is the same everywhere: a voice that explains comes behind it.
const INFO: [Part; 4] = [on(330, &[950.0]), on(330, &[1_400.0]), on(330, &[1_800.0]), off(1_000)];

const BEEP: &[Part] = &[on(200, &[1_400.0])];
const DONE: &[Part] = &[on(120, &[880.0]), off(40), on(160, &[1_320.0])];
const REFUSED: &[Part] = &[on(180, &[440.0]), off(60), on(300, &[330.0])];
const ACCEPT: &[Part] = &[on(150, &[520.0]), off(150), on(150, &[520.0]), off(1_000)];
const PAUSE: &[Part] = &[off(250)];

/// The samples of a tone, once through its cadence. `pause` is one in every language.
pub fn tone(country: Country, name: &str) -> Option<Vec<i16>> {
    parts(country, name).map(|parts| parts.iter().flat_map(|part| part.samples()).collect())
}

/// Whether there is such a tone.
pub fn is_tone(name: &str) -> bool {
    parts(Country::default(), name).is_some()
}

fn parts(country: Country, name: &str) -> Option<&'static [Part]> {
    let plan = match country {
        Country::India => &INDIA,
        Country::Itu => &ITU,
        Country::Britain => &BRITAIN,
        Country::America => &AMERICA,
    };
    Some(match name {
        "tone" | "tone/ring" => plan.ring,
        "tone/busy" => plan.busy,
        "tone/congested" => plan.congested,
        "tone/unobtainable" => plan.unobtainable,
        "tone/info" => &INFO,
        "tone/beep" => BEEP,
        "tone/done" => DONE,
        "tone/refused" => REFUSED,
        "tone/accept" => ACCEPT,
        _ if name.ends_with("/pause") => PAUSE,
        _ => return None,
    })
}

impl Part {
    fn samples(&self) -> impl Iterator<Item = i16> {
        let length = self.millis * RATE / 1_000;
        // Two frequencies share the level; a tremble of 0.4 around 0.6 has a power of 0.44.
        let share = if self.trembles { 0.44 } else { 1.0 } * self.hertz.len().max(1) as f64;
        let amplitude = LOUDNESS * (2.0 / share).sqrt();
        (0..length).map(move |n| {
            let at = n as f64 / RATE as f64;
            let edge = n.min(length - n) as f64 / (RATE as f64 * EDGE / 1_000.0);
            let swing = if self.trembles { 0.6 + 0.4 * (TAU * 25.0 * at).sin() } else { 1.0 };
            let sum: f64 = self.hertz.iter().map(|hertz| (TAU * hertz * at).sin()).sum();
            (amplitude * edge.min(1.0) * swing * sum) as i16
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each 5 ms sound, as the lengths of what sounds and what does not, in milliseconds.
    fn cadence(samples: &[i16]) -> Vec<(usize, bool)> {
        let mut parts: Vec<(usize, bool)> = Vec::new();
        for piece in samples.chunks(40) {
            let sounds = piece.iter().any(|sample| sample.unsigned_abs() > 200);
            match parts.last_mut().filter(|last| last.1 == sounds) {
                Some(last) => last.0 += 5,
                None => parts.push((5, sounds)),
            }
        }
        parts
    }

    /// Power of one frequency, by Goertzel's filter.
    fn power(samples: &[i16], hertz: f64) -> f64 {
        let turn = 2.0 * (TAU * hertz / RATE as f64).cos();
        let (mut last, mut before) = (0.0, 0.0);
        for sample in samples {
            (last, before) = (f64::from(*sample) + turn * last - before, last);
        }
        let size = samples.len() as f64;
        2.0 * (last * last + before * before - turn * last * before) / (size * size)
    }

    /// A power as a level: the root mean square of 0 dBm0 is 16,140.
    fn dbm0(power: f64) -> f64 {
        10.0 * (power / 16_140f64.powi(2)).log10()
    }

    /// In dBm0, the whole of what sounds.
    fn level(samples: &[i16]) -> f64 {
        let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        dbm0(power / samples.len() as f64)
    }

    /// The tone sounds and rests by turns for so long, and each time it sounds it is these
    /// frequencies and nothing else, at -10 dBm0.
    #[track_caller]
    fn check(country: Country, name: &str, hertz: &[f64], millis: &[usize]) {
        let samples = tone(country, name).unwrap();
        let found = cadence(&samples);
        assert_eq!(found.len(), millis.len(), "{country:?} {name}: {found:?}");
        let mut at = 0;
        for (part, wanted) in found.into_iter().zip(millis) {
            assert!(part.0.abs_diff(*wanted) <= 5, "{country:?} {name}: {part:?}, {wanted}");
            let piece = &samples[at..at + part.0 * 8];
            at += piece.len();
            if part.1 {
                // Whole turns of every frequency, past the edge.
                let middle = &piece[80..80 + 1_600.min((piece.len() - 160) / 320 * 320)];
                let all = level(middle);
                assert!((all + 10.0).abs() < 0.2, "{country:?} {name}: {all} dBm0");
                let own: f64 = hertz.iter().map(|hertz| power(middle, *hertz)).sum();
                let part = dbm0(own) - all;
                assert!(part.abs() < 0.3, "{country:?} {name}: {part} dB of all");
            }
        }
    }

    #[test]
    fn tones_are_those_of_the_country() {
        use Country::{America, Britain, India, Itu};
        // 400 Hz that trembles is 400 Hz and both its neighbours.
        check(India, "tone", &[375.0, 400.0, 425.0], &[400, 200, 400, 2_000]);
        check(India, "tone/busy", &[400.0], &[750, 750]);
        check(India, "tone/congested", &[400.0], &[250, 250]);
        check(India, "tone/unobtainable", &[400.0], &[2_800, 200]);
        check(Itu, "tone/ring", &[425.0], &[1_000, 4_000]);
        check(Itu, "tone/busy", &[425.0], &[500, 500]);
        check(Itu, "tone/congested", &[425.0], &[250, 250]);
        check(Britain, "tone/ring", &[400.0, 450.0], &[400, 200, 400, 2_000]);
        check(Britain, "tone/busy", &[400.0], &[375, 375]);
        check(Britain, "tone/congested", &[400.0], &[400, 350, 225, 525]);
        check(Britain, "tone/unobtainable", &[400.0], &[10_000]);
        check(America, "tone/ring", &[440.0, 480.0], &[2_000, 4_000]);
        check(America, "tone/busy", &[480.0, 620.0], &[500, 500]);
        check(America, "tone/congested", &[480.0, 620.0], &[250, 250]);
        for country in Country::ALL {
            check(country, "tone/beep", &[1_400.0], &[200]);
        }
    }

    #[test]
    fn what_a_voice_explains_has_three_tones_before_it_everywhere() {
        for country in Country::ALL {
            let samples = tone(country, "tone/info").unwrap();
            for (n, hertz) in [950.0, 1_400.0, 1_800.0].into_iter().enumerate() {
                let piece = &samples[n * 2_640 + 80..n * 2_640 + 80 + 1_600];
                assert!((level(piece) + 10.0).abs() < 0.2 && power(piece, hertz) > 2.4e7);
            }
            assert_eq!(samples.len(), 8 * 1_990);
        }
        for country in [Country::Itu, Country::America] {
            assert_eq!(tone(country, "tone/unobtainable"), tone(country, "tone/info"));
        }
    }

    #[test]
    fn every_tone_sounds_and_does_not_shout() {
        for name in NAMES {
            let samples = tone(Country::India, name).unwrap();
            let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!((7_000..11_000).contains(&peak), "{name}: {peak}");
            assert!(samples[0].unsigned_abs() < 500 && is_tone(name), "{name}");
        }
        assert!(tone(Country::India, "tone/loud").is_none() && !is_tone("tone/loud"));
        assert_eq!(tone(Country::India, "hi/pause"), Some(vec![0; 2_000]));
    }
}
