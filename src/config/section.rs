//! One table of the configuration, read key by key. What a key may hold is said where it is read;
//! whatever nobody asked for is an unknown key.

use super::mistake::{Log, Place, SECRETS, Wrong, choose};
use super::tree::{Node, Table, Value};
use super::value;
use std::ops::RangeInclusive;
use std::time::Duration;

pub struct Section<'a, 'l> {
    table: &'a Table,
    /// As written: `[sip]`, `[[queue]]`.
    name: String,
    known: Vec<&'static str>,
    pub log: &'l mut Log,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub it: T,
    pub place: Place,
}

impl<'a, 'l> Section<'a, 'l> {
    pub fn new(table: &'a Table, name: impl Into<String>, log: &'l mut Log) -> Self {
        Self { table, name: name.into(), known: Vec::new(), log }
    }

    /// Whether the key stands here, whatever it holds.
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.table.entries.get(key).map(|(_, node)| node)
    }

    /// Where the value of this key stands, or the section where it does not.
    pub fn place_of(&self, key: &str) -> Place {
        self.table.entries.get(key).map_or(self.table.place, |(_, node)| node.place)
    }

    /// Text that is not empty, read by `read`.
    pub fn text<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<At<T>> {
        let node = self.node(key)?;
        self.one(key, node, &read)
    }

    /// Text that may be empty; empty means none of it.
    pub fn text_or_none<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Option<At<T>>> {
        let node = self.node(key)?;
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => Some(None),
            _ => self.one(key, node, &read).map(Some),
        }
    }

    /// A list of at least one text, each read by `read`. One text alone is a list of one.
    pub fn texts<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<At<T>>> {
        if let Some((_, node)) = self.table.entries.get(key)
            && matches!(&node.value, Value::List(items) if items.is_empty())
        {
            let instead = format!("put at least one into it, or leave {key} out");
            self.log.add(node.place, format!("{key} is an empty list"), instead);
        }
        self.texts_or_none(key, read)
    }

    /// A list of texts that may be empty.
    pub fn texts_or_none<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<At<T>>> {
        let node = self.node(key)?;
        let Value::List(items) = &node.value else {
            return Some(self.one(key, node, &read).into_iter().collect());
        };
        Some(items.iter().filter_map(|item| self.one(key, item, &read)).collect())
    }

    /// The same as [`Section::texts`], of texts that may hold a secret: a mistake quotes what
    /// `shown` leaves of them.
    pub fn texts_shown<T>(
        &mut self,
        key: &'static str,
        shown: impl Fn(&str) -> String,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<At<T>>> {
        let found = self.texts(key, |raw| Ok((shown(raw), read(raw))))?;
        let mut good = Vec::new();
        for At { it: (shown, read), place } in found {
            match read {
                Ok(it) => good.push(At { it, place }),
                Err(Wrong { what, instead }) => {
                    self.log.add(place, format!("{key} \"{shown}\" {what}"), instead);
                }
            }
        }
        Some(good)
    }

    fn one<T>(
        &mut self,
        key: &str,
        node: &Node,
        read: &impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<At<T>> {
        let Value::Text(text) = &node.value else {
            self.mistyped(key, node, "text in quotes");
            return None;
        };
        if text.trim().is_empty() {
            let instead = format!("write something between the quotes, or leave {key} out");
            self.log.add(node.place, format!("{key} is empty"), instead);
            return None;
        }
        match read(text) {
            Ok(it) => Some(At { it, place: node.place }),
            Err(Wrong { what, instead }) => {
                self.log.add(node.place, format!("{key} \"{text}\" {what}"), instead);
                None
            }
        }
    }

    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let node = self.node(key)?;
        let Value::Number(number) = node.value else {
            self.mistyped(key, node, "a whole number");
            return None;
        };
        let fits = number.and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
        if fits.is_none() {
            let shown = number.map_or("is too large".into(), |n| format!("= {n} is out of range"));
            let instead = format!("write a number from {} to {}", range.start(), range.end());
            self.log.add(node.place, format!("{key} {shown}"), instead);
        }
        fits
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        let Value::Flag(flag) = node.value else {
            self.mistyped(key, node, "true or false");
            return None;
        };
        Some(flag)
    }

    /// A duration within `range`, in milliseconds.
    pub fn span(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        let node = self.node(key)?;
        if let Value::Number(Some(number)) = node.value {
            let instead = format!("write {key} = \"{}s\"", number.unsigned_abs());
            self.log.add(node.place, format!("{key} = {number} has no unit"), instead);
            return None;
        }
        let at = self.one(key, node, &value::duration)?;
        let millis = u64::try_from(at.it.as_millis()).unwrap_or(u64::MAX);
        if range.contains(&millis) {
            return Some(at.it);
        }
        let [from, to] = [range.start(), range.end()].map(|ms| value::show(*ms));
        let what = format!("{key} \"{}\" is out of range", value::show(millis));
        self.log.add(at.place, what, format!("write a duration from \"{from}\" to \"{to}\""));
        None
    }

    /// A table inside this one: `login = { user = …, secret = … }`.
    pub fn table(&mut self, key: &'static str, example: &str) -> Option<&'a Table> {
        let node = self.node(key)?;
        let Value::Table(table) = &node.value else {
            self.mistyped(key, node, example);
            return None;
        };
        Some(table)
    }

    /// A list of tables: `relax = [{ after = …, level = … }]`, or `[[queue.relax]]`.
    pub fn tables(&mut self, key: &'static str, example: &str) -> Vec<&'a Table> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.mistyped(key, node, example);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => tables.push(table),
                Value::Text(_)
                | Value::Number(_)
                | Value::Real
                | Value::Flag(_)
                | Value::Date
                | Value::List(_) => self.mistyped(key, item, example),
            }
        }
        tables
    }

    /// Says that a key must be here, unless a line that could not be read may have held it.
    pub fn missing(&mut self, key: &str, example: &str) {
        if !self.has(key) {
            let what = format!("{} has no {key}", self.name);
            self.lacking(what, format!("write {key} = {example}"));
        }
    }

    pub fn lacking(&mut self, what: String, instead: String) {
        if !self.log.damaged(self.table.place, self.table.end) {
            self.log.add(self.table.place, what, instead);
        }
    }

    fn mistyped(&mut self, key: &str, node: &Node, wanted: &str) {
        let (is, instead) = match (&node.value, wanted) {
            (Value::Number(_), "text in quotes") if SECRETS.contains(&key) => {
                ("a number", format!("put its value in quotes: {key} = \"…\""))
            }
            (Value::Number(Some(n)), "text in quotes") => {
                ("a number", format!("write {key} = \"{n}\""))
            }
            (Value::Text(text), "a whole number") if text.parse::<i64>().is_ok() => {
                ("text", format!("write {key} = {text}"))
            }
            (Value::Text(text), "true or false") if matches!(text.as_str(), "true" | "false") => {
                ("text", format!("write {key} = {text}"))
            }
            (value, _) => (kind(value), format!("write {wanted}")),
        };
        self.log.add(node.place, format!("{key} must be {wanted}, not {is}"), instead);
    }

    /// Every key that nobody asked for is unknown.
    pub fn done(self) {
        for (key, (place, _)) in &self.table.entries {
            if !self.known.contains(&key.as_str()) {
                let what = format!("unknown key \"{key}\" in {}", self.name);
                let instead = choose(key, &self.known, &format!("keys of {}", self.name));
                self.log.add(*place, what, instead);
            }
        }
    }
}

pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "text",
        Value::Number(_) => "a number",
        Value::Real => "a number with a point",
        Value::Flag(_) => "true or false",
        Value::Date => "a date",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}
