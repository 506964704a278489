//! What the data plane is told, and what it tells. Both cross a queue between two threads, so both
//! are plain values; both are journalled, so both are serde.

use super::tape::Track;
use crate::base::limits::MEDIA_NETWORKS_MAX;
use crate::base::{Instant, Network, PortId, TuneId};
use crate::wire::codec::Codec;
use crate::wire::opus::Terms;
use crate::wire::sdp::Master;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Bind RTP on the id's slot number and RTCP on the next, at `address`.
    Open {
        port: PortId,
        address: IpAddr,
    },
    /// Close it; [`Event::Closed`] follows with its figures.
    Close {
        port: PortId,
    },
    /// What the last offer/answer agreed. Replaces what was agreed before and reopens learning of
    /// the far address only where `far.rtp` changed.
    Agree {
        port: PortId,
        far: Far,
    },
    /// From now on all that comes and goes at this port is sealed with these keys (RFC 3711);
    /// `None`: nothing is. Said before the agreement that the keys are of.
    Seal {
        port: PortId,
        keys: Option<Seals>,
    },
    /// What comes in on either goes out on the other.
    Bridge {
        a: PortId,
        b: PortId,
    },
    /// These are in one room: two or more, at most [`crate::base::limits::ROOM_MAX`]. They leave
    /// whatever they were part of before, and a port of theirs that is left out leaves them.
    Gather {
        seats: Vec<Seat>,
    },
    /// Press these keys for the far end, one after the other (RFC 4733). Where it takes none, or
    /// it is no key, nothing is sent.
    Press {
        port: PortId,
        keys: String,
    },
    /// From the next `*` on no key is passed on, until this is said again: a code begins with it.
    Codes {
        port: PortId,
    },
    /// Undo the bridge or room that this port is part of, if any.
    Unbridge {
        port: PortId,
    },
    /// Play these to the far end, one after the other without a gap, then `then` until something
    /// else is said; replaces what was playing. [`Event::Played`] comes once, with the same
    /// `piece`, when the last of `tunes` is over. A tune that there is not is passed over. While a
    /// port plays, nothing is relayed to it.
    Play {
        port: PortId,
        piece: u32,
        tunes: Vec<TuneId>,
        then: Option<Music>,
    },
    Stop {
        port: PortId,
    },
    /// What is heard at this port is recorded there from now on; `None`: nowhere.
    Record {
        port: PortId,
        track: Option<Track>,
    },
    /// Report [`Event::Silent`] when nothing came for this long; `None` never does.
    Watch {
        port: PortId,
        silence: Option<Duration>,
    },
}

/// One place in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub port: PortId,
    /// Whom this party hears: bit n stands for the nth seat. Nobody hears themselves.
    pub hears: u16,
    /// Its keys are for whoever hears it.
    pub keys: bool,
}

/// A tune that repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Music {
    pub tune: TuneId,
    /// When its first note was, or would have been: it goes on from there like a clock, behind
    /// announcements, on another port, in another process.
    pub since: Instant,
}

impl Command {
    /// The port that it is for; of several that hear one another, the first.
    pub fn port(&self) -> PortId {
        match *self {
            Self::Gather { ref seats } => seats.first().map_or_else(PortId::default, |s| s.port),
            Self::Open { port, .. }
            | Self::Close { port }
            | Self::Agree { port, .. }
            | Self::Seal { port, .. }
            | Self::Bridge { a: port, .. }
            | Self::Codes { port }
            | Self::Press { port, .. }
            | Self::Unbridge { port }
            | Self::Play { port, .. }
            | Self::Stop { port }
            | Self::Record { port, .. }
            | Self::Watch { port, .. } => port,
        }
    }
}

/// The keys of a port whose sound is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seals {
    /// Of what comes.
    pub theirs: Master,
    /// Of what goes.
    pub ours: Master,
}

