//! The alarm clock of the core: one queue of deadlines with a total, reproducible order.

use super::TrunkId;
use super::{
    AgentId, BindingId, CallId, FixedMap, Instant, LegId, PhoneId, QueryId, QueueId, TransactionId,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;

/// Everything the switch waits for. Reading this enum is reading what can time out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// RFC 3261 timers A, E and G: send the message of this transaction once more.
    Retransmit(TransactionId),
    /// RFC 3261 timers B, F and H: this transaction has waited long enough for its peer.
    GiveUp(TransactionId),
    /// RFC 3261 timers D, I, J and K, RFC 6026 timers L and M: late repeats are absorbed no more.
    Forget(TransactionId),
    /// RFC 3261 section 13.3.1.4: send the 2xx again until its ACK comes.
    Repeat2xx(LegId),
    /// RFC 3261 section 13.3.1.4: no ACK came in 64*T1; hang up.
    NoAck(LegId),
    /// RFC 3262 section 3: send the reliable provisional response again until its PRACK comes.
    RepeatProvisional(LegId),
    /// RFC 3261 section 13.3.1.1: repeat the provisional response, so that proxies keep the call.
    KeepRinging(LegId),
    /// A phone of ours has not said a word to our INVITE: somebody else is rung.
    Unheard(LegId),
    /// RFC 4028: time to refresh the session.
    Refresh(LegId),
    /// RFC 4028: the peer did not refresh the session in time; hang up.
    SessionExpired(LegId),
    /// RFC 3261 section 14.1: glare; try the re-INVITE again.
    RetryOffer(LegId),
    /// The last messages of this leg have had their time; forget it.
    Bury(LegId),
    /// RFC 3261 section 10.3: a registered contact runs out.
    BindingExpires(BindingId),
    /// The DNS has been silent for too long.
    DnsSilent(QueryId),
    /// Ask this trunk with OPTIONS whether it is alive, or notice that it did not say so.
    TrunkPing(TrunkId),
    /// Ask this silent phone with OPTIONS whether it is there again.
    PhoneAsk(PhoneId),
    /// Register with this trunk again.
    TrunkRegister(TrunkId),
    /// The agent has let it ring for long enough.
    RingTimeout(CallId, AgentId),
    /// The agent's after-call work is over.
    WrapUp(AgentId),
    /// An agent who missed a call may be offered one again.
    Rest(AgentId),
    /// The caller has waited as long as the queue allows.
    MaxWait(CallId),
    /// A dialled party has let it ring for long enough.
    DialTimeout(CallId),
    /// Nothing more is keyed in: the code is over.
    Keys(LegId),
    /// A supervisor's phone has rung for long enough.
    Watch(CallId, AgentId),
    /// A parked call has waited for long enough to be picked up.
    Parked(CallId),
    /// A talking party has been silent for so long that it must have gone.
    Silence(LegId),
    /// After a restart this party was not heard yet: ask it whether it is there.
    Recheck(LegId),
    /// The media figures of an ended call are late; its record is closed without them.
    CallGuard(CallId),
    /// Its recording is still not finished; the record does not wait for that any longer.
    TapeGuard(CallId),
    /// A waiting caller is told the place in the line, or what keys do.
    Announce(CallId),
    /// A caller has chosen nothing from the menu; or was told goodbye, and has not heard it out.
    Menu(CallId),
    /// Whoever was promised a call, and not reached, is tried again.
    CallBack(CallId),
    /// Somewhere else may be better for this caller by now.
    Overflow(CallId),
    /// An outgoing call has lasted as long as it may.
    CallOver(CallId),
    /// Whoever keys in a feature code has stopped, or its tone is over.
    Code(CallId),
    /// The next block of a nuisance number is over.
    Unblock,
    /// Look whether whoever is held to be in a call is in one.
    Reconcile,
    /// The roster changes, or somebody on it is waited for.
    Roster,
    /// The queue looks again at what only time changes.
    QueueReview(QueueId),
}

/// A queue of deadlines. Each timer is set at most once; setting it again moves it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timers {
    due: BTreeSet<(Instant, Timer)>,
    at: FixedMap<Timer, Instant>,
}

impl Timers {
    pub fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(before) = self.at.insert(timer, at) {
            self.due.remove(&(before, timer));
        }
        self.due.insert((at, timer));
    }

    pub fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.due.remove(&(at, timer));
        }
    }

    pub fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// The next deadline, with its reason.
    pub fn next(&self) -> Option<(Instant, Timer)> {
        self.due.first().copied()
    }

    /// Takes the next timer that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = self.next().filter(|&(at, _)| at <= now)?;
        self.due.remove(&(at, timer));
        self.at.remove(&timer);
        Some(timer)
    }

    pub fn len(&self) -> usize {
        self.due.len()
    }

    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

impl Serialize for Timers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.due.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let due = BTreeSet::<(Instant, Timer)>::deserialize(deserializer)?;
        let at = due.iter().map(|&(at, timer)| (timer, at)).collect();
        Ok(Self { due, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap_up(slot: u64) -> Timer {
        Timer::WrapUp(AgentId(slot))
    }

    #[test]
    fn timers_fire_in_order_and_only_when_due() {
        let mut timers = Timers::default();
        timers.set(wrap_up(1), Instant(20));
        timers.set(wrap_up(2), Instant(10));
        assert_eq!(timers.pop_due(Instant(5)), None);
        assert_eq!(timers.pop_due(Instant(20)), Some(wrap_up(2)));
        assert_eq!(timers.pop_due(Instant(20)), Some(wrap_up(1)));
        assert!(timers.is_empty());
    }

    #[test]
    fn setting_a_timer_again_moves_it() {
        let mut timers = Timers::default();
        timers.set(wrap_up(1), Instant(10));
        timers.set(wrap_up(1), Instant(30));
        assert_eq!(timers.next(), Some((Instant(30), wrap_up(1))));
        assert_eq!(timers.len(), 1);
        timers.cancel(wrap_up(1));
        assert!(timers.is_empty() && !timers.is_set(wrap_up(1)));
    }
}
