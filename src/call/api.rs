//! What the user of the call layer sees: what a call asks for, and what it saw happen.

use super::back::Origin;
use super::codes::{self, Code};
use super::ears::Ears;
use super::handover::Way;
use super::own::Begun;
use super::recording::{Recorded, Tape};
use super::side::Side;
use crate::base::{AgentId, CallId, Instant, LegId, QueueId, TrunkId};
use crate::media::control::{Ailment, Command, Figures};
use crate::sip::{Act, Body, Cause, Dial};
use crate::wire::sdp::Suite;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Everything a call asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    Act {
        leg: LegId,
        act: Act,
    },
    /// Place a leg; tell its id with `Calls::placed` before anything else happens.
    Dial {
        call: CallId,
        role: Role,
        side: Box<Side>,
        dial: Box<Dial>,
    },
    Media(Command),
    /// Wait in this queue; `arrived` never changes, whatever happens to the call.
    Join {
        call: CallId,
        queue: QueueId,
        arrived: Instant,
    },
    /// Wait no more: they hung up, or somebody else serves them.
    Leave {
        call: CallId,
        hung_up: bool,
    },
    /// The caller who waits has said that it is an emergency.
    Emergency {
        call: CallId,
    },
    /// The caller who waits wants to be called back.
    WantsBack {
        call: CallId,
    },
    /// Whoever was called back talks with the agent.
    Reached {
        call: CallId,
    },
    /// Nobody answered whom the agent was to talk with; the call waits for nobody now.
    NotReached {
        call: CallId,
        agent: AgentId,
    },
    /// No phone of the agent rings any more for a call that is no longer theirs.
    Quiet {
        agent: AgentId,
    },
    /// The call ended while the agent waited for somebody who was being dialled.
    Spared {
        call: CallId,
        agent: AgentId,
    },
    /// Somebody who was talked with was cut off: they may come back to their place for a while.
    CutOff {
        origin: Box<Origin>,
    },
    /// An agent has called this number by themselves, and reached it; or somebody has answered who
    /// called from it on this line: nobody else need call them.
    TalkedWith {
        number: String,
        line: Option<String>,
    },
    /// A call back has ended, however.
    BackOver {
        call: CallId,
    },
    /// The caller left a queue unanswered, after more than a moment.
    Abandoned {
        origin: Box<Origin>,
    },
    /// The agent's phone answered; say with `Calls::connect` or `Calls::too_late` what that means.
    Answered {
        call: CallId,
        agent: AgentId,
    },
    /// No phone of the agent took the offer.
    Missed {
        call: CallId,
        agent: AgentId,
        why: Missed,
    },
    /// Ring this agent and nobody else; say with `Calls::claimed` or `Calls::unclaimed` whether the
    /// desk lets them. The after-call work is that of `queue`.
    Claim {
        call: CallId,
        agent: AgentId,
        queue: Option<QueueId>,
    },
    /// The same for whichever agent of this queue is free.
    ClaimAny {
        call: CallId,
        queue: QueueId,
    },
    /// The agent's phone wants the call, in the place of another leg or of nobody; say with
    /// `Calls::seized` or `Calls::not_seized` whether it may.
    Seize {
        call: CallId,
        agent: AgentId,
        queue: Option<QueueId>,
        leg: LegId,
        place: Option<LegId>,
        body: Body,
    },
    /// The agent of one call talks on in another, which it has become part of. The wrap-up of a
    /// call of the agent's own is that of the queue, or else this.
    CarryOver {
        from: CallId,
        to: CallId,
        agent: AgentId,
        queue: Option<QueueId>,
        wrap_up: Duration,
        /// They talk; or else their phone still rings.
        answered: bool,
    },
    /// The agent's conversation is over, or the phones of one who was claimed stop.
    Released {
        call: CallId,
        agent: AgentId,
    },
    /// A phone of ours calls, or an agent at home: say who is at it with `Calls::begin`,
    /// `Calls::answer_code` or `Calls::answer_home`.
    Begin(Box<Begun>),
    /// Something was keyed in behind a code: say what came of it with `Calls::signal`.
    Keyed {
        call: CallId,
        phone: String,
        act: codes::Act,
        digits: String,
    },
    /// An agent at home has keyed in their pin: say whether it is right with `Calls::proven`.
    Proves {
        call: CallId,
        agent: String,
        pin: String,
    },
    /// An agent in the call has keyed in what it is about.
    Categorised {
        call: CallId,
        agent: AgentId,
        category: String,
    },
    /// An agent in the call keyed in a code, with what stood behind it; `refused` is why it was not
    /// done, or empty.
    CodeKeyed {
        call: CallId,
        agent: AgentId,
        code: Code,
        refused: String,
    },
    /// A supervisor in the call keyed in how they want to be in it from now on; `refused` is why
    /// they are not, or empty.
    EarsKeyed {
        call: CallId,
        agent: AgentId,
        from: Ears,
        to: Ears,
        refused: String,
    },
    /// A call that kept these agents from callers is over; `noted`: they write notes now.
    OwnOver {
        call: CallId,
        agents: Vec<AgentId>,
        noted: bool,
    },
    /// For whoever writes recordings.
    Tape(Tape),
    Fact(Fact),
}

