//! A switch in this process, and phones over one real socket that cost next to nothing: callers and
//! agents of `benches/kit.toml`, but for the ports, which are whatever is free.
#![allow(dead_code, clippy::disallowed_methods)]

use pukar::shell::{Options, Running};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Street {
    dir: PathBuf,
    config: String,
    switch: SocketAddr,
    pub phones: UdpSocket,
    room: Vec<u8>,
}

impl Drop for Street {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Street {
    pub fn new(name: &str, agents: usize) -> Self {
        let dir = std::env::temp_dir().join(format!("pukar-bench-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let phones = UdpSocket::bind("127.0.0.2:0").expect("a port");
        let _ = socket2::SockRef::from(&phones).set_recv_buffer_size(8 << 20);
        let free = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let (at, switch) = (local(&phones), local(&free));
        let config =
            std::fs::read_to_string("benches/kit.toml").expect("run it from the repository");
        let config = config
            .replace("\"udp:127.0.0.1:5068\", \"tcp:127.0.0.1:5068\"", &format!("\"udp:{switch}\""))
            .replace("20000-29999", "10000-19999")
            .replace("127.0.0.2:5070", &at.to_string())
            .replace("127.0.0.3:5094", &at.to_string())
            .replace("agent{1-500}", &format!("agent{{1-{agents}}}"));
        Self { dir, config, switch, phones, room: vec![0; 65_536] }
    }

    /// Starts the switch, or starts it again.
    pub fn start(&self) -> Running {
        let files = [("benches/kit.toml".to_string(), self.config.clone())];
        let settings = pukar::config::parse(&files, &|_| None).expect("kit.toml is right");
        let settings = settings.with_data(&self.dir);
        Running::start(settings, Options::default()).expect("a switch")
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn send(&self, message: &str) {
        self.phones.send_to(message.as_bytes(), self.switch).expect("sent");
    }

    /// What comes within `span`.
    pub fn receive(&mut self, span: Duration) -> Option<String> {
        let span = span.max(Duration::from_micros(100));
        self.phones.set_read_timeout(Some(span)).expect("a timeout");
        let len = self.phones.recv(&mut self.room).ok()?;
        Some(String::from_utf8_lossy(&self.room[..len]).into_owned())
    }

    fn at(&self) -> SocketAddr {
        local(&self.phones)
    }

    pub fn invite(&self, name: &str, number: &str) -> String {
        let (at, switch, sdp) = (self.at(), self.switch, self.sdp());
        format!(
            "INVITE sip:{number}@{switch} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{name}\r\n\
             From: <sip:{name}@{at}>;tag=f{name}\r\nTo: <sip:{number}@{switch}>\r\n\
             Call-ID: {name}@{at}\r\nCSeq: 1 INVITE\r\nContact: <sip:{name}@{at}>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )
    }

    pub fn options(&self) -> String {
        let (at, switch) = (self.at(), self.switch);
        format!(
            "OPTIONS sip:{switch} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKping\r\n\
             From: <sip:ping@{at}>;tag=ping\r\nTo: <sip:{switch}>\r\nCall-ID: ping@{at}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    }

    pub fn ack(&self, answer: &str) -> String {
        let (from, to) = (field(answer, "From"), field(answer, "To"));
        self.within(answer, "ACK", from, to)
    }

    /// The agent who was sent this INVITE hangs up.
    pub fn bye(&self, invite: &str) -> String {
        let (from, to) = (field(invite, "To"), field(invite, "From"));
        self.within(invite, "BYE", &format!("{from};tag=agent"), to)
    }

    fn within(&self, of: &str, method: &str, from: &str, to: &str) -> String {
        let (id, at) = (field(of, "Call-ID"), self.at());
        let target = field(of, "Contact").split(['<', '>']).nth(1).unwrap_or_default();
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}{id}\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// 200 to a request; an INVITE gets an answer with it.
    pub fn ok(&self, request: &str) -> String {
        let (to, at) = (field(request, "To"), self.at());
        let tag = if to.contains("tag=") { "" } else { ";tag=agent" };
        let (kind, sdp) = match request.starts_with("INVITE") {
            true => ("Content-Type: application/sdp\r\n", self.sdp()),
            false => ("", String::new()),
        };
        format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:agent@{at}>\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            field(request, "Via"),
            field(request, "From"),
            field(request, "Call-ID"),
            field(request, "CSeq"),
            sdp.len()
        )
    }

    fn sdp(&self) -> String {
        let ip = self.at().ip();
        format!(
            "v=0\r\no=a 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
    }
}

pub fn field<'m>(message: &'m str, name: &str) -> &'m str {
    let mut lines = message.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

fn local(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("it is bound")
}
