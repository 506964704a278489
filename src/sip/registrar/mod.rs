//! The registrar (RFC 3261 section 10, with instances and flows of RFC 5626): which contacts an
//! address of record has.
//!
//! In: an authenticated REGISTER taken apart, timers, closed flows. Out: header field values for
//! the response, and the change that it made. Path (RFC 3327) is not needed and so ignored: a
//! contact is reached through the hop that its REGISTER came by.
//! Knows no messages, no users' rights. May import: base.

mod same;

use super::{Contact, Hop, Rebound};
use crate::base::{BindingId, Cx, FlowId, Slab};
pub use same::same_uri;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A REGISTER request of a user who may register this address of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<'a> {
    /// Decoded user part of To, which must be in our domain.
    pub user: &'a str,
    pub contacts: Contacts<'a>,
    /// The Expires header field, as text.
    pub expires: Option<&'a str>,
    pub call_id: &'a str,
    pub cseq: u32,
    pub hop: Hop,
    /// Supported has `outbound` (RFC 5626): only then does `reg-id` mean something.
    pub outbound: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// `Contact: *`, and nothing else.
    All,
    /// As sent, in order. Empty: the request only asks.
    These(Vec<Asked<'a>>),
}

/// One value of Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What stands between the angle brackets, url-parameters and headers included, verbatim.
    pub uri: &'a str,
    /// Parameters of the header field, without their quotes.
    pub params: Vec<(&'a str, Option<&'a str>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200 with one Contact each. `outbound`: add `Require: outbound` (RFC 5626 section 6).
    Registered { contacts: Vec<String>, outbound: bool, change: Option<Change> },
    /// Nothing was changed. `min_expires` belongs to 423.
    Refused { status: u16, reason: &'static str, min_expires: Option<u32> },
}

/// What `Notice::Bound` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub user: String,
    pub contacts: Vec<Contact>,
    pub why: Rebound,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registrar {
    bindings: Slab<BindingId, ()>,
    users: BTreeMap<String, Vec<BindingId>>,
}

impl Registrar {
    /// `bounds`: shortest and longest registration granted (`Settings::register`).
    pub fn register(
        &mut self,
        _cx: &mut Cx,
        _bounds: (Duration, Duration),
        _register: &Register,
    ) -> Outcome {
        Outcome::Refused { status: 500, reason: "Server Internal Error", min_expires: None }
    }

    /// `Timer::BindingExpires`.
    pub fn expired(&mut self, _cx: &mut Cx, _id: BindingId) -> Option<Change> {
        None
    }

    /// A connection has closed, and with it the way to the contacts registered over it.
    pub fn flow_closed(&mut self, _cx: &mut Cx, _flow: FlowId) -> Vec<Change> {
        Vec::new()
    }

    /// Newest first.
    pub fn contacts(&self, _user: &str) -> Vec<Contact> {
        Vec::new()
    }

    /// Bindings alive, of all users.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }
}
