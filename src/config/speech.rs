//! The words that may be said to callers, as tunes: of every language that some line, district or
//! menu speaks.

use super::settings::{Settings, Tune};
use crate::base::TuneId;
use crate::call::{Goal, Means};
use crate::say::{Thing, vocabulary, words};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub fn prompts(settings: &mut Settings) {
    let waits = |goal: &Goal| matches!(goal, Goal::Queue(_));
    let lines = settings.call.lines.iter().filter(|line| waits(&line.goal));
    let (mut languages, mut things) = (BTreeSet::new(), Vec::new());
    for line in lines {
        languages.insert(settings.call.language.clone());
        languages.extend(line.languages.iter().cloned());
        for choice in &line.menu {
            things.push(match &choice.means {
                Means::Language(name) => {
                    languages.insert(name.clone());
                    Thing::Language(name.clone())
                }
                Means::District(name) => Thing::District(name.clone()),
                Means::Queue(_, name) => Thing::Queue(name.clone()),
            });
        }
    }
    if !languages.is_empty() {
        let own = settings.call.districts.iter().flat_map(|district| &district.languages);
        languages.extend(own.cloned());
    }
    let mut prompts = BTreeMap::new();
    let messages = settings.call.messages.clone();
    let names = languages.iter().flat_map(|language| {
        let words = messages.iter().flat_map(|message| words(message));
        let messages = words.map(move |word| format!("{language}/{word}"));
        vocabulary(language, &things).into_iter().chain(messages)
    });
    for name in names {
        let known = settings.tunes.iter().position(|tune| tune.name == name);
        let at = known.unwrap_or(settings.tunes.len());
        if known.is_none() {
            let file = Some(settings.prompts.join(format!("{name}.wav")));
            settings.tunes.push(Tune { name: name.clone(), file, speech: true });
        }
        prompts.insert(name, TuneId(at as u64));
    }
    settings.call.prompts = Arc::new(prompts);
}
