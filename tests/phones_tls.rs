//! SIP over TLS: a real telephone is called, the switch dies under it, and it is called again; a
//! trunk has to prove its name.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent};
use support::baresip::Baresip;
use support::certs::{self, Certs};
use support::digest::{Login, authorization};
use support::raw::{Request, Tcp, header};
use support::street::{CALLER, PHONE, SWITCH, Street};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE};
use support::tls::{connect, head, message, secured, secured_as};
use support::{Deadline, PATIENCE};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};

fn op1() -> String {
    agent("op1", &["name = \"सीमा\"", REGISTERS, READY, OLD_PHONE])
}

#[test]
fn a_phone_over_tls_is_called_and_after_a_crash_it_comes_back_and_is_called_again() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1()]);
    let account = format!(
        "<sip:op1@NET.1:5061;transport=tls>;auth_pass={SECRET};regint=60;answermode=auto;\
         audio_codecs=PCMA"
    );
    let phone = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    talk::until_registered(&mut switch);
    let mut caller = talk::caller(&switch.street);
    talk::call(&mut switch, &mut caller);
    switch.crash();
    // The call goes on; the phone is switched off and on again, and called once more.
    phone.die();
    caller.command("hangup", "");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    let mut phone = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    until_reachable(&mut switch);
    talk::call(&mut switch, &mut caller);
    phone.command("hangup", "");
    caller.until("CALL_CLOSED");
    switch.until_ended(2);
    let records = switch.records();
    assert_eq!(records.len(), 2, "{records:#?}");
    for record in records {
        assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &"op1".into()));
    }
}

/// The agent has a phone again: those of before the crash have gone with their connections.
fn until_reachable(switch: &mut Switch) {
    let deadline = Deadline::after(PATIENCE);
    while switch.ask("agents.list")[0]["contacts"] != 1 {
        assert!(deadline.left().is_some(), "{:#}", switch.ask("agents.list"));
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A phone of a few messages, which registers over a connection of its own.
struct Phone {
    wire: StreamOwned<ClientConnection, TcpStream>,
    at: SocketAddr,
}

impl Phone {
    fn registers(switch: &Switch, id: &str) -> Self {
        const DOMAIN: &str = "sip:helpline.test";
        let wire = connect(switch);
        let at = wire.sock.local_addr().unwrap();
        let mut phone = Self { wire, at };
        let contact = format!("Contact: <sip:op1@{at};transport=tls>\r\n");
        let mut ask = |seq, more: &str| {
            let (method, uri, transport, user) = ("REGISTER", DOMAIN, "TLS", "op1");
            let (from, more) = (at, &format!("{contact}{more}"));
            let request = Request { method, uri, transport, from, user, id, seq, more, body: "" };
            phone.wire.write_all(request.text().as_bytes()).unwrap();
            message(&mut phone.wire)
        };
        let refusal = ask(1, "");
        let login = Login { user: "op1", secret: SECRET };
        let proof = authorization(&refusal, "MD5", login, ("REGISTER", DOMAIN));
        let answer = ask(2, &proof);
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        phone
    }

    /// Waits for a request of this method, whatever else is asked before.
    fn until(&mut self, method: &str) -> String {
        loop {
            let asked = message(&mut self.wire);
            if asked.starts_with(method) {
                return asked;
            }
        }
    }

    fn answers(&mut self, request: &str, body: &str) {
        let field = |name| header(request, name).unwrap();
        let at = self.at;
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=p\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:op1@{at};transport=tls>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            field("Via"),
            field("From"),
            field("To").trim_end_matches(";tag=p"),
            field("Call-ID"),
            field("CSeq"),
            body.len()
        );
        self.wire.write_all(text.as_bytes()).unwrap();
    }
}

/// A caller talks with the telephone of op1, which has TLS; what that was asked.
fn in_a_call() -> (Switch, Phone, Baresip, String) {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1()]);
    let mut phone = Phone::registers(&switch, "before");
    let mut caller = talk::caller(&switch.street);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    let invite = phone.until("INVITE ");
    phone.answers(&invite, &sdp(phone.at));
    phone.until("ACK ");
    switch.until("call.connected", |_| true);
    (switch, phone, caller, invite)
}

