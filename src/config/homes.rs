//! The addresses that others reach us at, `[sip] advertise`, `[media] address` and `advertise`:
//! each is one address, or one of IPv4 and one of IPv6.

use super::mistake::{Log, Wrong};
use super::section::{At, Section};
use super::value;
use crate::call::{Family, Home, Homes};
use crate::sip::Listener;
use std::net::IpAddr;

/// At most one of a family.
#[derive(Clone, Debug, Default)]
pub struct Addresses(Vec<At<IpAddr>>);

impl Addresses {
    fn read(
        section: &mut Section,
        key: &'static str,
        read: impl Fn(&str) -> Result<Option<IpAddr>, Wrong>,
    ) -> Self {
        let mut found: Vec<At<IpAddr>> = Vec::new();
        for At { it, place } in section.texts(key, read).unwrap_or_default() {
            let Some(it) = it else { continue };
            let family = Family::of(it);
            if found.iter().any(|other| Family::of(other.it) == family) {
                let what = format!("{key} \"{it}\" is a second {} address", family.name());
                let instead = "leave one out: there may be one of IPv4 and one of IPv6";
                section.log.add(place, what, instead);
                continue;
            }
            found.push(At { it, place });
        }
        Self(found)
    }

    /// `advertise`: "auto" is nothing.
    pub fn advertised(section: &mut Section) -> Self {
        Self::read(section, "advertise", value::advertised)
    }

    /// That of the same family.
    pub fn like(&self, other: IpAddr) -> Option<IpAddr> {
        let same = |at: &&At<IpAddr>| Family::of(at.it) == Family::of(other);
        self.0.iter().find(same).map(|at| at.it)
    }

    /// An address that is said to others stands for one that is open.
    pub fn check(&self, open: &[IpAddr], what_is_open: &str, log: &mut Log) {
        for At { it, place } in &self.0 {
            let family = Family::of(*it);
            if open.iter().all(|bind| Family::of(*bind) != family) {
                let what = format!("advertise \"{it}\" is an {} address", family.name());
                let instead = format!("{what_is_open} has none: put one there, or leave it out");
                log.add(*place, what, instead);
            }
        }
    }
}

/// Reads where media ports are bound, without a word the first listeners' addresses, and what they
/// are called, without a word what the listeners are called.
pub fn media(section: &mut Section, listen: &[Listener], sip: &Addresses) -> Option<Homes> {
    let named = Addresses::read(section, "address", |raw| value::address(raw).map(Some));
    let own = Addresses::advertised(section);
    let binds: Vec<IpAddr> = match named.0.is_empty() {
        true => listen.iter().map(|listener| listener.bind.ip()).collect(),
        false => named.0.iter().map(|at| at.it).collect(),
    };
    own.check(&binds, "address", section.log);
    let home = |bind: IpAddr| {
        let advertise = own.like(bind).or(sip.like(bind)).unwrap_or(bind);
        Home { bind, advertise }
    };
    Homes::all(binds.into_iter().map(home))
}
