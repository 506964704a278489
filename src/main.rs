//! The `pukar` binary: hands the command line to the console, and its work to whoever does it.

mod chaos;
mod demo;

use pukar::console::{Fault, Hands, RunArgs, main as console, read_settings};
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
    let read = move || read_settings(&args.config, args.data.as_deref());
    let settings = read()?;
    let reload = move || read().map_err(|fault| fault.line);
    let options = Options { reload: Some(Arc::new(reload)), ..Options::default() };
    Ok(shell::run(settings, options)?)
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
