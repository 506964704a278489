//! What the user of the SIP layer sees: legs, what can be done to them, what happens to them.
//!
//! A leg is one INVITE session with one far end, from the first INVITE to the end of its dialog.
//! Whoever uses the layer names a leg by its id, says what should become of it ([`Act`]) and hears
//! what became of it ([`Notice`]); transactions, retransmissions, ACK, CANCEL, PRACK, session
//! refreshes, glare, forks and authentication stay inside. Bodies are carried, never read.

use crate::base::{FlowId, LegId, QueryId, TrunkId};
use crate::wire::sip::Uri;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// As a `transport` parameter or a setting names it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("udp") => Some(Self::Udp),
            _ if name.eq_ignore_ascii_case("tcp") => Some(Self::Tcp),
            _ if name.eq_ignore_ascii_case("tls") => Some(Self::Tls),
            _ => None,
        }
    }

    /// Whether messages come by a connection: nothing is lost on it, or all is.
    pub fn is_stream(self) -> bool {
        self != Self::Udp
    }

    /// RFC 3261 section 19.1.2.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5_060,
            Self::Tls => 5_061,
        }
    }
}

/// Where a message came from or goes to. A stream flow is preferred while it is open; after that
/// the shell connects to `peer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop {
    pub transport: Transport,
    /// Our end: the address of the listener (UDP), or the one the connection has.
    pub local: SocketAddr,
    pub peer: SocketAddr,
    pub flow: Option<FlowId>,
}

impl Hop {
    /// Whether a URI that came over it can be followed: one that asks for TLS, where there is.
    pub fn leads_to(&self, uri: &Uri) -> bool {
        uri.is_clear() || uri.is_sip() && self.transport == Transport::Tls
    }
}

/// Everything the layer asks of the world. Timers are set on the clock that it is handed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    Send {
        hop: Hop,
        bytes: Bytes,
    },
    /// The stream carries no SIP any more (framing is lost): close it.
    Close {
        flow: FlowId,
    },
    /// Whoever is at the other end of the stream is known here: it may stay, and say nothing for
    /// long.
    Keep {
        flow: FlowId,
    },
    /// Ask the DNS; the answer returns through `UserAgent::answered`.
    Ask {
        query: QueryId,
        name: String,
        kind: RecordKind,
    },
    /// Tell the user of the layer.
    Notice(Notice),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecordKind {
    Naptr,
    Srv,
    /// A and AAAA.
    Address,
}

/// What the DNS said (RFC 3263). Order and choice among equals are made here, not by the shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    Naptr { order: u16, preference: u16, service: String, replacement: String },
    Srv { priority: u16, weight: u16, port: u16, target: String },
    Address(std::net::IpAddr),
}

/// A body and its `Content-Type`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub kind: String,
    pub bytes: Bytes,
}

/// The keys of sealed sound stand in a body (RFC 4568), and are for nobody who debugs.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes);
        let line = |line: &str| match line.to_ascii_lowercase().contains("inline:") {
            true => format!("{}…", line.split(':').next().unwrap_or_default()),
            false => line.to_string(),
        };
        let lines: Vec<String> = text.lines().map(line).collect();
        f.debug_tuple("Body").field(&self.kind).field(&lines.join("\n")).finish()
    }
}

/// Who is calling or called, as the headers say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Decoded user part, or the number of a `tel:` URI. Empty where there is none.
    pub user: String,
    pub host: String,
    /// Display name, unquoted. May be any UTF-8; Latin-1 octets become the characters they mean.
    pub display: String,
}

/// A call that arrived: INVITE outside a dialog, from someone who may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    pub from: Party,
    pub to: Party,
    /// Request-URI.
    pub target: Party,
    /// P-Asserted-Identity, or else Remote-Party-ID or P-Preferred-Identity; believed only from a
    /// trunk (RFC 3325).
    pub asserted: Option<Party>,
    /// P-Called-Party-ID (RFC 7315).
    pub called: Option<Party>,
    /// Oldest Diversion or History-Info entry: who was called first.
    pub diverted: Option<Party>,
    /// What another switch of this kind says of its call: its header fields whose names begin with
    /// [`PEER`], as they came by a trunk. Whether any of it is believed is not decided here.
    pub told: Vec<(String, String)>,
    /// Privacy: id (RFC 3323): the caller is withheld.
    pub private: bool,
    pub source: Source,
    pub hop: Hop,
    pub call_id: String,
    /// How many more hops may come after us, or after whoever is called on its behalf.
    pub forwards: u8,
    /// The leg whose place it is to take (RFC 3891).
    pub replaces: Option<LegId>,
    /// `None`: the peer wants our offer in the 2xx (delayed offer).
    pub offer: Option<Body>,
}

