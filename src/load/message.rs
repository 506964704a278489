//! SIP messages as the test phones build and read them: with the `rsip` crate, a parser that is
//! not the switch's own.
//!
//! In: octets off the wire, and a dialog's state. Out: requests, responses, and the parts of a
//! message that phones look at. Knows nothing of sockets or time. May import: nothing of ours.

use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{Header, Headers, Method, Request, Response, SipMessage, StatusCode, Uri};
use std::net::{IpAddr, SocketAddr};

/// Reads one message; what a phone could not work with is refused, in words.
pub fn read(bytes: &[u8]) -> Result<SipMessage, String> {
    let mut message =
        SipMessage::try_from(bytes).map_err(|e| format!("rsip cannot read it: {e}"))?;
    if let Some(length) = content_length(message.headers()) {
        if message.body().len() < length {
            let have = message.body().len();
            return Err(format!("Content-Length is {length}, the body has {have} octets"));
        }
        // RFC 3261 section 18.3: what follows the body in a datagram is discarded.
        message.body_mut().truncate(length);
    }
    for (found, name) in [
        (message.via_header().is_ok(), "Via"),
        (message.from_header().is_ok(), "From"),
        (message.to_header().is_ok(), "To"),
        (message.call_id_header().is_ok(), "Call-ID"),
        (message.cseq_header().is_ok(), "CSeq"),
    ] {
        if !found {
            return Err(format!("no {name}"));
        }
    }
    Ok(message)
}

/// What `headers` say the body's length is.
pub fn content_length(headers: &Headers) -> Option<usize> {
    headers.iter().find_map(|h| match h {
        Header::ContentLength(length) => length.value().trim().parse().ok(),
        _ => None,
    })
}

/// The branch of the topmost Via, which names the transaction (RFC 3261 section 17.1.3).
pub fn branch(message: &impl HeadersExt) -> Option<String> {
    let via = message.via_header().ok()?.value();
    let top = via.split(',').next()?;
    let rest = top.split(';').find_map(|p| p.trim().strip_prefix("branch="))?;
    Some(rest.trim().to_string())
}

pub fn call_id(message: &impl HeadersExt) -> String {
    message.call_id_header().map(|h| h.value().trim().to_string()).unwrap_or_default()
}

/// The method of the transaction that a response belongs to.
pub fn cseq(message: &impl HeadersExt) -> Option<(u32, Method)> {
    let typed = message.cseq_header().ok()?.typed().ok()?;
    Some((typed.seq, typed.method))
}

pub fn tag_of(header: &str) -> Option<String> {
    let after = header.rsplit_once('>').map_or(header, |(_, after)| after);
    let tag = after.split(';').find_map(|p| p.trim().strip_prefix("tag="))?;
    Some(tag.trim().to_string())
}

/// The user part of a From or To.
pub fn user_of(header: &str) -> Option<String> {
    let uri = header.split_once('<').map_or(header, |(_, rest)| rest);
    let rest = uri.split_once(':')?.1;
    let end = rest.find(['@', '>', ';'])?;
    Some(rest[..end].to_string())
}

pub fn contact(message: &impl HeadersExt) -> Option<Uri> {
    message.contact_header().ok()?.typed().ok().map(|c| c.uri)
}

/// The Record-Route values, topmost first.
pub fn record_routes(headers: &Headers) -> Vec<String> {
    let values = headers.iter().filter_map(|h| match h {
        Header::RecordRoute(route) => Some(route.value().to_string()),
        _ => None,
    });
    values.flat_map(|v| v.split(',').map(|r| r.trim().to_string()).collect::<Vec<_>>()).collect()
}

/// Where a URI points, if it names an address.
pub fn address_of(uri: &Uri) -> Option<SocketAddr> {
    let host: IpAddr = uri.host_with_port.host.to_string().parse().ok()?;
    let port = uri.host_with_port.port.as_ref().map_or(5060, |p| *p.value());
    Some(SocketAddr::new(host, port))
}

/// One end of a dialog (RFC 3261 section 12).
#[derive(Clone, Debug, Default)]
pub struct Dialog {
    pub call_id: String,
    /// Our From or To, without its tag.
    pub local: String,
    pub local_tag: String,
    pub remote: String,
    pub remote_tag: Option<String>,
    /// The remote target: what in-dialog requests are sent to.
    pub target: Uri,
    pub routes: Vec<String>,
    pub cseq: u32,
    pub contact: String,
}

impl Dialog {
    fn local_value(&self) -> String {
        format!("{};tag={}", self.local, self.local_tag)
    }

    fn remote_value(&self) -> String {
        match &self.remote_tag {
            Some(tag) => format!("{};tag={tag}", self.remote),
            None => self.remote.clone(),
        }
    }

