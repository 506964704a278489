//! `pukar demo --state`: the state helpline of `config/state` at work. The real configuration, with
//! its addresses on this machine; the centres of two districts as switches of their own behind
//! their trunks; and one of these trunks failing in mid-run and healing.
//!
//! In: the folder, how many, how long. Out: progress, a table or JSON, and a verdict: every call
//! reconciles, and callers of the district that was cut off were served by the state meanwhile.

use super::helpline::{self, DESK, HERE, any_port, free_addresses};
use super::wire::Wire;
use super::{Ended, judge, say};
use jiff::Timestamp;
use pukar::call::{Home, Homes};
use pukar::config::{self, Settings};
use pukar::console::{DemoArgs, Fault, read_settings};
use pukar::load::{self, Arrivals, Plan, Record, Report, Span};
use pukar::shell::{Options, Running};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// The trunk that fails, and the district behind it.
const CUT: (&str, &str) = ("shivpuri-edaksh", "shivpuri");
/// How soon the state notices that the trunk has failed, or is back.
const BLIND: Duration = Duration::from_secs(6);
/// How long a call keeps an agent besides, in seconds, and how long they talk at most.
const RINGS_AND_WRITES: f64 = 1.7;
const TALK: f64 = 2.3;
/// Who works in the centre of a district.
const STAFF: u32 = 6;
/// What callers dial, in turn: mostly the state's number, and those of each district.
const DIALLED: [&str; 10] = [
    "181", "07492181", "07394181", "181", "07492181", "07162181", "181", "104", "07492181",
    "07394181",
];

/// Whether a call was served where its callers should have been.
type Served = fn(&Value) -> bool;

/// A call that an agent of a centre answered.
struct Answered {
    trunk: String,
    caller: String,
    at: Timestamp,
}

/// A district's centre: a switch of its own, and the wire to it.
struct Centre {
    trunk: String,
    wire: Wire,
    running: Running,
}

pub fn demo(args: &DemoArgs, config: &Path) -> Result<(), Fault> {
    let folder = std::env::temp_dir().join(format!("pukar-state-{}", std::process::id()));
    let settings = read_settings(config, None)?;
    let [callers_at, agents_at] = free_addresses()?;
    let phones = settings.call.phones.len() as u32;
    let mut centres = Vec::new();
    for (n, name) in centres_of(&settings).into_iter().enumerate() {
        let first = phones + 1 + n as u32 * STAFF;
        centres.push(Centre::start(&name, first, agents_at, &folder)?);
    }
    let names: Vec<String> = settings.call.phones.iter().map(|phone| phone.user.clone()).collect();
    let settings = here(settings, (callers_at, agents_at), &centres);
    let running = Running::start(settings.with_data(&folder), Options::default())?;
    for centre in &mut centres {
        centre.wire.lead_to(running.listens()[0].1);
    }
    super::say_where(args, &running);
    let staff = STAFF * centres.len() as u32;
    let mut plan = plan(args, &running, phones + staff, (callers_at, agents_at));
    fit(args, &mut plan, on_duty(&running) + staff);
    let cut = centres.iter().find(|centre| centre.trunk == CUT.0).map(|c| c.wire.switch());
    let quarter = f64::from(args.seconds) / 4.0;
    let (mut is_cut, mut times) = (false, Vec::new());
    let mut report = load::run(&plan, &mut |progress| {
        let should = progress.second >= quarter && progress.second < 2.0 * quarter;
        if should != is_cut {
            is_cut = should;
            times.push(Timestamp::now());
            cut.iter().for_each(|wire| wire.cut(is_cut));
            let what = if is_cut { "is cut off" } else { "is back" };
            say(args, format!("{what}: trunk {} of {}", CUT.0, CUT.1));
        }
        say(args, progress.to_string());
    })?;
    let ended = super::end(running, &mut report);
    let served: Vec<Answered> =
        centres.into_iter().flat_map(|centre| centre.close(&mut report)).collect();
    reconcile(args, &mut report, &ended, &names, &times, served);
    judge(args, &report, &folder)
}

/// The trunks that lead to a district's own centre.
fn centres_of(settings: &Settings) -> Vec<String> {
    let behind = settings.call.districts.iter().filter_map(|district| match district.centre {
        pukar::call::Centre::Trunk(trunk) => {
            settings.sip.trunks.get(pukar::base::Id::slot(trunk) as usize)
        }
        pukar::call::Centre::Queue(_) => None,
    });
    behind.map(|trunk| trunk.name.clone()).collect()
}

