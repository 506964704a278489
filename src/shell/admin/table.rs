//! The verbs of the admin socket and of HTTP, and with them the acts of the command line: one row
//! each. Here alone stands what a verb is called, whose it is, what it takes and what it does.
//!
//! To add one: a row here; for an act of the core a `core::Verb` and its arm in `core/act.rs`. Its
//! access, its audit, its help, `pukar call ID ACT …` and `POST /api/…` follow from the row.

use super::access::Who;
use super::given::Given;
use super::rpc::Fault;
use crate::base::Now;
use crate::call::{Ears, Way};
use crate::config::Role;
use crate::core::{MissedAct, Verb as Act};
use crate::shell::board::Board;
use serde_json::Value;

pub struct Verb {
    pub name: &'static str,
    /// The least role.
    pub role: Role,
    /// Not for somebody who has but a part of the switch.
    pub everywhere: bool,
    /// Whether callers' numbers are in the answer.
    pub shows: Shows,
    pub params: &'static [Param],
    /// One sentence.
    pub help: &'static str,
    pub how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    Nothing,
    /// Of a list, which may be looked at every second, each call is noted when it comes into sight.
    Numbers,
    /// What is asked for by name is noted each time.
    One,
    /// What leaves the switch is noted each time.
    Records,
}

pub enum How {
    /// Answered from the board.
    Board(fn(&Look) -> Result<Value, String>),
    /// Done by the core.
    Core(fn(&Given) -> Act),
    /// The same, and the rank of whoever asks decides how far it goes.
    Ranked(fn(&Given, Role) -> Act),
    /// Done by the shell.
    Shell(Shell),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    SetAgents,
    Records,
    Report,
    Handover,
    Reload,
    Upgrade,
    Metrics,
    Stores,
    Verbs,
    /// By the connection itself.
    Subscribe,
}

#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub needed: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The id of a call.
    Call,
    Agent,
    /// Whose phone a supervisor uses: an agent's of theirs, or one's who serves no queue.
    Phone,
    /// An agent, or `all`, `queue:…`, `district:…`, `shift:…`.
    Agents,
    Queue,
    /// Whom a call is to go to: an agent of theirs, or anybody else who is nobody's.
    Party,
    /// The number of a missed caller.
    Missed,
    /// The number of a caller that is looked for.
    Caller,
    Text,
    Word(&'static [&'static str]),
    Count,
    /// Whatever it is, who does the verb reads it.
    Any,
}

/// What a verb that is answered from the board looks at.
pub struct Look<'a> {
    pub board: &'a Board,
    pub now: Now,
    pub given: &'a Given,
    pub who: &'a Who,
}

const fn needs(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, needed: true }
}

const fn takes(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, needed: false }
}

const CALL: Param = needs("call", Kind::Call);
const QUEUE: Param = needs("queue", Kind::Queue);
const WATCH: &[Param] = &[CALL, needs("phone", Kind::Phone)];
const MISSED: &[Param] = &[needs("number", Kind::Missed), takes("by", Kind::Text)];

/// Only reads, and shows no caller's number.
const fn look(
    name: &'static str,
    params: &'static [Param],
    help: &'static str,
    how: fn(&Look) -> Result<Value, String>,
) -> Verb {
    let (role, shows, how) = (Role::Analyst, Shows::Nothing, How::Board(how));
    Verb { name, role, everywhere: false, shows, params, help, how }
}

/// A supervisor's act, done by the core.
const fn act(
    name: &'static str,
    params: &'static [Param],
    help: &'static str,
    how: fn(&Given) -> Act,
) -> Verb {
    let (role, shows, how) = (Role::Supervisor, Shows::Nothing, How::Core(how));
    Verb { name, role, everywhere: false, shows, params, help, how }
}

const fn ranked(
    name: &'static str,
    params: &'static [Param],
    help: &'static str,
    how: fn(&Given, Role) -> Act,
) -> Verb {
    let (role, shows, how) = (Role::Supervisor, Shows::Nothing, How::Ranked(how));
    Verb { name, role, everywhere: false, shows, params, help, how }
}

const fn shell(
    name: &'static str,
    params: &'static [Param],
    help: &'static str,
    how: Shell,
) -> Verb {
    let (role, shows, how) = (Role::Analyst, Shows::Nothing, How::Shell(how));
    Verb { name, role, everywhere: false, shows, params, help, how }
}

const fn showing(verb: Verb, shows: Shows) -> Verb {
    Verb { shows, ..verb }
}

const fn only(role: Role, verb: Verb) -> Verb {
    Verb { role, ..verb }
}

