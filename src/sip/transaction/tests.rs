//! The four machines, walked by hand along the figures of RFC 3261 section 17 and RFC 6026.

use super::*;

const UDP: Timing = Timing {
    t1: Duration::from_millis(500),
    t2: Duration::from_secs(4),
    t4: Duration::from_secs(5),
    reliable: false,
};
const TCP: Timing = Timing { reliable: true, ..UDP };

fn millis(alarm: Alarm) -> Option<u128> {
    match alarm {
        Alarm::In(span) => Some(span.as_millis()),
        Alarm::Keep | Alarm::Stop => None,
    }
}

#[test]
fn an_invite_is_sent_again_at_doubling_intervals_until_something_comes() {
    let (mut state, todo) =
        client_invite::step(client_invite::State::new(), ClientInput::Start, &UDP);
    assert_eq!((millis(todo.repeat), millis(todo.give_up)), (Some(500), Some(32_000)));
    for expected in [1_000, 2_000, 4_000, 8_000, 16_000] {
        let (next, todo) = client_invite::step(state, ClientInput::Repeat, &UDP);
        assert!(todo.send);
        assert_eq!(millis(todo.repeat), Some(expected));
        state = next;
    }
    let (state, todo) = client_invite::step(state, ClientInput::Provisional, &UDP);
    assert!(todo.tell && !todo.send);
    assert_eq!((state, todo.repeat), (client_invite::State::Proceeding, Alarm::Stop));
    let (_, todo) = client_invite::step(state, ClientInput::Repeat, &UDP);
    assert_eq!(todo, Todo::default());
}

#[test]
fn a_failed_invite_is_acknowledged_as_often_as_the_failure_comes() {
    let state = client_invite::State::Proceeding;
    let (state, todo) = client_invite::step(state, ClientInput::Failure, &UDP);
    assert!(todo.ack && todo.tell && !todo.over);
    assert_eq!(millis(todo.forget), Some(32_000));
    let (state, todo) = client_invite::step(state, ClientInput::Failure, &UDP);
    assert!(todo.ack && !todo.tell);
    let (_, todo) = client_invite::step(state, ClientInput::Forget, &UDP);
    assert!(todo.over);
    let (_, todo) =
        client_invite::step(client_invite::State::Proceeding, ClientInput::Failure, &TCP);
    assert!(todo.ack && todo.over, "timer D is zero where nothing is repeated");
}

#[test]
fn every_2xx_of_an_invite_reaches_its_user() {
    let calling = client_invite::State::new();
    let (state, todo) = client_invite::step(calling, ClientInput::Success, &TCP);
    assert!(todo.tell && !todo.ack);
    assert_eq!(millis(todo.forget), Some(32_000), "timer M, also on TCP");
    let (state, todo) = client_invite::step(state, ClientInput::Success, &TCP);
    assert!(todo.tell);
    let (_, todo) = client_invite::step(state, ClientInput::Failure, &TCP);
    assert_eq!(todo, Todo::default());
}

#[test]
fn a_cancelled_invite_does_not_wait_for_ever() {
    let state = client_invite::State::Proceeding;
    let (state, todo) = client_invite::step(state, ClientInput::Cancelled, &UDP);
    assert_eq!(millis(todo.give_up), Some(32_000));
    let (_, todo) = client_invite::step(state, ClientInput::GiveUp, &UDP);
    assert!(todo.timeout && todo.over);
}

#[test]
fn other_requests_are_repeated_up_to_t2_and_slowly_once_they_proceed() {
    let (mut state, _) = client::step(client::State::new(), ClientInput::Start, &UDP);
    for expected in [1_000, 2_000, 4_000, 4_000] {
        let (next, todo) = client::step(state, ClientInput::Repeat, &UDP);
        assert_eq!(millis(todo.repeat), Some(expected));
        state = next;
    }
    let (state, _) = client::step(state, ClientInput::Provisional, &UDP);
    let (state, todo) = client::step(state, ClientInput::Repeat, &UDP);
    assert_eq!((todo.send, millis(todo.repeat)), (true, Some(4_000)));
    let (_, todo) = client::step(state, ClientInput::GiveUp, &UDP);
    assert!(todo.timeout && todo.over);
    let (state, todo) = client::step(state, ClientInput::Success, &UDP);
    assert_eq!((todo.tell, millis(todo.forget)), (true, Some(5_000)));
    assert_eq!(client::step(state, ClientInput::Success, &UDP).1, Todo::default());
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let state = server_invite::State::Proceeding;
    let (state, todo) = server_invite::step(state, ServerInput::Failure, &UDP);
    assert!(todo.send);
    assert_eq!((millis(todo.repeat), millis(todo.give_up)), (Some(500), Some(32_000)));
    let (state, todo) = server_invite::step(state, ServerInput::Repeat, &UDP);
    assert_eq!((todo.send, millis(todo.repeat)), (true, Some(1_000)));
    let (state, todo) = server_invite::step(state, ServerInput::Ack, &UDP);
    assert_eq!((state, millis(todo.forget)), (server_invite::State::Confirmed, Some(5_000)));
    let (state, todo) = server_invite::step(state, ServerInput::Ack, &UDP);
    assert_eq!(todo, Todo::default(), "further ACKs are absorbed");
    assert!(server_invite::step(state, ServerInput::Forget, &UDP).1.over);
}

#[test]
fn repeats_of_an_answered_invite_are_absorbed() {
    let state = server_invite::State::Proceeding;
    let (state, todo) = server_invite::step(state, ServerInput::Success, &TCP);
    assert_eq!((todo.send, millis(todo.forget)), (true, Some(32_000)));
    assert_eq!(server_invite::step(state, ServerInput::Request, &TCP).1, Todo::default());
    assert!(server_invite::step(state, ServerInput::Ack, &TCP).1.tell);
}

#[test]
fn the_answer_to_another_request_is_given_again_on_each_repeat() {
    let (state, todo) = server::step(server::State::Trying, ServerInput::Request, &UDP);
    assert_eq!(todo, Todo::default());
    let (state, todo) = server::step(state, ServerInput::Success, &UDP);
    assert_eq!((todo.send, millis(todo.forget)), (true, Some(32_000)));
    assert!(server::step(state, ServerInput::Request, &UDP).1.send);
    let (_, todo) = server::step(server::State::Trying, ServerInput::Success, &TCP);
    assert!(todo.send && todo.over);
}
