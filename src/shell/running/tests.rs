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

fn phone() -> UdpSocket {
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    phone.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    phone
}

/// An event that breaks the core is in the journal: the next process leaves it out, and is not
/// killed by the same message, which comes again and again.
#[test]
fn a_message_that_the_switch_died_of_does_not_kill_the_next_one_too() {
    let folder = Folder::new("poison");
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    let (phone, udp) = (phone(), running.listens()[0].1);
    let from = phone.local_addr().unwrap();
    let ask = |call: &str| options("UDP", from, udp).replace("Call-ID: 1", call);
    let deadly = ask("Call-ID: 2").replace("Max-Forwards", "X-Kind: planted-bug\r\nMax-Forwards");
    phone.send_to(deadly.as_bytes(), udp).unwrap();
    assert_eq!(running.wait(Duration::from_secs(30)), Some(Over::Broken));
    assert_eq!(running.finish(), Over::Broken);
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    let udp = running.listens()[0].1;
    (0..3).for_each(|_| _ = phone.send_to(deadly.as_bytes(), udp).unwrap());
    phone.send_to(ask("Call-ID: 3").as_bytes(), udp).unwrap();
    let mut buffer = [0; 2_048];
    let len = phone.recv(&mut buffer).unwrap();
    assert!(buffer[..len].starts_with(b"SIP/2.0 200"), "{:?}", buffer[..len].escape_ascii());
    running.stop();
    assert_eq!(running.finish(), Over::Stopped);
    let audit = crate::shell::replay(&folder.0.join("journal")).unwrap();
    assert!(audit.notes[0].contains("the core breaks its own rules, left out"), "{audit}");
}

#[test]
fn a_calendar_that_was_moved_is_among_the_facts() {
    let folder = Folder::new("moved");
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    running.inbox.control_blocking(Event::ClockMoved { seconds: -7_200 }).unwrap();
    let board = running.board.clone();
    running.drain();
    assert_eq!(running.wait(Duration::from_secs(30)), Some(Over::Drained));
    assert_eq!(running.finish(), Over::Drained);
    let told = board.with(|board| board.facts(1, 1_000).unwrap());
    let told: Vec<&str> = told.iter().map(|fact| &**fact).collect();
    let is_it = |fact: &&&str| fact.contains(r#""kind":"clock.moved","seconds":-7200"#);
    assert_eq!(told.iter().filter(is_it).count(), 1, "{told:#?}");
}

/// What a core that broke remembers may be what broke it.
#[test]
fn no_snapshot_is_taken_of_a_core_that_has_broken() {
    let folder = Folder::new("broken-leave");
    let snapshots = || {
        let files = std::fs::read_dir(folder.0.join("journal")).unwrap().flatten();
        files.filter(|file| file.path().extension().is_some_and(|e| e == "snapshot")).count()
    };
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    running.handle.break_down();
    assert_eq!(running.wait(Duration::from_secs(10)), Some(Over::Broken));
    let (open, safe) = running.leave();
    assert!(!safe && snapshots() == 1, "{} snapshots", snapshots());
    assert_eq!(open.listeners.len(), 2, "what is open stays open");
}

#[test]
fn the_watchdog_hears_of_a_core_that_sleeps_and_never_of_one_that_does_not_go_round() {
    let folder = Folder::new("watchdog");
    let running = Running::start(settings(&folder), Options::default()).unwrap();
    let every = Duration::from_millis(2);
    let feed = |words: Duration| {
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let fed = super::super::manager::feed(running.core(), every, move || {
            let _ = said.send(());
        });
        running.runtime().block_on(async move {
            let thrice = async {
                for _ in 0..3 {
                    heard.recv().await;
                }
            };
            tokio::select! {
                () = fed => unreachable!("it watches for ever"),
                () = thrice => true,
                () = tokio::time::sleep(words) => false,
            }
        })
    };
    assert!(feed(Duration::from_secs(30)), "it has nothing to do, and shows that it can");
    running.stop();
    assert_eq!(running.wait(Duration::from_secs(30)), Some(Over::Stopped));
    assert!(!feed(Duration::from_millis(100)), "nobody goes round any more");
}

#[test]
fn whoever_looks_on_stands_behind_calls() {
    let folder = Folder::new("behind");
    let _running = Running::start(settings(&folder), Options::default()).unwrap();
    // A thread takes its name, and its place, when it begins.
    let settled = (0..10_000).any(|_| {
        std::thread::yield_now();
        match ["core", "io", "hands"].map(|name| levels(name).into_iter().max()) {
            [Some(core), Some(io), Some(hands)] => (io - core, hands - core) == (0, 5),
            _ => false,
        }
    });
    assert!(settled, "{:?}", ["core", "io", "hands"].map(levels));
}

/// How far behind others the threads of this name stand.
fn levels(name: &str) -> Vec<i32> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    // One that ends meanwhile is another test's.
    let texts = threads.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("stat")).ok());
    let level = |text: String| {
        let (called, rest) = text.split_once('(')?.1.rsplit_once(") ")?;
        // proc(5): the 19th field, the third being the first behind the name.
        let level = rest.split(' ').nth(16)?.parse().ok()?;
        (called == name).then_some(level)
    };
    texts.filter_map(level).collect()
}
