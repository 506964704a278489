//! The media side of a leg: what was offered and answered (RFC 3264), and so where audio goes.
//!
//! In: bodies from the far end. Out: bodies for it, and what the data plane must know. Decides
//! codecs; knows no call.

use super::MediaSettings;
use crate::base::Id;
use crate::base::{PortId, Rng};
use crate::media::control::{Command, Far};
use crate::sip::Body;
use crate::wire::codec::Codec;
use crate::wire::sdp::{Audio, Direction, Events, Format, Ours, Session};
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
    id: u64,
    version: u64,
    /// What the far end agreed to, once it has.
    pub far: Option<Far>,
    /// The host that the far end's signalling comes from.
    pub signalled: Option<IpAddr>,
    /// It comes from where keys are tones in the sound.
    pub inband: bool,
    /// The far end's last description where it has more than one media line: a later offer of ours
    /// must mirror every one.
    theirs: Option<(Box<Session>, usize)>,
    /// What their first offer was answered with before the call was.
    early: Option<Body>,
}

/// What one party speaks, as far as the other's description should be like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub codec: Codec,
    /// It may be silent in its pauses.
    pub comfort: bool,
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
            inband: false,
            theirs: None,
            early: None,
        }
    }

    /// Our offer: every codec that we know, that of the other party before the others.
    pub fn offer(&mut self, media: &MediaSettings, other: Option<Spoken>) -> Body {
        let mut codecs = media.codecs.clone();
        codecs.sort_by_key(|codec| other.is_none_or(|other| *codec != other.codec));
        let formats = codecs.iter().map(|&codec| Format { codec, payload: self.number(codec) });
        let formats: Vec<Format> = formats.collect();
        let events = self.events(&formats);
        let comfort = other.filter(|other| other.comfort).map(|_| COMFORT);
        let ours = self.ours(media, formats, (events, comfort), Direction::SendRecv);
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
        let (theirs, audio) = read(media, offer)?;
        let of = |codec: &Codec| audio.format(*codec);
        let liked = like.filter(|like| media.codecs.contains(like)).and_then(|like| of(&like));
        let format = liked.or_else(|| media.codecs.iter().find_map(of)).ok_or(NOT_ACCEPTABLE)?;
        // An answer has the numbers of the offer.
        self.agree(&theirs, &audio, format, (format.payload, audio.events));
        let direction = audio.direction.reversed();
        let events = audio.events.only_beside(format.codec);
        let comfort = self.far.and_then(|far| far.comfort);
        let ours = self.ours(media, vec![format], (events, comfort), direction);
        let answer = body(&ours.mirror(&theirs, audio.line));
        // An offer in a PRACK or an UPDATE: the first is history.
        if let Some(early) = &mut self.early {
            early.clone_from(&answer);
        }
        Ok(answer)
    }

    /// The far end's answer to our offer; an error where it is none that can be served.
    pub fn accept(&mut self, media: &MediaSettings, answer: &Body) -> Result<(), u16> {
        let (theirs, mut audio) = read(media, answer)?;
        let served = |format: &&Format| media.codecs.contains(&format.codec);
        let format = *audio.formats.iter().find(served).ok_or(NOT_ACCEPTABLE)?;
        // RFC 5761 section 5.1.1: an answer has it only where the offer had.
        if audio.rtcp == audio.rtp && !self.is_muxed() {
            audio.rtcp.set_port(audio.rtp.port().saturating_add(1));
        }
        // What we have offered; nothing has changed since.
        let ours = Format { codec: format.codec, payload: self.number(format.codec) };
        let formats =
            media.codecs.iter().map(|&codec| Format { codec, payload: self.number(codec) });
        let events = self.events(&formats.collect::<Vec<Format>>());
        self.agree(&theirs, &audio, format, (ours.payload, events));
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

    /// What the far end speaks, once it has agreed.
    pub fn spoken(&self) -> Option<Spoken> {
        self.far.map(|far| Spoken { codec: far.codec, comfort: far.comfort.is_some() })
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
        self.theirs = (theirs.media.len() > 1).then(|| (Box::new(theirs.clone()), audio.line));
        let event = audio.events.beside(codec);
        let our_event = event.and_then(|(_, clock)| ours.1.at(clock));
        self.far = Some(Far {
            rtp: audio.rtp,
            rtcp: audio.rtcp,
            signalled: self.signalled,
            codec,
            payload,
            ours: ours.0,
            event: event.map(|(payload, _)| payload),
            our_event,
            event_clock: event.map_or(codec.clock(), |(_, clock)| clock),
            // RFC 3389 section 4: at the clock of the codec, and Opus has its own.
            comfort: audio.comfort.filter(|_| codec.clock() == 8_000),
            ptime: audio.ptime.unwrap_or(PTIME).clamp(10, 60) as u8,
            inband: self.inband && event.is_none(),
            hears: audio.direction.receives(),
            speaks: audio.direction.sends(),
        });
    }

    /// Whether RTCP goes with RTP, as it does where the far end has offered it.
    fn is_muxed(&self) -> bool {
        self.far.is_some_and(|far| far.rtcp == far.rtp)
    }

    /// Under which payload type we offer a codec. RFC 3264 section 8.3.2: a number keeps its
    /// meaning for as long as the session lasts.
    fn number(&self, codec: Codec) -> u8 {
        let before = self.far.filter(|far| far.codec == codec).map(|far| far.ours);
        before.unwrap_or_else(|| free(codec.our_payload(), &self.taken()))
    }

    /// Payload types that mean something already.
    fn taken(&self) -> Vec<u8> {
        let all = |far: Far| [Some(far.payload), Some(far.ours), far.event, far.our_event];
        self.far.map(all).into_iter().flatten().flatten().collect()
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
        Ours {
            id: self.id,
            version: self.version,
            address: media.advertise,
            port: self.port.slot() as u16,
            mux: self.is_muxed(),
            formats,
            events,
            comfort,
            ptime: self.far.map_or(PTIME, |far| u16::from(far.ptime)),
            direction,
        }
    }
}

