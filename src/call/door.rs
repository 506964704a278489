//! The door: who may come in, what the number means that they called, what they hear first, and
//! where they wait. Whoever may not come in is told when to try again, or why not.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::own::{Begun, Own};
use super::peer::Told;
use super::routing::{self, Book};
use super::side::Side;
use super::{Arrival, Centre, Effect, Fact, Flag, Goal, Line, Role, Settings};
use crate::base::{CallId, LegId, PortId, TrunkId};
use crate::sip::{Act, Body, Cause, Invited, Source};

impl Calls {
    /// A call is at the door.
    pub fn invited(&mut self, io: &mut Io, leg: LegId, invited: Invited) {
        self.ports.look_again(io.cx.now.instant);
        self.missed.expire(io);
        if let Some(wanted) = self.wanted(io, &invited) {
            return self.seize(io, leg, &invited, wanted);
        }
        let dialled = routing::dialled(io.book(), &invited);
        if Told::by(io.settings, &invited).is_some_and(|told| self.has_had(&told)) {
            // RFC 3261 section 21.4.22: "The server has detected a loop".
            let cause = Some(Cause { q850: Some(25), ..Cause::default() });
            let act = Act::Refuse { status: 482, cause, retry_after: None };
            return io.out.push(Effect::Act { leg, act });
        }
        let known = &self.choices;
        let (book, now) = (io.book(), io.cx.now);
        let mut arrival = routing::arrival(book, &invited, &dialled, known, now, io.cx.rng);
        let now = io.cx.now.instant;
        // Of whoever is to be called back nobody is on the line.
        let alive = self.table.len() - self.backs;
        if let Err(seconds) = self.gate.admit(io.settings, alive, now, io.cx.rng) {
            self.not_let_in(io, dialled.line, &arrival);
            return refuse(io, leg, arrival, 503, Some(seconds));
        }
        if let Source::Trunk(_) = invited.source
            && let Some(why) = self.nuisance(io, dialled.line, &mut arrival)
        {
            return turn_away(io, leg, arrival, why);
        }
        let home = dialled.line.filter(|line| line.goal == Goal::Codes);
        let home = home.and_then(|_| io.settings.at_home(&arrival.caller));
        let home = home.map(|phone| phone.user.clone());
        if home.is_some() || matches!(invited.source, Source::User(_)) {
            return io.out.push(Effect::Begin(Box::new(Begun { leg, invited, arrival, home })));
        }
        self.admitted(io, leg, invited, arrival, None);
    }

    /// Whether a caller comes round: they are on the line here already, and were sent on.
    fn has_had(&self, told: &Told) -> bool {
        told.passed.iter().any(|call| self.named(call).is_some())
    }

    /// Why a caller may not come in, on a line that keeps nuisances out.
    fn nuisance(&mut self, io: &Io, line: Option<&Line>, arrival: &mut Arrival) -> Option<String> {
        let (settings, now) = (&io.settings.blocks, io.cx.now.instant);
        let burst = self.blocks.arrives(settings, &arrival.caller, now);
        if burst {
            arrival.flags.push(Flag::Burst);
        }
        let block = self.blocks.of(&arrival.caller, now);
        match (line.is_some_and(|line| line.block), block) {
            (true, Some(block)) => Some(format!("blocked: {}", block.reason)),
            (true, None) if burst && settings.refuse_burst => Some("too many calls".into()),
            (true, None) | (false, _) => None,
        }
    }

    /// A call that may come in goes where its line leads.
    pub(super) fn admitted(
        &mut self,
        io: &mut Io,
        leg: LegId,
        invited: Invited,
        arrival: Arrival,
        own: Option<Box<Own>>,
    ) -> Option<CallId> {
        let Some(line) = routing::dialled(io.book(), &invited).line else {
            refuse(io, leg, arrival, 404, None);
            return None;
        };
        let Some(port) = self.port_from_outside(io) else {
            self.not_let_in(io, Some(line), &arrival);
            refuse(io, leg, arrival, 503, Some(10));
            return None;
        };
        let mut side = io.side(port, &invited);
        match first_description(&mut side, line, &invited, io.settings) {
            Ok(first) => {
                let caller = Leg::new(leg, Role::Caller, side, Stage::Trying);
                Some(self.accept(io, (line, caller), (invited, arrival, own), first))
            }
            Err(status) => {
                self.ports.give_back(port);
                not_served(io, leg, arrival, (status, &side), &invited);
                None
            }
        }
    }

    /// A port for whoever calls; what phones of ours need to ring is left to them.
    pub(super) fn port_from_outside(&mut self, io: &Io) -> Option<PortId> {
        // Phones that ring or talk have a port already.
        let busy = self.by_leg.len().saturating_sub(self.table.len());
        self.ports.take_for_caller(io.settings.phones.len().saturating_sub(busy))
    }

