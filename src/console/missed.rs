//! `pukar missed`: callers who hung up unanswered, and what is done about them.

use super::args::{MissedAct, MissedArgs};
use super::client::Client;
use super::screen::{As, Column, list};
use super::{Fault, print};
use serde_json::json;

const COLUMNS: [Column; 7] = [
    ("NUMBER", "/number", As::Text),
    ("SINCE", "/since", As::Text),
    ("CALLS", "/times", As::Count),
    ("TRIES", "/attempts", As::Count),
    ("STATE", "/state", As::Text),
    ("CLAIMED BY", "/claimed_by", As::Text),
    ("CALL", "/call", As::Text),
];

pub fn show(client: &Client, args: &MissedArgs) -> Result<(), Fault> {
    let Some((number, act)) = args.number.as_ref().zip(args.act) else {
        let answer = client.call("missed.list", json!({}))?;
        return print(&match args.json {
            true => format!("{answer}\n"),
            false => list(&answer, &COLUMNS, "nobody was missed"),
        });
    };
    let method = match act {
        MissedAct::Claim => "missed.claim",
        MissedAct::Call => "missed.call",
        MissedAct::Close => "missed.close",
    };
    client.call(method, json!({"number": number, "by": args.by})).map(drop)
}
