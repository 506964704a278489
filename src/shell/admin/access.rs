//! Who asks, what they may do, and what of an answer is theirs to see.
//!
//! In: a peer (a uid of this machine, or a user who showed a token) and the users of the
//! configuration in force. Out: a refusal that says why, or an answer without what belongs to
//! others, and with callers' numbers masked where they are not for this pair of eyes.

use super::given::Given;
use super::rpc::Fault;
use super::table::{Kind, Verb};
use crate::base::Now;
use crate::config::{Role, User};
use crate::shell::board::{Board, Party, Sight};
use crate::shell::store::Within;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// As the system, or a token, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Uid(u32),
    User(String),
    /// Whoever can reach this machine's own address.
    Anybody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub name: String,
    pub role: Role,
    /// Whether callers' numbers are shown in full.
    pub numbers: bool,
    /// `None`: the whole switch.
    pub ground: Option<Ground>,
}

/// What of the switch is somebody's: queues, districts with their queues, and whoever works today
/// in the shifts that serve them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    pub queues: BTreeSet<String>,
    pub districts: BTreeSet<String>,
    pub crew: BTreeSet<String>,
}

impl Who {
    /// `owner` is who owns the socket; they, and root, need no `[[user]]`.
    pub fn of(peer: &Peer, owner: u32, board: &Board, now: Now) -> Result<Self, Fault> {
        let users = board.users();
        let user = match peer {
            Peer::Uid(uid) => users.iter().find(|user| user.uid == Some(*uid)),
            Peer::User(name) => users.iter().find(|user| user.name == *name),
            Peer::Anybody => None,
        };
        match (peer, user) {
            (Peer::Uid(uid), user) if *uid == owner || *uid == 0 => {
                let name = user.map(|user| user.name.clone());
                Ok(Self {
                    name: name.unwrap_or_else(|| system_name(*uid)),
                    role: Role::Administrator,
                    numbers: true,
                    ground: None,
                })
            }
            (_, Some(user)) => Ok(Self::user(user, board, now)),
            (Peer::Uid(uid), None) => Err(Fault::forbidden(format!(
                "uid {uid} is no [[user]] of this switch; an administrator can add one with \
                 uid = {uid}"
            ))),
            // Since a reload, perhaps, of a stream that began before.
            (Peer::Anybody, None) if users.iter().any(|user| user.token.is_some()) => {
                Err(Fault::forbidden("this switch has users now: show a user's token"))
            }
            (Peer::Anybody, None) => Ok(Self {
                name: "anybody".into(),
                role: Role::Analyst,
                numbers: false,
                ground: None,
            }),
            (Peer::User(name), None) => {
                Err(Fault::forbidden(format!("{name} is no longer a user of this switch")))
            }
        }
    }

    fn user(user: &User, board: &Board, now: Now) -> Self {
        let ground = (!user.queues.is_empty() || !user.districts.is_empty()).then(|| {
            let own = board.queues_of_districts(&user.districts);
            let queues = user.queues.iter().cloned().chain(own).collect();
            let crew = board.crew(&queues, now);
            Ground { queues, districts: user.districts.iter().cloned().collect(), crew }
        });
        Self { name: user.name.clone(), role: user.role, numbers: user.numbers, ground }
    }

