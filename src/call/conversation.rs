//! One conversation: a caller, the phones that ring for them, whoever talks with them; and who of
//! them hears whom.

use super::back::Origin;
use super::calls::Io;
use super::ears::Watcher;
use super::handover::{Handover, Way};
use super::leg::{Leg, Stage};
use super::own::{Kind, Own};
use super::park::Parked;
use super::peer::Told;
use super::{Arrival, End, EndedBy, Goal, Keys, Role, routing};
use crate::base::{AgentId, Instant, LegId, QueueId, TrunkId, TuneId};
use crate::media::control::{Command, Music};
use crate::say::Phrase;
use crate::sip::{Body, FORWARDS, Invited, Party};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// Here, or at the other switch that handed them over.
    pub arrived: Instant,
    pub caller: Leg,
    /// How the caller left a call that others go on with.
    pub left: Option<EndedBy>,
    /// Shown on the phones that ring.
    pub shown: Party,
    /// The caller's offer, until it is answered.
    pub offer: Option<Body>,
    /// Phones that ring, and those that talk.
    pub others: Vec<Leg>,
    /// Who hears whom: the legs that hear one another, in the order in which they came. None:
    /// nobody talks. One: it waits for another. Two: a pair. More: a room. Whoever has answered and
    /// is not among them is apart, and hears music if it is the caller.
    pub talk: Vec<LegId>,
    /// Supervisors who hear what is said, or are rung to. They are in no conversation.
    pub watchers: Vec<Watcher>,
    /// The agent whom the desk found, while they have the call; others were asked for by name.
    pub found: Option<AgentId>,
    /// Somebody was named who is to have the call, or to be asked about it first.
    pub handover: Option<Box<Handover>>,
    pub parked: Option<Parked>,
    /// Who keeps the caller on hold, as last told.
    pub held: Option<Role>,
    /// Whether they ever talked with anyone, and whether they had before whoever talks now.
    pub was_connected: bool,
    pub was_connected_before: bool,
    /// When whoever they talk with answered.
    pub connected: Instant,
    /// The last agent who talked with them, and what the call is about, as one of them has said:
    /// whoever is next is told before they answer.
    pub last_agent: Option<AgentId>,
    pub category: String,
    /// Agents at numbers outside, who are to press a key before they have the caller.
    pub confirms: BTreeSet<AgentId>,
    /// What a call is besides, that a phone of ours placed.
    pub own: Option<Box<Own>>,
    /// The trunk to the centre that rings for them, or has them, ...
    pub centre: Option<TrunkId>,
    /// ... and when it was dialled, or said last that they are in its line.
    pub centre_since: Instant,
    /// They came from a switch that keeps their place until they are answered.
    pub lent: bool,
    /// What the call was called wherever they were before.
    pub passed: Vec<String>,
    /// A queue that did not keep them has sent them to a centre; once is enough.
    pub sent_out: bool,
    /// A queue did not keep them, which they are told just now, and how the call ends then.
    pub away: Option<(QueueId, End)>,
    /// Queues that have let the caller in, on the way from one to the other.
    pub been: BTreeSet<QueueId>,
    /// Whom it calls back, where it does.
    pub back: Option<Box<Origin>>,
    /// Its line says that it is recorded.
    pub recorded: bool,
    /// Those who talk have heard that it may be.
    pub told: bool,
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
        let told = Told::by(io.settings, invited).unwrap_or_default();
        Self {
            name: arrival.id.clone(),
            goal,
            number: arrival.caller.clone(),
            dialled: arrival.dialled.clone(),
            district: arrival.district.clone(),
            forwards: invited.forwards,
            trunk: arrival.trunk,
            line: arrival.line.clone(),
            emergency: told.emergency,
            lent: told.lent,
            passed: told.passed,
            told: told.noticed,
            arrived: io.cx.now.instant - told.waited,
            shown: routing::shown(io.settings, invited, io.host),
            offer: invited.offer.clone(),
            own,
            ..Self::blank(caller, io.cx.now.instant)
        }
    }

    /// A call of which nothing is known yet.
    pub(super) fn blank(caller: Leg, now: Instant) -> Self {
        Self {
            name: String::new(),
            goal: Goal::Placed,
            number: String::new(),
            dialled: String::new(),
            forwards: FORWARDS,
            district: String::new(),
            trunk: None,
            rung: None,
            line: String::new(),
            languages: Vec::new(),
            priority: 0,
            emergency: false,
            keys: Keys::default(),
            later: Vec::new(),
            says: Vec::new(),
            piece: 0,
            music: None,
            music_since: now,
            arrived: now,
            caller,
            left: None,
            shown: Party::default(),
            offer: None,
            others: Vec::new(),
            talk: Vec::new(),
            watchers: Vec::new(),
            found: None,
            handover: None,
            parked: None,
            held: None,
            was_connected: false,
            was_connected_before: false,
            connected: now,
            last_agent: None,
            category: String::new(),
            confirms: BTreeSet::new(),
            own: None,
            centre: None,
            centre_since: now,
            lent: false,
            passed: Vec::new(),
            sent_out: false,
            away: None,
            been: BTreeSet::new(),
            back: None,
            recorded: false,
            told: false,
        }
    }

    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs().find(|leg| leg.id == id)
    }

    pub fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs_mut().find(|leg| leg.id == id)
    }

    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        let watch = self.watchers.iter().flat_map(|watcher| &watcher.legs);
        std::iter::once(&self.caller).filter(|_| self.has_caller()).chain(&self.others).chain(watch)
    }

    pub fn legs_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        let there = self.has_caller();
        let watch = self.watchers.iter_mut().flat_map(|watcher| &mut watcher.legs);
        let caller = std::iter::once(&mut self.caller).filter(move |_| there);
        caller.chain(&mut self.others).chain(watch)
    }

    /// There is a leg of the caller: they have not left, and whoever is called back was dialled.
    pub fn has_caller(&self) -> bool {
        self.left.is_none() && self.caller.stage != Stage::Absent
    }

    /// The caller was answered, by whomever, and has not gone.
    pub fn is_caller_up(&self) -> bool {
        self.left.is_none() && self.caller.stage == Stage::Up
    }

    /// Somebody takes care of the caller: talks with them or about them, is rung by name, or has
    /// parked them.
    pub fn is_served(&self) -> bool {
        !self.talk.is_empty() || self.handover.is_some() || self.parked.is_some()
    }

    /// An agent has answered for somebody who is being dialled.
    pub fn is_dialled_back(&self) -> bool {
        self.back.is_some() && !self.talk.is_empty() && !self.was_connected
    }

    /// Who is told what is to be said: the caller; the agent of a call back until they are there.
    pub fn listener(&self) -> LegId {
        match self.talk.first() {
            Some(agent) if self.is_dialled_back() => *agent,
            Some(_) | None => self.caller.id,
        }
    }

    pub fn is_talking(&self, leg: LegId) -> bool {
        self.talk.contains(&leg)
    }

    /// Whether anybody hears this leg.
    pub fn is_heard(&self, leg: LegId) -> bool {
        self.talk.len() > 1 && self.is_talking(leg)
    }

    /// The party at the other end from `id`, while just the two talk.
    pub fn peer_of(&self, id: LegId) -> Option<&Leg> {
        match self.talk[..] {
            [a, b] if a == id => self.leg(b),
            [a, b] if b == id => self.leg(a),
            _ => None,
        }
    }

    /// The legs of the conversation but the caller's.
    pub fn partners(&self) -> impl Iterator<Item = &Leg> {
        self.others.iter().filter(|leg| self.is_talking(leg.id))
    }

    /// Whether the call needs this leg: it talks, or stays on while the call is handed over or the
    /// slot is named to it.
    pub fn needs(&self, leg: LegId) -> bool {
        self.is_talking(leg)
            || self.is_told_slot(leg)
            || self.handover.as_ref().is_some_and(|over| over.by == Some(leg))
    }

    /// Whether this leg is told just now where it has parked the caller.
    pub fn is_told_slot(&self, leg: LegId) -> bool {
        self.parked.is_some_and(|parked| parked.told == Some(leg))
    }

    /// Whether this agent has the call in hand: a phone of theirs was answered for it.
    pub fn has(&self, agent: AgentId) -> bool {
        self.answered_by(agent).is_some()
    }

    /// The leg of this agent that has answered, and not only what stands at their number.
    pub fn answered_by(&self, agent: AgentId) -> Option<&Leg> {
        let answered = |leg: &&Leg| leg.role == Role::Agent(agent) && leg.stage == Stage::Up;
        self.others.iter().find(answered).filter(|_| !self.confirms.contains(&agent))
    }

    pub fn rings_at(&self, agent: AgentId) -> bool {
        self.others.iter().any(|leg| leg.role == Role::Agent(agent) && !leg.cancelled)
    }

    /// The music that the parties of this call hear, as far as it has come.
    pub fn music(&self) -> Option<Music> {
        self.music.map(|tune| Music { tune, since: self.music_since })
    }

    /// What this leg hears of tunes: a party on hold music, whoever waits also what they are told
    /// just now, from its beginning.
    pub fn hears(&self, leg: &Leg) -> Option<Command> {
        let waits = leg.id == self.listener() && !self.is_heard(leg.id);
        let tunes = if waits { self.says.clone() } else { Vec::new() };
        let (port, piece, then) = (leg.side.port, self.piece, self.behind(leg.id));
        (then.is_some() || !tunes.is_empty()).then_some(Command::Play { port, piece, tunes, then })
    }

    /// Whether this leg waits for somebody to be asked about the call, who is still rung.
    pub fn asks(&self, leg: LegId) -> bool {
        let asks =
            |over: &Handover| over.way == Way::Consult && over.rings() && over.by == Some(leg);
        self.talk == [leg] && self.handover.as_deref().is_some_and(asks)
    }

    /// What goes on behind whatever this leg is told, where it hears anything so.
    pub fn behind(&self, leg: LegId) -> Option<Music> {
        match self.asks(leg) {
            true => self.handover.as_ref().and_then(|over| over.tone),
            false => self.music(),
        }
    }

    /// Every agent with a phone that rings for the call or is in it, once.
    pub fn agents(&self) -> Vec<AgentId> {
        let in_use = self.others.iter().filter(|leg| !leg.cancelled);
        let mut agents: Vec<AgentId> = in_use.filter_map(Leg::agent).collect();
        agents.sort_unstable();
        agents.dedup();
        agents
    }

    /// The queue in which the caller waits, or to which they return.
    pub fn queue(&self) -> Option<QueueId> {
        self.goal.queue()
    }

    /// Who keeps the caller waiting in the midst of the call: a party that has put the other on
    /// hold, or whoever talks, or waits to talk, without the caller.
    pub fn keeps_waiting(&self) -> Option<Role> {
        if !self.is_caller_up() {
            return None;
        }
        if !self.is_talking(self.caller.id) {
            return self.talk.first().and_then(|leg| self.leg(*leg)).map(|leg| leg.role);
        }
        let pair = self.talk.len() == 2;
        let holds = |leg: &&Leg| leg.side.held() && (pair || leg.role == Role::Caller);
        self.talk.iter().filter_map(|id| self.leg(*id)).find(holds).map(|leg| leg.role)
    }

    /// Whether this leg hears music: it is the caller, and nobody talks with them; the one who
    /// does has put them on hold; or it is an agent for whom somebody is still dialled or rung.
    pub fn hears_music(&self, leg: &Leg) -> bool {
        if leg.stage != Stage::Up {
            return false;
        }
        match self.is_talking(leg.id) {
            true => {
                let held = || self.peer_of(leg.id).is_some_and(|peer| peer.side.held());
                self.is_dialled_back() || self.asks(leg.id) || held()
            }
            false => leg.role == Role::Caller,
        }
    }

    /// Somebody keys in codes here: there is no other party.
    pub fn is_coded(&self) -> bool {
        self.own.as_ref().is_some_and(|own| matches!(own.kind, Kind::Code(_) | Kind::Home(_)))
    }

    pub fn take_other(&mut self, id: LegId) -> Option<Leg> {
        let at = self.others.iter().position(|leg| leg.id == id)?;
        Some(self.others.remove(at))
    }
}
