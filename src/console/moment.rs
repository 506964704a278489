//! A moment as people write it, in the time zone of this machine; UTC on the wire.

use super::Fault;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// `raw` in RFC 3339, UTC, with milliseconds. A date alone is its first moment, or its last where
/// `ends`; a duration is as long ago.
pub fn read(raw: &str, ends: bool, now: &Zoned) -> Result<String, Fault> {
    let zone = now.time_zone();
    let found = raw
        .parse::<Timestamp>()
        .ok()
        .or_else(|| civil(raw, ends, zone))
        .or_else(|| Some(now.checked_sub(raw.parse::<Span>().ok()?).ok()?.timestamp()));
    match found {
        Some(at) => Ok(format!("{at:.3}")),
        None => Err(Fault::usage(format!(
            "\"{raw}\" is no moment; write 2026-11-22, 2026-11-22T06:00, or \"2h\" for two hours ago"
        ))),
    }
}

fn civil(raw: &str, ends: bool, zone: &TimeZone) -> Option<Timestamp> {
    let at = match (raw.parse::<Date>(), raw.len()) {
        (Ok(day), 10) if ends => day.checked_add(1.day()).ok()?.at(0, 0, 0, 0),
        (Ok(day), 10) => day.at(0, 0, 0, 0),
        _ => raw.parse::<DateTime>().ok()?,
    };
    Some(at.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_local_and_the_wire_is_utc() {
        let now: Zoned = "2026-11-22T12:00:00+05:30[Asia/Kolkata]".parse().unwrap();
        for (raw, ends, expected) in [
            ("2026-11-22", false, "2026-11-21T18:30:00.000Z"),
            ("2026-11-22", true, "2026-11-22T18:30:00.000Z"),
            ("2026-11-22T06:00", false, "2026-11-22T00:30:00.000Z"),
            ("2026-11-22T06:00:00Z", false, "2026-11-22T06:00:00.000Z"),
            ("2h", false, "2026-11-22T04:30:00.000Z"),
            ("1h30m", false, "2026-11-22T05:00:00.000Z"),
        ] {
            assert_eq!(read(raw, ends, &now).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(read("yesterday", false, &now).unwrap_err().exit, 2);
    }
}