pub const PEER: &str = "X-Pukar-";

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refer {
    pub to: Party,
    /// The call that the new one is to take the place of.
    pub replaces: Option<Replaced>,
}

/// A dialog as Replaces names it (RFC 3891), seen from our side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    pub call_id: String,
    /// Ours.
    pub local_tag: String,
    pub remote_tag: String,
    pub early_only: bool,
}

/// On whose authority a call came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// From an address of this trunk.
    Trunk(TrunkId),
    /// From a phone that proved to be this user by digest.
    User(String),
}

/// A call to be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    pub target: Target,
    pub from: Party,
    pub to: Party,
    /// Sent as P-Asserted-Identity where the far end is trusted.
    pub asserted: Option<Party>,
    /// Further header lines, name and value; must be clean text.
    pub headers: Vec<(String, String)>,
    /// Max-Forwards: what is left of the call's on whose behalf it is placed (RFC 7332), or 70.
    pub forwards: u8,
    /// A phone of ours, for which somebody waits: [`Notice::Unheard`] tells after 8*T1 that it has
    /// said nothing at all.
    pub brief: bool,
    pub offer: Body,
}

/// Whom a call is placed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// One registered contact, by what [`Notice::Bound`] gave.
    Contact(Contact),
    /// A SIP URI; a host name is resolved by RFC 3263.
    Uri(String),
    /// A number through a trunk.
    Trunk { trunk: TrunkId, number: String },
}

impl Target {
    pub fn trunk(&self) -> Option<TrunkId> {
        match self {
            Self::Trunk { trunk, .. } => Some(*trunk),
            Self::Contact(_) | Self::Uri(_) => None,
        }
    }
}

/// A contact that an address of record registered, with the way back to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contact {
    pub uri: String,
    /// Where its REGISTER came from: used instead of the URI's host, so that NAT and TCP work.
    pub hop: Hop,
}

/// What can be done to a leg. What does not fit the leg's state any more is ignored: the notice
/// that tells why is already on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// 180, or 183 with a body. Sent reliably where the caller requires 100rel.
    Ring { status: u16, body: Option<Body> },
    /// 200 to the INVITE: an answer, or our offer where the INVITE had none.
    Answer { body: Body },
    /// A final refusal, 3xx to 6xx, of an INVITE that is not answered yet.
    Refuse { status: u16, cause: Option<Cause>, retry_after: Option<u32> },
    /// CANCEL of an INVITE that has no final answer. What becomes of it is told: `Refused`, or
    /// `Answered` where the answer crossed the CANCEL (RFC 3261 section 9.1).
    Cancel { cause: Cause },
    /// Whatever ends the leg in its state: CANCEL, BYE, 480. The leg is not heard of again.
    Hangup { cause: Cause },
    /// A new offer inside the dialog: re-INVITE. Glare and retry are handled inside.
    Offer { body: Body },
    /// The answer to [`Notice::Offered`].
    AnswerOffer { body: Body },
    /// 488 and the like to [`Notice::Offered`]; the session stays as it was.
    RefuseOffer { status: u16 },
    /// 202, or a refusal, to [`Notice::Referred`].
    AnswerRefer { status: u16 },
    /// How that is going (RFC 3515 section 2.4.4): the status of the call that it asked for. A
    /// final one is the last. Says nothing to a peer that did not want to know (RFC 4488).
    Report { status: u16 },
    /// Asks with OPTIONS inside the dialog whether the far end still knows of it (RFC 3261 section
    /// 12.2.1.2): where it does not, or says nothing, [`Notice::Ended`] comes.
    Probe,
    /// A key in an INFO (`application/dtmf-relay`), for a far end that takes none among the audio.
    Press { key: char },
}

/// The Reason header field (RFC 3326).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Q.850 cause, 16 = normal clearing.
    pub q850: Option<u8>,
    /// `SIP;cause=200;text="Call completed elsewhere"` and the like.
    pub sip: Option<u16>,
    pub text: String,
}

