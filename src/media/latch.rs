//! Where the far end really is. Phones behind a NAT send from elsewhere than their session
//! description says (RFC 4961 asks that both be one); strangers send too, and must not be heard.
//!
//! In: the address that was said, and the source of each packet. Out: whether it is the far end.
//!
//! - What was said is believed at once, and beats everyone else for as long as nothing is settled.
//! - Until it is heard, another source may show itself by a run of packets of one stream: another
//!   port of the said host, or the host that its signalling comes from. A spray over many ports
//!   shows nothing. It is then taken on trial for two seconds, in which the said address takes over
//!   with one packet, and any other if the first has fallen silent: for a moment where it has
//!   hardly begun to speak or its own stream goes on, and else for as long as the trial is.
//! - After that nobody else is heard until another address is agreed, or the far end has fallen
//!   silent: then whoever goes on with its stream (SSRC) from a likely place is it, behind a NAT
//!   that has begun anew. Behind a carrier's NAT thousands are as likely, and do not know the
//!   stream. One that has said just now that it begins to speak may begin another stream, from
//!   wherever it is likely; whoever does is sent nothing while they are on trial, and loses to its
//!   first word.
//! - Whoever reports on what was sent to the said address (RTCP) has heard it, and so is the far
//!   end; who guesses has soon guessed too often. Any other host of the same site has to prove
//!   itself so, and any at all where it is not known where the signalling comes from. A host that
//!   is none of these, and no neighbour in the pool of one NAT, can prove nothing.
//! - Such a neighbour is borne, where a NAT is between: RFC 4787 section 4.1. It is heard after
//!   half a second, for as long as the far end has not spoken, and what is said goes where the far
//!   end said that it listens.
//! - Whose packets name the source (SSRC) that the description named (RFC 5576) is the far end,
//!   from wherever they come: nobody else has read the description. Once the far end has been heard
//!   the other party knows its source too; so this holds until then.
//! - A carrier's own networks, as the configuration has them, are as likely as what it said.
//! - A less likely source that was there long before anything was agreed is nobody's phone.
//! - Where the configuration is strict all but the said address, the named source and those
//!   networks have to prove themselves, and a silent far end is replaced by nobody.
//!
//! May import: base.

use super::control::Networks;
use crate::base::Instant;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The unlikely are learned for so long after the first packet from anywhere, ...
const LEARN_FOR: Duration = Duration::from_secs(30);
/// ... or until so many of their packets have come.
const LEARN_PACKETS: u16 = 1_000;
/// How long a source that is not the said one, and likely, is on trial.
const TRIAL: Duration = Duration::from_secs(2);
/// A source on trial that is silent for this long may be replaced, ...
const FALTER: Duration = Duration::from_millis(200);
/// ... or for a whole [`TRIAL`] where so many of its packets have come: a spray has fewer for each
/// of its ports, and a telephone that makes pauses is not to lose its sound to a neighbour's.
const SPOKEN: u8 = 25;
/// Packets of a run: same host, other port; the host that signals; its neighbour.
const RUN_SAME_HOST: u8 = 2;
const RUN_NAT: u8 = 3;
const RUN_ELSEWHERE: u8 = 25;
/// Sources watched at a time.
const CANDIDATES: usize = 4;
/// A host that has told so often of what nobody was sent is believed no proof any more.
const WRONG_MAX: u8 = 8;

/// Of a source that was heard before anything was agreed, its first packet is at most so old: an
/// answer may be overtaken by the sound that it speaks of.
const EARLY: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Default)]
pub struct Latch {
    said: Option<SocketAddr>,
    signalled: Option<IpAddr>,
    state: State,
    candidates: [Option<Candidate>; CANDIDATES],
    /// When the first packet after the agreement came, and how many of the unlikely since.
    since: Option<Instant>,
    strangers: u16,
    /// Who sent before anything was agreed, and since when.
    early: [Option<(SocketAddr, Instant)>; CANDIDATES],
    /// Where the far end was when it fell silent, and is sent to still; and its stream.
    doubted: Option<SocketAddr>,
    stream: Option<u32>,
    /// It has said that it begins to speak, and has not been heard since.
    begins: bool,
    strict: bool,
    /// Since when somebody is heard who is sent nothing, though nobody can be where it is sent.
    unsent: Option<Instant>,
    /// The source that the far end's packets name, and where else they may come from.
    ssrc: Option<u32>,
    networks: Networks,
    /// The host that has heard us.
    proven: Option<IpAddr>,
    /// Hosts that have claimed so wrongly, and how often.
    wrong: [Option<(IpAddr, u8)>; CANDIDATES],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Learning,
    Trial {
        at: SocketAddr,
        firm: bool,
        likely: bool,
        until: Instant,
        heard: Instant,
        /// Its packets so far, and the stream that they are of.
        packets: u8,
        ssrc: u32,
    },
    Settled {
        at: SocketAddr,
        firm: bool,
    },
}

