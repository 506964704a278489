//! Three switches of ours, each of which sends on to the next whom it cannot serve: nobody goes
//! round and round among them.

use crate::desk_world::{Habit, OP1, Stage, field, secs};
use pukar::core::Verb;

const FIRST: &str = "9826000001";

/// Three switches, each of which sends on to the next whom it cannot serve.
struct Ring([Stage; 3]);

const RING: [&str; 3] = ["10.0.0.1:5060", "10.3.0.1:5060", "10.4.0.1:5060"];

impl Ring {
    fn new() -> Self {
        Self([0, 1, 2].map(|at: usize| {
            let trunks = (0..3).filter(|other| *other != at).map(|other| {
                format!(
                    "[[trunk]]\nname = \"t{other}\"\nhosts = [\"{}\"]\nping = \"0s\"\n\
                     peer = true\n[[district]]\nname = \"d{other}\"\nstd = [\"0749{other}\"]\n\
                     trunk = \"t{other}\"\n",
                    RING[other]
                )
            });
            let trunks: String = trunks.collect();
            let text = format!(
                "{trunks}[[line]]\nnumbers = [\"181\"]\nqueue = \"desk\"\ndefault = true\n\
                 by_district = false\n[[queue]]\nname = \"desk\"\n[[queue.overflow]]\n\
                 after = \"5s\"\nto = \"district:d{}\"\n[[agent]]\nid = \"op1\"\n\
                 contact = \"sip:op1@10.2.0.1\"\nready = true\n",
                (at + 1) % 3
            );
            let mut stage = Stage::at_address(&text, RING[at]);
            stage.habit(OP1, Habit::Answers);
            RING.iter().filter(|other| **other != RING[at]).for_each(|other| stage.beyond(other));
            stage
        }))
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.0.iter_mut().for_each(|stage| stage.wait(secs(1)));
            loop {
                let said = [0, 1, 2].map(|at: usize| self.0[at].for_each_beyond());
                if said.iter().all(Vec::is_empty) {
                    break;
                }
                for (from, said) in said.into_iter().enumerate() {
                    for (to, text) in said {
                        let to = RING.iter().position(|at| *at == to.to_string()).unwrap();
                        self.0[to].say(RING[from], text);
                    }
                }
            }
        }
    }

    fn calls(&self) -> [usize; 3] {
        [0, 1, 2].map(|at: usize| self.0[at].switch.state().counts().1)
    }
}

#[test]
fn a_caller_goes_round_no_ring_of_switches() {
    let mut ring = Ring::new();
    ring.0.iter_mut().for_each(|stage| stage.set_agent("op1", "pause"));
    ring.0[0].dial(FIRST, "181", "");
    ring.wait(120);
    assert!(ring.0[2].facts.iter().all(|fact| !format!("{:?}", fact.what).contains(FIRST)));
    let calls: Vec<usize> = ring.0.iter().map(|s| s.switch.state().counts().1).collect();
    assert_eq!(calls[2], 0, "who is lent is lent to nobody else");
    // An agent of the second answers, and puts them back into the line there: they go on to the
    // third, and no further.
    ring.0[1].set_agent("op1", "ready");
    ring.wait(1);
    assert_eq!(ring.0[1].state("op1"), "talking");
    ring.0[1].set_agent("op1", "pause");
    let call = ring.0[1].arrival().id.clone();
    ring.0[1].ask(Verb::Return { call });
    ring.wait(120);
    assert_eq!(ring.0[2].arrival().parent, ring.0[1].arrival().id);
    assert_eq!(ring.calls().map(|calls| calls > 0), [true; 3]);
    let invites = ring.0.iter().map(|stage| stage.invites.len()).sum::<usize>();
    assert!(invites < 12, "{invites}");
    // And a switch by which they came is never asked, by whatever trunk: it has them already.
    let passed = field(&ring.0[1].invites.last().unwrap().1, "X-Pukar-Passed").to_string();
    let known = [ring.0[0].arrival().id.clone(), ring.0[1].arrival().id.clone()];
    assert_eq!(passed.split(' ').collect::<Vec<_>>(), known);
    let more = format!("X-Pukar-Place: kept\r\nX-Pukar-Passed: {passed}\r\n");
    let again = ring.0[0].invite(FIRST, "181", &more).replace("10.1.0.1:5060", RING[2]);
    let before = ring.0[0].facts.len();
    ring.0[0].say(RING[2], again);
    let answer = ring.0[0].for_each_beyond().pop().unwrap().1;
    assert!(answer.starts_with("SIP/2.0 482 "), "{answer}");
    assert_eq!(ring.0[0].facts.len(), before, "no second call, and no record of one");
}
