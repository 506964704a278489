//! `[codes]`, `[[reason]]` and `[[category]]`: what an agent dials, or keys in during a call, and
//! the choices that a digit stands for.

use super::mistake::{Log, Place, Wrong, wrong};
use super::section::{At, Section};
use super::settings::{Settings, Tune};
use super::tree::Table;
use super::value;
use crate::acd::AgentSettings;
use crate::base::TuneId;
use crate::call::Goal;
use crate::call::Signals;
use crate::call::codes::{Act, Choice, CodeSettings};
use std::collections::BTreeMap;

/// Tunes that need no file.
pub const DONE: &str = "tone/done";
pub const REFUSED: &str = "tone/refused";
pub const BUSY: &str = "tone/busy";
pub const CONGESTED: &str = "tone/congested";
pub const UNOBTAINABLE: &str = "tone/unobtainable";
pub const GO_ON: &str = "tone/beep";
pub const RING: &str = "tone/ring";
pub const ACCEPT: &str = "tone/accept";

/// The codes that were written, and where.
pub type Coded = Vec<(Act, At<String>)>;

pub fn codes(
    table: &Table,
    [reasons, categories]: [Vec<&Table>; 2],
    settings: &mut Settings,
    log: &mut Log,
) -> Coded {
    let mut section = Section::new(table, "[codes]", log);
    let default = CodeSettings::default();
    let (mut coded, mut codes) = (Coded::new(), Vec::new());
    for (act, key, usual) in Act::ALL {
        let written = section.text(key, code);
        codes.push((act, written.as_ref().map_or(usual.to_string(), |at| at.it.clone())));
        coded.extend(written.map(|at| (act, at)));
    }
    section.done();
    let list = |tables: &[&Table], name: &str, default, log: &mut Log| match tables {
        [] => default,
        _ => choices(tables, name, log),
    };
    settings.call.codes = CodeSettings {
        codes,
        reasons: list(&reasons, "[[reason]]", default.reasons, log),
        categories: list(&categories, "[[category]]", default.categories, log),
    };
    coded
}

/// It begins with a key that no number has.
fn code(raw: &str) -> Result<String, Wrong> {
    let mut keys = raw.chars();
    let first = matches!(keys.next(), Some('*' | '#'));
    let rest = keys.as_str();
    match first && (1..=6).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(raw.into()),
        false => wrong("is no code", "write * or # and one to six digits, such as \"*11\""),
    }
}

fn choices(tables: &[&Table], name: &str, log: &mut Log) -> Vec<Choice> {
    let (mut digits, mut names) = (BTreeMap::new(), BTreeMap::new());
    let mut all = Vec::new();
    for table in tables {
        let mut section = Section::new(table, name, log);
        section.missing("digit", "\"1\"");
        section.missing("name", "\"food\"");
        let digit = section.text("digit", digit);
        let own = section.text("name", value::name);
        let title = section.text("title", value::words);
        let english = section.text("english", value::words);
        let strike = match name {
            "[[category]]" => section.flag("strike").unwrap_or(false),
            _ => false,
        };
        section.done();
        let mut once = |seen: &mut BTreeMap<String, Place>, what: String, place| {
            if let Some(first) = seen.insert(what.clone(), place) {
                let what = format!("{what} is already at {}", log.name(first));
                log.add(place, what, "give each one of its own");
            }
        };
        digit.iter().for_each(|at| once(&mut digits, format!("digit \"{}\"", at.it), at.place));
        own.iter().for_each(|at| once(&mut names, format!("name \"{}\"", at.it), at.place));
        let Some((digit, own)) = digit.zip(own) else { continue };
        let title = title.map_or_else(|| own.it.clone(), |at| at.it);
        let english = english.map_or_else(|| own.it.clone(), |at| at.it);
        all.push(Choice { digit: digit.it, name: own.it, title, english, strike });
    }
    all
}

