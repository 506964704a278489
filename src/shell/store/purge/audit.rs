//! Purging the access log: month by month, each of which goes whole or not at all, so that a switch
//! may go on writing the newest. Acts are no service's: `[records] keep_audit` alone says how long
//! they are kept, and a hold on a call holds what was done with it.

use super::{Purged, Rules};
use crate::config::Hold;
use crate::shell::access_log;
use crate::shell::store::proof::{self, Proof};
use crate::shell::store::verify::Ranges;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

pub fn purge(folder: &Path, rules: &Rules, purged: &mut Purged) -> io::Result<()> {
    let Some(before) = rules.settings.retention.audit.and_then(|days| rules.days_ago(days)) else {
        purged.left = Some("it is kept for ever; [records] keep_audit says otherwise".into());
        return Ok(());
    };
    purged.acts = Some(0);
    let months = access_log::months(folder)?;
    for (month, path) in &months {
        // All of it is older, whenever in the month that was.
        if before.get(..7).is_some_and(|first| month.as_str() < first) {
            let later = (Bound::Excluded(month.clone()), Bound::Unbounded);
            let is_last = !months.range(later).any(|(_, path)| access_log::last_in(path).is_some());
            one(folder, (month, path, is_last), rules, purged)?;
        }
    }
    Ok(())
}

fn one(
    folder: &Path,
    (month, path, is_last): (&str, &PathBuf, bool),
    rules: &Rules,
    purged: &mut Purged,
) -> io::Result<()> {
    let octets = fs::read(path)?;
    // What is damaged may be about what is held as well.
    let text = String::from_utf8_lossy(&octets);
    let acts: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let count = text.lines().count() as u64;
    if rules.settings.retention.holds.iter().any(|hold| holds(hold, (&text, &acts), rules)) {
        purged.held += count;
        return Ok(());
    }
    if rules.wish.dry_run {
        purged.acts = purged.acts.map(|acts| acts + count);
        return Ok(());
    }
    let mut seqs: Vec<u64> = acts.iter().filter_map(|act| act["seq"].as_u64()).collect();
    seqs.sort_unstable();
    // Whoever goes on with the log must not write down anew what has gone. Where something stays
    // that says how far it came, it knows better: numbers may have begun anew since.
    let noted = seqs.last().filter(|_| is_last);
    noted.map_or(Ok(()), |last| access_log::note_seen(folder, *last))?;
    let proof = Proof {
        seqs: Ranges::of(seqs).to_string(),
        digest: proof::hex(Sha256::digest(&octets)),
        ..rules.proof(format!("acts of {month}"), count)
    };
    proof::note(&rules.settings.data, &[proof.told_of("audit", "audit")])?;
    fs::remove_file(path)?;
    purged.acts = purged.acts.map(|acts| acts + count);
    fs::File::open(folder)?.sync_all()
}

/// What was done with a call is held with it. A line and a caller are in no act, so all of the days
/// are held.
fn holds(hold: &Hold, (text, acts): (&str, &[Value]), rules: &Rules) -> bool {
    if let Some(call) = &hold.call {
        return text.contains(call.as_str());
    }
    acts.iter().any(|act| {
        let at: Option<Timestamp> = act["at"].as_str().and_then(|at| at.parse().ok());
        at.is_some_and(|at| hold.covers(&rules.day_of(at)))
    })
}
