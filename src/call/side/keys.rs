//! Which keys the sound of a leg is sealed with (RFC 4568): those of our offers and of our answers,
//! and what comes of both.

use super::*;
use crate::wire::sdp::{Crypto, Master, Unusable};

/// The suites that we offer, dearest first: the first is the cheapest for both ends, the second is
/// what every telephone has. One whose packets are proved by 32 bits is taken where it is offered.
const SUITES: [Suite; 2] = [Suite::Gcm128, Suite::Cm80];
/// What was said of keys and may still be answered to; each later offer of theirs adds one at most.
const SAID_MAX: usize = 16;

impl Side {
    /// Why an offer that was refused could not be served, as a sentence.
    pub fn why_not(&self, media: &MediaSettings, offer: &Body) -> Option<&'static str> {
        let theirs = Session::parse(&offer.bytes).ok()?;
        theirs.audio(media.homes.families(), self.policy()).err().map(Unusable::sentence)
    }

    /// The keys of an offer of ours: the one that is agreed, or one of each suite where sound has
    /// to be sealed.
    pub(super) fn keys(&self) -> Vec<Crypto> {
        match (&self.seals, self.srtp) {
            (Some(seals), _) => vec![self.own(1, seals.ours.suite)],
            (None, Srtp::Require) => {
                (1..).zip(SUITES).map(|(tag, suite)| self.own(tag, suite)).collect()
            }
            (None, Srtp::Off | Srtp::Accept) => Vec::new(),
        }
    }

    /// Our key of a suite. It stays what it is for as long as the leg lasts: the data plane sees to
    /// it that under one key nothing is ever sealed twice alike.
    pub(super) fn own(&self, tag: u32, suite: Suite) -> Crypto {
        let octets: [u8; 46] = self.own.stream(suite as u64);
        let (key, salt) = suite.lengths();
        let master = Master::new(suite, &octets[..key + salt]).expect("as long as it says");
        Crypto { tag, master }
    }

    /// Under which profile a first offer, or one of a single line, has its sound.
    pub(super) fn profile(&self) -> &str {
        let first = if self.srtp == Srtp::Require { "RTP/SAVP" } else { "RTP/AVP" };
        self.profile.as_deref().unwrap_or(first)
    }

    /// What was agreed of keys: theirs, and this one of ours.
    pub(super) fn seal(&mut self, theirs: &Session, audio: &Audio, own: Option<Crypto>) {
        let both = audio.crypto.zip(own);
        self.seals = both.map(|(theirs, own)| Seals { theirs: theirs.master, ours: own.master });
        self.was_sealed |= self.seals.is_some();
        let line = theirs.media.get(audio.line).filter(|_| self.seals.is_some());
        self.profile = line.map(|media| media.transport.as_str().into());
    }
    /// What an offer has to keep to. Whoever began sealed stays so: what is plain would be heard
    /// by others while the two who talk believe that it is not (RFC 3261 section 14.1: what is
    /// refused leaves all as it was).
    pub(super) fn policy(&self) -> Srtp {
        if self.was_sealed { Srtp::Require } else { self.srtp }
    }

    /// Our key beside theirs, in the answer to an offer.
    pub(super) fn beside(&self, offer: &Audio) -> Result<Option<Crypto>, u16> {
        let Some(theirs) = offer.crypto else { return Ok(None) };
        let own = self.own(theirs.tag, theirs.master.suite);
        not_ours(own, theirs).map(Some).ok_or(NOT_ACCEPTABLE)
    }

    /// Which of the keys that we have said the answer takes. RFC 4568 section 5.1.3: it has the tag
    /// and the suite of a line of the offer; an error where it has not. Once there is a seal, our
    /// key follows from its suite alone: nobody is hung up on who counts tags otherwise.
    pub(super) fn named(&self, answer: &Audio) -> Result<Option<Crypto>, u16> {
        if self.said.is_empty() {
            return Ok(None);
        }
        let theirs = answer.crypto.ok_or(NOT_ACCEPTABLE)?;
        let line = (theirs.tag, theirs.master.suite);
        let is_ours = |seals: Seals| seals.ours.suite == line.1;
        let is_said = self.said.contains(&line) || self.seals.is_some_and(is_ours);
        let own = is_said.then(|| self.own(line.0, line.1));
        own.and_then(|own| not_ours(own, theirs)).map(Some).ok_or(NOT_ACCEPTABLE)
    }

    /// Notes what we say, the latest last.
    pub(super) fn say(&mut self, keys: &[Crypto]) {
        for line in keys.iter().map(|key| (key.tag, key.master.suite)) {
            self.said.retain(|said| *said != line);
            self.said.push(line);
        }
        let over = self.said.len().saturating_sub(SAID_MAX);
        self.said.drain(..over);
    }

    /// Whether an offer of ours that waits would take the seal away which was agreed meanwhile.
    pub fn is_outrun(&self) -> bool {
        self.pending == Some(false) && self.seals.is_some()
    }

    /// Our offer was refused.
    pub fn unanswered(&mut self) {
        self.pending = None;
    }
}

/// Our key, unless theirs is the same: whoever gives it back could be played back what we have
/// said.
fn not_ours(own: Crypto, theirs: Crypto) -> Option<Crypto> {
    (own.master != theirs.master).then_some(own)
}
