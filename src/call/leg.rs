//! One leg of a call: a SIP leg, its role, and its media side.

use super::side::Side;
use super::{Effect, MediaSettings, Role};
use crate::base::{AgentId, Instant, LegId};
use crate::media::control::{Ailment, Command};
use crate::sip::{Act, Cause};
use crate::wire::sdp::Suite;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub id: LegId,
    pub role: Role,
    pub side: Side,
    pub stage: Stage,
    /// It rang for long enough and was told to stop; what it says to that is still to come.
    pub cancelled: bool,
    /// It has heard that the call is recorded.
    pub told: bool,
    /// A tune is playing to it.
    pub hears_tune: bool,
    /// It should be heard and is not.
    pub silent: bool,
    /// What is wrong with its sound though packets come.
    pub ails: BTreeSet<Ailment>,
    /// Its port was taken away after the offer had left; a new offer follows its answer.
    pub moved: bool,
    /// How many ports were taken away from it.
    pub moves: u8,
    /// What its sound is sealed by, as it was told.
    pub sealed: Option<Suite>,
    /// What an agent has keyed in so far of a code.
    pub keys: String,
    /// How it was last heard to press a key.
    pub pressed: Pressed,
    /// Nothing was heard of it since the switch was restarted.
    pub unheard: bool,
    /// It waits, and nothing comes from it: is anybody there?
    pub absent: bool,
    /// At a switch of ours, which was told that the caller has a place here: it gives them back
    /// where nobody there can go on with them.
    pub gives_back: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Nobody yet: whoever is to be called back is not dialled so far.
    Absent,
    /// Invited, and nothing heard yet.
    Trying,
    Ringing,
    /// Answered; its media may still be unknown (delayed offer).
    Up,
}

/// There are phones that tell of each key twice, among the audio (RFC 4733) and in an INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pressed {
    Never,
    InInfo {
        key: char,
        at: Instant,
    },
    /// And so whatever comes in an INFO has been heard.
    InAudio,
}

impl Leg {
    pub fn new(id: LegId, role: Role, side: Side, stage: Stage) -> Self {
        Self {
            id,
            role,
            side,
            stage,
            cancelled: false,
            told: false,
            hears_tune: false,
            silent: false,
            ails: BTreeSet::new(),
            moved: false,
            moves: 0,
            sealed: None,
            keys: String::new(),
            pressed: Pressed::Never,
            unheard: false,
            absent: false,
            gives_back: false,
        }
    }

    /// In the place of a party whom nobody has dialled yet. It is known nowhere.
    pub fn absent() -> Self {
        Self::new(LegId(u64::MAX), Role::Caller, Side::nowhere(), Stage::Absent)
    }

    pub fn agent(&self) -> Option<AgentId> {
        match self.role {
            Role::Agent(agent) => Some(agent),
            Role::Caller | Role::Target | Role::Supervisor(_) => None,
        }
    }

    pub fn act(&self, act: Act) -> Effect {
        Effect::Act { leg: self.id, act }
    }

    pub fn hang_up(&self, cause: Cause) -> Effect {
        self.act(Act::Hangup { cause })
    }

    /// Tells the data plane what was agreed.
    pub fn agree(&self) -> impl Iterator<Item = Effect> + use<> {
        self.side.commands().map(Effect::Media)
    }

    /// A later offer: the same codec, on whatever port the leg has now.
    pub fn offer_again(&mut self, media: &MediaSettings) -> Effect {
        let body = self.side.offer_again(media);
        self.act(Act::Offer { body })
    }

    pub fn close(&self) -> Effect {
        Effect::Media(Command::Close { port: self.side.port })
    }
}
