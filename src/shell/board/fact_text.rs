//! One fact as a line of JSON, in the words of the configuration and with the ids of the records.

use super::fold::Board;
use crate::acd::{self, Hand, Miss, MissedBecause, ShiftNews, Withdrawn};
use crate::base::{AgentId, CallId, LegId, QueueId};
use crate::call::{self, Arrival, Ears, MissedNews, Recorded, Role};
use crate::core::{Fact, What};
use crate::media::control::Figures;
use crate::shell::stamp::rfc3339;
use crate::wire::sdp::Suite;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub fn render(board: &Board, fact: &Fact) -> Arc<str> {
    let (kind, details) = match &fact.what {
        What::Call(fact) => of_call(board, fact),
        What::Desk(fact) => of_desk(board, fact),
        What::Phone { user, contacts, why } => {
            ("phone.bound", json!({"user": user, "contacts": contacts, "why": why}))
        }
        What::Trunk { trunk, up } => {
            ("trunk.state", json!({"trunk": board.names.trunk(*trunk), "up": up}))
        }
        What::Shift(news) => of_shift(news),
        What::Overflowed { call, from, to, why } => (
            "call.overflowed",
            json!({"call": board.public(*call), "from": from, "to": to, "why": why}),
        ),
        What::Code { agent, phone, code, why } => (
            "agent.code",
            json!({"agent": agent, "phone": phone, "code": code, "done": why.is_empty(),
                   "why": why}),
        ),
        What::Blocked { number, reason, by, until } => (
            "number.blocked",
            json!({"number": number, "reason": reason, "by": by, "until": rfc3339(*until)}),
        ),
        What::Unblocked { number, reason, by } => {
            ("number.unblocked", json!({"number": number, "reason": reason, "by": by}))
        }
        What::Locked { user, peer } => ("phone.locked", json!({"user": user, "peer": peer})),
        What::ClockMoved { seconds } => ("clock.moved", json!({"seconds": seconds})),
        What::Store { name, up: true, .. } => ("store.back", json!({"store": name})),
        What::Store { name, up: false, why } => ("store.away", json!({"store": name, "why": why})),
        What::Journal { whole: true, .. } => ("journal.whole", json!({})),
        What::Journal { whole: false, why } => ("journal.gap", json!({"why": why})),
        What::Recorder { up: true, .. } => ("recordings.go_on", json!({})),
        What::Recorder { up: false, why } => ("recordings.hang", json!({"why": why})),
        What::Audit(act) => {
            ("audit", json!({"by": act.by, "verb": act.verb, "on": act.on, "refused": act.refused}))
        }
        What::Reloaded => ("switch.reloaded", json!({})),
        What::Draining => ("switch.draining", json!({})),
        What::Restarted { calls } => ("switch.restarted", json!({"calls": calls})),
    };
    let mut line = Map::new();
    line.insert("seq".into(), fact.seq.into());
    line.insert("at".into(), rfc3339(fact.at.wall).into());
    line.insert("kind".into(), kind.into());
    if let Value::Object(details) = details {
        line.extend(details);
    }
    Value::Object(line).to_string().into()
}

fn of_shift(news: &ShiftNews) -> (&'static str, Value) {
    match news {
        ShiftNews::Began { shift } => ("shift.began", json!({"shift": shift})),
        ShiftNews::Ended { shift } => ("shift.ended", json!({"shift": shift})),
        ShiftNews::Short { shift, of, starts, present, minimum }
        | ShiftNews::Filled { shift, of, starts, present, minimum } => (
            if matches!(news, ShiftNews::Short { .. }) { "shift.short" } else { "shift.filled" },
            json!({"shift": shift, "of": of, "starts_at": rfc3339(*starts), "present": present,
                   "minimum": minimum}),
        ),
    }
}

