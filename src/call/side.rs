//! The media side of a leg: what was offered and answered (RFC 3264), and so where audio goes.
//!
//! In: bodies from the far end. Out: bodies for it, and what the data plane must know. Decides
//! codecs; knows no call.

mod keys;

use super::MediaSettings;
use crate::base::Id;
use crate::base::{PortId, Rng};
use crate::media::control::{Command, Far, Networks, Seals};
use crate::sip::Body;
use crate::wire::codec::Codec;
use crate::wire::opus::Terms;
use crate::wire::sdp::{Audio, Direction, Events, Family, Format, Ours, Session, Srtp, Suite};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Payload type that we offer for telephone-event; what trunks and phones use most.
const EVENT: u8 = 101;
/// The same beside Opus, whose clock is another.
const EVENT_WIDE: u8 = 102;
/// Payload type of comfort noise (RFC 3551 section 6).
const COMFORT: u8 = 13;
/// Milliseconds of audio in a packet: what we ask for, and what we send where nothing is asked.
const PTIME: u16 = 20;
/// `Content-Type` of a session description.
pub const SDP: &str = "application/sdp";
/// Not Acceptable Here: nothing in the offer that we can serve.
const NOT_ACCEPTABLE: u16 = 488;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    pub port: PortId,
    /// Of the address that the port is bound at.
    family: Family,
    id: u64,
    version: u64,
    /// The first description of ours that names the port that we have, until the far end agrees.
    astray: Option<u64>,
    /// What the far end agreed to, once it has.
    pub far: Option<Far>,
    /// The host that the far end's signalling comes from.
    pub signalled: Option<IpAddr>,
    /// It comes from where keys are tones in the sound.
    pub inband: bool,
    /// Where else its sound may come from.
    pub media_from: Networks,
    /// Nobody else is heard unless they prove that they hear us.
    pub strict: bool,
    /// Whether its sound is sealed.
    pub srtp: Srtp,
    /// What our keys are made of, one for each suite: whoever has agreed to one goes on with it for
    /// as long as the leg lasts.
    own: Rng,
    /// What we have said of keys so far, as tags and suites: it may be answered to any of it, for
    /// one offer has several answers where it forks or where sound comes early, and a refresh
    /// repeats what was said long ago.
    said: Vec<(u32, Suite)>,
    /// An offer of ours has no answer yet; whether it has keys.
    pending: Option<bool>,
    /// The keys that were agreed, and whether ever any were.
    seals: Option<Seals>,
    was_sealed: bool,
    /// The profile that they stand in: RTP/AVP too, in a description that could do without.
    profile: Option<Box<str>>,
    /// The far end's last description where it has more than one media line: a later offer of ours
    /// must mirror every one.
    theirs: Option<(Box<Session>, usize)>,
    /// What their first offer was answered with before the call was.
    early: Option<Body>,
    /// Our first offer had RTCP go with RTP, and has no answer yet.
    offers_mux: bool,
    /// What the other party wants to be sent: what the far end says may reach them as it is.
    wanted: Option<Wants>,
    /// Milliseconds of sound in the longest packet that the far end takes.
    most: Option<u16>,
    /// Every codec that the far end's last description has.
    knows: Vec<Codec>,
    /// It was asked to speak what the other party speaks.
    was_asked: bool,
    /// Payload types from 96 on that the far end has given a meaning, as bits: whatever it was,
    /// they have no other as long as the session lasts.
    dynamic: u32,
}

/// What one party speaks, as far as the other's description should be like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub codec: Codec,
    /// It may be silent in its pauses.
    pub comfort: bool,
    /// What it wants to be sent, where it is somebody else who is to send it.
    pub wants: Option<Wants>,
}

/// How a party wants sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    pub opus: Terms,
    /// Milliseconds of it in a packet, and in the longest that it takes.
    pub ptime: u8,
    pub most: Option<u16>,
}

impl Side {
    /// `family`: until the far end has offered something in the other.
    pub fn new(port: PortId, family: Family, rng: &mut Rng) -> Self {
        // RFC 8866 section 5.2: numeric; 62 bits, since some phones read it as a signed number.
        Self { id: rng.bits() >> 2, own: rng.fork(), port, family, ..Self::nowhere() }
    }

