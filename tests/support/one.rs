//! A switch with one caller who waits, and one agent who is not there yet.

use super::sipp::{Plan, Sipp};
use super::street::PHONE;
use super::switch::Switch;
use serde_json::json;

/// Somebody has to serve the queue, and does not yet.
pub const ONE: &str = "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\n\
                   contact = \"sip:op1@NET.3:5060\"\n";

/// A switch with one caller who waits; the id of the call.
pub fn with_a_caller(switch: &mut Switch) -> (Sipp, String) {
    let caller = Plan { scenario: "caller", ..Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    switch.until("queue.joined", |_| true);
    (caller, live(switch))
}

/// The id of the one call that there is.
pub fn live(switch: &mut Switch) -> String {
    let calls = switch.ask("calls.list");
    let calls = calls.as_array().unwrap();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    calls[0]["id"].as_str().unwrap().into()
}

/// The caller is served as if nothing had been.
pub fn is_served(switch: &mut Switch, caller: Sipp) {
    let phone = Plan { scenario: "agent", house: PHONE, ..Plan::default() };
    let phone = Sipp::answers(&switch.street, phone);
    switch.admin.ask("agents.set", json!({"agent": "op1", "state": "ready"})).unwrap();
    caller.succeeds();
    phone.succeeds();
}
