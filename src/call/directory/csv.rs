//! A text of comma-separated values (RFC 4180), row by row, as spreadsheets save it and people
//! break it: one row's mistake is no other's.

/// The rows of a CSV text (RFC 4180), each with the line that it begins on. A quote that is opened
/// by mistake takes no row but its own: what it would swallow does not fit the head.
pub struct Rows<'t> {
    rest: &'t str,
    line: usize,
    /// Cells in a row. Zero: the head is still to be read.
    pub wanted: usize,
}

impl<'t> Rows<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { rest: text, line: 1, wanted: 0 }
    }
}

/// Octets of a row of several lines.
const LONG_ROW_MAX: usize = 4_096;

impl Iterator for Rows<'_> {
    type Item = (usize, Result<Vec<String>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (began, first) = (self.line, self.rest.lines().next().unwrap_or_default());
        let row = Written::read(self.rest);
        // Of a row that is whole on its first line already, the rest is not meant.
        let is_whole = first.split(',').count() >= self.wanted;
        let fits = row.cells.len() == self.wanted && !is_whole && !row.torn;
        let stray = if row.lines > 1 { !fits } else { row.open };
        if stray {
            self.line += 1;
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            let why = "a \" is opened on this line and not closed; take it out, or write it twice";
            return Some((began, Err(why.into())));
        }
        self.line += row.lines;
        self.rest = &self.rest[row.end..];
        Some((began, Ok(row.cells)))
    }
}

/// A row as it is written.
#[derive(Default)]
struct Written {
    cells: Vec<String>,
    /// Where the next one begins.
    end: usize,
    lines: usize,
    /// The text, or what may be read of it, ended within quotes.
    open: bool,
    /// Something stands between a closing quote and the next comma.
    torn: bool,
}

impl Written {
    fn read(text: &str) -> Self {
        let mut row = Self { end: text.len(), lines: 1, ..Self::default() };
        let (mut cell, mut closed) = (String::new(), false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' if row.open && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' if row.open => (row.open, closed) = (false, true),
                '"' if !closed && cell.trim().is_empty() => {
                    row.open = true;
                    cell.clear();
                }
                ',' if !row.open => {
                    row.cells.push(std::mem::take(&mut cell));
                    closed = false;
                }
                '\n' if !row.open => {
                    row.end = at + 1;
                    break;
                }
                '\n' if at > LONG_ROW_MAX => break,
                '\r' if !row.open => {}
                c => {
                    row.lines += usize::from(c == '\n');
                    row.torn |= closed && !c.is_whitespace();
                    cell.push(c);
                }
            }
        }
        row.torn |= row.open;
        row.cells.push(cell);
        row
    }
}
