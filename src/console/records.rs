//! `pukar records`: finished calls as a table, as CSV or as JSON lines, fetched page by page.

use super::args::RecordsArgs;
use super::client::Client;
use super::table::{Side, render};
use super::{Fault, moment, print};
use crate::shell::csv_field as field;
use jiff::Zoned;
use serde_json::{Map, Value, json};

/// Rows in one question.
const PAGE: u64 = 1_000;

pub fn show(client: &Client, args: &RecordsArgs) -> Result<(), Fault> {
    let now = Zoned::now();
    let mut filter = Map::new();
    for (key, raw, ends) in [("since", &args.since, false), ("until", &args.until, true)] {
        if let Some(raw) = raw {
            filter.insert(key.into(), moment::read(raw, ends, &now)?.into());
        }
    }
    if let Some(line) = &args.line {
        filter.insert("line".into(), line.as_str().into());
    }
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut first = true;
    while left > 0 {
        let page = left.min(PAGE);
        filter.insert("limit".into(), page.into());
        let answer = client.call("records.query", Value::Object(filter.clone()))?;
        let rows = answer.as_array().cloned().unwrap_or_default();
        print(&text(&rows, args, first))?;
        let Some(last) = rows.last().filter(|_| rows.len() as u64 >= page) else {
            break;
        };
        filter.insert("after".into(), last["id"].clone());
        (left, first) = (left - page, false);
    }
    Ok(())
}

fn text(rows: &[Value], args: &RecordsArgs, first: bool) -> String {
    if args.json {
        return rows.iter().map(|row| format!("{row}\n")).collect();
    }
    if args.csv {
        return csv(rows, first);
    }
    match (rows, first) {
        ([], true) => "no records\n".into(),
        ([], false) => String::new(),
        _ => table(rows),
    }
}

fn table(rows: &[Value]) -> String {
    let columns = [
        ("ARRIVED", "arrived_at"),
        ("CALL", "id"),
        ("LINE", "line"),
        ("CALLER", "caller"),
        ("QUEUE", "queue"),
        ("AGENT", "agent"),
        ("OUTCOME", "outcome"),
        ("WAIT s", "wait_ms"),
        ("TALK s", "talk_ms"),
    ];
    let cell = |row: &Value, key: &str| match &row[key] {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.clone(),
        value if key.ends_with("_ms") => {
            format!("{:.1}", value.as_f64().unwrap_or(0.0) / 1_000.0)
        }
        value => value.to_string(),
    };
    let side = |key: &str| if key.ends_with("_ms") { Side::Right } else { Side::Left };
    let head: Vec<_> = columns.iter().map(|(title, key)| (*title, side(key))).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, key)| cell(row, key)).collect());
    render(&head, &cells.collect::<Vec<Vec<String>>>())
}

/// RFC 4180, in UTF-8 with a byte order mark, so that a spreadsheet shows Hindi as Hindi.
fn csv(rows: &[Value], first: bool) -> String {
    let mut text = String::new();
    let Some(head) = rows.first().and_then(Value::as_object) else {
        return text;
    };
    let keys: Vec<&String> = head.iter().filter(|(_, v)| !v.is_array()).map(|(k, _)| k).collect();
    let line = |cells: Vec<String>| format!("{}\r\n", cells.join(","));
    if first {
        text.push('\u{feff}');
        text.push_str(&line(keys.iter().map(|key| field(&json!(key))).collect()));
    }
    for row in rows {
        text.push_str(&line(keys.iter().map(|key| field(&row[key.as_str()])).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_keeps_hindi_and_harms_no_spreadsheet() {
        let rows = [json!({"id": "c1", "caller": "+919826012345", "line": "राज्य, \"181\"",
                           "caller_raw": "=cmd()", "wait_ms": 1200, "q850": null})];
        assert_eq!(
            csv(&rows, true),
            "\u{feff}id,caller,line,caller_raw,wait_ms,q850\r\n\
             c1,+919826012345,\"राज्य, \"\"181\"\"\",'=cmd(),1200,\r\n"
        );
        assert!(!csv(&rows, false).contains("id,"));
    }
}