/// Why an agent's phones are to stop ringing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// They rang for long enough. Whoever lifts the handset at that very moment may have the call.
    RangOut,
    AnsweredElsewhere,
    /// The caller or the agent has gone.
    Gone,
}

/// Why no phone of an agent took an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missed {
    NoAnswer,
    Declined,
    Unreachable,
    /// We had no media port for it.
    NoPort,
    /// An agent at home, to whom no way is open just now: a trunk is down, or a cap is reached.
    NoWay,
}

impl Missed {
    /// As facts say it.
    pub fn name(self) -> &'static str {
        match self {
            Missed::NoAnswer => "no answer",
            Missed::Declined => "declined",
            Missed::Unreachable => "cannot be reached",
            Missed::NoPort => "no media port is free",
            Missed::NoWay => "no way out is open",
        }
    }
}

/// Whose leg it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    Caller,
    Agent(AgentId),
    /// The far end of a call to a fixed address.
    Target,
    /// Listens, or speaks where it is their part; never the one whom the caller talks with.
    Supervisor(AgentId),
}

/// What a call saw happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    Arrived {
        call: CallId,
        arrival: Box<Arrival>,
    },
    /// The switch itself answered: greeting, music, waiting.
    SystemAnswered {
        call: CallId,
    },
    LegOpened {
        call: CallId,
        leg: LegId,
        role: Role,
    },
    /// Caller and agent (or target) hear each other.
    Connected {
        call: CallId,
        agent: Option<AgentId>,
    },
    Held {
        call: CallId,
        by: Role,
        held: bool,
    },
    /// A party that should be heard is not, or is heard again.
    Silent {
        call: CallId,
        role: Role,
        silent: bool,
    },
    /// Something is wrong with a party's sound though packets come, or is not any more. `from`:
    /// whose packets these are.
    Ailing {
        call: CallId,
        role: Role,
        what: Ailment,
        on: bool,
        from: Option<SocketAddr>,
    },
    /// The district of the call is known now, or another than before.
    District {
        call: CallId,
        district: String,
    },
    /// The caller was told this: names of prompts, in order, whether or not they were recorded.
    Announced {
        call: CallId,
        names: Vec<String>,
    },
    /// The caller chose from the menu: `language:en`, `district:alirajpur`, `queue:health`; or
    /// nothing that it offers, and waits for a human.
    Chose {
        call: CallId,
        what: String,
    },
    /// The caller waits for nobody any more, is told so, and will be hung up.
    Farewell {
        call: CallId,
    },
    /// Something happened at the missed-call desk with this number.
    Missed {
        number: String,
        news: MissedNews,
    },
    /// The caller, or the line, says that it is an emergency.
    Emergency {
        call: CallId,
    },
    /// The caller wanted to be called back, and theirs is no number that may be dialled: why, as a
    /// refusal to dial is named.
    NotPromised {
        call: CallId,
        why: String,
    },
    /// A number was rung through a trunk, and answered or not.
    Rung {
        call: CallId,
        number: String,
        reached: bool,
    },
    /// A leg that was rung by name was answered.
    LegAnswered {
        call: CallId,
        leg: LegId,
    },
    /// Another has come in, and all hear one another; `Connected` follows.
    Joined {
        call: CallId,
        role: Role,
    },
    /// Whoever talked with the caller is gone, and the caller waits for somebody else.
    Alone {
        call: CallId,
    },
    /// The call is to go to somebody who was named, by an agent's wish or a supervisor's.
    Transferring {
        call: CallId,
        by: Option<AgentId>,
        to: String,
        way: Way,
    },
    /// It went there.
    Transferred {
        call: CallId,
        by: Option<AgentId>,
        to: String,
    },
    /// It did not; `to` is empty where it was to go back to whoever had sent it.
    NotTransferred {
        call: CallId,
        to: String,
        why: String,
    },
    /// The caller hears music in this slot, to be picked up by anybody.
    Parked {
        call: CallId,
        slot: u16,
        by: Option<AgentId>,
    },
    /// A supervisor hears what is said from now on, and is heard as they want to be; `None`: they
    /// are out of the call, or have it.
    Watched {
        call: CallId,
        agent: AgentId,
        ears: Option<Ears>,
    },
    /// What became of its recording.
    Recording {
        call: CallId,
        what: Recorded,
    },
    /// The caller waits again, at the old place: the agent's phone was lost in mid-call, or hung up
    /// in the moment in which it answered, and nobody has talked. `None`: a centre was lost.
    Returned {
        call: CallId,
        agent: Option<AgentId>,
        talked: bool,
    },
    LegClosed {
        call: CallId,
        leg: LegId,
        role: Role,
        status: u16,
        cause: Cause,
    },
    /// The sound of a leg is sealed by this from now on, or else plain, as it was until then.
    Sealed {
        call: CallId,
        leg: LegId,
        role: Role,
        suite: Option<Suite>,
    },
    /// What the media port of a closed leg has seen.
    Measured {
        call: CallId,
        leg: LegId,
        figures: Figures,
    },
    Ended {
        call: CallId,
        end: End,
    },
    /// A call that never became one: refused at the door.
    Refused {
        arrival: Box<Arrival>,
        status: u16,
        /// `premium`, `blocked`; empty where the status says it all.
        why: String,
    },
    /// What the call was about, as its agent says.
    Category {
        call: CallId,
        agent: AgentId,
        category: String,
    },
}

