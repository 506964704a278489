//! Phones of agents that were told to stop ringing, until their last word: a phone that is offered
//! the next caller while it rings for the last one has two INVITEs, and says that it is busy.

use super::Effect;
use super::calls::{Calls, Io};
use super::leg::{Leg, Stage};
use crate::base::{AgentId, LegId};
use crate::sip::Notice;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    legs: BTreeMap<LegId, AgentId>,
    agents: BTreeSet<(AgentId, LegId)>,
}

impl Stopping {
    /// This leg is hung up, or told to stop: one that rings at an agent's has more to say.
    pub(super) fn note(&mut self, leg: &Leg) {
        if let (Some(agent), Stage::Trying | Stage::Ringing) = (leg.agent(), leg.stage) {
            self.legs.insert(leg.id, agent);
            self.agents.insert((agent, leg.id));
        }
    }

    fn forget(&mut self, leg: LegId) -> Option<AgentId> {
        let agent = self.legs.remove(&leg)?;
        self.agents.remove(&(agent, leg));
        Some(agent)
    }

    pub fn rings_at(&self, agent: AgentId) -> bool {
        self.agents.range((agent, LegId(0))..).next().is_some_and(|(of, _)| *of == agent)
    }

    pub fn legs(&self) -> impl Iterator<Item = LegId> {
        self.legs.keys().copied()
    }
}

impl Calls {
    /// This phone has said its last word.
    pub(super) fn last_word(&mut self, io: &mut Io, leg: LegId) {
        if let Some(agent) = self.stopping.forget(leg) {
            self.hush(io, agent);
        }
    }

    /// Says that no phone of the agent rings any more, where that is so.
    pub fn hush(&mut self, io: &mut Io, agent: AgentId) {
        if !self.stopping.rings_at(agent) {
            io.out.push(Effect::Quiet { agent });
        }
    }
}

/// Whether a phone that rang says with this that it does so no more.
pub(super) fn is_last(notice: &Notice) -> bool {
    match notice {
        Notice::Answered { .. }
        | Notice::Refused { .. }
        | Notice::Ended { .. }
        | Notice::LeftEarly { .. }
        | Notice::Stopped { .. } => true,
        Notice::Invited { .. }
        | Notice::Progress { .. }
        | Notice::Confirmed { .. }
        | Notice::Unheard { .. }
        | Notice::Offered { .. }
        | Notice::OfferAnswered { .. }
        | Notice::OfferRefused { .. }
        | Notice::Referred { .. }
        | Notice::Key { .. }
        | Notice::Bound { .. }
        | Notice::PhoneBack { .. }
        | Notice::PhoneGone { .. }
        | Notice::TrunkUp { .. }
        | Notice::Locked { .. } => false,
    }
}
