//! What a dialled number means, and who is calling: headers to a line and an arrival. Nothing here
//! can refuse a caller for their number: an odd one is kept as it came, and flagged.

use super::calls::Io;
use super::codes::{Act, Code};
use super::out::Refusal;
use super::peer::Told;
use super::{
    Arrival, CallerIn, Choices, DialledIn, Direction, District, Flag, Goal, Line, Numbering,
    Numbers, Settings,
};
use crate::base::number::{self, e164};
use crate::base::text::clean;
use crate::base::{Id, Now, Rng};
use crate::sip::{Invited, Party, Source};
use crate::wire::sip::Uri;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::VecDeque;

/// Characters of a number or name that are kept.
const KEPT: usize = 64;
/// What carriers and phones write in place of a withheld number.
const WITHHELD: [&str; 7] =
    ["anonymous", "withheld", "restricted", "private", "unavailable", "unknown", "nonumber"];

/// The settings, and how to find something in them without going through all of it.
#[derive(Clone, Copy)]
pub struct Book<'a> {
    pub settings: &'a Settings,
    pub numbers: &'a Numbers,
}

/// What was dialled, and the line that it is for.
pub struct Dialled<'a> {
    pub line: Option<&'a Line>,
    pub raw: String,
    number: String,
    /// No line has the number for this caller; another takes them.
    unknown: bool,
}

/// The line that the call is for. The number that was called first, where it is a line's own, says
/// more than the one that it was forwarded to; then the trunk's habit, or else the Request-URI,
/// P-Called-Party-ID and To: the first that is known counts.
pub fn dialled<'a>(book: Book<'a>, invited: &Invited) -> Dialled<'a> {
    let settings = book.settings;
    let (target, called, to) = (Some(&invited.target), invited.called.as_ref(), Some(&invited.to));
    let asked = match numbering(settings, invited).dialled {
        DialledIn::Any => [target, called, to],
        DialledIn::RequestUri => [target, None, None],
        DialledIn::To => [to, None, None],
        // Where the carrier left it out, the call is not lost.
        DialledIn::PCalledPartyId => [called.or(target), None, None],
    };
    let forwarded = invited.diverted.as_ref().filter(|_| trunk(invited).is_some());
    let known = std::iter::once(forwarded).chain(asked).flatten().find_map(|party| {
        let raw = clean(&party.user, KEPT);
        let number = canonical(book, &raw);
        let line = settings.lines.get(book.numbers.line(settings, &number)?)?;
        let of_codes = || line_of_codes(settings, invited, line);
        let shown = if line.goal == Goal::Codes { of_codes() } else { Some(line) };
        // To a stranger the number of a line of codes is none of ours.
        let unknown = shown.is_some_and(|shown| shown.name != line.name);
        Some(Dialled { line: shown, raw, number, unknown })
    });
    if let Some(known) = known {
        return known;
    }
    let first = asked.into_iter().flatten().next().unwrap_or(&invited.target);
    let default = settings.default_line.filter(|_| trunk(invited).is_some());
    let line = default.and_then(|at| settings.lines.get(at));
    let raw = clean(&first.user, KEPT);
    let number = canonical(book, &raw);
    Dialled { line, raw, number, unknown: line.is_some() }
}

/// A line of codes is one to agents at home alone. A stranger from outside who calls it is a caller
/// all the same, even where no line is the default one; a phone of ours has no need of it.
fn line_of_codes<'s>(
    settings: &'s Settings,
    invited: &Invited,
    line: &'s Line,
) -> Option<&'s Line> {
    trunk(invited)?;
    let raw = clean(&caller(settings, invited).user, KEPT);
    let number = e164(&raw, &settings.plan).filter(|_| !invited.private);
    match number.and_then(|number| settings.at_home(&number)) {
        Some(_) => Some(line),
        None => {
            let default = settings.default_line.and_then(|at| settings.lines.get(at));
            let all = default.into_iter().chain(&settings.lines);
            all.into_iter().find(|line| line.goal.queue().is_some())
        }
    }
}

/// The one form of a dialled number. A district's short code may have lost its 0 on the way; it is
/// put back where the number means nothing else.
fn canonical(Book { settings, numbers }: Book, raw: &str) -> String {
    let number = number::dialled(raw, &settings.plan);
    let known = |number: &str| numbers.line(settings, number).is_some();
    if settings.districts.is_empty() || known(&number) {
        return number;
    }
    let spelled = format!("0{raw}");
    match numbers.district_dialled(settings, &spelled) {
        Some((_, code)) if number::is_short(code) && known(&spelled) => spelled,
        Some(_) | None => number,
    }
}

