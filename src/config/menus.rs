//! What waiting callers of a line may press: its keys, and `[[line.menu]]`.

use super::mistake::{Wrong, choose, wrong};
use super::section::Section;
use super::settings::Settings;
use crate::base::{QueueId, limits};
use crate::call::{Choice, Keys, Means};

/// What the rest of the configuration could not be read of, and may hold what a menu names.
#[derive(Clone, Copy)]
pub struct Unsure {
    pub queues: bool,
    pub districts: bool,
}

pub fn keys(section: &mut Section) -> Keys {
    let emergency = section.text_or_none("emergency_key", key).flatten();
    let callback = section.text_or_none("callback_key", key).flatten();
    if let (Some(one), Some(other)) = (&emergency, &callback)
        && one.it == other.it
    {
        let what = format!("\"{}\" is the emergency key and the callback key", one.it);
        section.log.add(other.place, what, "give them different keys");
    }
    Keys { emergency: emergency.map(|at| at.it), callback: callback.map(|at| at.it) }
}

pub fn menu(section: &mut Section, keys: Keys, unsure: Unsure, settings: &Settings) -> Vec<Choice> {
    let tables = section.tables("menu", "[[line.menu]], once for each choice");
    let mut choices: Vec<Choice> = Vec::new();
    for table in tables {
        let mut one = Section::new(table, "[[line.menu]]", section.log);
        one.missing("key", "\"1\"");
        let key = one.text("key", key);
        let means = means(&mut one, unsure, settings);
        one.done();
        let Some(key) = key else { continue };
        let taken = choices.iter().any(|choice| choice.key == key.it);
        if taken || keys.emergency == Some(key.it) {
            let what = match taken {
                true => format!("key \"{}\" stands twice in one menu", key.it),
                false => format!("key \"{}\" is the emergency key of the line", key.it),
            };
            section.log.add(key.place, what, "give every choice a key of its own");
        } else if let Some(means) = means {
            choices.push(Choice { key: key.it, means });
        }
    }
    choices
}

const MEANS: [&str; 3] = ["language", "district", "queue"];

fn means(section: &mut Section, unsure: Unsure, settings: &Settings) -> Option<Means> {
    let language = section.text("language", language);
    let district = section.text("district", |raw| Ok(raw.to_string()));
    let queue = section.text("queue", |raw| Ok(raw.to_string()));
    let said: Vec<&str> = MEANS.into_iter().filter(|key| section.has(key)).collect();
    match said[..] {
        [] => {
            let instead = "write language = \"hi\", district = \"alirajpur\" or queue = \"health\"";
            section.lacking("[[line.menu]] leads nowhere".into(), instead.into());
        }
        [_] => {}
        [_, second, ..] => {
            let place = section.place_of(second);
            let what = format!("one choice means {}", said.join(" and "));
            section.log.add(place, what, "write one [[line.menu]] for each");
        }
    }
    if let Some(at) = language {
        return Some(Means::Language(at.it));
    }
    if let Some(at) = district {
        if settings.call.district(&at.it).is_none() && !unsure.districts {
            let all = settings.call.districts.iter();
            let known: Vec<&str> = all.map(|district| district.name.as_str()).collect();
            let what = format!("district \"{}\" does not exist", at.it);
            section.log.add(at.place, what, choose(&at.it, &known, "districts"));
        }
        return Some(Means::District(at.it));
    }
    let at = queue?;
    let known: Vec<&str> = settings.acd.queues.iter().map(|queue| queue.name.as_str()).collect();
    let found = known.iter().position(|name| *name == at.it);
    if found.is_none() && !unsure.queues {
        let what = format!("queue \"{}\" does not exist", at.it);
        section.log.add(at.place, what, choose(&at.it, &known, "queues"));
    }
    found.map(|place| Means::Queue(QueueId(place as u64), at.it))
}

/// One key of a telephone.
fn key(raw: &str) -> Result<char, Wrong> {
    match raw.as_bytes() {
        [key @ (b'0'..=b'9' | b'*' | b'#')] => Ok(char::from(*key)),
        _ => wrong("is no key", "write one of 0 to 9, * and #"),
    }
}

/// The short name of a language, as prompts and skills have it: `hi`, `surgujia`.
pub fn language(raw: &str) -> Result<String, Wrong> {
    if raw.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && raw.len() <= 32 {
        return Ok(raw.into());
    }
    wrong("is no language", "write its folder of prompts, such as \"hi\" or \"surgujia\"")
}

/// Languages, the best first.
pub fn languages(section: &mut Section, key: &'static str) -> Vec<String> {
    let found = section.texts_or_none(key, language).unwrap_or_default();
    if let Some(at) = found.get(limits::CALLER_LANGUAGES_MAX) {
        let what = format!("{} {key} are too many", found.len());
        section.log.add(at.place, what, format!("keep to {}", limits::CALLER_LANGUAGES_MAX));
    }
    found.into_iter().map(|at| at.it).collect()
}
