//! From the configuration to stores that can be opened.

use super::{Csv, JsonLines, Nats, Opener, Place, Postgres, Sqlite, Webhook};
use crate::config::{Settings, Store};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Rows in one transaction.
const BATCH: usize = 1_000;
/// What a receiver of web requests is asked to take at once.
const BATCH_OF_WEBHOOK: usize = 200;

/// What the configuration asks for. `outbox`: the folder that the rows come from.
pub fn places(settings: &Settings, outbox: &Path) -> Result<Vec<Place>, String> {
    let origin = origin(outbox)
        .map_err(|e| format!("{}: the outbox of records cannot be used: {e}", outbox.display()))?;
    Ok(settings.stores.iter().map(|store| place(store, settings, &origin)).collect())
}

fn place(store: &Store, settings: &Settings, origin: &str) -> Place {
    let zone = settings.timezone.clone();
    let origin = origin.to_string();
    let batch = if matches!(store, Store::Webhook(_)) { BATCH_OF_WEBHOOK } else { BATCH };
    let open: Opener = match store.clone() {
        Store::Sqlite { path } => Box::new(move || Ok(Box::new(Sqlite::open(&path)?))),
        Store::JsonLines { path } => Box::new(move || Ok(Box::new(JsonLines::open(&path)?))),
        Store::Csv { folder } => Box::new(move || Ok(Box::new(Csv::open(&folder, &zone)?))),
        Store::Postgres(at) => Box::new(move || Ok(Box::new(Postgres::open(&at)?))),
        Store::Webhook(at) => Box::new(move || Ok(Box::new(Webhook::open(&at, &origin)?))),
        Store::Nats(at) => Box::new(move || Ok(Box::new(Nats::open(&at, &origin)?))),
    };
    Place { name: store.place(), batch, open }
}

/// `sqlite-data-records.db`: fit for a file name.
pub fn file_name(place: &str) -> String {
    let mut name = String::new();
    for letter in place.chars() {
        match letter.is_alphanumeric() || letter == '.' {
            true => name.push(letter),
            false if name.ends_with('-') => {}
            false => name.push('-'),
        }
    }
    name
}

/// Which outbox this is, among all that ever were: a word made by chance, once.
fn origin(outbox: &Path) -> io::Result<String> {
    let path = outbox.join("origin");
    if let Ok(known) = fs::read_to_string(&path)
        && !known.trim().is_empty()
    {
        return Ok(known.trim().into());
    }
    let mut octets = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut octets)?;
    let origin = format!("{:016x}", u64::from_be_bytes(octets));
    let written = fs::create_dir_all(outbox)
        .and_then(|()| fs::write(path.with_extension("new"), &origin))
        .and_then(|()| fs::rename(path.with_extension("new"), path));
    if let Err(error) = written {
        // A full disk; until the next start this one will do.
        tracing::warn!("{}: what rows are known by cannot be noted: {error}", outbox.display());
    }
    Ok(origin)
}
