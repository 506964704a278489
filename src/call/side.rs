//! The media side of a leg: what was offered and answered (RFC 3264), and so where audio goes.
//!
//! In: bodies from the far end. Out: bodies for it, and what the data plane must know. Decides
//! codecs; knows no call.

use super::MediaSettings;
use crate::base::Id;
use crate::base::{PortId, Rng};
use crate::media::control::{Command, Far};
use crate::sip::Body;
use crate::wire::g711::Law;
use crate::wire::sdp::{Audio, Codec, Direction, Ours, Session};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Payload type that we offer for telephone-event; what trunks and phones use most.
const EVENT: u8 = 101;
/// `Content-Type` of a session description.
pub const SDP: &str = "application/sdp";
/// Not Acceptable Here: nothing in the offer that we can serve.
const NOT_ACCEPTABLE: u16 = 488;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    pub port: PortId,
    id: u64,
    version: u64,
    /// What the far end agreed to, once it has.
    pub far: Option<Far>,
    /// The host that the far end's signalling comes from.
    pub signalled: Option<IpAddr>,
    /// The far end's last description where it has more than one media line: a later offer of ours
    /// must mirror every one.
    theirs: Option<(Box<Session>, usize)>,
    /// What their first offer was answered with before the call was.
    early: Option<Body>,
}

impl Side {
    pub fn new(port: PortId, rng: &mut Rng) -> Self {
        // RFC 8866 section 5.2: numeric; 62 bits, since some phones read it as a signed number.
        Self { id: rng.bits() >> 2, port, ..Self::nowhere() }
    }

    /// Of a leg that there is not.
    pub fn nowhere() -> Self {
        Self {
            port: PortId(u64::MAX),
            id: 0,
            version: 0,
            far: None,
            signalled: None,
            theirs: None,
            early: None,
        }
    }

    /// Our offer: every law that we know, `first` before the others.
    pub fn offer(&mut self, media: &MediaSettings, first: Option<Law>) -> Body {
        let mut laws = media.laws.clone();
        laws.sort_by_key(|law| Some(*law) != first);
        let known = |law: Law| self.payload_before(law).unwrap_or(law.static_payload());
        let codecs = laws.iter().map(|&law| Codec { law, payload: known(law) }).collect();
        let event = self.far.and_then(|far| far.event).unwrap_or(EVENT);
        let ours = self.ours(media, codecs, Some(event), Direction::SendRecv);
        let session = match &self.theirs {
            Some((theirs, line)) => ours.mirror(theirs, *line),
            None => ours.offer(),
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
        other: Option<Law>,
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
        other: Option<Law>,
    ) -> (Result<Body, u16>, bool) {
        match self.early.take() {
            Some(said) => (Ok(said), true),
            None => (self.answer_beside(media, offer, other), false),
        }
    }

    /// What is spoken goes on where the offer still has it; at first, the law of the `other` party
    /// is the best of theirs, since nothing has to be converted then.
    fn answer_beside(
        &mut self,
        media: &MediaSettings,
        offer: &Body,
        other: Option<Law>,
    ) -> Result<Body, u16> {
        let (theirs, audio, codec) = read(media, offer, self.law().or(other))?;
        self.agree(&theirs, &audio, codec);
        let direction = audio.direction.reversed();
        let ours = self.ours(media, vec![codec], audio.event, direction);
        let answer = body(&ours.mirror(&theirs, audio.line));
        // An offer in a PRACK or an UPDATE: the first is history.
        if let Some(early) = &mut self.early {
            early.clone_from(&answer);
        }
        Ok(answer)
    }

    /// The far end's answer to our offer; an error where it is none that can be served.
    pub fn accept(&mut self, media: &MediaSettings, answer: &Body) -> Result<(), u16> {
        let (theirs, audio, codec) = read(media, answer, None)?;
        self.agree(&theirs, &audio, codec);
        Ok(())
    }

    /// The same session on another port, after the system took the first away.
    pub fn move_to(&mut self, port: PortId) {
        self.port = port;
    }

    /// What the data plane must know, once the far end has agreed.
    pub fn command(&self) -> Option<Command> {
        self.far.map(|far| Command::Agree { port: self.port, far })
    }

    pub fn law(&self) -> Option<Law> {
        self.far.map(|far| far.law)
    }

    /// Whether the far end has put us on hold.
    pub fn held(&self) -> bool {
        self.far.is_some_and(|far| !far.hears)
    }

    fn agree(&mut self, theirs: &Session, audio: &Audio, codec: Codec) {
        self.theirs = (theirs.media.len() > 1).then(|| (Box::new(theirs.clone()), audio.line));
        self.far = Some(Far {
            rtp: audio.rtp,
            rtcp: audio.rtcp,
            signalled: self.signalled,
            law: codec.law,
            audio: codec.payload,
            event: audio.event,
            hears: audio.direction.receives(),
            speaks: audio.direction.sends(),
        });
    }

    fn payload_before(&self, law: Law) -> Option<u8> {
        self.far.filter(|far| far.law == law).map(|far| far.audio)
    }

    fn ours(
        &mut self,
        media: &MediaSettings,
        codecs: Vec<Codec>,
        event: Option<u8>,
        direction: Direction,
    ) -> Ours {
        self.version += 1;
        Ours {
            id: self.id,
            version: self.version,
            address: media.advertise,
            port: self.port.slot() as u16,
            codecs,
            event,
            direction,
        }
    }
}

/// The far end's description, its audio, and the first of its codecs that we serve, or the one that
/// we `like` best where it is among them.
fn read(
    media: &MediaSettings,
    body: &Body,
    like: Option<Law>,
) -> Result<(Session, Audio, Codec), u16> {
    let theirs = Session::parse(&body.bytes).map_err(|_| NOT_ACCEPTABLE)?;
    let audio = theirs.audio(media.bind).map_err(|_| NOT_ACCEPTABLE)?;
    let served = |codec: &&Codec| media.laws.contains(&codec.law);
    let liked = |codec: &&Codec| Some(codec.law) == like;
    let mut codecs = audio.codecs.iter().filter(served);
    let codec = codecs.clone().find(liked).or_else(|| codecs.next());
    let codec = *codec.ok_or(NOT_ACCEPTABLE)?;
    Ok((theirs, audio, codec))
}

fn body(session: &Session) -> Body {
    Body { kind: SDP.into(), bytes: session.to_string().into_bytes().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(port: u16) -> Body {
        let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio {port} RTP/AVP 8\r\n");
        Body { kind: SDP.into(), bytes: text.into_bytes().into() }
    }

    #[test]
    fn what_was_agreed_last_before_the_answer_stands() {
        let media = MediaSettings::default();
        let mut side = Side::new(PortId::new(20_000, 0), &mut Rng::new(1));
        let early = side.answer_early(&media, &offer(4_000), None).unwrap();
        assert_eq!(side.answer_early(&media, &offer(4_000), Some(Law::Mu)).unwrap(), early);
        let later = side.answer(&media, &offer(5_000)).unwrap();
        assert_ne!(later, early);
        let (last, said) = side.answer_at_last(&media, &offer(4_000), None);
        assert_eq!((last.unwrap(), said), (later, true));
        assert_eq!(side.far.unwrap().rtp.port(), 5_000);
    }
}
