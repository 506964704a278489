//! What the board shows: the results of `status` and of the lists, as JSON.
//!
//! Times are RFC 3339 in UTC, spans are milliseconds, what is not there is null or empty.

use super::access::Sight;
use super::fact_text::word;
use super::fold::{Agent, Board, Call, Queue, Stage};
use crate::base::{AgentId, Now, QueueId};
use crate::shell::stamp::{optional, rfc3339};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Board {
    /// One screen: the switch, its calls, its agents by state, its queues.
    pub fn status(&self, now: Now) -> Value {
        self.status_for(now, &Sight::ALL)
    }

    /// The same for somebody who sees only some of the queues and districts: nothing is counted
    /// that is not theirs.
    pub fn status_for(&self, now: Now, sight: &Sight) -> Value {
        let mut queues = match self.queues_list(now) {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        queues.retain(|queue| queue["name"].as_str().is_some_and(|name| sight.shows_queue(name)));
        // A thousand people ask for this once a second: one pass over the calls, and no copies.
        let (mut live, mut waiting, mut offered, mut talking) = (0, 0, 0, 0);
        for call in self.calls.values().filter(|call| self.shows_call(call, sight)) {
            live += 1;
            match call.stage {
                Stage::Waiting => waiting += 1,
                Stage::Offered => offered += 1,
                Stage::Talking => talking += 1,
                Stage::Arrived | Stage::Parked { .. } => {}
            }
        }
        let mut agents: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, name, _) in &self.names.agents {
            if let Some(agent) = self.agents.get(id).filter(|_| sight.shows_agent(name)) {
                *agents.entry(agent.state.name()).or_default() += 1;
            }
        }
        let trunks = match self.trunks_list(now) {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        let shown = |row: &Value| row["name"].as_str().is_some_and(|t| self.shows_trunk(t, sight));
        let trunks: Vec<Value> = trunks.into_iter().filter(shown).collect();
        let counts = match sight.all {
            true => self.counts,
            false => self.counts_of(sight, live),
        };
        json!({
            "name": self.names.switch,
            "version": env!("CARGO_PKG_VERSION"),
            "build": crate::shell::identity(),
            "started_at": rfc3339(self.started.wall),
            "restarted_at": optional(self.restarted.map(|at| at.wall)),
            "uptime_ms": millis(self.restarted.unwrap_or(self.started), now),
            "draining": self.draining,
            "journal_gap": self.journal_gap.as_ref().filter(|_| sight.all).map(|(since, why)| {
                json!({"since": rfc3339(*since), "why": why})
            }),
            "last_fact": self.last(),
            "calls": {
                "live": live,
                "waiting": waiting,
                "offered": offered,
                "talking": talking,
            },
            "total": {
                "arrived": counts.arrived,
                "answered": counts.answered,
                "abandoned": counts.abandoned,
                "overflowed": counts.overflowed,
                "callback": counts.callback,
                "refused": counts.refused,
                "failed": counts.failed,
            },
            "agents": agents,
            "queues": queues,
            "trunks": trunks,
        })
    }

    pub fn calls_list(&self, now: Now) -> Value {
        self.calls.values().map(|call| self.call(call, now)).collect()
    }

    fn call(&self, call: &Call, now: Now) -> Value {
        let waits_until = call.connected.unwrap_or(now);
        json!({
            "id": call.id,
            "direction": call.direction,
            "state": match call.stage {
                Stage::Arrived => "arrived",
                Stage::Waiting => "waiting",
                Stage::Offered => "offered",
                Stage::Parked { .. } => "parked",
                Stage::Talking => "talking",
            },
            "line": call.line,
            "trunk": call.trunk,
            "caller": call.caller,
            "dialled": call.dialled,
            "district": call.district,
            "queue": call.queue.map(|queue| self.names.queue(queue)),
            "agent": call.agent.map(|agent| self.names.agent(agent)),
            "arrived_at": rfc3339(call.arrived.wall),
            "queued_at": optional(call.queued.map(|at| at.wall)),
            "connected_at": optional(call.connected.map(|at| at.wall)),
            "wait_ms": millis(call.queued.unwrap_or(call.arrived), waits_until),
            "talk_ms": call.connected.map_or(0, |at| millis(at, now)),
            "held": call.held,
            "watched_by": call.watched.keys().map(|by| self.names.agent(*by)).collect::<Vec<_>>(),
            "silent": call.silent,
            "ails": call.ails.iter().map(|(_, what)| what.name()).collect::<BTreeSet<_>>(),
            "legs": self.legs(call),
            "sealed": call.sealed(),
            "slot": match call.stage {
                Stage::Parked { slot } => Some(slot),
                Stage::Arrived | Stage::Waiting | Stage::Offered | Stage::Talking => None,
            },
        })
    }

    pub fn queues_list(&self, now: Now) -> Value {
        // Offered and talking, counted in one pass over the calls.
        let mut busy: BTreeMap<QueueId, (u64, u64)> = BTreeMap::new();
        for call in self.calls.values() {
            let Some(queue) = call.queue else { continue };
            let busy = busy.entry(queue).or_default();
            match call.stage {
                Stage::Offered => busy.0 += 1,
                Stage::Talking => busy.1 += 1,
                Stage::Arrived | Stage::Waiting | Stage::Parked { .. } => {}
            }
        }
        let all = self.names.queues.iter();
        all.filter_map(|(id, name)| {
            let busy = busy.get(id).copied().unwrap_or_default();
            Some(self.queue(name, self.queues.get(id)?, busy, now))
        })
        .collect()
    }

    fn queue(&self, name: &str, queue: &Queue, busy: (u64, u64), now: Now) -> Value {
        let longest = (queue.waiting.iter().filter_map(|call| self.calls.get(call)))
            .map(|call| millis(call.queued.unwrap_or(call.arrived), now))
            .max();
        let ended = queue.taken + queue.left;
        let message = queue.message.as_ref().filter(|(_, until)| now.wall.0 < until.0);
        json!({
            "name": name,
            "waiting": queue.waiting.len(),
            "offered": busy.0,
            "talking": busy.1,
            "longest_wait_ms": longest.unwrap_or(0),
            "door": word(&queue.door),
            "overflow": word(&queue.ways),
            "weight": queue.weight,
            "message": message.map(|(name, _)| name),
            "message_until": optional(message.map(|(_, until)| *until)),
            "total": {
                "joined": queue.joined,
                "answered": queue.taken,
                "left": queue.left,
                "longest_wait_ms": queue.longest.as_millis() as u64,
            },
            // Answered within 20 s, of all that were answered or left; null before the first.
            "service_level": (ended > 0).then(|| queue.in_time as f64 / ended as f64),
        })
    }

    pub fn agents_list(&self, now: Now) -> Value {
        let all = self.names.agents.iter();
        all.filter_map(|(id, name, display)| {
            Some(self.agent(*id, name, display, self.agents.get(id)?, now))
        })
        .collect()
    }

    fn agent(&self, own: AgentId, id: &str, name: &str, agent: &Agent, now: Now) -> Value {
        let (state, call) = (&agent.state, agent.state.call());
        let caller = call.and_then(|call| self.calls.get(&call)).filter(|c| c.agent == Some(own));
        json!({
            "id": id,
            "name": name,
            "state": state.name(),
            "reason": state.reason(),
            "call": agent.call,
            "caller": caller.map(|call| &call.caller),
            "since": rfc3339(agent.since.wall),
            "for_ms": millis(agent.since, now),
            "contacts": self.contacts(id),
            "taken": agent.taken,
            "missed": agent.missed,
            "queues": self.names.serves.get(id),
        })
    }

    /// Numbers that may not call, and why.
    pub fn blocks_list(&self) -> Value {
        let all = self.blocks.iter();
        all.map(|(number, block)| {
            json!({"number": number, "reason": block.reason, "by": block.by,
                   "until": rfc3339(block.until)})
        })
        .collect()
    }
}

fn millis(from: Now, until: Now) -> u64 {
    until.instant.since(from.instant).as_millis() as u64
}
