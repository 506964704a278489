//! The load tester tested without a switch: callers call the agents' phones straight, over real
//! sockets, and with no switch in between nothing may be lost and everything must reconcile.

use pukar::load::{self, Arrivals, Plan, Report, Span, Transport};
use pukar::wire::g711::Law;
use std::time::Duration;

/// Ports of their own for each test, as tests run side by side.
fn direct(callers: u32, rtp_from: u16) -> Plan {
    let mut plan = Plan::new("127.0.0.1:5060".parse().unwrap());
    (plan.callers, plan.agents, plan.direct) = (callers, callers, true);
    plan.arrivals = Arrivals::Over(Duration::from_millis(300));
    plan.manner.talk = Span::millis(1_300, 1_800);
    plan.manner.ring = Span::millis(10, 150);
    (plan.manner.decline_percent, plan.manner.ignore_percent) = (0, 0);
    plan.impatient_percent = 0;
    (plan.seconds, plan.rtp_from) = (10, rtp_from);
    plan
}

fn run(plan: &Plan) -> Report {
    load::run(plan, &mut |_| {}).unwrap()
}

#[test]
fn zero_loss_is_reported_as_zero() {
    let report = run(&direct(20, 50_000));
    assert!(report.passed, "{report}");
    assert_eq!((report.calls.offered, report.calls.answered), (20, 20));
    assert_eq!((report.voice.lost, report.voice.duplicates, report.voice.odd), (0, 0, 0));
    assert!(report.voice.bridged > 20 * 2 * 50, "{report}");
    assert!(report.voice.delay_ms.p50 > 0.0, "{report}");
}

#[test]
fn calls_over_tcp_in_the_other_law_reconcile_too() {
    let mut plan = direct(8, 51_000);
    plan.transport = Transport::Tcp;
    (plan.callers_law, plan.agents_law) = (Law::Mu, Law::Mu);
    let report = run(&plan);
    assert!(report.passed, "{report}");
    assert_eq!(report.calls.answered, 8);
}

#[test]
fn callers_who_lose_patience_and_agents_who_decline_are_told_apart() {
    let mut plan = direct(30, 52_000);
    plan.manner.ring = Span::millis(300, 400);
    plan.manner.decline_percent = 30;
    plan.manner.ignore_percent = 30;
    plan.impatient_percent = 100;
    plan.patience = Span::millis(800, 1_000);
    let report = run(&plan);
    assert!(report.passed, "{report}");
    let calls = &report.calls;
    assert_eq!(calls.answered + calls.abandoned + calls.refused, 30, "{report}");
    assert!(calls.answered > 0 && calls.abandoned > 0, "{report}");
    assert_eq!(calls.refusals.get(&486), Some(&calls.refused), "{report}");
    assert_eq!(
        (report.offers.declined, report.offers.unanswered),
        (calls.refused, calls.abandoned)
    );
}

#[test]
fn signalling_alone_reconciles() {
    let mut plan = direct(40, 53_000);
    plan.media = false;
    let report = run(&plan);
    assert!(report.passed, "{report}");
    assert_eq!((report.calls.answered, report.voice.sent), (40, 0));
}

#[test]
fn a_switch_that_is_silent_fails_the_test() {
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut plan = direct(2, 54_000);
    (plan.direct, plan.target) = (false, deaf.local_addr().unwrap());
    (plan.seconds, plan.drain) = (1, Duration::from_millis(200));
    let report = run(&plan);
    assert!(!report.passed);
    assert_eq!(report.calls.failed, 2, "{report}");
}

#[test]
fn the_report_is_readable_by_machines() {
    let json = load::Report::default().to_json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["calls"]["offered"], 0);
    assert!(value["voice"]["lost_in_switch"].is_u64());
}
