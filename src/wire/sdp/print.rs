//! Prints a session description, in the order that RFC 8866 section 5 demands. May import: base.

use super::{Attribute, Media, Place, Session};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

impl Display for Session {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let o = &self.origin;
        let (user, address) = (or_dash(&o.user), Typed(&o.address));
        write!(f, "v=0\r\no={user} {} {} IN {address}\r\n", o.id, o.version)?;
        write!(f, "s={}\r\n", or_dash(&self.name))?;
        connection(f, self.connection.as_ref())?;
        write!(f, "t={}\r\n", self.timing)?;
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        attributes(f, &self.attributes)?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl Display for Media {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.transport)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        connection(f, self.connection.as_ref())?;
        for map in &self.maps {
            write!(f, "a=rtpmap:{} {}/{}", map.payload, map.encoding, map.rate)?;
            if let Some(rest) = &map.rest {
                write!(f, "/{rest}")?;
            }
            f.write_str("\r\n")?;
        }
        for fmtp in &self.fmtp {
            write!(f, "a=fmtp:{} {}\r\n", fmtp.format, fmtp.parameters)?;
        }
        if let Some(ptime) = self.ptime {
            write!(f, "a=ptime:{ptime}\r\n")?;
        }
        if let Some(maxptime) = self.maxptime {
            write!(f, "a=maxptime:{maxptime}\r\n")?;
        }
        if let Some(rtcp) = self.rtcp {
            write!(f, "a=rtcp:{}", rtcp.port)?;
            if let Some(address) = rtcp.address {
                write!(f, " IN {} {address}", family(&address))?;
            }
            f.write_str("\r\n")?;
        }
        if self.rtcp_mux {
            f.write_str("a=rtcp-mux\r\n")?;
        }
        for crypto in self.crypto.iter().flatten() {
            write!(f, "a=crypto:{crypto}\r\n")?;
        }
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        attributes(f, &self.attributes)
    }
}

fn connection(f: &mut Formatter<'_>, place: Option<&Place>) -> fmt::Result {
    match place {
        Some(Place::Address(address)) => write!(f, "c=IN {} {address}\r\n", family(address)),
        Some(Place::Name(name)) => write!(f, "c=IN IP4 {name}\r\n"),
        None => Ok(()),
    }
}

fn attributes(f: &mut Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    attributes.iter().try_for_each(|attribute| match &attribute.value {
        Some(value) => write!(f, "a={}:{value}\r\n", attribute.name),
        None => write!(f, "a={}\r\n", attribute.name),
    })
}

/// An address as text, with its type before it.
struct Typed<'a>(&'a str);

impl Display for Typed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = if self.0.contains(':') { "IP6" } else { "IP4" };
        write!(f, "{kind} {}", if self.0.is_empty() { "0.0.0.0" } else { self.0 })
    }
}

fn family(address: &IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
