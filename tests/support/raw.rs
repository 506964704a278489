//! Bare sockets, for messages that no sane telephone would send.

use super::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

pub struct Udp {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Udp {
    pub fn new(from: impl Into<IpAddr>, to: SocketAddr) -> Self {
        Self::at_port(from, 0, to)
    }

    pub fn at_port(from: impl Into<IpAddr>, port: u16, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind((from.into(), port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, to }
    }

    pub fn at(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.to).unwrap();
    }

    /// The next message; fails at the deadline.
    pub fn receive(&self) -> String {
        self.receive_within(PATIENCE).expect("an answer over UDP")
    }

    pub fn receive_within(&self, span: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(span)).unwrap();
        let mut buffer = vec![0; 65_536];
        let (length, _) = self.socket.recv_from(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Everything that is here already.
    pub fn drain(&self) -> Vec<String> {
        std::iter::from_fn(|| self.receive_within(Duration::from_millis(1))).collect()
    }

    /// Asks with OPTIONS again every T1, as RFC 3261 section 17.1.2 does, until it is answered: for
    /// a moment when the other side's buffer may be full. How often it had to ask.
    pub fn options_until_answered(&self, mark: &str) -> usize {
        let (bytes, id) = options("UDP", self.at(), self.to, mark);
        for asked in 1..=60 {
            self.send(bytes.as_bytes());
            if let Some(answer) = self.receive_within(Duration::from_millis(500)) {
                assert!(answer.contains(&id) && status(&answer) == Some(200), "{answer}");
                return asked;
            }
        }
        panic!("60 OPTIONS in 30 s were not answered");
    }

    /// The status of the answer to an OPTIONS of ours, over whatever else comes before it. It is
    /// the mark that everything sent earlier has been dealt with: UDP on loopback keeps its order.
    pub fn options(&self, mark: &str) -> Vec<String> {
        let (bytes, id) = options("UDP", self.at(), self.to, mark);
        self.send(bytes.as_bytes());
        let mut before = Vec::new();
        loop {
            let answer = self.receive();
            if answer.contains(&id) {
                assert_eq!(status(&answer), Some(200), "{answer}");
                return before;
            }
            before.push(answer);
        }
    }
}

pub struct Tcp {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    from: SocketAddr,
    to: SocketAddr,
}

impl Tcp {
    pub fn new(from: Ipv4Addr, to: SocketAddr) -> Self {
        let kind = socket2::Type::STREAM;
        let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect_timeout(&to.into(), PATIENCE).expect("a TCP connection");
        let stream: TcpStream = socket.into();
        stream.set_nodelay(true).unwrap();
        let from = stream.local_addr().unwrap();
        Self { stream, buffer: Vec::new(), from, to }
    }

    pub fn at(&self) -> SocketAddr {
        self.from
    }

    /// Fails silently where the other side has closed: the tests look at what came back.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next whole message; `None` when the other side closes or says nothing in time.
    pub fn receive_within(&mut self, span: Duration) -> Option<String> {
        self.stream.set_read_timeout(Some(span)).unwrap();
        loop {
            if let Some(length) = whole(&self.buffer) {
                let bytes: Vec<u8> = self.buffer.drain(..length).collect();
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.buffer.extend(&chunk[..length]),
            }
        }
    }

    /// Waits until the other side closes the connection.
    pub fn is_closed_within(&mut self, span: Duration) -> bool {
        self.stream.set_read_timeout(Some(span)).unwrap();
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => {
                    return !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
    }

    pub fn options(&mut self, mark: &str) -> bool {
        let (bytes, id) = options("TCP", self.at(), self.to, mark);
        self.send(bytes.as_bytes());
        while let Some(answer) = self.receive_within(PATIENCE) {
            if answer.contains(&id) {
                return status(&answer) == Some(200);
            }
        }
        false
    }
}

/// The length of the first message, if it is all there.
fn whole(buffer: &[u8]) -> Option<usize> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    (buffer.len() >= end + body).then_some(end + body)
}

pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// A request with everything that one needs; `more` are header lines, each with its end.
pub struct Request<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub transport: &'a str,
    pub from: SocketAddr,
    pub user: &'a str,
    pub id: &'a str,
    pub seq: u32,
    pub more: &'a str,
    pub body: &'a str,
}

impl Request<'_> {
    pub fn text(&self) -> String {
        let Self { method, uri, transport, from, user, id, seq, more, body } = self;
        let to =
            if *method == "REGISTER" { format!("sip:{user}@helpline.test") } else { (*uri).into() };
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {from};rport;branch=z9hG4bK-{id}-{seq}-{method}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@helpline.test>;tag=t{id}\r\n\
             To: <{to}>\r\n\
             Call-ID: {id}\r\n\
             CSeq: {seq} {method}\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

pub fn options(transport: &str, from: SocketAddr, to: SocketAddr, mark: &str) -> (String, String) {
    let id = format!("mark-{mark}-{}", from.port());
    let request = Request {
        method: "OPTIONS",
        uri: &format!("sip:{to}"),
        transport,
        from,
        user: "probe",
        id: &id,
        seq: 1,
        more: "",
        body: "",
    };
    (request.text(), id.clone())
}
