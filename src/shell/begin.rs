//! The switch as it begins: new, or as the journal has it.

use super::board::{Board, Names};
use super::engine::Journal;
use super::ground::Ground;
use super::journal::{Begin, Limits, Writer};
use super::store::Stored;
use crate::base::FlowId;
use crate::core::{Event, Homeless, Out, Switch, Wanted};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything that knows what has been so far.
pub struct Begun {
    pub switch: Switch,
    pub board: Board,
    pub journal: Writer,
    /// What is to be done first. Its facts are on the board already.
    pub first: Out,
}

/// Makes the switch. One that goes on is told, through its journal, that the process is another.
/// `flows` are the streams that are still there; `safe`: every row that was found is in the outbox.
pub fn begin(
    found: Begin,
    ground: &Ground,
    (stored, safe): (Arc<Stored>, bool),
    flows: BTreeSet<FlowId>,
) -> Result<Begun, String> {
    let dir = ground.settings.data.join("journal");
    let settings = ground.settings.clone();
    let limits = Limits { keep: settings.journal.keep, ..Limits::default() };
    let meters = ground.meters.clone();
    let now = ground.clock.now();
    let mut first = Out::default();
    let again = match found {
        Begin::Again(again) => again,
        Begin::Fresh { numbers, kept, stale } => {
            let mut switch = Switch::after(numbers, settings, ground.seed, now, &mut first);
            let count = kept.len();
            switch.inherit(now, kept, &mut first).iter().for_each(tell_homeless);
            let mut board = Board::new(names(&switch), now);
            first.facts.drain(..).for_each(|fact| board.take(fact));
            let begun = (&switch.memory(now), &board);
            let journal = Writer::begin(&dir, limits, begun, stored, meters)?;
            if let Some(stale) = stale {
                // What was taken over is in the first snapshot by now, unless its disk is full.
                stale.put_aside(&dir, count, safe && journal.is_whole());
            }
            return Ok(Begun { switch, board, journal, first });
        }
    };
    let reload = (*again.settings() != settings).then(|| Event::Reload(Box::new(settings)));
    let (mut switch, mut board, mut journal) = again.go_on(&dir, limits, stored, meters)?;
    let events: Vec<Event> = [Event::Restarted { flows }].into_iter().chain(reload).collect();
    journal.append(now, &events);
    for event in events {
        let mut out = Out::default();
        switch.handle(now, event, &mut out);
        journal.follow(&out.commands, &out.facts, &switch);
        board.rename(names(&switch));
        out.facts.drain(..).for_each(|fact| board.take(fact));
        first.commands.append(&mut out.commands);
    }
    journal.commit(now, &switch);
    tracing::info!("the journal was gone through: {} calls go on", board.live());
    Ok(Begun { switch, board, journal, first })
}

/// Nobody who is owed a call is lost unheard: whoever is on duty reads their number.
fn tell_homeless(Homeless { wanted, queue }: &Homeless) {
    let Wanted { number, parent, queue: before, .. } = wanted;
    match queue {
        Some(queue) => tracing::warn!(
            "{number} is to be called (call {parent}) by queue {before}, which is no more: queue \
             {queue} has them now"
        ),
        None => tracing::error!(
            "{number} is to be called (call {parent}) by queue {before}, which is no more, and \
             there is no other: nobody here will call them"
        ),
    }
}

fn names(switch: &Switch) -> Names {
    Names::of(switch.settings(), switch.names())
}
