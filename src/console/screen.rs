//! The screens: what the switch answers, as tables. What it answers is this; times are RFC 3339,
//! spans milliseconds, and what is not there is null.
//!
//! - `status`: `{name, version, started_at, uptime_ms, draining, last_fact, calls: {live, waiting,
//!   offered, talking}, total: {arrived, answered, abandoned, refused, failed}, agents: {state:
//!   count}, queues: […], trunks: […]}`
//! - `calls.list`: `[{id, direction, state, line, trunk, caller, dialled, district, queue, agent,
//!   arrived_at, queued_at, connected_at, wait_ms, talk_ms, held, silent, slot, sealed,
//!   legs: [{role, agent, srtp}]}]`
//! - `queues.list`: `[{name, waiting, offered, talking, longest_wait_ms, total: {joined, answered,
//!   left, longest_wait_ms}, service_level, door, overflow, weight}]`
//! - `agents.list`: `[{id, name, state, reason, call, caller, since, for_ms, contacts, taken,
//!   missed, queues}]`
//! - `audit.list`: `[{at, by, verb, on, refused}]`
//! - `trunks.list`: `[{name, up, calls}]`
//! - `stores.list`: `[{name, up, behind, stored, last_call, last_state, let_go, refused,
//!   away_since, failures, error, error_at}]`
//! - `shifts.list`: `[{name, hours, on, starts_at, ends_at, minimum, short, present, members:
//!   [{agent, name, role, state}]}]`
//! - `directory.list`: `{entries: [{kind, district, name, number, priority, valid_from, valid_to,
//!   valid, failures}], refused: [{file, line, why}], refused_count}`; `directory.stale`: `[…]`

use super::args::View;
use super::client::Client;
use super::table::{Side, render};
use super::{Fault, print};
use serde_json::{Value, json};
use std::time::Duration;

/// How often a watched screen is shown again.
const WATCH: Duration = Duration::from_secs(1);
/// Cursor home, and everything below it cleared.
const CLEAR: &str = "\x1b[H\x1b[J";

pub struct Screen {
    method: &'static str,
    draw: fn(&Value) -> String,
}

pub const STATUS: Screen = Screen { method: "status", draw: status };
pub const CALLS: Screen = Screen { method: "calls.list", draw: calls };
pub const QUEUES: Screen = Screen { method: "queues.list", draw: queues };
pub const AGENTS: Screen = Screen { method: "agents.list", draw: agents };
pub const TRUNKS: Screen = Screen { method: "trunks.list", draw: trunks };

pub const HANDOVER: Screen = Screen { method: "handover", draw: super::handover::draw };
pub const AUDIT: Screen = Screen { method: "audit.list", draw: audit };
pub const STORES: Screen = Screen { method: "stores.list", draw: stores };
pub const BLOCKS: Screen = Screen { method: "blocks.list", draw: blocks };
pub const SHIFTS: Screen = Screen { method: "shifts.list", draw: shifts };

pub fn show(client: &Client, screen: &Screen, view: View) -> Result<(), Fault> {
    let once = || -> Result<(), Fault> {
        let answer = client.call(screen.method, json!({}))?;
        match (view.json, view.watch) {
            (true, _) => print(&format!("{answer}\n")),
            (false, true) => print(&format!("{CLEAR}{}", (screen.draw)(&answer))),
            (false, false) => print(&(screen.draw)(&answer)),
        }
    };
    once()?;
    if view.watch {
        for _ in crossbeam_channel::tick(WATCH) {
            once()?;
        }
    }
    Ok(())
}

/// How a value is written.
#[derive(Clone, Copy)]
pub enum As {
    Text,
    Count,
    Span,
    Percent,
    UpDown,
    OnOff,
}

/// A title, where the value stands in a row, and how it is written.
pub type Column = (&'static str, &'static str, As);

pub fn list(rows: &Value, columns: &[Column], none: &str) -> String {
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let side = |form: As| match form {
        As::Text | As::UpDown | As::OnOff => Side::Left,
        As::Count | As::Span | As::Percent => Side::Right,
    };
    let head: Vec<_> = columns.iter().map(|(title, _, form)| (*title, side(*form))).collect();
    let cells = rows.iter().map(|row| {
        columns.iter().map(|(_, at, form)| write(row.pointer(at), *form)).collect::<Vec<_>>()
    });
    render(&head, &cells.collect::<Vec<_>>())
}

