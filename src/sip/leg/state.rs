//! What is kept of a leg. Small once the call stands: what only the opening or a change needs is in
//! a box that goes away with it.

use super::refer::Referral;
use crate::base::{Instant, TransactionId, TrunkId, limits};
use crate::sip::dialog::Dialog;
use crate::sip::session::{self, Session};
use crate::sip::{Body, Cause, Dial, Hop};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Phones that are rung one after the other have longer than this each; those that are rung at once
/// begin sooner after one another.
const IN_TURN: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// The random part of our tag.
    pub secret: u64,
    pub dialog: Dialog,
    pub phase: Phase,
    /// The user has hung up, or was told the end: no more notices.
    pub silent: bool,
    /// Why the user hung up, for a BYE that must wait for an ACK.
    pub cause: Option<Box<Cause>>,
    /// Whose login answers challenges, and who is trusted with identities.
    pub trunk: Option<TrunkId>,
    /// Whose phone it is, where its way may be lost with a connection.
    pub user: Option<Box<str>>,
    /// A reliable provisional response whose PRACK had not come when our 2xx went out.
    pub unpracked: Option<Rung>,
    /// Our 2xx whose ACK has not come.
    pub unacked: Option<Unacked>,
    /// An offer or a refresh of ours: waiting, or on its way.
    pub change: Option<Box<Change>>,
    /// A re-INVITE or UPDATE of the peer that the user has to answer.
    pub asked: Option<Asked>,
    /// A REFER of the peer, the last one.
    pub referral: Option<Referral>,
    pub session: Option<Session>,
    pub peer: Abilities,
    /// The peer is a phone behind the hop it was heard on; where its URIs point means nothing.
    pub fixed: bool,
    /// Shortest session interval that somebody on the way insisted on (RFC 4028 section 7.3).
    pub min_se: u32,
    /// What we last described our side with: a refresh by re-INVITE repeats it.
    pub description: Option<Body>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// Our INVITE has no final answer yet.
    Calling(Box<Calling>),
    /// The peer's INVITE has none.
    Ringing(Box<Ringing>),
    Talking,
    /// Our BYE is on its way; nothing else happens here any more.
    Leaving,
    /// Over. Seen by nobody but the keeper of the legs, who removes it at once.
    Gone,
}

/// What the peer says it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    pub update: bool,
    pub timer: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calling {
    pub dial: Dial,
    /// Where to go next if this server does not take it (RFC 3263 section 4.3).
    pub next: Vec<Way>,
    /// The transport was not asked for: names may give any.
    pub free: bool,
    /// The one under way.
    pub way: Option<Way>,
    /// The INVITE under way; none while names are looked up.
    pub transaction: Option<TransactionId>,
    /// A provisional response came: CANCEL may be sent (RFC 3261 section 9.1).
    pub proceeding: bool,
    pub cancelled: bool,
    pub redirects: u8,
    /// What answers the challenges of proxies (true) and servers (false), and how many there were.
    pub credentials: Vec<(bool, String)>,
    pub challenges: u8,
    pub forks: Vec<Fork>,
    /// The tags of all who ring, behind a proxy that forks more than one, and since when.
    pub rings: Vec<(Box<str>, Instant)>,
    /// Those of them who have left, as if they had answered.
    pub left: Vec<Box<str>>,
    /// What the dialog was before a reliable provisional response made an early one of it.
    pub plain: Option<Box<Dialog>>,
}

/// A way to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    pub hop: Hop,
    /// The transport was not asked for: a large request may take TCP instead.
    pub free: bool,
    /// It is known to be down, and not waited for as long as another.
    pub brief: bool,
    /// The Request-URI for this server, where it is not the one before.
    pub uri: Option<String>,
}

/// An early dialog of a forked INVITE that sends reliable provisional responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    pub tag: Box<str>,
    pub rseq: u32,
    /// What the peer described its side with so far: it answers our offer.
    pub answer: Option<Body>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ringing {
    pub transaction: TransactionId,
    /// The sequence number of the INVITE; that of the dialog goes on with each PRACK and UPDATE.
    pub cseq: u32,
    /// The INVITE had an offer; without it our 2xx makes one.
    pub offered: bool,
    /// The peer requires 100rel.
    pub reliable: bool,
    /// RSeq of the last reliable provisional response.
    pub rseq: u32,
    pub pending: Option<Provisional>,
    pub session: session::Asked,
    /// What waits for the PRACK (RFC 3262 section 3).
    pub queued: Option<Queued>,
    /// The answer, or our offer, went out in a reliable provisional response.
    pub described: bool,
}

