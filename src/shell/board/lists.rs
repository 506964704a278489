//! What the board shows: the results of `status` and of the lists, as JSON.
//!
//! Times are RFC 3339 in UTC, spans are milliseconds, what is not there is null or empty.

use super::fact_text::of_state;
use super::fold::{Agent, Board, Call, Queue, Stage};
use crate::base::{AgentId, Id, Now};
use crate::shell::stamp::{optional, rfc3339};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Board {
    /// One screen: the switch, its calls, its agents by state, its queues.
    pub fn status(&self, now: Now) -> Value {
        let stage = |stage| self.calls.values().filter(|call| call.stage == stage).count();
        let mut agents: BTreeMap<&str, u64> = BTreeMap::new();
        for agent in &self.agents {
            *agents.entry(of_state(&agent.state).0).or_default() += 1;
        }
        json!({
            "name": self.names.switch,
            "version": env!("CARGO_PKG_VERSION"),
            "started_at": rfc3339(self.started.wall),
            "uptime_ms": millis(self.started, now),
            "draining": self.draining,
            "last_fact": self.last(),
            "calls": {
                "live": self.calls.len(),
                "waiting": stage(Stage::Waiting),
                "offered": stage(Stage::Offered),
                "talking": stage(Stage::Talking),
            },
            "total": {
                "arrived": self.counts.arrived,
                "answered": self.counts.answered,
                "abandoned": self.counts.abandoned,
                "refused": self.counts.refused,
                "failed": self.counts.failed,
            },
            "agents": agents,
            "queues": self.queues_list(now),
            "trunks": self.trunks_list(),
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
                Stage::Talking => "talking",
            },
            "line": call.line,
            "trunk": call.trunk,
            "caller": call.caller,
            "dialled": call.dialled,
            "queue": call.queue.map(|queue| self.names.queue(queue)),
            "agent": call.agent.map(|agent| self.names.agent(agent)),
            "arrived_at": rfc3339(call.arrived.wall),
            "queued_at": optional(call.queued.map(|at| at.wall)),
            "connected_at": optional(call.connected.map(|at| at.wall)),
            "wait_ms": millis(call.queued.unwrap_or(call.arrived), waits_until),
            "talk_ms": call.connected.map_or(0, |at| millis(at, now)),
            "held": call.held,
            "silent": call.silent,
        })
    }

    pub fn queues_list(&self, now: Now) -> Value {
        // Offered and talking, counted in one pass over the calls.
        let mut busy = vec![(0, 0); self.queues.len()];
        for call in self.calls.values() {
            let at = call.queue.and_then(|queue| busy.get_mut(queue.slot() as usize));
            match (at, call.stage) {
                (Some(at), Stage::Offered) => at.0 += 1,
                (Some(at), Stage::Talking) => at.1 += 1,
                (_, Stage::Arrived | Stage::Waiting) | (None, _) => {}
            }
        }
        let all = self.names.queues.iter().zip(&self.queues).zip(busy);
        all.map(|((name, queue), busy)| self.queue(name, queue, busy, now)).collect()
    }

    fn queue(&self, name: &str, queue: &Queue, busy: (usize, usize), now: Now) -> Value {
        let longest = (queue.waiting.iter().filter_map(|call| self.calls.get(call)))
            .map(|call| millis(call.queued.unwrap_or(call.arrived), now))
            .max();
        let ended = queue.taken + queue.left;
        json!({
            "name": name,
            "waiting": queue.waiting.len(),
            "offered": busy.0,
            "talking": busy.1,
            "longest_wait_ms": longest.unwrap_or(0),
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
        let all = self.names.agents.iter().zip(&self.agents).enumerate();
        all.map(|(slot, ((id, name), agent))| self.agent(slot, id, name, agent, now)).collect()
    }

    fn agent(&self, slot: usize, id: &str, name: &str, agent: &Agent, now: Now) -> Value {
        let (state, reason, call) = of_state(&agent.state);
        let own = AgentId::new(slot as u32, 0);
        let caller = call.and_then(|call| self.calls.get(&call)).filter(|c| c.agent == Some(own));
        json!({
            "id": id,
            "name": name,
            "state": state,
            "reason": reason,
            "call": call.map(|call| self.public(call)),
            "caller": caller.map(|call| &call.caller),
            "since": rfc3339(agent.since.wall),
            "for_ms": millis(agent.since, now),
            "contacts": self.contacts(id),
            "taken": agent.taken,
            "missed": agent.missed,
        })
    }

    /// `up` is null while nothing is known.
    pub fn trunks_list(&self) -> Value {
        let all = self.names.trunks.iter().zip(&self.trunks);
        all.map(|(name, up)| {
            let calls = self.calls.values().filter(|call| call.trunk == *name).count();
            json!({"name": name, "up": up, "calls": calls})
        })
        .collect()
    }
}

fn millis(from: Now, until: Now) -> u64 {
    until.instant.since(from.instant).as_millis() as u64
}