const fn everywhere(verb: Verb) -> Verb {
    Verb { everywhere: true, ..verb }
}

pub const VERBS: &[Verb] = &[
    look("status", &[], "The switch on one screen.", |l| {
        Ok(l.who.look(l.board, |sight| l.board.status_for(l.now, sight)))
    }),
    look("wallboard", &[], "What a shift looks at: figures, levels, alarms.", |l| {
        Ok(l.who.look(l.board, |sight| l.board.wallboard(l.now, sight)))
    }),
    showing(
        look("calls.list", &[], "Live calls.", |l| {
            let mine = |row: &Value| l.who.sees(text(row, "queue"), text(row, "district"));
            Ok(kept(l.board.calls_list(l.now), mine))
        }),
        Shows::Numbers,
    ),
    showing(
        look("calls.why", &[CALL], "Why this caller waited, and what was decided.", |l| {
            l.board.why(l.given.text("call"), l.now)
        }),
        Shows::One,
    ),
    look("queues.list", &[], "Queues, who waits in them, how well they are served.", |l| {
        Ok(kept(l.board.queues_list(l.now), |row| l.who.sees_queue(text(row, "name"))))
    }),
    showing(
        look("agents.list", &[], "Agents, and what each is doing.", |l| {
            let mine = |row: &Value| l.who.leads(text(row, "id"), l.board);
            let all = l.who.ground.is_none();
            Ok(kept(l.board.agents_list(l.now), |row| all || mine(row)))
        }),
        Shows::Numbers,
    ),
    look("shifts.list", &[], "Shifts, and who is there.", |l| {
        let mine = |member: &Value| l.who.leads(text(member, "agent"), l.board);
        let works = |row: &Value| row["members"].as_array().is_some_and(|all| all.iter().any(mine));
        let all = l.who.ground.is_none();
        Ok(kept(l.board.shifts_list(l.now), |row| all || works(row)))
    }),
    look("trunks.list", &[], "Trunks: whether each answers, since when, its calls.", |l| {
        let mine = |row: &Value| l.who.sees_trunk(text(row, "name"), l.board);
        Ok(kept(l.board.trunks_list(l.now), mine))
    }),
    only(
        Role::ReadOnly,
        look(
            "directory.list",
            &[takes("address", Kind::Text)],
            "Who is listed, or who would be called.",
            |l| l.board.directory_list(l.given.text("address"), l.now, &|d| l.who.looks_up(d)),
        ),
    ),
    only(
        Role::ReadOnly,
        look("directory.stale", &[], "Numbers that failed three times in a row.", |l| {
            Ok(l.board.directory_stale(l.now, &|district| l.who.looks_up(district)))
        }),
    ),
    showing(
        look("missed.list", &[], "Callers with whom nobody talked, why, and who is on it.", |l| {
            Ok(l.board.missed_list(l.now, &|queue, district| l.who.sees(queue, district)))
        }),
        Shows::Numbers,
    ),
    everywhere(only(
        Role::Supervisor,
        showing(
            look("blocks.list", &[], "Numbers that may not call for a while, and why.", |l| {
                Ok(l.board.blocks_list())
            }),
            Shows::Numbers,
        ),
    )),
    everywhere(only(
        Role::Administrator,
        showing(
            look("audit.list", &[], "The last acts: who did what to whom.", |l| {
                Ok(l.board.audit_list())
            }),
            Shows::Records,
        ),
    )),
    showing(
        shell(
            "records.query",
            &[
                takes("id", Kind::Text),
                takes("since", Kind::Text),
                takes("until", Kind::Text),
                takes("line", Kind::Text),
                takes("queue", Kind::Queue),
                takes("agent", Kind::Agent),
                takes("caller", Kind::Caller),
                takes("outcome", Kind::Text),
                takes("after", Kind::Text),
                takes("limit", Kind::Any),
                takes("legs", Kind::Any),
            ],
            "Records of finished calls.",
            Shell::Records,
        ),
        Shows::Records,
    ),
    shell(
        "report",
        &[takes("since", Kind::Text), takes("until", Kind::Text)],
        "The reconciled summary of a window; without one, of the last between two cut-offs.",
        Shell::Report,
    ),
    only(
        Role::ReadOnly,
        showing(
            shell(
                "handover",
                &[],
                "What the next shift has to know: figures, who waits and was missed, what is set.",
                Shell::Handover,
            ),
            Shows::Numbers,
        ),
    ),
    showing(
        shell(
            "events.subscribe",
            &[takes("from", Kind::Any)],
            "Everything that happens, as it happens.",
            Shell::Subscribe,
        ),
        Shows::Records,
    ),
    shell("metrics", &[], "Figures of the process, as text for Prometheus.", Shell::Metrics),
    shell("stores.list", &[], "Where records go, and whether they get there.", Shell::Stores),
    shell("verbs.list", &[], "Every verb, with its role and what it takes.", Shell::Verbs),
    everywhere(only(
        Role::Administrator,
        shell("config.reload", &[], "Reads the configuration again.", Shell::Reload),
    )),
    everywhere(only(
        Role::Administrator,
        shell(
            "switch.upgrade",
            &[],
            "The program that lies now where this one was started from goes on in its place.",
            Shell::Upgrade,
        ),
    )),
    only(
        Role::Supervisor,
        shell(
            "agents.set",
            &[
                needs("agent", Kind::Agents),
                needs("state", Kind::Word(&AGENT_STATES)),
                takes("reason", Kind::Text),
            ],
            "Sets what an agent, or a group of them, is doing; login with \"at PHONE\" as reason \
             seats an agent there.",
            Shell::SetAgents,
        ),
    ),
    act("calls.hangup", &[CALL], "Ends the call.", |g| Act::Hangup { call: g.own("call") }),
    act(
        "calls.transfer",
        &[CALL, needs("to", Kind::Party), takes("way", Kind::Word(&["blind", "consult", "join"]))],
        "Sends the caller to an agent, a queue, a district, the directory or a number; or asks \
         first, or brings somebody in.",
        |g| Act::Transfer { call: g.own("call"), to: g.own("to"), way: way(g.text("way")) },
    ),
    act(
        "calls.pick",
        &[CALL, needs("agent", Kind::Agent)],
        "This agent takes a call that waits or is parked.",
        |g| Act::Pick { call: g.own("call"), agent: g.own("agent") },
    ),
    act("calls.listen", WATCH, "The phone hears the call, and nobody hears it.", |g| {
        watch(g, Ears::Listen)
    }),
    act("calls.whisper", WATCH, "The phone hears the call, and the agent hears it.", |g| {
        watch(g, Ears::Whisper)
    }),
    act("calls.barge", WATCH, "The phone talks with both.", |g| watch(g, Ears::Barge)),
    act("calls.take", WATCH, "The phone has the caller, and the agent has done with them.", |g| {
        watch(g, Ears::Take)
    }),
    act(
        "supervise.start",
        &[
            CALL,
            needs("phone", Kind::Phone),
            takes("way", Kind::Word(&["listen", "whisper", "barge", "take"])),
        ],
        "A supervisor's phone hears the call; `way` says who hears it.",
        |g| {
            watch(
                g,
                match g.text("way") {
                    "whisper" => Ears::Whisper,
                    "barge" => Ears::Barge,
                    "take" => Ears::Take,
                    _ => Ears::Listen,
                },
            )
        },
    ),
    act("calls.park", &[CALL], "Parks the caller; the answer says in which slot.", |g| Act::Park {
        call: g.own("call"),
    }),
    act("calls.return", &[CALL], "The caller waits again, at the old place.", |g| Act::Return {
        call: g.own("call"),
    }),
    act("calls.hold", &[CALL], "The caller hears music.", |g| hold(g, true)),
    act("calls.resume", &[CALL], "The caller hears the conversation again.", |g| hold(g, false)),
    act("calls.record", &[CALL], "Records the call from now on.", |g| record(g, true)),
    act("calls.private", &[CALL], "Leaves what follows out of the recording.", |g| {
        record(g, false)
    }),
    everywhere(act(
        "recordings.open",
        &[needs("call", Kind::Text)],
        "Puts on the books that somebody opens this call's recording.",
        |g| Act::OpenRecording { call: g.own("call") },
    )),
    act(
        "calls.district",
        &[CALL, needs("district", Kind::Text)],
        "Notes the caller's district, for this call and the next ones.",
        |g| Act::ChooseDistrict { call: g.own("call"), district: g.own("district") },
    ),
    act("missed.claim", MISSED, "Nobody else calls them now.", |g| {
        missed(g, MissedAct::Claim { by: g.own("by") })
    }),
    act("missed.call", MISSED, "They are called as soon as an agent is free.", |g| {
        missed(g, MissedAct::Call { by: g.own("by") })
    }),
    ranked(
        "missed.release",
        MISSED,
        "A claim is none any more: an administrator's word ends all.",
        |g, role| {
            let breaks = role == Role::Administrator;
            missed(g, MissedAct::Release { by: g.own("by"), breaks })
        },
    ),
    act("missed.close", MISSED, "Nothing is left to do for them.", |g| {
        missed(g, MissedAct::Close { by: g.own("by") })
    }),
    everywhere(act(
        "blocks.add",
        &[needs("number", Kind::Text), needs("reason", Kind::Text), takes("seconds", Kind::Count)],
        "The number may not call, for so long or as [nuisance] block_for has it.",
        |g| Act::Block {
            number: g.own("number"),
            reason: g.own("reason"),
            span: g.span("seconds"),
            by: String::new(),
        },
    )),
    everywhere(act(
        "blocks.remove",
        &[needs("number", Kind::Text), takes("reason", Kind::Text)],
        "The number may call again.",
        |g| Act::Unblock { number: g.own("number"), reason: g.own("reason"), by: String::new() },
    )),
    act("queues.open", &[QUEUE], "Opens the queue again.", |g| set_queue(g, "open".into())),
    act(
        "queues.close",
        &[QUEUE],
        "New callers take the way out of a queue without staff, or are turned away.",
        |g| set_queue(g, "close".into()),
    ),
    act(
        "queues.overflow",
        &[QUEUE, needs("ways", Kind::Word(&["on", "off", "auto"]))],
        "Ways out of the queue: at once, not at all, or as configured.",
        |g| set_queue(g, format!("overflow {}", g.text("ways"))),
    ),
    act(
        "queues.weight",
        &[QUEUE, needs("weight", Kind::Count)],
        "The heavier queue goes first; until the configuration says another weight.",
        |g| set_queue(g, format!("weight {}", g.count("weight"))),
    ),
    act(
        "queues.say",
        &[QUEUE, needs("message", Kind::Text), takes("minutes", Kind::Count)],
        "Who waits hears a message of [media] messages now, and for so many minutes who comes.",
        |g| Act::PutMessage {
            queue: g.own("queue"),
            message: g.own("message"),
            minutes: g.count("minutes"),
        },
    ),
    act("queues.hush", &[QUEUE], "The message is said no more.", |g| Act::Hush {
        queue: g.own("queue"),
    }),
    act(
        "queues.add",
        &[QUEUE, needs("agent", Kind::Agent)],
        "The agent serves the queue too, until the end of their shift.",
        |g| Act::Lend { queue: g.own("queue"), agent: g.own("agent"), lent: true },
    ),
    act(
        "queues.remove",
        &[QUEUE, needs("agent", Kind::Agent)],
        "The agent serves the queue no more, until the end of their shift.",
        |g| Act::Lend { queue: g.own("queue"), agent: g.own("agent"), lent: false },
    ),
];

