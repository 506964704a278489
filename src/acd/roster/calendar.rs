//! The calendar of a roster: which shifts run at an instant, who is on them, what changes next.
//!
//! In: settings and wall time. Out: turns. A shift belongs to the day on which it starts, over
//! midnight too. Days are those of the switch's time zone, its summer time included.

use super::{Exception, Member, RosterSettings, Shift};
use crate::base::Wall;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

pub const DAY_MINUTES: u16 = 24 * 60;
const DAY_MICROS: i64 = 86_400_000_000;

/// A shift on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDay {
    /// Its place among the shifts.
    pub shift: usize,
    pub date: Date,
    pub starts: Wall,
    pub ends: Wall,
}

#[derive(Clone, Debug)]
pub struct Calendar<'a> {
    settings: &'a RosterSettings,
    zone: TimeZone,
}

impl<'a> Calendar<'a> {
    /// A zone that nobody knows is UTC; the configuration has been checked.
    pub fn new(settings: &'a RosterSettings) -> Self {
        let zone = TimeZoneDatabase::bundled().get(&settings.zone);
        Self { settings, zone: zone.unwrap_or(TimeZone::UTC) }
    }

    /// The shifts that run at some time in `[from, until)`, the earliest start first.
    pub fn between(&self, from: Wall, until: Wall) -> Vec<OnDay> {
        let mut found = Vec::new();
        let (Some(first), Some(last)) = (self.date(from), self.date(until)) else { return found };
        let mut date = first.yesterday().unwrap_or(first);
        loop {
            let holiday = self.settings.holidays.iter().find(|holiday| holiday.date == date);
            for (at, shift) in self.settings.shifts.iter().enumerate() {
                let exception = exception_on(shift, date);
                let named = holiday.map(|holiday| holiday.shifts.contains(&shift.name));
                let works = works(shift, date, exception, named);
                let turn = works.then(|| self.turn(at, shift, date)).flatten();
                found.extend(turn.filter(|turn| turn.starts < until && turn.ends > from));
            }
            date = match date.tomorrow() {
                Ok(next) if next <= last => next,
                Ok(_) | Err(_) => break,
            };
        }
        found.sort_by_key(|turn| (turn.starts, turn.shift));
        found
    }

    /// The shifts that run now.
    pub fn running(&self, now: Wall) -> Vec<OnDay> {
        self.between(now, Wall(now.0.saturating_add(1)))
    }

    /// When the next shift starts or ends, within eight days.
    pub fn next_change(&self, now: Wall) -> Option<Wall> {
        let turns = self.between(now, Wall(now.0.saturating_add(8 * DAY_MICROS)));
        turns.iter().flat_map(|turn| [turn.starts, turn.ends]).filter(|at| *at > now).min()
    }

    /// The turn of this shift that runs, or else the next one.
    pub fn turn_of(&self, shift: usize, now: Wall) -> Option<OnDay> {
        let turns = self.between(now, Wall(now.0.saturating_add(8 * DAY_MICROS)));
        turns.into_iter().find(|turn| turn.shift == shift)
    }

    /// Who is to come: the shift's own, less those who are absent, and those who come instead.
    pub fn members(&self, turn: &OnDay) -> Vec<&'a Member> {
        let Some(shift) = self.settings.shifts.get(turn.shift) else { return Vec::new() };
        members_on(shift, exception_on(shift, turn.date)).collect()
    }

    fn turn(&self, at: usize, shift: &Shift, date: Date) -> Option<OnDay> {
        let overnight = shift.until <= shift.from;
        let end = if overnight { date.tomorrow().ok()? } else { date };
        let starts = self.wall(date, shift.from)?;
        Some(OnDay { shift: at, date, starts, ends: self.wall(end, shift.until)? })
    }

    fn wall(&self, date: Date, minutes: u16) -> Option<Wall> {
        let (date, minutes) = match minutes {
            DAY_MINUTES => (date.tomorrow().ok()?, 0),
            _ => (date, minutes),
        };
        let time = date.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0);
        let zoned = self.zone.to_ambiguous_zoned(time).compatible().ok()?;
        Some(Wall(zoned.timestamp().as_microsecond()))
    }

    /// When this day begins and ends.
    pub fn day(&self, date: Date) -> Option<(Wall, Wall)> {
        Some((self.wall(date, 0)?, self.wall(date, DAY_MINUTES)?))
    }

    /// The day that it is.
    pub fn date(&self, at: Wall) -> Option<Date> {
        let at = Timestamp::from_microsecond(at.0).ok()?;
        Some(at.to_zoned(self.zone.clone()).date())
    }

    /// `14:00` of today, `Mon 06:00` of another day: as people on the roster say it.
    pub fn clock(&self, at: Wall) -> String {
        let Ok(stamp) = Timestamp::from_microsecond(at.0) else { return String::new() };
        stamp.to_zoned(self.zone.clone()).strftime("%a %d %b %H:%M").to_string()
    }
}

fn exception_on(shift: &Shift, date: Date) -> Option<&Exception> {
    shift.exceptions.iter().find(|exception| exception.date == date)
}

/// Who is to come on a day that may differ.
pub fn members_on<'a>(
    shift: &'a Shift,
    exception: Option<&'a Exception>,
) -> impl Iterator<Item = &'a Member> {
    let is_absent = move |member: &&Member| {
        exception.is_some_and(|exception| exception.absent.contains(&member.agent))
    };
    let own = shift.members.iter().filter(move |member| !is_absent(member));
    own.chain(exception.into_iter().flat_map(|exception| &exception.instead))
}

/// Whether a shift starts on that day. `named`: it is a holiday on which this shift works, or not.
pub fn works(
    shift: &Shift,
    date: Date,
    exception: Option<&Exception>,
    named: Option<bool>,
) -> bool {
    let weekday = date.weekday().to_monday_zero_offset() as usize;
    match (exception, named) {
        (Some(exception), _) if exception.off => false,
        // On a holiday too: its people are on another shift then, or have done their days.
        _ if shift.rota.as_ref().is_some_and(|rota| !rota.is_on(date)) => false,
        // Who comes on a holiday has been asked to.
        (_, Some(named)) => named,
        (_, None) => shift.days.get(weekday).copied().unwrap_or(false),
    }
}
