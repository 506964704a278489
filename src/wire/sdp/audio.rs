//! What an offer or an answer says of the one audio stream that the switch can serve: codecs that
//! we know over RTP, plain or sealed with a key that stands there (RFC 4568), with telephone-event
//! and comfort noise. May import: base, codec.

use super::{Crypto, Direction, Family, Flaw, Media, Place, Session};
use crate::wire::codec::Codec;
use crate::wire::opus::Terms;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The first audio line that can be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Which `m=` line it is, counted from 0.
    pub line: usize,
    /// Where the far end wants to receive. Unspecified (0.0.0.0) where it is `held` the old way.
    pub rtp: SocketAddr,
    /// The same where RTCP goes with RTP (RFC 5761, `a=rtcp-mux`).
    pub rtcp: SocketAddr,
    /// The codecs it knows, dearest first, with the payload types it wants them under. Never empty.
    pub formats: Vec<Format>,
    pub events: Events,
    /// Payload type of comfort noise at 8,000 Hz (RFC 3389).
    pub comfort: Option<u8>,
    /// As the far end sees it: `SendOnly` puts us on hold, and so does 0.0.0.0 (RFC 2543), which
    /// reads here as a far end that does not receive.
    pub direction: Direction,
    /// Milliseconds of audio that it wants in a packet: no more than it takes (`a=maxptime`).
    pub ptime: Option<u16>,
    /// Milliseconds of audio in the longest packet that it takes, where it says so.
    pub maxptime: Option<u16>,
    /// Which Opus it wants, where that is one of the formats.
    pub opus: Terms,
    /// The source that its packets will name (`a=ssrc`, RFC 5576), where it says so.
    pub ssrc: Option<u32>,
    /// What it will seal with, of the lines that we know the one that it prefers. `None`: its sound
    /// is plain.
    pub crypto: Option<Crypto>,
}

/// Whether sound may be sealed, or has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Srtp {
    /// It is plain, and whoever wants it sealed is refused.
    Off,
    /// It is what the far end offers; ours are plain.
    #[default]
    Accept,
    /// It is sealed, and whoever does not seal theirs is refused.
    Require,
}

impl Srtp {
    pub const ALL: [Self; 3] = [Self::Off, Self::Accept, Self::Require];

    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Accept => "accept",
            Self::Require => "require",
        }
    }
}

/// RFC 3551 section 4.5: what a packet holds where nothing is said.
const PTIME: u16 = 20;

/// A codec and its payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Format {
    pub codec: Codec,
    pub payload: u8,
}

/// Payload types of telephone-event (RFC 4733) by their clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Events {
    /// At 8,000 Hz.
    pub narrow: Option<u8>,
    /// At the 48,000 Hz of Opus.
    pub wide: Option<u8>,
}

impl Events {
    /// The one that goes with a codec, and its clock. RFC 4733 section 2.1 wants both to have one
    /// clock; phones that name Opus beside events at 8,000 Hz alone send those.
    pub fn beside(self, codec: Codec) -> Option<(u8, u32)> {
        let narrow = self.narrow.map(|payload| (payload, 8_000));
        let wide = self.wide.map(|payload| (payload, 48_000));
        match codec.clock() {
            48_000 => wide.or(narrow),
            _ => narrow,
        }
    }

    /// The one of this clock.
    pub fn at(self, clock: u32) -> Option<u8> {
        if clock == 48_000 { self.wide } else { self.narrow }
    }

    /// That one alone, as an answer has it.
    pub fn only_beside(self, codec: Codec) -> Self {
        match self.beside(codec) {
            Some((payload, 48_000)) => Self { narrow: None, wide: Some(payload) },
            Some((payload, _)) => Self { narrow: Some(payload), wide: None },
            None => Self::default(),
        }
    }
}

