//! Which keys the sound of a leg is sealed with (RFC 4568): those of our offers and of our answers,
//! and what comes of both.

use super::*;
use crate::wire::sdp::{Crypto, Master, Suite, Unusable};

/// The suites that we offer, dearest first: the first is the cheapest for both ends, the second is
/// what every telephone has.
const SUITES: [Suite; 3] = [Suite::Gcm128, Suite::Cm80, Suite::Cm32];

impl Side {
    /// Why an offer that was refused could not be served, as a sentence.
    pub fn why_not(&self, media: &MediaSettings, offer: &Body) -> Option<&'static str> {
        let theirs = Session::parse(&offer.bytes).ok()?;
        theirs.audio(media.homes.families(), self.srtp).err().map(Unusable::sentence)
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
    pub(super) fn profile(&self) -> &'static str {
        let sealed = self.seals.is_some() || self.srtp == Srtp::Require;
        if sealed && !self.besides { "RTP/SAVP" } else { "RTP/AVP" }
    }

    /// What was agreed of keys: theirs, and this one of ours.
    pub(super) fn seal(&mut self, theirs: &Session, audio: &Audio, own: Option<Crypto>) {
        let both = audio.crypto.zip(own);
        self.seals = both.map(|(theirs, own)| Seals { theirs: theirs.master, ours: own.master });
        self.was_sealed |= self.seals.is_some();
        let secure = theirs.media.get(audio.line).is_some_and(|media| media.is_secure());
        self.besides = self.seals.is_some() && !secure;
    }
}

/// Which of the keys that we have offered the answer takes. RFC 4568 section 5.1.3: it has the tag
/// and the suite of a line of the offer; an error where it has not.
pub(super) fn named(offered: &[Crypto], answer: &Audio) -> Result<Option<Crypto>, ()> {
    if offered.is_empty() {
        return Ok(None);
    }
    let takes = |own: &&Crypto| {
        answer.crypto.is_some_and(|theirs| {
            let alike = (theirs.tag, theirs.master.suite) == (own.tag, own.master.suite);
            // Whoever gives our own key back could be played back what we have said.
            alike && theirs.master != own.master
        })
    };
    offered.iter().find(takes).copied().map(Some).ok_or(())
}