/// The far end of a port, as its session description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Far {
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
    /// The host that its signalling comes from, where that is known: behind a NAT its media comes
    /// from there too, whatever its description says, and from nowhere else.
    pub signalled: Option<IpAddr>,
    /// The source that its packets name, where its description tells.
    pub ssrc: Option<u32>,
    /// Where else its sound may come from.
    pub networks: Networks,
    /// Whoever is at none of these has to prove that they hear us before they are heard.
    pub strict: bool,
    pub codec: Codec,
    /// Payload type of the audio, as the far end wants to receive it.
    pub payload: u8,
    /// The same as we have said it: RFC 3264 section 6.1, an answer may name the same codec by
    /// another number, and "then it MUST send" by ours.
    pub ours: u8,
    /// Payload type of telephone-event (RFC 4733), as the far end wants to receive it, ...
    pub event: Option<u8>,
    /// ... and as we do.
    pub our_event: Option<u8>,
    /// Ticks a second of its durations: 8,000, or 48,000 beside Opus.
    pub event_clock: u32,
    /// The codecs that it has named, in the order of [`Codec::ALL`], each by the payload type that
    /// it has here: RFC 3264 section 6.1, whoever names several may send any of them.
    pub named: [Option<u8>; Codec::ALL.len()],
    /// Payload type of comfort noise (RFC 3389), where both may be silent in their pauses.
    pub comfort: Option<u8>,
    /// Milliseconds of audio that it wants in a packet of ours, 10 to 60; Opus has tens alone.
    pub ptime: u8,
    /// Which Opus it wants.
    pub opus: Terms,
    /// Its keys come as tones in the sound, and go there as tones.
    pub inband: bool,
    /// Whether the far end wants to hear (RFC 3264: it said `sendrecv` or `recvonly`).
    pub hears: bool,
    /// Whether the far end will speak (`sendrecv` or `sendonly`).
    pub speaks: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Other programs have these ports: nobody should be given one of them.
    Held { ports: Vec<u16> },
    /// The port could not be opened, or its socket broke.
    Failed { port: PortId, why: String },
    /// The far end's address is settled: nothing from anywhere else is accepted from now on.
    Latched { port: PortId, from: SocketAddr },
    /// Nothing has come from the far end for the time that was asked.
    Silent { port: PortId },
    /// The far end is heard again after silence.
    Heard { port: PortId },
    /// Something is wrong with its sound, or is not any more. `from`: whose packets these are.
    Ailing { port: PortId, what: Ailment, on: bool, from: Option<SocketAddr> },
    /// A key was pressed (RFC 4733): `0`-`9`, `*`, `#`, `A`-`D`.
    Key { port: PortId, key: char },
    /// The last of the tunes of this piece has ended.
    Played { port: PortId, piece: u32 },
    /// The port is closed; these were its figures.
    Closed { port: PortId, figures: Figures },
}

/// What one port has seen (RFC 3550 section 6.4 and appendix A).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub received: u64,
    pub sent: u64,
    /// Expected less received, by sequence numbers.
    pub lost: i64,
    /// Interarrival jitter in units of 1/8000 s.
    pub jitter: u32,
    /// Packets refused: from a stranger, malformed, or of an unknown payload type.
    pub refused: u64,
    /// Mean opinion score estimate, 1.0 to 4.5, by the E-model (ITU-T G.107) from loss, jitter and
    /// half of the round trip, where that is known.
    pub mos: f32,
    /// What the far end reports of what it was sent.
    pub theirs: Option<Theirs>,
    /// To the far end and back, as its last report tells; its own delay is not in it.
    pub round_trip: Option<Duration>,
}

/// How a far end has received us, by its own reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Theirs {
    pub lost: i64,
    /// In units of 1/8000 s, as of its last report.
    pub jitter: u32,
    pub mos: f32,
}

/// Some networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks([Option<Network>; MEDIA_NETWORKS_MAX]);

impl Networks {
    /// What is too much is left out.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        let mut all = Self::default();
        all.0.iter_mut().zip(networks).for_each(|(place, network)| *place = Some(network));
        all
    }

    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().flatten().any(|network| network.contains(address))
    }
}

/// What is wrong with the sound of a port, though packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ailment {
    /// There is nothing but silence in them, as of a microphone that is dead or switched off.
    Mute,
    /// They come from elsewhere than the far end has said, and it is not certain that they are its
    /// own: what it is to hear goes where it said, and nobody can be there.
    Unsent,
    /// They come from somebody who is not believed to be the far end, and none come from it.
    Refused,
    /// What it is to hear cannot be sent.
    Unsendable,
    /// They are sealed with another key than what was agreed, or not at all, and none come that are
    /// sealed with that.
    Unopened,
}

impl Ailment {
    pub const ALL: [Self; 5] =
        [Self::Mute, Self::Unsent, Self::Refused, Self::Unsendable, Self::Unopened];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Unsent => "unsent",
            Self::Refused => "refused",
            Self::Unsendable => "unsendable",
            Self::Unopened => "unopened",
        }
    }
}

impl Far {
    /// With Opus in frames that its packets can be made of: all of one packet are of one length
    /// (RFC 6716 section 3.2), and there are none of 30 or 50 ms.
    pub(super) fn in_frames(mut self) -> Self {
        self.opus.tens = self.codec == Codec::Opus && !(self.ptime / 10).is_multiple_of(2);
        self
    }

    /// One that hears and speaks at this address, as most telephones do.
    pub fn at(rtp: SocketAddr, codec: Codec) -> Self {
        Self {
            rtp,
            rtcp: SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)),
            signalled: None,
            ssrc: None,
            networks: Networks::default(),
            strict: false,
            codec,
            payload: codec.our_payload(),
            ours: codec.our_payload(),
            event: Some(101),
            our_event: Some(101),
            event_clock: 8_000,
            named: [None; Codec::ALL.len()],
            comfort: None,
            ptime: 20,
            opus: Terms::default(),
            inband: false,
            hears: true,
            speaks: true,
        }
    }
}

impl Command {
    /// A room in which all of these hear one another.
    pub fn gather(ports: &[PortId]) -> Self {
        let seats =
            ports.iter().map(|port| Seat { port: *port, hears: u16::MAX, keys: true }).collect();
        Self::Gather { seats }
    }

    /// Music alone, from `since` on.
    pub fn music(port: PortId, tune: TuneId, since: Instant) -> Self {
        Self::Play { port, piece: 0, tunes: Vec::new(), then: Some(Music { tune, since }) }
    }
}
