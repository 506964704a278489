//! What is on the books of who has seen whose number.

use super::*;

fn looked(who: &str, on: &str) -> (String, Act) {
    (who.into(), Act::Noted { verb: Noted::Seen, on: on.into() })
}

#[test]
fn who_asks_about_callers_by_name_is_on_the_books_for_each_of_them_each_time() {
    use crate::call::{End, EndedBy, Fact, Outcome};
    let mut world = with_users("looks");
    // Of whoever still waits the core would be asked, and here is none.
    for (seq, call) in [(5, CallId(1)), (6, CallId(3))] {
        let by = EndedBy::Caller;
        let end = End { outcome: Outcome::Abandoned, by, status: 0, q850: None };
        world.fact(seq, What::Call(Fact::Ended { call, end }));
    }
    for call in ["01HZ1", "01HZ3", "01HZ1"] {
        world.does("collector", "calls.why", json!({"call": call})).unwrap();
    }
    world.does("analyst", "calls.why", json!({"call": "01HZ1"})).unwrap();
    let why = |call: &str| looked("collector", &format!("calls.why call={call}"));
    assert_eq!(
        world.noted(),
        [why("01HZ1"), why("01HZ3"), why("01HZ1")],
        "numbers are not shown to all"
    );
}

#[test]
fn a_caller_who_comes_into_sight_is_on_the_books_once_by_call() {
    let mut world = with_users("screens");
    let look = |world: &World| world.does("boss", "calls.list", json!({})).unwrap();
    (0..3).for_each(|_| _ = look(&world));
    world.arrives(5);
    (0..3).for_each(|_| _ = look(&world));
    let looks = [looked("boss", "calls.list 01HZ1 01HZ3"), looked("boss", "calls.list 01HZ5")];
    assert_eq!(world.noted(), looks);
}

#[test]
fn the_books_are_read_by_name_and_acts_in_them_are_not_crowded_out_by_looks() {
    let mut world = with_users("books");
    let act = |verb: &str| core::Audit {
        by: "ali".into(),
        verb: verb.into(),
        on: "9812345678".into(),
        refused: String::new(),
    };
    for (seq, verb) in [(5, "calls.block"), (6, Noted::Seen.name())] {
        world.fact(seq, What::Audit(Box::new(act(verb))));
    }
    let books = world.does("boss", "audit.list", json!({})).unwrap();
    assert_eq!(books.as_array().unwrap().len(), 1, "{books:#}");
    assert_eq!(books[0]["verb"], "calls.block");
    let read = Act::Noted { verb: Noted::Exported, on: "audit.list".into() };
    assert_eq!(world.noted(), [("boss".to_string(), read)]);
}