/// What makes a source the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    /// Packets of one stream.
    run: u8,
    /// Where it is likely, or proven, it is where the far end listens too.
    firm: bool,
    /// The address says so itself.
    likely: bool,
    /// It knows what only the far end knows.
    vouched: bool,
    /// It counts for nothing until it has proven that it hears us.
    unproven: bool,
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
    /// end is; nor does one that only goes on with the call. `begins`: the far end will speak from
    /// now on. Returns whether learning starts anew.
    pub fn agree(
        &mut self,
        now: Instant,
        said: SocketAddr,
        signalled: Option<IpAddr>,
        begins: bool,
    ) -> bool {
        self.begins |= begins;
        let signalled = signalled.filter(|host| !host.is_unspecified());
        let before = std::mem::replace(&mut self.signalled, signalled);
        // A NAT that has another address by now is signalled from there.
        let moved = before.is_some() && signalled.is_some() && before != signalled;
        let same = self.said == Some(said) && !moved;
        if said.ip().is_unspecified() || said.port() == 0 || same {
            return false;
        }
        for early in self.early.iter_mut().filter(|e| e.is_some_and(|e| now.since(e.1) < EARLY)) {
            *early = None;
        }
        // The far end may have announced the very address that it had been learned at.
        if self.state.settled() == Some(said) {
            self.said = Some(said);
            self.settle(said, true);
            return false;
        }
        let early = self.early;
        *self = Self { said: Some(said), signalled, early, ..Self::default() };
        true
    }

    /// What an agreement says besides: the source that its packets name, and networks that they may
    /// come from.
    pub fn vouch(&mut self, ssrc: Option<u32>, networks: Networks, strict: bool) {
        (self.ssrc, self.networks, self.strict) = (ssrc, networks, strict);
    }

    /// Since when somebody is heard who is not the far end for certain, and what is said to it goes
    /// where nobody can be: to an address of another site.
    pub fn unsent(&self) -> Option<Instant> {
        let at = match self.state {
            State::Trial { at, firm: false, .. } | State::Settled { at, firm: false } => at,
            State::Learning | State::Trial { .. } | State::Settled { .. } => return None,
        };
        let said = self.said.filter(|said| is_private(said.ip()) && !is_private(at.ip()))?;
        self.unsent.filter(|_| self.far() == Some(said))
    }

    /// Where to send.
    #[inline]
    pub fn far(&self) -> Option<SocketAddr> {
        if self.doubted.is_some() {
            return self.doubted;
        }
        let at = match &self.state {
            State::Trial { at, firm: true, .. } | State::Settled { at, firm: true } => Some(at),
            State::Learning
            | State::Trial { firm: false, .. }
            | State::Settled { firm: false, .. } => self.said.as_ref(),
        };
        at.copied()
    }

    pub fn settled(&self) -> Option<SocketAddr> {
        self.state.settled()
    }

    /// Whoever is heard, for certain or not.
    pub fn heard(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learning => None,
            State::Trial { at, .. } | State::Settled { at, .. } => Some(at),
        }
    }

    /// The far end has fallen silent: it, or its NAT, may have another port by now. True where
    /// others are listened to from now on. `stream`: the one that it was heard by.
    pub fn doubt(&mut self, stream: Option<u32>) -> bool {
        let firm = matches!(self.state, State::Settled { firm: true, .. }) && !self.strict;
        if firm {
            (self.doubted, self.stream) = (self.state.settled(), stream);
        }
        firm
    }

    pub fn is_in_doubt(&self) -> bool {
        self.doubted.is_some()
    }

    /// Whether nobody but the said address can take its place any more.
    pub fn is_firm(&self) -> bool {
        matches!(self.state, State::Settled { firm: true, .. })
            || self.proven.is_some() && self.settled().map(|at| at.ip()) == self.proven
    }

    /// Whether nothing that comes from there can be the far end's, whatever it is.
    pub fn excludes(&self, from: SocketAddr) -> bool {
        let settled = match self.state {
            State::Settled { at, firm: true } => Some(at),
            State::Learning | State::Trial { .. } | State::Settled { firm: false, .. } => None,
        };
        self.doubted.is_none() && settled.is_some_and(|at| at != from)
    }

    /// Whether the far end may be at this host.
    pub fn may_be_at(&self, host: IpAddr) -> bool {
        let claimed = || self.said.and_then(|said| claim(said, self.signalled, host));
        self.heard().is_some_and(|at| at.ip() == host)
            || self.networks.contain(host)
            || claimed().is_some_and(|claim| !claim.unproven)
    }

    /// A well-formed packet before anything is agreed.
    pub fn before(&mut self, now: Instant, from: SocketAddr) {
        if self.early.iter().flatten().all(|(who, _)| *who != from)
            && let Some(free) = self.early.iter_mut().find(|early| early.is_none())
        {
            *free = Some((from, now));
        }
    }

    /// Whether there is anything that this host could prove.
    pub fn may_prove(&self, host: IpAddr) -> bool {
        self.provable(host).is_some()
    }

    fn provable(&self, host: IpAddr) -> Option<Claim> {
        let mut wrong = self.wrong.iter().flatten();
        let doubted = match wrong.find(|(who, _)| *who == host) {
            Some((_, times)) => *times >= WRONG_MAX,
            // So many hosts guess that the next one does too.
            None => self.wrong.iter().all(Option::is_some),
        };
        // A phone that is muted reports all the same, and so may whoever is heard in its place.
        let open = !doubted && !self.is_firm() && self.proven.is_none() && self.doubted.is_none();
        self.said.filter(|_| open).and_then(|said| self.claim(said, host, false))
    }

    /// This host has told of something that nobody has heard from us.
    pub fn disprove(&mut self, host: IpAddr) {
        let known = self.wrong.iter().position(|w| w.is_some_and(|(who, _)| who == host));
        let place = known.or_else(|| self.wrong.iter().position(Option::is_none));
        if let Some(place) = place.map(|place| &mut self.wrong[place]) {
            let times = place.map_or(0, |(_, times)| times);
            *place = Some((host, times.saturating_add(1)));
        }
    }

    /// This host has told of something that only the far end can have heard. True: whoever is heard
    /// from there is settled with that, for good.
    pub fn prove(&mut self, host: IpAddr) -> bool {
        let Some(Claim { firm, .. }) = self.provable(host) else { return false };
        self.proven = Some(host);
        (self.since, self.strangers) = (None, 0);
        let at = match self.state {
            State::Learning => None,
            State::Trial { at, .. } | State::Settled { at, .. } => Some(at),
        };
        match at.filter(|at| at.ip() == host) {
            Some(at) => {
                self.settle(at, firm);
                true
            }
            None => {
                // Somebody else is heard in its place.
                self.state = State::Learning;
                false
            }
        }
    }

    /// A well-formed packet of an agreed payload type. Nearly all are from where the last one was.
    #[inline]
    pub fn packet(&mut self, now: Instant, from: &SocketAddr, ssrc: u32, sequence: u16) -> Source {
        if let State::Settled { at, .. } = &self.state
            && at == from
        {
            (self.doubted, self.begins) = (None, false);
            return Source::Far;
        }
        self.weigh(now, *from, ssrc, sequence)
    }

    fn weigh(&mut self, now: Instant, from: SocketAddr, ssrc: u32, sequence: u16) -> Source {
        let known = self.said == Some(from) || self.doubted == Some(from);
        match &mut self.state {
            State::Settled { firm: true, .. } if self.doubted.is_none() => Source::Stranger,
            _ if known => self.settle(from, true),
            State::Trial { at, until, firm, .. }
                if *at == from && now >= *until && (self.doubted.is_none() || self.begins) =>
            {
                let firm = *firm;
                self.settle(from, firm)
            }
            State::Trial { at, heard, packets, ssrc: stream, .. } if *at == from => {
                (*heard, *stream) = (now, ssrc);
                *packets = packets.saturating_add(1);
                Source::Far
            }
            State::Learning | State::Trial { .. } | State::Settled { .. } => {
                self.learn(now, from, ssrc, sequence)
            }
        }
    }

    fn settle(&mut self, at: SocketAddr, firm: bool) -> Source {
        self.state = State::Settled { at, firm };
        (self.doubted, self.begins) = (None, false);
        self.candidates = [None; CANDIDATES];
        Source::Settled
    }

    fn learn(&mut self, now: Instant, from: SocketAddr, ssrc: u32, sequence: u16) -> Source {
        let vouched = self.ssrc == Some(ssrc) && self.doubted.is_none();
        let claimed = self.said.and_then(|said| self.claim(said, from.ip(), vouched));
        let Some(claim) = claimed.filter(|claim| self.may(now, from, ssrc, *claim)) else {
            return Source::Stranger;
        };
        let over = *self.since.get_or_insert(now) + LEARN_FOR;
        if !claim.likely && (now > over || self.strangers >= LEARN_PACKETS) {
            return Source::Stranger;
        }
        self.strangers += u16::from(!claim.likely);
        if self.run(from, ssrc, sequence) < claim.run {
            return Source::Stranger;
        }
        let Claim { firm, likely, vouched, .. } = claim;
        if self.proven == Some(from.ip()) || vouched || self.goes_on(ssrc) {
            return self.settle(from, firm);
        }
        let (until, firm) = if likely { (now + TRIAL, firm) } else { (over, false) };
        self.unsent = (!firm).then(|| self.unsent.unwrap_or(now));
        let packets = claim.run;
        self.state = State::Trial { at: from, firm, likely, until, heard: now, packets, ssrc };
        Source::Far
    }

    fn claim(&self, said: SocketAddr, from: IpAddr, vouched: bool) -> Option<Claim> {
        let known = Claim { run: RUN_NAT, firm: true, likely: true, vouched, unproven: false };
        if vouched || self.networks.contain(from) {
            return Some(known);
        }
        let own = claim(said, self.signalled, from);
        own.map(|own| Claim { unproven: own.unproven || self.strict, ..own })
    }

    /// Whether this stream is the one that the far end fell silent in.
    fn goes_on(&self, ssrc: u32) -> bool {
        self.doubted.is_some() && self.stream == Some(ssrc)
    }

    /// Whether this one has a claim beside whoever is heard now.
    fn may(&self, now: Instant, from: SocketAddr, ssrc: u32, claim: Claim) -> bool {
        if claim.vouched {
            return true;
        }
        let early = !claim.likely && self.early.iter().flatten().any(|(who, _)| *who == from);
        let disproven = self.proven.is_some_and(|host| host != from.ip()) && !claim.firm;
        let unproven = claim.unproven && self.proven != Some(from.ip());
        let beside = match self.state {
            State::Learning => true,
            State::Trial { .. } if self.goes_on(ssrc) => claim.likely,
            State::Trial { heard, likely, packets, ssrc: stream, .. } => {
                // Whoever goes on with its stream from another port is it.
                let another = likely && packets >= SPOKEN && stream != ssrc;
                let falters = if another { TRIAL } else { FALTER };
                now.since(heard) >= falters || !likely && claim.likely
            }
            State::Settled { .. } if self.doubted.is_some() => {
                claim.likely && (self.goes_on(ssrc) || self.begins)
            }
            State::Settled { firm, .. } => !firm && claim.likely && !self.is_firm(),
        };
        !early && !disproven && !unproven && beside
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

impl State {
    fn settled(self) -> Option<SocketAddr> {
        match self {
            State::Settled { at, .. } => Some(at),
            State::Learning | State::Trial { .. } => None,
        }
    }
}

/// What this source needs to be taken for the far end; `None` where nothing is enough.
fn claim(said: SocketAddr, signalled: Option<IpAddr>, from: IpAddr) -> Option<Claim> {
    let likely = |run| Claim { run, firm: true, likely: true, vouched: false, unproven: false };
    let unproven = Claim { likely: false, unproven: true, ..likely(RUN_NAT) };
    if said.ip() == from {
        return Some(likely(RUN_SAME_HOST));
    }
    match signalled {
        Some(host) if host == from => Some(likely(RUN_NAT)),
        // A site's own host may have several addresses, and send from another than it says. Where
        // it signals from the address that it says, that is no NAT's: it can be sent to.
        Some(host) if is_private(host) && is_private(from) => {
            Some(Claim { firm: said.ip() != host, ..unproven })
        }
        // RFC 4787 section 4.1: a NAT may have a pool of addresses, and take another one for media.
        Some(host) if are_neighbours(host, from) && is_private(said.ip()) => {
            Some(Claim { likely: false, ..likely(RUN_ELSEWHERE) })
        }
        Some(host) if are_neighbours(host, from) => Some(unproven),
        Some(_) => None,
        None => Some(unproven),
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
