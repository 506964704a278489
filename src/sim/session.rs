//! One session of a simulated phone: just enough of RFC 3261 to be a fair, or an unfair, peer.
//! Written apart from the switch's own SIP layer, so that the two check each other.

use crate::base::Rng;
use crate::sip::Transport;
use crate::wire::sip::{Message, Name};
use std::fmt::Write;
use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub struct Session {
    /// What the phone knows it by: its Call-ID, but for the second answer of a fork.
    pub key: String,
    pub call_id: String,
    pub tag: String,
    /// The other end's whole From or To value, with its tag once that is known.
    pub remote: String,
    /// Our own From or To value, without the tag.
    pub local: String,
    /// Where requests inside the dialog go.
    pub target: String,
    /// The other end's tag, in a call of ours that was answered.
    pub remote_tag: String,
    pub stage: Stage,
    /// A caller of a queue is offered.
    pub for_queue: bool,
    pub cseq: u32,
    /// The number of the INVITE whose 2xx came last.
    pub accepted: u32,
    /// What is repeated until something comes: INVITE, 200, BYE.
    pub repeating: Option<Vec<u8>>,
    /// The 180 that was sent, for repeats of the INVITE.
    pub ringing: Option<Vec<u8>>,
    /// The INVITE that was sent or received last, and the one that opened it, where it came to us.
    pub invite: Vec<u8>,
    pub asked: Vec<u8>,
    /// Counts repeats, so that a stale wake-up means nothing.
    pub round: u32,
    /// We want out: hang up as soon as the rules allow it.
    pub leaving: bool,
    /// Provisional responses have been seen, so that CANCEL may be sent.
    pub provisional: bool,
    pub was_up: bool,
    /// Its INVITE had no offer; the ACK answers the other end's.
    pub delayed: bool,
    /// RSeq of the last reliable provisional response, sent or acknowledged (RFC 3262).
    pub rseq: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// We sent an INVITE.
    Calling,
    /// We were sent an INVITE and have not given a final answer.
    Asked,
    Up,
    /// We sent BYE.
    Leaving,
    Over,
}

/// Where a phone is, and how it is connected.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub address: SocketAddr,
    pub transport: Transport,
}

impl Line {
    pub fn via(self, branch: u64) -> String {
        let name = if self.transport == Transport::Tcp { "TCP" } else { "UDP" };
        format!("SIP/2.0/{name} {};rport;branch=z9hG4bK{branch:x}", self.address)
    }

    pub fn contact(self) -> String {
        let stream = if self.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("<sip:phone@{}{stream}>", self.address)
    }
}

impl Session {
    pub fn new(call_id: String, rng: &mut Rng) -> Self {
        Self {
            key: call_id.clone(),
            call_id,
            tag: format!("{:x}", rng.bits()),
            remote: String::new(),
            local: String::new(),
            target: String::new(),
            remote_tag: String::new(),
            stage: Stage::Calling,
            for_queue: false,
            cseq: 0,
            accepted: 0,
            repeating: None,
            ringing: None,
            invite: Vec::new(),
            asked: Vec::new(),
            round: 0,
            leaving: false,
            provisional: false,
            was_up: false,
            delayed: false,
            rseq: 0,
        }
    }

    /// Whether this tag of the other end belongs to another dialog than ours.
    pub fn is_stranger(&self, tag: &str) -> bool {
        !self.remote_tag.is_empty() && self.remote_tag != tag
    }

    /// What begins like this has been heard.
    pub fn stop_repeating(&mut self, start: &str) {
        if self.repeating.as_ref().is_some_and(|bytes| bytes.starts_with(start.as_bytes())) {
            self.repeating = None;
            self.round += 1;
        }
    }

    /// A request of ours inside the dialog (or the first INVITE).
    pub fn request(&mut self, method: &str, line: Line, branch: u64, sdp: Option<&str>) -> Vec<u8> {
        self.request_with(method, line, branch, (sdp, ""))
    }

