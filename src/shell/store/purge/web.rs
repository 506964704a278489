//! Purging a web server: it keeps its rows by itself, so where `[records] purge` names a place to
//! ask, it is sent the rules as JSON, and says how many rows have gone by them. Its word is the
//! proof, in `purges.jsonl` of the data folder.

use super::gone::noted_of;
use super::{Purged, Rules};
use crate::config::{Hold, Remote};
use crate::shell::store::columns::{AGENT_STATES, CALLS};
use crate::shell::store::proof::{self, Proof};
use crate::shell::store::webhook::{Server, shown};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// It may have years to go through.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);

pub fn purge(at: &Remote, store: &str, rules: &Rules, purged: &mut Purged) -> Result<(), String> {
    let known = rules.settings.retention.web.iter().find(|known| known.server() == at.server());
    let Some(asked) = known else {
        let why = "it keeps its rows by itself: write under [records] purge where it is asked to \
                   take them out";
        purged.left = Some(why.into());
        return Ok(());
    };
    let Some(newest) = rules.newest().map(|newest| day(&newest, rules)) else { return Ok(()) };
    if rules.wish.dry_run {
        purged.left = Some(format!("it would be asked to take out what came before {newest}"));
        return Ok(());
    }
    let body = wishes(store, rules).to_string();
    // The same for all who wish the same on one day: where an answer was lost, it is given again.
    // On the next day more is too old.
    let key = proof::hex(Sha256::digest(body.as_bytes()));
    let server = Server::of(asked, ANSWER_WITHIN)?;
    let answer = server.post("application/json", &key, body).map_err(|trouble| trouble.why)?;
    let told: Value = serde_json::from_str(&answer).unwrap_or_default();
    let counts = told["calls"].as_u64().zip(told["agent_states"].as_u64());
    let (calls, states) = counts.ok_or_else(|| {
        format!(
            "it did not say how many rows have gone: \"{}\"; it has to answer with \
             {{\"calls\": 12, \"agent_states\": 30}}",
            shown(&answer)
        )
    })?;
    (purged.calls, purged.states) = (calls, states);
    purged.held = told["held"].as_u64().unwrap_or(0);
    let gone = [(CALLS.name, calls), (AGENT_STATES.name, states)];
    let proofs = gone.into_iter().filter(|(_, count)| *count > 0).map(|(table, count)| {
        let what = format!("{table} before {newest}, by the word of {store}");
        // Of its word: the rows themselves are not here.
        let digest = proof::hex(Sha256::digest(answer.as_bytes()));
        let mut told = Proof { digest, ..rules.proof(what, count) }.told_of(store, table);
        told["key"] = json!(key);
        told
    });
    let data = &rules.settings.data;
    // Who knows the key has said again what it has said before, and that is proved.
    let known = noted_of(&proof::of_data(data), Some(store), &mut |_| {}).unwrap_or_default();
    let same = |a: &Value, b: &Value| ["key", "table_name", "digest"].iter().all(|k| a[k] == b[k]);
    let new = proofs.filter(|proof| !known.iter().any(|known| same(known, proof)));
    proof::note(data, &new.collect::<Vec<_>>())
        .map_err(|e| format!("{calls} calls and {states} states have gone, without proof: {e}"))
}

/// What it is sent: each rule with the first day whose rows stay, a line's own before that of all
/// others; and what is held, whatever its age. Legs go with their calls. Nothing is in it that is
/// another a moment later, or by whom it is asked: a key may come with one body only.
fn wishes(store: &str, rules: &Rules) -> Value {
    let lines = rules.settings.retention.lines.keys();
    let before = |line: &str| rules.before(line).map(|before| day(&before, rules));
    let mut all: Vec<Value> = lines
        .map(|line| json!({"table": CALLS.name, "line": line, "before": before(line)}))
        .collect();
    for table in [CALLS.name, AGENT_STATES.name] {
        all.push(json!({"table": table, "before": before("")}));
    }
    json!({
        "store": store,
        "asked_on": rules.day_of(rules.now),
        "timezone": rules.settings.timezone,
        "rules": all,
        "holds": rules.settings.retention.holds.iter().map(held).collect::<Vec<_>>(),
    })
}

/// When the day of a moment began where the helpline is: what is younger stays until tomorrow.
fn day(moment: &str, rules: &Rules) -> String {
    let began = moment
        .parse::<Timestamp>()
        .and_then(|moment| Ok(moment.to_zoned(rules.zone.clone()).start_of_day()?.timestamp()));
    began.map_or(moment.into(), |began| format!("{began:.3}"))
}

fn held(hold: &Hold) -> Value {
    let Hold { reason, line, call, caller, from, until } = hold;
    json!({
        "reason": reason, "line": line, "call": call, "caller": caller, "from": from,
        "until": until,
    })
}
