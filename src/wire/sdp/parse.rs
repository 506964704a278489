//! Reads a session description. Lenient where nothing can go wrong: bare line feeds, missing `s=`
//! and `t=`, octets that are not UTF-8, blank lines, lines of unknown type. May import: base.

use super::{Attribute, Crypto, Direction, Fmtp, Map, Media, Origin, Place, Rtcp, Session};
use crate::base::limits::{SDP_MAX, SDP_MEDIA_MAX};
use std::fmt;
use std::net::IpAddr;

/// Why a body is no session description. The peer's fault; answered with 400 or 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Longer than [`SDP_MAX`].
    TooLong,
    /// More media lines than [`SDP_MEDIA_MAX`].
    TooManyMedia,
    /// It does not begin with `v=0`.
    NotSdp,
    /// This line of it (counted from 1) cannot be read.
    Line(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "session description over {SDP_MAX} octets"),
            Self::TooManyMedia => write!(f, "session description with over {SDP_MEDIA_MAX} m="),
            Self::NotSdp => f.write_str("session description does not begin with v=0"),
            Self::Line(line) => write!(f, "session description, line {line} cannot be read"),
        }
    }
}

impl std::error::Error for Error {}

pub fn session(bytes: &[u8]) -> Result<Session, Error> {
    if bytes.len() > SDP_MAX {
        return Err(Error::TooLong);
    }
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    if lines.find(|(_, line)| !line.is_empty()).is_none_or(|(_, line)| line != "v=0") {
        return Err(Error::NotSdp);
    }
    let mut session = empty();
    for (at, line) in lines {
        let Some((kind, value)) = line.split_once('=') else {
            if line.is_empty() {
                continue;
            }
            return Err(Error::Line(at));
        };
        if kind == "m" && session.media.len() == SDP_MEDIA_MAX {
            return Err(Error::TooManyMedia);
        }
        self::line(&mut session, kind, value.trim()).ok_or(Error::Line(at))?;
    }
    Ok(session)
}

fn empty() -> Session {
    Session {
        origin: Origin { user: "-".into(), id: 0, version: 0, address: String::new() },
        name: "-".into(),
        connection: None,
        timing: "0 0".into(),
        direction: None,
        attributes: Vec::new(),
        media: Vec::new(),
    }
}

/// `None`: the line matters and cannot be read.
fn line(session: &mut Session, kind: &str, value: &str) -> Option<()> {
    match (kind, session.media.last_mut()) {
        ("m", _) => session.media.push(media(value)?),
        ("c", Some(media)) => media.connection = Some(place(value)?),
        ("c", None) => session.connection = Some(place(value)?),
        ("a", Some(media)) => media_attribute(media, value),
        ("a", None) => session_attribute(session, value),
        ("o", None) => session.origin = origin(value)?,
        ("s", None) if !value.is_empty() => session.name = value.to_string(),
        ("t", None) if !value.is_empty() => session.timing = value.to_string(),
        // Bandwidth, old keys (k=), titles and repeats change nothing.
        _ => {}
    }
    Some(())
}

/// `o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1`. Phones exist that write ids beyond 64 bits
/// or none; only equality with the last version would matter, so those count as 0.
fn origin(value: &str) -> Option<Origin> {
    let mut words = value.split_ascii_whitespace();
    let user = words.next()?.to_string();
    let mut number = || words.next().map(|word| word.parse().unwrap_or(0));
    let (id, version) = (number()?, number()?);
    let address = words.nth(2).unwrap_or_default().to_string();
    Some(Origin { user, id, version, address })
}

/// `m=audio 49170/2 RTP/AVP 0 8`
fn media(value: &str) -> Option<Media> {
    let mut words = value.split_ascii_whitespace();
    let kind = words.next()?.to_ascii_lowercase();
    let port = words.next()?.split('/').next()?.parse().ok()?;
    let transport = words.next()?.to_ascii_uppercase();
    let formats: Vec<String> = words.map(str::to_string).collect();
    if formats.is_empty() {
        return None;
    }
    Some(Media { kind, port, transport, formats, ..Media::bare() })
}

