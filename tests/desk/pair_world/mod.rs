//! Two switches of ours, the state's and a district's, and what one says to the other.

use crate::desk_world::{Habit, OP1, Stage, field, secs};
use pukar::core::CallRecord;

pub const STATE_AT: &str = "10.0.0.1:5060";
pub const DISTRICT_AT: &str = "10.3.0.1:5060";

pub const STATE: &str = r#"
[[trunk]]
name = "shivpuri"
hosts = ["10.3.0.1:5060"]
ping = "0s"
peer = true
[[line]]
numbers = ["181"]
queue = "general"
default = true
emergency_key = "0"
[[district]]
name = "shivpuri"
std = ["07492"]
trunk = "shivpuri"
[[queue]]
name = "general"
[[queue.overflow]]
after = "30s"
to = "district:shivpuri"
"#;
pub const DISTRICT: &str = r#"
[[trunk]]
name = "state"
hosts = ["10.0.0.1:5060"]
ping = "0s"
peer = true
[[line]]
numbers = ["181"]
queue = "desk"
default = true
by_district = false
[[district]]
name = "guna"
queue = "desk"
std = ["07542"]
[[queue]]
name = "desk"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
"#;

/// With an agent, who is not there yet.
pub fn state() -> String {
    format!("{STATE}[[agent]]\nid = \"op1\"\ncontact = \"sip:op1@10.2.0.1\"\n")
}

/// With more about its queue, and a way back.
pub fn district(queue: &str) -> String {
    let back = "[[district]]\nname = \"state\"\nstd = [\"0755\"]\ntrunk = \"state\"\n";
    DISTRICT.replacen("[[agent]]", &format!("{queue}{back}[[agent]]"), 1)
}

pub const FIRST: &str = "9826000001";

pub struct Pair {
    pub state: Stage,
    pub district: Stage,
    pub cut: bool,
}

impl Pair {
    pub fn new(state: &str, district: &str) -> Self {
        let district = Stage::at_address(district, DISTRICT_AT);
        let mut pair = Self { state: Stage::new(state), district, cut: false };
        pair.state.habit(OP1, Habit::Answers);
        pair.district.habit(OP1, Habit::Answers);
        pair.state.beyond(DISTRICT_AT);
        pair.district.beyond(STATE_AT);
        pair
    }

    pub fn talk(&mut self) {
        loop {
            let (up, down) = (self.district.for_beyond(), self.state.for_beyond());
            if up.is_empty() && down.is_empty() {
                return;
            }
            if self.cut {
                continue;
            }
            up.into_iter().for_each(|text| self.state.say(DISTRICT_AT, text));
            down.into_iter().for_each(|text| self.district.say(STATE_AT, text));
        }
    }

    pub fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.state.wait(secs(1));
            self.district.wait(secs(1));
            self.talk();
        }
    }

    /// Somebody calls the state for Shivpuri.
    pub fn dial(&mut self, from: &str) -> String {
        let name = self.state.dial(from, "07492181", "");
        self.talk();
        name
    }

    pub fn kill(&mut self) {
        self.state.kill();
        self.district.kill();
    }

    pub fn hang_up(&mut self, caller: &str) {
        self.state.hang_up(caller);
        self.talk();
        self.wait(60);
    }

    /// What the district wrote of the first caller, whom nobody there is to call back.
    pub fn there(&self) -> &CallRecord {
        assert!(!is_missed(&self.district));
        let found = self.district.records.iter().find(|one| one.caller.ends_with(FIRST));
        found.expect("they were there")
    }

    /// Who rings at the district's desk, in the order of the offers.
    pub fn offered(&self) -> Vec<String> {
        let to_op1 = self.district.invites.iter().filter(|(to, _)| *to == OP1.parse().unwrap());
        to_op1.map(|(_, invite)| field(invite, "From").to_string()).collect()
    }

    /// All hang up; the records of both.
    pub fn over(mut self, callers: [&str; 2]) -> (Vec<CallRecord>, Vec<CallRecord>) {
        self.state.hang_up(callers[0]);
        self.district.hang_up(callers[1]);
        self.talk();
        self.wait(60);
        (self.state.records, self.district.records)
    }
}

pub fn is_missed(stage: &Stage) -> bool {
    stage.switch.state().wants(&format!("+91{FIRST}")).is_some()
}
