//! `pukar events`: what happens, or a journal says has happened, one fact a line, each with its
//! number.

use super::client::Client;
use super::upkeep::who;
use super::{Fault, print};
use crate::shell;
use serde_json::{Value, json};
use std::path::Path;

pub fn follow(client: &Client, from: Option<u64>, as_json: bool) -> Result<(), Fault> {
    let params = from.map_or(json!({}), |from| json!({"from": from}));
    client.follow("events.subscribe", params, |event| {
        print(&if as_json { format!("{event}\n") } else { line(event) })
    })
}

/// Those that a journal leads to.
pub fn tell(journal: &Path, from: Option<u64>, as_json: bool) -> Result<(), Fault> {
    shell::note_look(journal, &who(), "events --journal", "")?;
    let mut fault = None;
    let told = shell::facts_of(journal, from, &mut |fact| {
        let event = serde_json::from_str(fact).unwrap_or(Value::Null);
        let printed = print(&if as_json { format!("{fact}\n") } else { line(&event) });
        printed.map_err(|unheard| {
            fault = Some(unheard);
            String::new()
        })
    });
    told.map_err(|why| fault.unwrap_or(Fault::work(why)))
}

/// `1207 2026-11-22T06:12:09.120Z call.arrived call=… caller=…`
fn line(event: &Value) -> String {
    let Some(fields) = event.as_object() else {
        return format!("{event}\n");
    };
    let mut line = String::new();
    for key in ["seq", "at", "kind"] {
        if let Some(value) = fields.get(key) {
            line.push_str(&plain(value));
            line.push(' ');
        }
    }
    for (key, value) in fields {
        if !matches!(key.as_str(), "seq" | "at" | "kind") && !value.is_null() {
            line.push_str(&format!("{key}={} ", plain(value)));
        }
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

/// Text without quotes where it has no space in it, so that `cut` and `grep` are happy.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => text.into(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_a_journal_is_written_down_before_anything_is_shown() {
        let folder = crate::shell::store::tests::Folder::new("events-journal");
        std::fs::create_dir_all(folder.0.join("journal")).unwrap();
        assert!(tell(&folder.0.join("journal"), None, false).is_err(), "nothing is in it");
        let file = std::fs::read_dir(folder.0.join("audit")).unwrap().next().unwrap().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("events --journal") && text.contains("(uid "), "{text}");
    }

    #[test]
    fn an_event_is_one_line() {
        let event = json!({"seq": 7, "at": "2026-11-22T06:12:09.120Z", "kind": "agent.state",
                           "agent": "op1", "state": "paused", "reason": "चाय का समय",
                           "call": null});
        assert_eq!(
            line(&event),
            "7 2026-11-22T06:12:09.120Z agent.state agent=op1 state=paused \
             reason=\"चाय का समय\"\n"
        );
    }
}