fn digit(raw: &str) -> Result<char, Wrong> {
    match raw.as_bytes() {
        [digit @ b'0'..=b'9'] => Ok(char::from(*digit)),
        _ => wrong("is no digit", "write one from \"0\" to \"9\""),
    }
}

/// Codes that cannot be told from one another, or from a number, and extensions likewise.
pub fn check(coded: &Coded, settings: &Settings, log: &mut Log) {
    let codes = &settings.call.codes.codes;
    for (act, at) in coded {
        if act.is_in_call() && !act.is_answered() && !at.it.starts_with('*') {
            let what = format!(
                "{} = \"{}\" cannot be keyed in during a call, where # ends a code",
                act.name(),
                at.it
            );
            log.add(at.place, what, "write one that begins with *");
        }
        let clash = codes.iter().find(|(other, code)| {
            other != act && (at.it.starts_with(code.as_str()) || code.starts_with(&at.it))
        });
        if let Some((other, code)) = clash {
            let what = format!(
                "{} = \"{}\" cannot be told from {} = \"{code}\"",
                act.name(),
                at.it,
                other.name()
            );
            log.add(at.place, what, "choose codes of which none begins with another");
        }
    }
    let place = coded.first().map(|(_, at)| at.place).unwrap_or_default();
    let lines = || settings.call.lines.iter().flat_map(|line| &line.numbers);
    for number in lines() {
        if let Some((act, code)) = codes.iter().find(|(_, code)| number.starts_with(code)) {
            let at = coded.iter().find(|(own, _)| own == act).map_or(place, |(_, at)| at.place);
            let what = format!("{} = \"{code}\" hides the line with number {number}", act.name());
            log.add(at, what, format!("write another {} under [codes]", act.name()));
        }
    }
    for phone in &settings.call.phones {
        let own = [&phone.user, &phone.extension];
        let hidden = lines().find(|number| own.contains(number) && !number.is_empty());
        if let Some(number) = hidden {
            let what = format!("extension {number} of \"{}\" is the number of a line", phone.user);
            log.warn(place, what, "whoever dials it reaches the line; give the agent another");
        }
    }
}

/// A number can be forged: whoever knows that of an agent at home who has no pin could log them
/// out, or in at night, so that the switch rings them for every caller.
pub fn check_pins(agents: &[&Table], settings: &Settings, log: &mut Log) {
    let Some(line) = settings.call.lines.iter().find(|line| line.goal == Goal::Codes) else {
        return;
    };
    let open = |(agent, pin): (&AgentSettings, &Option<_>)| {
        let phone = settings.call.phones.iter().find(|phone| phone.user == agent.id)?;
        (pin.is_none() && phone.outside().is_some()).then(|| agent.id.clone())
    };
    let all: Vec<String> =
        settings.acd.agents.iter().zip(&settings.pins).filter_map(open).collect();
    let Some(first) = all.first() else { return };
    let more = match all.len() - 1 {
        0 => String::new(),
        n => format!(", nor have {n} more"),
    };
    let place = agents.first().map(|table| table.place).unwrap_or_default();
    let what = format!(
        "agent \"{first}\" at home has no pin{more}, and line \"{}\" takes codes from whoever \
         shows their number",
        line.name
    );
    log.warn(place, what, "write pin = \"…\" at each, or take the line of codes out");
}

/// The tones that tell what came of a code.
pub fn signals(settings: &mut Settings) {
    let mut built_in = |name: &str| {
        settings.tunes.push(Tune { name: name.into(), ..Tune::default() });
        Some(TuneId(settings.tunes.len() as u64 - 1))
    };
    settings.call.signals = Signals {
        done: built_in(DONE),
        refused: built_in(REFUSED),
        busy: built_in(BUSY),
        congested: built_in(CONGESTED),
        unobtainable: built_in(UNOBTAINABLE),
        go_on: built_in(GO_ON),
        ring: built_in(RING),
        accept: built_in(ACCEPT),
    };
}