#[test]
fn what_is_next_in_a_call_goes_over_the_connection_that_the_phone_has_registered_by_since() {
    let (mut switch, _before, mut caller, invite) = in_a_call();
    let contact = header(&invite, "Contact").unwrap();
    assert!(contact.contains(":5061;transport=tls>"), "{invite}");
    switch.crash();
    let mut phone = Phone::registers(&switch, "after");
    caller.command("hangup", "");
    let bye = phone.until("BYE ");
    assert!(header(&bye, "Via").unwrap().starts_with("SIP/2.0/TLS "), "{bye}");
    phone.answers(&bye, "");
    switch.until_ended(1);
    switch.records();
}

/// Nobody can say it before: the phone would be in a dead call until somebody looks at it.
#[test]
fn a_caller_who_hangs_up_while_the_phone_is_away_is_told_of_when_it_is_back() {
    let (mut switch, phone, mut caller, invite) = in_a_call();
    switch.crash();
    drop(phone);
    caller.command("hangup", "");
    switch.until_ended(1);
    let mut phone = Phone::registers(&switch, "after");
    let bye = phone.until("BYE ");
    assert_eq!(header(&bye, "Call-ID"), header(&invite, "Call-ID"), "{bye}");
    phone.answers(&bye, "");
    switch.records();
}

/// Fifty questions of a phone in a call are on their way when another program takes over, and its
/// keys end with this one.
#[test]
fn an_upgrade_answers_what_has_come_over_tls_takes_leave_and_costs_nobody_the_call() {
    let (mut switch, mut phone, mut caller, _) = in_a_call();
    let at = phone.at;
    let ask = |n: u32| {
        format!(
            "OPTIONS sip:helpline.test SIP/2.0\r\nVia: SIP/2.0/TLS {at};branch=z9hG4bKq{n}\r\n\
             From: <sip:op1@{at}>;tag=1\r\nTo: <sip:b@helpline.test>\r\nCall-ID: q{n}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nX-Long: {:01000}\r\n\
             Content-Length: 0\r\n\r\n",
            7
        )
    };
    let asked: String = (0..50).map(ask).collect();
    phone.wire.write_all(asked.as_bytes()).unwrap();
    switch.upgrade();
    let mut rest = Vec::new();
    // Without a farewell this is an error: anybody could have cut the connection.
    phone.wire.read_to_end(&mut rest).expect("close_notify");
    let rest = String::from_utf8(rest).unwrap();
    assert_eq!(rest.matches("SIP/2.0 200 OK\r\n").count(), 50, "{rest}");
    assert_eq!(switch.ask("calls.list").as_array().unwrap().len(), 1, "the call goes on");
    let mut phone = Phone::registers(&switch, "after");
    caller.command("hangup", "");
    let bye = phone.until("BYE ");
    phone.answers(&bye, "");
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(records[0]["ended_by"], "caller", "{records:#?}");
}

fn sdp(at: SocketAddr) -> String {
    let ip = at.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8\r\n"
    )
}