    /// The same, with further header lines.
    pub fn request_with(
        &mut self,
        method: &str,
        line: Line,
        branch: u64,
        (sdp, more): (Option<&str>, &str),
    ) -> Vec<u8> {
        // RFC 3261 section 13.2.2.4: "The sequence number of the CSeq header field in the ACK MUST
        // be the same as the INVITE being acknowledged".
        let seq = if method == "ACK" { self.accepted } else { self.cseq + 1 };
        self.cseq = self.cseq.max(seq);
        let mut text = String::new();
        let _ = write!(
            text,
            "{method} {} SIP/2.0\r\nVia: {}\r\nFrom: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {seq} {method}\r\nContact: {}\r\nMax-Forwards: 70\r\n\
             Allow: INVITE, ACK, BYE, CANCEL\r\n{more}",
            self.target,
            line.via(branch),
            self.local,
            self.tag,
            self.remote,
            self.call_id,
            line.contact(),
        );
        finish(text, sdp.map(|direction| (line.address, direction)))
    }

    /// CANCEL repeats the INVITE's Via, From, To, Call-ID and CSeq number (RFC 3261 section 9.1).
    pub fn cancel(&self) -> Option<Vec<u8>> {
        let invite = Message::parse(&self.invite).ok()?;
        let raw = |name| Some(String::from_utf8_lossy(invite.header(name)?).into_owned());
        let text = format!(
            "CANCEL {} SIP/2.0\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {} CANCEL\r\nMax-Forwards: 70\r\n",
            invite.request_uri()?.raw,
            raw(Name::Via)?,
            raw(Name::From)?,
            raw(Name::To)?,
            self.call_id,
            invite.cseq.number,
        );
        Some(finish(text, None))
    }

    /// The ACK of a refusal goes in the INVITE's transaction (RFC 3261 section 17.1.1.3).
    pub fn ack_of_refusal(&self, response: &Message) -> Option<Vec<u8>> {
        let invite = Message::parse(&self.invite).ok()?;
        let raw = |m: &Message, name| Some(String::from_utf8_lossy(m.header(name)?).into_owned());
        let text = format!(
            "ACK {} SIP/2.0\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} ACK\r\n\
             Max-Forwards: 70\r\n",
            invite.request_uri()?.raw,
            raw(&invite, Name::Via)?,
            raw(&invite, Name::From)?,
            raw(response, Name::To)?,
            self.call_id,
            invite.cseq.number,
        );
        Some(finish(text, None))
    }
}

/// A response to `request`, with our tag.
pub fn response(
    request: &Message,
    status: u16,
    tag: &str,
    line: Line,
    sdp: Option<&str>,
) -> Vec<u8> {
    let mut text = format!("SIP/2.0 {status} Whatever\r\n");
    for via in request.headers(Name::Via) {
        let _ = write!(text, "Via: {}\r\n", String::from_utf8_lossy(via));
    }
    let raw = |name| String::from_utf8_lossy(request.header(name).unwrap_or_default()).into_owned();
    let to = raw(Name::To);
    let tag = if to.contains("tag=") { String::new() } else { format!(";tag={tag}") };
    let _ = write!(
        text,
        "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: {}\r\n",
        raw(Name::From),
        raw(Name::CallId),
        raw(Name::CSeq),
        line.contact(),
    );
    finish(text, sdp.map(|direction| (line.address, direction)))
}

/// The same response, sent reliably (RFC 3262 section 3).
pub fn reliably(response: &[u8], rseq: u32) -> Vec<u8> {
    let text = String::from_utf8_lossy(response);
    let more = format!("\r\nRequire: 100rel\r\nRSeq: {rseq}\r\nVia:");
    text.replacen("\r\nVia:", &more, 1).into_bytes()
}

pub(super) fn finish(mut head: String, sdp: Option<(SocketAddr, &str)>) -> Vec<u8> {
    let body = sdp.map_or(String::new(), |(address, direction)| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n\
             a={direction}\r\n",
            ip = address.ip()
        )
    });
    if !body.is_empty() {
        head.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n{body}", body.len());
    head.into_bytes()
}
