//! Behaviours of the server's half of digest.

use super::super::Session;
use super::*;
use crate::sip::Login;

const URI: &str = "sip:pukar.example";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn at(seconds: u64) -> Now {
    Now { instant: Instant(seconds * 1_000_000), ..Now::default() }
}

fn verifier() -> Verifier {
    Verifier::new(&mut Rng::new(7))
}

fn secret() -> Secret {
    Secret("correct horse".into())
}

fn session(values: &[String]) -> Session {
    Session::new(values.iter().map(String::as_str), &mut Rng::new(3)).unwrap()
}

fn answer(session: &mut Session, password: &str) -> Credentials {
    let login = Login { user: "op1".into(), secret: Secret(password.into()) };
    Credentials::parse(&session.answer(&login, "REGISTER", URI)).unwrap()
}

fn check(verifier: &mut Verifier, now: Now, given: &Credentials) -> Checked {
    verifier.check(now, (given, HERE), Some(&secret()), ("REGISTER", URI))
}

#[test]
fn the_stronger_hash_stands_first_in_a_challenge() {
    let values = verifier().challenge(at(1), ("pukar", HERE), false);
    assert!(values[0].contains("algorithm=SHA-256") && values[1].contains("algorithm=MD5"));
    assert!(values.iter().all(|v| v.contains("qop=\"auth\"") && !v.contains("stale")));
    assert!(verifier().challenge(at(1), ("pukar", HERE), true)[0].ends_with("stale=true"));
}

#[test]
fn every_algorithm_that_is_offered_is_verified() {
    let mut verifier = verifier();
    for name in ["SHA-256", "MD5", "SHA-256-sess", "MD5-sess"] {
        let values = verifier.challenge(at(1), ("pukar", HERE), false);
        let value = values[1].replace("algorithm=MD5", &format!("algorithm={name}"));
        let mut session = session(&[value]);
        let right = answer(&mut session, "correct horse");
        assert_eq!(check(&mut verifier, at(2), &right), Checked::Right, "{name}");
        let wrong = answer(&mut session, "correct horsf");
        assert_eq!(check(&mut verifier, at(2), &wrong), Checked::Wrong, "{name}");
    }
}

#[test]
fn a_count_is_good_once_and_may_come_late() {
    let mut verifier = verifier();
    let mut session = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let answers: Vec<_> = (0..70).map(|_| answer(&mut session, "correct horse")).collect();
    for n in [0, 2, 1, 69, 68, 6] {
        assert_eq!(check(&mut verifier, at(2), &answers[n]), Checked::Right, "{n}");
        assert_eq!(check(&mut verifier, at(2), &answers[n]), Checked::Stale, "{n} again");
    }
    assert_eq!(check(&mut verifier, at(2), &answers[4]), Checked::Stale, "too late");
    for n in [0, 1, 2] {
        assert_eq!(check(&mut verifier, at(2), &answers[n]), Checked::Stale, "{n} at last");
    }
}

#[test]
fn an_old_or_foreign_nonce_is_stale_whatever_the_password() {
    let mut verifier = verifier();
    let mut old = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    for password in ["correct horse", "guess"] {
        let given = answer(&mut old, password);
        assert_eq!(check(&mut verifier, at(301), &given), Checked::Stale);
    }
    let mut other = Verifier::new(&mut Rng::new(8));
    let mut foreign = session(&other.challenge(at(1), ("pukar", HERE), false));
    let given = answer(&mut foreign, "correct horse");
    assert_eq!(check(&mut verifier, at(2), &given), Checked::Stale);
}

#[test]
fn a_user_who_does_not_exist_looks_like_a_wrong_password() {
    let mut verifier = verifier();
    let mut session = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let given = answer(&mut session, "anything");
    let verdict = verifier.check(at(2), (&given, HERE), None, ("REGISTER", URI));
    assert_eq!(verdict, Checked::Wrong);
    assert_eq!(check(&mut verifier, at(2), &given), Checked::Wrong);
    assert!(verifier.used.is_empty());
}

