//! Names that only the core knows all of, for the call layer: whom a transfer may be for.

use crate::acd::{Calendar, Desk, RosterSettings};
use crate::base::{AgentId, QueueId, Wall};
use crate::call::People;
use jiff::civil::Date;

pub(super) struct Known<'a> {
    pub desk: &'a Desk,
    pub roster: &'a RosterSettings,
}

impl People for Known<'_> {
    fn agent(&self, name: &str) -> Option<AgentId> {
        self.desk.agent_id(name)
    }

    fn name_of(&self, agent: AgentId) -> String {
        self.desk.agent_name(agent).unwrap_or_default().to_string()
    }

    fn queue(&self, name: &str) -> Option<QueueId> {
        self.desk.queue_id(name)
    }

    fn turns_away(&self, queue: QueueId) -> Option<&'static str> {
        self.desk.turns_away(queue, false).map(crate::acd::Away::name)
    }

    fn is_withheld(&self, agent: AgentId) -> bool {
        self.desk.is_withheld(agent)
    }

    fn today(&self, now: Wall) -> Date {
        Calendar::new(self.roster).date(now).unwrap_or_default()
    }
}
