//! How long records and the access log are kept, and which records nobody may purge: `[records]
//! keep`, `keep_lines`, `keep_audit`, and `[[hold]]`.

use super::mistake::{Log, Wrong, wrong};
use super::section::Section;
use super::settings::{Hold, Settings};
use super::tree::{Table, Value};
use jiff::civil::Date;

/// The keys of `[records]` that say how long.
pub fn keep(section: &mut Section, settings: &mut Settings) {
    settings.retention.days = section.text("keep", days).and_then(|at| at.it);
    settings.retention.audit = section.text("keep_audit", days).and_then(|at| at.it);
    let example = "{ \"181\" = \"5y\" }";
    let Some(lines) = section.table("keep_lines", example) else { return };
    for (line, (place, node)) in &lines.entries {
        let read = match &node.value {
            Value::Text(text) => days(text),
            _ => wrong("is no span", "write it as \"5y\", \"400d\" or \"forever\""),
        };
        match read {
            Ok(days) => {
                settings.retention.lines.insert(line.clone(), days);
            }
            Err(Wrong { what, instead }) => {
                section.log.add(*place, format!("keep_lines \"{line}\" {what}"), instead);
            }
        }
    }
}

/// `2y`, `400d`; a year counts as 366 days, so that nothing goes a day too early. `forever`: never.
fn days(raw: &str) -> Result<Option<u32>, Wrong> {
    if raw == "forever" {
        return Ok(None);
    }
    let (number, unit) = raw.split_at(raw.len() - raw.chars().last().map_or(0, char::len_utf8));
    let scale = match unit {
        "y" => 366,
        "d" => 1,
        _ => 0,
    };
    match number.parse::<u32>() {
        Ok(number) if scale > 0 && (1..=36_600 / scale).contains(&number) => {
            Ok(Some(number * scale))
        }
        _ => wrong("is no span of years or days", "write it as \"2y\", \"400d\" or \"forever\""),
    }
}

/// `[[hold]]`: what is wanted by a court, say, stays whatever its age.
pub fn holds(tables: &[&Table], settings: &mut Settings, log: &mut Log) {
    for table in tables {
        let mut section = Section::new(table, "[[hold]]", log);
        section.missing("reason", "\"why, and by whose order\"");
        let mut text = |key| section.text(key, |raw| Ok(raw.to_string())).map(|at| at.it);
        let (reason, line, call, caller) =
            (text("reason"), text("line"), text("call"), text("caller"));
        let date = |raw: &str| match (raw.parse::<Date>(), raw.len()) {
            (Ok(date), 10) => Ok(date.to_string()),
            _ => wrong("is no date", "write it as \"2026-11-22\""),
        };
        let from = section.text("from", date).map(|at| at.it);
        let until = section.text("until", date).map(|at| at.it);
        if from.is_some() && until.is_some() && from > until {
            let place = section.place_of("until");
            section.log.add(place, "until comes before from", "exchange them");
        }
        if (&line, &call, &caller, &from, &until) == (&None, &None, &None, &None, &None) {
            let what = "[[hold]] holds nothing in particular".to_string();
            section.lacking(what, "write a line, a call, a caller, or from and until".into());
        }
        section.done();
        let reason = reason.unwrap_or_default();
        settings.retention.holds.push(Hold { reason, line, call, caller, from, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_years_or_days() {
        for (raw, expected) in [("2y", Some(732)), ("400d", Some(400)), ("forever", None)] {
            assert_eq!(days(raw), Ok(expected), "{raw}");
        }
        for raw in ["", "2", "y", "0y", "2 years", "101y", "-1d", "2م"] {
            assert!(days(raw).is_err(), "{raw}");
        }
    }
}