    /// Of a leg that there is not.
    pub fn nowhere() -> Self {
        Self {
            port: PortId(u64::MAX),
            family: Family::V4,
            id: 0,
            version: 0,
            astray: None,
            far: None,
            signalled: None,
            inband: false,
            media_from: Networks::default(),
            strict: false,
            srtp: Srtp::Off,
            own: Rng::new(0),
            said: Vec::new(),
            pending: None,
            seals: None,
            was_sealed: false,
            profile: None,
            theirs: None,
            early: None,
            offers_mux: false,
            wanted: None,
            most: None,
            knows: Vec::new(),
            was_asked: false,
            dynamic: 0,
        }
    }

    /// The port, and the family of the address that it is opened at.
    pub fn door(&self) -> (PortId, Family) {
        (self.port, self.family)
    }

    /// Goes over to the family of an offer that has none of ours: what is to be answered next is
    /// answered from there. Whether anything has changed.
    pub fn follow(&mut self, media: &MediaSettings, offer: &Body) -> bool {
        let srtp = self.policy();
        let Ok((_, audio)) = read(media.homes.families(), srtp, offer) else { return false };
        let family = Family::of(audio.rtp.ip());
        let moves = !audio.rtp.ip().is_unspecified() && read(&[self.family], srtp, offer).is_err();
        if moves {
            self.family = family;
        }
        moves
    }

    /// A later offer of what is spoken.
    pub fn offer_again(&mut self, media: &MediaSettings) -> Body {
        let own = self.spoken().map(|own| Spoken { wants: None, ..own });
        self.offer(media, own)
    }

    /// Our offer: every codec that we know, that of the other party before the others.
    pub fn offer(&mut self, media: &MediaSettings, other: Option<Spoken>) -> Body {
        self.wanted = other.and_then(|other| other.wants).or(self.wanted);
        // RFC 5761 section 5.1.1: whoever knows nothing of it answers without, and is sent RTCP at
        // the port after RTP's as ever.
        self.offers_mux = self.far.is_none();
        let (mut formats, events) = self.offered(media);
        formats.sort_by_key(|format| other.is_none_or(|other| format.codec != other.codec));
        let comfort = other.filter(|other| other.comfort).map(|_| COMFORT);
        let mut ours = self.ours(media, formats, (events, comfort), Direction::SendRecv);
        ours.crypto = self.keys();
        self.pending = Some(!ours.crypto.is_empty());
        self.say(&ours.crypto);
        let session = match &self.theirs {
            Some((theirs, line)) => ours.mirror(theirs, *line),
            None => ours.offer(self.profile()),
        };
        body(&session)
    }

    /// Our answer to an offer, or the status that refuses it.
    pub fn answer(&mut self, media: &MediaSettings, offer: &Body) -> Result<Body, u16> {
        self.answer_beside(media, offer, None)
    }

    /// The same to a party whose far end is at hand already, and answers only later, to be said as
    /// often as need be. RFC 3261 section 13.2.1: "the same exact answer MAY also be placed in any
    /// provisional responses sent prior to the answer."
    pub fn answer_early(
        &mut self,
        media: &MediaSettings,
        offer: &Body,
        other: Option<Spoken>,
    ) -> Result<Body, u16> {
        if let Some(said) = &self.early {
            return Ok(said.clone());
        }
        let answer = self.answer_beside(media, offer, other)?;
        self.early = Some(answer.clone());
        Ok(answer)
    }

    /// The answer that goes with the 2xx, and whether it was said before.
    pub fn answer_at_last(
        &mut self,
        media: &MediaSettings,
        offer: &Body,
        other: Option<Spoken>,
    ) -> (Result<Body, u16>, bool) {
        match self.early.take() {
            Some(said) => (Ok(said), true),
            None => (self.answer_beside(media, offer, other), false),
        }
    }

