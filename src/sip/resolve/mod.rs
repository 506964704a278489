//! Locating SIP servers (RFC 3263): from a host in a URI to addresses to try, in order.
//!
//! In: places to find, the DNS's answers, its silence. Out: questions ([`Effect::Ask`]) and lists
//! of servers. Whoever asks puts a token in and finds it beside the answer.
//! Knows no messages, no sockets. CNAMEs are followed by the shell. May import: base.

mod cache;
mod locate;
mod place;
pub mod trunks;

use super::{Effect, Record, RecordKind};
use crate::base::{Cx, Instant, QueryId, Slab, Timer, limits};
use cache::Cache;
use locate::{Step, locate};
pub use place::{Place, Server};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
pub use trunks::{TrunkHost, Trunks};

/// How long the DNS may take for one answer.
const SILENCE: Duration = Duration::from_secs(5);
/// A watched place is looked at no more often and no less often than this.
const WATCH: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3_600));

/// What the DNS said to one [`Effect::Ask`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// `ttl`: the shortest of them. Records of other kinds are ignored.
    Found { records: Vec<Record>, ttl: Duration },
    /// There is no such name, or it has no such records.
    Missing,
    /// The DNS could not say (SERVFAIL, refused, unreachable).
    Failed,
}

/// A place that was asked for, and the servers there in the order to try them. None: nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub token: T,
    pub servers: Vec<Server>,
}

/// One question to the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Question {
    /// Lower case, without the dot at the end.
    name: String,
    kind: RecordKind,
}

