//! Registrations over real sockets: what a phone is offered to prove its password with, and how we
//! register with a carrier.

mod support;

use support::PATIENCE;
use support::agents::{OLD_PHONE, REGISTERS, SECRET, agent};
use support::digest::{Login, authorization, offered};
use support::raw::{Request, Udp, header, status};
use support::street::{PHONE, SWITCH, Street};
use support::switch::{HELPLINE, Switch};

const DOMAIN: &str = "sip:helpline.test";

/// Asks, and asks again with the proof; the algorithms that were offered, and what came of it.
fn register(switch: &Switch, user: &str, algorithm: &str) -> (Vec<String>, Option<u16>) {
    let udp = Udp::new(switch.street.ip(PHONE), switch.sip());
    let contact = format!("Contact: <sip:{user}@{}>\r\n", udp.at());
    let id = format!("{user}-{algorithm}");
    let ask = |seq, more: &str| {
        let (method, uri, transport) = ("REGISTER", DOMAIN, "UDP");
        let (from, id, more) = (udp.at(), &*id, &format!("{contact}{more}"));
        let request = Request { method, uri, transport, from, user, id, seq, more, body: "" };
        udp.send(request.text().as_bytes());
        udp.receive()
    };
    let refusal = ask(1, "");
    assert_eq!(status(&refusal), Some(401), "{refusal}");
    let login = Login { user, secret: SECRET };
    let proof = authorization(&refusal, algorithm, login, ("REGISTER", DOMAIN));
    let answer = ask(2, &proof);
    (offered(&refusal).into_iter().map(str::to_string).collect(), status(&answer))
}

#[test]
fn a_phone_proves_its_password_with_sha_256_or_md5_and_an_old_one_is_offered_md5_alone() {
    let agents = [agent("op1", &[REGISTERS]), agent("op2", &[REGISTERS, OLD_PHONE])].concat();
    let switch = Switch::start(&[HELPLINE, &agents]);
    let both = vec!["SHA-256".to_string(), "MD5".into()];
    assert_eq!(register(&switch, "op1", "SHA-256"), (both.clone(), Some(200)));
    assert_eq!(register(&switch, "op1", "MD5"), (both, Some(200)));
    assert_eq!(register(&switch, "op2", "MD5"), (vec!["MD5".to_string()], Some(200)));
    switch.records();
}

const CARRIER: u8 = 6;
const REGISTERS_THERE: &str = r#"
[[trunk]]
name = "registrar"
hosts = ["NET.6:5060"]
ping = "0s"
register = { user = "helpline", secret = "correct-horse-1" }
"#;

fn ok(request: &str) -> String {
    let field = |name| header(request, name).unwrap();
    format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=r\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Content-Length: 0\r\n\r\n",
        field("Via"),
        field("From"),
        field("To"),
        field("Call-ID"),
        field("CSeq"),
    )
}

#[test]
fn a_switch_that_ends_takes_leave_of_its_carrier_before() {
    let street = Street::new();
    let carrier = Udp::at_port(street.ip(CARRIER), 5060, street.sip(SWITCH));
    let stores = ["sqlite:DATA/records.db".into(), "jsonl:DATA/records.jsonl".into()];
    let op1 = agent("op1", &[REGISTERS]);
    let mut switch = Switch::storing(street, &stores, &[HELPLINE, REGISTERS_THERE, &op1]);
    let first = carrier.receive();
    assert_eq!(header(&first, "Expires"), Some("3600"), "{first}");
    carrier.send(ok(&first).as_bytes());
    switch.program().signal(libc::SIGTERM);
    let last = carrier.receive();
    assert!(last.starts_with("REGISTER ") && header(&last, "Expires") == Some("0"), "{last}");
    carrier.send(ok(&last).as_bytes());
    assert!(switch.program().end(PATIENCE).success());
}