#[test]
fn an_answer_to_another_request_is_unfit() {
    let mut verifier = verifier();
    let mut session = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let given = answer(&mut session, "correct horse");
    let other =
        verifier.check(at(2), (&given, HERE), Some(&secret()), ("REGISTER", "sip:elsewhere"));
    assert_eq!(other, Checked::Unfit);
    let method = verifier.check(at(2), (&given, HERE), Some(&secret()), ("INVITE", URI));
    assert_eq!(method, Checked::Wrong);
    let spelt = ("REGISTER", "sip:PUKAR.example;transport=udp");
    assert_eq!(verifier.check(at(2), (&given, HERE), Some(&secret()), spelt), Checked::Right);
}

#[test]
fn an_answer_without_qop_is_good_for_one_request_and_md5_only() {
    let mut verifier = verifier();
    let value = verifier.challenge(at(1), ("pukar", HERE), false)[1].replace(", qop=\"auth\"", "");
    let given = answer(&mut session(&[value]), "correct horse");
    assert_eq!(check(&mut verifier, at(2), &given), Checked::Right);
    assert_eq!(check(&mut verifier, at(2), &given), Checked::Stale);
    let value = "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"0\"";
    assert!(Credentials::parse(value).is_some());
    assert!(Credentials::parse(&format!("{value}, algorithm=SHA-256")).is_none());
    assert!(Credentials::parse(&format!("{value}, qop=auth, nc=1, cnonce=\"c\"")).is_none());
    assert!(Credentials::parse(&format!("{value}, qop=auth-int")).is_none());
}

#[test]
fn two_who_are_challenged_at_once_get_different_nonces() {
    let mut verifier = verifier();
    let mut first = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let mut second = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    for session in [&mut first, &mut second] {
        let given = answer(session, "correct horse");
        assert_eq!(check(&mut verifier, at(1), &given), Checked::Right);
    }
}

#[test]
fn the_table_of_used_nonces_is_bounded_and_eviction_opens_no_door() {
    let mut verifier = verifier();
    let mut session = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let given = answer(&mut session, "correct horse");
    assert_eq!(check(&mut verifier, at(1), &given), Checked::Right);
    for number in 0..limits::NONCES_MAX as u64 {
        assert!(verifier.count(at(2), Instant(2_000_000 + number), Some(1)));
    }
    assert_eq!(verifier.used.len(), limits::NONCES_MAX);
    assert_eq!(check(&mut verifier, at(3), &given), Checked::Stale);
    verifier.count(at(400), at(400).instant, Some(1));
    assert_eq!(verifier.used.len(), 1);
}

#[test]
fn a_restored_verifier_still_knows_its_nonces_and_their_uses() {
    let mut verifier = verifier();
    let mut session = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let first = answer(&mut session, "correct horse");
    assert_eq!(check(&mut verifier, at(2), &first), Checked::Right);
    let text = serde_json::to_string(&verifier).unwrap();
    let mut verifier: Verifier = serde_json::from_str(&text).unwrap();
    assert_eq!(check(&mut verifier, at(2), &first), Checked::Stale);
    let second = answer(&mut session, "correct horse");
    assert_eq!(check(&mut verifier, at(2), &second), Checked::Right);
}

#[test]
fn a_nonce_is_good_only_from_where_it_was_asked_for() {
    let mut verifier = verifier();
    let mut session = session(&verifier.challenge(at(1), ("pukar", HERE), false));
    let there = "192.0.2.8".parse().unwrap();
    for password in ["correct horse", "guess"] {
        let given = answer(&mut session, password);
        let verdict = verifier.check(at(2), (&given, there), Some(&secret()), ("REGISTER", URI));
        assert_eq!(verdict, Checked::Stale);
        assert!(verifier.has_challenged(&given, HERE) && !verifier.has_challenged(&given, there));
    }
    let given = answer(&mut session, "correct horse");
    assert_eq!(check(&mut verifier, at(2), &given), Checked::Right);
}
