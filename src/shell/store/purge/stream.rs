//! Purging a stream: of the messages under this switch's own subjects, those whose rows go are
//! deleted one by one, whoever else writes there. The proof is a message of its own, under
//! `STREAM.SWITCH.purges`.

use super::gone::Gone;
use super::{Purged, Rules};
use crate::config::Remote;
use crate::shell::store::columns::{AGENT_STATES, CALLS};
use crate::shell::store::verify::object;
use crate::shell::store::{nats, runtime};

pub fn purge(at: &Remote, rules: &Rules, purged: &mut Purged) -> Result<(), String> {
    let mut gone = [Gone::of(&CALLS), Gone::of(&AGENT_STATES)];
    let mut messages = Vec::new();
    runtime()?.block_on(async {
        nats::read_with_places(at, &mut |row, place| {
            let mut goes = false;
            object(row, &mut |table, cells| {
                let gone = gone.iter_mut().find(|gone| gone.table.name == table.name);
                goes |= gone.is_some_and(|gone| gone.judge(rules, &cells));
            });
            messages.extend(goes.then_some(place));
        })
        .await?;
        if !rules.wish.dry_run && !messages.is_empty() {
            let proofs = gone.iter().filter_map(|gone| gone.told(rules));
            nats::delete(at, &messages, proofs.collect()).await?;
        }
        Ok::<(), String>(())
    })?;
    purged.add(&gone);
    Ok(())
}
