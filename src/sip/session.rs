//! Session timers, RFC 4028: who refreshes, how often, and when a session has died.
//!
//! In: what the headers of a request or response ask for. Out: values. Knows no message, no leg.

use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    Us,
    Peer,
}

/// A session that expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Seconds.
    pub interval: u32,
    pub refresher: Side,
}

/// What a session refresh request says: INVITE or UPDATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub expires: Option<u32>,
    /// The peer of a request is its UAC: `refresher=uac` is the peer, `uas` is us.
    pub refresher: Option<Side>,
    pub min_se: Option<u32>,
    /// `Supported: timer`
    pub supported: bool,
}

/// What we want: Session-Expires and Min-SE of the settings, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub expires: u32,
    pub min_se: u32,
}

/// The interval is too small: 422 with this Min-SE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall(pub u32);

/// The UAS decides, RFC 4028 section 9. `current` is the refresher there was so far.
pub fn agree(asked: Asked, wish: Wish, current: Option<Side>) -> Result<Session, TooSmall> {
    if asked.supported && asked.expires.is_some_and(|expires| expires < wish.min_se) {
        // "If an incoming request contains a Supported header field with a value 'timer' and a
        // Session-Expires header field, the UAS MAY reject the INVITE ... with a 422".
        return Err(TooSmall(wish.min_se));
    }
    // "The UAS MUST NOT increase the value of the Session-Expires header field" and must not go
    // below Min-SE.
    let least = asked.min_se.unwrap_or(0).max(wish.min_se);
    let interval = wish.expires.min(asked.expires.unwrap_or(u32::MAX)).max(least);
    let refresher = if asked.supported {
        asked.refresher.or(current).unwrap_or(Side::Peer)
    } else {
        // Table 2: a UAC that does not support it cannot refresh.
        Side::Us
    };
    Ok(Session { interval, refresher })
}

/// The UAC reads the 2xx, RFC 4028 section 7.2. The peer of a response is its UAS. `asked_for` is
/// the interval of our request.
pub fn accept(expires: Option<u32>, refresher: Option<Side>, asked_for: u32) -> Session {
    match expires {
        Some(interval) => {
            Session { interval: interval.max(90), refresher: refresher.unwrap_or(Side::Us) }
        }
        // "if the UAC still wants to use the session timer (which is purely for its benefit alone),
        // the UAC has to perform a refresh": a lost BYE must not leave a leg for ever.
        None => Session { interval: asked_for, refresher: Side::Us },
    }
}

impl Session {
    /// When we refresh: "It is RECOMMENDED that this refresh be sent once half the session
    /// interval has elapsed."
    pub fn refresh_after(&self) -> Option<Duration> {
        (self.refresher == Side::Us).then(|| Duration::from_secs(u64::from(self.interval / 2)))
    }

    /// When the session is dead: "the minimum of 32 seconds or one third of the session interval"
    /// before its end for the side that does not refresh.
    pub fn dead_after(&self) -> Duration {
        let early = match self.refresher {
            Side::Us => 0,
            Side::Peer => 32.min(self.interval / 3),
        };
        Duration::from_secs(u64::from(self.interval - early))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { expires: 1800, min_se: 90 };

    #[test]
    fn the_shorter_interval_wins_but_never_below_the_least() {
        let asked = |expires, min_se| Asked { expires, min_se, refresher: None, supported: true };
        assert_eq!(agree(asked(Some(600), None), WISH, None).unwrap().interval, 600);
        assert_eq!(agree(asked(Some(7200), None), WISH, None).unwrap().interval, 1800);
        assert_eq!(agree(asked(None, Some(2400)), WISH, None).unwrap().interval, 2400);
        assert_eq!(agree(asked(Some(60), None), WISH, None), Err(TooSmall(90)));
    }

    #[test]
    fn only_who_supports_the_timer_is_asked_to_refresh() {
        let plain = Asked { expires: Some(60), ..Asked::default() };
        assert_eq!(agree(plain, WISH, None), Ok(Session { interval: 90, refresher: Side::Us }));
        let able = Asked { supported: true, ..Asked::default() };
        assert_eq!(agree(able, WISH, None).unwrap().refresher, Side::Peer);
        assert_eq!(agree(able, WISH, Some(Side::Us)).unwrap().refresher, Side::Us);
    }

    #[test]
    fn the_side_that_waits_gives_up_a_little_early() {
        let session = Session { interval: 90, refresher: Side::Peer };
        assert_eq!(session.dead_after(), Duration::from_secs(60));
        assert_eq!(session.refresh_after(), None);
        let ours = accept(None, None, 1800);
        assert_eq!(ours.refresh_after(), Some(Duration::from_secs(900)));
        assert_eq!(ours.dead_after(), Duration::from_secs(1800));
    }
}
