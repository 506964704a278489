//! Where the far end really is. Phones behind a NAT send from elsewhere than their session
//! description says (RFC 4961 asks that both be one); strangers send too, and must not be heard.
//!
//! In: the address that was said, and the source of each packet. Out: whether it is the far end.
//!
//! - What was said is believed at once, and beats everyone else for as long as nothing is settled.
//! - Until it is heard, another source may prove itself by a run of packets of one stream. The less
//!   likely it is by its address, the longer the run: a spray over many ports proves nothing.
//! - Where it is known which host the signalling comes from, no other host than that and the said
//!   one can prove anything, but for its neighbours in the pool of one NAT; inside one site, no
//!   host outside of it.
//! - It is then taken on trial. During the trial the said address takes over with one packet, and
//!   so does a likelier source with its run; one that is no likelier, if the first has fallen
//!   silent. Whoever is unlikely by its address stays on trial until learning is over: a thief who
//!   speaks before the phone does loses to the phone.
//! - After that nobody else is heard until another address is agreed.
//!
//! May import: base.

use crate::base::Instant;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Learning ends this long after the first packet from anywhere.
const LEARN_FOR: Duration = Duration::from_secs(30);
/// ... or, for the unlikely, after this many of their packets.
const LEARN_PACKETS: u16 = 1_000;
/// How long a source that is likely by its address is on trial.
const TRIAL: Duration = Duration::from_secs(2);
/// A source on trial that is silent for this long may be replaced.
const FALTER: Duration = Duration::from_millis(200);
/// Packets of a run: same host, other port; the host that signals; none of these.
const RUN_SAME_HOST: u8 = 2;
const RUN_NAT: u8 = 3;
const RUN_ELSEWHERE: u8 = 25;
/// Sources watched at a time.
const CANDIDATES: usize = 4;

#[derive(Clone, Debug, Default)]
pub struct Latch {
    said: Option<SocketAddr>,
    signalled: Option<IpAddr>,
    state: State,
    candidates: [Option<Candidate>; CANDIDATES],
    /// When the first packet after the agreement came, and how many of the unlikely since.
    since: Option<Instant>,
    strangers: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Learning,
    Trial {
        at: SocketAddr,
        /// The run that proved it.
        run: u8,
        until: Instant,
        heard: Instant,
    },
    Settled(SocketAddr),
}

/// A source that may become the far end.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    run: u8,
}

/// What a packet's source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Stranger,
    Far,
    /// The far end, settled with this packet.
    Settled,
}

impl Latch {
    /// The address of a new agreement. 0.0.0.0 (hold, RFC 2543) says nothing about where the far
    /// end is. Returns whether learning starts anew.
    pub fn agree(&mut self, said: SocketAddr, signalled: Option<IpAddr>) -> bool {
        self.signalled = signalled.filter(|host| !host.is_unspecified());
        if said.ip().is_unspecified() || said.port() == 0 || self.said == Some(said) {
            return false;
        }
        // The far end may have announced the very address that it had been learned at.
        if self.state == State::Settled(said) {
            self.said = Some(said);
            return false;
        }
        *self = Self { said: Some(said), signalled: self.signalled, ..Self::default() };
        true
    }

    /// Where to send.
    pub fn far(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learning => self.said,
            State::Trial { at, .. } | State::Settled(at) => Some(at),
        }
    }

    pub fn settled(&self) -> Option<SocketAddr> {
        match self.state {
            State::Settled(at) => Some(at),
            State::Learning | State::Trial { .. } => None,
        }
    }

    /// A well-formed packet of an agreed payload type.
    pub fn packet(&mut self, now: Instant, from: SocketAddr, ssrc: u32, sequence: u16) -> Source {
        match &mut self.state {
            State::Settled(at) if *at == from => Source::Far,
            State::Settled(_) => Source::Stranger,
            State::Learning | State::Trial { .. } if self.said == Some(from) => self.settle(from),
            State::Trial { at, until, .. } if *at == from && now >= *until => self.settle(from),
            State::Trial { at, heard, .. } if *at == from => {
                *heard = now;
                Source::Far
            }
            // The run that a source may have at most, to be heard instead.
            State::Trial { heard, run, .. } if now.since(*heard) < FALTER => {
                let most = *run - 1;
                self.learn(now, from, (ssrc, sequence), most)
            }
            State::Learning | State::Trial { .. } => {
                self.learn(now, from, (ssrc, sequence), RUN_ELSEWHERE)
            }
        }
    }

    fn settle(&mut self, at: SocketAddr) -> Source {
        self.state = State::Settled(at);
        self.candidates = [None; CANDIDATES];
        Source::Settled
    }

    fn learn(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (ssrc, sequence): (u32, u16),
        most: u8,
    ) -> Source {
        let needed = self.said.and_then(|said| needed(said, self.signalled, from));
        let Some(run) = needed.filter(|run| *run <= most) else { return Source::Stranger };
        let until = *self.since.get_or_insert(now) + LEARN_FOR;
        let unlikely = run == RUN_ELSEWHERE;
        if now > until || unlikely && self.strangers >= LEARN_PACKETS {
            return Source::Stranger;
        }
        self.strangers += u16::from(unlikely);
        if self.run(from, ssrc, sequence) < run {
            return Source::Stranger;
        }
        let until = if unlikely { until } else { now + TRIAL };
        self.state = State::Trial { at: from, run, until, heard: now };
        Source::Far
    }

    /// How many packets of one stream, in order, this source has sent.
    fn run(&mut self, from: SocketAddr, ssrc: u32, sequence: u16) -> u8 {
        let known = self.candidates.iter_mut().flatten().find(|c| c.from == from);
        if let Some(candidate) = known {
            let ahead = sequence.wrapping_sub(candidate.sequence);
            let follows = candidate.ssrc == ssrc && (1..=8).contains(&ahead);
            candidate.run = if follows { candidate.run.saturating_add(1) } else { 1 };
            (candidate.ssrc, candidate.sequence) = (ssrc, sequence);
            return candidate.run;
        }
        let weakest = self.candidates.iter_mut().min_by_key(|c| c.map_or(0, |c| c.run));
        if let Some(place) = weakest {
            *place = Some(Candidate { from, ssrc, sequence, run: 1 });
        }
        1
    }
}

/// The run that proves this source; `None` where nothing can.
fn needed(said: SocketAddr, signalled: Option<IpAddr>, from: SocketAddr) -> Option<u8> {
    if said.ip() == from.ip() {
        return Some(RUN_SAME_HOST);
    }
    match signalled {
        Some(host) if host == from.ip() => Some(RUN_NAT),
        // A site's own host may have several addresses, and send from another than it says.
        Some(host) if is_private(host) && is_private(from.ip()) => Some(RUN_ELSEWHERE),
        // RFC 4787 section 4.1: a NAT may have a pool of addresses, and take another one for media.
        Some(host) if are_neighbours(host, from.ip()) => Some(RUN_ELSEWHERE),
        Some(_) => None,
        None => Some(RUN_ELSEWHERE),
    }
}

/// Whether both are in one /24, or in one /64 of IPv6, whose hosts have several addresses each.
fn are_neighbours(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.to_bits() >> 8 == other.to_bits() >> 8,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 64 == other.to_bits() >> 64,
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Whether the address means something only inside a site: RFC 1918, 6598, 4193, link-local.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let carrier_nat = first == 100 && second & 0xc0 == 64;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || carrier_nat
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            v6.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}
