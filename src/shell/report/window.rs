//! The time that a report is of: between two cut-offs, or as somebody says.

use crate::acd::{Calendar, RosterSettings};
use crate::base::Wall;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

const DAY: i64 = 86_400_000_000;

/// From `since` on, up to but without `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub since: Wall,
    pub until: Wall,
}

/// The window that ended last, between two of these minutes of the day; midnight to midnight
/// without any.
pub fn last_cut_off(now: Wall, zone: &str, cut_offs: &[u16]) -> Window {
    let zone = super::zone(zone);
    let now = zoned(now, &zone);
    let minutes = if cut_offs.is_empty() { &[0][..] } else { cut_offs };
    let mut cuts: Vec<Wall> = Vec::new();
    for days in 0..=2_i64 {
        let Ok(date) = now.date().checked_sub(days.days()) else { continue };
        for minute in minutes {
            let time = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
            if let Ok(at) = zone.to_ambiguous_zoned(time).compatible() {
                cuts.push(wall(&at));
            }
        }
    }
    let now = wall(&now);
    cuts.retain(|cut| *cut <= now);
    cuts.sort_unstable();
    let until = cuts.pop().unwrap_or(now);
    Window { since: cuts.pop().unwrap_or(until), until }
}

/// The shift that is to be handed over, and its time: of those that are on, the one that ends
/// first; where none is, the one that ended last.
pub fn shift_to_hand_over(roster: &RosterSettings, now: Wall) -> Option<(String, Window)> {
    let turns = Calendar::new(roster).between(Wall(now.0 - DAY), Wall(now.0 + 1));
    let on = turns.iter().filter(|turn| turn.starts <= now && now < turn.ends);
    let over = turns.iter().filter(|turn| turn.ends <= now);
    let turn = on.min_by_key(|turn| turn.ends).or(over.max_by_key(|turn| turn.ends))?;
    let shift = roster.shifts.get(turn.shift)?;
    Some((shift.name.clone(), Window { since: turn.starts, until: turn.ends.min(now) }))
}

/// The midnight on which the day began that ends, or is, at `until`.
pub fn midnight(until: Wall, zone: &TimeZone) -> Wall {
    let last = zoned(Wall(until.0 - 1), zone);
    last.start_of_day().map_or(until, |start| wall(&start))
}

fn zoned(at: Wall, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(at.0).unwrap_or_default().to_zoned(zone.clone())
}

fn wall(at: &Zoned) -> Wall {
    Wall(at.timestamp().as_microsecond())
}
