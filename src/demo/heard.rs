//! What callers were told, against what their telephones heard: every announcement whole and in
//! order, octet by octet, with nothing but music before, between and behind them.
//!
//! In: the tunes of a configuration, the switch's facts, the prints that telephones keep. Out: how
//! much was heard, or what was not.

use pukar::base::{Id, TuneId};
use pukar::config::Settings;
use pukar::load::print;
use pukar::shell::tunes::{Shelf, load};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Octets of 20 ms.
const FRAME: usize = 160;
/// What was begun this long before the end may not have come to the telephone.
const JUST_BEGUN: Duration = Duration::from_millis(500);

/// One announcement as the switch has it.
#[derive(Clone, Debug)]
pub struct Told {
    pub names: Vec<String>,
    /// How long after it the call ended.
    pub before_end: Duration,
}

/// Every tune by its name, as the prints of its frames in A-law.
#[derive(Clone, Debug, Default)]
pub struct Songs {
    songs: BTreeMap<String, Vec<u32>>,
    music: BTreeSet<u32>,
}

impl Songs {
    /// `music`: the name of what is played between announcements.
    pub fn of(settings: &Settings, music: &str) -> Self {
        let (tunes, _) = load(settings, &mut Shelf::default());
        let named = settings.tunes.iter().enumerate();
        let songs: BTreeMap<_, Vec<u32>> = named
            .filter_map(|(slot, wanted)| {
                let tune = tunes.find(TuneId::new(slot as u32, 0))?;
                let (a_law, _) = tune.laws();
                Some((wanted.name.clone(), a_law.chunks(FRAME).map(print).collect()))
            })
            .collect();
        let music = songs.get(music).into_iter().flatten().copied().collect();
        Self { songs, music }
    }

    /// A word that says nothing in its language has no frames.
    fn frames(&self, names: &[String]) -> Vec<u32> {
        names.iter().filter_map(|name| self.songs.get(name)).flatten().copied().collect()
    }

    /// How many announcements were heard to the end, the last of all may have been cut off.
    pub fn follow(&self, heard: &[u32], told: &[Told]) -> Result<u64, String> {
        let (mut at, mut whole) = (0, 0);
        for (n, Told { names, before_end }) in told.iter().enumerate() {
            let frames = self.frames(names);
            let said = names.join(" ");
            if frames.is_empty() {
                return Err(format!("there is no sound for `{said}`"));
            }
            let is_last = n + 1 == told.len();
            let rest = &heard[at..];
            let begins = (0..=rest.len()).find(|from| {
                let there = &rest[*from..];
                there.starts_with(&frames) || (is_last && frames.starts_with(there))
            });
            let Some(from) = begins else {
                return Err(format!("`{said}` was not heard as it is"));
            };
            self.only_music(&rest[..from], at)?;
            let came = frames.len().min(rest.len() - from);
            if came == 0 && *before_end > JUST_BEGUN {
                return Err(format!("nothing was heard of `{said}`"));
            }
            whole += u64::from(came == frames.len());
            at += from + came;
        }
        self.only_music(&heard[at..], at)?;
        Ok(whole)
    }

    fn only_music(&self, heard: &[u32], first: usize) -> Result<(), String> {
        match heard.iter().position(|frame| !self.music.contains(frame)) {
            None => Ok(()),
            Some(n) => Err(format!("packet {} was neither music nor announced", first + n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUSIC: u32 = 1;

    fn songs() -> Songs {
        let songs = [("hi/a", vec![10, 11, 12]), ("hi/b", vec![20, 21]), ("tone", vec![MUSIC])];
        let songs = songs.map(|(name, frames)| (name.to_string(), frames)).into();
        Songs { songs, music: [MUSIC].into() }
    }

    fn told(names: &[&str], before_end: u64) -> Told {
        let names = names.iter().map(|name| name.to_string()).collect();
        Told { names, before_end: Duration::from_millis(before_end) }
    }

    #[test]
    fn announcements_are_heard_whole_and_in_order_and_music_between_them() {
        let all = [told(&["hi/a", "hi/b"], 9_000), told(&["hi/b"], 2_000)];
        let heard = [1, 1, 10, 11, 12, 20, 21, 1, 1, 20, 21, 1];
        assert_eq!(songs().follow(&heard, &all), Ok(2));
        assert_eq!(songs().follow(&heard[..10], &all), Ok(1), "the last was cut off");
        assert!(songs().follow(&heard[..9], &all).is_err(), "two seconds, and nothing of it");
        let [first, second] = all;
        assert!(songs().follow(&heard, &[second.clone(), first.clone()]).is_err());
        assert!(songs().follow(&heard, &[second]).is_err(), "who has told the first?");
        assert!(songs().follow(&heard, std::slice::from_ref(&first)).is_err(), "and the other?");
        let just_now = [first, told(&["hi/a"], 100)];
        assert_eq!(songs().follow(&heard[..9], &just_now), Ok(1));
    }

    #[test]
    fn a_frame_that_is_missing_twice_or_foreign_is_found() {
        let all = [told(&["hi/a"], 9_000), told(&["hi/b"], 5_000)];
        let right = [1, 10, 11, 12, 1, 20, 21, 1];
        assert_eq!(songs().follow(&right, &all), Ok(2));
        for n in 1..7 {
            let mut wrong = right.to_vec();
            wrong[n] = 99;
            assert!(songs().follow(&wrong, &all).is_err(), "foreign at {n}");
        }
        for n in [1, 2, 3, 5, 6] {
            let mut wrong = right.to_vec();
            wrong.remove(n);
            assert!(songs().follow(&wrong, &all).is_err(), "missing at {n}");
            wrong.splice(n..n, [right[n], right[n]]);
            assert!(songs().follow(&wrong, &all).is_err(), "twice at {n}");
        }
        assert!(songs().follow(&right, &[told(&["hi/none"], 9_000)]).is_err());
    }
}
