//! Tables for a terminal. Widths are columns of the screen, not characters: a Devanagari vowel
//! sign takes none of its own or one, and a name in Hindi must not push the row out of line.

use unicode_width::UnicodeWidthStr;

/// Columns of one cell; what is longer is cut.
const CELL_MAX: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// Rows under a head, in columns as wide as they must be.
pub fn render(head: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cut(cell)).collect()).collect();
    let widths: Vec<usize> = (head.iter().enumerate())
        .map(|(at, (title, _))| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width());
            cells.chain([title.width()]).max().unwrap_or(0)
        })
        .collect();
    let titles: Vec<String> = head.iter().map(|(title, _)| title.to_string()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(&rows) {
        let cells = row.iter().zip(&widths).zip(head);
        let cells: Vec<String> =
            cells.map(|((cell, width), (_, side))| pad(cell, *width, *side)).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn pad(cell: &str, width: usize, side: Side) -> String {
    let space = " ".repeat(width.saturating_sub(cell.width()));
    match side {
        Side::Left => format!("{cell}{space}"),
        Side::Right => format!("{space}{cell}"),
    }
}

/// A cell that fits, without the control characters that could write on the rest of the screen.
fn cut(cell: &str) -> String {
    let clean: String = cell.chars().filter(|c| !c.is_control()).collect();
    if clean.width() <= CELL_MAX {
        return clean;
    }
    let mut end = clean.len();
    while clean[..end].width() >= CELL_MAX {
        end = clean[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    format!("{}…", &clean[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_hindi_keep_the_columns_in_line() {
        let head = [("NAME", Side::Left), ("CALLS", Side::Right)];
        let rows = [vec!["सीमा".into(), "3".into()], vec!["Rajesh".into(), "12".into()]];
        let text = render(&head, &rows);
        let widths: Vec<usize> = text.lines().map(UnicodeWidthStr::width).collect();
        assert_eq!(widths, [13, 13, 13], "{text}");
    }

    #[test]
    fn a_cell_is_cut_and_cannot_write_elsewhere() {
        assert_eq!(cut("\u{1b}[2Jx"), "[2Jx");
        assert_eq!(cut(&"a".repeat(60)).width(), CELL_MAX);
        assert_eq!(cut(&"सी".repeat(60)).width(), CELL_MAX);
    }
}
