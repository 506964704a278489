//! Officers, units, hospitals, doctors and field workers with their numbers, and in which order
//! they are called: `dir:ALI/RRT/1`.
//!
//! In: the text of a CSV file. Out: the rows that are right, the others one by one with their
//! reason; and who to call. Opens no file. May import: base.

mod csv;

use super::{District, Settings};
use crate::base::number::{self, Plan};
use crate::base::{limits, text};
use csv::Rows;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: [&str; 8] =
    ["kind", "district", "name", "number", "priority", "valid_from", "valid_to", "code"];
/// The first five have to be there.
const NEEDED: usize = 5;
const NAME_CHARS_MAX: usize = 64;
/// A number that failed so often in a row is stale.
const STALE_AFTER: u32 = 3;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    pub entries: Vec<Entry>,
    /// Not more than are shown; `refused_count` is all of them.
    pub refused: Vec<Refused>,
    pub refused_count: usize,
    /// Files of which nothing could be taken in: they are not there, not text, or have no head.
    pub away: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// In small letters: `rrt`, `hospital`, `doctor`.
    pub kind: String,
    /// The district's name, where it is one of the configuration; else as it is written.
    pub district: String,
    /// NFC.
    pub name: String,
    /// E.164 or a short code.
    pub number: String,
    /// 1 is called first.
    pub priority: u32,
    pub valid_from: Option<Date>,
    /// The last day.
    pub valid_to: Option<Date>,
    /// The digits by which agents dial it; empty where there are none.
    pub code: String,
    /// Where it is written.
    pub file: String,
}

/// A row that is not in force, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub file: String,
    /// From 1.
    pub line: usize,
    pub why: String,
}

impl Directory {
    /// Takes in a file. Its good rows are in force whatever the others are.
    pub fn read(&mut self, file: &str, csv: &str, settings: &Settings) {
        let csv = csv.strip_prefix('\u{feff}').unwrap_or(csv);
        let mut rows = Rows::of(csv);
        let head = rows.next().map_or(Err("the file is empty".into()), |(_, head)| head);
        let (head, columns) = match head.and_then(|head| Ok((head.len(), columns(&head)?))) {
            Ok(known) => known,
            Err(why) => return self.refuse_file(file, 1, why),
        };
        rows.wanted = head;
        let mut seen: BTreeMap<(String, String, String), usize> = self
            .entries
            .iter()
            .map(|e| ((e.kind.clone(), e.district.clone(), e.number.clone()), 0))
            .collect();
        let mut codes: BTreeMap<String, usize> =
            self.entries.iter().map(|entry| (entry.code.clone(), 0)).collect();
        for (line, cells) in rows {
            let entry = match &cells {
                Ok(cells) if cells.iter().all(|cell| cell.trim().is_empty()) => continue,
                Ok(cells) => Row { file, cells, columns: &columns, wanted: head }.entry(settings),
                Err(why) => Err(why.clone()),
            };
            match entry {
                Ok(entry) if self.entries.len() < limits::DIRECTORY_MAX => {
                    let code = (!entry.code.is_empty()).then(|| entry.code.clone());
                    let taken = code.as_ref().filter(|code| codes.contains_key(*code));
                    let key = (entry.kind.clone(), entry.district.clone(), entry.number.clone());
                    let twin = seen.get(&key).map(|first| (entry.number.clone(), *first));
                    let twin =
                        twin.or_else(|| taken.map(|code| (format!("code {code}"), codes[code])));
                    if let Some((what, first)) = twin {
                        let at = match first {
                            0 => "in another file".into(),
                            first => format!("on line {first}"),
                        };
                        self.refuse(file, line, format!("{what} is already {at}"));
                        continue;
                    }
                    seen.insert(key, line);
                    codes.extend(code.map(|code| (code, line)));
                    self.entries.push(entry);
                }
                Ok(_) => {
                    let why = format!("more than {} entries", limits::DIRECTORY_MAX);
                    self.refuse(file, line, why);
                }
                Err(why) => self.refuse(file, line, why),
            }
        }
        self.sort();
    }