fn of_call(board: &Board, fact: &call::Fact) -> (&'static str, Value) {
    let id = |call: &CallId| board.public(*call).to_string();
    match fact {
        call::Fact::Arrived { arrival, .. } => ("call.arrived", of_arrival(board, arrival)),
        call::Fact::SystemAnswered { call } => ("call.system_answered", json!({"call": id(call)})),
        call::Fact::LegOpened { call, role, leg } => (
            "call.leg_opened",
            json!({"call": id(call), "leg": format!("{leg:?}"), "role": of_role(board, *role)}),
        ),
        call::Fact::Connected { call, agent } => (
            "call.connected",
            json!({"call": id(call), "agent": agent.map(|agent| board.names.agent(agent))}),
        ),
        call::Fact::Held { call, by, held } => {
            ("call.held", json!({"call": id(call), "by": of_role(board, *by), "held": held}))
        }
        call::Fact::Silent { call, role, silent } => (
            "call.silent",
            json!({"call": id(call), "role": of_role(board, *role), "silent": silent}),
        ),
        call::Fact::District { call, district } => {
            ("call.district", json!({"call": id(call), "district": district}))
        }
        call::Fact::Announced { call, names } => {
            ("call.announced", json!({"call": id(call), "prompts": names}))
        }
        call::Fact::Chose { call, what } => ("call.chose", json!({"call": id(call), "what": what})),
        call::Fact::Missed { number, news } => of_missed(number, news),
        call::Fact::NotPromised { call, why } => {
            ("callback.refused", json!({"call": id(call), "why": why}))
        }
        call::Fact::Emergency { call } => ("call.emergency", json!({"call": id(call)})),
        call::Fact::Farewell { call } => ("call.farewell", json!({"call": id(call)})),
        call::Fact::Rung { call, number, reached } => {
            ("call.rung", json!({"call": id(call), "number": number, "reached": reached}))
        }
        call::Fact::Recording { call, what } => of_recording(&id(call), what),
        call::Fact::Returned { .. }
        | call::Fact::LegAnswered { .. }
        | call::Fact::Joined { .. }
        | call::Fact::Alone { .. }
        | call::Fact::Transferring { .. }
        | call::Fact::Transferred { .. }
        | call::Fact::NotTransferred { .. }
        | call::Fact::Watched { .. }
        | call::Fact::Ailing { .. }
        | call::Fact::Sealed { .. }
        | call::Fact::Parked { .. } => of_handover(board, fact),
        call::Fact::LegClosed { call, leg, role, status, cause } => (
            "call.leg_closed",
            json!({"call": id(call), "leg": format!("{leg:?}"), "role": of_role(board, *role),
                   "status": status, "q850": cause.q850}),
        ),
        call::Fact::Measured { call, leg, figures } => {
            ("call.measured", of_figures(&id(call), *leg, figures))
        }
        call::Fact::Ended { call, end } => (
            "call.ended",
            json!({"call": id(call), "outcome": end.outcome, "ended_by": end.by,
                   "status": end.status, "q850": end.q850}),
        ),
        call::Fact::Category { call, agent, category } => (
            "call.category",
            json!({"call": id(call), "agent": board.names.agent(*agent), "category": category}),
        ),
        call::Fact::Refused { arrival, status, why } => {
            ("call.refused", of_refusal(board, arrival, (*status, why)))
        }
    }
}

fn of_figures(call: &str, leg: LegId, figures: &Figures) -> Value {
    json!({"call": call, "leg": format!("{leg:?}"), "received": figures.received,
           "sent": figures.sent, "lost": figures.lost,
           "jitter_ms": f64::from(figures.jitter) / 8.0, "mos": figures.mos,
           "round_trip_ms": figures.round_trip.map(|t| t.as_secs_f64() * 1_000.0),
           "far_lost": figures.theirs.map(|theirs| theirs.lost),
           "far_jitter_ms": figures.theirs.map(|theirs| f64::from(theirs.jitter) / 8.0),
           "far_mos": figures.theirs.map(|theirs| theirs.mos)})
}

fn of_refusal(board: &Board, arrival: &Arrival, (status, why): (u16, &str)) -> Value {
    let mut details = of_arrival(board, arrival);
    details["status"] = status.into();
    details["why"] = why.into();
    details
}

fn of_missed(number: &str, news: &MissedNews) -> (&'static str, Value) {
    match news {
        MissedNews::Abandoned { parent, why } => {
            ("missed.abandoned", json!({"number": number, "call": parent, "why": why}))
        }
        MissedNews::Claimed { by } => ("missed.claimed", json!({"number": number, "by": by})),
        MissedNews::Released { by } => ("missed.released", json!({"number": number, "by": by})),
        MissedNews::Calling => ("missed.calling", json!({"number": number})),
        MissedNews::Unreached => ("missed.unreached", json!({"number": number})),
        MissedNews::Served => ("missed.served", json!({"number": number})),
        MissedNews::Closed { by } => ("missed.closed", json!({"number": number, "by": by})),
    }
}

