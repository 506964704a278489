//! Messages out of a stream (RFC 3261 section 18.3, keep-alive RFC 5626 section 3.5.1).

use super::message::content_length;
use super::{Fields, Name};
use crate::base::limits::SIP_MESSAGE_MAX;
use bytes::{Buf, Bytes, BytesMut};

/// What to send when [`Frame::Ping`] comes.
pub const PONG: &[u8] = b"\r\n";

/// Cuts a stream into messages. Holds at most one message and what came with it; looks at every
/// octet once, however small the pieces are in which they come.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of the headers.
    seen: usize,
    /// Octets of the message whose headers are complete.
    need: Option<usize>,
    broken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, for [`super::Message::parse`].
    Message(Bytes),
    /// A double CRLF: answer with [`PONG`].
    Ping,
    /// Nobody can tell where the next message starts. `parse` of these octets gives the refusal
    /// to send, if any; then close the connection.
    Broken(Bytes),
}

impl Framer {
    /// Takes what the stream gave. Call [`Framer::next_frame`] until it is `None` after each.
    pub fn feed(&mut self, piece: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(piece);
        }
    }

    pub fn next_frame(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        if self.need.is_none() {
            if let Some(ping) = self.skip_empty_lines() {
                return Some(ping);
            }
            let Some(head) = self.head_end() else {
                return (self.buffer.len() > SIP_MESSAGE_MAX).then(|| self.fail());
            };
            match body_length(&self.buffer[..head]) {
                Some(body) if head + body <= SIP_MESSAGE_MAX => self.need = Some(head + body),
                _ => return Some(self.fail()),
            }
        }
        let need = self.need.filter(|&need| need <= self.buffer.len())?;
        (self.need, self.seen) = (None, 0);
        Some(Frame::Message(self.buffer.split_to(need).freeze()))
    }

    /// Octets that wait for the rest of their message: a peer that leaves them there is slow, or
    /// hostile. An empty line begins no message, and may be all that a peer has to say for hours.
    pub fn pending(&self) -> usize {
        if b"\r\n\r".starts_with(&self.buffer) { 0 } else { self.buffer.len() }
    }

    /// The same octets, for whoever goes on with the stream.
    pub fn into_pending(self) -> Vec<u8> {
        self.buffer.to_vec()
    }

    /// "Implementations processing SIP messages over stream-oriented transports MUST ignore any
    /// CRLF appearing before the start-line" (RFC 3261 section 7.5); two of them are a ping.
    fn skip_empty_lines(&mut self) -> Option<Frame> {
        loop {
            match &self.buffer[..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return Some(Frame::Ping);
                }
                // Half a ping, perhaps: its other half may be on the way.
                [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                _ => return None,
            }
        }
    }

    fn head_end(&mut self) -> Option<usize> {
        let from = self.seen.saturating_sub(3);
        match memchr::memmem::find(&self.buffer[from..], b"\r\n\r\n") {
            Some(at) => Some(from + at + 4),
            None => {
                self.seen = self.buffer.len();
                None
            }
        }
    }

    fn fail(&mut self) -> Frame {
        self.broken = true;
        let head = self.buffer.len().min(SIP_MESSAGE_MAX + 1);
        let octets = self.buffer.split_to(head).freeze();
        self.buffer = BytesMut::new();
        Frame::Broken(octets)
    }
}

/// How long the body is that follows `head`. RFC 3261 section 18.3: on a stream Content-Length must
/// be there; where it is not, no body is the only safe reading. `None`: framing is lost.
fn body_length(head: &[u8]) -> Option<usize> {
    let start = memchr::memchr(b'\n', head)? + 1;
    let scan = Fields::scan(head, start.min(head.len()));
    if scan.error.is_some() || scan.fields.all(Name::ContentLength).nth(1).is_some() {
        return None;
    }
    content_length(&scan.fields).ok().map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nTo: b\r\n\r\n";

    fn frames(framer: &mut Framer) -> Vec<Frame> {
        std::iter::from_fn(|| framer.next_frame()).collect()
    }

    fn message(octets: &'static [u8]) -> Frame {
        Frame::Message(Bytes::from_static(octets))
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let stream = [b"\r\n\r\n", ONE, b"\r\n", TWO, ONE].concat();
        let expected = [Frame::Ping, message(ONE), message(TWO), message(ONE)];
        for size in 1..stream.len() {
            let mut framer = Framer::default();
            let mut got = Vec::new();
            for piece in stream.chunks(size) {
                framer.feed(piece);
                got.extend(frames(&mut framer));
            }
            assert_eq!(got, expected, "pieces of {size}");
            assert_eq!(framer.pending(), 0);
        }
    }

    #[test]
    fn an_empty_line_before_a_message_is_no_part_of_one() {
        let mut framer = Framer::default();
        for piece in [&b"\r"[..], b"\n", b"\r", b"\n", b"\r\n"] {
            framer.feed(piece);
            let _ = framer.next_frame();
            assert_eq!(framer.pending(), 0, "{piece:?}");
        }
        framer.feed(&ONE[..9]);
        assert_eq!((framer.next_frame(), framer.pending()), (None, 9));
        framer.feed(&ONE[9..]);
        assert_eq!(frames(&mut framer), [message(ONE)]);
    }

    #[test]
    fn half_a_ping_is_handed_on_with_the_stream() {
        let mut framer = Framer::default();
        framer.feed(b"\r\n\r");
        assert_eq!(framer.next_frame(), None);
        let mut next = Framer::default();
        next.feed(&framer.into_pending());
        next.feed(b"\n");
        assert_eq!(frames(&mut next), [Frame::Ping]);
    }

    #[test]
    fn a_length_that_cannot_be_trusted_breaks_the_stream() {
        for lines in ["l: -1", "l: x", "l: 1\r\nContent-Length: 2", "l: 1\r\nl: 1", "l: 99999", "x"]
        {
            let text = format!("OPTIONS sip:a SIP/2.0\r\n{lines}\r\n\r\nabc");
            let mut framer = Framer::default();
            framer.feed(text.as_bytes());
            assert_eq!(frames(&mut framer), [Frame::Broken(Bytes::from(text))], "{lines}");
            framer.feed(ONE);
            assert_eq!((framer.next_frame(), framer.pending()), (None, 0));
        }
    }

    #[test]
    fn endless_headers_are_cut_off_and_cost_linear_time() {
        let mut framer = Framer::default();
        for _ in 0..SIP_MESSAGE_MAX {
            framer.feed(b"\n");
            assert_eq!(framer.next_frame(), None);
        }
        framer.feed(b"\n");
        assert!(matches!(framer.next_frame(), Some(Frame::Broken(_))));
    }
}
