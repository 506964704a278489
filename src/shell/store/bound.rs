//! How much may lie in the outbox. A store that is away for long keeps its rows there; before the
//! limit is reached whoever is on duty is told, and at the limit the store loses its oldest rows,
//! each named by its number, where another store has them. Rows that no store has are let go of
//! never: then nothing more is appended, and what comes waits in memory and in the journal.
//!
//! In: the outbox and the cursors of the stores. Out: room, or why there is none.

use super::columns::number_of;
use super::feeder::Shared;
use super::outbox::{self, Outbox};
use crate::core::Row;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The share of the limit from which on people are told, and below which all is well again.
const ALARM: (u64, u64) = (3, 4);
const WELL: (u64, u64) = (1, 2);

pub struct Bound {
    most: u64,
    told: Told,
}

/// What whoever is on duty knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Well,
    Filling,
    Full,
}

/// What becomes of the oldest segment.
pub enum Oldest {
    /// Some stores go on behind it: each with the rows it never got. None does where all had it.
    Skipped(Vec<(String, Vec<Row>)>),
    /// No store has taken all of it, so it stays.
    Wanted,
    /// There is only what is needed anyway.
    None,
}

impl Bound {
    pub fn new(most: u64) -> Self {
        Self { most, told: Told::Well }
    }

    /// Makes room, where there is too much. An error: nothing can be let go of, and nothing more
    /// may be appended.
    pub fn hold(&mut self, shared: &Shared, log: &Outbox) -> io::Result<()> {
        let dir = log.place();
        let mut size = outbox::size(dir)?;
        self.tell(shared, size);
        while size > self.most {
            match shared.skip_oldest()? {
                Oldest::Skipped(stores) => {
                    stores.iter().for_each(|(store, rows)| let_go(dir, store, rows));
                }
                Oldest::Wanted => {
                    let full = format!(
                        "{} MB wait there, which is the limit ([records] outbox), and no store \
                         takes them: mend one",
                        size >> 20
                    );
                    if self.told != Told::Full {
                        self.told = Told::Full;
                        shared.health().outbox(Some(&full));
                    }
                    return Err(io::Error::other(full));
                }
                Oldest::None => return Ok(()),
            }
            size = outbox::size(dir)?;
        }
        Ok(())
    }

    fn tell(&mut self, shared: &Shared, size: u64) {
        let is_over =
            |(share, of): (u64, u64)| size.saturating_mul(of) > self.most.saturating_mul(share);
        if self.told == Told::Well && is_over(ALARM) {
            self.told = Told::Filling;
            let trouble = format!(
                "{} of {} MB are full of rows for {}; at the limit its oldest are let go of, where \
                 another store has them",
                size >> 20,
                self.most >> 20,
                shared.furthest_behind()
            );
            tracing::error!("the outbox: {trouble}");
            shared.health().outbox(Some(&trouble));
        } else if self.told != Told::Well && !is_over(WELL) {
            self.told = Told::Well;
            shared.health().outbox(None);
        }
    }
}

/// Says which rows a store will never get from here, in the log and in a file beside the outbox.
fn let_go(dir: &Path, store: &str, rows: &[Row]) {
    let range = |calls: bool| {
        let of_kind = rows.iter().filter(|row| matches!(row, Row::Call(_)) == calls);
        let numbers: Vec<u64> = of_kind.map(number_of).collect();
        match (numbers.iter().min(), numbers.iter().max()) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => "none".into(),
        }
    };
    let what = format!("calls: {}; agents' states: {}", range(true), range(false));
    tracing::error!(
        store,
        "the outbox is full, and this store never gets its {} oldest rows there ({what}); another \
         store has them",
        rows.len()
    );
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(dir.join("let-go"));
    let noted = file.and_then(|mut file| writeln!(file, "{store}: {what}"));
    if let Err(error) = noted {
        tracing::error!("{}: that cannot be noted: {error}", dir.display());
    }
}
