//! The header section as a table of spans (RFC 3261 sections 7.3 and 7.3.1).

use super::lex::{class, is_ws, run};
use super::name::Name;
use crate::base::limits::SIP_HEADERS_MAX;

/// The header fields of a message, in their order, borrowed from its octets.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    raw: &'a [u8],
    table: Vec<Span>,
}

/// Where one field lies. A message has at most 65,535 octets, so sixteen bits hold any offset.
#[derive(Clone, Copy, Debug)]
struct Span {
    name: Name,
    line: u16,
    colon: u16,
    value: u16,
    end: u16,
}

/// One header field. Its octets are those of the message; a folded value holds its folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub name: Name,
    /// The name as written.
    pub raw_name: &'a [u8],
    /// Without the whitespace around it.
    pub value: &'a [u8],
    /// The whole line, without its last CRLF.
    pub line: &'a [u8],
}

/// What reading a header section gave: its fields, where the body starts, and what was wrong.
pub(super) struct Scan<'a> {
    pub fields: Fields<'a>,
    pub body: usize,
    pub error: Option<&'static str>,
    /// Line ends, folds among them.
    ends: usize,
}

const FIELDS_EXPECTED: usize = 24;

impl<'a> Fields<'a> {
    /// Reads the header section of `raw` from `at`, up to its empty line. What cannot be read is
    /// left out and named in `error`, so that a refusal can still be sent.
    pub(super) fn scan(raw: &'a [u8], start: usize) -> Scan<'a> {
        let fields = Fields { raw, table: Vec::with_capacity(FIELDS_EXPECTED) };
        let mut scan = Scan { fields, body: raw.len(), error: None, ends: 0 };
        let mut at = start;
        loop {
            if raw[at..].starts_with(b"\r\n") {
                scan.body = at + 2;
                // To count them all at once is cheaper than to look for one in every line.
                if memchr::memchr_iter(b'\r', &raw[start..at]).count() != scan.ends {
                    scan.note(ALONE);
                }
                return scan;
            }
            if at >= raw.len() {
                scan.note("No empty line after the headers");
                return scan;
            }
            let end = line_end(raw, at, &mut scan);
            if scan.fields.table.len() == SIP_HEADERS_MAX {
                scan.note("Too many header fields");
            } else {
                scan.add(at, end);
            }
            at = (end + 2).min(raw.len());
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> + '_ {
        self.table.iter().map(|span| self.field(span))
    }

    /// Name and value of every field.
    pub(super) fn values(&self) -> impl Iterator<Item = (Name, &'a [u8])> + '_ {
        self.table.iter().map(|span| (span.name, &self.raw[span.value.into()..span.end.into()]))
    }

    /// The lines of all fields but those called `name`, without their last CRLF. Neighbours that
    /// stand in the message as they are to be printed come in one piece.
    pub(super) fn lines_but(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        let mut spans = self.table.iter().filter(move |span| span.name != name).peekable();
        std::iter::from_fn(move || {
            let first = spans.next()?;
            let mut end = usize::from(first.end);
            while let Some(next) = spans.next_if(|next| usize::from(next.line) == end + 2) {
                end = usize::from(next.end);
            }
            Some(&self.raw[usize::from(first.line)..end])
        })
    }

    /// All fields called `name`.
    pub fn all(&self, name: Name) -> impl Iterator<Item = Field<'a>> + '_ {
        self.table.iter().filter(move |span| span.name == name).map(|span| self.field(span))
    }

    /// The value of the first field called `name`.
    pub fn first(&self, name: Name) -> Option<&'a [u8]> {
        let span = self.table.iter().find(|span| span.name == name)?;
        Some(&self.raw[usize::from(span.value)..usize::from(span.end)])
    }

    /// All fields whose name, whatever its case, is `name`: for those that have no [`Name`].
    pub fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Field<'a>> + 's {
        self.iter().filter(move |field| field.raw_name.eq_ignore_ascii_case(name.as_bytes()))
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The name of a field that is there twice and may be there only once.
    pub(super) fn doubled(&self) -> Option<Name> {
        let mut seen = 0_u128;
        self.table.iter().map(|span| span.name).find(|&name| {
            let bit = 1 << (name as u8);
            let twice = seen & bit != 0 && name.is_single();
            seen |= bit;
            twice
        })
    }

    fn field(&self, span: &Span) -> Field<'a> {
        let at = |from: u16, to: u16| &self.raw[usize::from(from)..usize::from(to)];
        let name = at(span.line, span.colon);
        let blank = name.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        Field {
            name: span.name,
            raw_name: &name[..name.len() - blank],
            value: at(span.value, span.end),
            line: at(span.line, span.end),
        }
    }
}

impl Scan<'_> {
    fn note(&mut self, error: &'static str) {
        self.error = self.error.or(Some(error));
    }

    /// Enters the line from `start` to `end`: `name *WS ":" value`.
    fn add(&mut self, start: usize, end: usize) {
        let raw = self.fields.raw;
        let name_end = start + run(&raw[start..end], class::TOKEN);
        let mut at = name_end;
        while at < end && matches!(raw[at], b' ' | b'\t') {
            at += 1;
        }
        if name_end == start || at == end || raw[at] != b':' {
            self.note("A header line without a name and a colon");
            return;
        }
        let colon = at;
        at += 1;
        while at < end && is_ws(raw[at]) {
            at += 1;
        }
        let mut value_end = end;
        while value_end > at && is_ws(raw[value_end - 1]) {
            value_end -= 1;
        }
        let name = Name::find(&raw[start..name_end]);
        let short = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
        self.fields.table.push(Span {
            name,
            line: short(start),
            colon: short(colon),
            value: short(at),
            end: short(value_end),
        });
    }
}

/// A CR or an LF without the other is a line end to some readers and none to others.
const ALONE: &str = "A CR or LF by itself";

/// Where the field that starts at `at` ends, folded lines included.
fn line_end(raw: &[u8], mut at: usize, scan: &mut Scan<'_>) -> usize {
    loop {
        let Some(step) = memchr::memchr(b'\n', &raw[at..]) else {
            scan.note("No line end at the end of the headers");
            return raw.len();
        };
        at += step + 1;
        if at < 2 || raw[at - 2] != b'\r' {
            scan.note(ALONE);
        } else {
            scan.ends += 1;
            if !matches!(raw.get(at), Some(b' ' | b'\t')) {
                return at - 2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_in_order() {
        let raw = b"Via: one\r\nv :two ,\r\n\tthree \r\nX-Odd:\xff\r\nsubject:\r\n\r\nbody";
        let scan = Fields::scan(raw, 0);
        assert_eq!((scan.error, &raw[scan.body..]), (None, &b"body"[..]));
        let fields = scan.fields;
        let vias: Vec<_> = fields.all(Name::Via).map(|f| f.value).collect();
        assert_eq!(vias, [&b"one"[..], b"two ,\r\n\tthree"]);
        assert_eq!(fields.named("x-odd").next().map(|f| f.value), Some(&b"\xff"[..]));
        assert_eq!(fields.first(Name::Subject), Some(&b""[..]));
        assert_eq!(fields.all(Name::Via).nth(1).unwrap().raw_name, b"v");
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn what_is_no_line_is_named_and_left_out() {
        for (raw, error) in [
            ("To: a\r\nnonsense\r\n\r\n", "A header line without a name and a colon"),
            ("To: a\r\n: x\r\n\r\n", "A header line without a name and a colon"),
            ("To: a\r\n", "No empty line after the headers"),
            ("To: a\r\nB: c", "No line end at the end of the headers"),
            ("To: a\nB: c\r\n\r\n", "A CR or LF by itself"),
            ("To: a\rB: c\r\n\r\n", "A CR or LF by itself"),
        ] {
            let scan = Fields::scan(raw.as_bytes(), 0);
            assert_eq!(scan.error, Some(error), "{raw:?}");
            assert!(scan.fields.first(Name::To).is_some());
        }
        let many = "A: b\r\n".repeat(SIP_HEADERS_MAX + 1) + "\r\n";
        let scan = Fields::scan(many.as_bytes(), 0);
        assert_eq!((scan.error, scan.fields.len()), (Some("Too many header fields"), 128));
    }
}