    /// A file of which nothing can be taken in keeps what it had: its entries of `before` stay in
    /// force, but for those that another file has meanwhile.
    pub fn keep_of(&mut self, before: &Directory) {
        for file in self.away.clone() {
            let taken: BTreeSet<_> = self.entries.iter().map(Entry::key).collect();
            let codes: BTreeSet<&str> = self.entries.iter().map(|e| e.code.as_str()).collect();
            let is_free = |old: &&Entry| {
                let code = old.code.as_str();
                !taken.contains(&old.key()) && (code.is_empty() || !codes.contains(code))
            };
            let old: Vec<Entry> = (before.entries.iter())
                .filter(|old| old.file == file)
                .filter(is_free)
                .take(limits::DIRECTORY_MAX.saturating_sub(self.entries.len()))
                .cloned()
                .collect();
            if let Some(row) = self.refused.iter_mut().find(|row| row.file == file)
                && !old.is_empty()
            {
                row.why += &format!("; what it had stays in force, {} in all", old.len());
            }
            self.entries.extend(old);
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| {
            (&a.district, &a.kind, a.priority, &a.name).cmp(&(
                &b.district,
                &b.kind,
                b.priority,
                &b.name,
            ))
        });
    }

    /// Nothing of this file can be taken in.
    pub fn refuse_file(&mut self, file: &str, line: usize, why: String) {
        self.away.push(file.into());
        self.refuse(file, line, why);
    }

    pub fn refuse(&mut self, file: &str, line: usize, why: String) {
        self.refused_count += 1;
        if self.refused.len() < limits::DIRECTORY_REFUSED_MAX {
            self.refused.push(Refused { file: file.into(), line, why });
        }
    }

    /// Who is called for `ALI/RRT/1` or `alirajpur/rrt`, with or without `dir:`: the first, and
    /// whoever comes after, in order. The district may be written by its code.
    pub fn hunt(
        &self,
        address: &str,
        districts: &[District],
        today: Date,
    ) -> Result<Vec<&Entry>, String> {
        let parts: Vec<&str> = address.strip_prefix("dir:").unwrap_or(address).split('/').collect();
        let (district, kind, first) = match parts[..] {
            [district, kind] => (district, kind, 1),
            [district, kind, nth] => match nth.parse::<usize>() {
                Ok(nth) if nth > 0 => (district, kind, nth),
                _ => return Err(format!("\"{nth}\" is no place in a list: write 1, 2, …")),
            },
            _ => return Err("write DISTRICT/KIND or DISTRICT/KIND/1, such as ALI/RRT/1".into()),
        };
        let district = district_name(district, districts).unwrap_or_else(|| plain(district));
        let kind = plain(kind).to_lowercase();
        let list: Vec<&Entry> = (self.entries.iter())
            .filter(|entry| same(&entry.district, &district) && entry.kind == kind)
            .filter(|entry| entry.is_valid(today))
            .collect();
        match list.len() {
            0 => Err(format!("nobody is listed as {kind} in {district}: see `pukar directory`")),
            n if n < first => Err(format!("{district} has {n} of {kind}")),
            _ => Ok(list[first - 1..].to_vec()),
        }
    }
}

impl Directory {
    /// Who is called for a short code: its entry, and whoever comes after it in the same list.
    pub fn coded(&self, code: &str, today: Date) -> Vec<&Entry> {
        let is = |entry: &&Entry| entry.code == code && entry.is_valid(today);
        let Some(first) = self.entries.iter().find(is).filter(|_| !code.is_empty()) else {
            return Vec::new();
        };
        let after = self.entries.iter().skip_while(|entry| *entry != first);
        let same = |entry: &&Entry| entry.kind == first.kind && entry.district == first.district;
        after.take_while(same).filter(|entry| entry.is_valid(today)).collect()
    }
}

impl Entry {
    /// No two have the same.
    fn key(&self) -> (&str, &str, &str) {
        (&self.kind, &self.district, &self.number)
    }

    pub fn is_valid(&self, today: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= today)
            && self.valid_to.is_none_or(|to| today <= to)
    }
}

/// How often each number has failed in a row: a fold over what was rung.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    in_a_row: BTreeMap<String, u32>,
}

impl Failures {
    pub fn note(&mut self, number: &str, reached: bool) {
        if reached {
            self.in_a_row.remove(number);
        } else if self.in_a_row.len() < limits::DIRECTORY_MAX || self.in_a_row.contains_key(number)
        {
            *self.in_a_row.entry(number.into()).or_default() += 1;
        }
    }

    pub fn of(&self, number: &str) -> u32 {
        self.in_a_row.get(number).copied().unwrap_or_default()
    }

    pub fn is_stale(&self, number: &str) -> bool {
        self.of(number) >= STALE_AFTER
    }
}