/// What became of a call that somebody had in hand, and what its sound is like.
fn of_handover(board: &Board, fact: &call::Fact) -> (&'static str, Value) {
    let id = |call: &CallId| board.public(*call).to_string();
    match fact {
        call::Fact::LegAnswered { call, leg } => {
            ("call.leg_answered", json!({"call": id(call), "leg": format!("{leg:?}")}))
        }
        call::Fact::Joined { call, role } => {
            ("call.joined", json!({"call": id(call), "role": of_role(board, *role)}))
        }
        call::Fact::Alone { call } => ("call.alone", json!({"call": id(call)})),
        call::Fact::Transferring { call, by, to, way } => (
            "call.transferring",
            json!({"call": id(call), "by": by.map(|by| board.names.agent(by)), "to": to,
                   "way": way}),
        ),
        call::Fact::Transferred { call, by, to } => (
            "call.transferred",
            json!({"call": id(call), "by": by.map(|by| board.names.agent(by)), "to": to}),
        ),
        call::Fact::NotTransferred { call, to, why } => {
            ("call.not_transferred", json!({"call": id(call), "to": to, "why": why}))
        }
        call::Fact::Parked { call, slot, by } => (
            "call.parked",
            json!({"call": id(call), "slot": slot, "by": by.map(|by| board.names.agent(by))}),
        ),
        call::Fact::Watched { call, agent, ears } => (
            "call.watched",
            json!({"call": id(call), "agent": board.names.agent(*agent),
                   "ears": ears.map(Ears::name)}),
        ),
        call::Fact::Ailing { call, role, what, on, from } => (
            "call.sound",
            json!({"call": id(call), "role": of_role(board, *role), "what": what.name(),
                   "on": on, "from": from.map(|from| from.to_string())}),
        ),
        call::Fact::Sealed { call, leg, role, suite } => (
            "call.sealed",
            json!({"call": id(call), "leg": format!("{leg:?}"), "role": of_role(board, *role),
                   "srtp": suite.map(Suite::name)}),
        ),
        call::Fact::Returned { call, agent, talked } => (
            "call.returned",
            json!({"call": id(call), "agent": agent.map(|agent| board.names.agent(agent)),
                   "talked": talked}),
        ),
        // All that is no handover has its words in `of_call`.
        call::Fact::Arrived { .. }
        | call::Fact::SystemAnswered { .. }
        | call::Fact::LegOpened { .. }
        | call::Fact::Connected { .. }
        | call::Fact::Held { .. }
        | call::Fact::Silent { .. }
        | call::Fact::District { .. }
        | call::Fact::Announced { .. }
        | call::Fact::Chose { .. }
        | call::Fact::Missed { .. }
        | call::Fact::NotPromised { .. }
        | call::Fact::Emergency { .. }
        | call::Fact::Farewell { .. }
        | call::Fact::Rung { .. }
        | call::Fact::Category { .. }
        | call::Fact::LegClosed { .. }
        | call::Fact::Measured { .. }
        | call::Fact::Ended { .. }
        | call::Fact::Recording { .. }
        | call::Fact::Refused { .. } => ("call", json!({})),
    }
}

fn of_recording(call: &str, what: &Recorded) -> (&'static str, Value) {
    match what {
        Recorded::Started { file } => ("recording.started", json!({"call": call, "file": file})),
        Recorded::Paused => ("recording.paused", json!({"call": call})),
        Recorded::Resumed => ("recording.resumed", json!({"call": call})),
        Recorded::Gaps => ("recording.gaps", json!({"call": call})),
        Recorded::Finished { millis } => {
            ("recording.finished", json!({"call": call, "length_ms": millis}))
        }
        Recorded::Failed { why } => ("recording.failed", json!({"call": call, "why": why})),
        Recorded::Unfinished => ("recording.unfinished", json!({"call": call})),
    }
}

fn of_arrival(board: &Board, arrival: &Arrival) -> Value {
    json!({"call": arrival.id, "direction": arrival.direction, "line": arrival.line,
           "trunk": arrival.trunk.map(|trunk| board.names.trunk(trunk)), "user": arrival.user,
           "agent": arrival.agent,
           "caller": arrival.caller, "caller_raw": arrival.caller_raw,
           "dialled": arrival.dialled, "dialled_raw": arrival.dialled_raw,
           "forwarded_by": arrival.forwarded_by, "district": arrival.district,
           "parent": arrival.parent,
           "flags": arrival.flags})
}

