//! What goes into the switch and what comes out, printed for whoever looks into a failing seed.

use crate::base::Now;
use crate::core::{Command, Event, Out};

pub fn event(now: Now, event: &Event) {
    eprintln!("-- {} us", now.instant.0);
    match event {
        Event::Sip { hop, bytes } => eprintln!(">> {}\n{}", hop.peer, text(bytes)),
        _ => eprintln!(">> {event:?}"),
    }
}

pub fn out(out: &Out) {
    for command in &out.commands {
        match command {
            Command::Send { hop, bytes } => eprintln!("<< {}\n{}", hop.peer, text(bytes)),
            _ => eprintln!("<< {command:?}"),
        }
    }
    for fact in &out.facts {
        eprintln!("== {fact:?}");
    }
}

fn text(bytes: &[u8]) -> String {
    let lines = String::from_utf8_lossy(bytes).trim_end().replace("\r\n", "\n     ");
    format!("     {lines}")
}
