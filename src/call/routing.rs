//! What a dialled number means, and who is calling: headers to a line and an arrival.

use super::{Arrival, Direction, Line, Settings};
use crate::base::number::e164;
use crate::base::text::clean;
use crate::base::{Now, Rng};
use crate::sip::{Invited, Party, Source};

/// Characters of a number or name that are kept.
const KEPT: usize = 64;

/// The line that the call is for, if the dialled number belongs to one. Carriers put the number
/// into the Request-URI, P-Called-Party-ID or To; the first that is known counts.
pub fn line<'a>(settings: &'a Settings, invited: &Invited) -> Option<&'a Line> {
    let called = invited.called.as_ref();
    [Some(&invited.target), called, Some(&invited.to)]
        .into_iter()
        .flatten()
        .find_map(|party| settings.lines.iter().find(|line| is_for(line, party, settings)))
}

fn is_for(line: &Line, party: &Party, settings: &Settings) -> bool {
    let dialled = e164(&party.user, &settings.plan);
    line.numbers.iter().any(|number| {
        *number == party.user || dialled.is_some() && e164(number, &settings.plan) == dialled
    })
}

/// The facts of an arrival. Nothing here can refuse a caller: an odd number is kept as it came.
pub fn arrival(
    settings: &Settings,
    invited: &Invited,
    line: Option<&Line>,
    now: Now,
    rng: &mut Rng,
) -> Arrival {
    let asserted = invited.asserted.as_ref().filter(|_| trunk(invited).is_some());
    let caller = asserted.unwrap_or(&invited.from);
    let raw = clean(&caller.user, KEPT);
    let number = if invited.private { None } else { e164(&raw, &settings.plan) };
    Arrival {
        id: ulid(now, rng),
        direction: match invited.source {
            Source::Trunk(_) => Direction::In,
            Source::User(_) => Direction::Internal,
        },
        line: line.map_or(String::new(), |line| line.name.clone()),
        trunk: trunk(invited),
        user: match &invited.source {
            Source::Trunk(_) => None,
            Source::User(user) => Some(user.clone()),
        },
        caller: number.unwrap_or_default(),
        caller_raw: raw,
        dialled: clean(&invited.target.user, KEPT),
    }
}

/// Who the agent's phone shows: the caller as they came, or nobody where they are withheld.
pub fn shown(invited: &Invited, host: &str) -> Party {
    let host = host.to_string();
    if invited.private {
        return Party { user: "anonymous".into(), host, display: String::new() };
    }
    let asserted = invited.asserted.as_ref().filter(|_| trunk(invited).is_some());
    let caller = asserted.unwrap_or(&invited.from);
    let user = clean(&caller.user, KEPT);
    Party {
        user: if user.is_empty() { "anonymous".into() } else { user },
        host,
        display: clean(&caller.display, KEPT),
    }
}

fn trunk(invited: &Invited) -> Option<crate::base::TrunkId> {
    match invited.source {
        Source::Trunk(trunk) => Some(trunk),
        Source::User(_) => None,
    }
}

/// A ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so that ids sort by
/// time of arrival.
fn ulid(now: Now, rng: &mut Rng) -> String {
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