fn of_desk(board: &Board, fact: &acd::Fact) -> (&'static str, Value) {
    let id = |call: &CallId| board.public(*call);
    let about = |call, agent: &AgentId| {
        let agent = board.names.agent(*agent);
        json!({"call": id(call), "agent": agent})
    };
    let queue = |call, queue| {
        let queue = board.names.queue(queue);
        json!({"call": id(call), "queue": queue})
    };
    match fact {
        acd::Fact::Queued { call, queue: at } => ("queue.joined", queue(call, *at)),
        acd::Fact::Unqueued { call, queue: at } => ("queue.left", queue(call, *at)),
        acd::Fact::TurnedAway { call, queue: at, why, instead } => {
            let mut details = queue(call, *at);
            details["why"] = word(why).into();
            details["instead"] = word(instead).into();
            ("queue.turned_away", details)
        }
        acd::Fact::Message { queue, message, minutes } => (
            "queue.message",
            json!({"queue": board.names.queue(*queue), "message": message, "minutes": minutes}),
        ),
        acd::Fact::Handled { queue, hand } => ("queue.handled", of_hand(board, *queue, *hand)),
        acd::Fact::Picked(pick) => ("call.picked", of_pick(board, pick)),
        acd::Fact::Offered { call, agent } => ("agent.offered", about(call, agent)),
        acd::Fact::Missed { call, agent, why } => {
            let mut details = about(call, agent);
            details["why"] = of_miss(*why).into();
            ("agent.missed", details)
        }
        acd::Fact::Claimed { call, agent } => ("agent.claimed", about(call, agent)),
        acd::Fact::Serving { call, agent } => ("agent.serving", about(call, agent)),
        acd::Fact::Unclaimed { call, agent, why } => {
            let mut details = about(call, agent);
            details["why"] = of_miss(*why).into();
            ("agent.unclaimed", details)
        }
        acd::Fact::Taken { call, agent } => ("agent.taken", about(call, agent)),
        acd::Fact::Repaired { agent, call } => ("agent.repaired", about(call, agent)),
        acd::Fact::Agent { agent, state } => {
            let call = state.call().map(|call| board.public(call));
            let (agent, reason) = (board.names.agent(*agent), state.reason());
            let state = state.name();
            ("agent.state", json!({"agent": agent, "state": state, "reason": reason, "call": call}))
        }
    }
}

/// What a supervisor did to a queue: one of its keys stands for what.
fn of_hand(board: &Board, queue: QueueId, hand: Hand) -> Value {
    let queue = board.names.queue(queue);
    match hand {
        Hand::Door(door) => json!({"queue": queue, "door": word(&door)}),
        Hand::Ways(ways) => json!({"queue": queue, "overflow": word(&ways)}),
        Hand::Weight(weight) => json!({"queue": queue, "weight": weight}),
        Hand::Configured => json!({"queue": queue, "weight": "configured"}),
        Hand::Lend(agent) => json!({"queue": queue, "added": board.names.agent(agent)}),
        Hand::TakeAway(agent) => json!({"queue": queue, "removed": board.names.agent(agent)}),
    }
}

/// A decision of the queue engine: who was considered, and why each was not chosen.
fn of_pick(board: &Board, pick: &acd::Pick) -> Value {
    let agents = pick.agents.iter().map(|(agent, verdict)| {
        let agent = board.names.agent(*agent);
        json!({"agent": agent, "why": word(verdict)})
    });
    let callers = pick.callers.iter().map(|(call, why)| {
        let call = board.public(*call);
        match why {
            acd::PassedOver::HeldFor(agent) => {
                let agent = board.names.agent(*agent);
                json!({"call": call, "why": "held_for", "agent": agent})
            }
            acd::PassedOver::Level | acd::PassedOver::Language | acd::PassedOver::Aged => {
                json!({"call": call, "why": word(why)})
            }
        }
    });
    let others = pick.others.iter().map(|(verdict, count)| (word(verdict), json!(count)));
    let others = others.collect::<serde_json::Map<String, Value>>();
    let claim = match pick.claim {
        acd::Claim::Emergency => "emergency",
        acd::Claim::Aged => "aged",
        acd::Claim::Weighed(..) => "weighed",
        acd::Claim::Asked => "asked",
    };
    json!({"call": board.public(pick.call), "queue": board.names.queue(pick.queue),
           "strategy": pick.strategy.name(), "claim": claim, "level": pick.level,
           "languages": pick.languages, "agents": agents.collect::<Vec<_>>(),
           "more_agents": pick.total() - pick.agents.len(), "more_by_why": others,
           "passed_over": callers.collect::<Vec<_>>(),
           "more_passed_over": pick.more_callers})
}

/// `NotTheSame` as `not_the_same`.
pub(super) fn word(variant: &impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

pub(super) fn of_miss(why: MissedBecause) -> &'static str {
    match why {
        MissedBecause::Phone(Miss::NoAnswer) => "no-answer",
        MissedBecause::Phone(Miss::Declined) => "declined",
        MissedBecause::Phone(Miss::Unreachable) => "unreachable",
        MissedBecause::Withdrawn(Withdrawn::RingTimeout) => "ring-timeout",
        MissedBecause::Withdrawn(Withdrawn::AnsweredElsewhere) => "answered-elsewhere",
        MissedBecause::Withdrawn(Withdrawn::CallerGone) => "caller-gone",
        MissedBecause::Withdrawn(Withdrawn::AgentGone) => "agent-gone",
    }
}

fn of_role(board: &Board, role: Role) -> String {
    match role {
        Role::Caller => "caller".into(),
        Role::Agent(agent) => format!("agent:{}", board.names.agent(agent)),
        Role::Target => "target".into(),
        Role::Supervisor(agent) => format!("supervisor:{}", board.names.agent(agent)),
    }
}
