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
            object(row, &mut |table, cells| {
                let at = gone.iter().position(|gone| gone.table.name == table.name);
                messages
                    .extend(at.filter(|at| gone[*at].judge(rules, &cells)).map(|at| (place, at)));
            });
        })
        .await?;
        purged.held += gone.iter().map(|gone| gone.held).sum::<u64>();
        // What goes before it breaks off has gone.
        let mut tables = messages.iter().map(|(_, table)| *table);
        let mut count = || match tables.next() {
            Some(0) => purged.calls += 1,
            Some(_) => purged.states += 1,
            None => {}
        };
        if rules.wish.dry_run {
            messages.iter().for_each(|_| count());
        } else if !messages.is_empty() {
            let proofs = gone.iter().filter_map(|gone| gone.told(rules)).collect();
            let places = messages.iter().map(|(place, _)| *place);
            nats::delete(at, places, proofs, &mut count).await?;
        }
        Ok(())
    })
}