impl Question {
    fn new(name: &str, kind: RecordKind) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        Self { name, kind }
    }

    fn key(&self) -> String {
        let kind = match self.kind {
            RecordKind::Naptr => "naptr",
            RecordKind::Srv => "srv",
            RecordKind::Address => "address",
        };
        format!("{kind} {}", self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolver<T> {
    cache: Cache,
    queries: Slab<QueryId, Query>,
    /// Questions under way, by their key: whoever has the same one shares it.
    asking: BTreeMap<String, QueryId>,
    jobs: BTreeMap<u64, Job<T>>,
    serial: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Query {
    /// On its way, for these jobs.
    Asked { question: Question, jobs: Vec<u64> },
    /// A watched place rests until its answers are too old: then the DNS has been silent for too
    /// long about it, and is asked again.
    Rest { job: u64 },
}

/// One place being found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job<T> {
    place: Place,
    token: T,
    watched: bool,
    open: BTreeSet<QueryId>,
    /// What it has learned. A job keeps its own, so that an answer without a time to live serves.
    facts: Vec<Fact>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fact {
    question: Question,
    records: Vec<Record>,
    until: Instant,
}

impl<T> Default for Resolver<T> {
    fn default() -> Self {
        Self {
            cache: Cache::default(),
            queries: Slab::default(),
            asking: BTreeMap::new(),
            jobs: BTreeMap::new(),
            serial: 0,
        }
    }
}

impl<T: Clone> Resolver<T> {
    /// The servers at once where they are known (numeric, cached, or known not to exist: empty);
    /// otherwise `None`, and a [`Found`] will come.
    pub fn find(
        &mut self,
        cx: &mut Cx,
        place: &Place,
        token: T,
        out: &mut Vec<Effect>,
    ) -> Option<Vec<Server>> {
        self.start(cx, place, token, false, out)
    }

    /// As `find`, but keeps asking when the answer's time to live is over: [`Found`] comes each
    /// time. An empty one means: what was known is all that is known.
    pub fn watch(
        &mut self,
        cx: &mut Cx,
        place: &Place,
        token: T,
        out: &mut Vec<Effect>,
    ) -> Option<Vec<Server>> {
        self.start(cx, place, token, true, out)
    }

    /// Watches nothing any more: the settings have changed.
    pub fn unwatch(&mut self, cx: &mut Cx) {
        self.jobs.retain(|_, job| !job.watched);
        let resting = |(id, query): (QueryId, &Query)| match query {
            Query::Rest { .. } => Some(id),
            Query::Asked { .. } => None,
        };
        for id in self.queries.iter().filter_map(resting).collect::<Vec<_>>() {
            self.queries.remove(id);
            cx.timers.cancel(Timer::DnsSilent(id));
        }
    }

    /// The shell's answer to an [`Effect::Ask`]. One that comes too late finds nobody.
    pub fn answered(
        &mut self,
        cx: &mut Cx,
        query: QueryId,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) -> Vec<Found<T>> {
        match self.queries.get(query) {
            Some(Query::Asked { .. }) => self.settle(cx, query, Some(answer), out),
            Some(Query::Rest { .. }) | None => Vec::new(),
        }
    }

    /// `Timer::DnsSilent`.
    pub fn silent(&mut self, cx: &mut Cx, query: QueryId, out: &mut Vec<Effect>) -> Vec<Found<T>> {
        match self.queries.get(query) {
            Some(&Query::Rest { job }) => {
                self.queries.remove(query);
                self.advance(cx, job, out).into_iter().collect()
            }
            Some(Query::Asked { .. }) => self.settle(cx, query, None, out),
            None => Vec::new(),
        }
    }

    fn start(
        &mut self,
        cx: &mut Cx,
        place: &Place,
        token: T,
        watched: bool,
        out: &mut Vec<Effect>,
    ) -> Option<Vec<Server>> {
        if self.jobs.len() >= limits::DNS_JOBS_MAX && !watched {
            return Some(Vec::new());
        }
        // A numeric address needs no watching.
        let watched = watched && place.numeric().is_none();
        self.serial += 1;
        let id = self.serial;
        let place = place.clone();
        let (open, facts) = (BTreeSet::new(), Vec::new());
        self.jobs.insert(id, Job { place, token, watched, open, facts });
        self.advance(cx, id, out).map(|found| found.servers)
    }

    /// One question has its answer, or will have none.
    fn settle(
        &mut self,
        cx: &mut Cx,
        query: QueryId,
        answer: Option<Answer>,
        out: &mut Vec<Effect>,
    ) -> Vec<Found<T>> {
        let Some(Query::Asked { question, jobs }) = self.queries.remove(query) else {
            return Vec::new();
        };
        cx.timers.cancel(Timer::DnsSilent(query));
        self.asking.remove(&question.key());
        let entry = self.cache.learn(cx.now.instant, &question, answer);
        let mut found = Vec::new();
        for id in jobs {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.open.remove(&query);
            let (question, records) = (question.clone(), entry.records.clone());
            job.facts.push(Fact { question, records, until: entry.until });
            if job.open.is_empty() {
                found.extend(self.advance(cx, id, out));
            }
        }
        found
    }

    /// Takes a job as far as it comes with what is known, and asks for the rest.
    fn advance(&mut self, cx: &mut Cx, id: u64, out: &mut Vec<Effect>) -> Option<Found<T>> {
        loop {
            let job = self.jobs.get_mut(&id)?;
            let questions = match locate(&job.place, &|question| job.known(question), cx.rng) {
                Step::Done(servers) => return self.finish(cx, id, servers),
                Step::Ask(questions) => questions,
            };
            let mut open = BTreeSet::new();
            for question in questions {
                match self.cache.fresh(cx.now.instant, &question) {
                    Some(entry) => {
                        let (records, until) = (entry.records.clone(), entry.until);
                        job.facts.push(Fact { question, records, until });
                    }
                    None => {
                        open.insert(ask(
                            &mut self.queries,
                            &mut self.asking,
                            cx,
                            id,
                            question,
                            out,
                        ));
                    }
                }
            }
            if !open.is_empty() {
                job.open = open;
                return None;
            }
        }
    }

    fn finish(&mut self, cx: &mut Cx, id: u64, servers: Vec<Server>) -> Option<Found<T>> {
        let job = self.jobs.get_mut(&id)?;
        let token = job.token.clone();
        if !job.watched {
            self.jobs.remove(&id);
            return Some(Found { token, servers });
        }
        let now = cx.now.instant;
        let oldest = job.facts.iter().map(|fact| fact.until).min().unwrap_or(now);
        job.facts.clear();
        let rest = oldest.since(now).clamp(WATCH.0, WATCH.1);
        let query = self.queries.insert(Query::Rest { job: id });
        cx.timers.set(Timer::DnsSilent(query), now + rest);
        Some(Found { token, servers })
    }
}

impl<T> Job<T> {
    fn known(&self, question: &Question) -> Option<&[Record]> {
        self.facts.iter().find(|fact| fact.question == *question).map(|fact| &fact.records[..])
    }
}

/// Joins a question that is under way, or asks it.
fn ask(
    queries: &mut Slab<QueryId, Query>,
    asking: &mut BTreeMap<String, QueryId>,
    cx: &mut Cx,
    job: u64,
    question: Question,
    out: &mut Vec<Effect>,
) -> QueryId {
    let key = question.key();
    if let Some(&id) = asking.get(&key)
        && let Some(Query::Asked { jobs, .. }) = queries.get_mut(id)
    {
        // Two targets of one job may share a host: the job still hears it once.
        if !jobs.contains(&job) {
            jobs.push(job);
        }
        return id;
    }
    let (name, kind) = (question.name.clone(), question.kind);
    let id = queries.insert(Query::Asked { question, jobs: vec![job] });
    asking.insert(key, id);
    cx.timers.set(Timer::DnsSilent(id), cx.now.instant + SILENCE);
    out.push(Effect::Ask { query: id, name, kind });
    id
}

#[cfg(test)]
mod tests;
