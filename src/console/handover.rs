//! `pukar handover`: what the next shift has to know, on a page.

use super::report;
use super::screen::{As, Column, list, span};
use serde_json::Value;

const MISSED: [Column; 6] = [
    ("MISSED", "/number", As::Text),
    ("FOR", "/since_ms", As::Span),
    ("CALLS", "/times", As::Count),
    ("TRIES", "/attempts", As::Count),
    ("CLAIMED BY", "/claimed_by", As::Text),
    ("QUEUE", "/queue", As::Text),
];
const BY_HAND: [Column; 5] = [
    ("SET BY HAND", "/name", As::Text),
    ("DOOR", "/door", As::Text),
    ("WAYS OUT", "/overflow", As::Text),
    ("WEIGHT", "/weight", As::Count),
    ("MESSAGE", "/message", As::Text),
];
const AWAY: [Column; 5] = [
    ("AWAY", "/id", As::Text),
    ("NAME", "/name", As::Text),
    ("IS", "/state", As::Text),
    ("REASON", "/reason", As::Text),
    ("FOR", "/for_ms", As::Span),
];

pub fn draw(told: &Value) -> String {
    let (shift, now) = (&told["shift"], &told["now"]);
    let at = |key: &str| shift[key].as_str().filter(|text| !text.is_empty()).unwrap_or("-");
    let mut text = format!("shift {}, {} to {}\n", at("name"), at("since"), at("until"));
    if told["report"].is_object() {
        text.push_str(&format!("{}\n", report::sum(&told["report"])));
    }
    let count = |at: &str| now.pointer(at).and_then(Value::as_u64).unwrap_or_default();
    let waiting = count("/calls/waiting") + count("/calls/offered");
    let states = now["agents"].as_object().into_iter().flatten();
    let states: Vec<String> = states.map(|(state, many)| format!("{many} {state}")).collect();
    text.push_str(&format!(
        "now {waiting} waiting, the longest for {}; {} talking; agents: {}\n",
        span(count("/longest_wait_ms")),
        count("/calls/talking"),
        states.join(", "),
    ));
    for alarm in now["alarms"].as_array().into_iter().flatten() {
        text.push_str(&format!("! {}\n", alarm["text"].as_str().unwrap_or_default()));
    }
    let missed = &told["missed"];
    text.push_str(&format!(
        "missed and not reached yet: {}, of whom {} nobody has claimed, {} overdue\n",
        missed["open"], missed["unclaimed"], missed["overdue"],
    ));
    for (rows, columns) in
        [(&missed["people"], &MISSED[..]), (&told["by_hand"], &BY_HAND), (&told["away"], &AWAY)]
    {
        if rows.as_array().is_some_and(|rows| !rows.is_empty()) {
            text.push_str(&format!("\n{}", list(rows, columns, "")));
        }
    }
    text
}