#[test]
fn over_tls_a_promise_of_secrecy_is_given_pings_are_answered_and_strangers_time_out_by_themselves()
{
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let switch = Switch::secured(street, &[HELPLINE, &op1()]);
    // Nobody waits for those who connect and never begin to speak.
    let at = SocketAddr::from((switch.street.ip(SWITCH), 5061));
    let silent = (0..100).map(|_| Tcp::new(switch.street.ip(CALLER), at));
    let _silent: Vec<Tcp> = silent.collect();
    let mut phone = connect(&switch);
    // Those have three seconds.
    phone.sock.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    phone.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    phone.read_exact(&mut pong).expect("a pong before the silent have had their time");
    phone.sock.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(&pong, b"\r\n");
    let at = phone.sock.local_addr().unwrap();
    let ask = |scheme: &str| {
        format!(
            "OPTIONS {scheme}:probe@helpline.test SIP/2.0\r\nVia: SIP/2.0/TLS {at};rport;\
             branch=z9hG4bK{scheme}\r\nFrom: <sip:a@{at}>;tag=1\r\nTo: <sip:b@helpline.test>\r\n\
             Call-ID: {scheme}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for scheme in ["sip", "sips"] {
        phone.write_all(ask(scheme).as_bytes()).unwrap();
        let answer = head(&mut phone);
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        assert!(header(&answer, "Via").unwrap().starts_with("SIP/2.0/TLS "), "{answer}");
    }
    switch.records();
}

const CARRIER: u8 = 6;

fn trunk(host: &str) -> String {
    format!("[[trunk]]\nname = \"far\"\nhosts = [\"tls:{host}\"]\nping = \"1s\"\n")
}

/// The far end of a trunk over TLS, for one connection.
fn carrier(street: &Street, certs: &Certs) -> std::thread::JoinHandle<Result<String, String>> {
    let chain = CertificateDer::pem_file_iter(&certs.cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&certs.key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind((street.ip(CARRIER), 5061)).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let server = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(server, stream);
        let mut octet = [0];
        stream.read_exact(&mut octet).map_err(|e| e.to_string())?;
        Ok(format!("{}{}", octet[0] as char, head(&mut stream)))
    })
}

#[test]
fn a_trunk_over_tls_is_asked_whether_it_lives_where_it_proves_its_name_and_nowhere_else() {
    for houses in [&[SWITCH, CARRIER][..], &[SWITCH]] {
        let street = Street::new();
        let certs = certs::issue(&street, houses);
        let far_end = carrier(&street, &certs);
        let mut switch = Switch::secured(street, &[HELPLINE, &op1(), &trunk("NET.6")]);
        let heard = far_end.join().unwrap();
        match houses.len() {
            2 => {
                let asked = heard.unwrap();
                assert!(asked.starts_with("OPTIONS sip:"), "{asked}");
                assert!(header(&asked, "Via").unwrap().starts_with("SIP/2.0/TLS "), "{asked}");
            }
            _ => {
                heard.expect_err("it is somebody else's certificate");
                switch.program().line_with("not connected");
            }
        }
        switch.records();
    }
}

/// It has come to us, from the very address that the trunk has, and has proved nothing.
#[test]
fn what_is_for_a_trunk_goes_to_nobody_who_has_not_proved_to_be_it() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1(), &trunk("NET.6")]);
    let thief = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    thief.bind(&SocketAddr::from((switch.street.ip(CARRIER), 5061)).into()).unwrap();
    thief.connect(&SocketAddr::from((switch.street.ip(SWITCH), 5061)).into()).unwrap();
    let mut thief = secured(&switch, thief.into());
    thief.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    thief.read_exact(&mut pong).unwrap();
    // From here on the trunk is asked, once a second, and is not there.
    for _ in 0..3 {
        switch.program().line_with("not connected");
    }
    thief.sock.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut octet = [0];
    thief.read_exact(&mut octet).expect_err("the trunk's message is not for a stranger");
    switch.records();
}

type Wire = StreamOwned<ClientConnection, TcpStream>;

/// Whoever calls from a trunk's address, and what they are answered. `own`: their certificate.
fn calls_from_trunk(switch: &Switch, own: Option<&Certs>) -> std::io::Result<String> {
    calls_over(&mut connect_from_trunk(switch, own), 1)
}