/// Why a description offers nothing that can be served. All of them mean 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unusable {
    /// No audio line over RTP that is switched on.
    NoAudio,
    /// It is sealed, which is off here.
    Sealed,
    /// It is plain, and has to be sealed here.
    Plain,
    /// It is sealed, with no key that we can use: what is wrong with the first, where there is one.
    NoKey(Option<Flaw>),
    /// Audio, but no codec that we know.
    NoCodec,
    /// A codec that we know, but at no unicast address of a family of ours (IPv4, IPv6) that can be
    /// sent to.
    NoAddress,
}

impl Unusable {
    /// For whoever is refused, and whoever wonders why.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoAudio => "it offers no audio over RTP",
            Self::Sealed => "it offers sealed sound alone, and srtp is off here",
            Self::Plain => {
                "it offers plain sound, and srtp is required here: RTP/SAVP and a=crypto"
            }
            Self::NoKey(None) => "it offers sealed sound without a key (a=crypto)",
            Self::NoKey(Some(flaw)) => flaw.sentence(),
            Self::NoCodec => "it offers no codec that is known here",
            Self::NoAddress => "it offers no address that can be sent to from here",
        }
    }
}

impl Audio {
    /// The payload type and all of this codec.
    pub fn format(&self, codec: Codec) -> Option<Format> {
        self.formats.iter().copied().find(|format| format.codec == codec)
    }

    /// Whether the far end wants to be sent nothing.
    pub fn held(&self) -> bool {
        !self.direction.receives()
    }
}

impl Session {
    /// The first line that can be served by whoever has addresses of these families. RFC 5118
    /// section 4.8: a line for each family may stand in one description; and so may one that is
    /// sealed beside one that is not.
    pub fn audio(&self, ours: &[Family], srtp: Srtp) -> Result<Audio, Unusable> {
        let mut why = Unusable::NoAudio;
        for (line, media) in self.media.iter().enumerate().filter(|(_, media)| media.is_audio()) {
            why = match self.read(line, media, (ours, srtp)) {
                Ok(audio) => return Ok(audio),
                Err(because) => because,
            };
        }
        Err(why)
    }

    fn read(
        &self,
        line: usize,
        media: &Media,
        (ours, srtp): (&[Family], Srtp),
    ) -> Result<Audio, Unusable> {
        let crypto = media.seal(srtp)?;
        let formats = media.codecs();
        if formats.is_empty() {
            return Err(Unusable::NoCodec);
        }
        let place = media.connection.as_ref().or(self.connection.as_ref());
        let Some(&Place::Address(address)) = place else {
            return Err(Unusable::NoAddress);
        };
        let address = address.to_canonical();
        // 0.0.0.0 is nowhere in either family.
        let reached = ours.contains(&Family::of(address)) || address.is_unspecified();
        if !reached || address.is_multicast() || broadcast(address) {
            return Err(Unusable::NoAddress);
        }
        let (rtcp_address, rtcp_port) = match media.rtcp {
            // RFC 5761 section 5.1.3: then `a=rtcp` is for whoever does not know it.
            _ if media.rtcp_mux => (address, media.port),
            Some(rtcp) => {
                let own = rtcp.address.map(|own| own.to_canonical());
                let own = own.filter(|own| own.is_ipv4() == address.is_ipv4());
                (own.unwrap_or(address), rtcp.port)
            }
            None => (address, media.port.saturating_add(1)),
        };
        let mut direction = self.direction_of(media);
        if address.is_unspecified() {
            direction = Direction::new(direction.sends(), false);
        }
        Ok(Audio {
            line,
            rtp: SocketAddr::new(address, media.port),
            rtcp: SocketAddr::new(rtcp_address, rtcp_port),
            formats,
            events: media.events(),
            comfort: media.comfort(),
            direction,
            ptime: media
                .maxptime
                .map(|most| media.ptime.unwrap_or(PTIME).min(most))
                .or(media.ptime),
            maxptime: media.maxptime,
            opus: media.terms(),
            ssrc: media.ssrc(),
            crypto,
        })
    }
}

impl Media {
    /// Audio over RTP, switched on. The early feedback of RTP/AVPF is a permission, so a stream
    /// under it may be served without.
    pub fn is_audio(&self) -> bool {
        let plain = matches!(self.transport.as_str(), "RTP/AVP" | "RTP/AVPF");
        self.kind == "audio" && self.port != 0 && (plain || self.is_secure())
    }