/// Where each of [`COLUMNS`] is in the file.
fn columns(head: &[String]) -> Result<[Option<usize>; 8], String> {
    let named = |name: &&str| head.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
    let found = COLUMNS.each_ref().map(named);
    let missing: Vec<&str> = (COLUMNS.iter().zip(&found).take(NEEDED))
        .filter(|(_, at)| at.is_none())
        .map(|(name, _)| *name)
        .collect();
    match missing.is_empty() {
        true => Ok(found),
        false => {
            Err(format!("the first row has no {}; write {}", missing.join(", "), COLUMNS.join(",")))
        }
    }
}

struct Row<'a> {
    file: &'a str,
    cells: &'a [String],
    columns: &'a [Option<usize>; 8],
    wanted: usize,
}

impl Row<'_> {
    fn entry(&self, settings: &Settings) -> Result<Entry, String> {
        if self.cells.len() != self.wanted {
            let (are, wanted) = (self.cells.len(), self.wanted);
            return Err(format!("{are} cells instead of {wanted}"));
        }
        let name = plain(self.cell(2));
        if name.chars().count() > NAME_CHARS_MAX {
            return Err(format!("the name is longer than {NAME_CHARS_MAX} characters"));
        }
        Ok(Entry {
            kind: self.needed(0)?.to_lowercase(),
            district: district(&self.needed(1)?, settings)?,
            name: self.needed(2).map(|_| name)?,
            number: number(self.cell(3), &settings.plan)?,
            priority: priority(self.cell(4))?,
            valid_from: self.date(5)?,
            valid_to: self.date(6)?,
            code: self.code()?,
            file: self.file.into(),
        })
        .and_then(|entry| match (entry.valid_from, entry.valid_to) {
            (Some(from), Some(to)) if to < from => {
                Err(format!("valid_to {to} is before valid_from {from}"))
            }
            _ => Ok(entry),
        })
    }

    fn cell(&self, column: usize) -> &str {
        self.columns[column].and_then(|at| self.cells.get(at)).map_or("", |cell| cell.trim())
    }

    fn needed(&self, column: usize) -> Result<String, String> {
        let cell = plain(self.cell(column));
        let why = || format!("{} is empty", COLUMNS[column]);
        (!cell.is_empty()).then_some(cell).ok_or_else(why)
    }

    fn code(&self) -> Result<String, String> {
        let cell = self.cell(7);
        match cell.len() <= 8 && cell.bytes().all(|b| b.is_ascii_digit()) {
            true => Ok(cell.into()),
            false => Err(format!("code \"{cell}\" is not of up to 8 digits")),
        }
    }

    fn date(&self, column: usize) -> Result<Option<Date>, String> {
        let cell = self.cell(column);
        let why = |_| format!("{} \"{cell}\" is no date such as 2026-11-25", COLUMNS[column]);
        if cell.is_empty() { Ok(None) } else { cell.parse().map(Some).map_err(why) }
    }
}

fn number(raw: &str, plan: &Plan) -> Result<String, String> {
    let one = number::dialled(raw, plan);
    match one.starts_with('+') || number::is_short(&one) {
        true => Ok(one),
        false if raw.is_empty() => Err("number is empty".into()),
        false => Err(format!("\"{raw}\" is no telephone number")),
    }
}

fn priority(raw: &str) -> Result<u32, String> {
    match raw.parse::<u32>() {
        Ok(priority) if priority > 0 => Ok(priority),
        _ if raw.is_empty() => Err("priority is empty".into()),
        _ => Err(format!("priority \"{raw}\" is no number from 1 on")),
    }
}

/// The district's name. Where the configuration has districts, it has to be one of them.
fn district(raw: &str, settings: &Settings) -> Result<String, String> {
    match district_name(raw, &settings.districts) {
        Some(name) => Ok(name),
        None if settings.districts.is_empty() => Ok(raw.into()),
        None => Err(format!("no district \"{raw}\" in the configuration")),
    }
}

fn district_name(raw: &str, districts: &[District]) -> Option<String> {
    let raw = plain(raw);
    let mut all = districts.iter();
    let is = |d: &&District| same(&d.name, &raw) || same(&d.code, &raw) || d.title == raw;
    all.find(is).map(|district| district.name.clone())
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// NFC, without what nobody sees: one name has one form, however it was typed.
fn plain(raw: &str) -> String {
    text::clean(raw.trim(), 4 * NAME_CHARS_MAX)
}

#[cfg(test)]
mod tests;
