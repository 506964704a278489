//! The `pukar` binary: hands the command line to the console, and its work to whoever does it.

mod chaos;
mod demo;

use pukar::config::Settings;
use pukar::console::{Fault, Hands, RunArgs, data_folder, main as console, read_settings};
use pukar::load::{self, LoadArgs};
use pukar::shell::{self, Options};
use std::process::{Command, ExitCode};
use std::sync::Arc;

fn main() -> ExitCode {
    console(&Hands::<LoadArgs> { run, demo: demo::demo, load })
}

fn run(args: RunArgs) -> Result<(), Fault> {
    if args.supervise {
        return supervise(&args);
    }
    let (config, data) = (args.config.clone(), data_folder(&args.config, args.data.as_deref()));
    let (named, given) = (args.config.clone(), args.data.clone());
    let folder = move || data_folder(&named, given.as_deref());
    let read = move || read_settings(&args.config, args.data.as_deref());
    let (settings, mistakes) = match read() {
        Ok(settings) => (settings, None),
        // Whoever is on the phone has made no mistake: the switch may know settings that will do.
        Err(fault) if shell::has_journal(&data) => {
            (Settings { data, ..Settings::default() }, Some(fault))
        }
        Err(fault) => return Err(fault),
    };
    let reload = move || read().map_err(|fault| fault.line);
    let options = Options {
        reload: Some(Arc::new(reload)),
        config: Some(config),
        folder: Some(Arc::new(folder)),
        mistakes: mistakes.as_ref().map(|fault| fault.line.clone()),
        ..Options::default()
    };
    shell::run(settings, options).map_err(|line| match mistakes {
        Some(fault) if fault.line == line => fault,
        _ => Fault::work(line),
    })
}

/// The same in a child, again and again.
fn supervise(args: &RunArgs) -> Result<(), Fault> {
    let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let mut command = Command::new(own);
    command.arg("run").arg("--config").arg(&args.config);
    if let Some(data) = &args.data {
        command.arg("--data").arg(data);
    }
    match shell::supervise(command)? {
        0 => Ok(()),
        exit => Err(Fault { exit, line: String::new() }),
    }
}

fn load(args: LoadArgs) -> Result<(), Fault> {
    // Each phone has two sockets of its own; what is too few is told when they are.
    let _ = shell::raise_open_files();
    if args.chaos {
        return chaos::chaos(&args);
    }
    let plan = args.plan().map_err(Fault::usage)?;
    let report = load::run(&plan, &mut |progress| eprintln!("{progress}"))?;
    match args.json {
        true => println!("{}", report.to_json()),
        false => println!("{report}"),
    }
    let failed = || Fault { exit: 1, line: String::new() };
    if report.passed { Ok(()) } else { Err(failed()) }
}