fn connect_from_trunk(switch: &Switch, own: Option<&Certs>) -> Wire {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((switch.street.ip(CARRIER), 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((switch.street.ip(SWITCH), 5061)).into()).unwrap();
    secured_as(switch, socket.into(), own)
}

/// The first answer to the nth call over a connection.
fn calls_over(wire: &mut Wire, nth: u32) -> std::io::Result<String> {
    let at = wire.sock.local_addr().unwrap();
    let body = sdp(at);
    let text = format!(
        "INVITE sip:181@helpline.test SIP/2.0\r\nVia: SIP/2.0/TLS {at};branch=z9hG4bKi{nth}\r\n\
         From: <sip:9826012345@{at}>;tag=1\r\nTo: <sip:181@helpline.test>\r\n\
         Call-ID: {nth}-{at}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{at};transport=tls>\r\n\
         Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    wire.write_all(text.as_bytes())?;
    let mut octet = [0];
    wire.read_exact(&mut octet)?;
    Ok(format!("{}{}", octet[0] as char, head(wire)))
}

#[test]
fn where_a_trunk_has_to_prove_its_name_its_address_alone_is_no_trunk() {
    const OTHER: u8 = 7;
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let carrier = certs::issue_to(&street, "carrier", &[CARRIER]);
    let other = certs::issue_to(&street, "other", &[OTHER]);
    let proves = format!("{}prove = true\n", trunk("NET.6"));
    let switch = Switch::secured(street, &[HELPLINE, &op1(), &proves]);
    for stranger in [None, Some(&other)] {
        let answer = calls_from_trunk(&switch, stranger).unwrap();
        assert!(answer.starts_with("SIP/2.0 401"), "{answer}");
    }
    let answer = calls_from_trunk(&switch, Some(&carrier)).unwrap();
    assert!(answer.starts_with("SIP/2.0 100"), "{answer}");
    // Nobody whom it trusts vouches for this one.
    let elsewhere = Street::new();
    certs::issue(&elsewhere, &[SWITCH]);
    let forged = certs::issue_to(&elsewhere, "carrier", &[CARRIER]);
    // It is connected like any other, as phones with their maker's are, and is no trunk.
    let answer = calls_from_trunk(&switch, Some(&forged)).unwrap();
    assert!(answer.starts_with("SIP/2.0 401"), "{answer}");
    switch.records();
}

/// Nobody has asked it when it connected, since nobody wanted it to prove anything then.
#[test]
fn a_trunk_that_has_to_prove_its_name_from_a_reload_on_is_asked_over_its_next_connection() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let carrier = certs::issue_to(&street, "carrier", &[CARRIER]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1(), &trunk("NET.6")]);
    let mut wire = connect_from_trunk(&switch, Some(&carrier));
    let answer = calls_over(&mut wire, 1).unwrap();
    assert!(answer.starts_with("SIP/2.0 100"), "{answer}");
    switch.configure(|text| text.replace("ping = \"1s\"\n", "ping = \"1s\"\nprove = true\n"));
    switch.program().signal(libc::SIGHUP);
    switch.program().line_with("the new configuration is in force");
    wire.sock.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    let refused = calls_over(&mut wire, 2).and_then(|_| wire.read_to_end(&mut rest));
    refused.expect("it is told so, and then the connection ends in order");
    let rest = String::from_utf8_lossy(&rest);
    let answer = calls_from_trunk(&switch, Some(&carrier)).unwrap();
    assert!(answer.starts_with("SIP/2.0 100"), "{answer}; before: {rest}");
    switch.records();
}

/// The machine trusts the authority that has signed for the carrier; the configuration names
/// another, whose file is gone.
#[test]
fn a_start_that_cannot_read_its_authorities_takes_nobody_else_s_word_for_a_trunk() {
    let (mut switch, _phone, mut caller, _) = in_a_call();
    let carrier = certs::issue_to(&switch.street, "carrier", &[CARRIER]);
    let gone = switch.street.dir().join("gone.pem").display().to_string();
    let proves = switch.street.address(&format!("{}prove = true\n", trunk("NET.6")));
    switch.configure(|text| {
        format!("{}\n{proves}", text.replace("tls = { ", &format!("tls = {{ ca = \"{gone}\", ")))
    });
    switch.crash();
    let said = switch.program().said();
    assert!(said.contains("gone.pem") && said.contains("Calls go on"), "{said}");
    let answer = calls_from_trunk(&switch, Some(&carrier)).unwrap();
    assert!(answer.starts_with("SIP/2.0 401"), "{answer}");
    caller.command("hangup", "");
    switch.until_ended(1);
    switch.records();
}