    /// What is spoken goes on where the offer still has it; at first, the codec of the `other`
    /// party is the best, since nothing has to be converted then. Before there is one, ours are
    /// tried in their order, for it is that of the phones that will be rung.
    fn answer_beside(
        &mut self,
        media: &MediaSettings,
        offer: &Body,
        other: Option<Spoken>,
    ) -> Result<Body, u16> {
        let like = self.spoken().or(other).map(|spoken| spoken.codec);
        self.wanted = other.and_then(|other| other.wants).or(self.wanted);
        let (theirs, audio) = read(&[self.family], self.policy(), offer)?;
        // RFC 4568 section 5.1.2: one line, with the tag and the suite of the one that is taken.
        let key = self.beside(&audio)?;
        let of = |codec: &Codec| audio.format(*codec);
        let own = self.codecs(media, audio.events != Events::default());
        let liked = like.filter(|like| own.contains(like)).and_then(|like| of(&like));
        let any = || own.iter().chain(&media.codecs).find_map(of);
        let format = liked.or_else(any).ok_or(NOT_ACCEPTABLE)?;
        // An answer has the numbers of the offer.
        self.agree(&theirs, &audio, format, (format.payload, audio.events));
        let named = |codec: Codec| of(&codec).filter(|_| own.contains(&codec)).map(|f| f.payload);
        self.far.iter_mut().for_each(|far| far.named = Codec::ALL.map(named));
        let direction = audio.direction.reversed();
        let events = audio.events.only_beside(format.codec);
        let comfort = self.far.and_then(|far| far.comfort);
        let mut ours = self.ours(media, vec![format], (events, comfort), direction);
        ours.crypto = key.into_iter().collect();
        self.say(&ours.crypto);
        self.seal(&theirs, &audio, key);
        let answer = body(&ours.mirror(&theirs, audio.line));
        self.astray = None;
        // An offer in a PRACK or an UPDATE: the first is history.
        if let Some(early) = &mut self.early {
            early.clone_from(&answer);
        }
        Ok(answer)
    }

    /// The far end's answer to our offer; an error where it is none that can be served.
    pub fn accept(&mut self, media: &MediaSettings, answer: &Body) -> Result<(), u16> {
        self.pending = None;
        // What was offered plain stays so, whatever stands beside it.
        let srtp = if self.said.is_empty() { Srtp::Off } else { Srtp::Require };
        let (theirs, mut audio) = read(&[self.family], srtp, answer)?;
        let own = self.named(&audio)?;
        let served = |format: &&Format| media.codecs.contains(&format.codec);
        let format = *audio.formats.iter().find(served).ok_or(NOT_ACCEPTABLE)?;
        // RFC 5761 section 5.1.1: an answer has it only where the offer had.
        if audio.rtcp == audio.rtp && !self.is_muxed() {
            audio.rtcp.set_port(audio.rtp.port().saturating_add(1));
        }
        // Nothing has changed since.
        let (formats, events) = self.offered(media);
        self.astray = self.astray.filter(|named| *named > self.version);
        // Under our numbers, which it must send by.
        let named = |codec: Codec| {
            let ours = formats.iter().find(|ours| ours.codec == codec);
            ours.filter(|_| audio.format(codec).is_some()).map(|ours| ours.payload)
        };
        let number = named(format.codec).unwrap_or(format.payload);
        self.agree(&theirs, &audio, format, (number, events));
        self.far.iter_mut().for_each(|far| far.named = Codec::ALL.map(named));
        self.seal(&theirs, &audio, own);
        Ok(())
    }

    /// The same to an offer that another one of ours waits behind: that one is still to be
    /// answered, and what it tells them they do not know yet.
    pub fn accept_meanwhile(&mut self, media: &MediaSettings, answer: &Body) -> Result<(), u16> {
        let (pending, astray) = (self.pending, self.astray);
        let accepted = self.accept(media, answer);
        (self.pending, self.astray) = (pending, astray);
        accepted
    }