/// A payload type that means nothing yet, this one if it can be. RFC 3551 section 3: those from 96
/// on are nobody's.
fn free(dear: u8, taken: &[u8]) -> u8 {
    let mut all = std::iter::once(dear).chain(96..=127);
    all.find(|number| !taken.contains(number)).unwrap_or(dear)
}

/// The far end's description, and the audio of it.
fn read(media: &MediaSettings, body: &Body) -> Result<(Session, Audio), u16> {
    let theirs = Session::parse(&body.bytes).map_err(|_| NOT_ACCEPTABLE)?;
    let audio = theirs.audio(media.bind).map_err(|_| NOT_ACCEPTABLE)?;
    Ok((theirs, audio))
}

fn body(session: &Session) -> Body {
    Body { kind: SDP.into(), bytes: session.to_string().into_bytes().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MU: Option<Spoken> = Some(Spoken { codec: Codec::Pcmu, comfort: false });

    fn offer(port: u16) -> Body {
        let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio {port} RTP/AVP 8\r\n");
        Body { kind: SDP.into(), bytes: text.into_bytes().into() }
    }

    fn said(body: &Body) -> String {
        String::from_utf8(body.bytes.to_vec()).unwrap()
    }

    fn described(formats: &str, maps: &str) -> Body {
        let text = format!(
            "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {formats}\r\n{maps}a=ptime:40\r\n"
        );
        Body { kind: SDP.into(), bytes: text.into_bytes().into() }
    }

    const WIDE: &str = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:96 telephone-event/48000\r\n\
                        a=rtpmap:97 telephone-event/8000\r\n";

    #[test]
    fn a_caller_is_answered_with_what_the_phones_have_and_a_phone_with_what_the_caller_speaks() {
        let media = MediaSettings::default();
        let caller = || Side::new(PortId::new(20_000, 0), &mut Rng::new(1));
        let offer = described("111 9 0 8 13 96 97", WIDE);
        let mut side = caller();
        let answer = said(&side.answer(&media, &offer).unwrap());
        assert!(
            answer.contains("RTP/AVP 8 13 97\r\n") && answer.contains("a=ptime:40"),
            "{answer}"
        );
        let like = |codec| Some(Spoken { codec, comfort: true });
        let mut side = caller();
        let answer = said(&side.answer_early(&media, &offer, like(Codec::Opus)).unwrap());
        assert!(answer.contains("RTP/AVP 111 96\r\n"), "{answer}");
        let far = side.far.unwrap();
        assert_eq!(
            (far.event, far.event_clock, far.comfort, far.ptime),
            (Some(96), 48_000, None, 40)
        );
        let ours = said(&caller().offer(&media, like(Codec::G722)));
        assert!(ours.contains("RTP/AVP 9 8 0 96 13 101 102\r\n"), "{ours}");
        let again = said(&side.offer(&media, None));
        assert!(
            again.contains("111") && again.contains("a=rtpmap:96 telephone-event/48000"),
            "{again}"
        );
        let one = MediaSettings { codecs: vec![Codec::G722], ..MediaSettings::default() };
        assert_eq!(caller().answer(&one, &described("0 8", "")), Err(NOT_ACCEPTABLE));
    }

    /// The payload types of the audio line.
    fn numbers(body: &Body) -> Vec<u8> {
        let said = said(body);
        let line = said.lines().find(|line| line.starts_with("m=audio")).unwrap();
        line.split(' ').skip(3).map(|number| number.parse().unwrap()).collect()
    }

    /// RFC 3264 section 8.3.2.
    #[test]
    fn a_later_offer_names_no_payload_type_twice_and_none_for_something_else() {
        let media = MediaSettings::default();
        for (formats, maps) in [
            ("8 96", "a=rtpmap:96 telephone-event/8000\r\n"),
            ("8 102", "a=rtpmap:102 telephone-event/8000\r\n"),
            ("101", "a=rtpmap:101 opus/48000/2\r\n"),
            ("102 101", "a=rtpmap:102 opus/48000/2\r\na=rtpmap:101 telephone-event/48000\r\n"),
        ] {
            let mut side = Side::new(PortId::new(20_000, 0), &mut Rng::new(1));
            side.answer(&media, &described(formats, maps)).unwrap();
            let again = side.offer(&media, None);
            let mut once = numbers(&again);
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), numbers(&again).len(), "{formats}: {}", said(&again));
            for map in maps.lines() {
                assert!(said(&again).contains(map), "{map}: {}", said(&again));
            }
        }
    }

    /// RFC 3264 section 6.1: the number of an answer is where the far end listens, and what we have
    /// offered is where it speaks.
    #[test]
    fn an_answer_may_name_a_codec_by_another_number() {
        let media = MediaSettings::default();
        let mut side = Side::new(PortId::new(20_000, 0), &mut Rng::new(1));
        assert_eq!(numbers(&side.offer(&media, None)), [8, 0, 9, 96, 101, 102]);
        let maps = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:112 telephone-event/48000\r\n";
        side.accept(&media, &described("111 112", maps)).unwrap();
        let far = side.far.unwrap();
        assert_eq!((far.payload, far.ours), (111, 96));
        assert_eq!((far.event, far.our_event), (Some(112), Some(102)));
    }

    #[test]
    fn what_was_agreed_last_before_the_answer_stands() {
        let media = MediaSettings::default();
        let mut side = Side::new(PortId::new(20_000, 0), &mut Rng::new(1));
        let early = side.answer_early(&media, &offer(4_000), None).unwrap();
        assert_eq!(side.answer_early(&media, &offer(4_000), MU).unwrap(), early);
        let later = side.answer(&media, &offer(5_000)).unwrap();
        assert_ne!(later, early);
        let (last, said) = side.answer_at_last(&media, &offer(4_000), None);
        assert_eq!((last.unwrap(), said), (later, true));
        assert_eq!(side.far.unwrap().rtp.port(), 5_000);
    }

    #[test]
    fn rtcp_goes_with_rtp_where_the_far_end_offers_it_and_nowhere_else() {
        let media = MediaSettings::default();
        let said = |body: &Body| String::from_utf8_lossy(&body.bytes).contains("a=rtcp-mux\r\n");
        let with = |body: Body| Body {
            bytes: [&body.bytes[..], b"a=rtcp-mux\r\na=rtcp:4001\r\n"].concat().into(),
            ..body
        };
        let mut side = Side::new(PortId::new(20_000, 0), &mut Rng::new(1));
        assert!(!said(&side.answer(&media, &offer(4_000)).unwrap()));
        assert_eq!(side.far.unwrap().rtcp.port(), 4_001);
        assert!(said(&side.answer(&media, &with(offer(4_000))).unwrap()));
        assert_eq!(side.far.unwrap().rtcp.port(), 4_000);
        // A later offer of ours keeps it, until an answer has it no more.
        assert!(said(&side.offer(&media, None)));
        side.accept(&media, &offer(4_000)).unwrap();
        assert_eq!(side.far.unwrap().rtcp.port(), 4_001);
        // Nobody may answer with what was not offered.
        assert!(!said(&side.offer(&media, None)));
        side.accept(&media, &with(offer(4_000))).unwrap();
        assert_eq!(side.far.unwrap().rtcp.port(), 4_001);
    }
}