    /// `first` is what the caller is sent first.
    fn accept(
        &mut self,
        io: &mut Io,
        (line, caller): (&Line, Leg),
        (invited, arrival, own): (Invited, Arrival, Option<Box<Own>>),
        first: Option<Body>,
    ) -> CallId {
        let told = Told::by(io.settings, &invited).unwrap_or_default();
        // Nobody is asked what is known: by a peer everything, by a number or an earlier choice the
        // district.
        let asks = told.call.is_empty() && line.asks(&arrival.district);
        let (goal, centre) = match (&line.goal, asks) {
            (&Goal::Queue(queue), true) => (Goal::Menu { queue }, None),
            _ => self.goal(io.book(), line, &arrival.district, arrival.trunk),
        };
        // Who is lent is lent to nobody else.
        let (goal, centre) = match centre {
            Some(_) if told.lent => (line.goal.clone(), None),
            Some(_) | None => (goal, centre),
        };
        if routing::names_district(io.book(), &arrival) {
            self.choices.remember(&arrival.caller, &arrival.district, io.cx.now.instant);
        }
        let notice = io.settings.recording.notice(line, &goal);
        let call = Call::new(io, goal.clone(), caller, (&invited, &arrival), own);
        let call = Call {
            languages: languages(io.book(), line, &arrival.district),
            priority: line.priority,
            emergency: line.emergency || call.emergency,
            keys: line.keys,
            says: line.welcome.into_iter().chain(notice).collect(),
            music: line.music,
            recorded: line.record,
            ..call
        };
        let (arrived, emergency) = (call.arrived, call.emergency);
        let call = self.enter(io, call, arrival);
        if emergency {
            io.fact(Fact::Emergency { call });
        }
        if let Some(body) = first {
            self.greet(io, call, body);
        }
        match goal {
            Goal::Queue(queue) => {
                io.out.push(Effect::Join { call, queue, arrived });
            }
            Goal::Served { .. } => match centre {
                Some(trunk) => self.ring_centre(io, call, trunk),
                None => self.without_centre(io, call),
            },
            Goal::Menu { .. } => self.ask(io, call, line),
            Goal::Dial(uri) => self.dial_target(io, call, uri),
            // No line has one of these.
            Goal::Goodbye | Goal::Later { .. } | Goal::Placed => {}
            // Whoever is at home there was answered before; all others have another line.
            Goal::Codes => {}
        }
        call
    }

    /// Where the call goes: to the centre of its district, where that is known and can be had, or
    /// else where its line leads. A centre is not handed its own calls back.
    pub(super) fn goal(
        &self,
        book: Book,
        line: &Line,
        district: &str,
        from: Option<TrunkId>,
    ) -> (Goal, Option<TrunkId>) {
        if let (&Goal::Queue(queue), true) = (&line.goal, line.by_district)
            && let Some(district) = book.numbers.district(book.settings, district)
        {
            match district.centre {
                Centre::Queue(own) => return (Goal::Queue(own), None),
                Centre::Trunk(trunk) if from != Some(trunk) && !self.is_down(trunk) => {
                    return (Goal::Served { queue }, Some(trunk));
                }
                Centre::Trunk(_) => {}
            }
        }
        (line.goal.clone(), None)
    }
}

/// What the caller is sent first: the answer to their offer, our offer where they sent none, or
/// nothing yet where the far end is to speak first. The error is the status that refuses them.
fn first_description(
    side: &mut Side,
    line: &Line,
    invited: &Invited,
    settings: &Settings,
) -> Result<Option<Body>, u16> {
    let lent = Told::by(settings, invited).is_some_and(|told| told.lent);
    let late = lent || matches!(line.goal, Goal::Dial(_) | Goal::Placed);
    match (late, &invited.offer) {
        // Only a look: the answer is made when the far end, or an agent, has answered.
        (true, Some(offer)) => side.clone().answer(&settings.media, offer).map(|_| None),
        (true, None) => Ok(None),
        (false, Some(offer)) => side.answer(&settings.media, offer).map(Some),
        (false, None) => Ok(Some(side.offer(&settings.media, None))),
    }
}

/// The dialect of the district tells more than the line; what both say goes in this order.
fn languages(book: Book, line: &Line, district: &str) -> Vec<String> {
    let district = book.numbers.district(book.settings, district);
    let own = district.map_or(&[][..], |district| &district.languages);
    let mut languages: Vec<String> = Vec::new();
    for language in own.iter().chain(&line.languages) {
        if !languages.contains(language) {
            languages.push(language.clone());
        }
    }
    languages
}

/// A nuisance is told to stay away, and by a word that no network tries again after.
fn turn_away(io: &mut Io, leg: LegId, arrival: Arrival, why: String) {
    let text = "Calls from this number are not accepted for now".into();
    let cause = Some(Cause { q850: Some(21), sip: Some(603), text });
    io.out.push(Effect::Act { leg, act: Act::Refuse { status: 603, cause, retry_after: None } });
    io.fact(Fact::Refused { arrival: Box::new(arrival), status: 603, why });
}

/// Nothing that the caller offers can be served, and they are told why.
pub(super) fn not_served(
    io: &mut Io,
    leg: LegId,
    arrival: Arrival,
    (status, side): (u16, &Side),
    invited: &Invited,
) {
    let offer = invited.offer.as_ref();
    let why = offer.and_then(|offer| side.why_not(&io.settings.media, offer)).unwrap_or_default();
    let cause = Some(Cause { q850: Some(65), sip: Some(status), text: why.into() });
    io.out.push(Effect::Act { leg, act: Act::Refuse { status, cause, retry_after: None } });
    io.fact(Fact::Refused { arrival: Box::new(arrival), status, why: why.into() });
}

pub(super) fn refuse(
    io: &mut Io,
    leg: LegId,
    arrival: Arrival,
    status: u16,
    retry_after: Option<u32>,
) {
    let q850 = if status == 404 { Some(1) } else { Some(42) };
    let cause = Some(Cause { q850, ..Cause::default() });
    io.out.push(Effect::Act { leg, act: Act::Refuse { status, cause, retry_after } });
    io.fact(Fact::Refused { arrival: Box::new(arrival), status, why: String::new() });
}
