//! Phones that seal their sound (RFC 4568), with whom nobody is to talk plain: what they say of
//! keys, and the law.
//!
//! Phones speak of sound as if all of it were plain. On its way to the switch each description is
//! given the keys that whoever says it has, and a port of its own by which it is known again.

use super::Plan;
use super::world::World;
use crate::base::Rng;
use crate::call::{MediaSettings, Srtp};
use crate::media::control::{Command, Far, Seals};
use crate::wire::sdp::{Crypto, Master, Session, Suite};
use crate::wire::sip::{Message, Method, Start};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// How many phones seal, of a hundred, and whether the switch wants it of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealing {
    pub phones: u64,
    pub required: bool,
}

/// What a phone does about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Knows nothing of them, and refuses what is sealed.
    Plain,
    /// Has them in all that it offers: beside RTP/AVP, or `secure`, and then it wants nothing else.
    /// `changes`: another one each time.
    Seals { secure: bool, changes: bool },
}

impl Sealing {
    pub fn rude(rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 => Self { phones: 90, required: true },
            1 => Self { phones: 50, required: false },
            _ => Self::default(),
        }
    }

    pub fn media(self) -> MediaSettings {
        let srtp = if self.required { Srtp::Require } else { Srtp::Accept };
        MediaSettings { srtp, ..MediaSettings::default() }
    }

    /// Whose sound has to be sealed calls with keys, or not at all; of those who are called some
    /// have none.
    pub fn of(self, phone: SocketAddr) -> Habit {
        let dice = digest(&phone.ip());
        let calls = matches!(phone.ip(), IpAddr::V4(ip) if ip.octets()[1] == 1);
        match dice % 100 < self.phones || self.required && calls {
            true => Habit::Seals { secure: dice & 0x100 != 0, changes: dice & 0x200 != 0 },
            false => Habit::Plain,
        }
    }
}

/// What was said of keys.
#[derive(Debug, Default)]
pub struct Keys {
    /// What the switch described to a phone, whether under RTP/SAVP and with which keys: by the
    /// phone, the Call-ID, the number, and whether it stood in a request.
    offered: BTreeMap<Place, (bool, Vec<Crypto>)>,
    /// By where its sound comes from, what each party said.
    said: BTreeMap<SocketAddr, Said>,
    /// Of each key of ours, the call that it was said in.
    ours: BTreeMap<Vec<u8>, String>,
}

type Place = (SocketAddr, String, u32, bool);

#[derive(Debug, Default)]
struct Said {
    keys: Vec<Master>,
    /// A description would do without.
    plain: bool,
    agreed: bool,
}

impl Keys {
    /// The switch says this to a phone.
    pub fn heard(&mut self, phone: SocketAddr, bytes: &[u8]) -> Result<(), String> {
        let Some((message, session)) = described(bytes) else { return Ok(()) };
        let (call, is_request) = (message.call_id.to_string(), message.is_request());
        let keys: Vec<Crypto> = keys(&session).collect();
        for Crypto { master, .. } in &keys {
            let key = [master.key(), &master.salt()].concat();
            let first = self.ours.entry(key).or_insert_with(|| call.clone());
            if *first != call {
                return Err(format!("a key of {first} is said in {call} as well"));
            }
        }
        let secure = is_sealed(bytes);
        self.offered.insert((phone, call, message.cseq.number, is_request), (secure, keys));
        Ok(())
    }

