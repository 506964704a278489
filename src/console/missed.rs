//! `pukar missed`: callers with whom nobody talked, and what is done about them.

use super::acts;
use super::args::MissedArgs;
use super::client::Client;
use super::screen::{As, Column, list};
use super::{Fault, print};
use serde_json::json;

const COLUMNS: [Column; 9] = [
    ("NUMBER", "/number", As::Text),
    ("SINCE", "/since", As::Text),
    ("CALLS", "/times", As::Count),
    ("TRIES", "/attempts", As::Count),
    ("STATE", "/state", As::Text),
    ("ENDED BY", "/why", As::Text),
    ("QUEUE", "/queue", As::Text),
    ("CLAIMED BY", "/claimed_by", As::Text),
    ("CALL", "/call", As::Text),
];

pub fn show(client: &Client, args: &MissedArgs) -> Result<(), Fault> {
    let Some((number, act)) = args.number.as_ref().zip(args.act.as_ref()) else {
        let answer = client.call("missed.list", json!({}))?;
        return print(&match args.json {
            true => format!("{answer}\n"),
            false => list(&answer, &COLUMNS, "nobody was missed"),
        });
    };
    let by = Some(args.by.clone()).filter(|by| !by.is_empty());
    acts::act(client, "missed", number, act, by.as_slice())
}