/// The facts of an arrival.
pub fn arrival(
    book: Book,
    invited: &Invited,
    dialled: &Dialled,
    choices: &Choices,
    now: Now,
    rng: &mut Rng,
) -> Arrival {
    let settings = book.settings;
    let raw = clean(&caller(settings, invited).user, KEPT);
    let number = e164(&raw, &settings.plan).filter(|_| !invited.private).unwrap_or_default();
    let plain = |user: &str| number::dialled(&clean(user, KEPT), &settings.plan);
    let forwarded = invited.diverted.as_ref().filter(|_| trunk(invited).is_some());
    let code = code(settings, invited).map(|code| settings.codes.public(code.act).to_string());
    let (one_form, keyed) = match code {
        // What is keyed in behind a code may be a pin.
        Some(public) => (public.clone(), public),
        None => (dialled.number.clone(), dialled.raw.clone()),
    };
    let mut arrival = Arrival {
        id: ulid(now, rng),
        direction: match invited.source {
            Source::Trunk(_) => Direction::In,
            Source::User(_) => Direction::Internal,
        },
        line: dialled.line.map_or(String::new(), |line| line.name.clone()),
        trunk: trunk(invited),
        user: match &invited.source {
            Source::Trunk(_) => None,
            Source::User(user) => Some(user.clone()),
        },
        agent: String::new(),
        caller: number,
        caller_raw: raw,
        dialled: one_form,
        dialled_raw: keyed,
        forwarded_by: forwarded.map_or(String::new(), |party| plain(&party.user)),
        district: String::new(),
        parent: String::new(),
        flags: Vec::new(),
    };
    arrival.district = district(book, dialled, &arrival, choices);
    if let Some(told) = Told::by(settings, invited) {
        arrival.parent = told.call;
        if settings.district(&told.district).is_some() {
            arrival.district = told.district;
        }
        if arrival.forwarded_by.is_empty() && told.dialled != arrival.dialled {
            arrival.forwarded_by = told.dialled;
        }
    }
    arrival.flags = flags(invited, dialled, &arrival);
    arrival
}

/// The feature code that a phone of ours dialled, where no line has it as a number.
pub fn code(settings: &Settings, invited: &Invited) -> Option<Code> {
    match invited.source {
        Source::User(_) => settings.codes.read(&invited.target.user),
        Source::Trunk(_) => None,
    }
}

/// What a phone of ours wants dialled outside: a number, or the numbers of a list of the directory,
/// in order.
pub fn numbers(io: &Io, invited: &Invited) -> Result<VecDeque<String>, Refusal> {
    let (settings, dialled) = (io.settings, invited.target.user.as_str());
    let today = || today(&settings.zone, io.cx.now);
    let listed = match settings.codes.read(dialled) {
        Some(Code { act: Act::Directory, rest }) => settings.directory.coded(&rest, today()),
        Some(_) => return Err(Refusal::NoNumber),
        // In a SIP URI `dir:` is a user with a password, so that it is left out or escaped.
        None if dialled.contains('/') => {
            settings.directory.hunt(dialled, &settings.districts, today()).unwrap_or_default()
        }
        None => return Ok(VecDeque::from([dialled.to_string()])),
    };
    match listed.is_empty() {
        true => Err(Refusal::NoNumber),
        false => Ok(listed.iter().map(|entry| entry.number.clone()).collect()),
    }
}

/// The day that it is where the switch is.
fn today(zone: &str, now: Now) -> Date {
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap_or(TimeZone::UTC);
    let at = Timestamp::from_microsecond(now.wall.0).unwrap_or_default();
    at.to_zoned(zone).date()
}

/// From the line, the STD code that was dialled, the one of the caller's fixed line, or what the
/// caller chose before. A phone of ours is in no district.
fn district(book: Book, dialled: &Dialled, arrival: &Arrival, choices: &Choices) -> String {
    let Book { settings, numbers } = book;
    if arrival.trunk.is_none() || settings.districts.is_empty() {
        return String::new();
    }
    let own = dialled.line.map_or("", |line| line.district.as_str());
    let named = |name: &str| numbers.district(settings, name);
    let found = named(own)
        .or_else(|| dialled_district(book, arrival))
        .or_else(|| numbers.district_of_caller(settings, &arrival.caller))
        .or_else(|| choices.of(&arrival.caller).and_then(named));
    found.map_or(String::new(), |district| district.name.clone())
}