/// What happened to a leg, or to a registration or trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A call came in. The leg exists; 100 has been sent.
    Invited { leg: LegId, invited: Box<Invited> },
    /// Our INVITE got a provisional response above 100.
    Progress { leg: LegId, status: u16, body: Option<Body> },
    /// Our INVITE got its first 2xx; the ACK has been sent.
    Answered { leg: LegId, body: Option<Body> },
    /// Our INVITE failed for good, or could not be sent (408 or 503, RFC 3261 section 8.1.3.1).
    Refused { leg: LegId, status: u16, cause: Cause, retry_after: Option<u32> },
    /// A phone of ours has said nothing to our INVITE, as if it was not there ([`Dial::brief`]).
    /// The leg is over for the user, and [`Notice::Stopped`] will come.
    Unheard { leg: LegId },
    /// The callee of our INVITE has answered, as far as it knows, and has hung up before we heard
    /// so. The leg is over for the user.
    LeftEarly { leg: LegId, cause: Cause },
    /// The INVITE of a leg that the user has hung up on has its final answer: nothing rings there
    /// any more. The one notice that comes after the user's last word.
    Stopped { leg: LegId },
    /// The ACK of our 2xx came. It carries the answer where our 2xx carried the offer.
    Confirmed { leg: LegId, answer: Option<Body> },
    /// A re-INVITE or UPDATE came: answer with `AnswerOffer` or `RefuseOffer` before anything else.
    /// `None`: the peer wants our offer (re-INVITE without a body); give it with `AnswerOffer`.
    Offered { leg: LegId, offer: Option<Body> },
    /// Our offer inside the dialog was answered. `more`: a later one of ours waits behind it.
    OfferAnswered { leg: LegId, answer: Body, more: bool },
    /// Our offer was refused; the session stays as it was.
    OfferRefused { leg: LegId, status: u16, more: bool },
    /// REFER (RFC 3515): answer with `AnswerRefer` before anything else.
    Referred { leg: LegId, refer: Box<Refer> },
    /// The far end hung up, cancelled, vanished, or broke the rules. The leg is gone.
    Ended { leg: LegId, why: Ended, cause: Cause },
    /// INFO carried a key: `0`-`9`, `*`, `#`, `A`-`D`. It has been answered.
    Key { leg: LegId, key: char },
    /// The contacts of an address of record, all of them, after a change. Empty: unregistered.
    Bound { user: String, contacts: Vec<Contact>, why: Rebound },
    /// A phone that had fallen silent is heard again: `proven` if it did not answer when it was
    /// asked at once, so that it was away and not only unwilling.
    PhoneBack { user: String, proven: bool },
    /// A phone that was only asked whether it is there has not answered; it is asked on.
    PhoneGone { user: String },
    /// A trunk answers, or has stopped answering.
    TrunkUp { trunk: TrunkId, up: bool },
    /// Wrong passwords reached the limit for this user and source.
    Locked { user: String, peer: SocketAddr },
}

impl Notice {
    /// The leg that the notice is about, if it is about one.
    pub fn leg(&self) -> Option<LegId> {
        match *self {
            Notice::Invited { leg, .. }
            | Notice::Progress { leg, .. }
            | Notice::Answered { leg, .. }
            | Notice::Refused { leg, .. }
            | Notice::Stopped { leg }
            | Notice::Unheard { leg }
            | Notice::LeftEarly { leg, .. }
            | Notice::Confirmed { leg, .. }
            | Notice::Offered { leg, .. }
            | Notice::OfferAnswered { leg, .. }
            | Notice::OfferRefused { leg, .. }
            | Notice::Referred { leg, .. }
            | Notice::Key { leg, .. }
            | Notice::Ended { leg, .. } => Some(leg),
            Notice::Bound { .. }
            | Notice::PhoneBack { .. }
            | Notice::PhoneGone { .. }
            | Notice::TrunkUp { .. }
            | Notice::Locked { .. } => None,
        }
    }
}

/// How a leg ended that its own side did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// BYE.
    Bye,
    /// CANCEL before the answer.
    Cancelled,
    /// Our 2xx was never acknowledged.
    NoAck,
    /// The session was not refreshed (RFC 4028).
    Expired,
    /// A request inside the dialog got 408 or 481, or its transport is gone.
    Lost,
}

/// Why an address of record has other contacts than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rebound {
    Registered,
    Unregistered,
    Expired,
    /// The connection it registered over has closed (RFC 5626).
    FlowLost,
}
