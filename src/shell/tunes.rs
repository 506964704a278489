//! Everything that the settings have played, read once and encoded once.

use super::prompts::Prompts;
use crate::base::{Id, TuneId};
use crate::config::Settings;
use crate::media::{Tune, Tunes};

/// Names in one line of the log.
const NAMED_MAX: usize = 20;

/// Every tune of the settings, and a sentence for each thing that is wrong with them. Where none
/// can be had a tone takes its place, so that a caller hears that the line is alive; a word that is
/// recorded in no language is left out of its sentence.
pub fn load(settings: &Settings) -> (Tunes, Vec<String>) {
    let prompts = Prompts::of(settings);
    let (mut tunes, mut complaints) = (Tunes::default(), Vec::new());
    for (slot, wanted) in settings.tunes.iter().enumerate() {
        let found = prompts.find(&wanted.name);
        let audio = found.map(|found| prompts.audio(&found)).transpose();
        let samples = audio.unwrap_or_else(|complaint| {
            complaints.push(format!("{complaint}. Callers hear a tone in its place"));
            None
        });
        if samples.is_none() && wanted.speech {
            continue;
        }
        let samples = samples.unwrap_or_else(|| stand_in(&prompts));
        tunes.insert(TuneId::new(slot as u32, 0), Tune::new(&samples));
    }
    complaints.extend(missing(settings, &prompts));
    (tunes, complaints)
}

/// What is not recorded, in one sentence: a tone stands in for it, or another language.
pub fn missing(settings: &Settings, prompts: &Prompts) -> Option<String> {
    let (mut absent, mut silent, mut spoken_for) = (Vec::new(), Vec::new(), Vec::new());
    for tune in &settings.tunes {
        match prompts.find(&tune.name) {
            None if tune.speech => silent.push(tune.name.clone()),
            None => absent.push(tune.name.clone()),
            Some(found) if found.name != tune.name => {
                spoken_for.push(format!("{} ({})", tune.name, found.name));
            }
            Some(_) => {}
        }
    }
    let part = |names: &[String], what: &str| {
        let more = names.len().saturating_sub(NAMED_MAX);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = names[..names.len().min(NAMED_MAX)].join(", ");
        (!names.is_empty()).then(|| format!("{what}: {named}{rest}"))
    };
    let parts: Vec<String> = [
        part(&absent, "prompts that are missing, callers hear a tone in their place"),
        part(&silent, "words that are missing, they are left out"),
        part(&spoken_for, "prompts that are missing, another language stands in"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "{}. Record them as {}/<name>.wav, or see `pukar prompts list`",
            parts.join("; "),
            settings.prompts.display()
        )
    })
}

fn stand_in(prompts: &Prompts) -> Vec<i16> {
    prompts.find("tone").and_then(|tone| prompts.audio(&tone).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_prompt_that_is_missing_is_named_and_replaced_by_the_tone() {
        let tune = |name: &str| config::Tune { name: name.into(), ..config::Tune::default() };
        let word = config::Tune { speech: true, ..tune("hi/nobody-said") };
        let settings = Settings {
            tunes: vec![tune("hi/anthem"), tune("tone"), tune("bhili/n/5"), word],
            prompts: "/nowhere".into(),
            ..Settings::default()
        };
        let (tunes, complaints) = load(&settings);
        let said = "prompts that are missing, callers hear a tone in their place: hi/anthem; \
                    words that are missing, they are left out: hi/nobody-said; \
                    prompts that are missing, another language stands in: bhili/n/5 (hi/n/5). \
                    Record them as /nowhere/<name>.wav, or see `pukar prompts list`";
        assert_eq!(complaints, [said]);
        for slot in 0..2 {
            assert_eq!(tunes.find(TuneId::new(slot, 0)).unwrap().frames(), 150);
        }
        assert!(tunes.find(TuneId::new(2, 0)).unwrap().frames() < 75, "a word, not the tone");
        assert_eq!(tunes.find(TuneId::new(3, 0)), None);
    }
}
