//! Locating SIP servers (RFC 3263): from a host in a URI to addresses to try, in order.
//!
//! In: places to find, the DNS's answers, its silence. Out: questions ([`Effect::Ask`]) and lists
//! of servers. Whoever asks puts a token in and finds it beside the answer.
//! Knows no messages, no sockets. CNAMEs are followed by the shell. May import: base.

mod place;
mod trunks;

use super::{Effect, Record, RecordKind};
use crate::base::{Cx, QueryId};
pub use place::{Place, Server};
use serde::{Deserialize, Serialize};
use std::time::Duration;
pub use trunks::{TrunkHost, Trunks};

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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolver<T> {
    jobs: Vec<(T, RecordKind)>,
}

impl<T> Default for Resolver<T> {
    fn default() -> Self {
        Self { jobs: Vec::new() }
    }
}

impl<T: Clone> Resolver<T> {
    /// The servers at once where they are known (numeric, cached, or known not to exist: empty);
    /// otherwise `None`, and a [`Found`] will come.
    pub fn find(
        &mut self,
        _cx: &mut Cx,
        _place: &Place,
        _token: T,
        _out: &mut Vec<Effect>,
    ) -> Option<Vec<Server>> {
        None
    }

    /// As `find`, but keeps asking when the answer's time to live is over: [`Found`] comes each
    /// time. An empty one means: what was known is all that is known.
    pub fn watch(
        &mut self,
        _cx: &mut Cx,
        _place: &Place,
        _token: T,
        _out: &mut Vec<Effect>,
    ) -> Option<Vec<Server>> {
        None
    }

    /// `Event::Answered` of the shell.
    pub fn answered(
        &mut self,
        _cx: &mut Cx,
        _query: QueryId,
        _answer: Answer,
        _out: &mut Vec<Effect>,
    ) -> Vec<Found<T>> {
        Vec::new()
    }

    /// `Timer::DnsSilent`.
    pub fn silent(
        &mut self,
        _cx: &mut Cx,
        _query: QueryId,
        _out: &mut Vec<Effect>,
    ) -> Vec<Found<T>> {
        Vec::new()
    }
}