    /// Whether they may ask for this at all, of these.
    pub fn may(&self, verb: &Verb, given: &Given, board: &Board) -> Result<(), Fault> {
        if self.role < verb.role {
            return Err(Fault::forbidden(format!(
                "{} needs the role {}, and {} has {}",
                verb.name,
                verb.role.name(),
                self.name,
                self.role.name()
            )));
        }
        // Whoever may ask whether a number has called need not see it.
        let mut asked = verb.params.iter().filter(|param| matches!(param.kind, Kind::Caller));
        if let Some(param) = asked.find(|param| given.maybe(param.name).is_some())
            && !self.numbers
        {
            return Err(Fault::forbidden(format!(
                "{} by `{}` is for those who see callers' numbers, and {} does not",
                verb.name, param.name, self.name
            )));
        }
        let Some(ground) = &self.ground else { return Ok(()) };
        if verb.everywhere {
            return Err(Fault::forbidden(format!(
                "{} concerns the whole switch, and {} has but a part of it",
                verb.name, self.name
            )));
        }
        for param in verb.params {
            let Some(name) = given.maybe(param.name).filter(|name| !name.is_empty()) else {
                continue;
            };
            let own = match param.kind {
                Kind::Call => board.place_of_call(name).is_none_or(|(q, d)| ground.has(&q, &d)),
                Kind::Agent => {
                    board.queues_of_agent(name).is_none_or(|queues| self.looks_after(name, &queues))
                }
                Kind::Phone => self.may_ring(name, board),
                Kind::Party => self.may_send_to(name, given.text("way"), board),
                Kind::Queue => ground.queues.contains(name),
                Kind::Missed => board.place_of_missed(name).is_none_or(|(q, d)| ground.has(q, d)),
                // Of a group, those who are theirs.
                Kind::Agents | Kind::Caller => true,
                Kind::Text | Kind::Word(_) | Kind::Count | Kind::Any => true,
            };
            if !own {
                return Err(Fault::forbidden(format!(
                    "{name} does not belong to what {} looks after",
                    self.name
                )));
            }
        }
        Ok(())
    }

    /// Whether a row with this queue and district is theirs.
    pub fn sees(&self, queue: &str, district: &str) -> bool {
        self.ground.as_ref().is_none_or(|ground| ground.has(queue, district))
    }

    /// Shows them what is theirs of the board.
    pub fn look<T>(&self, board: &Board, show: impl FnOnce(&Sight) -> T) -> T {
        show(&Sight {
            all: self.ground.is_none(),
            place: &|queue, district| self.sees(queue, district),
            agent: &|agent| self.leads(agent, board),
        })
    }

    /// Whether an agent who serves these queues is theirs to command.
    pub fn looks_after(&self, agent: &str, queues: &[String]) -> bool {
        self.ground.as_ref().is_none_or(|ground| ground.crew.contains(agent))
            || queues.iter().any(|queue| self.sees_queue(queue))
    }

    /// The same for whoever reads records.
    pub fn within(&self) -> Option<Within> {
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect();
        self.ground.as_ref().map(|ground| (names(&ground.queues), names(&ground.districts)))
    }

    /// Whether this is an agent of theirs.
    pub fn leads(&self, agent: &str, board: &Board) -> bool {
        board.queues_of_agent(agent).is_some_and(|queues| self.looks_after(agent, &queues))
    }

    /// Supervisors serve no queue themselves, as a rule; whoever does is theirs or another's.
    fn may_ring(&self, phone: &str, board: &Board) -> bool {
        let Party::Agent(name) = board.party(phone) else { return true };
        let queues = board.queues_of_agent(name).unwrap_or_default();
        queues.is_empty() || self.looks_after(name, &queues)
    }

    /// A call may be given away to any queue, district and number, where its caller waits as
    /// whoever calls there. But nobody is rung in the name of a supervisor who is not theirs: no
    /// agent, by name or extension; none of another queue, to be asked or to come in; nobody whom
    /// another district has listed.
    fn may_send_to(&self, to: &str, way: &str, board: &Board) -> bool {
        let given_away = !matches!(way, "consult" | "join");
        match board.party(to) {
            Party::Agent(name) => self.leads(name, board),
            Party::Queue(name) => given_away || self.sees_queue(&name),
            Party::District(name) => given_away || self.sees("", name),
            Party::Listed(district) => {
                board.district_named(district).is_none_or(|district| self.looks_up(district))
            }
            Party::Outside => true,
        }
    }

    /// Whether entries of this district are theirs to see: their own, and those that are for all.
    pub fn looks_up(&self, district: &str) -> bool {
        district.is_empty() || self.sees("", district)
    }

    /// Whether the trunk leads to the centre of a district of theirs.
    pub fn sees_trunk(&self, trunk: &str, board: &Board) -> bool {
        match &self.ground {
            Some(ground) => board.districts_behind(trunk).any(|d| ground.districts.contains(d)),
            None => true,
        }
    }

    pub fn sees_queue(&self, queue: &str) -> bool {
        self.sees(queue, "")
    }

    /// What they may see of an answer, or of why there is none.
    pub fn veil(&self, mut answer: Result<Value, Fault>) -> Result<Value, Fault> {
        match &mut answer {
            _ if self.numbers => {}
            Ok(answer) => mask(answer),
            Err(fault) => fault.message = masked(&fault.message),
        }
        answer
    }
}

