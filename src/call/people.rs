//! Names that only the queue engine knows: whom a transfer may be for.

use crate::base::{AgentId, QueueId, Wall};
use jiff::civil::Date;

pub trait People {
    fn agent(&self, name: &str) -> Option<AgentId>;
    fn name_of(&self, agent: AgentId) -> String;
    fn queue(&self, name: &str) -> Option<QueueId>;
    /// Why a queue takes no more callers just now; `None`: it does.
    fn turns_away(&self, queue: QueueId) -> Option<&'static str>;
    /// Whether this agent may not ring for callers: off duty, paused, or not to be reached.
    fn is_withheld(&self, agent: AgentId) -> bool;
    /// The day that it is where the switch stands.
    fn today(&self, now: Wall) -> Date;
}
