//! Behaviours of the gate.

use super::*;
use crate::base::{Now, Timers};
use crate::sip::digest::Session;
use crate::sip::{Login, Secret};

const URI: &str = "sip:pukar.example";

/// The gate with a clock, and phones that knock.
struct Gate {
    access: Access,
    rules: Rules,
    rng: Rng,
    timers: Timers,
    now: u64,
    peer: SocketAddr,
}

impl Gate {
    fn new() -> Self {
        let user =
            |name: &str, digest| User { name: name.into(), secret: Secret("right".into()), digest };
        let settings = Settings {
            domains: vec!["pukar.example".into()],
            users: vec![user("op1", Algorithms::Both), user("old", Algorithms::Md5)],
            lock_after: 3,
            ..Settings::default()
        };
        let mut rng = Rng::new(5);
        Self {
            access: Access::new(&mut rng),
            rules: Rules::new(&settings),
            rng,
            timers: Timers::default(),
            now: 1_000,
            peer: "192.0.2.7:5062".parse().unwrap(),
        }
    }

    fn knock(&mut self, answers: &[&str]) -> Verdict {
        self.knock_as("op1", answers)
    }

    fn knock_as(&mut self, from: &str, answers: &[&str]) -> Verdict {
        let now = Now { instant: Instant(self.now * 1_000_000), ..Now::default() };
        let mut cx = Cx { now, rng: &mut self.rng, timers: &mut self.timers };
        let knock = Knock { method: "REGISTER", uri: URI, answers, from, peer: self.peer };
        self.access.judge(&mut cx, &self.rules, knock)
    }

    fn challenge(&mut self) -> Session {
        let Verdict::Challenge { values, .. } = self.knock(&[]) else { panic!("no challenge") };
        Session::new(values.iter().map(String::as_str), &mut self.rng).unwrap()
    }

    fn attempt(&mut self, user: &str, password: &str) -> Verdict {
        let mut session = self.challenge();
        let login = Login { user: user.into(), secret: Secret(password.into()) };
        let value = session.answer(&login, "REGISTER", URI);
        self.knock(&[&value])
    }
}

fn wrong() -> Verdict {
    Verdict::Forbid { retry_after: None, locked: None }
}

fn locked(user: &str, seconds: u32) -> Verdict {
    Verdict::Forbid { retry_after: Some(seconds), locked: Some(user.into()) }
}

fn still_locked(seconds: u32) -> Verdict {
    Verdict::Forbid { retry_after: Some(seconds), locked: None }
}

#[test]
fn no_credentials_are_challenged_right_ones_accepted_wrong_ones_forbidden() {
    let mut gate = Gate::new();
    assert!(matches!(gate.knock(&[]), Verdict::Challenge { stale: false, .. }));
    assert_eq!(gate.attempt("op1", "right"), Verdict::Accept("op1".into()));
    assert_eq!(gate.attempt("op1", "wrong"), wrong());
}

#[test]
fn other_schemes_and_realms_are_no_credentials() {
    let mut gate = Gate::new();
    // RFC 4475 section 3.3.7 (regaut01).
    let unknown = "NoOneKnowsThisScheme opaque-data=here";
    assert!(matches!(gate.knock(&[unknown]), Verdict::Challenge { stale: false, .. }));
    let login = Login { user: "op1".into(), secret: Secret("right".into()) };
    let value = gate.challenge().answer(&login, "REGISTER", URI);
    let other = value.replace("realm=\"pukar.example\"", "realm=\"other\"");
    assert!(matches!(gate.knock(&[&other]), Verdict::Challenge { .. }));
    assert_eq!(gate.knock(&[unknown, &other, &value]), Verdict::Accept("op1".into()));
}

#[test]
fn wrong_passwords_lock_the_user_from_that_source_only() {
    let mut gate = Gate::new();
    assert_eq!(gate.attempt("op1", "a"), wrong());
    assert_eq!(gate.attempt("op1", "b"), wrong());
    assert_eq!(gate.attempt("op1", "c"), locked("op1", 60));
    gate.now += 20;
    assert_eq!(gate.attempt("op1", "right"), still_locked(40));
    gate.peer.set_ip("192.0.2.8".parse().unwrap());
    assert_eq!(gate.attempt("op1", "right"), Verdict::Accept("op1".into()));
    gate.peer.set_ip("192.0.2.7".parse().unwrap());
    gate.peer.set_port(9);
    assert_eq!(gate.attempt("op1", "right"), still_locked(40));
    gate.now += 40;
    assert_eq!(gate.attempt("op1", "right"), Verdict::Accept("op1".into()));
}

