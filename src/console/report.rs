//! `pukar report`: the reconciled summary as a table, as CSV or as JSON.

use super::args::ReportArgs;
use super::client::Client;
use super::screen::{As, Column, list, span};
use super::{Fault, moment, print};
use crate::shell::csv_field as field;
use jiff::Zoned;
use serde_json::{Map, Value, json};

const COLUMNS: [Column; 14] = [
    ("", "/key", As::Text),
    ("OFFERED", "/offered", As::Count),
    ("ANSWERED", "/answered", As::Count),
    ("ABANDONED", "/abandoned", As::Count),
    ("SHORT", "/short_abandoned", As::Count),
    ("OVERFLOWED", "/overflowed", As::Count),
    ("CALLBACK", "/callback", As::Count),
    ("REFUSED", "/refused", As::Count),
    ("FAILED", "/failed", As::Count),
    ("RECOVERED", "/recovered", As::Count),
    ("IN 20 s", "/service_level/20", As::Percent),
    ("IN 60 s", "/service_level/60", As::Percent),
    ("WAIT", "/mean_wait_ms", As::Span),
    ("TALK", "/mean_talk_ms", As::Span),
];

pub fn show(client: &Client, args: &ReportArgs) -> Result<(), Fault> {
    let now = Zoned::now();
    let mut asked = Map::new();
    for (key, raw, ends) in [("since", &args.since, false), ("until", &args.until, true)] {
        if let Some(raw) = raw {
            asked.insert(key.into(), moment::read(raw, ends, &now)?.into());
        }
    }
    let answer = client.call("report", Value::Object(asked))?;
    print(&match (args.json, args.csv) {
        (true, _) => format!("{answer}\n"),
        (false, true) => csv(&answer),
        (false, false) => text(&answer, &args.by),
    })?;
    match answer["reconciled"] == true {
        true => Ok(()),
        false => Err(Fault::work("these numbers do not reconcile; keep the database, and tell")),
    }
}

fn text(answer: &Value, by: &str) -> String {
    let at = |key: &str| answer[key].as_str().unwrap_or("-");
    let total = &answer["total"];
    let mut text = format!("{} to {}\n", at("since"), at("until"));
    text.push_str(&format!("{}\n", sum(total)));
    let level = total["service_level"].as_object().into_iter().flatten();
    let level = level.map(|(seconds, share)| match share.as_f64() {
        Some(share) => format!("{seconds} s {:.1} %", share * 100.0),
        None => format!("{seconds} s -"),
    });
    text.push_str(&format!("answered within {}\n", level.collect::<Vec<_>>().join(", ")));
    let longest = span(total["longest_wait_ms"].as_u64().unwrap_or_default());
    text.push_str(&format!("longest wait {longest}; {}\n\n", at("formula")));
    text.push_str(&list(&json!(rows(&answer["by"][by])), &COLUMNS, "no calls"));
    text.push_str(&format!("\nthe day so far: {}\n", sum(&answer["day"]["total"])));
    text
}

/// `12 offered = 10 answered + 2 abandoned + …`.
pub fn sum(row: &Value) -> String {
    let parts =
        ["answered", "abandoned", "overflowed", "callback", "refused", "failed", "recovered"];
    let part = |key: &&str| format!("{} {key}", row[*key]);
    let parts: Vec<String> = parts.iter().map(part).collect();
    format!("{} offered = {}", row["offered"], parts.join(" + "))
}

/// Each row with its key, in the order of the keys.
fn rows(table: &Value) -> Vec<Value> {
    let rows = table.as_object().into_iter().flatten();
    let mut rows: Vec<Value> = rows
        .map(|(key, row)| {
            let mut row = row.clone();
            row["key"] = key.as_str().into();
            row
        })
        .collect();
    rows.sort_by_key(|row| row["key"].to_string());
    rows
}

/// One line a row of every breakdown, the total first; a byte order mark, so that a spreadsheet
/// shows Hindi as Hindi.
fn csv(answer: &Value) -> String {
    let total = &answer["total"];
    let keys: Vec<&String> = total.as_object().into_iter().flatten().map(|(key, _)| key).collect();
    let mut text = String::from("\u{feff}since,until,by,key");
    for key in &keys {
        match total[key.as_str()].as_object() {
            Some(levels) => levels.keys().for_each(|s| text.push_str(&format!(",in_{s}_s"))),
            None => text.push_str(&format!(",{key}")),
        }
    }
    text.push_str("\r\n");
    let mut line = |by: &str, key: &str, row: &Value| {
        let mut cells = vec![
            field(&answer["since"]),
            field(&answer["until"]),
            field(&json!(by)),
            field(&json!(key)),
        ];
        for column in &keys {
            match row[column.as_str()].as_object() {
                Some(levels) => cells.extend(levels.values().map(field)),
                None => cells.push(field(&row[column.as_str()])),
            }
        }
        text.push_str(&format!("{}\r\n", cells.join(",")));
    };
    line("total", "", total);
    for (by, table) in answer["by"].as_object().into_iter().flatten() {
        for row in rows(table) {
            line(by, row["key"].as_str().unwrap_or_default(), &row);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        let row = json!({"offered": 3, "answered": 1, "abandoned": 1, "overflowed": 0,
            "callback": 0, "refused": 1, "failed": 0, "recovered": 0, "short_abandoned": 0,
            "service_level": {"20": 0.5, "60": null}, "mean_wait_ms": 61_000,
            "longest_wait_ms": 90_000, "mean_talk_ms": null});
        json!({"since": "A", "until": "B", "formula": "service level is …", "total": row,
            "by": {"queue": {"सामान्य": row}}, "day": {"total": row}, "reconciled": true})
    }

    #[test]
    fn a_report_says_its_sum_its_levels_and_its_rows() {
        let text = text(&answer(), "queue");
        assert!(
            text.starts_with("A to B\n3 offered = 1 answered + 1 abandoned + 0 over"),
            "{text}"
        );
        assert!(text.contains("answered within 20 s 50.0 %, 60 s -\nlongest wait 1:30"), "{text}");
        assert!(text.lines().any(|l| l.starts_with("सामान्य") && l.contains("1:01")), "{text}");
    }

    #[test]
    fn a_report_is_a_spreadsheet() {
        let csv = csv(&answer());
        let lines: Vec<&str> = csv.lines().collect();
        assert!(
            lines[0].ends_with(
                "short_abandoned,in_20_s,in_60_s,mean_wait_ms,longest_wait_ms,\
            mean_talk_ms"
            ),
            "{csv}"
        );
        assert!(lines[1].starts_with("A,B,total,,3,1,1,0,0,1,0,0,0,0.5,,61000,90000,"), "{csv}");
        assert!(lines[2].starts_with("A,B,queue,सामान्य,3,"), "{csv}");
    }
}
