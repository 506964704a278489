//! The `pukar` binary: hands the command line to the console, and its work to whoever does it.

use pukar::console::{Fault, Hands, main as console};
use std::process::ExitCode;

/// `pukar load`, until the load tester brings its own options.
#[derive(Debug, clap::Args)]
struct LoadArgs {}

fn main() -> ExitCode {
    console(&Hands::<LoadArgs> {
        run: |_| Err(Fault::work("this build cannot run the switch yet")),
        demo: |_| Err(Fault::work("this build has no demo yet")),
        load: |_| Err(Fault::work("this build has no load tester yet")),
    })
}
