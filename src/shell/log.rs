//! The log: lines on stderr, by what they cost the person on duty.
//!
//! `error`: calls or records suffer, act now. `warn`: something will, look today. `info`: what an
//! orderly day leaves behind. `debug`, `trace`: for whoever looks for a fault. Whole messages and
//! passwords are in none.

use crate::config::Level;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts it; the first call in a process counts. `PUKAR_LOG` (`debug`, `pukar::shell=trace`) goes
/// before the configuration.
pub fn start(level: Level) {
    let configured = || EnvFilter::new(format!("warn,pukar={}", level.name()));
    let filter = std::env::var("PUKAR_LOG").ok().and_then(|text| EnvFilter::try_new(text).ok());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(configured))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
