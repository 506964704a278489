//! The command line: what was asked for, a client of the admin socket, and tables for people.
//!
//! In: words, and the answers of a running switch. Out: text on stdout, one line on stderr where
//! something went wrong, and an exit status: 0 done, 1 a failure at work, 2 a fault of usage or
//! configuration. `run`, `demo` and `load` are handed to whoever does them ([`Hands`]). Knows
//! nothing of live calls or queues beyond the JSON of the admin protocol. May import: config, call.

mod acts;
mod args;
mod client;
mod directory;
mod events;
mod files;
mod handover;
mod missed;
mod moment;
mod prompts;
mod recording;
mod records;
mod report;
mod screen;
mod table;
mod top;
mod upgrade;
mod upkeep;
mod why;

pub use args::{Cli, Command, DemoArgs, RunArgs};
pub use client::Client;
pub use files::{data_folder, read_settings};

use crate::shell;
use clap::Parser;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What the console does not do itself.
pub struct Hands<L> {
    pub run: fn(RunArgs) -> Result<(), Fault>,
    pub demo: fn(DemoArgs) -> Result<(), Fault>,
    pub load: fn(L) -> Result<(), Fault>,
}

/// Why a command failed: one line that says what, where and what to do; and the exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub exit: u8,
    /// Empty where everything has been said already.
    pub line: String,
}

impl Fault {
    /// A fault of the command line or the configuration.
    pub fn usage(line: impl Into<String>) -> Self {
        Self { exit: 2, line: line.into() }
    }

    /// A failure at work.
    pub fn work(line: impl Into<String>) -> Self {
        Self { exit: 1, line: line.into() }
    }

    /// The output is closed (`pukar calls | head`): nothing is wrong, and there is nobody to tell.
    fn unheard() -> Self {
        Self { exit: 0, line: String::new() }
    }
}

impl From<String> for Fault {
    fn from(line: String) -> Self {
        Self::work(line)
    }
}

/// Reads the command line, does what it says, and tells how it went.
pub fn main<L: clap::Args>(hands: &Hands<L>) -> ExitCode {
    match dispatch(Cli::<L>::parse(), hands) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            if !fault.line.is_empty() {
                let _ = writeln!(io::stderr(), "pukar: {}", fault.line);
            }
            ExitCode::from(fault.exit)
        }
    }
}

fn dispatch<L: clap::Args>(cli: Cli<L>, hands: &Hands<L>) -> Result<(), Fault> {
    let client = Client::new(cli.socket);
    match cli.command {
        Command::Run(args) => (hands.run)(args),
        Command::Demo(args) => (hands.demo)(args),
        Command::Load(args) => (hands.load)(args),
        Command::Check { config } => files::check(&config),
        Command::Prompts(act) => prompts::run(&act),
        Command::Status(view) => screen::show(&client, &screen::STATUS, view),
        Command::Top => top::run(&client),
        Command::Calls(view) => screen::show(&client, &screen::CALLS, view),
        Command::Queues(view) => screen::show(&client, &screen::QUEUES, view),
        Command::Agents(view) => screen::show(&client, &screen::AGENTS, view),
        Command::Trunks(view) => screen::show(&client, &screen::TRUNKS, view),
        Command::Stores(view) => screen::show(&client, &screen::STORES, view),
        Command::Shifts(view) => screen::show(&client, &screen::SHIFTS, view),
        Command::Blocks(view) => screen::show(&client, &screen::BLOCKS, view),
        Command::Block { number, reason, span } => {
            let params = json!({"number": number, "reason": reason.join(" "), "seconds": span});
            client.call("blocks.add", params).map(drop)
        }
        Command::Unblock { number, reason } => {
            let params = json!({"number": number, "reason": reason.join(" ")});
            client.call("blocks.remove", params).map(drop)
        }
        Command::Directory(args) => directory::show(&client, &args),
        Command::Missed(args) => missed::show(&client, &args),
        Command::Handover(view) => screen::show(&client, &screen::HANDOVER, view),
        Command::Report(args) => report::show(&client, &args),
        Command::Why(args) => why::show(&client, &args),
        Command::Recording(act) => recording::run(&client, &act),
        Command::Records(args) => records::show(&client, &args),
        Command::Events { from, journal: Some(journal), json } => {
            events::tell(&journal, from, json)
        }
        Command::Events { from, journal: None, json } => events::follow(&client, from, json),
        Command::Agent { id, act, rest } => acts::act(&client, "agents", &id, &act, &rest),
        Command::Call { id, act, rest } => acts::act(&client, "calls", &id, &act, &rest),
        Command::Listen(ears) => acts::act(&client, "calls", &ears.call, "listen", &[ears.phone]),
        Command::Whisper(ears) => acts::act(&client, "calls", &ears.call, "whisper", &[ears.phone]),
        Command::Barge(ears) => acts::act(&client, "calls", &ears.call, "barge", &[ears.phone]),
        Command::Queue { name, act, rest } => acts::act(&client, "queues", &name, &act, &rest),
        Command::Audit(view) => screen::show(&client, &screen::AUDIT, view),
        Command::Reload => client.call("config.reload", json!({})).map(drop),
        Command::Upgrade => upgrade::run(&client),
        Command::Verify(args) => upkeep::verify(&args),
        Command::Purge(args) => upkeep::purge(&args),
        Command::Shape => print(&format!("{}\n", shell::shape())),
        Command::Identity => print(&format!("{}\n", shell::identity())),
        Command::Replay { journal } => replay(&journal),
    }
}

fn replay(journal: &Path) -> Result<(), Fault> {
    let audit = shell::replay(journal).or_else(|difference| {
        // It is told with the events, and events hold callers' numbers.
        shell::note_look(journal, &upkeep::who(), "replay", "")?;
        Err(difference)
    })?;
    print(&format!("{audit}\n"))?;
    match audit.incomplete {
        true => Err(Fault::work("the journal is not whole; what is there was gone through")),
        false => Ok(()),
    }
}

/// Writes to stdout; a reader that has gone away ends the command quietly.
fn print(text: &str) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Fault::unheard()),
        Err(e) => Err(Fault::work(format!("cannot write to stdout: {e}"))),
    }
}
