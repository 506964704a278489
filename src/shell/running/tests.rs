//! A whole switch on loopback, from the outside.

use super::*;
use crate::shell::store::tests::Folder;
use crate::sip::{Listener, Trunk};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

fn settings(folder: &Folder) -> Settings {
    let mut settings = Settings::default().with_data(&folder.0);
    let listener =
        |transport| Listener { transport, bind: "127.0.0.1:0".parse().unwrap(), advertise: None };
    settings.sip.domains = vec!["helpline.example".into()];
    settings.sip.listen = vec![listener(Transport::Udp), listener(Transport::Tcp)];
    let hosts = vec!["127.0.0.1".into()];
    settings.sip.trunks = vec![Trunk { name: "bsnl".into(), hosts, ..Trunk::default() }];
    settings
}

fn options(transport: &str, from: SocketAddr, to: SocketAddr) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {from};branch=z9hG4bK1;rport\r\n\
         From: <sip:a@{from}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: 1@{from}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn it_answers_over_udp_and_tcp_and_on_its_admin_socket_and_ends_in_order() {
    let folder = Folder::new("running");
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    let [(Transport::Udp, udp), (Transport::Tcp, tcp)] = *running.listens() else {
        panic!("{:?}", running.listens());
    };
    let limit = Some(Duration::from_secs(10));
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    phone.set_read_timeout(limit).unwrap();
    let request = options("UDP", phone.local_addr().unwrap(), udp);
    phone.send_to(request.as_bytes(), udp).unwrap();
    let mut buffer = [0; 2_048];
    let len = phone.recv(&mut buffer).unwrap();
    assert!(buffer[..len].starts_with(b"SIP/2.0 200"), "{:?}", buffer[..len].escape_ascii());

    let mut stream = TcpStream::connect(tcp).unwrap();
    stream.set_read_timeout(limit).unwrap();
    let request = options("TCP", stream.local_addr().unwrap(), tcp);
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("SIP/2.0 200"), "{line}");

    let mut strange = TcpStream::connect(tcp).unwrap();
    strange.set_read_timeout(limit).unwrap();
    let request = options("TCP", strange.local_addr().unwrap(), tcp);
    let request = request.replace("Content-Length: 0", "Content-Length: nought");
    strange.write_all(request.as_bytes()).unwrap();
    let mut all = String::new();
    strange.read_to_string(&mut all).unwrap();
    assert!(all.starts_with("SIP/2.0 400"), "refused, then closed: {all}");

    let mut admin = UnixStream::connect(running.admin_socket()).unwrap();
    admin.set_read_timeout(limit).unwrap();
    admin
        .write_all(b"{\"id\":1,\"method\":\"calls.hangup\",\"params\":{\"call\":\"x\"}}\n")
        .unwrap();
    let mut line = String::new();
    BufReader::new(admin).read_line(&mut line).unwrap();
    assert!(line.contains("no live call x"), "{line}");

    running.drain();
    assert_eq!(running.wait(Duration::from_secs(10)), Some(Over::Drained));
    assert_eq!(running.finish(), Over::Drained);
    assert!(!folder.0.join("pukar.sock").exists());
}

#[test]
fn a_media_worker_that_dies_ends_the_switch_as_broken() {
    let folder = Folder::new("broken");
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    // What a worker's `died` does.
    running.handle.break_down();
    assert_eq!(running.wait(Duration::from_secs(10)), Some(Over::Broken));
    assert_eq!(running.finish(), Over::Broken);
}

#[test]
fn a_taken_port_is_one_clear_sentence() {
    let folder = Folder::new("taken");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(&folder);
    settings.sip.listen[0].bind = taken.local_addr().unwrap();
    let why = Running::start(settings, Options::default()).err().unwrap();
    assert!(why.contains("address already in use"), "{why}");
}
