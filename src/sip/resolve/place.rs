//! A place to find, and a server found there.
//!
//! In: text of a setting, or the parts of a URI. Out: values.

use crate::sip::Transport;
use crate::wire::sip::Uri;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// What a URI or a setting says about where: of a URI, `maddr` goes before the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Name or numeric address, IPv6 with or without brackets.
    pub host: String,
    pub port: Option<u16>,
    pub transport: Option<Transport>,
}

impl Place {
    /// `host`, `host:port`, `udp:host:port`, `tls:[2001:db8::1]:port` and so on.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.parse::<IpAddr>().is_ok() {
            return Some(Self { host: text.to_string(), port: None, transport: None });
        }
        let named = text.split_once(':').and_then(|(word, rest)| {
            let transport = Transport::named(word)?;
            Some((Some(transport), rest))
        });
        let (transport, rest) = named.unwrap_or((None, text));
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') && rest.parse::<IpAddr>().is_err() => {
                (host, Some(port.parse().ok().filter(|&port| port > 0)?))
            }
            _ => (rest, None),
        };
        let place = Self { host: host.to_string(), port, transport };
        (place.numeric().is_some() || is_name(host)).then_some(place)
    }

    /// Where a URI leads. `None`: a transport that there is not.
    pub fn of(uri: &Uri) -> Option<Self> {
        let named = match uri.transport() {
            Some(name) => Some(Transport::named(name)?),
            None => None,
        };
        let transport = match (uri.is_clear(), named) {
            (true, named) => named,
            // RFC 3261 section 26.2.2: "the use of ... transport=tls" beside SIPS says what SIPS
            // says; "transport=tcp" is what TLS runs over.
            (false, None | Some(Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            (false, Some(Transport::Udp)) => return None,
        };
        let host = uri.maddr().unwrap_or(uri.host).to_string();
        uri.is_sip().then_some(Self { host, port: uri.port, transport })
    }

    /// What is there, where the host is an address: over UDP, if nothing else is said.
    pub fn server(&self) -> Option<Server> {
        self.numeric().map(|ip| self.at(ip))
    }

    /// The same at this address.
    pub(super) fn at(&self, ip: IpAddr) -> Server {
        let transport = self.transport.unwrap_or(Transport::Udp);
        let port = self.port.unwrap_or(transport.default_port());
        Server { transport, addr: SocketAddr::new(ip, port) }
    }

    /// The address, where the host is one.
    pub fn numeric(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        bare.unwrap_or(&self.host).parse().ok()
    }
}

/// Letters, digits, hyphens and dots; a top label of digits only is a broken address.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let top = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(label) && !top.bytes().all(|c| c.is_ascii_digit())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Server {
    pub transport: Transport,
    pub addr: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_setting_is_read() {
        use Transport::{Tcp, Udp};
        for (text, host, port, transport) in [
            ("sbc.carrier.in", "sbc.carrier.in", None, None),
            ("sbc.carrier.in:5070", "sbc.carrier.in", Some(5_070), None),
            ("127.0.0.1:5070", "127.0.0.1", Some(5_070), None),
            ("UDP:sbc", "sbc", None, Some(Udp)),
            ("tcp:sbc:5070", "sbc", Some(5_070), Some(Tcp)),
            ("tcp:[2001:db8::1]:5070", "[2001:db8::1]", Some(5_070), Some(Tcp)),
            ("[2001:db8::1]", "[2001:db8::1]", None, None),
            ("2001:db8::1", "2001:db8::1", None, None),
            ("udp:2001:db8::1", "2001:db8::1", None, Some(Udp)),
            ("tls:sbc", "sbc", None, Some(Transport::Tls)),
        ] {
            let place = Place { host: host.into(), port, transport };
            assert_eq!(Place::parse(text), Some(place), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "udp:", ":5060", "a b", "sbc:0", "sbc:99999", "sbc:x", "1.2.3", "a..b"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