    /// The codecs of the configuration. Where keys are tones in the sound, only those that let them
    /// through as they are.
    fn codecs(&self, media: &MediaSettings, has_events: bool) -> Vec<Codec> {
        let laws: Vec<Codec> =
            media.codecs.iter().copied().filter(|codec| codec.law().is_some()).collect();
        let only = self.inband && !has_events && !laws.is_empty();
        if only { laws } else { media.codecs.clone() }
    }

    /// Whether to ask the far end, which knows the codec of the other party, to speak it as well:
    /// once, and where what they speak now would have to be converted.
    pub fn could_speak(&mut self, media: &MediaSettings, like: Spoken) -> bool {
        let Some(far) = self.far else { return false };
        let alike = far.codec == like.codec || far.codec.law().and(like.codec.law()).is_some();
        let can =
            self.knows.contains(&like.codec) && self.codecs(media, false).contains(&like.codec);
        !alike && can && !std::mem::replace(&mut self.was_asked, true)
    }

    /// What an offer of ours names, in our own order.
    fn offered(&self, media: &MediaSettings) -> (Vec<Format>, Events) {
        let format = |codec: &Codec| Format { codec: *codec, payload: self.number(*codec) };
        let formats: Vec<Format> = self.codecs(media, false).iter().map(format).collect();
        let events = self.events(&formats);
        (formats, events)
    }

    /// The same session on another port, after the system took the first away.
    pub fn move_to(&mut self, port: PortId) {
        self.port = port;
        // Whoever has been told nothing is told of the right one.
        self.astray = (self.version > 0).then_some(self.version + 1);
    }

    /// Whether the far end knows no port of ours that is open.
    pub fn is_astray(&self) -> bool {
        self.astray.is_some()
    }

    /// What the data plane must know, once the far end has agreed.
    pub fn commands(&self) -> impl Iterator<Item = Command> + use<> {
        let (port, keys) = (self.port, self.seals);
        let seal = self.far.filter(|_| self.was_sealed).map(|_| Command::Seal { port, keys });
        let agree = self.far.map(|far| Command::Agree { port, far });
        seal.into_iter().chain(agree)
    }

    /// What the far end speaks, once it has agreed.
    pub fn spoken(&self) -> Option<Spoken> {
        self.far.map(|far| Spoken {
            codec: far.codec,
            comfort: far.comfort.is_some(),
            wants: Some(Wants { opus: far.opus, ptime: far.ptime, most: self.most }),
        })
    }

    /// Whether the far end has put us on hold.
    pub fn held(&self) -> bool {
        self.far.is_some_and(|far| !far.hears)
    }

    /// `ours`: the payload types that we have said, of the codec and of telephone-event.
    fn agree(
        &mut self,
        theirs: &Session,
        audio: &Audio,
        Format { codec, payload }: Format,
        ours: (u8, Events),
    ) {
        self.offers_mux = false;
        let numbers = theirs.media.get(audio.line).into_iter().flat_map(|media| &media.formats);
        let numbers = numbers.filter_map(|number| number.parse().ok()).filter_map(in_order);
        self.dynamic = numbers.fold(self.dynamic, |mask, at| mask | 1 << at);
        self.knows = audio.formats.iter().map(|format| format.codec).collect();
        self.theirs = (theirs.media.len() > 1).then(|| (Box::new(theirs.clone()), audio.line));
        self.most = audio.maxptime;
        let event = audio.events.beside(codec);
        let our_event = event.and_then(|(_, clock)| ours.1.at(clock));
        self.far = Some(Far {
            rtp: audio.rtp,
            rtcp: audio.rtcp,
            signalled: self.signalled,
            ssrc: audio.ssrc,
            networks: self.media_from,
            strict: self.strict,
            codec,
            payload,
            ours: ours.0,
            event: event.map(|(payload, _)| payload),
            our_event,
            event_clock: event.map_or(codec.clock(), |(_, clock)| clock),
            named: [None; Codec::ALL.len()],
            // RFC 3389 section 4: at the clock of the codec, and Opus has its own.
            comfort: audio.comfort.filter(|_| codec.clock() == 8_000),
            ptime: audio.ptime.unwrap_or(PTIME).clamp(10, 60) as u8,
            opus: audio.opus,
            inband: self.inband && event.is_none(),
            hears: audio.direction.receives(),
            speaks: audio.direction.sends(),
        });
    }