    /// A phone says this; as it is when it has said what it does about keys.
    pub fn say(&mut self, phone: SocketAddr, habit: Habit, bytes: Vec<u8>) -> Vec<u8> {
        let Some((message, _)) = described(&bytes) else { return bytes };
        let (call, number) = (message.call_id.to_string(), message.cseq.number);
        let (own, answers) = match message.start {
            Start::Request { .. } => (message.from.tag(), false),
            Start::Response { .. } => (message.to.tag(), true),
        };
        let session = (phone, call.clone(), own.map(str::to_string));
        let rtp = SocketAddr::new(phone.ip(), 4_000 + (digest(&session) % 10_000) as u16 * 2);
        // An ACK answers what stood in a response, and a response what stood in a request.
        let theirs = self.offered.get(&(phone, call, number, answers)).cloned();
        let theirs = theirs.filter(|_| answers || message.method() == Method::Ack);
        let changes = matches!(habit, Habit::Seals { changes: true, .. });
        let round = if changes { Some((number, answers)) } else { None };
        let master = |suite| key(digest(&(&session, round)), suite);
        let line = |tag, suite| Crypto { tag, master: master(suite) };
        let (secure, lines) = match (habit, theirs) {
            (Habit::Plain, _) => (false, Vec::new()),
            (Habit::Seals { .. }, Some((secure, theirs))) => {
                let taken = theirs.last().map(|theirs| line(theirs.tag, theirs.master.suite));
                (secure, taken.into_iter().collect())
            }
            (Habit::Seals { secure, .. }, None) => {
                (secure, vec![line(1, Suite::Gcm256), line(2, Suite::Cm80)])
            }
        };
        let said = self.said.entry(rtp).or_default();
        said.plain |= !secure;
        for Crypto { master, .. } in &lines {
            if !said.keys.contains(master) {
                said.keys.push(*master);
            }
        }
        with_keys(&bytes, rtp.port(), secure, &lines)
    }

    /// What was agreed sealed is never sent plain, and nobody's sound is who wants it sealed.
    pub fn agreed(&mut self, far: &Far, seal: Option<Seals>) -> Result<(), String> {
        let Some(said) = self.said.get_mut(&far.rtp) else { return Ok(()) };
        match seal {
            Some(seals) if said.keys.contains(&seals.theirs) => said.agreed = true,
            Some(_) => return Err(format!("{} never said the key of its port", far.rtp)),
            None if said.agreed => return Err(format!("{} was sealed, and is plain", far.rtp)),
            None if !said.plain => return Err(format!("{} wants no plain sound", far.rtp)),
            None => {}
        }
        Ok(())
    }
}

impl World {
    /// What the data plane is told of a far end, by the law.
    pub(super) fn check_seal(&mut self, command: &Command) -> Result<(), String> {
        // One that the system refused is nobody's.
        match (command, self.ports.seal(command.port())) {
            (Command::Agree { far, .. }, Some(seal)) => self.keys.agreed(far, seal),
            (_, Some(_) | None) => Ok(()),
        }
    }
}

impl Plan {
    pub(super) fn seals(&self) -> bool {
        self.sealing != Sealing::default()
    }
}

/// Whether a phone that knows nothing of keys could not answer this.
pub fn is_sealed(invite: &[u8]) -> bool {
    invite.windows(9).any(|nine| nine == b" RTP/SAVP")
}

fn described(bytes: &[u8]) -> Option<(Message<'_>, Session)> {
    // Most messages have none.
    let bytes = Some(bytes).filter(|bytes| !bytes.ends_with(b"\r\n\r\n"))?;
    let message = Message::parse(bytes).ok()?;
    let session = Session::parse(message.body).ok()?;
    Some((message, session))
}

/// The same message, with a port, a profile and keys in its description.
fn with_keys(bytes: &[u8], port: u16, secure: bool, lines: &[Crypto]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let profile = if secure { "SAVP" } else { "AVP" };
    let mut body = body.replace("m=audio 4000 RTP/AVP", &format!("m=audio {port} RTP/{profile}"));
    lines.iter().for_each(|line| body.push_str(&format!("a=crypto:{line}\r\n")));
    let head = head.rsplit_once(' ').map_or(head, |(head, _length)| head);
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn keys(session: &Session) -> impl Iterator<Item = Crypto> {
    session.media.iter().flat_map(|media| media.crypto.iter().filter_map(|line| line.ok()))
}

/// Our own of the suite; whoever asks twice has it twice.
fn key(dice: u64, suite: Suite) -> Master {
    let mut rng = Rng::new(dice);
    let octets: Vec<u8> = (0..46).map(|_| rng.bits() as u8).collect();
    let (key, salt) = suite.lengths();
    Master::new(suite, &octets[..key + salt]).expect("as long as it says")
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
