//! Until when a certificate is good: the one field of X.509 that nobody else tells us (RFC 5280
//! section 4.1.2.5). What cannot be read is never said to expire.

use crate::base::Wall;
use std::time::Duration;

/// So long before is it said at every start and reload.
const SOON: Duration = Duration::from_secs(14 * 86_400);

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT Version`.
const VERSION: u8 = 0xa0;

/// How a certificate stands to the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// For so many days more.
    Soon(i64),
    Over,
}

pub fn standing(until: Wall, now: Wall) -> Standing {
    let left = until.0 - now.0;
    match left {
        ..=0 => Standing::Over,
        _ if left < SOON.as_micros() as i64 => Standing::Soon(left / 86_400_000_000),
        _ => Standing::Good,
    }
}

/// The notAfter of a certificate in DER.
pub fn not_after(der: &[u8]) -> Option<Wall> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    // serialNumber, signature, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, after) = time(validity)?;
    time(after).map(|(until, _)| until)
}

/// What an element of this tag holds, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..0x80 => (usize::from(short), rest),
        _ => {
            let octets = usize::from(short & 0x7f);
            let (length, rest) = rest.split_at_checked(octets).filter(|_| octets <= 4)?;
            (length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}

/// Both forms are in UTC, to the second (RFC 5280 sections 4.1.2.5.1 and 4.1.2.5.2).
fn time(bytes: &[u8]) -> Option<(Wall, &[u8])> {
    let &tag = bytes.first()?;
    let (text, rest) = element(bytes, tag)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest_of) = match tag {
        UTC_TIME => {
            let short: i16 = text.get(..2)?.parse().ok()?;
            // "Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY".
            (if short >= 50 { 1900 + short } else { 2000 + short }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest_of.get(2 * at..2 * at + 2)?.parse::<i8>().ok();
    let date = jiff::civil::Date::new(year, part(0)?, part(1)?).ok()?;
    let clock = jiff::civil::Time::new(part(2)?, part(3)?, part(4)?, 0).ok()?;
    let moment = date.to_datetime(clock);
    let seconds = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some((Wall(seconds * 1_000_000), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(tag: u8, inside: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, 0x82, (inside.len() >> 8) as u8, inside.len() as u8];
        bytes.extend(inside);
        bytes
    }

    fn certificate(versioned: bool, until: &[u8]) -> Vec<u8> {
        let before = wrapped(UTC_TIME, b"240101000000Z");
        let validity = wrapped(SEQUENCE, &[before, until.to_vec()].concat());
        let version = if versioned { vec![VERSION, 3, 2, 1, 2] } else { Vec::new() };
        let (serial, empty) = ([INTEGER, 1, 7], [SEQUENCE, 0]);
        let to_be_signed = [&version[..], &serial, &empty, &empty, &validity].concat();
        wrapped(SEQUENCE, &wrapped(SEQUENCE, &to_be_signed))
    }

    #[test]
    fn both_forms_of_a_time_are_read_and_nothing_else_is() {
        let of = |until: &[u8]| not_after(&certificate(true, until)).map(|wall| wall.0 / 1_000_000);
        assert_eq!(of(&wrapped(UTC_TIME, b"261126120000Z")), Some(1_795_694_400));
        assert_eq!(of(&wrapped(GENERALIZED_TIME, b"20510101000000Z")), Some(2_556_144_000));
        let old = certificate(false, &wrapped(UTC_TIME, b"991231235959Z"));
        assert_eq!(not_after(&old).map(|wall| wall.0), Some(946_684_799_000_000));
        for odd in [&b"2611261200Z"[..], b"261126120000", b"26112612000xZ", b""] {
            assert_eq!(of(&wrapped(UTC_TIME, odd)), None);
        }
        assert_eq!(of(&wrapped(UTC_TIME, b"261326120000Z")), None, "no thirteenth month");
        let whole = certificate(true, &wrapped(UTC_TIME, b"261126120000Z"));
        assert!((0..whole.len()).all(|cut| not_after(&whole[..cut]).is_none()));
    }

    #[test]
    fn it_is_said_two_weeks_before() {
        let day = |n: i64| Wall(n * 86_400_000_000);
        assert_eq!(standing(day(20), day(5)), Standing::Good);
        assert_eq!(standing(day(20), day(7)), Standing::Soon(13));
        assert_eq!(standing(day(20), day(20)), Standing::Over);
    }
}