    /// Whether RTCP goes with RTP, as it does where both have said so, or as we have offered.
    fn is_muxed(&self) -> bool {
        self.offers_mux || self.far.is_some_and(|far| far.rtcp == far.rtp)
    }

    /// Under which payload type we offer a codec. RFC 3264 section 8.3.2: a number keeps its
    /// meaning for as long as the session lasts.
    fn number(&self, codec: Codec) -> u8 {
        let own = |far: Far| if far.codec == codec { Some(far.ours) } else { None };
        let named = |far: Far| far.named[codec as usize];
        let before = self.far.and_then(|far| own(far).or(named(far)));
        before.unwrap_or_else(|| free(codec.our_payload(), &self.taken()))
    }

    /// Payload types that mean something already.
    fn taken(&self) -> Vec<u8> {
        let all = |far: Far| {
            let own = [Some(far.payload), Some(far.ours), far.event, far.our_event];
            own.into_iter().chain(far.named).flatten()
        };
        let theirs = (DYNAMIC..=127)
            .filter(|number| in_order(*number).is_some_and(|at| self.dynamic >> at & 1 != 0));
        self.far.into_iter().flat_map(all).chain(theirs).collect()
    }

    /// Those of our offer.
    fn events(&self, formats: &[Format]) -> Events {
        let is_wide = formats.iter().any(|format| format.codec.clock() == 48_000);
        let known =
            |clock: u32| self.far.filter(|far| far.event_clock == clock).and_then(|f| f.our_event);
        let mut taken = self.taken();
        taken.extend(formats.iter().map(|format| format.payload));
        let narrow = known(8_000).unwrap_or_else(|| free(EVENT, &taken));
        taken.push(narrow);
        let wide = || known(48_000).unwrap_or_else(|| free(EVENT_WIDE, &taken));
        Events { narrow: Some(narrow), wide: is_wide.then(wide) }
    }

    fn ours(
        &mut self,
        media: &MediaSettings,
        formats: Vec<Format>,
        (events, comfort): (Events, Option<u8>),
        direction: Direction,
    ) -> Ours {
        self.version += 1;
        let own = self.far.map_or(PTIME, |far| u16::from(far.ptime));
        Ours {
            id: self.id,
            version: self.version,
            address: media.homes.of(self.family).advertise,
            port: self.port.slot() as u16,
            mux: self.is_muxed(),
            formats,
            events,
            comfort,
            ptime: self.wanted.map(|wants| wants.ptime).map_or(own, u16::from),
            // Whoever takes no longer ones is sent theirs as they are.
            maxptime: self.wanted.and_then(|wants| wants.most),
            opus: self.wanted.map_or_else(Terms::default, |wants| wants.opus),
            direction,
            crypto: Vec::new(),
        }
    }
}

/// RFC 3551 section 3: payload types from this one on are nobody's, until somebody says so.
const DYNAMIC: u8 = 96;

/// How manieth of those that are nobody's it is.
fn in_order(number: u8) -> Option<u8> {
    number.checked_sub(DYNAMIC).filter(|at| *at < 32)
}

/// A payload type that means nothing yet, this one if it can be.
fn free(dear: u8, taken: &[u8]) -> u8 {
    let mut all = std::iter::once(dear).chain(DYNAMIC..=127);
    all.find(|number| !taken.contains(number)).unwrap_or(dear)
}

/// The far end's description, and the audio of it.
fn read(ours: &[Family], srtp: Srtp, body: &Body) -> Result<(Session, Audio), u16> {
    let theirs = Session::parse(&body.bytes).map_err(|_| NOT_ACCEPTABLE)?;
    let audio = theirs.audio(ours, srtp).map_err(|_| NOT_ACCEPTABLE)?;
    Ok((theirs, audio))
}

fn body(session: &Session) -> Body {
    Body { kind: SDP.into(), bytes: session.to_string().into_bytes().into() }
}

#[cfg(test)]
mod tests;