/// What happens to a caller who was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissedNews {
    /// Nobody talked with them in the call with this id; `why` is who ended it.
    Abandoned {
        parent: String,
        why: EndedBy,
    },
    Claimed {
        by: String,
    },
    /// Whoever had claimed them has let go of them, or an administrator has ended the claim.
    Released {
        by: String,
    },
    /// They stand in the line to be called back, or are tried once more.
    Calling,
    /// Nobody was reached in any of the attempts.
    Unreached,
    /// Somebody has talked with them.
    Served,
    /// Somebody says that nothing is left to do.
    Closed {
        by: String,
    },
}

/// How a call came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Unique and sortable by time: 26 characters, Crockford base 32 (a ULID).
    pub id: String,
    pub direction: Direction,
    /// Name of the line; empty where the number is unknown.
    pub line: String,
    pub trunk: Option<TrunkId>,
    /// Agent's phone that called, where it was one.
    pub user: Option<String>,
    /// Id of the agent who called from it; empty where nobody sits there.
    pub agent: String,
    /// E.164, or empty where the caller is withheld or has no telephone number.
    pub caller: String,
    pub caller_raw: String,
    /// E.164, `181`, `0<STD>181`, or a name.
    pub dialled: String,
    pub dialled_raw: String,
    /// The number first called, where the call was forwarded to us; E.164 or as it came.
    pub forwarded_by: String,
    /// Name of the district; empty where nothing tells it.
    pub district: String,
    /// The id of the call that this one calls back; empty where it is none.
    pub parent: String,
    /// What a human should know of the numbers. None of it keeps the call from anybody.
    pub flags: Vec<Flag>,
}

/// What is odd about a call's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The caller, or their carrier, withheld the number.
    CallerWithheld,
    CallerMissing,
    /// No telephone number: letters, too short, too long.
    CallerOdd,
    /// No line has the number; it went to the default line.
    UnknownNumber,
    Forwarded,
    /// One of very many calls from this number in a short time.
    Burst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    In,
    Out,
    Internal,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub outcome: Outcome,
    pub by: EndedBy,
    /// Final SIP status of the caller's leg; 200 where it was answered.
    pub status: u16,
    pub q850: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Caller and agent (or target) talked.
    Answered,
    /// The caller left before anyone answered.
    Abandoned,
    /// The queue sent the caller elsewhere, and there was nowhere to go; or the switch has them
    /// back that had kept their place.
    Overflowed,
    /// The caller is called back; that call has a record of its own.
    Callback,
    /// The switch refused the call.
    Refused,
    /// Nobody was reached, or something broke.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    Caller,
    Agent,
    Target,
    /// A supervisor's hand.
    Admin,
    /// The caller waited as long as the queue allows.
    MaxWait,
    /// As many waited in the queue as may.
    Full,
    /// Nobody who could have answered was logged in.
    Unstaffed,
    /// A supervisor had shut the queue.
    Shut,
    /// The caller was not heard for too long.
    Silence,
    /// The far end broke off without a word: no ACK, no refresh, no answer.
    Lost,
    /// The switch itself.
    Switch,
    /// The switch was restarted, and the far end was not there any more.
    Recovered,
}
