//! What one switch of ours tells another with a call that it hands over, and what is believed of
//! it: which call it was there, since when the caller has waited, what they dialled first, their
//! district, that it is an emergency, and that the caller is kept there too: such a caller is lent,
//! and has a place there until somebody here answers. Only a peer is told, and believed.

use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::{End, EndedBy, Goal, Outcome, Settings};
use crate::base::text::clean;
use crate::base::{Id, Instant, TrunkId, limits};
use crate::media::control::Networks;
use crate::sip::{Cause, Invited, Source, Target};
use crate::wire::sdp::Srtp;
use std::time::Duration;

const CALL: &str = "X-Pukar-Call";
/// Seconds, to the millisecond: the clocks of two switches may differ, a span does not.
const WAIT: &str = "X-Pukar-Wait";
const DIALLED: &str = "X-Pukar-Dialled";
const LINE: &str = "X-Pukar-Line";
const DISTRICT: &str = "X-Pukar-District";
const KIND: &str = "X-Pukar-Kind";
const EMERGENCY: &str = "emergency";
/// They were told that they may be recorded.
const NOTICE: &str = "X-Pukar-Notice";
const GIVEN: &str = "given";
/// They have a place there as well: a final refusal, whatever it is, gives them back.
const PLACE: &str = "X-Pukar-Place";
const KEPT_THERE: &str = "kept";
/// The ids of the call at every switch that has lent the caller on, the first of them first.
const PASSED: &str = "X-Pukar-Passed";
/// RFC 3326: with this cause of Q.850, "normal, unspecified", a caller is given back, ...
const GIVEN_BACK: u8 = 31;
/// ... and with these words whoever had been answered: the cause alone is what networks say at the
/// end of any call.
const IN_WORDS: &str = "Given back to the place that is kept";
/// Characters of one value, and of all the ids.
const KEPT: usize = 64;
const PASSED_KEPT: usize = 27 * limits::PLACES_MAX;

/// What another switch says of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The id of their call there.
    pub call: String,
    pub waited: Duration,
    pub dialled: String,
    pub district: String,
    pub emergency: bool,
    pub noticed: bool,
    pub lent: bool,
    pub passed: Vec<String>,
}

impl Told {
    /// `None` where it comes from nobody who is believed.
    pub fn by(settings: &Settings, invited: &Invited) -> Option<Self> {
        let Source::Trunk(trunk) = invited.source else { return None };
        if !settings.is_peer(trunk) {
            return None;
        }
        let bounded = |name: &str, kept: usize| {
            let found = invited.told.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.map_or(String::new(), |(_, value)| clean(value, kept))
        };
        let value = |name: &str| bounded(name, KEPT);
        let passed = bounded(PASSED, PASSED_KEPT);
        Some(Self {
            call: value(CALL),
            waited: span(&value(WAIT)).unwrap_or_default().min(limits::PEER_WAIT_MAX),
            dialled: value(DIALLED),
            district: value(DISTRICT),
            emergency: value(KIND) == EMERGENCY,
            noticed: value(NOTICE) == GIVEN,
            lent: value(PLACE) == KEPT_THERE,
            passed: passed.split(' ').filter(|id| !id.is_empty()).map(String::from).collect(),
        })
    }
}

impl Settings {
    /// Whether a switch of ours is behind this trunk.
    pub(super) fn is_peer(&self, trunk: TrunkId) -> bool {
        self.trunks.get(trunk.slot() as usize).is_some_and(|trunk| trunk.peer)
    }

    /// Whether keys go in the sound to whoever is rung there.
    pub(super) fn sounds_keys(&self, target: &Target) -> bool {
        match target {
            Target::Trunk { trunk, .. } => self.has_inband(*trunk),
            Target::Uri(_) | Target::Contact(_) => false,
        }
    }

    /// The same for whoever calls from there.
    pub(super) fn hears_keys(&self, source: &Source) -> bool {
        match source {
            Source::Trunk(trunk) => self.has_inband(*trunk),
            Source::User(_) => false,
        }
    }

    /// Where sound may come from of whoever is rung there, or calls from there.
    pub(super) fn media_from(&self, trunk: Option<TrunkId>) -> Networks {
        let trunk = trunk.and_then(|trunk| self.trunks.get(trunk.slot() as usize));
        trunk.map(|trunk| trunk.media_from).unwrap_or_default()
    }

    /// Whether the sound of whoever is rung there, or calls from there, is sealed.
    pub(super) fn srtp(&self, trunk: Option<TrunkId>) -> Srtp {
        let trunk = trunk.and_then(|trunk| self.trunks.get(trunk.slot() as usize));
        trunk.and_then(|trunk| trunk.srtp).unwrap_or(self.media.srtp)
    }