/// `IN IP4 198.51.100.1/127`. The type is believed to be whatever the address is.
fn place(value: &str) -> Option<Place> {
    let mut words = value.split_ascii_whitespace();
    let (network, _kind, text) = (words.next()?, words.next()?, words.next()?);
    if !network.eq_ignore_ascii_case("IN") {
        return None;
    }
    let text = text.split('/').next().filter(|text| !text.is_empty())?;
    Some(match text.parse::<IpAddr>() {
        Ok(address) => Place::Address(address),
        Err(_) => Place::Name(text.to_string()),
    })
}

fn session_attribute(session: &mut Session, value: &str) {
    match direction(value) {
        Some(direction) => session.direction = Some(direction),
        // RFC 4568 section 5: a key is of one media line. What stands here is nobody's.
        None if name_of(value) == "crypto" => {}
        None => session.attributes.push(attribute(value)),
    }
}

/// What is known but malformed is kept as unknown: a bad `ptime` is no reason to lose a call.
fn media_attribute(media: &mut Media, value: &str) {
    if let Some(direction) = direction(value) {
        media.direction = Some(direction);
        return;
    }
    let (name, rest) = value.split_once(':').unwrap_or((value, ""));
    let known = match name.to_ascii_lowercase().as_str() {
        "rtpmap" => map(rest).map(|map| media.maps.push(map)),
        "fmtp" => fmtp(rest).map(|fmtp| media.fmtp.push(fmtp)),
        "ptime" => millis(rest).map(|ptime| media.ptime = Some(ptime)),
        "maxptime" => millis(rest).map(|ptime| media.maxptime = Some(ptime)),
        "rtcp" => rtcp(rest).map(|rtcp| media.rtcp = Some(rtcp)),
        "rtcp-mux" => {
            media.rtcp_mux = true;
            Some(())
        }
        // Never among what is unknown: whatever is wrong with it, there is a key in it.
        "crypto" => {
            media.crypto.push(Crypto::parse(rest));
            Some(())
        }
        _ => None,
    };
    if known.is_none() {
        media.attributes.push(attribute(value));
    }
}

fn name_of(value: &str) -> String {
    value.split(':').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn attribute(value: &str) -> Attribute {
    match value.split_once(':') {
        Some((name, value)) => Attribute { name: name.into(), value: Some(value.trim().into()) },
        None => Attribute { name: value.into(), value: None },
    }
}

fn direction(value: &str) -> Option<Direction> {
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        .into_iter()
        .find(|direction| direction.name().eq_ignore_ascii_case(value))
}

/// `101 telephone-event/8000`
fn map(value: &str) -> Option<Map> {
    let (payload, codec) = value.trim().split_once(char::is_whitespace)?;
    let mut parts = codec.trim().splitn(3, '/');
    let encoding = parts.next().filter(|name| !name.is_empty())?.to_string();
    let rate = parts.next()?.trim().parse().ok()?;
    let rest = parts.next().map(str::to_string);
    let payload = payload.parse().ok().filter(|payload| *payload < 128)?;
    Some(Map { payload, encoding, rate, rest })
}

fn fmtp(value: &str) -> Option<Fmtp> {
    let (format, parameters) = value.trim().split_once(char::is_whitespace)?;
    Some(Fmtp { format: format.to_string(), parameters: parameters.trim().to_string() })
}

/// Whole milliseconds; a fraction is cut off.
fn millis(value: &str) -> Option<u16> {
    value.trim().split('.').next()?.parse().ok().filter(|millis| *millis > 0)
}

/// `53020 IN IP4 126.16.64.4`, the address optional.
fn rtcp(value: &str) -> Option<Rtcp> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port > 0)?;
    let address = words.nth(2).and_then(|word| word.parse().ok());
    Some(Rtcp { port, address })
}