/// What an agent may be told to be.
pub const AGENT_STATES: [&str; 7] =
    ["login", "ready", "pause", "logout", "force-logout", "end-wrap-up", "category"];

fn set_queue(given: &Given, to: String) -> Act {
    Act::SetQueue { queue: given.own("queue"), to }
}

fn record(given: &Given, on: bool) -> Act {
    Act::Record { call: given.own("call"), on }
}

fn watch(given: &Given, ears: Ears) -> Act {
    Act::Watch { call: given.own("call"), phone: given.own("phone"), ears }
}

fn hold(given: &Given, hold: bool) -> Act {
    Act::Hold { call: given.own("call"), hold }
}

fn way(name: &str) -> Way {
    match name {
        "consult" => Way::Consult,
        "join" => Way::Join,
        _ => Way::Blind,
    }
}

fn missed(given: &Given, act: MissedAct) -> Act {
    Act::Missed { number: given.own("number"), act }
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn kept(rows: Value, mine: impl Fn(&Value) -> bool) -> Value {
    match rows {
        Value::Array(rows) => rows.into_iter().filter(mine).collect(),
        other => other,
    }
}

pub fn find(name: &str) -> Result<&'static Verb, Fault> {
    VERBS.iter().find(|verb| verb.name == name).ok_or_else(|| {
        let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        Fault::method(format!("there is no method `{name}`; there are {}", names.join(", ")))
    })
}

/// The acts on one kind of thing (`calls`, `queues`): what stands after the dot.
pub fn acts(kind: &str) -> impl Iterator<Item = (&'static str, &'static Verb)> {
    let acts = VERBS.iter().filter(|verb| matches!(verb.how, How::Core(_) | How::Ranked(_)));
    acts.filter_map(move |verb| {
        let act = verb.name.strip_prefix(kind)?.strip_prefix('.')?;
        Some((act, verb))
    })
}