    /// A request of this dialog; `seq` is `cseq` but for ACK and CANCEL.
    pub fn request(&self, method: Method, seq: u32, via: &str, more: Vec<Header>) -> Request {
        let mut headers = Headers::default();
        headers.push(rsip::headers::Via::new(via).into());
        headers.push(rsip::headers::MaxForwards::new("70").into());
        headers.push(rsip::headers::From::new(self.local_value()).into());
        headers.push(rsip::headers::To::new(self.remote_value()).into());
        headers.push(rsip::headers::CallId::new(self.call_id.clone()).into());
        headers.push(rsip::headers::CSeq::new(format!("{seq} {method}")).into());
        for route in &self.routes {
            headers.push(rsip::headers::Route::new(route.clone()).into());
        }
        if !matches!(method, Method::Cancel | Method::Bye) {
            headers.push(rsip::headers::Contact::new(self.contact.clone()).into());
        }
        headers.push(rsip::headers::UserAgent::new("pukar-load").into());
        headers.extend(more);
        Request {
            method,
            uri: self.target.clone(),
            version: rsip::Version::V2,
            headers,
            body: Vec::new(),
        }
    }
}

/// Puts a body on, and its length.
pub fn with_body(mut headers: Headers, body: &str) -> (Headers, Vec<u8>) {
    if !body.is_empty() {
        headers.push(rsip::headers::ContentType::new("application/sdp").into());
        headers.push(rsip::headers::Allow::new(ALLOW).into());
    }
    headers.push(rsip::headers::ContentLength::new(body.len().to_string()).into());
    (headers, body.as_bytes().to_vec())
}

const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE";

pub fn request_bytes(mut request: Request, body: &str) -> Vec<u8> {
    (request.headers, request.body) = with_body(request.headers, body);
    SipMessage::from(request).to_string().into_bytes()
}

/// The answer to `request` (RFC 3261 section 8.2.6).
pub fn respond(
    request: &Request,
    code: u16,
    to_tag: &str,
    contact: Option<&str>,
    body: &str,
) -> Vec<u8> {
    let mut headers = Headers::default();
    for header in request.headers.iter() {
        match header {
            Header::To(to) if tag_of(to.value()).is_none() && code > 100 => {
                let value = format!("{};tag={to_tag}", to.value());
                headers.push(rsip::headers::To::new(value).into());
            }
            Header::Via(_)
            | Header::From(_)
            | Header::To(_)
            | Header::CallId(_)
            | Header::CSeq(_) => headers.push(header.clone()),
            Header::RecordRoute(_) if (101..300).contains(&code) => headers.push(header.clone()),
            _ => {}
        }
    }
    if let Some(contact) = contact {
        headers.push(rsip::headers::Contact::new(contact).into());
    }
    headers.push(rsip::headers::UserAgent::new("pukar-load").into());
    let (headers, body) = with_body(headers, body);
    let version = rsip::Version::V2;
    let response = Response { status_code: StatusCode::from(code), version, headers, body };
    SipMessage::from(response).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:op1@127.0.0.1:6001 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKabc;rport\r\n\
        From: \"x\" <sip:9826000001@127.0.0.1>;tag=one\r\n\
        To: <sip:op1@127.0.0.1>\r\n\
        Call-ID: c1\r\nCSeq: 7 INVITE\r\nContact: <sip:pukar@127.0.0.1:5060>\r\n\
        Record-Route: <sip:a;lr>, <sip:b;lr>\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_request_is_read_and_answered() {
        let SipMessage::Request(request) = read(INVITE.as_bytes()).unwrap() else { panic!() };
        assert_eq!(branch(&request).as_deref(), Some("z9hG4bKabc"));
        assert_eq!(cseq(&request), Some((7, Method::Invite)));
        assert_eq!(record_routes(&request.headers), ["<sip:a;lr>", "<sip:b;lr>"]);
        let from = request.from_header().unwrap().value();
        assert_eq!(user_of(from).as_deref(), Some("9826000001"));
        let answer = respond(&request, 180, "two", Some("<sip:op1@127.0.0.1:1>"), "");
        let SipMessage::Response(answer) = read(&answer).unwrap() else { panic!() };
        assert_eq!(tag_of(answer.to_header().unwrap().value()).as_deref(), Some("two"));
        assert_eq!(answer.status_code.code(), 180);
        assert_eq!(
            address_of(&contact(&request).unwrap()),
            Some("127.0.0.1:5060".parse().unwrap())
        );
    }

    #[test]
    fn a_body_shorter_than_it_says_is_refused() {
        let short = INVITE.replace("Content-Length: 0", "Content-Length: 9");
        assert!(read(short.as_bytes()).unwrap_err().contains("Content-Length is 9"));
        assert!(read(&INVITE.as_bytes()[..40]).is_err());
    }
}
