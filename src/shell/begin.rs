//! The switch as it begins: new, or as the journal has it.

use super::board::{Board, Names};
use super::engine::Journal;
use super::ground::Ground;
use super::journal::{Begin, Limits, Stale, Writer};
use super::store::Stored;
use crate::base::FlowId;
use crate::core::{Command, Event, Homeless, Out, Row, Switch, Wanted};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Everything that knows what has been so far.
pub struct Begun {
    pub switch: Switch,
    pub board: Board,
    pub journal: Writer,
    /// What is to be done first. Its facts are on the board already.
    pub first: Out,
    /// What the process before died of.
    pub poison: Vec<Bytes>,
    pub past: Past,
}

/// A journal that is not gone on with, and is put aside when nothing can come between any more.
#[derive(Default)]
pub struct Past(Option<(Stale, usize, bool, u64)>);

impl Past {
    pub fn put_aside(self, data: &Path) {
        if let Some((stale, kept, safe, keep)) = self.0 {
            stale.put_aside(&data.join("journal"), kept, safe, keep);
        }
    }
}

/// Makes the switch. One that goes on is told, through its journal, that the process is another.
/// `flows` are the streams that are still there; `waiting`: rows that the outbox has yet to take.
/// From here on there is another journal, so whatever may fail has been tried before.
pub fn begin(
    found: Begin,
    ground: &Ground,
    stored: Arc<Stored>,
    waiting: Vec<Row>,
    flows: BTreeSet<FlowId>,
) -> Result<Begun, String> {
    ground.lap("stores");
    let dir = ground.settings.data.join("journal");
    let settings = ground.settings.clone();
    let keep_for = settings.journal.days.map(|days| DAY * days);
    let limits = Limits { keep: settings.journal.keep, keep_for, ..Limits::default() };
    let meters = ground.meters.clone();
    let now = ground.clock.now();
    let mut first = Out::default();
    let waiting: Vec<Command> =
        waiting.into_iter().map(|row| Command::Store(Box::new(row))).collect();
    let mut again = match found {
        Begin::Again(again) => again,
        Begin::Fresh { numbers, kept, stale } => {
            let mut switch = Switch::after(numbers, settings, ground.seed, now, &mut first);
            ground.secret.into_iter().for_each(|secret| switch.stir(secret));
            let count = kept.len();
            switch.inherit(now, kept, &mut first).iter().for_each(tell_homeless);
            let mut board = Board::new(names(&switch), now);
            first.facts.drain(..).for_each(|fact| board.take(fact));
            let begun = (&switch.memory(now), &board);
            let over = stale.is_some().then_some(&waiting[..]);
            let journal = Writer::begin(&dir, limits, begun, over, stored, meters)?;
            // What was taken over is in this one by now, unless its disk is full.
            let safe = journal.is_whole();
            let past = Past(stale.map(|stale| (stale, count, safe, limits.keep)));
            first.commands.extend(waiting);
            return Ok(Begun { switch, board, journal, first, poison: Vec::new(), past });
        }
    };
    let reload = (*again.settings() != settings).then(|| Event::Reload(Box::new(settings)));
    first.commands = waiting;
    let poison = std::mem::take(&mut again.poison);
    let (mut switch, mut board, mut journal) = again.go_on(&dir, limits, stored, meters)?;
    let restarted = Event::Restarted { flows, secret: ground.secret.unwrap_or_default() };
    let events: Vec<Event> = [restarted].into_iter().chain(reload).collect();
    journal.append(now, &events);
    for event in events {
        let mut out = Out::default();
        let handled = catch_unwind(AssertUnwindSafe(|| switch.handle(now, event, &mut out)));
        if handled.is_err() {
            // The next start leaves out what that was.
            journal.break_off(now);
            return Err("the core broke one of its own rules as it began; the message is above. \
                        Start again: what it broke in is left out then"
                .into());
        }
        journal.follow(&out.commands, &out.facts, &switch);
        board.rename(names(&switch));
        out.facts.drain(..).for_each(|fact| board.take(fact));
        first.commands.append(&mut out.commands);
    }
    journal.commit(now, &switch);
    ground.lap("switch");
    tracing::info!("the journal was gone through: {} calls go on", board.live());
    Ok(Begun { switch, board, journal, first, poison, past: Past::default() })
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