impl Ground {
    pub fn has(&self, queue: &str, district: &str) -> bool {
        self.queues.contains(queue) || self.districts.contains(district)
    }
}

fn system_name(uid: u32) -> String {
    if uid == 0 { "root".into() } else { format!("uid:{uid}") }
}

/// Keys that hold a number of somebody who called or was called, or a sentence with one in it.
const NUMBERS: [&str; 9] =
    ["caller", "caller_raw", "number", "forwarded_by", "text", "on", "to", "refused", "why"];
/// What was dialled is the helpline's own number, unless the helpline dialled.
const DIALLED: [&str; 2] = ["dialled", "dialled_raw"];

/// Masks callers' numbers wherever they stand.
pub fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => {
            let outwards = is_outwards(fields);
            for (key, value) in fields {
                let hidden = holds_numbers(key, outwards);
                match value {
                    Value::String(text) if hidden => *text = masked(text),
                    Value::Array(items) if hidden => items.iter_mut().for_each(mask_all),
                    _ => mask(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Visits every text that [`mask`] would change, with the row that it stands in.
pub fn numbers_in<'v>(value: &'v Value, visit: &mut dyn FnMut(&'v Map<String, Value>, &'v str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| numbers_in(item, visit)),
        Value::Object(fields) => {
            let outwards = is_outwards(fields);
            for (key, value) in fields {
                let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                let texts = items.iter().filter_map(Value::as_str);
                texts
                    .filter(|text| holds_numbers(key, outwards) && masked(text) != **text)
                    .for_each(|text| visit(fields, text));
                numbers_in(value, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_outwards(row: &Map<String, Value>) -> bool {
    row.get("direction").is_some_and(|way| way == "out")
}

fn holds_numbers(key: &str, outwards: bool) -> bool {
    NUMBERS.contains(&key) || (outwards && DIALLED.contains(&key))
}

/// An item under a key that holds numbers.
fn mask_all(item: &mut Value) {
    match item {
        Value::String(text) => *text = masked(text),
        other => mask(other),
    }
}

/// Digits in a row from which on they are somebody's number, and no short code.
const NUMBER_MIN: usize = 7;

/// `98******12`: of every long run of digits the first two, after a country code of India, and the
/// last two stay.
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (run, after) = digits.split_at(end);
        out.push_str(before);
        let country = if run.len() == 12 && run.starts_with("91") { 2 } else { 0 };
        if run.len() < NUMBER_MIN {
            out.push_str(run);
        } else {
            let (first, last) = (country + 2, run.len() - 2);
            out.push_str(&run[..first]);
            out.extend(std::iter::repeat_n('*', last - first));
            out.push_str(&run[last..]);
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_masked_and_short_codes_are_not() {
        for (plain, veiled) in [
            ("+919826012345", "+9198******45"),
            ("9826012345", "98******45"),
            ("07394233100", "07*******00"),
            ("181", "181"),
            ("", ""),
            ("op1", "op1"),
            ("room 12-34 of 2026-11-25", "room 12-34 of 2026-11-25"),
            ("\"सीता\" <sip:+919826012345@10.0.0.9>", "\"सीता\" <sip:+9198******45@10.0.0.9>"),
        ] {
            assert_eq!(masked(plain), veiled);
        }
        let mut row = json!([{"direction": "in", "caller": "9826012345", "dialled": "07552551181",
            "legs": [{"number": "9826012345"}]}, {"direction": "out", "dialled": "9826012345"}]);
        mask(&mut row);
        let mut moved = json!({"to": "9826012345", "why": "9826012345 is busy", "by": "op1",
            "refused": "no such number: +919826012345", "lines": [{"text": ["9826012345"]}]});
        mask(&mut moved);
        assert_eq!(
            moved,
            json!({"to": "98******45", "why": "98******45 is busy", "by": "op1",
                "refused": "no such number: +9198******45", "lines": [{"text": ["98******45"]}]})
        );
        assert_eq!(
            row,
            json!([{"direction": "in", "caller": "98******45", "dialled": "07552551181",
                "legs": [{"number": "98******45"}]}, {"direction": "out", "dialled": "98******45"}])
        );
    }
}
