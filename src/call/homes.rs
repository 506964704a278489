//! The addresses that media ports are bound at: one, or one of IPv4 and one of IPv6. A leg has
//! those of the family that its far end has; the two of a call may be of either.

use crate::wire::sdp::Family;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An address that ports are bound at, and what session descriptions call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    pub bind: IpAddr,
    pub advertise: IpAddr,
}

impl Home {
    pub fn at(bind: IpAddr) -> Self {
        Self { bind, advertise: bind }
    }

    pub fn family(&self) -> Family {
        Family::of(self.bind)
    }
}

/// One or two, not of the same family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Homes {
    first: Home,
    other: Option<Home>,
}

impl Homes {
    /// A second one of the same family is left out.
    pub fn new(first: Home, other: Option<Home>) -> Self {
        Self { first, other: other.filter(|other| other.family() != first.family()) }
    }

    /// The first of each family; `None` where there is none.
    pub fn all(homes: impl IntoIterator<Item = Home>) -> Option<Self> {
        let mut homes = homes.into_iter();
        let first = homes.next()?;
        Some(Self::new(first, homes.find(|other| other.family() != first.family())))
    }

    /// What can be served.
    pub fn families(&self) -> &'static [Family] {
        match (self.other, self.first.family()) {
            (Some(_), _) => &[Family::V4, Family::V6],
            (None, Family::V4) => &[Family::V4],
            (None, Family::V6) => &[Family::V6],
        }
    }

    /// The family to speak with somebody at this address, of whom nothing else is known.
    pub fn towards(&self, peer: Option<IpAddr>) -> Family {
        let own = peer.map(Family::of).filter(|own| self.families().contains(own));
        own.unwrap_or(self.first.family())
    }

    /// The home of this family. There may be none any more, after another configuration: then the
    /// one that there is.
    pub fn of(&self, family: Family) -> Home {
        self.other.filter(|other| other.family() == family).unwrap_or(self.first)
    }

    pub fn iter(&self) -> impl Iterator<Item = Home> {
        std::iter::once(self.first).chain(self.other)
    }

    /// With the addresses that `before` has found, for those that do not say their own. One that is
    /// new and says none may not have been found: where there are calls, `before` has all there is.
    pub fn as_known(&self, before: &Self) -> Self {
        let known = |home: Home| match before.iter().find(|old| old.bind == home.bind) {
            Some(old) if home.advertise.is_unspecified() => Some(old),
            None if home.advertise.is_unspecified() => None,
            Some(_) | None => Some(home),
        };
        Self::all(self.iter().filter_map(known)).unwrap_or(*before)
    }

    /// What is bound.
    pub fn binds(&self) -> impl PartialEq {
        (self.first.bind, self.other.map(|other| other.bind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_has_no_route_just_now_stays_and_one_that_had_none_is_no_change() {
        let at = |text: &str| Home::at(text.parse().unwrap());
        let known = |bind: &str, name: &str| Home { advertise: name.parse().unwrap(), ..at(bind) };
        let fresh = Homes::new(at("0.0.0.0"), Some(at("::")));
        let both = Homes::new(known("0.0.0.0", "192.0.2.5"), Some(known("::", "2001:db8::5")));
        assert_eq!(fresh.as_known(&both), both);
        let four = Homes::new(known("0.0.0.0", "192.0.2.5"), None);
        assert_eq!(fresh.as_known(&four), four);
        let said = Homes::new(known("0.0.0.0", "198.51.100.1"), None);
        assert_eq!(said.as_known(&four), said);
    }

    #[test]
    fn whoever_comes_is_met_in_their_own_family_where_we_have_it() {
        let at = |text: &str| Home::at(text.parse().unwrap());
        let peer = |text: &str| Some(text.parse().unwrap());
        let (four, six) = (at("192.0.2.5"), at("2001:db8::5"));
        let both = Homes::new(six, Some(four));
        for (peer, home) in [
            (peer("198.51.100.1"), four),
            (peer("::ffff:198.51.100.1"), four),
            (peer("2001:db8::9"), six),
            (None, six),
        ] {
            assert_eq!(both.of(both.towards(peer)), home, "{peer:?}");
        }
        let one = Homes::new(four, Some(at("192.0.2.6")));
        assert_eq!(one.iter().collect::<Vec<_>>(), [four], "one of a family");
        assert_eq!(one.of(one.towards(peer("2001:db8::9"))), four);
        assert_eq!((one.of(Family::V6), one.families()), (four, &[Family::V4][..]));
    }
}
