//! What `pukar top` draws: figures, alarms, queues, agents with the time in their state, calls.
//! It fits 80 columns and 24 rows, and takes what more there is.

use super::Shown;
use crate::console::screen::span;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use serde_json::Value;

/// Queues that there is room for on 24 rows; a higher screen shows more.
const QUEUES_SHOWN: usize = 6;
const ALARMS_SHOWN: usize = 3;

pub fn draw(frame: &mut Frame, shown: &Shown) {
    let wall = &shown.wall;
    let alarms = alarms(shown);
    let room = QUEUES_SHOWN.max(usize::from(frame.area().height).saturating_sub(12) / 2);
    let queues = wall["queues"].as_array().map_or(0, Vec::len).min(room);
    let [head, figures, states, alarm_area, queue_area, lists, trunks] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(alarms.len() as u16),
        Constraint::Length(queues as u16 + 1),
        Constraint::Min(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_title(frame, wall, head);
    frame.render_widget(numbers(wall), figures);
    frame.render_widget(agents_by_state(wall), states);
    frame.render_widget(Paragraph::new(alarms), alarm_area);
    frame.render_widget(queue_table(wall, queues), queue_area);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(48), Constraint::Percentage(52)])
            .spacing(2)
            .areas(lists);
    draw_agents(frame, shown, left);
    draw_calls(frame, shown, right);
    frame.render_widget(trunk_line(wall), trunks);
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn head_style() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

/// However long the name is, how to leave stands there.
fn draw_title(frame: &mut Frame, wall: &Value, area: Rect) {
    let clock = wall["clock"].as_str().unwrap_or("-");
    let name = wall["name"].as_str().unwrap_or("Pukar");
    let draining = if wall["draining"] == true { "  DRAINING" } else { "" };
    let told = format!("{draining}  {clock}  q quits, arrows scroll");
    let parts = [Constraint::Min(0), Constraint::Length(told.len() as u16)];
    let [left, right] = Layout::horizontal(parts).areas(area);
    frame.render_widget(Paragraph::new(name).style(head_style()), left);
    frame.render_widget(Paragraph::new(told).style(head_style()), right);
}

fn numbers(wall: &Value) -> Paragraph<'_> {
    let count = |at: &str| wall.pointer(at).and_then(Value::as_u64).unwrap_or_default();
    let level = &wall["service_level"];
    let share = match level["level"].as_f64() {
        Some(share) => format!("{:.0} %", share * 100.0),
        None => "-".into(),
    };
    let waiting = count("/calls/waiting") + count("/calls/offered");
    let pressing = if waiting > 0 { bold().fg(Color::Yellow) } else { bold() };
    Paragraph::new(Line::from(vec![
        Span::raw("waiting "),
        Span::styled(waiting.to_string(), pressing),
        Span::raw("  longest "),
        Span::styled(span(count("/longest_wait_ms")), pressing),
        Span::raw("  talking "),
        Span::styled(count("/calls/talking").to_string(), bold()),
        Span::raw(format!("  in {} s, last {} min ", level["within_s"], level["last_min"])),
        Span::styled(share, bold()),
    ]))
}

fn agents_by_state(wall: &Value) -> Paragraph<'_> {
    let states = wall["agents"].as_object().into_iter().flatten();
    let states: Vec<String> = states.map(|(state, count)| format!("{state} {count}")).collect();
    Paragraph::new(format!("agents  {}", states.join("  ")))
}

fn alarms(shown: &Shown) -> Vec<Line<'_>> {
    let red = Style::new().fg(Color::White).bg(Color::Red);
    let away = shown.away.iter().map(|why| format!("the switch is away, trying again: {why}"));
    let told = shown.wall["alarms"].as_array().into_iter().flatten();
    let told = told.map(|alarm| alarm["text"].as_str().unwrap_or_default().to_string());
    let mut all: Vec<String> = away.chain(told).collect();
    if all.len() > ALARMS_SHOWN {
        let more = all.len() - ALARMS_SHOWN + 1;
        all.truncate(ALARMS_SHOWN - 1);
        all.push(format!("and {more} more alarms"));
    }
    all.into_iter().map(|text| Line::styled(text, red)).collect()
}

fn text(row: &Value, key: &str) -> String {
    match &row[key] {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            "-".into()
        }
    }
}