/// What the RAck of a PRACK names (RFC 3262 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    pub rseq: u32,
    /// Of the INVITE.
    pub cseq: u32,
}

/// A reliable provisional response that is repeated until its PRACK.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provisional {
    pub interval: Duration,
    pub sent: Instant,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Queued {
    Ring { status: u16, body: Option<Body> },
    Answer { body: Body },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unacked {
    /// Keeps the 2xx.
    pub transaction: TransactionId,
    pub cseq: u32,
    pub interval: Duration,
    /// Our 2xx carried an offer; the ACK answers it.
    pub offer: bool,
    /// It is the 2xx that opened the dialog.
    pub opening: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `None`: only a refresh.
    pub body: Option<Body>,
    pub transaction: Option<TransactionId>,
    pub method: Refresh,
    /// RFC 3261 section 14.1: not before the timer fires.
    pub waiting: bool,
    pub tries: u8,
    pub challenged: bool,
    pub seq: u32,
    /// What to offer when this is through.
    pub next: Option<Body>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refresh {
    Invite,
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub transaction: TransactionId,
    pub invite: bool,
    /// The request had an offer; without it our answer is one.
    pub offered: bool,
    pub cseq: u32,
    pub session: session::Asked,
}

impl Leg {
    pub fn new(secret: u64, dialog: Dialog) -> Self {
        Self {
            secret,
            dialog,
            phase: Phase::Gone,
            silent: false,
            cause: None,
            trunk: None,
            user: None,
            unpracked: None,
            unacked: None,
            change: None,
            asked: None,
            referral: None,
            session: None,
            peer: Abilities::default(),
            fixed: false,
            min_se: 0,
            description: None,
        }
    }
}

impl Calling {
    pub fn new(dial: Dial, free: bool) -> Self {
        Self {
            dial,
            next: Vec::new(),
            free,
            way: None,
            transaction: None,
            proceeding: false,
            cancelled: false,
            redirects: 0,
            credentials: Vec::new(),
            challenges: 0,
            forks: Vec::new(),
            rings: Vec::new(),
            left: Vec::new(),
            plain: None,
        }
    }

    /// Somebody rings, of as many as are kept in mind.
    pub fn rings(&mut self, tag: &str, now: Instant) {
        let mut known = self.rings.iter().map(|(tag, _)| tag).chain(&self.left);
        if known.any(|known| **known == *tag) {
            return;
        }
        // Whoever begins so late rings in the place of those before: they are hunted in turn.
        self.rings.retain(|(_, since)| now.since(*since) < IN_TURN);
        if self.rings.len() < limits::FORKS_MAX {
            self.rings.push((tag.into(), now));
        }
    }

    /// A branch was given up, and others may ring.
    pub fn rings_no_more(&mut self, tag: &str) {
        self.rings.retain(|(known, _)| **known != *tag);
    }

    /// One has left; whether others ring.
    pub fn goes_on_without(&mut self, tag: &str) -> bool {
        self.rings_no_more(tag);
        if self.left.len() < limits::FORKS_MAX {
            self.left.push(tag.into());
        }
        !self.rings.is_empty()
    }

    pub fn fork(&mut self, tag: &str) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| *fork.tag == *tag)
    }

    /// Whether our offer was answered in a reliable provisional response of this fork.
    pub fn is_settled(&self, tag: &str) -> bool {
        self.forks.iter().any(|fork| *fork.tag == *tag && fork.answer.is_some())
    }
}

impl Ringing {
    pub fn new(
        (transaction, cseq): (TransactionId, u32),
        session: session::Asked,
        (offered, reliable): (bool, bool),
    ) -> Self {
        Self {
            transaction,
            cseq,
            offered,
            reliable,
            session,
            rseq: 0,
            pending: None,
            queued: None,
            described: false,
        }
    }

    /// The reliable provisional response that is not acknowledged yet.
    pub fn unpracked(&self) -> Option<Rung> {
        self.pending.as_ref().map(|_| Rung { rseq: self.rseq, cseq: self.cseq })
    }
}
