//! The rows that every call leaves behind. Column names and meanings are part of the interface.

use crate::base::Wall;
use crate::call::{Direction, EndedBy, Outcome};
use serde::{Deserialize, Serialize};

/// The flag of a call that lived while events were written nowhere: what a process that died
/// meanwhile knew of it is not in its record. And the state of the switch itself meanwhile, whose
/// row says so where nobody lived to tell.
pub const JOURNAL_GAP: &str = "journal-gap";

/// A finished row. `Call` comes with its legs, in one row, so that a store writes all or nothing.
// It travels boxed, in `Command::Store`.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Row {
    Call(CallRecord),
    AgentState(AgentStateRow),
}

/// One row a call. Times are UTC; the database shows them in RFC 3339 with milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub id: String,
    /// Gapless per switch, from 1.
    pub seq: u64,
    pub direction: Direction,
    pub line: String,
    pub trunk: String,
    pub caller: String,
    pub caller_raw: String,
    pub dialled: String,
    pub district: String,
    pub queue: String,
    /// Who came last to talk with the caller; `legs` has everybody.
    pub agent: String,
    pub outcome: Outcome,
    pub ended_by: EndedBy,
    pub sip_status: u16,
    pub q850: Option<u8>,
    pub category: String,
    pub case_ref: String,
    /// The id of the call that this one calls back; empty where it is none.
    #[serde(default)]
    pub parent: String,
    /// `caller-withheld`, `caller-missing`, `caller-odd`, `unknown-number`, `forwarded`,
    /// `emergency`, `journal-gap`, `legs-left-out`, `callback-refused`, and what ailed its
    /// sound: `mute`, `unsent`, `refused`, `unsendable`, `unopened`; with commas between them.
    #[serde(default)]
    pub flags: String,
    pub recording: String,
    pub arrived_at: Wall,
    pub system_answered_at: Option<Wall>,
    pub queued_at: Option<Wall>,
    pub first_offered_at: Option<Wall>,
    pub connected_at: Option<Wall>,
    pub ended_at: Wall,
    pub wrapped_up_at: Option<Wall>,
    /// From joining the queue (or arriving) to being connected or leaving.
    pub wait_ms: u64,
    pub talk_ms: u64,
    pub hold_ms: u64,
    pub wrap_ms: u64,
    pub offers: u32,
    /// How often the call went on to somebody who was named: agent, queue, district or number.
    pub transfers: u32,
    pub legs: Vec<LegRow>,
}

/// One row a leg, with what its media port saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegRow {
    /// `caller`, `agent` or `target`.
    pub role: String,
    pub agent: String,
    pub opened_at: Wall,
    pub answered_at: Option<Wall>,
    pub closed_at: Option<Wall>,
    pub status: u16,
    pub q850: Option<u8>,
    /// The suite that its sound is sealed by (RFC 4568), as it was agreed last; none: it is plain.
    #[serde(default)]
    pub srtp: Option<String>,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub packets_lost: i64,
    pub jitter_ms: f64,
    pub mos: f64,
    /// To the far end and back, where its reports tell.
    #[serde(default)]
    pub round_trip_ms: Option<f64>,
    /// What the far end says of what it was sent: packets lost, jitter, and what that sounds like.
    #[serde(default)]
    pub far_lost: Option<i64>,
    #[serde(default)]
    pub far_jitter_ms: Option<f64>,
    #[serde(default)]
    pub far_mos: Option<f64>,
}

impl CallRecord {
    /// A flag stands once.
    pub fn flag(&mut self, flag: &str) {
        if !self.flags.split(',').any(|known| known == flag) {
            let comma = if self.flags.is_empty() { "" } else { "," };
            self.flags = format!("{}{comma}{flag}", self.flags);
        }
    }
}

/// One row for every state of every agent, written when the state ends; and one, of no agent, for
/// every time in which the journal was not written (`journal-gap`, its reason why).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStateRow {
    /// Gapless per switch, from 1, of its own.
    pub seq: u64,
    pub agent: String,
    /// `off`, `ready`, `paused`, `unreachable`, `offered`, `talking`, `wrap-up`,
    /// `own-call`, `resting`.
    pub state: String,
    pub reason: String,
    pub call: String,
    pub from: Wall,
    pub until: Wall,
}

impl AgentStateRow {
    /// From when until when events were written nowhere: a call that came and went meanwhile with
    /// the process has no row of its own.
    pub fn gap(seq: u64, why: &str, (from, until): (Wall, Wall)) -> Self {
        let (agent, call) = (String::new(), String::new());
        let (state, reason) = (JOURNAL_GAP.into(), why.into());
        Self { seq, agent, state, reason, call, from, until: until.max(from) }
    }

    pub fn is_gap(&self) -> bool {
        self.agent.is_empty() && self.state == JOURNAL_GAP
    }
}
