//! `pukar recording open`: a finished one as WAV or Ogg Opus. That somebody opens it is on the
//! switch's books first.

use super::args::RecordingAct;
use super::client::Client;
use super::{Fault, read_settings};
use crate::shell::record;
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

pub fn run(client: &Client, act: &RecordingAct) -> Result<(), Fault> {
    match act {
        RecordingAct::Open { call, config } => open(client, call, config),
    }
}

fn open(client: &Client, call: &str, config: &Path) -> Result<(), Fault> {
    let settings = read_settings(config, None)?.recording;
    let path = record::find(&settings.folder, call).ok_or_else(|| {
        let folder = settings.folder.display();
        Fault::work(format!("no finished recording of call {call} under {folder}"))
    })?;
    if io::stdout().is_terminal() {
        let end = if record::is_opus(&path) { "opus" } else { "wav" };
        let line = format!("sound is no text: pukar recording open {call} > {call}.{end}");
        return Err(Fault::usage(line));
    }
    let id = call.split('.').next();
    client.call("recordings.open", json!({"call": id}))?;
    let keys = settings.key.iter().chain(&settings.old_keys);
    let (sound, whole) = record::open_by(&path, keys.map(|key| key.0.as_str()))?;
    if !whole {
        let line = "it was interrupted: sound may be missing";
        let _ = writeln!(io::stderr(), "pukar: {}: {line}", path.display());
    }
    let mut out = io::stdout().lock();
    match out.write_all(&sound).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Fault::unheard()),
        Err(e) => Err(Fault::work(format!("cannot write to stdout: {e}"))),
    }
}
