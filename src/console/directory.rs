//! `pukar directory`: who is listed, who would be called, which rows were refused and why.

use super::args::DirectoryArgs;
use super::client::Client;
use super::screen::{As, Column, list};
use super::{Fault, print};
use serde_json::{Value, json};

const COLUMNS: [Column; 8] = [
    ("DISTRICT", "/district", As::Text),
    ("KIND", "/kind", As::Text),
    ("TURN", "/priority", As::Count),
    ("NAME", "/name", As::Text),
    ("NUMBER", "/number", As::Text),
    ("FROM", "/valid_from", As::Text),
    ("TO", "/valid_to", As::Text),
    ("FAILED", "/failures", As::Count),
];
const REFUSED: [Column; 3] =
    [("FILE", "/file", As::Text), ("LINE", "/line", As::Count), ("WHY", "/why", As::Text)];

pub fn show(client: &Client, args: &DirectoryArgs) -> Result<(), Fault> {
    let answer = match args.stale {
        true => client.call("directory.stale", json!({}))?,
        false => client.call("directory.list", json!({"address": args.address}))?,
    };
    if args.json {
        return print(&format!("{answer}\n"));
    }
    print(&match (args.stale, args.refused) {
        (true, _) => list(&answer, &COLUMNS, "no number has failed three times in a row"),
        (false, true) => list(&answer["refused"], &REFUSED, "no row was refused"),
        (false, false) => entries(&answer),
    })
}

fn entries(answer: &Value) -> String {
    let none = "nobody is listed; add [directory] files to the configuration";
    let mut text = list(&answer["entries"], &COLUMNS, none);
    if let Some(count) = answer["refused_count"].as_u64().filter(|count| *count > 0) {
        text.push_str(&format!(
            "{count} rows were refused; `pukar directory --refused` says why\n"
        ));
    }
    text
}