/// The district of `0<STD>181`. A whole number of an area says nothing of its callers: the state's
/// own number is in the capital.
fn dialled_district<'s>(book: Book<'s>, arrival: &Arrival) -> Option<&'s District> {
    let (district, code) = book.numbers.district_dialled(book.settings, &arrival.dialled)?;
    number::is_short(code).then_some(district)
}

/// Whether the caller chose the district by dialling its STD code.
pub fn names_district(book: Book, arrival: &Arrival) -> bool {
    arrival.trunk.is_some() && dialled_district(book, arrival).is_some()
}

fn flags(invited: &Invited, dialled: &Dialled, arrival: &Arrival) -> Vec<Flag> {
    let raw = arrival.caller_raw.trim();
    let word: String = raw.chars().filter(char::is_ascii_alphabetic).collect();
    let withheld = invited.private
        || WITHHELD.contains(&word.to_ascii_lowercase().as_str())
        || invited.from.host == "anonymous.invalid" && arrival.caller.is_empty();
    let caller = match () {
        () if arrival.trunk.is_none() => None,
        () if withheld => Some(Flag::CallerWithheld),
        () if raw.is_empty() => Some(Flag::CallerMissing),
        () if arrival.caller.is_empty() && !number::is_short(raw) => Some(Flag::CallerOdd),
        () => None,
    };
    let unknown = dialled.unknown.then_some(Flag::UnknownNumber);
    let forwarded = (!arrival.forwarded_by.is_empty()).then_some(Flag::Forwarded);
    caller.into_iter().chain(unknown).chain(forwarded).collect()
}

/// The telephone number that a SIP URI rings, if it rings one.
pub fn number_of(settings: &Settings, uri: &str) -> Option<String> {
    let user = Uri::parse(uri)?.user_text().into_owned();
    let number = number::dialled(&user, &settings.plan);
    (number.starts_with('+') || number::is_short(&number)).then_some(number)
}

fn numbering(settings: &Settings, invited: &Invited) -> Numbering {
    let own = trunk(invited).and_then(|trunk| settings.trunks.get(trunk.slot() as usize));
    own.copied().unwrap_or_default()
}

fn caller<'i>(settings: &Settings, invited: &'i Invited) -> &'i Party {
    let asserted = invited.asserted.as_ref().filter(|_| trunk(invited).is_some());
    match numbering(settings, invited).caller {
        CallerIn::Asserted => asserted.unwrap_or(&invited.from),
        CallerIn::From => &invited.from,
    }
}

/// Who the agent's phone shows: the caller as they came, or nobody where they are withheld.
pub fn shown(settings: &Settings, invited: &Invited, host: &str) -> Party {
    let host = host.to_string();
    if invited.private {
        return Party { user: "anonymous".into(), host, display: String::new() };
    }
    let caller = caller(settings, invited);
    let user = clean(&caller.user, KEPT);
    Party {
        user: if user.is_empty() { "anonymous".into() } else { user },
        host,
        display: clean(&caller.display, KEPT),
    }
}

pub(super) fn trunk(invited: &Invited) -> Option<crate::base::TrunkId> {
    match invited.source {
        Source::Trunk(trunk) => Some(trunk),
        Source::User(_) => None,
    }
}

/// A ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so that ids sort by
/// time of arrival.
pub fn ulid(now: Now, rng: &mut Rng) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let millis = now.wall.millis().max(0) as u128;
    let random = u128::from(rng.bits()) << 16 | u128::from(rng.below(1 << 16));
    let value = millis << 80 | random;
    (0..26).rev().map(|digit| char::from(DIGITS[(value >> (5 * digit)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Wall;

    #[test]
    fn ids_sort_by_time() {
        let mut rng = Rng::new(1);
        let at = |ms: i64| Now { wall: Wall(ms * 1_000), ..Now::default() };
        let early = ulid(at(1_600_000_000_000), &mut rng);
        let late = ulid(at(1_600_000_000_001), &mut rng);
        assert!(early < late && early.len() == 26, "{early} {late}");
    }
}
