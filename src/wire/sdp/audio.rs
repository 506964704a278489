//! What an offer or an answer says of the one audio stream that the switch can serve: G.711 over
//! plain RTP, with telephone-event. May import: base.

use super::{Direction, Media, Place, Session};
use crate::wire::g711::Law;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The first audio line that can be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Which `m=` line it is, counted from 0.
    pub line: usize,
    /// Where the far end wants to receive. Unspecified (0.0.0.0) where it is `held` the old way.
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
    /// The laws it knows, dearest first, with the payload types it wants them under. Never empty.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event at 8,000 Hz (RFC 4733).
    pub event: Option<u8>,
    /// As the far end sees it: `SendOnly` puts us on hold, and so does 0.0.0.0 (RFC 2543), which
    /// reads here as a far end that does not receive.
    pub direction: Direction,
    /// Milliseconds of audio that it wants in a packet.
    pub ptime: Option<u16>,
}

/// A law and its payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Codec {
    pub law: Law,
    pub payload: u8,
}

/// Why a description offers nothing that can be served. All of them mean 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unusable {
    /// No audio line over plain RTP that is switched on.
    NoAudio,
    /// Audio, but neither PCMA nor PCMU.
    NoCodec,
    /// G.711, but at no unicast address of our family (IPv4, IPv6) that can be sent to.
    NoAddress,
}

impl Audio {
    /// The codec of this law.
    pub fn codec(&self, law: Law) -> Option<Codec> {
        self.codecs.iter().copied().find(|codec| codec.law == law)
    }

    /// Whether the far end wants to be sent nothing.
    pub fn held(&self) -> bool {
        !self.direction.receives()
    }
}

impl Session {
    /// The first line that can be served from `ours`, an address of the family that media have.
    /// RFC 5118 section 4.8: a line for each family may stand in one description.
    pub fn audio(&self, ours: IpAddr) -> Result<Audio, Unusable> {
        let mut why = Unusable::NoAudio;
        for (line, media) in self.media.iter().enumerate().filter(|(_, media)| media.is_plain()) {
            why = match self.read(line, media, ours) {
                Ok(audio) => return Ok(audio),
                Err(because) => because,
            };
        }
        Err(why)
    }

    fn read(&self, line: usize, media: &Media, ours: IpAddr) -> Result<Audio, Unusable> {
        let codecs = media.codecs();
        if codecs.is_empty() {
            return Err(Unusable::NoCodec);
        }
        let place = media.connection.as_ref().or(self.connection.as_ref());
        let Some(&Place::Address(address)) = place else {
            return Err(Unusable::NoAddress);
        };
        let address = address.to_canonical();
        let family = |other: IpAddr| other.is_ipv4() == ours.is_ipv4();
        // 0.0.0.0 is nowhere in either family.
        let reached = family(address) || address.is_unspecified();
        if !reached || address.is_multicast() || broadcast(address) {
            return Err(Unusable::NoAddress);
        }
        let (rtcp_address, rtcp_port) = match media.rtcp {
            Some(rtcp) => {
                let own = rtcp.address.map(|own| own.to_canonical()).filter(|own| family(*own));
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
            codecs,
            event: media.event(),
            direction,
            ptime: media.ptime,
        })
    }
}

impl Media {
    /// Audio over plain RTP, switched on. The early feedback of RTP/AVPF is a permission, so a
    /// stream under it may be served without.
    pub fn is_plain(&self) -> bool {
        self.kind == "audio"
            && self.port != 0
            && matches!(self.transport.as_str(), "RTP/AVP" | "RTP/AVPF")
    }

    /// The laws of this line in the order it prefers them, each once.
    pub fn codecs(&self) -> Vec<Codec> {
        let mut found: Vec<Codec> = Vec::with_capacity(2);
        for payload in self.payloads() {
            if let Some(law) = self.law(payload)
                && found.iter().all(|codec| codec.law != law)
            {
                found.push(Codec { law, payload });
            }
        }
        found
    }

    /// Payload type of telephone-event at the rate of G.711.
    pub fn event(&self) -> Option<u8> {
        self.payloads().find(|&payload| {
            self.maps.iter().any(|map| {
                map.payload == payload
                    && map.rate == 8_000
                    && map.encoding.eq_ignore_ascii_case("telephone-event")
            })
        })
    }

    fn payloads(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|payload| *payload < 128)
    }

    /// By `a=rtpmap`; RFC 3551 section 6 gives 0 and 8 a meaning without one.
    fn law(&self, payload: u8) -> Option<Law> {
        let Some(map) = self.maps.iter().find(|map| map.payload == payload) else {
            return Law::of_static(payload);
        };
        let mono = map.rest.as_deref().is_none_or(|rest| rest.trim() == "1");
        Law::named(&map.encoding).filter(|_| map.rate == 8_000 && mono)
    }
}

fn broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