/// The configuration as it is, with its addresses on this machine and a minute in mind: wrap-ups
/// are short, and a trunk is asked every second whether it is alive.
fn here(
    mut settings: Settings,
    (callers_at, agents_at): (SocketAddr, SocketAddr),
    centres: &[Centre],
) -> Settings {
    settings.log = config::Level::Error;
    settings.sip.listen.truncate(1);
    for listener in &mut settings.sip.listen {
        listener.bind = "127.0.0.1:0".parse().expect("an address");
        listener.advertise = None;
    }
    let media = &mut settings.call.media;
    media.homes = Homes::new(Home::at([127, 0, 0, 1].into()), None);
    // Far from those of its centres, and of another demo.
    (media.ports, media.workers) = ((28_000, 31_999), 1);
    for trunk in &mut settings.sip.trunks {
        let centre = centres.iter().find(|centre| centre.trunk == trunk.name);
        match centre {
            Some(centre) => {
                trunk.hosts = vec![centre.wire.near().to_string()];
                trunk.ping = Duration::from_secs(1);
            }
            None => (trunk.hosts, trunk.ping) = (vec![callers_at.to_string()], Duration::ZERO),
        }
    }
    for (n, phone) in settings.call.phones.iter_mut().enumerate() {
        phone.contact = Some(format!("sip:op{}@{agents_at}", n + 1));
    }
    for queue in &mut settings.acd.queues {
        queue.wrap_up = queue.wrap_up.min(Duration::from_secs(1));
    }
    settings.stores = vec![config::Store::Sqlite { path: "data/records.db".into() }];
    settings.admin.http = Some(any_port());
    settings.data = "data".into();
    settings
}

fn plan(
    args: &DemoArgs,
    running: &Running,
    agents: u32,
    (callers_at, agents_at): (SocketAddr, SocketAddr),
) -> Plan {
    let mut plan = Plan::new(running.listens()[0].1);
    (plan.agents, plan.seconds) = (agents, args.seconds);
    (plan.callers_at, plan.agents_at) = (callers_at, agents_at);
    plan.arrivals = Arrivals::Over(Duration::from_secs(u64::from(args.seconds)) * 3 / 4);
    plan.numbers = DIALLED.iter().map(ToString::to_string).collect();
    plan
}

/// Agents of the state who can be rung just now: its roster knows the time of day.
fn on_duty(running: &Running) -> u32 {
    let status = running.status();
    let states = status["agents"].as_object().into_iter().flatten();
    let there = states.filter(|(state, _)| !matches!(state.as_str(), "off" | "unreachable"));
    there.filter_map(|(_, count)| count.as_u64()).sum::<u64>() as u32
}

/// As many callers as these people can serve in half of their time, or, where more are wanted,
/// shorter talks: each queue has people of its own, and one of them is cut off for a quarter.
fn fit(args: &DemoArgs, plan: &mut Plan, people: u32) {
    let time = f64::from(people) * f64::from(args.seconds) / 2.0;
    let around = RINGS_AND_WRITES;
    plan.callers = args.callers.unwrap_or((time / (around + TALK)) as u32).max(1);
    let talk = (time / f64::from(plan.callers) - around).clamp(0.5, TALK);
    plan.manner.talk = Span::millis((talk * 650.0) as u64, (talk * 1_350.0) as u64);
    say(args, format!("{} callers for {people} on duty, {talk:.1} s each", plan.callers));
    if f64::from(plan.callers) * (around + talk) > 2.0 * time {
        say(args, "that is more than they can serve: some will wait in vain".into());
    }
}

impl Centre {
    fn start(trunk: &str, first: u32, agents_at: SocketAddr, folder: &Path) -> Result<Self, Fault> {
        let wire = Wire::new().map_err(|e| format!("a wire to {trunk}: {e}"))?;
        let text = [
            helpline::switch(trunk, "error", HERE),
            helpline::trunk("state", wire.far()),
            "peer = true\n".into(),
            DESK.into(),
            helpline::operators(first, first + STAFF - 1, agents_at),
        ];
        let running = helpline::start(text.concat(), &folder.join(trunk), |settings| {
            // Two switches of one machine share its ports.
            let from = 21_000 + (first % 1_000) as u16 * 100;
            let media = &mut settings.call.media;
            (media.ports, media.workers) = ((from & !1, (from & !1) + 999), 1);
        })?;
        wire.reach(running.listens()[0].1);
        Ok(Self { trunk: trunk.into(), wire, running })
    }

