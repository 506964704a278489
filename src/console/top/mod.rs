//! `pukar top`: the wallboard of a shift's supervisor, over the whole terminal. It asks the switch
//! once a second, shows the last answer while the switch is away, and goes on when it is back.

mod paint;
mod view;

use super::Fault;
use super::client::Client;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::Duration;

/// How often the switch is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long a key may wait.
const LOOK: Duration = Duration::from_millis(100);

/// What is on the screen.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub wall: Value,
    pub agents: Vec<Value>,
    pub calls: Vec<Value>,
    /// Why the switch cannot be asked just now.
    pub away: Option<String>,
    /// Rows of the lists that are above the screen.
    pub scrolled: usize,
}

pub fn run(client: &Client) -> Result<(), Fault> {
    if !std::io::stdout().is_terminal() {
        return Err(Fault::usage(
            "top needs a terminal; for machines there is `pukar status --json`",
        ));
    }
    let mut shown = Shown::default();
    ask(client, &mut shown)?;
    let _ready = ratatui::try_init().map_err(|e| format!("this terminal: {e}"))?;
    let _ = crossterm::execute!(std::io::stdout(), crossterm::cursor::Hide);
    let ended = watch(client, &mut shown);
    let _ = crossterm::execute!(std::io::stdout(), crossterm::cursor::Show);
    ratatui::restore();
    ended
}

fn watch(client: &Client, shown: &mut Shown) -> Result<(), Fault> {
    let broken = |e: std::io::Error| Fault::work(format!("this terminal: {e}"));
    let ticks = crossbeam_channel::tick(EVERY);
    let mut fresh = true;
    loop {
        if std::mem::take(&mut fresh) {
            let (width, height) = crossterm::terminal::size().map_err(broken)?;
            paint::paint(&mut std::io::stdout().lock(), &screen(shown, width, height))
                .map_err(broken)?;
        }
        if event::poll(LOOK).map_err(broken)? {
            // A key, or another size.
            fresh = true;
            match pressed(&event::read().map_err(broken)?) {
                Some(Key::Quit) => return Ok(()),
                Some(Key::Up) => shown.scrolled = shown.scrolled.saturating_sub(1),
                Some(Key::Down) => shown.scrolled += 1,
                None => {}
            }
            let longest = shown.agents.len().max(shown.calls.len());
            shown.scrolled = shown.scrolled.min(longest.saturating_sub(1));
        }
        if ticks.try_recv().is_ok() {
            shown.away = ask(client, shown).err().map(|fault| fault.line);
            fresh = true;
        }
    }
}

/// The screen as it should be.
fn screen(shown: &Shown, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| view::draw(frame, shown));
    terminal.backend().buffer().clone()
}

enum Key {
    Quit,
    Up,
    Down,
}

fn pressed(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        _ if key.kind == KeyEventKind::Release => None,
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('c') if control => Some(Key::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        _ => None,
    }
}

fn ask(client: &Client, shown: &mut Shown) -> Result<(), Fault> {
    shown.wall = client.call("wallboard", json!({}))?;
    shown.agents = rows(client.call("agents.list", json!({}))?);
    shown.calls = rows(client.call("calls.list", json!({}))?);
    Ok(())
}

fn rows(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}
