//! What is wrong in a configuration, where it stands, and what to write instead.

use super::tree::Table;
use std::fmt;

/// One mistake. Printed, it is one line: `helpline.toml:42: what is wrong; what to write instead`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    pub what: String,
    pub instead: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.what, self.instead)
    }
}

/// Where something stands: the number of the file, the line and the column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: usize,
    pub line: u32,
    pub column: u32,
}

/// A value that cannot be: what it is not, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub what: String,
    pub instead: String,
}

/// Keys whose values are never repeated in advice.
pub const SECRETS: [&str; 3] = ["secret", "pin", "password"];

pub fn wrong<T>(what: impl Into<String>, instead: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), instead: instead.into() })
}

/// All the mistakes so far. Reading goes on after each of them.
#[derive(Default)]
pub struct Log {
    files: Vec<String>,
    found: Vec<(Place, Wrong)>,
    warned: Vec<(Place, Wrong)>,
    /// Lines that could not be read at all. What stood on them is missing through no other fault.
    damage: Vec<Place>,
    /// A header was among them: some table is not known at all.
    lost: bool,
}

impl Log {
    pub fn new(files: Vec<String>) -> Self {
        Self { files, ..Self::default() }
    }

    pub fn add(&mut self, place: Place, what: impl Into<String>, instead: impl Into<String>) {
        self.found.push((place, Wrong { what: what.into(), instead: instead.into() }));
    }

    /// What is allowed, and may still be a slip.
    pub fn warn(&mut self, place: Place, what: impl Into<String>, instead: impl Into<String>) {
        self.warned.push((place, Wrong { what: what.into(), instead: instead.into() }));
    }

    pub fn unreadable(&mut self, place: Place, what: String, instead: String, header: bool) {
        self.damage.push(place);
        self.lost |= header;
        self.add(place, what, instead);
    }

    /// Whether a line between these two, the second excluded, could not be read.
    pub fn damaged(&self, from: Place, until: u32) -> bool {
        self.damage.iter().any(|p| p.file == from.file && (from.line..until).contains(&p.line))
    }

    /// Whether one of these tables, or a whole table, may hold what could not be read.
    pub fn unsure(&self, tables: &[&Table]) -> bool {
        self.lost || tables.iter().any(|table| self.damaged(table.place, table.end))
    }

    /// `helpline.toml:42`, for a mistake that has two ends.
    pub fn name(&self, place: Place) -> String {
        format!("{}:{}", self.files.get(place.file).map_or("", |name| name), place.line)
    }

    /// Every mistake, and every warning, in the order of the text; the same on the same line once.
    pub fn finish(self) -> (Vec<Mistake>, Vec<Mistake>) {
        (named(&self.files, self.found), named(&self.files, self.warned))
    }
}

fn named(files: &[String], mut found: Vec<(Place, Wrong)>) -> Vec<Mistake> {
    found.sort_by_key(|(place, _)| *place);
    let named = found.into_iter().map(|(place, wrong)| Mistake {
        file: files.get(place.file).cloned().unwrap_or_default(),
        line: place.line,
        column: place.column,
        what: wrong.what,
        instead: wrong.instead,
    });
    let mut mistakes: Vec<Mistake> = named.collect();
    mistakes.dedup();
    mistakes
}

/// The known word that was most likely meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, or what there is to choose from.
pub fn choose(word: &str, known: &[&str], kind: &str) -> String {
    if let Some(candidate) = nearest(word, known.iter().copied()) {
        return format!("did you mean \"{candidate}\"?");
    }
    match known {
        [] => format!("there are no {kind} yet"),
        _ if known.len() <= 16 => format!("the {kind} are {}", known.join(", ")),
        _ => format!("the {kind} are {}, …", known[..12].join(", ")),
    }
}

/// Edits that make `a` into `b`: a letter put in, left out, replaced, or swapped with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let same = usize::from(a[i - 1] != b[j - 1]);
                    let plain = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let best = plain.min(rows[i - 1][j - 1] + same);
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["general", "health", "women"];
        assert_eq!(nearest("generel", known), Some("general"));
        assert_eq!(nearest("Genearl", known), Some("general"));
        assert_eq!(nearest("ration", known), None);
        assert_eq!(nearest("सीम", ["सीमा"]), Some("सीमा"));
    }
}
