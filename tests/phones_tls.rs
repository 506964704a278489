//! SIP over TLS: a real telephone is called, the switch dies under it, and it is called again; a
//! trunk has to prove its name; files that will not do are named.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent};
use support::baresip::Baresip;
use support::certs::{self, Certs};
use support::digest::{Login, authorization};
use support::program::text_of;
use support::raw::{Request, Tcp, header};
use support::street::{CALLER, PHONE, SWITCH, Street};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE};
use support::{Deadline, PATIENCE};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

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

#[test]
fn what_is_next_in_a_call_goes_over_the_connection_that_the_phone_has_registered_by_since() {
    let street = Street::new();
    certs::issue(&street, &[SWITCH]);
    let mut switch = Switch::secured(street, &[HELPLINE, &op1()]);
    let mut phone = Phone::registers(&switch, "before");
    let mut caller = talk::caller(&switch.street);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    let invite = phone.until("INVITE ");
    let contact = header(&invite, "Contact").unwrap();
    assert!(contact.contains(":5061;transport=tls>"), "{invite}");
    let ip = phone.at.ip();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8\r\n"
    );
    phone.answers(&invite, &sdp);
    phone.until("ACK ");
    switch.until("call.connected", |_| true);
    switch.crash();
    let mut phone = Phone::registers(&switch, "after");
    caller.command("hangup", "");
    let bye = phone.until("BYE ");
    assert!(header(&bye, "Via").unwrap().starts_with("SIP/2.0/TLS "), "{bye}");
    phone.answers(&bye, "");
    switch.until_ended(1);
    switch.records();
}

fn authority(street: &Street) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let all = CertificateDer::pem_file_iter(certs::authority(street)).unwrap();
    roots.add_parsable_certificates(all.map(Result::unwrap));
    roots
}

fn connect(switch: &Switch) -> StreamOwned<ClientConnection, TcpStream> {
    let at = SocketAddr::from((switch.street.ip(SWITCH), 5061));
    secured(switch, TcpStream::connect(at).unwrap())
}

fn secured(switch: &Switch, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority(&switch.street))
        .with_no_client_auth();
    let name = ServerName::from(std::net::IpAddr::from(switch.street.ip(SWITCH)));
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(client, stream)
}

/// The next message, with its body.
fn message(stream: &mut impl Read) -> String {
    let mut text = head(stream);
    let length = header(&text, "Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    text.push_str(&String::from_utf8(body).unwrap());
    text
}

/// Up to the empty line.
fn head(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a message");
        text.push(octet[0]);
    }
    String::from_utf8(text).unwrap()
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
