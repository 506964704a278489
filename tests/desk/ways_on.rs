//! Ways out of queues where nobody works, followed from one to the next: the caller goes to the
//! first place where somebody does, and the law that nobody is left behind sees as far.

use crate::desk_world::{Habit, OP1, Stage, secs};
use pukar::core::Verb;

/// A village, its district and the state: who works where by turns.
const THREE: &str = r#"
[[line]]
numbers = ["181"]
queue = "village"
[[queue]]
name = "village"
skills = ["village"]
[[queue.overflow]]
unstaffed = true
to = "queue:district"
[[queue]]
name = "district"
skills = ["district"]
when_unstaffed = "overflow"
[[queue.overflow]]
unstaffed = true
to = "queue:village"
[[queue.overflow]]
unstaffed = true
to = "queue:state"
[[queue]]
name = "state"
skills = ["state"]
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["state"]
[[agent]]
id = "op2"
contact = "sip:op2@10.2.0.2"
skills = ["district"]
[[agent]]
id = "op3"
contact = "sip:op3@10.2.0.3"
skills = ["village"]
"#;

/// Of the district's queue.
fn overflow(stage: &mut Stage, to: &str) {
    stage.ask(Verb::SetQueue { queue: "district".into(), to: format!("overflow {to}") });
    assert!(stage.replies.last().unwrap().is_ok(), "{:?}", stage.replies);
}

#[test]
fn a_way_out_leads_on_past_whoever_has_gone_home_to_the_first_who_works() {
    for refuses in [false, true] {
        let own = "name = \"village\"\n";
        let sends_out = format!("{own}when_unstaffed = \"overflow\"\n");
        let text = THREE.replacen(own, if refuses { &sends_out } else { own }, 1);
        let mut stage = Stage::new(&text);
        stage.habit(OP1, Habit::Rings);
        stage.set_agent("op1", "ready");
        stage.dial("9826000001", "181", "");
        stage.wait(secs(6));
        let why = if refuses { "turned-away" } else { "unstaffed" };
        assert_eq!(
            stage.story(),
            [format!("village -> queue:state ({why})"), "offered op1".into()]
        );
        // By day the district has them.
        let mut stage = Stage::new(&text);
        stage.habit("10.2.0.2:5060", Habit::Rings);
        ["op1", "op2"].into_iter().for_each(|agent| stage.set_agent(agent, "ready"));
        stage.dial("9826000001", "181", "");
        stage.wait(secs(6));
        let there = format!("village -> queue:district ({why})");
        assert_eq!(stage.story(), [there, "offered op2".into()]);
    }
}

#[test]
fn a_way_out_ends_where_a_supervisor_has_shut_the_next_one() {
    let mut stage = Stage::new(THREE);
    stage.dial("9826000001", "181", "");
    overflow(&mut stage, "off");
    stage.set_agent("op1", "ready");
    stage.wait(secs(20));
    assert_eq!((stage.story(), stage.switch.state().counts().0), (Vec::new(), 1));
    assert_eq!(stage.switch.stranded(), []);
    overflow(&mut stage, "auto");
    assert_eq!(stage.story()[0], "village -> queue:state (unstaffed)");
}

#[test]
fn the_law_of_who_is_left_where_nobody_works_follows_ways_as_far_as_the_switch() {
    let mut stage = Stage::new(THREE);
    stage.dial("9826000001", "181", "");
    stage.wait(secs(20));
    assert_eq!(stage.switch.stranded(), [], "nobody works anywhere");
    stage.set_agent("op1", "ready");
    assert_eq!(stage.switch.stranded().len(), 1, "until the queue is looked at again");
    stage.wait(secs(6));
    assert_eq!(stage.switch.stranded(), []);
}
