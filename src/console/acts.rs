//! `pukar agent`, `pukar call`, `pukar queue`: a supervisor's hands. What there is to do, and what
//! each act takes, stands in the table of the admin socket.

use super::client::Client;
use super::{Fault, print};
use crate::shell::admin::{AGENT_STATES, Kind, Verb, acts};
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Map, Value, json};

/// What can be done to one kind of thing, for the command line.
pub fn possible(kind: &str) -> PossibleValuesParser {
    let states = AGENT_STATES.iter().filter(|_| kind == "agents");
    let states = states.map(|state| PossibleValue::new(*state));
    let acts = acts(kind).map(|(act, verb)| PossibleValue::new(act).help(usage(verb)));
    PossibleValuesParser::new(states.chain(acts))
}

/// `[on|off|auto] Ways out of the queue: …`.
fn usage(verb: &Verb) -> String {
    let takes = verb.params.iter().skip(1).map(|param| {
        let name = match param.kind {
            Kind::Word(words) => words.join("|"),
            Kind::Call
            | Kind::Agent
            | Kind::Phone
            | Kind::Agents
            | Kind::Queue
            | Kind::Party
            | Kind::Missed
            | Kind::Caller
            | Kind::Text
            | Kind::Count
            | Kind::Any => param.name.to_uppercase(),
        };
        if param.needed { format!("{name} ") } else { format!("[{name}] ") }
    });
    format!("{}{}", takes.collect::<String>(), verb.help)
}

/// Does `act` to `name`, which is of this `kind`, and says what came of it.
pub fn act(
    client: &Client,
    kind: &str,
    name: &str,
    act: &str,
    rest: &[String],
) -> Result<(), Fault> {
    let (method, params) = match kind == "agents" && AGENT_STATES.contains(&act) {
        true => {
            let params = json!({"agent": name, "state": act, "reason": rest.join(" ")});
            ("agents.set".to_string(), params)
        }
        false => {
            let found = acts(kind).find(|(known, _)| *known == act);
            let (_, verb) = found.ok_or_else(|| Fault::usage(format!("no act \"{act}\"")))?;
            (verb.name.to_string(), params(verb, name, rest)?)
        }
    };
    let answer = client.call(&method, params)?;
    match answer["text"].as_str() {
        Some(text) => print(&format!("{text}\n")),
        None => Ok(()),
    }
}

/// The words of the command line in the order of what the verb takes; the last takes the rest.
fn params(verb: &Verb, name: &str, rest: &[String]) -> Result<Value, Fault> {
    let mut given = Map::new();
    let (first, others) = match verb.params {
        [first, others @ ..] => (first, others),
        [] => return Ok(json!({})),
    };
    given.insert(first.name.into(), name.into());
    for (at, param) in others.iter().enumerate() {
        let word = match at + 1 == others.len() {
            true => rest.get(at..).unwrap_or_default().join(" "),
            false => rest.get(at).cloned().unwrap_or_default(),
        };
        let value = match (param.kind, word.as_str()) {
            (_, "") if param.needed => return Err(Fault::usage(format!("say: {}", usage(verb)))),
            (_, "") => continue,
            (Kind::Count, word) => match word.parse::<u64>() {
                Ok(number) => number.into(),
                Err(_) => {
                    let line = format!("{} must be a whole number, not \"{word}\"", param.name);
                    return Err(Fault::usage(line));
                }
            },
            (_, word) => Value::from(word),
        };
        given.insert(param.name.into(), value);
    }
    match rest.len() > others.len() && others.is_empty() {
        true => Err(Fault::usage(format!("nothing more is said here: {}", usage(verb)))),
        false => Ok(Value::Object(given)),
    }
}
