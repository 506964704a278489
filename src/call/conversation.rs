//! One conversation: a caller, the phones that ring for them, whoever talks with them.

use super::back::Origin;
use super::calls::Io;
use super::leg::{Leg, Stage};
use super::own::Own;
use super::{Arrival, Goal, Keys, Role, routing};
use crate::base::{AgentId, Instant, LegId, TrunkId, TuneId};
use crate::media::control::{Command, Music};
use crate::say::Phrase;
use crate::sip::{Body, Invited, Party};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// As records and lists show it.
    pub name: String,
    pub goal: Goal,
    /// The caller's number in E.164; empty where there is none.
    pub number: String,
    pub dialled: String,
    /// How many more hops the calls may take that are placed for the caller.
    pub forwards: u8,
    pub district: String,
    /// Through which the caller came.
    pub trunk: Option<TrunkId>,
    /// The number that rings behind a trunk for a caller who waits.
    pub rung: Option<String>,
    /// Name of the line.
    pub line: String,
    /// What the caller wants to be spoken to in, the best first.
    pub languages: Vec<String>,
    pub priority: u8,
    pub emergency: bool,
    /// What the caller may press.
    pub keys: Keys,
    /// What is to be said when what is said just now is over.
    pub later: Vec<Phrase>,
    /// What the caller is told just now, under which number, before the music goes on.
    pub says: Vec<TuneId>,
    pub piece: u32,
    pub music: Option<TuneId>,
    /// When the music began. It goes on behind whatever is said.
    pub music_since: Instant,
    pub arrived: Instant,
    pub caller: Leg,
    /// Shown on the phones that ring.
    pub shown: Party,
    /// The caller's offer, until it is answered.
    pub offer: Option<Body>,
    /// Phones that ring, and the one that talks.
    pub others: Vec<Leg>,
    /// The leg that the caller talks with.
    pub talks_with: Option<LegId>,
    /// Whether they ever talked with anyone.
    pub was_connected: bool,
    /// What a call is besides, that a phone of ours placed.
    pub own: Option<Box<Own>>,
    /// A queue that did not keep them has sent them to a centre; once is enough.
    pub sent_out: bool,
    /// Whom it calls back, where it does.
    pub back: Option<Box<Origin>>,
}

impl Call {
    /// A call that has just come in.
    pub(super) fn new(
        io: &Io,
        goal: Goal,
        caller: Leg,
        (invited, arrival): (&Invited, &Arrival),
        own: Option<Box<Own>>,
    ) -> Self {
        Self {
            name: arrival.id.clone(),
            goal,
            number: arrival.caller.clone(),
            dialled: arrival.dialled.clone(),
            district: arrival.district.clone(),
            forwards: invited.forwards,
            trunk: arrival.trunk,
            rung: None,
            line: arrival.line.clone(),
            languages: Vec::new(),
            priority: 0,
            emergency: false,
            keys: Keys::default(),
            later: Vec::new(),
            says: Vec::new(),
            piece: 0,
            music: None,
            music_since: io.cx.now.instant,
            arrived: io.cx.now.instant,
            shown: routing::shown(io.settings, invited, io.host),
            caller,
            offer: invited.offer.clone(),
            others: Vec::new(),
            talks_with: None,
            was_connected: false,
            own,
            sent_out: false,
            back: None,
        }
    }

    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs().find(|leg| leg.id == id)
    }

    pub fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        std::iter::once(&mut self.caller).chain(&mut self.others).find(|leg| leg.id == id)
    }

    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        let there = |leg: &&Leg| leg.stage != Stage::Absent;
        std::iter::once(&self.caller).filter(there).chain(&self.others)
    }

    /// The party at the other end from `id`, while the two talk.
    pub fn peer_of(&self, id: LegId) -> Option<&Leg> {
        let with = self.talks_with?;
        if id == self.caller.id {
            self.leg(with)
        } else if id == with {
            Some(&self.caller)
        } else {
            None
        }
    }

    pub fn peer_of_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        let peer = self.peer_of(id)?.id;
        self.leg_mut(peer)
    }

    /// The agent that the caller talks with.
    pub fn agent(&self) -> Option<AgentId> {
        match self.leg(self.talks_with?)?.role {
            Role::Agent(agent) => Some(agent),
            Role::Caller | Role::Target => None,
        }
    }

    /// The leg of this agent that has answered.
    pub fn answered_by(&self, agent: AgentId) -> Option<&Leg> {
        self.others.iter().find(|leg| leg.role == Role::Agent(agent) && leg.stage == Stage::Up)
    }

    pub fn rings_at(&self, agent: AgentId) -> bool {
        self.others.iter().any(|leg| leg.role == Role::Agent(agent))
    }

    /// The music that the parties of this call hear, as far as it has come.
    pub fn music(&self) -> Option<Music> {
        self.music.map(|tune| Music { tune, since: self.music_since })
    }

    /// What this leg hears of tunes: a party on hold music, a waiting caller also what they are
    /// told just now, from its beginning.
    pub fn hears(&self, leg: &Leg) -> Option<Command> {
        let waits = leg.id == self.caller.id && self.talks_with.is_none();
        let tunes = if waits { self.says.clone() } else { Vec::new() };
        let (port, piece, then) = (leg.side.port, self.piece, self.music());
        (then.is_some() || !tunes.is_empty()).then_some(Command::Play { port, piece, tunes, then })
    }

    pub fn take_other(&mut self, id: LegId) -> Option<Leg> {
        let at = self.others.iter().position(|leg| leg.id == id)?;
        Some(self.others.remove(at))
    }
}