fn write(value: Option<&Value>, form: As) -> String {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return "-".into();
    };
    match (form, value) {
        (As::Span, value) => span(value.as_u64().unwrap_or(0)),
        (As::Percent, value) => format!("{:.1} %", value.as_f64().unwrap_or(0.0) * 100.0),
        (As::UpDown, value) => if value == true { "up" } else { "down" }.into(),
        (As::OnOff, value) => if value == true { "on" } else { "-" }.into(),
        (_, Value::String(text)) if text.is_empty() => "-".into(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|i| write(Some(i), As::Text)).collect();
            if items.is_empty() { "-".into() } else { items.join(" ") }
        }
        (_, value) => value.to_string(),
    }
}

/// `0:07`, `12:30`, `1:05:09`.
pub fn span(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn calls(rows: &Value) -> String {
    let columns = [
        ("CALL", "/id", As::Text),
        ("STATE", "/state", As::Text),
        ("CALLER", "/caller", As::Text),
        ("DIALLED", "/dialled", As::Text),
        ("LINE", "/line", As::Text),
        ("QUEUE", "/queue", As::Text),
        ("AGENT", "/agent", As::Text),
        ("WAIT", "/wait_ms", As::Span),
        ("TALK", "/talk_ms", As::Span),
        ("SLOT", "/slot", As::Count),
        ("SEALED", "/sealed", As::Text),
    ];
    list(rows, &columns, "no live calls")
}

const QUEUE_COLUMNS: [Column; 10] = [
    ("QUEUE", "/name", As::Text),
    ("WAITING", "/waiting", As::Count),
    ("LONGEST", "/longest_wait_ms", As::Span),
    ("RINGING", "/offered", As::Count),
    ("TALKING", "/talking", As::Count),
    ("JOINED", "/total/joined", As::Count),
    ("ANSWERED", "/total/answered", As::Count),
    ("LEFT", "/total/left", As::Count),
    ("IN 20 s", "/service_level", As::Percent),
    ("DOOR", "/door", As::Text),
];

fn queues(rows: &Value) -> String {
    list(rows, &QUEUE_COLUMNS, "no queues; add [[queue]] to the configuration")
}

fn agents(rows: &Value) -> String {
    let columns = [
        ("AGENT", "/id", As::Text),
        ("NAME", "/name", As::Text),
        ("STATE", "/state", As::Text),
        ("FOR", "/for_ms", As::Span),
        ("REASON", "/reason", As::Text),
        ("CALLER", "/caller", As::Text),
        ("TAKEN", "/taken", As::Count),
        ("MISSED", "/missed", As::Count),
        ("CONTACTS", "/contacts", As::Text),
    ];
    list(rows, &columns, "no agents; add [[agent]] to the configuration")
}

fn trunks(rows: &Value) -> String {
    let columns = [
        ("TRUNK", "/name", As::Text),
        ("IS", "/up", As::UpDown),
        ("FOR", "/for_ms", As::Span),
        ("CALLS", "/calls", As::Count),
        ("SO FAR", "/total", As::Count),
        ("FAILED", "/failures", As::Count),
        ("LAST FAILURE", "/last_failure", As::Text),
    ];
    list(rows, &columns, "no trunks; add [[trunk]] to the configuration")
}

fn stores(rows: &Value) -> String {
    let columns = [
        ("STORE", "/name", As::Text),
        ("IS", "/up", As::UpDown),
        ("ROWS BEHIND", "/behind", As::Count),
        ("REFUSED", "/refused", As::Count),
        ("LAST CALL", "/last_call", As::Count),
        ("AWAY SINCE", "/away_since", As::Text),
        ("LAST ERROR", "/error", As::Text),
    ];
    list(rows, &columns, "no stores")
}

/// `2 stores, all up`, or who is not.
fn stores_in_short(rows: &Value) -> String {
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    let away = rows.iter().filter(|row| row["up"] == false).map(|row| {
        let (name, behind) = (&row["name"], &row["behind"]);
        format!("{} away, {behind} rows behind", name.as_str().unwrap_or("-"))
    });
    let away: Vec<String> = away.collect();
    match away.is_empty() {
        true => format!("{} up", rows.len()),
        false => away.join("; "),
    }
}

fn audit(rows: &Value) -> String {
    let columns = [
        ("AT", "/at", As::Text),
        ("WHO", "/by", As::Text),
        ("DID", "/verb", As::Text),
        ("TO", "/on", As::Text),
        ("REFUSED", "/refused", As::Text),
    ];
    list(rows, &columns, "nobody has done anything yet")
}

/// Who is there stands beside the shift: `op1 ready, dr1 off`.
fn shifts(rows: &Value) -> String {
    let mut rows = rows.clone();
    for row in rows.as_array_mut().into_iter().flatten() {
        let short = row["short"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let short = short.collect::<Vec<_>>().join(", ");
        let members = row["members"].as_array().into_iter().flatten().map(|member| {
            let at = |key: &str| member[key].as_str().unwrap_or("-").to_string();
            format!("{} {}", at("agent"), at("state"))
        });
        row["who"] = members.collect::<Vec<_>>().join(", ").into();
        row["alarm"] = match short.as_str() {
            "" => Value::Null,
            short => format!("only {short}").into(),
        };
    }
    let columns = [
        ("SHIFT", "/name", As::Text),
        ("HOURS", "/hours", As::Text),
        ("IS", "/on", As::OnOff),
        ("THERE", "/present", As::Count),
        ("LEAST", "/minimum", As::Text),
        ("ALARM", "/alarm", As::Text),
        ("NEXT FROM", "/starts_at", As::Text),
        ("UNTIL", "/ends_at", As::Text),
        ("WHO", "/who", As::Text),
    ];
    list(&rows, &columns, "no shifts; add [[shift]] to the configuration")
}

fn blocks(rows: &Value) -> String {
    let columns = [
        ("NUMBER", "/number", As::Text),
        ("UNTIL", "/until", As::Text),
        ("BY", "/by", As::Text),
        ("WHY", "/reason", As::Text),
    ];
    list(rows, &columns, "no number is blocked")
}

fn status(answer: &Value) -> String {
    let at = |pointer| write(answer.pointer(pointer), As::Count);
    let mut text = format!(
        "{}, up {}{}\n",
        write(answer.pointer("/name"), As::Text),
        write(answer.pointer("/uptime_ms"), As::Span),
        if answer["draining"] == true { ", draining" } else { "" },
    );
    text.push_str(&format!(
        "calls   {} live: {} waiting, {} ringing, {} talking\n",
        at("/calls/live"),
        at("/calls/waiting"),
        at("/calls/offered"),
        at("/calls/talking"),
    ));
    text.push_str(&format!(
        "total   {} arrived: {} answered, {} abandoned, {} refused, {} failed\n",
        at("/total/arrived"),
        at("/total/answered"),
        at("/total/abandoned"),
        at("/total/refused"),
        at("/total/failed"),
    ));
    let states = answer["agents"].as_object().into_iter().flatten();
    let states: Vec<String> = states.map(|(state, count)| format!("{count} {state}")).collect();
    let states = if states.is_empty() { "none".into() } else { states.join(", ") };
    text.push_str(&format!("agents  {states}\n"));
    text.push_str(&format!("stores  {}\n", stores_in_short(&answer["stores"])));
    if let Some(why) = answer["journal_gap"]["why"].as_str() {
        let since = write(answer.pointer("/journal_gap/since"), As::Text);
        text.push_str(&format!("journal NOTHING IS WRITTEN DOWN since {since}: {why}\n"));
    }
    text.push('\n');
    text.push_str(&queues(&answer["queues"]));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_shows_what_is_there_and_a_dash_for_what_is_not() {
        let rows = json!([
            {"name": "सामान्य", "waiting": 12, "longest_wait_ms": 3_909_000,
             "service_level": 0.875, "door": "open"},
            {"name": "health", "waiting": 0, "longest_wait_ms": 0, "service_level": null},
        ]);
        let text = queues(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("1:05:09") && lines[1].ends_with("87.5 %  open"), "{text}");
        assert!(lines[2].contains("0:00") && lines[2].ends_with('-'), "{text}");
        assert_eq!(calls(&json!([])), "no live calls\n");
        assert!(trunks(&json!([{"name": "bsnl", "up": null, "calls": 0}])).contains("bsnl   -"));
    }

    #[test]
    fn the_status_is_one_screen() {
        let text = status(&json!({
            "name": "राज्य हेल्पलाइन", "uptime_ms": 61_000, "draining": false,
            "calls": {"live": 3, "waiting": 1, "offered": 1, "talking": 1},
            "total": {"arrived": 9, "answered": 7, "abandoned": 1, "refused": 0, "failed": 1},
            "agents": {"ready": 2, "talking": 1}, "queues": [], "trunks": [],
            "stores": [{"name": "sqlite:data/records.db", "up": true, "behind": 0}],
        }));
        assert!(text.starts_with("राज्य हेल्पलाइन, up 1:01\ncalls   3 live: 1 waiting"), "{text}");
        assert!(text.contains("agents  2 ready, 1 talking\nstores  1 up\n"), "{text}");
        let away = json!([{"name": "nats://n:4222/pukar", "up": false, "behind": 12}]);
        assert_eq!(stores_in_short(&away), "nats://n:4222/pukar away, 12 rows behind");
    }
}
