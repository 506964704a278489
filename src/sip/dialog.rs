//! Dialogs, RFC 3261 section 12: the peer-to-peer relation that a leg has with its far end.
//!
//! In: the headers that open or refresh a dialog. Out: what the next request in it looks like.
//! Knows no transaction, no bodies. May import: wire and base.

use super::{Hop, Settings, compose};
use crate::wire::sip::{Message, Name, Uri, text};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    pub call_id: Box<str>,
    /// Our name with our tag: From of our requests, To of the peer's.
    pub local: Box<str>,
    /// The peer's name with its tag, as soon as it has one.
    pub remote: Box<str>,
    /// Empty: not known yet, or a peer that knows no tags (RFC 2543).
    pub remote_tag: Box<str>,
    pub local_seq: u32,
    pub remote_seq: Option<u32>,
    /// Contact of the peer.
    pub target: Box<str>,
    /// Route values, nearest first, each with its brackets.
    pub routes: Box<[Box<str>]>,
    pub hop: Hop,
    /// The name that the peer is reached at is being looked up; only this answer counts.
    pub search: Option<u64>,
    /// The transport of the hop was not asked for: a large request may take TCP.
    pub free: bool,
    /// Max-Forwards of the INVITE that opens it.
    pub forwards: u8,
    /// We made the Call-ID (RFC 3261 section 14.1 waits longer for us after glare).
    pub caller: bool,
}

/// Request-URI and Route values of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim<'a> {
    pub uri: &'a str,
    pub routes: Vec<Aimed<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aimed<'a> {
    /// With its brackets.
    Route(&'a str),
    /// A URI that needs brackets.
    Target(&'a str),
}

impl Dialog {
    /// RFC 3261 section 12.2.1.1.
    pub fn aim(&self) -> Aim<'_> {
        let routes = || self.routes.iter().map(|route| Aimed::Route(route));
        match self.routes.first().and_then(|first| uri_of(first)) {
            // "If the route set is not empty, and its first URI does not contain the lr parameter,
            // the UAC MUST place the first URI from the route set into the Request-URI ... The UAC
            // MUST then place the remote target URI into the Route header field as the last value."
            Some(first) if !first.is_loose() => Aim {
                uri: first.raw,
                routes: routes().skip(1).chain([Aimed::Target(&self.target)]).collect(),
            },
            // "If the route set is not empty, and the first URI in the route set contains the lr
            // parameter, the UAC MUST place the remote target URI into the Request-URI".
            _ => Aim { uri: &self.target, routes: routes().collect() },
        }
    }

    /// Becomes the dialog that a response with a To tag made: RFC 3261 section 12.1.2. "The route
    /// set MUST be set to the list of URIs in the Record-Route header field from the response,
    /// taken in reverse order and preserving all URI parameters."
    pub fn answered_by(&mut self, response: &Message) {
        self.remote = text(response.header(Name::To).unwrap_or_default()).into();
        self.remote_tag = response.to.tag().unwrap_or_default().into();
        self.routes = record_route(response);
        self.routes.reverse();
        if let Some(contact) = response.contact().filter(|c| self.hop.leads_to(&c.uri)) {
            self.target = contact.uri.raw.into();
        }
    }

    /// What we are called in it.
    pub fn contact(&self, settings: &Settings) -> String {
        compose::contact(settings, &self.hop, self.target.starts_with("sips:"))
    }

    /// The URI that a request is sent to: the nearest route, or the target.
    pub fn nearest(&self) -> Option<Uri<'_>> {
        match self.routes.first() {
            Some(route) => uri_of(route),
            None => Uri::parse(&self.target),
        }
    }

    /// Whether the sequence number of a request is new (RFC 3261 section 12.2.2: "If the remote
    /// sequence number was not empty, but the sequence number of the request is lower than the
    /// remote sequence number, the request is out of order and MUST be rejected with a 500").
    pub fn take_seq(&mut self, seq: u32) -> bool {
        let fresh = self.remote_seq.is_none_or(|last| seq > last);
        if fresh {
            self.remote_seq = Some(seq);
        }
        fresh
    }

    pub fn next_seq(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }
}

/// The values of Record-Route, in order.
pub fn record_route(message: &Message) -> Box<[Box<str>]> {
    message.values(Name::RecordRoute).map(|value| Box::from(&*text(value))).collect()
}

/// The URI between the brackets of a Route value.
pub fn uri_of(route: &str) -> Option<Uri<'_>> {
    let start = route.find('<')? + 1;
    let end = start + route[start..].find('>')?;
    Uri::parse(&route[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Transport;

    fn dialog(routes: &[&str]) -> Dialog {
        let here = "192.0.2.1:5060".parse().unwrap();
        Dialog {
            call_id: "a".into(),
            local: "<sip:a@x>;tag=1".into(),
            remote: "<sip:b@y>;tag=2".into(),
            remote_tag: "2".into(),
            local_seq: 1,
            remote_seq: None,
            target: "sip:b@192.0.2.2".into(),
            routes: routes.iter().map(|&r| r.into()).collect(),
            hop: Hop { transport: Transport::Udp, local: here, peer: here, flow: None },
            search: None,
            free: false,
            forwards: 70,
            caller: true,
        }
    }

    #[test]
    fn loose_routes_are_named_and_strict_ones_are_asked() {
        let loose = dialog(&["<sip:p1;lr>", "<sip:p2>"]);
        let aim = loose.aim();
        assert_eq!(aim.uri, "sip:b@192.0.2.2");
        assert_eq!(aim.routes, [Aimed::Route("<sip:p1;lr>"), Aimed::Route("<sip:p2>")]);
        let strict = dialog(&["<sip:p1;x=y>", "<sip:p2;lr>"]);
        let aim = strict.aim();
        assert_eq!(aim.uri, "sip:p1;x=y");
        let target = Aimed::Target("sip:b@192.0.2.2");
        assert_eq!(aim.routes, [Aimed::Route("<sip:p2;lr>"), target]);
        assert_eq!(strict.nearest().unwrap().raw, "sip:p1;x=y");
        assert_eq!(dialog(&[]).aim().routes, []);
    }

    #[test]
    fn a_sequence_number_is_taken_once() {
        let mut dialog = dialog(&[]);
        assert!(dialog.take_seq(7) && dialog.take_seq(9));
        assert!(!dialog.take_seq(9) && !dialog.take_seq(8));
    }
}