#[test]
fn each_further_lock_is_longer_up_to_an_hour() {
    let mut gate = Gate::new();
    for seconds in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
        gate.attempt("op1", "a");
        gate.attempt("op1", "a");
        assert_eq!(gate.attempt("op1", "a"), locked("op1", seconds));
        gate.now += u64::from(seconds);
    }
    gate.now += 3_600;
    gate.attempt("op1", "a");
    gate.attempt("op1", "a");
    assert_eq!(gate.attempt("op1", "a"), locked("op1", 60));
}

#[test]
fn wrong_passwords_are_counted_within_ten_minutes_and_forgiven_by_a_right_one() {
    let mut gate = Gate::new();
    gate.attempt("op1", "a");
    gate.attempt("op1", "a");
    gate.now += 600;
    assert_eq!(gate.attempt("op1", "a"), wrong());
    gate.attempt("op1", "a");
    assert_eq!(gate.attempt("op1", "right"), Verdict::Accept("op1".into()));
    assert_eq!(gate.access.offenders.len(), 0);
    assert_eq!(gate.attempt("op1", "a"), wrong());
}

#[test]
fn a_user_who_does_not_exist_is_treated_like_one_who_does() {
    let mut gate = Gate::new();
    assert_eq!(gate.attempt("nobody", "a"), wrong());
    assert_eq!(gate.attempt("nobody", "a"), wrong());
    assert_eq!(gate.attempt("nobody", "a"), locked("nobody", 60));
    assert_eq!(gate.attempt("nobody", "a"), still_locked(60));
    assert_eq!(gate.attempt("op1", "right"), Verdict::Accept("op1".into()));
}

#[test]
fn a_replayed_answer_is_challenged_again_and_not_counted() {
    let mut gate = Gate::new();
    let login = Login { user: "op1".into(), secret: Secret("right".into()) };
    let value = gate.challenge().answer(&login, "REGISTER", URI);
    assert_eq!(gate.knock(&[&value]), Verdict::Accept("op1".into()));
    for _ in 0..5 {
        assert!(matches!(gate.knock(&[&value]), Verdict::Challenge { stale: true, .. }));
    }
    assert_eq!(gate.access.offenders.len(), 0);
}

#[test]
fn an_answer_to_another_request_is_unfit() {
    let mut gate = Gate::new();
    let login = Login { user: "op1".into(), secret: Secret("right".into()) };
    let value = gate.challenge().answer(&login, "REGISTER", "sip:elsewhere");
    assert_eq!(gate.knock(&[&value]), Verdict::Unfit);
}

#[test]
fn a_flood_is_sent_away_and_others_are_not() {
    let mut gate = Gate::new();
    let challenged =
        (0..2_000).filter(|_| matches!(gate.knock(&[]), Verdict::Challenge { .. })).count();
    assert_eq!(challenged, 501);
    assert_eq!(gate.knock(&[]), Verdict::Busy { retry_after: 1 });
    gate.peer.set_ip("192.0.2.8".parse().unwrap());
    assert!(matches!(gate.knock(&[]), Verdict::Challenge { .. }));
    gate.peer.set_ip("192.0.2.7".parse().unwrap());
    gate.now += 1;
    assert!(matches!(gate.knock(&[]), Verdict::Challenge { .. }));
}

