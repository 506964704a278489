//! What outlives even a change of the form: a version that cannot go on with the calls still owes a
//! call to whoever was promised one or was missed, and still turns away whom somebody has blocked.
//!
//! In: the state, into notes of the journal. Out of them: a new switch that knows.

use super::{Out, State, Switch};
use crate::base::{Instant, Now, QueueId, Wall};
use crate::call::Origin;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// In the words of people: no id of a table, no form that changes with the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// A number that may not call.
    Block { number: String, reason: String, by: String, until: Wall },
    /// Somebody to be called.
    Wanted(Wanted),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    pub number: String,
    /// The id of their call.
    pub parent: String,
    pub line: String,
    pub dialled: String,
    pub district: String,
    pub queue: String,
    pub languages: Vec<String>,
    pub priority: u8,
    pub emergency: bool,
}

impl State {
    pub fn kept(&self) -> Vec<Kept> {
        let blocks = self.calls.blocks.iter().map(|block| Kept::Block {
            number: block.number.clone(),
            reason: block.reason.clone(),
            by: block.by.clone(),
            until: block.ends,
        });
        let missed = self.calls.missed().iter();
        let promised = self.calls.owed();
        let wanted = missed.chain(promised).map(|origin| Kept::Wanted(self.wanted(origin)));
        blocks.chain(wanted).collect()
    }

    /// Whoever has this number, where they are to be called.
    pub fn wants(&self, number: &str) -> Option<Kept> {
        let missed = self.calls.missed().of(number).map(|person| &person.origin);
        let origin = missed.or_else(|| self.calls.owed().find(|origin| origin.number == number));
        origin.map(|origin| Kept::Wanted(self.wanted(origin)))
    }

    fn wanted(&self, origin: &Origin) -> Wanted {
        let Origin { parent, number, line, dialled, district, languages, .. } = origin.clone();
        let queue = self.desk.queue_settings(origin.queue);
        let queue = queue.map_or(String::new(), |settings| settings.name.clone());
        let (priority, emergency) = (origin.priority, origin.emergency);
        Wanted { number, parent, line, dialled, district, queue, languages, priority, emergency }
    }
}

/// Somebody to be called, whose queue is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homeless {
    pub wanted: Wanted,
    /// The queue that has them now; `None`: there is none at all, and nobody here will call them.
    pub queue: Option<String>,
}

impl Switch {
    /// Takes over what another version has noted. Whoever was promised a call stands among the
    /// missed: somebody has to call them. Those whose queue is no more are told.
    pub fn inherit(&mut self, now: Now, kept: Vec<Kept>, out: &mut Out) -> Vec<Homeless> {
        let mut homeless = Vec::new();
        for kept in kept {
            match kept {
                Kept::Block { number, reason, by, until } if until > now.wall => {
                    let left = Duration::from_micros(until.0.abs_diff(now.wall.0));
                    let at = (now.instant, now.wall);
                    let blocks = &mut self.state.calls.blocks;
                    if let Some(block) = blocks.block(&number, reason, &by, at, left) {
                        self.blocked(now, block, out);
                    }
                }
                Kept::Block { .. } => {}
                Kept::Wanted(wanted) => {
                    let home = self.home_of(&wanted);
                    let name = home.and_then(|queue| self.state.desk.queue_settings(queue));
                    let name = name.map(|queue| queue.name.clone());
                    if name.as_ref() != Some(&wanted.queue) {
                        homeless.push(Homeless { wanted: wanted.clone(), queue: name });
                    }
                    if let Some(queue) = home {
                        let origin = self.origin_of(wanted, queue, now.instant);
                        self.calls(now, |calls, io| calls.missed_anew(io, origin));
                    }
                }
            }
            self.settle(now, out);
        }
        homeless
    }

    /// Their queue; where it is no more, that of the number which they had dialled; else whichever
    /// comes first: any agent who calls them is better than none.
    fn home_of(&self, wanted: &Wanted) -> Option<QueueId> {
        let desk = &self.state.desk;
        let of_number = || {
            let queue = self.settings.call.queue_of_number(&self.numbers, &wanted.dialled)?;
            desk.queue_settings(queue).map(|_| queue)
        };
        let first = || desk.queue_id(&self.settings.acd.queues.first()?.name);
        desk.queue_id(&wanted.queue).or_else(of_number).or_else(first)
    }

    fn origin_of(&self, wanted: Wanted, queue: QueueId, arrived: Instant) -> Origin {
        let Wanted { number, parent, line, dialled, district, languages, .. } = wanted;
        let known = self.settings.call.lines.iter().find(|known| known.name == line);
        let music = known.and_then(|line| line.music);
        let (priority, emergency) = (wanted.priority, wanted.emergency);
        Origin {
            parent,
            number,
            line,
            dialled,
            district,
            languages,
            priority,
            emergency,
            queue,
            arrived,
            music,
        }
    }
}
