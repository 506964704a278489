//! What has happened to each call, fact by fact, for as long as somebody may ask why: live calls,
//! and a number of past ones. Facts are only put by here; a story is told when it is asked for.

use crate::acd::{self, AgentState};
use crate::base::{CallId, Now, QueueId, limits};
use crate::call;
use crate::core::{Fact, What};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Stories by the call that they are of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stories {
    known: BTreeMap<CallId, Arc<Story>>,
    /// Those that have ended, the oldest first.
    past: VecDeque<CallId>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The public id of the call.
    pub id: String,
    pub steps: Vec<(Now, What)>,
    /// Steps that were too many to keep.
    pub more: u32,
}

impl Stories {
    pub fn take(&mut self, fact: &Fact) {
        let Some(call) = subject(&fact.what) else { return };
        if let What::Call(call::Fact::Arrived { arrival, .. }) = &fact.what {
            let story = Story { id: arrival.id.clone(), ..Story::default() };
            self.known.insert(call, Arc::new(story));
        }
        let Some(story) = self.known.get_mut(&call) else { return };
        // A copy is made only while a copy of the board is being written down.
        let story = Arc::make_mut(story);
        let ends = matches!(&fact.what, What::Call(call::Fact::Ended { .. }));
        if story.steps.len() < limits::STORY_STEPS_MAX || ends {
            story.steps.push((fact.at, fact.what.clone()));
        } else {
            story.more += 1;
        }
        if ends {
            self.past.push_back(call);
            if self.past.len() > limits::STORIES_KEPT
                && let Some(oldest) = self.past.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// The last queue of a call, and its district as it arrived.
    pub fn place(&self, id: &str) -> Option<(Option<QueueId>, &str)> {
        let steps = &self.find(id)?.steps;
        let mut place = (None, "");
        for (_, what) in steps {
            match what {
                What::Desk(acd::Fact::Queued { queue, .. }) => place.0 = Some(*queue),
                What::Call(call::Fact::Arrived { arrival, .. }) => place.1 = &arrival.district,
                What::Call(call::Fact::District { district, .. }) => place.1 = district,
                _ => {}
            }
        }
        Some(place)
    }

    /// By the id that records show, or by its last characters, where these fit one call only.
    pub fn find(&self, id: &str) -> Option<&Story> {
        let mut fits = self.known.values().rev().filter(|story| story.id.ends_with(id));
        let found = fits.next()?;
        (found.id == id || fits.next().is_none()).then_some(found)
    }
}

/// The call whose story this fact belongs to. What only its legs and their media saw is no part.
fn subject(what: &What) -> Option<CallId> {
    match what {
        What::Call(fact) => match fact {
            call::Fact::Arrived { call, .. }
            | call::Fact::SystemAnswered { call }
            | call::Fact::Connected { call, .. }
            | call::Fact::Held { call, .. }
            | call::Fact::Silent { call, .. }
            | call::Fact::Ailing { call, .. }
            | call::Fact::Sealed { call, .. }
            | call::Fact::District { call, .. }
            | call::Fact::Rung { call, .. }
            | call::Fact::Category { call, .. }
            | call::Fact::Returned { call, .. }
            | call::Fact::Joined { call, .. }
            | call::Fact::Alone { call }
            | call::Fact::Transferring { call, .. }
            | call::Fact::Transferred { call, .. }
            | call::Fact::NotTransferred { call, .. }
            | call::Fact::Parked { call, .. }
            | call::Fact::Recording { call, .. }
            | call::Fact::Watched { call, .. }
            | call::Fact::Announced { call, .. }
            | call::Fact::Chose { call, .. }
            | call::Fact::Emergency { call, .. }
            | call::Fact::Farewell { call }
            | call::Fact::NotPromised { call, .. }
            | call::Fact::Ended { call, .. } => Some(*call),
            call::Fact::LegOpened { .. }
            | call::Fact::LegAnswered { .. }
            | call::Fact::LegClosed { .. }
            | call::Fact::Measured { .. }
            | call::Fact::Missed { .. }
            | call::Fact::Refused { .. } => None,
        },
        What::Desk(fact) => match fact {
            acd::Fact::Queued { call, .. }
            | acd::Fact::Repaired { call, .. }
            | acd::Fact::Unqueued { call, .. }
            | acd::Fact::TurnedAway { call, .. }
            | acd::Fact::Offered { call, .. }
            | acd::Fact::Missed { call, .. }
            | acd::Fact::Taken { call, .. }
            | acd::Fact::Claimed { call, .. }
            | acd::Fact::Serving { call, .. }
            | acd::Fact::Unclaimed { call, .. }
            | acd::Fact::Agent { state: AgentState::WrapUp { call }, .. } => Some(*call),
            acd::Fact::Picked(pick) => Some(pick.call),
            acd::Fact::Agent { .. } | acd::Fact::Handled { .. } | acd::Fact::Message { .. } => None,
        },
        What::Overflowed { call, .. } => Some(*call),
        What::Phone { .. }
        | What::Trunk { .. }
        | What::Shift(_)
        | What::Locked { .. }
        | What::Audit(_)
        | What::ClockMoved { .. }
        | What::Store { .. }
        | What::Journal { .. }
        | What::Recorder { .. }
        | What::Code { .. }
        | What::Blocked { .. }
        | What::Unblocked { .. }
        | What::Reloaded
        | What::Draining
        | What::Restarted { .. } => None,
    }
}