fn time(row: &Value, key: &str) -> String {
    row[key].as_u64().map_or("-".into(), span)
}

fn table<'a>(head: &[&'a str], rows: Vec<Row<'a>>, widths: &[Constraint]) -> Table<'a> {
    let cells = head.iter().map(|title| Cell::from(*title));
    Table::new(rows, widths.to_vec()).header(Row::new(cells).style(head_style()))
}

/// Where the longest wait is, first; then as the configuration has them.
fn queue_table(wall: &Value, room: usize) -> Table<'_> {
    let mut rows: Vec<&Value> = wall["queues"].as_array().into_iter().flatten().collect();
    rows.sort_by_key(|queue| match queue["waiting"].as_u64() {
        None | Some(0) => u64::MAX,
        Some(_) => u64::MAX - 1 - queue["longest_wait_ms"].as_u64().unwrap_or_default(),
    });
    let rows = rows.into_iter().take(room).map(|queue| {
        let level = match queue["level"].as_f64() {
            Some(share) => format!("{:.0} %", share * 100.0),
            None => "-".into(),
        };
        let waits = queue["waiting"].as_u64().unwrap_or_default() > 0;
        let style = if waits { Style::new().fg(Color::Yellow) } else { Style::new() };
        Row::new([
            text(queue, "name"),
            text(queue, "waiting"),
            time(queue, "longest_wait_ms"),
            text(queue, "talking"),
            text(queue, "there"),
            level,
            text(queue, "door"),
        ])
        .style(style)
    });
    table(
        &["QUEUE", "WAITING", "LONGEST", "TALKING", "AGENTS", "LEVEL", "DOOR"],
        rows.collect(),
        &[
            Constraint::Min(16),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(7),
            Constraint::Length(6),
            Constraint::Length(7),
        ],
    )
}

/// Those who do something first, the longest in their state before the others.
fn draw_agents(frame: &mut Frame, shown: &Shown, area: Rect) {
    let order = ["talking", "offered", "wrap-up", "resting", "paused", "ready", "unreachable"];
    let rank = |row: &Value| {
        let state = row["state"].as_str().unwrap_or_default();
        let at = order.iter().position(|known| *known == state).unwrap_or(order.len());
        (at, u64::MAX - row["for_ms"].as_u64().unwrap_or_default())
    };
    let mut agents: Vec<&Value> = shown.agents.iter().collect();
    agents.sort_by_key(|row| rank(row));
    let rows = agents.into_iter().skip(shown.scrolled).map(|agent| {
        let name = match agent["name"].as_str() {
            Some(name) if !name.is_empty() => name.to_string(),
            Some(_) | None => text(agent, "id"),
        };
        let state = match agent["reason"].as_str() {
            Some(reason) if !reason.is_empty() => format!("{} {reason}", text(agent, "state")),
            Some(_) | None => text(agent, "state"),
        };
        let color = match agent["state"].as_str() {
            Some("ready") => Color::Green,
            Some("talking" | "offered") => Color::Cyan,
            Some("off") => Color::DarkGray,
            Some(_) | None => Color::Yellow,
        };
        Row::new([name, state, time(agent, "for_ms")]).style(Style::new().fg(color))
    });
    let widths = [Constraint::Min(12), Constraint::Length(14), Constraint::Length(7)];
    frame.render_widget(table(&["AGENT", "STATE", "FOR"], rows.collect(), &widths), area);
}

/// Who waits first, the longest wait before the others.
fn draw_calls(frame: &mut Frame, shown: &Shown, area: Rect) {
    let mut calls: Vec<&Value> = shown.calls.iter().collect();
    calls.sort_by_key(|call| {
        let talks = call["state"] == "talking";
        (talks, u64::MAX - call["wait_ms"].as_u64().unwrap_or_default())
    });
    let rows = calls.into_iter().skip(shown.scrolled).map(|call| {
        let (talks, silent) = (call["state"] == "talking", call["silent"] == true);
        let spent = if talks { time(call, "talk_ms") } else { time(call, "wait_ms") };
        let with = if talks { text(call, "agent") } else { text(call, "queue") };
        let state = if silent { "silent".into() } else { text(call, "state") };
        Row::new([text(call, "caller"), state, with, spent])
    });
    let widths =
        [Constraint::Length(14), Constraint::Length(8), Constraint::Min(8), Constraint::Length(7)];
    frame.render_widget(table(&["CALLER", "IS", "WITH", "FOR"], rows.collect(), &widths), area);
}

