//! Two user agents over a rude network: every call comes to a quiet end, whatever is lost, late,
//! doubled or out of order, and nothing is told of a leg that is over.

use super::world::*;
use crate::base::{LegId, TrunkId};
use crate::sip::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the test knows of each leg of a node.
#[derive(Default)]
struct Book {
    legs: BTreeMap<LegId, State>,
    /// Hung up by us while they rang, and silent since.
    stopped: BTreeSet<LegId>,
    read: usize,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Out,
    In,
    Answering,
    Up,
    Over,
}

impl Book {
    /// Reads what is new, and reacts as a call layer would.
    fn react(&mut self, world: &mut World, at: usize) {
        while let Some(notice) = world.nodes[at].notices.get(self.read).cloned() {
            self.read += 1;
            let Some(leg) = notice.leg() else { continue };
            if let Notice::Invited { .. } = notice {
                assert!(self.legs.insert(leg, State::In).is_none(), "{leg:?} invited twice");
                continue;
            }
            let state = self.legs[&leg];
            if let Notice::Stopped { .. } = notice {
                assert!(self.stopped.insert(leg), "{leg:?} stopped twice");
                continue;
            }
            assert_ne!(state, State::Over, "{notice:?} after the end");
            match notice {
                Notice::Answered { .. } | Notice::Confirmed { .. } => {
                    self.legs.insert(leg, State::Up);
                }
                Notice::Refused { .. } | Notice::Ended { .. } => {
                    self.legs.insert(leg, State::Over);
                }
                Notice::Offered { offer, .. } => {
                    let refuse = world.dice.chance(20);
                    let act = match refuse && offer.is_some() {
                        true => Act::RefuseOffer { status: 488 },
                        false => Act::AnswerOffer { body: sdp("v=0 answer\r\n") },
                    };
                    world.act(at, leg, act);
                }
                _ => {}
            }
        }
    }

    fn some(&self, world: &mut World) -> Option<(LegId, State)> {
        let live: Vec<_> =
            self.legs.iter().filter(|(_, s)| **s != State::Over).map(|(l, s)| (*l, *s)).collect();
        match live.len() {
            0 => None,
            n => Some(live[world.dice.below(n as u64) as usize]),
        }
    }

    fn meddle(&mut self, world: &mut World, at: usize) {
        let Some((leg, state)) = self.some(world) else { return };
        let cause = Cause { q850: Some(16), ..Cause::default() };
        let body = sdp("v=0 again\r\n");
        let act = match (state, world.dice.below(8)) {
            (_, 0) => {
                self.legs.insert(leg, State::Over);
                Act::Hangup { cause }
            }
            (State::In, 1 | 2) => Act::Ring { status: 180, body: None },
            (State::In, 3) => Act::Ring { status: 183, body: Some(body) },
            (State::In, 4 | 5) => {
                self.legs.insert(leg, State::Answering);
                Act::Answer { body }
            }
            (State::In, 6) => {
                self.legs.insert(leg, State::Over);
                Act::Refuse { status: 486, cause: None, retry_after: None }
            }
            (State::Up, 1..=4) => Act::Offer { body },
            _ => return,
        };
        world.act(at, leg, act);
    }
}

fn life(seed: u64, rude: Rude) {
    lives(World::pair(seed, rude), seed);
}

fn lives(mut world: World, seed: u64) {
    let mut books = [Book::default(), Book::default()];
    let mut dialled = 0;
    for _ in 0..120 {
        let at = world.dice.below(2) as usize;
        if dialled < 6 && world.dice.chance(20) {
            dialled += 1;
            let leg = world.dial(at);
            books[at].legs.insert(leg, State::Out);
        }
        books[at].meddle(&mut world, at);
        let pause = Duration::from_millis(world.dice.below(700));
        let until = world.now.instant + pause;
        while world.step(until) {
            for (at, book) in books.iter_mut().enumerate() {
                book.react(&mut world, at);
            }
        }
    }
    // Everybody hangs up, also on what arrives late, and then it ends.
    let until = world.now.instant + Duration::from_secs(400);
    loop {
        for (at, book) in books.iter_mut().enumerate() {
            book.react(&mut world, at);
            for (leg, state) in book.legs.clone() {
                if state != State::Over {
                    book.legs.insert(leg, State::Over);
                    world.act(at, leg, Act::Hangup { cause: Cause::default() });
                }
            }
        }
        if !world.step(until) {
            break;
        }
    }
    for node in &world.nodes {
        let state = || serde_json::to_string(&node.agent).unwrap_or_default();
        assert!(node.agent.is_quiet(), "seed {seed}: {}\n{}", state(), node.sent.join("\n"));
        assert!(node.timers.is_empty(), "seed {seed}: {:?}", node.timers);
    }
}

#[test]
fn calls_end_quietly_on_a_good_network() {
    (0..40).for_each(|seed| life(seed, Rude { delay: 20, ..Rude::default() }));
}

#[test]
fn calls_end_quietly_on_streams_too() {
    let rude = Rude { delay: 50, ..Rude::default() };
    (0..40).for_each(|seed| lives(World::pair_over("tcp", 3_000 + seed, rude), seed));
}

#[test]
fn calls_end_quietly_on_a_rude_network() {
    for seed in 0..120 {
        life(1_000 + seed, Rude { loss: 15, duplicates: 15, delay: 300, late: 20_000 });
    }
}

#[test]
fn calls_end_quietly_on_a_network_that_loses_most() {
    (0..60).for_each(|s| {
        life(2_000 + s, Rude { loss: 60, duplicates: 5, delay: 2_000, late: 60_000 })
    });
}

#[test]
fn a_call_over_a_good_network_is_told_in_order_on_both_sides() {
    let mut world = World::pair(1, Rude::default());
    let a = world.dial(0);
    world.run(Duration::from_millis(10));
    let notices = world.take_notices(1);
    let [Notice::Invited { leg: b, invited }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(invited.source, Source::Trunk(TrunkId(0)));
    assert_eq!((&*invited.from.user, &*invited.target.user), ("+919826012345", "181"));
    assert_eq!(invited.offer, Some(sdp("v=0 offer\r\n")));
    world.act(1, *b, Act::Ring { status: 180, body: None });
    world.run(Duration::from_millis(10));
    world.act(1, *b, Act::Answer { body: sdp("v=0 answer\r\n") });
    world.run(Duration::from_millis(10));
    let body = Some(sdp("v=0 answer\r\n"));
    let progress = Notice::Progress { leg: a, status: 180, body: None };
    assert_eq!(world.take_notices(0), [progress, Notice::Answered { leg: a, body }]);
    assert_eq!(world.take_notices(1), [Notice::Confirmed { leg: *b, answer: None }]);
    let cause = Cause { q850: Some(16), ..Cause::default() };
    world.act(1, *b, Act::Hangup { cause: cause.clone() });
    world.run(Duration::from_millis(10));
    assert_eq!(world.take_notices(0), [Notice::Ended { leg: a, why: Ended::Bye, cause }]);
    assert_eq!(world.take_notices(1), []);
    world.run(Duration::from_secs(40));
    assert!(world.is_quiet());
}
