//! `pukar verify` and `pukar purge`: work on the stores themselves, beside a switch or without one.

use super::args::{PurgeArgs, VerifyArgs};
use super::{Fault, moment, print, read_settings};
use crate::shell;
use jiff::Zoned;
use std::os::unix::fs::MetadataExt;

/// One paragraph a store.
pub fn verify(args: &VerifyArgs) -> Result<(), Fault> {
    let settings = read_settings(&args.config, args.data.as_deref())?;
    let verdicts = shell::verify(&settings, &args.store)?;
    if verdicts.iter().any(|verdict| verdict.wrong > 0) {
        // What is wrong is told with the rows, and rows hold callers' numbers.
        shell::note_look_in(&settings.data, &who(), "verify", &args.store)?;
    }
    verdicts.iter().try_for_each(|verdict| print(&verdict.to_string()))?;
    match verdicts.iter().map(|verdict| verdict.wrong).sum::<usize>() {
        0 => Ok(()),
        1 => Err(Fault::work("one thing is wrong in the stores")),
        wrong => Err(Fault::work(format!("{wrong} things are wrong in the stores"))),
    }
}

/// One line a database.
pub fn purge(args: &PurgeArgs) -> Result<(), Fault> {
    let settings = read_settings(&args.of.config, args.of.data.as_deref())?;
    let now = Zoned::now();
    let before = args.before.as_deref().map(|raw| moment::read(raw, false, &now)).transpose()?;
    let wish = shell::Purge {
        store: args.of.store.clone(),
        before,
        dry_run: args.dry_run,
        by: who(),
        now,
    };
    let done = shell::purge(&settings, &wish)?;
    done.iter().try_for_each(|purged| print(&purged.to_string()))?;
    match done.iter().filter(|purged| purged.failed).count() {
        0 => Ok(()),
        1 => Err(Fault::work("one place could not be purged")),
        failed => Err(Fault::work(format!("{failed} places could not be purged"))),
    }
}

/// Who asks for it: the name they are logged in by, and the user that they are to the system.
pub fn who() -> String {
    let name = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|key| std::env::var(key).ok());
    let uid = std::fs::metadata("/proc/self").map_or(u32::MAX, |about| about.uid());
    format!("{} (uid {uid})", name.unwrap_or_else(|| "unknown".into()))
}
