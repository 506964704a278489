//! What of the switch is a district's: its counts, its alarms, and whoever works in its shifts.

use super::*;

#[test]
fn a_districts_supervisor_is_told_the_counts_and_the_alarms_of_the_district_alone() {
    use crate::call::{End, EndedBy, Fact, Outcome, Role};
    let mut world = with_users("counts");
    let mut seq = 4;
    let mut tell = |world: &mut World, what: What| {
        seq += 1;
        world.fact(seq, what);
    };
    for trunk in [TrunkId(0), TrunkId(1), TrunkId(2)] {
        tell(&mut world, What::Trunk { trunk, up: false });
    }
    for shift in ["state", "day"] {
        let starts = world.board.now().wall;
        let (shift, of) = (shift.into(), String::new());
        let short = acd::ShiftNews::Short { shift, of, starts, present: 1, minimum: 5 };
        tell(&mut world, What::Shift(short));
    }
    for agent in [AgentId(0), AgentId(1)] {
        tell(&mut world, What::Desk(acd::Fact::Agent { agent, state: acd::AgentState::Ready }));
    }
    let told = |world: &World, who: &str| {
        let wall = world.does(who, "wallboard", json!({})).unwrap();
        let alarms = wall["alarms"].as_array().unwrap().iter();
        let alarms: Vec<String> = alarms
            .map(|alarm| format!("{} {}", alarm["kind"], alarm["subject"]).replace('"', ""))
            .collect();
        let status = world.does(who, "status", json!({})).unwrap();
        let counted = [&status["calls"], &status["total"], &status["agents"], &status["trunks"]]
            .map(|part| part.as_array().map_or(part.clone(), |rows| rows.len().into()));
        assert_eq!((&wall["calls"], &wall["total"]), (&counted[0], &counted[1]));
        assert_eq!(wall["trunks"].as_array().unwrap().len(), counted[3]);
        (alarms, counted[0]["live"].clone(), counted[1].clone(), counted[2]["ready"].clone())
    };
    let (alarms, live, total, ready) = told(&world, "ali");
    assert_eq!(alarms, ["trunk_down guna", "short day"]);
    assert_eq!((live, &total["arrived"], ready), (json!(1), &json!(1), json!(1)));
    let (alarms, live, _, ready) = told(&world, "boss");
    assert_eq!((alarms.len(), live, ready), (5, json!(2), json!(2)));
    // The call of the state falls silent and ends, and then that of the district does.
    for (call, sums) in [(1, (0, 1)), (3, (1, 1))] {
        let call = CallId(call);
        for what in [
            What::Call(Fact::Connected { call, agent: None }),
            What::Call(Fact::Silent { call, role: Role::Caller, silent: true }),
        ] {
            tell(&mut world, what);
        }
        let is_silent = told(&world, "ali").0.contains(&"silent 1".to_string());
        assert_eq!(is_silent, call == CallId(3));
        let by = EndedBy::Caller;
        let end = End { outcome: Outcome::Answered, by, status: 200, q850: Some(16) };
        tell(&mut world, What::Call(Fact::Ended { call, end }));
        let total = told(&world, "ali").2;
        assert_eq!((&total["answered"], &total["arrived"]), (&json!(sums.0), &json!(sums.1)));
    }
    let total = told(&world, "boss").2;
    assert_eq!((&total["answered"], &total["arrived"]), (&json!(2), &json!(2)));
}

/// The one agent to whom an order of ali's goes.
pub fn ordered(world: &mut World, params: Value) -> String {
    let (mut told, answer) = orders(world, "ali", params, |_| "paused".into());
    if let Some(done) = answer.get("done") {
        assert_eq!((done, &answer["failed"]), (&json!(1), &json!([])));
    }
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

/// The agents to whom an order goes, and what comes of it when the core says this of each.
pub fn orders(
    world: &mut World,
    who: &str,
    params: Value,
    says: impl Fn(&str) -> Done,
) -> (Vec<String>, Value) {
    let (api, who) = (Arc::clone(&world.api), Peer::User(who.into()));
    let asked = world.runtime.spawn(async move { api.call(&who, "agents.set", params).await });
    let mut told = Vec::new();
    while !asked.is_finished() {
        let mut batch = Vec::new();
        world.core.take(&mut batch);
        // What was seen or refused before is noted first.
        for event in batch {
            if let Event::Admin {
                request,
                verb: Act::SetAgent { agent, .. } | Act::SetMember { agent, .. },
                ..
            } = event
            {
                world.replies.answer(request, Ok(says(&agent)));
                told.push(agent);
            }
        }
        std::thread::yield_now();
    }
    (told, world.runtime.block_on(asked).unwrap().unwrap())
}

#[test]
fn whoever_works_in_a_districts_shift_is_its_supervisors_to_command() {
    let counsellor = || acd::Member { agent: "doc".into(), role: acd::Role::Counsellor };
    let sees = |world: &World| {
        let agents = world.does("ali", "agents.list", json!({})).unwrap();
        let ids = agents.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap());
        ids.map(str::to_string).collect::<Vec<_>>()
    };
    // The state's counsellor is not theirs; that of their shift is.
    let world = with_roster("crew-state", |roster| roster.shifts[0].members.push(counsellor()));
    assert_eq!(sees(&world), ["ali1"]);
    let order = || json!({"agent": "doc", "state": "pause", "reason": ""});
    let fault = world.does("ali", "agents.set", order()).unwrap_err();
    assert!(fault.message.contains("does not belong"), "{fault:?}");
    let mut world = with_roster("crew-day", |roster| roster.shifts[1].members.push(counsellor()));
    assert_eq!(sees(&world), ["ali1", "doc"]);
    assert_eq!(ordered(&mut world, order()), "doc");
    let absent = with_roster("crew-absent", |roster| {
        let off = (-1..3).map(|days| acd::Exception {
            date: jiff::Zoned::now().date().saturating_add(jiff::Span::new().days(days)),
            off: false,
            absent: vec!["ali1".into()],
            instead: vec![counsellor()],
        });
        roster.shifts[1].exceptions = off.collect();
    });
    assert_eq!(sees(&absent), ["ali1", "doc"], "who stands in; and who is of the district anyhow");
    let mut absent = absent;
    let shift = json!({"agent": "shift:day", "state": "ready"});
    assert_eq!(ordered(&mut absent, shift), "doc", "and not whoever is absent");
}
