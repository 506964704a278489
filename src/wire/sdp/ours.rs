//! Our side of a session: the offer, and the answer or later offer that mirrors every `m=` line of
//! what the far end has said (RFC 3264 sections 6 and 8). May import: base.

use super::{
    Attribute, Crypto, Direction, Events, Fmtp, Format, Map, Media, Origin, Place, Session,
};
use crate::wire::codec::Codec;
use crate::wire::opus::Terms;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What we say of ourselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours {
    /// `o=`: the same for the life of the leg.
    pub id: u64,
    /// `o=`: one more each time that anything of the description changes.
    pub version: u64,
    pub address: IpAddr,
    /// Where we want RTP; RTCP goes to the next, ...
    pub port: u16,
    /// ... or there as well (RFC 5761).
    pub mux: bool,
    /// In an offer, all that we know, dearest first; in an answer, the chosen one under the payload
    /// type that the offer gave it.
    pub formats: Vec<Format>,
    /// In an answer, those of the offer that go with the chosen codec.
    pub events: Events,
    /// Payload type of comfort noise; in an answer, the offer's.
    pub comfort: Option<u8>,
    /// Milliseconds of audio in the packets that we ask for.
    pub ptime: u16,
    /// And in the longest of them.
    pub maxptime: Option<u16>,
    /// Which Opus we want, where that is one of the formats.
    pub opus: Terms,
    pub direction: Direction,
    /// The keys of what we send: none, and it is plain; in an offer, one for each suite that we
    /// would have, dearest first; in an answer, that of the chosen one.
    pub crypto: Vec<Crypto>,
}

impl Ours {
    /// A first offer: one audio line, under this profile.
    pub fn offer(&self, profile: &str) -> Session {
        self.session("0 0".into(), vec![self.audio(profile)])
    }

    /// The answer to `theirs`, or a later offer in the same dialog: the audio on line `line`, every
    /// other line refused with port 0. RFC 3264 section 8: lines are never taken away.
    pub fn mirror(&self, theirs: &Session, line: usize) -> Session {
        let media = theirs.media.iter().enumerate().map(|(at, media)| {
            if at == line { self.audio(&media.transport) } else { media.refused() }
        });
        self.session(theirs.timing.clone(), media.collect())
    }

    fn session(&self, timing: String, media: Vec<Media>) -> Session {
        Session {
            origin: Origin {
                user: "-".into(),
                id: self.id,
                version: self.version,
                address: self.address.to_string(),
            },
            name: "-".into(),
            connection: Some(Place::Address(self.address)),
            timing,
            direction: None,
            attributes: Vec::new(),
            media,
        }
    }

    fn audio(&self, transport: &str) -> Media {
        let mut media = Media {
            kind: "audio".into(),
            port: self.port,
            transport: transport.into(),
            ..Media::bare()
        };
        for Format { codec, payload } in &self.formats {
            media.speak(*payload, codec.name(), codec.clock(), codec.channels());
            if *codec == Codec::Opus {
                // RFC 7587 section 6.1: what repairs a lost packet may stand in the next.
                media.tell(*payload, &Terms { fec: true, ..self.opus }.to_string());
            }
        }
        if let Some(comfort) = self.comfort {
            media.speak(comfort, "CN", 8_000, None);
        }
        for (event, rate) in [(self.events.narrow, 8_000), (self.events.wide, 48_000)] {
            if let Some(event) = event {
                media.speak(event, "telephone-event", rate, None);
                // RFC 4733 section 2.4.1: the keys 0-9, *, #, A-D.
                media.tell(event, "0-15");
            }
        }
        media.ptime = Some(self.ptime);
        media.maxptime = self.maxptime;
        media.rtcp_mux = self.mux;
        media.crypto = self.crypto.iter().copied().map(Ok).collect();
        media.direction = Some(self.direction);
        media
    }
}

impl Media {
    /// This line as an answer refuses it: same kind, transport and formats, port 0.
    pub fn refused(&self) -> Media {
        let attributes = self.attributes.iter().filter(|attribute| attribute.name == "mid");
        Media {
            kind: self.kind.clone(),
            transport: self.transport.clone(),
            formats: self.formats.clone(),
            attributes: attributes.cloned().collect::<Vec<Attribute>>(),
            ..Media::bare()
        }
    }

    fn speak(&mut self, payload: u8, encoding: &str, rate: u32, channels: Option<&str>) {
        self.formats.push(payload.to_string());
        let rest = channels.map(str::to_string);
        self.maps.push(Map { payload, encoding: encoding.into(), rate, rest });
    }

    fn tell(&mut self, payload: u8, parameters: &str) {
        self.fmtp.push(Fmtp { format: payload.to_string(), parameters: parameters.into() });
    }

    /// A line with nothing on it.
    pub(super) fn bare() -> Media {
        Media {
            kind: String::new(),
            port: 0,
            transport: String::new(),
            formats: Vec::new(),
            connection: None,
            maps: Vec::new(),
            fmtp: Vec::new(),
            ptime: None,
            maxptime: None,
            direction: None,
            rtcp: None,
            rtcp_mux: false,
            crypto: Vec::new(),
            attributes: Vec::new(),
        }
    }
}
