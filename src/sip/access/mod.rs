//! Who may register and call: digest with a count of wrong passwords and a price on noise.
//!
//! In: a request's method, Request-URI, Authorization values and source. Out: a [`Verdict`].
//! ACK and CANCEL cannot be challenged (RFC 3261 section 22.1): do not ask about them.
//! Knows no transactions. May import: wire, base, and digest beside it.

mod table;

use super::digest::{Checked, Credentials, Verifier};
use super::{Algorithms, FixedPhone, Settings, Transport, User};
use crate::base::{Cx, Instant, Rng, limits};
use crate::wire::sip::Uri;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use table::Table;

/// The span in which wrong passwords are counted together.
const COUNTED_FOR: Duration = Duration::from_secs(600);
/// The first lock; each further one is twice as long, up to the last.
const LOCK_FIRST: Duration = Duration::from_secs(60);
const LOCK_LAST: Duration = Duration::from_secs(3_600);
/// How long after a lock the next one is a further one.
const LOCK_REMEMBERED: Duration = Duration::from_secs(3_600);
/// A source may be answered with a refusal or challenge this often for ever, and this much more
/// often at once: a hundred phones behind one address start together after a power cut.
const NOISE_EACH: Duration = Duration::from_millis(20);
const NOISE_BURST: Duration = Duration::from_secs(10);
/// What a wrong password costs, in challenges: trying many users is no way around their locks.
const WRONG_COSTS: u32 = 10;

/// The part of the settings that decides, indexed. Not state: build it anew from the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    realm: String,
    lock_after: usize,
    users: BTreeMap<String, User>,
    /// Where the phones are that have no password.
    fixed: BTreeMap<String, SocketAddr>,
}

impl Rules {
    pub fn new(settings: &Settings) -> Self {
        Self {
            realm: settings.domains.first().cloned().unwrap_or_default(),
            lock_after: settings.lock_after.max(1) as usize,
            users: settings.users.iter().map(|u| (u.name.clone(), u.clone())).collect(),
            fixed: settings.fixed.iter().filter_map(fixed_address).collect(),
        }
    }

    /// Whether this phone, which has no password, calls from where it is. A datagram comes from the
    /// very port that the phone is called at; a connection, from any of its host.
    pub fn is_at_home(&self, name: &str, transport: Transport, peer: SocketAddr) -> bool {
        let home = self.fixed.get(name).filter(|_| !self.has_user(name));
        home.is_some_and(|home| match transport {
            Transport::Udp => home.ip() == peer.ip().to_canonical() && home.port() == peer.port(),
            Transport::Tcp | Transport::Tls => home.ip() == peer.ip().to_canonical(),
        })
    }

    pub fn realm(&self) -> &str {
        &self.realm
    }

    pub fn has_user(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    /// A stranger is offered what most users are.
    fn algorithms(&self, user: &str) -> Algorithms {
        self.users.get(user).map_or(Algorithms::default(), |user| user.digest)
    }
}

/// A request that wants in.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    pub method: &'a str,
    /// Request-URI as it was sent.
    pub uri: &'a str,
    /// The values of all Authorization header fields (or Proxy-Authorization), as text.
    pub answers: &'a [&'a str],
    /// Who it says it is from; proves nothing, but says what its phone can be asked.
    pub from: &'a str,
    pub peer: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request is this user's. Whether they may do *that* (register another's address of
    /// record) is the caller's question.
    Accept(String),
    /// 401 with one WWW-Authenticate each (or 407 and Proxy-Authenticate).
    Challenge { stale: bool, values: Vec<String> },
    /// 403, with Retry-After in seconds while the user is locked from this source. `locked` names
    /// the user when this very request was the last straw (`Notice::Locked`).
    Forbid { retry_after: Option<u32>, locked: Option<String> },
    /// 400: the credentials belong to another request.
    Unfit,
    /// 503 with Retry-After: this source makes too much noise.
    Busy { retry_after: u32 },
}

/// There is no limit over all sources: it would let one stranger shut everyone out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Access {
    verifier: Verifier,
    /// By source and user, whether there is such a user or not: a lock tells a stranger nothing.
    offenders: Table<String, Offender>,
    /// When the noise of a source will have died away.
    noise: Table<IpAddr, Instant>,
}

/// One user name tried from one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Offender {
    /// When wrong passwords came, within the span that counts.
    wrong: VecDeque<Instant>,
    locks: u32,
    locked_until: Instant,
}