#[test]
fn trying_many_users_from_one_source_is_slowed_down() {
    let mut gate = Gate::new();
    let login = |n: u32| Login { user: format!("u{n}"), secret: Secret("a".into()) };
    let mut session = gate.challenge();
    let tried = (0..1_000)
        .take_while(|&n| {
            let value = session.answer(&login(n), "REGISTER", URI);
            gate.knock(&[&value]) == wrong()
        })
        .count();
    assert_eq!(tried, 50);
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one_source() {
    let a = source("2001:db8::1".parse().unwrap());
    assert_eq!(a, source("2001:db8::ffff:2".parse().unwrap()));
    assert_ne!(a, source("2001:db8:0:1::1".parse().unwrap()));
    assert_eq!(source("::ffff:192.0.2.1".parse().unwrap()), source("192.0.2.1".parse().unwrap()));
}

#[test]
fn the_tables_are_bounded_and_a_lock_outlives_a_flood_of_names() {
    let mut gate = Gate::new();
    for _ in 0..3 {
        gate.attempt("op1", "a");
    }
    let now = Instant(gate.now * 1_000_000);
    for n in 0..limits::OFFENDERS_MAX + 10 {
        gate.access.count_wrong(now, format!("192.0.2.9 {n}"), 3);
    }
    assert_eq!(gate.access.offenders.len(), limits::OFFENDERS_MAX);
    assert_eq!(gate.attempt("op1", "right"), still_locked(60));
    assert_eq!(head(&"ä".repeat(100)).len(), 128);
}

#[test]
fn a_restored_gate_is_the_same_and_tells_no_secret() {
    let mut gate = Gate::new();
    gate.attempt("op1", "wrong-one");
    let text = serde_json::to_string(&gate.access).unwrap();
    assert!(serde_json::from_str::<Access>(&text).unwrap() == gate.access);
    assert!(!text.contains("right") && !text.contains("wrong-one"));
    assert!(!format!("{:?}", gate.rules).contains("right"));
}

#[test]
fn everyone_is_offered_sha_256_before_md5_but_whose_phone_does_not_know_it() {
    let mut gate = Gate::new();
    for (from, algorithms) in
        [("op1", &["SHA-256", "MD5"][..]), ("nobody", &["SHA-256", "MD5"]), ("old", &["MD5"])]
    {
        let Verdict::Challenge { values, .. } = gate.knock_as(from, &[]) else { panic!("{from}") };
        let offered: Vec<_> =
            values.iter().map(|v| v.split("algorithm=").nth(1).unwrap()).collect();
        let offered: Vec<_> = offered.iter().map(|v| v.split(',').next().unwrap()).collect();
        assert_eq!(offered, algorithms, "{from}");
        let mut session = Session::new(values.iter().map(String::as_str), &mut gate.rng).unwrap();
        let login = Login { user: from.into(), secret: Secret("right".into()) };
        let answer = session.answer(&login, "REGISTER", URI);
        assert!(answer.contains(&format!("algorithm={}", algorithms[0])), "{answer}");
        assert_eq!(
            gate.knock_as(from, &[&answer]) == Verdict::Accept(from.into()),
            from != "nobody"
        );
    }
}

#[test]
fn who_writes_another_address_on_his_datagrams_locks_nobody_there() {
    let mut gate = Gate::new();
    let call_centre = gate.peer;
    gate.peer.set_ip("203.0.113.66".parse().unwrap());
    let mut session = gate.challenge();
    let login = Login { user: "op1".into(), secret: Secret("wrong".into()) };
    gate.peer = call_centre;
    for _ in 0..20 {
        let value = session.answer(&login, "REGISTER", URI);
        assert!(matches!(gate.knock(&[&value]), Verdict::Challenge { stale: true, .. }));
    }
    assert_eq!(gate.access.offenders.len(), 0);
    assert_eq!(gate.attempt("op1", "right"), Verdict::Accept("op1".into()));
}

#[test]
fn who_was_challenged_there_is_heard_through_the_noise_of_others() {
    let mut gate = Gate::new();
    let login = Login { user: "op1".into(), secret: Secret("right".into()) };
    let mut session = gate.challenge();
    while !matches!(gate.knock(&[]), Verdict::Busy { .. }) {}
    let value = session.answer(&login, "REGISTER", URI);
    assert_eq!(gate.knock(&[&value]), Verdict::Accept("op1".into()));
    // Its nonce grows old, and the noise goes on: it gets another.
    gate.now += 301;
    while !matches!(gate.knock(&[]), Verdict::Busy { .. }) {}
    let value = session.answer(&login, "REGISTER", URI);
    let verdict = gate.knock(&[&value]);
    let Verdict::Challenge { stale: true, values } = verdict else { panic!("{verdict:?}") };
    let mut session = Session::new(values.iter().map(String::as_str), &mut gate.rng).unwrap();
    let value = session.answer(&login, "REGISTER", URI);
    assert_eq!(gate.knock(&[&value]), Verdict::Accept("op1".into()));
}