fn trunk_line(wall: &Value) -> Paragraph<'_> {
    let mut trunks: Vec<&Value> = wall["trunks"].as_array().into_iter().flatten().collect();
    trunks.sort_by_key(|trunk| trunk["up"] != false);
    let mut spans = vec![Span::raw("trunks ")];
    for trunk in trunks {
        let (word, color) = match trunk["up"].as_bool() {
            Some(true) => ("up", Color::Green),
            Some(false) => ("DOWN", Color::Red),
            None => ("?", Color::DarkGray),
        };
        let label = format!(" {} {word} {} ", text(trunk, "name"), text(trunk, "calls"));
        spans.push(Span::styled(label, Style::new().fg(color)));
    }
    Paragraph::new(Line::from(spans))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    fn shown() -> Shown {
        Shown {
            wall: json!({
                "name": "मुख्यमंत्री हेल्पलाइन", "clock": "2026-11-22 06:12:09",
                "calls": {"waiting": 2, "offered": 1, "talking": 1}, "longest_wait_ms": 75_000,
                "service_level": {"within_s": 20, "last_min": 15, "level": 0.83},
                "agents": {"ready": 1, "talking": 1},
                "alarms": [{"kind": "trunk_down", "text": "trunk bsnl is down"}],
                "queues": [{"name": "सामान्य", "waiting": 3, "longest_wait_ms": 75_000,
                    "talking": 1, "there": 2, "level": 0.83, "door": "open"}],
                "trunks": [{"name": "bsnl", "up": false, "calls": 4}],
            }),
            agents: vec![
                json!({"id": "op1", "name": "सीमा डावर", "state": "ready", "for_ms": 4_000}),
                json!({"id": "op2", "name": "", "state": "talking", "for_ms": 61_000}),
            ],
            calls: vec![
                json!({"caller": "+919826012345", "state": "talking", "agent": "op2",
                    "talk_ms": 61_000, "wait_ms": 3_000}),
                json!({"caller": "+919826000001", "state": "waiting", "queue": "सामान्य",
                    "wait_ms": 75_000}),
            ],
            away: None,
            scrolled: 0,
        }
    }

    fn lines(shown: &Shown, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, shown)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_string()).collect()
    }

    #[test]
    fn a_supervisor_sees_the_shift_on_80_by_24() {
        let lines = lines(&shown(), 80, 24);
        let all = lines.join("\n");
        assert!(lines[1].contains("waiting 3  longest 1:15  talking 1"), "{all}");
        assert!(lines[1].ends_with("in 20 s, last 15 min 83 %"), "{all}");
        assert!(lines[3].starts_with("trunk bsnl is down"), "{all}");
        assert!(lines[6].starts_with("AGENT") && lines[6].contains("CALLER"), "{all}");
        assert!(lines[7].starts_with("op2") && lines[7].contains("+919826000001"), "{all}");
        assert!(lines[7].contains("1:15"), "who waits stands before who talks\n{all}");
        assert!(lines[23].contains("bsnl DOWN 4"), "{all}");
    }

    #[test]
    fn hindi_keeps_the_columns_in_line() {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &shown())).unwrap();
        let buffer = terminal.backend().buffer();
        let column = |y: u16, what: &str| {
            (0..80).find(|x| {
                let rest: String = (*x..80).map(|x| buffer[(x, y)].symbol()).collect();
                rest.starts_with(what)
            })
        };
        assert_eq!(column(6, "STATE"), column(7, "talking"));
        assert_eq!(column(6, "STATE"), column(8, "ready"), "under a name in Hindi too");
        assert_eq!(column(4, "WAITING"), column(5, "3"));
    }

    #[test]
    fn a_switch_that_is_away_is_said_to_be_and_the_last_screen_stays() {
        let away = Some("no switch at data/pukar.sock".to_string());
        let lines = lines(&Shown { away, ..shown() }, 80, 24);
        assert!(lines[3].starts_with("the switch is away, trying again: no switch at"));
        // A cell that is two columns wide is followed by an empty one.
        assert!(lines.iter().any(|line| line.replace(' ', "").contains("सीमा")));
        assert_eq!(super::super::Shown::default().scrolled, 0);
        self::lines(&Shown::default(), 20, 5);
    }
}