impl Access {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            verifier: Verifier::new(rng),
            offenders: Table::new(limits::OFFENDERS_MAX),
            noise: Table::new(limits::NOISY_SOURCES_MAX),
        }
    }

    /// Any datagram may bear any source; only who was sent a nonce there can answer it. Nothing
    /// else may lock a user, and noise is a reason to be sent away only without such an answer.
    pub fn judge(&mut self, cx: &mut Cx, rules: &Rules, knock: Knock) -> Verdict {
        let now = cx.now.instant;
        let source = source(knock.peer.ip());
        let ours = |given: &Credentials| given.realm == rules.realm;
        let values = knock.answers.iter().filter_map(|value| Credentials::parse(value));
        let mut given: Vec<Credentials> = values.filter(ours).collect();
        let proven = given.iter().position(|given| self.verifier.has_challenged(given, source));
        let Some(proven) = proven else {
            if let Some(retry_after) = self.too_noisy(now, source) {
                return Verdict::Busy { retry_after };
            }
            let name = given.first().map_or(knock.from, |given| &given.username);
            return self.challenge(cx, rules, (source, name), !given.is_empty());
        };
        self.judge_answer(cx, rules, (source, given.swap_remove(proven)), knock)
    }

    fn judge_answer(
        &mut self,
        cx: &mut Cx,
        rules: &Rules,
        (source, given): (IpAddr, Credentials),
        knock: Knock,
    ) -> Verdict {
        let now = cx.now.instant;
        let offender = format!("{source} {}", head(&given.username));
        if let Some(left) = self.locked(now, &offender) {
            self.charge(now, source, 1);
            return Verdict::Forbid { retry_after: Some(seconds(left)), locked: None };
        }
        let secret = rules.users.get(&given.username).map(|user| &user.secret);
        let request = (knock.method, knock.uri);
        match self.verifier.check(cx.now, (&given, source), secret, request) {
            Checked::Right => {
                self.offenders.remove(&offender);
                Verdict::Accept(given.username)
            }
            Checked::Stale => self.challenge(cx, rules, (source, &given.username), true),
            Checked::Unfit => {
                self.charge(now, source, 1);
                Verdict::Unfit
            }
            Checked::Wrong => {
                let noisy = self.too_noisy(now, source);
                self.charge(now, source, WRONG_COSTS);
                let lock = self.count_wrong(now, offender, rules.lock_after);
                let locked = lock.map(|_| head(&given.username).to_string());
                match (noisy, lock) {
                    (Some(retry_after), None) => Verdict::Busy { retry_after },
                    _ => Verdict::Forbid { retry_after: lock.map(seconds), locked },
                }
            }
        }
    }

    fn challenge(
        &mut self,
        cx: &Cx,
        rules: &Rules,
        (source, user): (IpAddr, &str),
        stale: bool,
    ) -> Verdict {
        self.charge(cx.now.instant, source, 1);
        let mut values = self.verifier.challenge(cx.now, (&rules.realm, source), stale);
        match rules.algorithms(user) {
            Algorithms::Both => {}
            Algorithms::Md5 => values.retain(|value| value.contains("algorithm=MD5")),
        }
        Verdict::Challenge { stale, values }
    }

    /// The time that a lock has left.
    fn locked(&self, now: Instant, offender: &String) -> Option<Duration> {
        let until = self.offenders.get(offender)?.locked_until;
        (until > now).then(|| until.since(now))
    }

    /// Notes a wrong password; returns the time of the lock that it brought about.
    fn count_wrong(&mut self, now: Instant, key: String, lock_after: usize) -> Option<Duration> {
        let mut offender = self.offenders.remove(&key).unwrap_or_default();
        offender.forget_old(now);
        offender.wrong.push_back(now);
        let mut lock = None;
        if offender.wrong.len() >= lock_after {
            let period = (LOCK_FIRST * 2_u32.pow(offender.locks.min(10))).min(LOCK_LAST);
            offender.wrong.clear();
            offender.locks += 1;
            offender.locked_until = now + period;
            lock = Some(period);
        }
        let end = offender.end(now);
        self.offenders.put(now, key, end, offender);
        lock
    }

    /// Seconds after which a source may come again, if it has come too often.
    fn too_noisy(&self, now: Instant, source: IpAddr) -> Option<u32> {
        let over = self.noise.get(&source)?.since(now).checked_sub(NOISE_BURST)?;
        (!over.is_zero()).then(|| seconds(over))
    }

    /// A bucket that leaks, kept as the time when it will be empty.
    fn charge(&mut self, now: Instant, source: IpAddr, cost: u32) {
        let level = self.noise.get(&source).copied().unwrap_or(now).max(now);
        let empty = level + NOISE_EACH * cost;
        self.noise.put(now, source, empty, empty);
    }
}

impl Offender {
    fn forget_old(&mut self, now: Instant) {
        while self.wrong.front().is_some_and(|&at| now.since(at) >= COUNTED_FOR) {
            self.wrong.pop_front();
        }
        if now.since(self.locked_until) >= LOCK_REMEMBERED {
            self.locks = 0;
        }
    }

    /// When nothing of this will matter any more.
    fn end(&self, now: Instant) -> Instant {
        if self.locks > 0 { self.locked_until + LOCK_REMEMBERED } else { now }
            .max(now + COUNTED_FOR)
    }
}

fn fixed_address(phone: &FixedPhone) -> Option<(String, SocketAddr)> {
    let uri = Uri::parse(&phone.contact).filter(Uri::is_sip)?;
    let at = SocketAddr::new(uri.host.ip()?, uri.port.unwrap_or(5060));
    Some((phone.name.clone(), at))
}

/// One host has a whole /64 of IPv6 addresses to come from.
pub fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

fn head(name: &str) -> &str {
    let most = limits::OFFENDER_OCTETS_MAX.min(name.len());
    let end = (0..=most).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    &name[..end]
}

/// Rounded up: whoever comes back then is not sent away again.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
