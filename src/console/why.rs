//! `pukar why CALL`: the story of a call on one screen.

use super::args::WhyArgs;
use super::client::Client;
use super::screen::span;
use super::upkeep::who;
use super::{Fault, print};
use crate::shell;
use serde_json::{Value, json};

pub fn show(client: &Client, args: &WhyArgs) -> Result<(), Fault> {
    let story = match &args.journal {
        Some(journal) => {
            shell::note_look(journal, &who(), "calls.why --journal", &args.call)?;
            shell::explain(journal, &args.call)?
        }
        None => client.call("calls.why", json!({"call": args.call}))?,
    };
    print(&if args.json { format!("{story}\n") } else { text(&story) })
}

fn text(story: &Value) -> String {
    let at = |key: &str| story[key].as_str().filter(|text| !text.is_empty()).unwrap_or("-");
    let mut text = format!(
        "{}  from {} to {}  line {}  district {}\narrived {}\n\n",
        at("call"),
        at("caller"),
        at("dialled"),
        at("line"),
        at("district"),
        at("arrived_at"),
    );
    let steps = story["steps"].as_array().into_iter().flatten();
    for step in steps {
        let after = seconds(&step["after_ms"]).unwrap_or_default();
        text.push_str(&format!("{after:>9}  {}\n", step["text"].as_str().unwrap_or_default()));
        for detail in step["details"].as_array().into_iter().flatten() {
            text.push_str(&format!("{:11}  {}\n", "", detail.as_str().unwrap_or_default()));
        }
    }
    if let Some(more) = story["more_steps"].as_u64().filter(|more| *more > 0) {
        text.push_str(&format!("{:11}and {more} more steps\n", ""));
    }
    if let Some(now) = story["now"].as_array() {
        let lines = now.iter().filter_map(Value::as_str);
        text.push_str(&format!("\nnow: {}\n", lines.collect::<Vec<_>>().join("\n     ")));
    }
    let stages = [
        ("to_answer_ms", "answered by the switch after"),
        ("to_queue_ms", "in a queue after"),
        ("to_first_ring_ms", "first phone rang after"),
        ("wait_ms", "waited"),
        ("talk_ms", "talked"),
        ("whole_ms", "in all"),
    ];
    let told = stages.iter().filter_map(|(key, words)| {
        let took = seconds(&story["stages"][*key])?;
        Some(format!("{words} {took}"))
    });
    text.push_str(&format!("\n{}\n", told.collect::<Vec<_>>().join(", ")));
    text
}

/// `0.120 s`, `41.2 s`, `12:30`.
fn seconds(millis: &Value) -> Option<String> {
    let millis = millis.as_u64()?;
    Some(match millis {
        0..10_000 => format!("{:.3} s", millis as f64 / 1_000.0),
        10_000..60_000 => format!("{:.1} s", millis as f64 / 1_000.0),
        _ => span(millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_one_screen() {
        let text = text(&json!({
            "call": "01HZ7", "caller": "+919826012345", "dialled": "181", "line": "181",
            "district": "", "arrived_at": "2026-11-22T06:12:09.120Z", "more_steps": 0,
            "steps": [
                {"after_ms": 0, "text": "arrived, dialled 181", "details": []},
                {"after_ms": 41_200, "text": "picked op2 of 3 (longest-idle)",
                 "details": ["talking: op1", "paused: op3"]},
            ],
            "now": ["waits in general, 2 came before", "talking: op1"],
            "stages": {"to_answer_ms": 4, "wait_ms": 75_000, "talk_ms": null},
        }));
        assert_eq!(
            text,
            "01HZ7  from +919826012345 to 181  line 181  district -\n\
             arrived 2026-11-22T06:12:09.120Z\n\n\
             \u{20} 0.000 s  arrived, dialled 181\n\
             \u{20}  41.2 s  picked op2 of 3 (longest-idle)\n\
             \u{20}            talking: op1\n\
             \u{20}            paused: op3\n\n\
             now: waits in general, 2 came before\n     talking: op1\n\n\
             answered by the switch after 0.004 s, waited 1:15\n"
        );
    }
}