    fn has_inband(&self, trunk: TrunkId) -> bool {
        self.trunks.get(trunk.slot() as usize).is_some_and(|trunk| trunk.inband)
    }
}

impl Call {
    /// What goes with the call to whoever is rung there.
    pub(super) fn told_to_peer(
        &self,
        settings: &Settings,
        target: &Target,
        now: Instant,
    ) -> Vec<(String, String)> {
        match target {
            Target::Trunk { trunk, .. } if settings.is_peer(*trunk) => {}
            Target::Trunk { .. } | Target::Uri(_) | Target::Contact(_) => return Vec::new(),
        }
        let waited = now.since(self.arrived);
        let waited = format!("{}.{:03}", waited.as_secs(), waited.subsec_millis());
        let fields = [
            (CALL, self.name.as_str()),
            (WAIT, &waited),
            (DIALLED, &self.dialled),
            (LINE, &self.line),
            (DISTRICT, &self.district),
            (KIND, if self.emergency { EMERGENCY } else { "" }),
            (NOTICE, if self.told { GIVEN } else { "" }),
        ];
        let told = fields.into_iter().filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| (name.to_string(), clean(value, KEPT))).collect()
    }

    /// The same to a centre, to which the switch sends the caller by itself: it refuses whom it
    /// has on the line already, and was the one to send on.
    pub(super) fn lent_to_centre(
        &self,
        settings: &Settings,
        target: &Target,
        now: Instant,
    ) -> Vec<(String, String)> {
        let mut told = self.told_to_centre(settings, target, now);
        if !told.is_empty() {
            let known = self.passed.len().saturating_sub(limits::PLACES_MAX - 1);
            let passed = self.passed[known..].iter().chain([&self.name]);
            let passed: Vec<&str> = passed.map(String::as_str).collect();
            told.push((PASSED.into(), passed.join(" ")));
        }
        told
    }

    /// The same to a centre, which may give the caller back.
    pub(super) fn told_to_centre(
        &self,
        settings: &Settings,
        target: &Target,
        now: Instant,
    ) -> Vec<(String, String)> {
        let mut told = self.told_to_peer(settings, target, now);
        if !told.is_empty() {
            told.push((PLACE.into(), KEPT_THERE.into()));
        }
        told
    }

    /// Another switch has a place for the caller as well, and has them back by any refusal: nobody
    /// here has answered them so far. What they hear meanwhile, it plays.
    pub fn is_lent(&self) -> bool {
        self.lent && self.left.is_none() && self.caller.stage != Stage::Up
    }

    /// Somebody here has answered a caller whom another switch had a place for, and they wait
    /// again: it has them back where it takes them.
    pub(super) fn has_a_home(&self) -> bool {
        let waits = matches!(self.goal, Goal::Queue(_)) && self.found.is_none();
        let alone = self.talk.is_empty() && self.handover.is_none() && self.parked.is_none();
        self.lent && self.was_connected && self.is_caller_up() && waits && alone
    }

    /// How the call ends of a caller whom the other switch has back, to serve or to let wait.
    pub(super) fn given_back(&self) -> End {
        let (outcome, by) = (Outcome::Overflowed, EndedBy::Switch);
        End { outcome, by, status: 480, q850: Some(GIVEN_BACK) }
    }

    /// RFC 3326: somebody there has answered a caller whom we had on loan.
    pub(super) fn was_answered_there(&self, cause: &Cause) -> bool {
        self.is_lent() && cause.sip == Some(200)
    }
}

/// What whoever has been answered is given back with.
pub(super) fn gives_back() -> Cause {
    Cause { q850: Some(GIVEN_BACK), sip: Some(480), text: IN_WORDS.into() }
}

impl Leg {
    /// A switch of ours that had the caller gives them back with this cause.
    pub(super) fn is_given_back(&self, cause: &Cause) -> bool {
        self.gives_back && cause.sip == Some(480) && cause.text == IN_WORDS
    }
}

/// `12.345` seconds.
fn span(text: &str) -> Option<Duration> {
    let (seconds, rest) = text.split_once('.').unwrap_or((text, "0"));
    if rest.is_empty() || rest.len() > 3 || !rest.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let millis = rest.parse::<u64>().ok()? * 10_u64.pow(3 - rest.len() as u32);
    Some(Duration::from_secs(seconds.parse().ok()?) + Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_to_the_millisecond_and_nonsense_is_none() {
        assert_eq!(span("12.345"), Some(Duration::from_millis(12_345)));
        assert_eq!(span("12.5"), Some(Duration::from_millis(12_500)));
        assert_eq!(span("7"), Some(Duration::from_secs(7)));
        for odd in ["", "x", "-1", "1.2345", "1.", "1.x", "99999999999999999999"] {
            assert_eq!(span(odd), None, "{odd}");
        }
    }
}
