//! Two switches of ours: a caller whom one hands to the other keeps the time of the arrival, the
//! number that was dialled, the district, the emergency; and each record names the other's call.

mod desk_world;

use desk_world::{OP1, Stage, field, secs};
use pukar::core::CallRecord;

const STATE_AT: &str = "10.0.0.1:5060";
const DISTRICT_AT: &str = "10.3.0.1:5060";

const STATE: &str = r#"
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
const DISTRICT: &str = r#"
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

struct Pair {
    state: Stage,
    district: Stage,
}

impl Pair {
    fn new(state: &str, district: &str) -> Self {
        let mut pair =
            Self { state: Stage::new(state), district: Stage::at_address(district, DISTRICT_AT) };
        pair.state.beyond(DISTRICT_AT);
        pair.district.beyond(STATE_AT);
        pair
    }

    fn talk(&mut self) {
        loop {
            let (up, down) = (self.district.for_beyond(), self.state.for_beyond());
            if up.is_empty() && down.is_empty() {
                return;
            }
            up.into_iter().for_each(|text| self.state.say(DISTRICT_AT, text));
            down.into_iter().for_each(|text| self.district.say(STATE_AT, text));
        }
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.state.wait(secs(1));
            self.district.wait(secs(1));
            self.talk();
        }
    }

    /// Who rings at the district's desk, in the order of the offers.
    fn offered(&self) -> Vec<String> {
        let to_op1 = self.district.invites.iter().filter(|(to, _)| *to == OP1.parse().unwrap());
        to_op1.map(|(_, invite)| field(invite, "From").to_string()).collect()
    }

    /// All hang up; the records of both.
    fn over(mut self, callers: [&str; 2]) -> (Vec<CallRecord>, Vec<CallRecord>) {
        self.state.hang_up(callers[0]);
        self.district.hang_up(callers[1]);
        self.talk();
        self.wait(60);
        (self.state.records, self.district.records)
    }
}

#[test]
fn q20_a_caller_who_is_handed_to_another_switch_keeps_arrival_number_and_call_id() {
    let mut pair = Pair::new(STATE, DISTRICT);
    let far = pair.state.dial("9826000001", "181", "");
    pair.wait(10);
    let near = pair.district.dial("9826000002", "181", "");
    pair.wait(25);
    let invite = pair.state.invites.last().unwrap().1.clone();
    let told =
        ["Dialled", "Line"].map(|name| field(&invite, &format!("X-Pukar-{name}")).to_string());
    assert_eq!(told, ["181", "181"], "{invite}");
    assert_eq!(field(&invite, "X-Pukar-Wait"), "30.000");
    pair.district.set_agent("op1", "ready");
    assert!(pair.offered()[0].contains("9826000001"), "waits for longer: {:?}", pair.offered());
    let (state, district) = pair.over([&far, &near]);
    let of = |caller: &str| district.iter().find(|one| one.caller.ends_with(caller)).unwrap();
    assert_eq!(of("01").parent, state[0].id, "{district:?}");
    assert_eq!((&*of("01").dialled, &*of("02").parent), ("181", ""));
}

#[test]
fn an_emergency_is_one_at_the_other_switch_too_and_the_district_goes_along() {
    let district = format!(
        "{DISTRICT}\n[[district]]\nname = \"shivpuri\"\nstd = [\"07492\"]\nqueue = \"desk\"\n"
    );
    let mut pair = Pair::new(STATE, &district);
    let near = pair.district.dial("9826000002", "181", "");
    pair.wait(5);
    let far = pair.state.dial("9826000001", "181", "");
    let port = *pair.state.opened.last().unwrap();
    pair.state.press_at(port, "0");
    pair.wait(31);
    pair.district.set_agent("op1", "ready");
    assert!(pair.offered()[0].contains("9826000001"), "an emergency: {:?}", pair.offered());
    let (_, records) = pair.over([&far, &near]);
    let record = records.iter().find(|one| one.caller.ends_with("01")).unwrap();
    assert_eq!(record.flags, "emergency");
}

#[test]
fn a_carrier_is_neither_told_nor_believed() {
    let state = STATE.replace("peer = true", "");
    let mut pair = Pair::new(&state, DISTRICT);
    pair.state.dial("9826000001", "181", "");
    pair.wait(31);
    let invite = pair.state.invites.last().unwrap().1.clone();
    assert!(!invite.contains("X-Pukar"), "{invite}");
    // Whoever says so of themselves, by a trunk that is none of ours.
    let mut stage = Stage::new(&DISTRICT.replace("peer = true", ""));
    stage.dial("9826000002", "181", "");
    let lies = "X-Pukar-Wait: 5000.0\r\nX-Pukar-Kind: emergency\r\nX-Pukar-Call: 01ABC\r\n";
    stage.dial("9826000001", "181", lies);
    assert_eq!((&*stage.arrival().parent, &stage.arrival().flags[..]), ("", &[][..]));
    stage.set_agent("op1", "ready");
    let invite = &stage.invites.last().unwrap().1;
    assert!(field(invite, "From").contains("9826000002"), "{invite}");
}

#[test]
fn what_a_peer_says_is_bounded_and_nonsense_is_nothing() {
    let text = DISTRICT.replace("10.0.0.1:5060", "10.9.0.1:5060");
    for (wait, first) in
        [("-5", "02"), ("x", "02"), ("99999999999999999999", "02"), ("4000000", "01")]
    {
        let mut stage = Stage::new(&text);
        stage.dial("9826000002", "181", "");
        let more = format!("x-pukar-wait: {wait}\r\nX-PUKAR-CALL: {}\r\n", "z".repeat(500));
        let invite = stage.invite("9826000001", "181", &more).replace("10.1.0.1", "10.9.0.1");
        stage.say("10.9.0.1:5060", invite);
        assert_eq!(stage.arrival().parent.len(), 64);
        stage.set_agent("op1", "ready");
        let invite = &stage.invites.last().unwrap().1;
        assert!(field(invite, "From").contains(&format!("98260000{first}")), "{wait}: {invite}");
    }
}
