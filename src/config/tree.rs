//! TOML text as a tree that remembers where everything stands, several files merged into one, and
//! a syntax error never hiding the mistakes that come after it.

use super::mistake::{Log, Place, SECRETS};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[derive(Debug)]
pub enum Value {
    Text(String),
    /// `None` where it does not fit 64 bits.
    Number(Option<i64>),
    Real,
    Flag(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

#[derive(Debug)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug, Default)]
pub struct Table {
    pub place: Place,
    /// The line of the next header: where this table ends.
    pub end: u32,
    pub entries: BTreeMap<String, (Place, Node)>,
}

/// Syntax errors reported for one file; beyond that it is not TOML.
const SYNTAX_MISTAKES_MAX: usize = 50;
/// A header that could not be read becomes this one, so that what follows it is set aside.
const SET_ASIDE: &str = "unreadable-header";

/// All the files as one table.
pub fn read(files: &[(String, String)], log: &mut Log) -> Table {
    let mut whole = Table::default();
    for (number, (_, text)) in files.iter().enumerate() {
        let mut table = read_file(number, text, log);
        table.entries.retain(|key, _| !key.starts_with(SET_ASIDE));
        merge(&mut whole, table, log);
    }
    whole
}

/// Parses, and where that fails notes the error, takes the statement out and parses again.
fn read_file(file: usize, text: &str, log: &mut Log) -> Table {
    let mut text = text.trim_start_matches('\u{feff}').to_string();
    for round in 0..SYNTAX_MISTAKES_MAX {
        let error = match DeTable::parse(&text) {
            Ok(table) => {
                let source = Source::new(file, &text);
                return source.table(table.span(), table.get_ref());
            }
            Err(error) => error,
        };
        let source = Source::new(file, &text);
        let mut place = source.place(error.span().map_or(0, |span| span.start));
        let mut message = error.message().to_string();
        let mut lines = place.line..place.line + 1;
        if let Some(opened) = unclosed(&text, place.line, &message) {
            (place.line, place.column) = (opened, 1);
            lines = opened..lines.start;
            message = "a list is not closed".into();
        }
        if message.contains("\"\"\"") || message.contains("'''") {
            lines.end = u32::MAX;
        }
        let instead = remedy(&message, &text, place);
        let line = text.lines().nth(place.line as usize - 1).unwrap_or_default();
        let header = line.trim_start().starts_with('[');
        log.unreadable(place, message.replace('\n', " "), instead, header);
        text = without(&text, lines, round);
    }
    Table::default()
}

/// The line that opened a list which has swallowed the statement on line `at`.
fn unclosed(text: &str, at: u32, message: &str) -> Option<u32> {
    let lines: Vec<&str> = text.lines().collect();
    let here = at as usize - 1;
    if !message.contains("array") || !lines.get(here).is_some_and(|line| is_statement(line)) {
        return None;
    }
    let opened = (0..here).rev().find(|line| is_statement(lines[*line]))?;
    lines[opened].contains('[').then_some(opened as u32 + 1)
}

/// Whether a line looks like `key = …` or `[header]`.
fn is_statement(line: &str) -> bool {
    let line = line.trim_start();
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"');
    let rest = line.trim_start_matches(word);
    line.starts_with('[') && line.trim_end().ends_with(']')
        || rest.len() < line.len() && rest.trim_start().starts_with('=')
}

/// The text with the lines of a broken statement emptied, and as many lines as before.
fn without(text: &str, lines: Range<u32>, round: usize) -> String {
    let mut result = String::with_capacity(text.len() + 32);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if !lines.contains(&number) {
            result.push_str(line);
            continue;
        }
        if line.trim_start().starts_with('[') {
            result.push_str(&format!("[{SET_ASIDE}-{round}]"));
        }
        result.push('\n');
    }
    result
}

/// What to do about a syntax error, in the words of the person who has to.
fn remedy(message: &str, text: &str, place: Place) -> String {
    let line = text.lines().nth(place.line as usize - 1).unwrap_or_default().trim();
    let key = line.split('=').next().unwrap_or_default().trim();
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    let bare = value.split('#').next().unwrap_or_default().trim().trim_matches('"');
    if SECRETS.contains(&key) || line.contains("secret") || line.contains("password") {
        // Never repeated: advice goes to terminals and logs.
        format!("write {key} = \"…\", its value in quotes, on one line")
    } else if message.contains("quoted") && !bare.is_empty() {
        format!("text stands in quotes: write {key} = \"{bare}\"")
    } else if message.contains("boolean") && !bare.is_empty() {
        format!("write {key} = {}", bare.to_lowercase())
    } else if line.contains('=') && value.is_empty() {
        format!("write a value after {key} =, or take the line out")
    } else if message.contains("duplicate key") {
        format!(
            "keep one {} and take the other out",
            if line.starts_with('[') { line } else { key }
        )
    } else if message.contains("not closed") {
        format!("end it with a ]: {line} … ]")
    } else if line.starts_with('[') {
        "write a header as [name] or [[name]], alone on its line".into()
    } else if message.contains("string") {
        format!("close the quotes: write {key} = \"{bare}\"")
    } else {
        "write one key = value a line, text in quotes".into()
    }
}

/// One file's text, and where its lines begin.
struct Source<'t> {
    file: usize,
    text: &'t str,
    starts: Vec<usize>,
    headers: Vec<u32>,
}

impl<'t> Source<'t> {
    fn new(file: usize, text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        let lines = (1..).zip(text.lines());
        let headers = lines.filter(|(_, line)| line.trim_start().starts_with('[')).map(|(n, _)| n);
        Self { file, text, starts, headers: headers.collect() }
    }

    fn place(&self, at: usize) -> Place {
        let at = at.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let before = self.text.get(self.starts[line - 1]..at).unwrap_or_default();
        let column = before.chars().count() as u32 + 1;
        Place { file: self.file, line: line as u32, column }
    }

    fn table(&self, span: Range<usize>, table: &DeTable<'_>) -> Table {
        let place = self.place(span.start);
        let end = self.headers.iter().copied().find(|line| *line > place.line);
        let entries = table.iter().map(|(key, value)| {
            (key.get_ref().to_string(), (self.place(key.span().start), self.node(value)))
        });
        Table { place, end: end.unwrap_or(u32::MAX), entries: entries.collect() }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                Value::Number(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(_) => Value::Real,
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(list) => Value::List(list.iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(value.span(), table)),
        };
        Node { place, value }
    }
}

/// Tables of two files become one, lists of tables are joined; any other key may stand only once.
fn merge(into: &mut Table, from: Table, log: &mut Log) {
    for (key, (place, node)) in from.entries {
        let Some((first, known)) = into.entries.get_mut(&key) else {
            into.entries.insert(key, (place, node));
            continue;
        };
        match (&mut known.value, node.value) {
            (Value::Table(known), Value::Table(more)) => merge(known, more, log),
            (Value::List(known), Value::List(more)) if tables(known) && tables(&more) => {
                known.extend(more);
            }
            _ => {
                let first = log.name(*first);
                let what = format!("key \"{key}\" stands in two files, first at {first}");
                log.add(place, what, "keep one of them");
            }
        }
    }
}

fn tables(list: &[Node]) -> bool {
    list.iter().all(|item| matches!(item.value, Value::Table(_)))
}
