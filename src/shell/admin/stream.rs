//! Facts as they happen, for one subscriber: what is not theirs is left out, and callers' numbers
//! are masked where they are not for them.

use super::access::{Peer, Who, mask};
use super::rpc::Fault;
use super::verbs::Api;
use crate::shell::board::{Board, Missed};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

/// Facts taken from the board at once.
const FACTS: usize = 256;
/// Calls that a subscriber with a part of the switch is known to follow.
const FOLLOWED_MAX: usize = 10_000;

/// A place in the stream.
pub struct Facts {
    /// The number of the next fact.
    pub next: u64,
    /// That of the oldest one that could have been asked for.
    pub oldest: u64,
    api: Arc<Api>,
    peer: Peer,
    /// As of the last look: a reload may have made them another.
    who: Who,
    latest: watch::Receiver<u64>,
    /// Calls that have been in what is theirs, the oldest first.
    followed: (BTreeSet<String>, VecDeque<String>),
}

/// `from`: the first fact wanted; without it, the next one there is.
pub async fn begin(api: &Arc<Api>, peer: &Peer, params: Value) -> Result<Facts, Fault> {
    let (_, given, who) = api.admit(peer, "events.subscribe", params).await?;
    let latest = api.board.latest();
    let next = match given.0.get("from") {
        None | Some(Value::Null) => *latest.borrow() + 1,
        Some(from) => {
            from.as_u64().ok_or_else(|| Fault::params("`from` must be the number of a fact"))?
        }
    };
    api.board.facts(next, 0).map_err(missed)?;
    let oldest = api.board.with(Board::oldest_fact);
    let (api, peer) = (Arc::clone(api), peer.clone());
    Ok(Facts { next, oldest, api, peer, who, latest, followed: Default::default() })
}

impl Facts {
    /// Waits for the next facts. An error: there will be no more, since they may see none any
    /// longer, or have fallen behind; one of `None`: the switch stops. Nothing is lost where this
    /// is not waited for to its end.
    pub async fn more(&mut self) -> Result<Vec<Arc<str>>, Option<Fault>> {
        loop {
            self.latest.mark_unchanged();
            let facts = self.api.board.facts(self.next, FACTS);
            let facts = facts.map_err(|gone| Some(missed(gone)))?;
            if facts.is_empty() {
                self.latest.changed().await.map_err(|_| None)?;
                continue;
            }
            self.who = self.api.subscriber(&self.peer).map_err(Some)?;
            self.next += facts.len() as u64;
            if self.who.numbers && self.who.ground.is_none() {
                return Ok(facts);
            }
            let theirs = facts.iter().filter_map(|fact| self.theirs(fact));
            return Ok(theirs.collect());
        }
    }

    fn theirs(&mut self, fact: &str) -> Option<Arc<str>> {
        let mut fact: Value = serde_json::from_str(fact).ok()?;
        if !self.sees(&fact) {
            return None;
        }
        if !self.who.numbers {
            mask(&mut fact);
        }
        Some(fact.to_string().into())
    }

    /// A fact without queue, district, agent and call is for everybody.
    fn sees(&mut self, fact: &Value) -> bool {
        let who = &self.who;
        if who.ground.is_none() {
            return true;
        }
        let at = |key: &str| fact[key].as_str().filter(|text| !text.is_empty());
        let (queue, district, call) = (at("queue"), at("district"), at("call"));
        let agent = at("agent");
        let agents =
            agent.and_then(|agent| self.api.board.with(|board| board.queues_of_agent(agent)));
        let own = queue.is_some_and(|queue| who.sees_queue(queue))
            || district.is_some_and(|district| who.sees("", district))
            || agents
                .as_ref()
                .zip(agent)
                .is_some_and(|(queues, agent)| who.looks_after(agent, queues));
        // A missed caller goes by their number, once it was told with their call.
        let subjects = [call, at("number")];
        let mut subjects = subjects.into_iter().flatten();
        let followed = subjects.clone().any(|subject| self.followed.0.contains(subject));
        let general = queue.or(district).or(subjects.clone().next()).is_none() && agents.is_none();
        while let Some(subject) = subjects.next().filter(|_| own || followed) {
            if !self.followed.0.insert(subject.into()) {
                continue;
            }
            self.followed.1.push_back(subject.into());
            if self.followed.1.len() > FOLLOWED_MAX
                && let Some(oldest) = self.followed.1.pop_front()
            {
                self.followed.0.remove(&oldest);
            }
        }
        own || followed || (general && fact["kind"] != "audit")
    }
}

fn missed(missed: Missed) -> Fault {
    match missed {
        Missed::TooOld { oldest } => Fault::missed(format!(
            "facts before {oldest} are not in memory any more: `pukar events --journal` tells \
             them, as far as the journal goes back; or subscribe from {oldest}"
        )),
        Missed::Ahead { newest } => Fault::missed(format!(
            "the newest fact is {newest}: the switch was restarted and counts anew; subscribe \
             from 1"
        )),
    }
}
