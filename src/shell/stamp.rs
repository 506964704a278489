//! Calendar time as people and databases read it: UTC, RFC 3339, milliseconds.

use crate::base::Wall;
use jiff::Timestamp;

/// `2026-11-22T07:10:44.123Z`. A time out of all bounds becomes the nearest that can be written.
pub fn rfc3339(at: Wall) -> String {
    let bounded = at.millis().clamp(-62_135_596_800_000, 253_402_207_200_000);
    let stamp = Timestamp::from_millisecond(bounded).unwrap_or_default();
    stamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub fn optional(at: Option<Wall>) -> Option<String> {
    at.map(rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_three_decimals() {
        assert_eq!(rfc3339(Wall(1_700_000_000_120_999)), "2023-11-14T22:13:20.120Z");
        assert_eq!(rfc3339(Wall(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Wall(-1_000)), "1969-12-31T23:59:59.999Z");
        assert!(rfc3339(Wall(i64::MAX)).starts_with("9999-"));
    }
}
