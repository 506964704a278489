//! Building messages (RFC 3261 sections 7, 8.2.6 and 18.2.1).

use super::fields::{Field, Fields};
use super::list::List;
use super::name::Name;
use super::via::Via;
use super::{Message, Method, Start};
use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;

mod phrases;
pub use phrases::phrase;

/// Builds one message. Whatever it is given, one call writes one line: CR, LF and NUL inside a
/// value become spaces.
#[derive(Clone, Debug)]
pub struct Writer {
    out: Vec<u8>,
}

/// What the receiver of a request adds to its top Via before it answers (RFC 3261 section 18.2.1,
/// RFC 3581 section 4).
#[derive(Clone, Copy, Debug, Default)]
pub struct TopVia {
    pub received: Option<IpAddr>,
    /// Set where the request asked for it with `;rport`.
    pub rport: Option<u16>,
}

const CAPACITY: usize = 1_500;

impl Writer {
    pub fn request(method: Method<'_>, uri: &str) -> Self {
        let mut writer = Self { out: Vec::with_capacity(CAPACITY) };
        writer.clean(|w| w.put(method.as_str().as_bytes()));
        writer.put(b" ");
        writer.clean(|w| w.put(uri.as_bytes()));
        writer.put(b" SIP/2.0\r\n");
        writer
    }

    pub fn response(status: u16, reason: &str) -> Self {
        let mut writer = Self { out: Vec::with_capacity(CAPACITY) };
        writer.put(b"SIP/2.0 ");
        writer.display(status);
        writer.put(b" ");
        writer.clean(|w| w.put(reason.as_bytes()));
        writer.put(b"\r\n");
        writer
    }

    /// A response to the request whose fields are `fields`: Via (all, in order), From, To, Call-ID
    /// and CSeq are copied as they stand (RFC 3261 section 8.2.6.2). `to_tag` is added where the
    /// request's To has none.
    pub fn reply(
        status: u16,
        reason: &str,
        fields: &Fields<'_>,
        top: TopVia,
        to_tag: Option<&str>,
    ) -> Self {
        let mut writer = Self::response(status, reason);
        for (number, field) in fields.all(Name::Via).enumerate() {
            match number {
                0 => writer.top_via(field, top),
                _ => writer.line(field),
            }
        }
        writer.copy(fields, Name::From);
        for field in fields.all(Name::To).take(1) {
            writer.to(field, to_tag);
        }
        writer.copy(fields, Name::CallId);
        writer.copy(fields, Name::CSeq);
        writer
    }

    /// A header line.
    pub fn header(&mut self, name: Name, value: impl fmt::Display) -> &mut Self {
        self.header_named(name.text(), value)
    }

    /// A header line whose name has no [`Name`].
    pub fn header_named(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        self.clean(|w| w.put(name.as_bytes()));
        self.put(b": ");
        self.clean(|w| w.display(value));
        self.put(b"\r\n");
        self
    }

    /// A header line with a value of any octets.
    pub fn header_raw(&mut self, name: Name, value: &[u8]) -> &mut Self {
        self.put(name.text().as_bytes());
        self.put(b": ");
        self.clean(|w| w.put(value));
        self.put(b"\r\n");
        self
    }

    /// Copies all fields called `name` as they stand, folds included.
    pub fn copy(&mut self, fields: &Fields<'_>, name: Name) -> &mut Self {
        for field in fields.all(name) {
            self.line(field);
        }
        self
    }

    /// Ends the message, without a body.
    pub fn finish(mut self) -> Vec<u8> {
        self.put(b"Content-Length: 0\r\n\r\n");
        self.out
    }

    /// Ends the message with a body.
    pub fn finish_with(mut self, content_type: &str, body: &[u8]) -> Vec<u8> {
        self.header(Name::ContentType, content_type);
        self.end(body)
    }

    fn end(mut self, body: &[u8]) -> Vec<u8> {
        self.put(b"Content-Length: ");
        self.display(body.len());
        self.put(b"\r\n\r\n");
        self.put(body);
        self.out
    }

    fn line(&mut self, field: Field<'_>) {
        self.put(field.line);
        self.put(b"\r\n");
    }

    fn top_via(&mut self, field: Field<'_>, top: TopVia) {
        let first = List::new(field.value).next().unwrap_or_default();
        let Some(via) = Via::parse(first) else {
            return self.line(field);
        };
        self.put(b"Via: ");
        let sent = via.raw.len() - via.params.raw().len();
        self.put(super::lex::trim(&via.raw[..sent]));
        for param in via.params.iter() {
            let is = |name: &str| param.name.eq_ignore_ascii_case(name);
            if (is("received") && top.received.is_some()) || (is("rport") && top.rport.is_some()) {
                continue;
            }
            self.put(b";");
            self.put(param.name.as_bytes());
            if let Some(value) = param.value {
                self.put(b"=");
                self.put(value);
            }
        }
        // RFC 5118 section 4.5: `received` carries an IPv6 address without brackets.
        if let Some(ip) = top.received {
            self.put(b";received=");
            self.display(ip);
        }
        if let Some(port) = top.rport {
            self.put(b";rport=");
            self.display(port);
        }
        let rest = &field.value[first.len().min(field.value.len())..];
        self.put(rest);
        self.put(b"\r\n");
    }

    fn to(&mut self, field: Field<'_>, tag: Option<&str>) {
        self.put(field.line);
        let tagged = super::NameAddr::parse(field.value).is_some_and(|to| to.tag().is_some());
        if let Some(tag) = tag.filter(|_| !tagged) {
            self.put(b";tag=");
            self.clean(|w| w.put(tag.as_bytes()));
        }
        self.put(b"\r\n");
    }

    fn put(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    fn display(&mut self, value: impl fmt::Display) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.out, "{value}");
    }

    /// Runs `write` and takes the line ends out of what it wrote.
    fn clean(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        write(self);
        let written = &mut self.out[start..];
        if memchr::memchr3(b'\r', b'\n', 0, written).is_some() {
            for byte in written.iter_mut().filter(|b| matches!(b, b'\r' | b'\n' | 0)) {
                *byte = b' ';
            }
        }
    }
}

impl Message<'_> {
    /// The message again: every header line as it stands, Content-Length as it is.
    pub fn print(&self) -> Vec<u8> {
        let capacity = self.raw().len() + 32;
        let mut writer = Writer { out: Vec::with_capacity(capacity) };
        match self.start {
            Start::Request { method, uri } => {
                writer.put(method.as_str().as_bytes());
                writer.put(b" ");
                writer.put(uri.raw.as_bytes());
                writer.put(b" SIP/2.0\r\n");
            }
            Start::Response { status, reason } => {
                writer.put(b"SIP/2.0 ");
                writer.display(status);
                writer.put(b" ");
                writer.put(reason);
                writer.put(b"\r\n");
            }
        }
        for lines in self.fields.lines_but(Name::ContentLength) {
            writer.put(lines);
            writer.put(b"\r\n");
        }
        writer.end(self.body)
    }
}

#[cfg(test)]
mod tests;
