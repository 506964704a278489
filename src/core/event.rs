//! What comes in. Events are all that the switch ever learns, so in their order, with their times,
//! they are its memory: each is a plain value that can be written down and read back.

use crate::base::{FlowId, QueryId, Secret};
use crate::call::{Ears, TapeEvent, Way};
use crate::config::Settings;
use crate::media::control::Event as MediaEvent;
use crate::sip::Hop;
use crate::sip::resolve::Answer;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Time has passed, nothing else: due timers fire.
    Tick,
    /// A datagram, or one whole message of a stream.
    Sip {
        hop: Hop,
        bytes: Bytes,
    },
    /// A stream was closed by the peer, or broke.
    FlowClosed {
        flow: FlowId,
    },
    /// Nothing can be sent there: the connection was refused, or ICMP said so.
    Unreachable {
        hop: Hop,
    },
    /// The DNS answered.
    Dns {
        query: QueryId,
        answer: Answer,
    },
    Media(MediaEvent),
    Recording(TapeEvent),
    /// More comes in than can be handled, or no longer does: new calls are turned away meanwhile.
    Swamped(bool),
    /// Whoever is at the other end of a stream has proved to be called so, before a word was said.
    Proven {
        flow: FlowId,
        /// Names that trunks have.
        names: Vec<String>,
    },
    /// The calendar was put forward by so many seconds, or back. No timer goes by it.
    ClockMoved {
        seconds: i64,
    },
    /// A store takes no rows any more, and why; or it takes them again. Calls do not depend on it.
    Store {
        name: String,
        trouble: Option<String>,
    },
    /// Nothing is written down any more, and why: what happens now would be lost with the process.
    /// Or all of it is written down again.
    Journal {
        trouble: Option<String>,
    },
    /// No recording is written any more, and why; or they are again.
    Recorder {
        trouble: Option<String>,
    },
    /// Someone acts through the admin socket; [`super::Command::Reply`] follows with this number.
    Admin {
        request: u64,
        /// Who, as the configuration or the system calls them.
        by: String,
        verb: Verb,
    },
    /// New settings, already checked.
    Reload(Box<Settings>),
    /// No new calls from now on; [`super::Command::Drained`] follows when the last one is over.
    Drain,
    /// The time to drain is over: whoever is on the line is hung up on, and records are closed
    /// without the end of a wrap-up. Promises of a call back outlive the process.
    Close,
    /// The process died and another has taken over: sockets are new, of the streams only these are
    /// still there, and whatever was commanded last may not have been done. What was drawn since it
    /// was last written down, as keys are, may have been dealt out: it is not drawn again.
    Restarted {
        flows: BTreeSet<FlowId>,
        secret: Secret,
    },
}

/// What a supervisor may do. Whatever only reads is answered outside the core, from facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// `state` is `ready`, `pause`, `logout`, `force-logout`, `end-wrap-up`, `category` with its
    /// name as `reason`, or `login`, which may have `at PHONE` as that.
    SetAgent {
        agent: String,
        state: String,
        reason: String,
    },
    /// The same, said to a group: whoever of it is logged out is left so.
    SetMember {
        agent: String,
        state: String,
        reason: String,
    },
    /// `span`: for how long; `None`: as the configuration has it. `by` is who wants it.
    Block {
        number: String,
        reason: String,
        span: Option<Duration>,
        by: String,
    },
    Unblock {
        number: String,
        reason: String,
        by: String,
    },
    /// `call` is the id that records and lists show.
    Hangup {
        call: String,
    },
    /// Records from now on, or leaves what follows out: private matter.
    Record {
        call: String,
        on: bool,
    },
    /// Somebody listens to the recording of a call that is over; for the books.
    OpenRecording {
        call: String,
    },
    /// `to` is whom: `agent:op2`, `queue:health`, `district:alirajpur`, `dir:ALI/RRT/1`, a number.
    Transfer {
        call: String,
        to: String,
        way: Way,
    },
    /// An agent takes a call that waits or is parked.
    Pick {
        call: String,
        agent: String,
    },
    Park {
        call: String,
    },
    /// The caller waits again, at the old place.
    Return {
        call: String,
    },
    Hold {
        call: String,
        hold: bool,
    },
    /// A supervisor listens, whispers, speaks with all or takes over, from the phone at which
    /// `phone` is reached: an agent, a phone where one sits, or an extension.
    Watch {
        call: String,
        phone: String,
        ears: Ears,
    },
    /// What whoever talks with the caller has heard from them; remembered for their next call.
    ChooseDistrict {
        call: String,
        district: String,
    },
    /// The missed-call desk; `number` in E.164.
    Missed {
        number: String,
        act: MissedAct,
    },
    /// `to` is `open`, `close`, `overflow on|off|auto`, or `weight N`.
    SetQueue {
        queue: String,
        to: String,
    },
    /// Those who wait hear a message, and for so many minutes those who come too.
    PutMessage {
        queue: String,
        message: String,
        minutes: u64,
    },
    /// The message is said no more.
    Hush {
        queue: String,
    },
    /// The agent serves the queue, or does so no more, whatever the configuration says.
    Lend {
        queue: String,
        agent: String,
        lent: bool,
    },
    /// Why this caller still waits, line by line: what stands before them, and what keeps each
    /// agent from them. It changes nothing, and is on no books.
    Explain {
        call: String,
    },
    /// Something was done outside of the core that belongs on the books.
    Noted {
        verb: Noted,
        on: String,
    },
}

/// What somebody does about a caller who was not answered. `by` is who: an agent, or a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissedAct {
    /// Nobody else may call them now.
    Claim { by: String },
    /// They take their old place in the line, and are called when an agent has answered.
    Call { by: String },
    /// The claim of whoever asks is none any more; whoever `breaks` ends anybody's.
    Release { by: String, breaks: bool },
    /// Nothing is left to do.
    Close { by: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noted {
    /// Callers' numbers were looked at.
    Seen,
    /// Records left the switch with callers' numbers in them.
    Exported,
    Reloaded,
    Upgraded,
    /// Somebody asked for what is not theirs to do.
    Refused,
}
