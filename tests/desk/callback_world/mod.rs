//! Callers and agents for stories of calls back and of the missed-call desk.

use pukar::call::{self, Direction, MissedNews};
use pukar::config::Settings;
use pukar::core::{CallRecord, Event, MissedAct, Verb, What};
use pukar::sim::{Plan, Reach, World, caller_address, exchange_address, number_of};
use std::collections::BTreeSet;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn world(callers: u16, agents: usize) -> World {
    let plan = Plan { callers, agents: vec![Reach::Fixed; agents], ..Plan::calm() };
    World::story(18, plan)
}

pub fn world_with(callers: u16, agents: usize, change: impl FnOnce(&mut Settings)) -> World {
    let mut world = world(callers, agents);
    world.adjust(change);
    world
}

pub fn backs(world: &World) -> Vec<CallRecord> {
    let records = world.records().iter().filter(|record| record.direction == Direction::Out);
    records.cloned().collect()
}

/// Different calls, by their Call-IDs, that the exchange was asked for.
pub fn asked(world: &World) -> usize {
    let to = exchange_address();
    let sent =
        world.said().iter().filter(|(hop, bytes)| hop.peer == to && bytes.starts_with(b"INVITE"));
    let id = |text: String| {
        let line = text.lines().find(|line| line.starts_with("Call-ID:") || line.starts_with("i:"));
        line.map(str::to_string)
    };
    let ids: BTreeSet<String> =
        sent.filter_map(|(_, bytes)| id(String::from_utf8_lossy(bytes).into())).collect();
    ids.len()
}

pub fn missed(world: &World) -> Vec<MissedNews> {
    let news = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Call(call::Fact::Missed { news, .. }) => Some(news.clone()),
        _ => None,
    });
    news.collect()
}

pub fn act(world: &mut World, caller: u16, act: MissedAct) {
    act_on(world, &number_of(caller_address(caller)), act);
}

pub fn act_on(world: &mut World, number: &str, act: MissedAct) {
    act_on_as(world, number, "asha", act);
}

pub fn act_on_as(world: &mut World, number: &str, asker: &str, act: MissedAct) {
    let (number, by) = (number.to_string(), asker.to_string());
    world.tell(Event::Admin { request: 1, by, verb: Verb::Missed { number, act } });
}
