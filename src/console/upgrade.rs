//! `pukar upgrade`: another program in the place of the one that runs, and whether that happened.

use super::client::Client;
use super::{Fault, print};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the other program has to answer, and how often it is looked for.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

pub fn run(client: &Client) -> Result<(), Fault> {
    let before = client.call("status", json!({}))?;
    client.call("switch.upgrade", json!({}))?;
    for _ in 0..WITHIN.as_millis() / LOOK.as_millis() {
        std::thread::park_timeout(LOOK);
        // Meanwhile nobody answers.
        let Ok(after) = client.call("status", json!({})) else { continue };
        if after["restarted_at"] != before["restarted_at"] {
            return print(&happened(&before, &after));
        }
    }
    Err(Fault::work("the upgrade was begun, and no program has answered since: see its log"))
}

fn happened(before: &Value, after: &Value) -> String {
    let calls = &after["calls"]["live"];
    if before["build"] == after["build"] {
        return format!(
            "the same build goes on, begun anew, with {calls} calls; if another one lies there, \
             the log says why that does not\n"
        );
    }
    let name = |status: &Value| {
        let word = |key| status[key].as_str().unwrap_or("?").to_string();
        format!("{} ({})", word("version"), word("build"))
    };
    format!(
        "upgraded: {} goes on in the place of {}, with {calls} calls\n",
        name(after),
        name(before)
    )
}
