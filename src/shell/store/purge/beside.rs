//! What else in the data folder has callers' numbers in it: the outbox and the access log are
//! purged as stores are, the journal goes by itself. The proof of all is in `purges.jsonl` there.

use super::{Purged, Rules, audit, outbox};
use crate::shell::journal;
use crate::shell::store::proof;
use crate::shell::store::turn::{Turn, belongs_as};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io;
use std::path::Path;
use std::time::Duration;

pub fn purge(rules: &Rules) -> Vec<Purged> {
    let data = &rules.settings.data;
    let parts = [("outbox", outbox::purge as Part), ("audit", audit::purge as Part)];
    let mut done = Vec::new();
    for (name, part) in parts {
        let folder = data.join(name);
        let place = folder.display().to_string();
        if !folder.is_dir() || !rules.wants(&place) {
            continue;
        }
        let mut purged = rules.none(place);
        let part = alone(data, rules).and_then(|_alone| part(&folder, rules, &mut purged));
        if let Err(why) = part {
            purged = purged.failed(&why.to_string());
        }
        done.push(purged);
    }
    done.extend(journals(&data.join("journal"), rules));
    done
}

type Part = fn(&Path, &Rules, &mut Purged) -> io::Result<()>;

/// Beside no other purge. `None`: it is only counted.
fn alone(data: &Path, rules: &Rules) -> io::Result<Option<Turn>> {
    if rules.wish.dry_run {
        return Ok(None);
    }
    let lock = data.join("purges.lock");
    let turn = Turn::take(&lock, Duration::ZERO).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other("another purge is at work there"),
        _ => error,
    })?;
    belongs_as(&lock, &proof::made_by_the_switch(data))?;
    Ok(Some(turn))
}

/// The journal and what was put aside of it: the switch removes them itself.
fn journals(own: &Path, rules: &Rules) -> Vec<Purged> {
    let why = match rules.settings.journal.days {
        Some(days) => format!("the switch removes it after {days} days ([journal] keep_days)"),
        None => "write keep_days into [journal] to have the switch remove it by its age".into(),
    };
    let folders = std::iter::once(own.to_path_buf()).chain(journal::asides(own));
    let known = folders.filter_map(|folder| Some((oldest(&folder)?, folder.display().to_string())));
    let known = known.filter(|(_, name)| rules.wants(name));
    let left = known.map(|(day, name)| {
        rules.none(name).left(&format!("it holds callers' numbers since {day}; {why}"))
    });
    left.collect()
}

fn oldest(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let times = files.filter_map(|file| file.metadata().ok().filter(|about| about.is_file()));
    let oldest = times.filter_map(|about| about.modified().ok()).min()?;
    let moment = Timestamp::try_from(oldest).ok()?;
    Some(moment.to_zoned(TimeZone::UTC).date().to_string())
}
