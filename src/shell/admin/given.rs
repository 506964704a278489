//! What is given to a verb, by its name: read, checked, and told where it is wrong.

use super::rpc::Fault;
use super::table::{Kind, Param, Verb};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The longest span of seconds that anything may last: ten years.
const SPAN_MAX: u64 = 10 * 366 * 86_400;

/// What was given to a verb, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(pub Map<String, Value>);

impl Verb {
    pub fn read(&self, params: Value) -> Result<Given, Fault> {
        let Value::Object(given) = params else {
            return Err(Fault::params("\"params\" must be an object with named values"));
        };
        if let Some(key) = given.keys().find(|key| self.params.iter().all(|p| p.name != **key)) {
            let known: Vec<&str> = self.params.iter().map(|param| param.name).collect();
            let known = if known.is_empty() { "nothing".into() } else { known.join(", ") };
            return Err(Fault::params(format!("{} knows no `{key}`; it takes {known}", self.name)));
        }
        for param in self.params {
            let value = given.get(param.name).filter(|value| !value.is_null());
            let Some(value) = value else {
                match param.needed {
                    true => return Err(Fault::params(self.lacks(param))),
                    false => continue,
                }
            };
            if let Some(wanted) = param.kind.complaint(value) {
                let name = param.name;
                return Err(Fault::params(format!("{}: `{name}` must be {wanted}", self.name)));
            }
        }
        Ok(Given(given))
    }

    fn lacks(&self, param: &Param) -> String {
        format!("{} needs `{}`", self.name, param.name)
    }

    /// As a machine reads it.
    pub fn describe(&self) -> Value {
        let params: Vec<Value> = (self.params.iter())
            .map(|param| json!({"name": param.name, "needed": param.needed}))
            .collect();
        json!({"name": self.name, "role": self.role.name(), "params": params, "help": self.help})
    }
}

impl Kind {
    /// What it must be, where it is not.
    fn complaint(self, value: &Value) -> Option<String> {
        let text = |value: &Value| (!value.is_string()).then(|| "text".into());
        match self {
            Kind::Any => None,
            Kind::Count if value.is_u64() => None,
            Kind::Count => Some("a whole number".into()),
            Kind::Word(words) if value.as_str().is_some_and(|text| words.contains(&text)) => None,
            Kind::Word(words) => Some(words.join(", ")),
            Kind::Call | Kind::Agent | Kind::Phone | Kind::Agents | Kind::Queue => text(value),
            Kind::Party | Kind::Missed | Kind::Caller | Kind::Text => text(value),
        }
    }
}

impl Given {
    pub fn maybe(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub fn text(&self, name: &str) -> &str {
        self.maybe(name).unwrap_or_default()
    }

    pub fn own(&self, name: &str) -> String {
        self.text(name).into()
    }

    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Seconds; `None` where nothing was said.
    pub fn span(&self, name: &str) -> Option<Duration> {
        let seconds = self.0.get(name).and_then(Value::as_u64);
        seconds.map(|seconds| Duration::from_secs(seconds.min(SPAN_MAX)))
    }

    /// In a line, for the books.
    pub fn line(&self) -> String {
        let word = |(name, value): (&String, &Value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        };
        self.0.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}
