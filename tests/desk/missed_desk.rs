//! The missed-call desk, as stories of the whole switch: who was not answered is listed once, taken
//! on by one, and called back.

use crate::callback_world::{
    SECOND, act, act_on, act_on_as, asked, backs, missed, world, world_with,
};
use pukar::call::{MissedNews, Outcome};
use pukar::core::{MissedAct, What};
use pukar::sim::{Habits, caller_address, number_of};

#[test]
fn who_hung_up_unanswered_is_listed_once_claimed_by_one_and_called_back() {
    let mut world = world(3, 1);
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(2 * SECOND);
    for _ in 0..2 {
        world.dial(1);
        world.wait(10 * SECOND);
        world.give_up(1);
        world.wait(2 * SECOND);
    }
    // Somebody who hung up at once is not listed.
    world.dial(2);
    world.wait(2 * SECOND);
    world.give_up(2);
    world.wait(2 * SECOND);
    let abandoned = |news: &MissedNews| matches!(news, MissedNews::Abandoned { .. });
    assert_eq!(missed(&world).iter().filter(|news| abandoned(news)).count(), 2);
    act(&mut world, 1, MissedAct::Claim { by: "op0".into() });
    act(&mut world, 1, MissedAct::Claim { by: "op7".into() });
    act(&mut world, 1, MissedAct::Call { by: "op0".into() });
    act(&mut world, 1, MissedAct::Call { by: "op0".into() });
    act(&mut world, 2, MissedAct::Close { by: "op0".into() });
    let acts = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Audit(act) => Some((act.by.as_str(), act.verb.as_str(), act.refused.is_empty())),
        _ => None,
    });
    let told = [("missed.claim", true), ("missed.claim", false), ("missed.call", true)];
    let told = told.into_iter().chain([("missed.call", false), ("missed.close", false)]);
    let told: Vec<_> = told.map(|(verb, done)| ("asha", verb, done)).collect();
    assert_eq!(acts.collect::<Vec<_>>(), told, "whose act, for whom it was, and whether");
    world.agent_does(0, Habits::polite(SECOND, 10 * SECOND));
    world.wait(120 * SECOND);
    world.end();
    let news: Vec<MissedNews> = missed(&world).into_iter().filter(|n| !abandoned(n)).collect();
    let claimed = MissedNews::Claimed { by: "op0".into() };
    let expected = [claimed.clone(), claimed, MissedNews::Calling, MissedNews::Served];
    assert_eq!(news, expected);
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    let number = number_of(caller_address(1));
    let mut records = world.records().iter();
    let last = records.rfind(|r| r.outcome == Outcome::Abandoned && r.caller == number).unwrap();
    assert_eq!((back.outcome, &back.parent), (Outcome::Answered, &last.id));
}

#[test]
fn a_queue_may_call_back_whom_it_missed_by_itself_and_the_list_says_how_it_went() {
    let mut world = world_with(2, 1, |settings| {
        settings.acd.queues[0].call_back_abandoned = true;
    });
    world.agent_does(0, Habits::polite(SECOND, 30 * SECOND));
    world.called_back_does(Habits::refuses(486));
    world.dial(0);
    world.wait(2 * SECOND);
    world.dial(1);
    world.wait(10 * SECOND);
    world.give_up(1);
    world.wait(300 * SECOND);
    world.end();
    let news = missed(&world);
    assert_eq!(news.len(), 3, "{news:?}");
    assert_eq!(news[1..], [MissedNews::Calling, MissedNews::Unreached]);
    assert_eq!(asked(&world), 3);
}

#[test]
fn whoever_claims_a_missed_caller_for_nobody_else_claims_them_for_themselves() {
    let mut world = world(2, 1);
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(2 * SECOND);
    world.dial(1);
    world.wait(10 * SECOND);
    world.give_up(1);
    world.wait(2 * SECOND);
    act(&mut world, 1, MissedAct::Claim { by: String::new() });
    act(&mut world, 1, MissedAct::Close { by: String::new() });
    let by = || "asha".to_string();
    let done = [MissedNews::Claimed { by: by() }, MissedNews::Closed { by: by() }];
    assert_eq!(missed(&world)[1..], done);
}

#[test]
fn a_missed_caller_whose_number_may_not_be_dialled_is_listed_and_not_called() {
    let mut world = world_with(2, 1, |settings| {
        settings.acd.queues[0].call_back_abandoned = true;
    });
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(2 * SECOND);
    world.claims(1, "+911900123456");
    world.dial(1);
    world.wait(10 * SECOND);
    world.give_up(1);
    world.wait(2 * SECOND);
    assert!(matches!(&missed(&world)[..], [MissedNews::Abandoned { .. }]));
    act_on(&mut world, "+911900123456", MissedAct::Call { by: String::new() });
    world.wait(120 * SECOND);
    world.end();
    assert_eq!((asked(&world), backs(&world).len()), (0, 0));
}

#[test]
fn a_claim_comes_with_a_call_that_is_placed_and_ends_by_its_owners_or_an_administrators_word() {
    let mut world = world(2, 1);
    world.agent_does(0, Habits::polite(SECOND, 600 * SECOND));
    world.dial(0);
    world.wait(2 * SECOND);
    world.claims(1, "+911900123456");
    world.dial(1);
    world.wait(10 * SECOND);
    world.give_up(1);
    world.wait(2 * SECOND);
    let mut done = |asker: &str, act: MissedAct| {
        act_on_as(&mut world, "+911900123456", asker, act);
        let audit = world.facts().iter().rev().find_map(|fact| match &fact.what {
            What::Audit(act) => Some(act.refused.clone()),
            _ => None,
        });
        audit.unwrap()
    };
    let (asha, bina) = (|| "asha".to_string(), || "bina".to_string());
    let release = |by, breaks| MissedAct::Release { by, breaks };
    let refused = done("asha", MissedAct::Call { by: asha() });
    assert!(refused.contains("Premium"), "it cannot be called: {refused}");
    assert_eq!(done("bina", MissedAct::Claim { by: bina() }), "", "and so is nobody's");
    let hers = "+911900123456 is claimed by bina";
    assert_eq!(done("asha", release(asha(), false)), hers);
    // Whatever name she writes.
    assert_eq!(done("asha", release(bina(), false)), hers);
    assert_eq!(done("asha", MissedAct::Close { by: bina() }), hers);
    assert_eq!(done("asha", MissedAct::Claim { by: bina() }), hers);
    assert_eq!(done("asha", MissedAct::Call { by: bina() }), hers);
    assert_eq!(done("bina", release(bina(), false)), "");
    assert_eq!(done("bina", release(bina(), false)), "+911900123456 is claimed by nobody");
    assert_eq!(done("bina", MissedAct::Claim { by: bina() }), "");
    assert_eq!(done("asha", release(asha(), true)), "", "an administrator");
    // What a desk of another make has claimed for its agents is theirs, and its own to end.
    assert_eq!(done("crm", MissedAct::Claim { by: bina() }), "");
    assert_eq!(done("asha", MissedAct::Close { by: bina() }), hers);
    assert_eq!(done("crm", MissedAct::Claim { by: asha() }), hers, "nor to pass on");
    assert_eq!(done("bina", release(bina(), false)), "");
    assert_eq!(done("crm", MissedAct::Claim { by: bina() }), "");
    assert_eq!(done("crm", MissedAct::Close { by: bina() }), "");
}
