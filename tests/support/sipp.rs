//! SIPp (package sip-tester) with the scenarios of `tests/sipp`.

use super::program::Program;
use super::street::Street;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// SIPp gives up by itself after this long, and then fails.
const SPAN: Duration = Duration::from_secs(40);

pub struct Sipp {
    program: Program,
    errors: PathBuf,
    messages: PathBuf,
}

/// How SIPp is run.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// A file of `tests/sipp`, without `.xml`.
    pub scenario: &'a str,
    pub house: u8,
    pub calls: u32,
    pub rate: u32,
    pub tcp: bool,
    /// What the scenario's plain pauses last.
    pub pause_ms: u32,
    pub number: &'a str,
    /// Words of the scenario in brackets, and what stands for them.
    pub words: &'a [(&'a str, &'a str)],
    /// Sends back every packet of sound that comes to its media port.
    pub echoes: bool,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            scenario: "",
            house: super::street::CALLER,
            calls: 1,
            rate: 10,
            tcp: false,
            pause_ms: 300,
            number: "181",
            words: &[],
            echoes: false,
        }
    }
}

impl Sipp {
    /// Calls the switch.
    pub fn calls(street: &Street, plan: Plan) -> Self {
        Self::start(street, plan, Some(street.sip(super::street::SWITCH)))
    }

    /// Waits for calls; returns when it can be called.
    pub fn answers(street: &Street, plan: Plan) -> Self {
        let mut sipp = Self::start(street, plan, None);
        sipp.program.listens(!plan.tcp, street.sip(plan.house));
        sipp
    }

    fn start(street: &Street, plan: Plan, target: Option<SocketAddr>) -> Self {
        let dir = street.folder(&format!("sipp-{}-{}", plan.scenario, plan.house));
        let (errors, messages) = (dir.join("errors"), dir.join("messages"));
        let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sipp");
        let mut command = Command::new("sipp");
        command.current_dir(&dir).args(["-nostdin", "-timeout_error", "-trace_err", "-trace_msg"]);
        command.args(["-error_overwrite", "true", "-error_file"]).arg(&errors);
        command.arg("-message_file").arg(&messages);
        command.arg("-sf").arg(format!("{scenarios}/{}.xml", plan.scenario));
        command.arg("-timeout").arg(format!("{}s", SPAN.as_secs()));
        command.args(["-i", &street.ip(plan.house).to_string(), "-p", "5060"]);
        command.args(["-mi", &street.ip(plan.house).to_string(), "-mp", "6000"]);
        command.args(["-t", if plan.tcp { "t1" } else { "u1" }]);
        command.args(["-m", &plan.calls.to_string(), "-r", &plan.rate.to_string()]);
        command.args(["-d", &plan.pause_ms.to_string(), "-s", plan.number]);
        for (word, stands_for) in plan.words {
            command.args(["-key", word, stands_for]);
        }
        command.args(plan.echoes.then_some("-rtp_echo"));
        command.args(target.map(|at| at.to_string()));
        Self { program: Program::start("sip-tester", &mut command), errors, messages }
    }

    /// Waits for its end; every call must have gone as the scenario says.
    pub fn succeeds(mut self) {
        let status = self.program.end(SPAN + Duration::from_secs(10));
        if !status.success() {
            for file in [&self.errors, &self.messages] {
                let text = std::fs::read_to_string(file).unwrap_or_default();
                let end: Vec<&str> = text.lines().rev().take(120).collect();
                let end: Vec<&str> = end.into_iter().rev().collect();
                eprintln!("---- the end of {}:\n{}", file.display(), end.join("\n"));
            }
            panic!("sipp ended with {status}");
        }
    }
}
