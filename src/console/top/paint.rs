//! Puts a drawn screen onto a terminal. Terminals disagree about how wide Devanagari is, so a text
//! is written as a whole, in whatever width the terminal gives it, and whatever stands beside it
//! has its place told.

use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::style::{Attribute, ContentStyle, Print, ResetColor, SetAttribute, SetStyle};
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::IntoCrossterm;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use ratatui::text::Span;
use std::io::{self, Write};

/// All of it, whatever was there before.
pub fn paint(out: &mut impl Write, screen: &Buffer) -> io::Result<()> {
    queue!(out, BeginSynchronizedUpdate)?;
    for y in 0..screen.area.height {
        queue!(out, MoveTo(0, y), ResetColor, SetAttribute(Attribute::Reset))?;
        queue!(out, Clear(ClearType::CurrentLine))?;
        for (x, text, style) in pieces(screen, y) {
            queue!(out, MoveTo(x, y), SetAttribute(Attribute::Reset), SetStyle(style))?;
            queue!(out, Print(text))?;
        }
    }
    queue!(out, ResetColor, SetAttribute(Attribute::Reset), EndSynchronizedUpdate)?;
    out.flush()
}

/// What is written in one go, and from which column on: cells of one style, up to where a column of
/// a table may begin after what is not ASCII.
fn pieces(screen: &Buffer, y: u16) -> Vec<(u16, String, ContentStyle)> {
    let mut pieces: Vec<(u16, String, ContentStyle)> = Vec::new();
    let (mut x, mut open) = (0, false);
    while x < screen.area.width {
        let cell = &screen[(x, y)];
        let (symbol, style) = (cell.symbol(), style_of(cell));
        let width = Span::raw(symbol).width().max(1) as u16;
        match pieces.last_mut().filter(|(_, _, last)| open && *last == style) {
            Some((_, text, _)) => text.push_str(symbol),
            None => pieces.push((x, symbol.into(), style)),
        }
        // After two blanks something new begins.
        let next = (x + width..x + width + 2).all(|x| x < screen.area.width && blank(screen, x, y));
        open = pieces.last().is_some_and(|(_, text, _)| text.is_ascii()) || !next;
        x += width;
    }
    pieces
}

fn blank(screen: &Buffer, x: u16, y: u16) -> bool {
    screen[(x, y)].symbol() == " "
}

fn style_of(cell: &Cell) -> ContentStyle {
    let mut style = ContentStyle {
        foreground_color: Some(cell.fg.into_crossterm()),
        background_color: Some(cell.bg.into_crossterm()),
        ..ContentStyle::default()
    };
    for (modifier, attribute) in
        [(Modifier::BOLD, Attribute::Bold), (Modifier::REVERSED, Attribute::Reverse)]
    {
        if cell.modifier.contains(modifier) {
            style.attributes.set(attribute);
        }
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn a_column_beside_devanagari_has_its_place_told() {
        let mut screen = Buffer::empty(Rect::new(0, 0, 40, 1));
        screen.set_string(0, 0, "मुख्यमंत्री  12", Style::new());
        screen.set_string(30, 0, "plain   7", Style::new());
        let pieces = pieces(&screen, 0);
        let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
        let texts: Vec<Vec<String>> = pieces.iter().map(|(_, text, _)| words(text)).collect();
        assert_eq!(texts, [vec!["मुख्यमंत्री"], vec!["12", "plain", "7"]]);
        assert_eq!(screen[(pieces[1].0 + 2, 0)].symbol(), "1", "where the screen has it");
    }
}