    /// The calls that its agents answered.
    fn close(self, report: &mut Report) -> Vec<Answered> {
        let ended = super::end(self.running, report);
        let rows = ended.rows.iter().filter(|row| row["outcome"] == "answered");
        let answered = rows.map(|row| Answered {
            trunk: self.trunk.clone(),
            caller: text(row, "caller"),
            at: text(row, "connected_at").parse().unwrap_or(Timestamp::MIN),
        });
        answered.collect()
    }
}

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or("").to_string()
}

/// Leaves out those whom an agent answered while the wire was cut: neither the caller nor the state
/// could hear of it, and whoever waited there was the state's again.
fn out_of_earshot(
    args: &DemoArgs,
    report: &mut Report,
    by_centres: &mut Vec<Answered>,
    [cut, healed]: [Timestamp; 2],
) {
    let is_lost = |one: &Answered| one.trunk == CUT.0 && (cut..healed).contains(&one.at);
    let (lost, heard): (Vec<_>, Vec<_>) = std::mem::take(by_centres).into_iter().partition(is_lost);
    *by_centres = heard;
    for one in &lost {
        let number = one.caller.get(one.caller.len().saturating_sub(10)..).unwrap_or_default();
        // The agent there may talk on to nobody while one of the state has the caller.
        let odd = [" and agent ", " was given to "].map(|does| format!("caller {number}{does}"));
        report.complaints.retain(|what| !odd.iter().any(|odd| what.starts_with(odd)));
    }
    report.passed = report.complaints.is_empty();
    if !lost.is_empty() {
        say(
            args,
            format!("{} were answered into the wire that was cut, and came back", lost.len()),
        );
    }
}

/// Holds the state's records against what callers saw, and the districts' against the state's.
fn reconcile(
    args: &DemoArgs,
    report: &mut Report,
    ended: &Ended,
    names: &[String],
    times: &[Timestamp],
    mut by_centres: Vec<Answered>,
) {
    let phone = |agent: &str| names.iter().position(|name| name == agent);
    let records: Vec<Record> = (ended.rows.iter())
        .map(|row| Record {
            caller: text(row, "caller"),
            outcome: text(row, "outcome"),
            agent: phone(&text(row, "agent")).map(|n| format!("op{}", n + 1)),
        })
        .collect();
    report.reconcile(&records);
    if let &[cut, healed] = times {
        out_of_earshot(args, report, &mut by_centres, [cut, healed]);
    }
    let by_centres = by_centres.len() as u64;
    // A call that no agent of the state answered was answered behind a trunk.
    let behind = |row: &&Value| row["outcome"] == "answered" && row["agent"] == "";
    let on_record = ended.rows.iter().filter(behind).count() as u64;
    if on_record != by_centres {
        report.complain(format!(
            "the state has {on_record} calls on record as answered by centres, these {by_centres}"
        ));
    }
    let [cut, healed] = times else {
        return report.complain("the trunk was not cut off and healed in this time".into());
    };
    let found = *cut + BLIND;
    let centre = |row: &Value| row["agent"] == "";
    let periods = [
        ("before the trunk failed", Timestamp::MIN..*cut, "its own centre", centre as Served),
        ("while it was down", found..*healed, "the state desk", |row| row["agent"] != ""),
        ("since it healed", *healed + BLIND..Timestamp::MAX, "its own centre", centre),
    ];
    for (when, period, whose, served) in periods {
        let at = |row: &&Value| text(row, "arrived_at").parse::<Timestamp>().ok();
        let own = ended.rows.iter().filter(|row| row["district"] == CUT.1);
        let came: Vec<_> =
            own.filter(|row| at(row).is_some_and(|at| period.contains(&at))).collect();
        let answered =
            came.iter().filter(|row| row["outcome"] == "answered" && served(row)).count();
        let all = came.len();
        say(args, format!("{when}, {whose} served {answered} of the {all} who called {}", CUT.1));
        if answered == 0 && all > 0 {
            report.complain(format!("{when}, {whose} served nobody of {}", CUT.1));
        }
    }
}
