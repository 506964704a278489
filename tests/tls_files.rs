//! The files of SIP over TLS: those that will not do are named, a reload brings others, and whoever
//! runs out is told of in time.

mod support;

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;
use support::agents::{OLD_PHONE, READY, REGISTERS, agent};
use support::certs;
use support::program::text_of;
use support::street::{SWITCH, Street};
use support::switch::{HELPLINE, Switch};
use support::tls::connect;
use support::{Deadline, PATIENCE};

fn op1() -> String {
    agent("op1", &["name = \"सीमा\"", REGISTERS, READY, OLD_PHONE])
}

#[test]
fn files_that_will_not_do_for_tls_are_named_with_what_to_do_and_no_key_is_told() {
    let street = Street::new();
    let ours = certs::issue(&street, &[SWITCH]);
    let key = std::fs::read_to_string(&ours.key).unwrap();
    let secret = key.lines().nth(1).unwrap().to_string();
    let dir = street.dir().display().to_string();
    let check_text = |text: String| {
        let file = street.dir().join("tls.toml");
        std::fs::write(&file, text).unwrap();
        let mut pukar = Command::new(env!("CARGO_BIN_EXE_pukar"));
        let output = pukar.arg("check").arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(&secret), "{said}");
        (output.status.code(), said)
    };
    let listens = "[sip]\nlisten = [\"tls:127.0.0.1:5061\"]\n";
    let check = |certificate: &str, key: &str| {
        check_text(format!(
            "{listens}tls = {{ certificate = \"{dir}/{certificate}\", key = \"{dir}/{key}\" }}\n"
        ))
    };
    let (_, said) = check_text(listens.into());
    assert!(said.contains("listen has tls:, and there is no certificate"), "{said}");
    let (_, said) = check_text(format!("{listens}tls = {{ certificate = \"a.pem\" }}\n"));
    assert!(said.contains("key"), "{said}");
    let (_, said) = check("nowhere.pem", "server.key");
    assert!(said.contains("nowhere.pem: the certificate cannot be read: No such file"), "{said}");
    let (_, said) = check("server.key", "server.key");
    assert!(said.contains("there is no certificate in it"), "{said}");
    let (_, said) = check("server.pem", "server.pem");
    assert!(said.contains("there is no key in it"), "{said}");
    let (code, said) = check("server.pem", "a.key");
    assert!(code == Some(2) && said.contains("do not go together"), "{said}");
    std::fs::write(street.dir().join("torn.key"), format!("-----BEGIN {secret}")).unwrap();
    let (_, said) = check("server.pem", "torn.key");
    assert!(said.contains("it is not in PEM"), "{said}");
}

#[test]
fn a_reload_brings_another_certificate_and_one_that_is_spoilt_changes_nothing() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1()]);
    let is_reached = |switch: &Switch| {
        let mut phone = connect(switch);
        let mut pong = [0; 2];
        phone.write_all(b"\r\n\r\n").and_then(|()| phone.read_exact(&mut pong)).is_ok()
    };
    assert!(is_reached(&switch));
    // Another authority, and another certificate from it.
    certs::issue(&switch.street, &[SWITCH]);
    assert!(!is_reached(&switch), "the old one is none of the new authority's");
    switch.program().signal(libc::SIGHUP);
    switch.program().line_with("the new configuration is in force");
    assert!(is_reached(&switch));
    std::fs::write(switch.street.dir().join("server.key"), "no key").unwrap();
    switch.program().signal(libc::SIGHUP);
    switch.program().line_with("the key cannot be read");
    assert!(is_reached(&switch), "the one before is in force");
    switch.records();
}

#[test]
fn a_certificate_that_runs_out_is_told_of_and_one_that_has_is_not_taken() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1()]);
    let said = switch.program().said();
    assert!(said.contains("the certificate is good for 1 days more"), "{said}");
    let until = |switch: &mut Switch| {
        let metrics = switch.metrics();
        let name = "\npukar_certificate_expires_timestamp_seconds ";
        let value = metrics.split_once(name).expect("a gauge").1;
        value.lines().next().unwrap().parse::<f64>().unwrap()
    };
    let first = until(&mut switch);
    certs::sign(&switch.street, "server", &[SWITCH], 30);
    switch.program().signal(libc::SIGHUP);
    switch.program().line_with("the new configuration is in force");
    let days = (until(&mut switch) - first) / 86_400.0;
    assert!((27.9..28.1).contains(&days), "{days} days");
    certs::sign(&switch.street, "server", &[SWITCH], -1);
    switch.configure(|text| {
        format!("{text}\n[[agent]]\nid = \"op2\"\ncontact = \"sip:op2@127.0.0.9\"\n")
    });
    switch.program().signal(libc::SIGHUP);
    switch.program().line_with("the one before stays in force");
    let deadline = Deadline::after(PATIENCE);
    while switch.ask("agents.list").as_array().unwrap().len() < 2 {
        assert!(deadline.left().is_some(), "the rest is not reloaded");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(until(&mut switch) > first, "the one before is in force");
    let mut pong = [0; 2];
    let mut phone = connect(&switch);
    phone.write_all(b"\r\n\r\n").and_then(|()| phone.read_exact(&mut pong)).unwrap();
    switch.records();
}

/// The second opinion: another implementation, and the older version.
#[test]
fn openssl_finds_the_chain_in_order_with_tls_1_2_and_1_3() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let switch = Switch::secured(street, &[HELPLINE, &op1()]);
    let at = format!("{}:5061", switch.street.ip(SWITCH));
    for version in ["-tls1_2", "-tls1_3"] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &at, version, "-verify_return_error", "-CAfile"]);
        openssl.arg(certs::authority(&switch.street)).stdin(std::process::Stdio::null());
        let said = text_of(&mut openssl);
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    }
    switch.records();
}