    /// The profiles of RFC 3711 and RFC 5124.
    pub fn is_secure(&self) -> bool {
        matches!(self.transport.as_str(), "RTP/SAVP" | "RTP/SAVPF")
    }

    /// The key that this line is sealed with. Many who would like that and can do without say so by
    /// a key beside RTP/AVP: their sound is sealed where the answer has one as well.
    fn seal(&self, srtp: Srtp) -> Result<Option<Crypto>, Unusable> {
        let key = self.crypto.iter().flatten().next().copied();
        match (self.is_secure(), srtp) {
            (true, Srtp::Off) => Err(Unusable::Sealed),
            (false, Srtp::Off) => Ok(None),
            (false, Srtp::Accept) => Ok(key),
            (true, Srtp::Accept | Srtp::Require) => {
                let flaw = self.crypto.iter().find_map(|line| line.err());
                key.map(Some).ok_or(Unusable::NoKey(flaw))
            }
            (false, Srtp::Require) => key.map(Some).ok_or(Unusable::Plain),
        }
    }

    /// The codecs of this line in the order it prefers them, each once.
    pub fn codecs(&self) -> Vec<Format> {
        let mut found: Vec<Format> = Vec::with_capacity(Codec::ALL.len());
        for payload in self.payloads() {
            if let Some(codec) = self.codec(payload)
                && found.iter().all(|format| format.codec != codec)
            {
                found.push(Format { codec, payload });
            }
        }
        found
    }

    /// What it says of Opus.
    pub fn terms(&self) -> Terms {
        let opus = self.codecs().into_iter().find(|format| format.codec == Codec::Opus);
        let said = opus.and_then(|opus| {
            let number = opus.payload.to_string();
            self.fmtp.iter().find(|fmtp| fmtp.format == number)
        });
        said.map_or_else(Terms::default, |fmtp| Terms::read(&fmtp.parameters))
    }

    /// The first source that it says to be its own. 0 is what some say who do not know it.
    fn ssrc(&self) -> Option<u32> {
        let said = self.attributes.iter().find(|attribute| attribute.name == "ssrc")?;
        let number = said.value.as_deref()?.split(' ').next()?;
        number.parse().ok().filter(|ssrc| *ssrc != 0)
    }

    /// Payload types of telephone-event.
    pub fn events(&self) -> Events {
        let at = |rate: u32| self.payload_of("telephone-event", rate);
        Events { narrow: at(8_000), wide: at(48_000) }
    }

    /// Payload type of comfort noise; RFC 3551 section 6 gives 13 that meaning without a map.
    pub fn comfort(&self) -> Option<u8> {
        let unmapped = |payload: &u8| {
            *payload == COMFORT && self.maps.iter().all(|map| map.payload != *payload)
        };
        self.payload_of("CN", 8_000).or_else(|| self.payloads().find(unmapped))
    }

    fn payload_of(&self, encoding: &str, rate: u32) -> Option<u8> {
        self.payloads().find(|&payload| {
            self.maps.iter().any(|map| {
                map.payload == payload
                    && map.rate == rate
                    && map.encoding.eq_ignore_ascii_case(encoding)
            })
        })
    }

    fn payloads(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|payload| *payload < 128)
    }

    /// By `a=rtpmap`; RFC 3551 section 6 gives 0, 8 and 9 a meaning without one.
    fn codec(&self, payload: u8) -> Option<Codec> {
        let Some(map) = self.maps.iter().find(|map| map.payload == payload) else {
            return Codec::of_static(payload);
        };
        let codec = Codec::named(&map.encoding)?;
        let channels = map.rest.as_deref().map_or("1", str::trim);
        (map.rate == codec.clock() && channels == codec.channels().unwrap_or("1")).then_some(codec)
    }
}

/// Payload type of comfort noise (RFC 3551 section 6).
const COMFORT: u8 = 13;

fn broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
