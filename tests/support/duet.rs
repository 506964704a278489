//! A caller and an agent's telephone, each no more than two bare sockets, and a call of theirs
//! through the switch: every packet that one says is known to the other by its content.

use super::raw::{Request, Udp, header, status};
use super::street::{CALLER, PHONE, SWITCH, Street};
use super::switch::{HELPLINE, Switch};
use super::{Deadline, PATIENCE};
use pukar::wire::codec::Codec;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// The one agent, at the telephone in house 3.
pub const AGENT: &str = "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\nready = true\n\
                     contact = \"sip:op1@NET.3:5060\"\n";

/// Where a party is, and where it says that it listens; `None`: there.
#[derive(Clone, Copy)]
pub struct Place {
    pub at: Ipv4Addr,
    pub says: Option<SocketAddr>,
}

/// Who talks, and how the switch is set up. Parties without a place are in houses of the street.
#[derive(Clone, Copy, Default)]
pub struct Scene<'a> {
    pub more: &'a str,
    pub caller: Option<Place>,
    pub phone: Option<Place>,
}

/// Somebody whom nobody has called.
pub struct Stranger(UdpSocket);

impl Stranger {
    pub fn at(ip: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        // An address that nobody is at refuses what comes later.
        let _ = self.0.send_to(bytes, to);
    }

    /// Nothing has come, not one octet. What it was sent would be here: the two who talk have heard
    /// all of what was said later.
    #[track_caller]
    pub fn has_heard_nothing(&self) {
        let mut room = [0; 2_000];
        loop {
            match self.0.recv_from(&mut room) {
                Ok((size, from)) => panic!("{from} has sent the stranger {size} octets"),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    return;
                }
            }
        }
    }
}

/// One end of the call.
pub struct End {
    sip: Udp,
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
    /// What its session description says.
    says: SocketAddr,
    /// The switch's RTP port for it.
    pub to: SocketAddr,
    pub ssrc: u32,
    codec: Codec,
    sequence: u16,
    switch: SocketAddr,
    /// The To of its dialog with the switch, and how many requests it has sent there.
    dialog: String,
    requests: u32,
}

pub struct Duet {
    pub switch: Switch,
    pub caller: End,
    pub phone: End,
    said: u32,
}

impl End {
    pub fn new(street: &Street, house: u8, ssrc: u32) -> Self {
        Self::at(street, Place { at: street.ip(house), says: None }, ssrc)
    }

    pub fn at(street: &Street, Place { at, says }: Place, ssrc: u32) -> Self {
        let end = Self::by(at.into(), [5_060, 40_000, 40_001], street.sip(SWITCH), ssrc);
        let says = says.unwrap_or(end.says);
        Self { says, ..end }
    }

    /// At any address, with these ports for SIP, RTP and RTCP, and the switch at `to`.
    pub fn by(ip: IpAddr, [sip, rtp, rtcp]: [u16; 3], to: SocketAddr, ssrc: u32) -> Self {
        let (rtp, rtcp) = (heard_at(ip, rtp), heard_at(ip, rtcp));
        let (sip, dialog) = (Udp::at_port(ip, sip, to), String::new());
        let (codec, sequence) = (Codec::Pcma, 7_000);
        let says = rtp.local_addr().unwrap();
        let (switch, requests) = (to, 1);
        Self { sip, rtp, rtcp, says, to, ssrc, codec, sequence, switch, dialog, requests }
    }

    /// The same in another codec, which it then offers alone.
    pub fn speaking(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }

    pub fn sip_at(&self) -> SocketAddr {
        self.sip.at()
    }

    fn sdp(&self) -> String {
        let (ip, port) = (self.says.ip(), self.says.port());
        let kind = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let (payload, format) = (self.codec.our_payload(), format_of(self.codec));
        format!(
            "v=0\r\no=- 1 1 IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {payload} 101\r\na=rtpmap:{payload} {format}\r\n\
             a=rtpmap:101 telephone-event/8000\r\n"
        )
    }

    /// Where the switch's RTCP is.
    pub fn rtcp_to(&self) -> SocketAddr {
        SocketAddr::new(self.to.ip(), self.to.port() + 1)
    }

    /// The next packet of its stream, with this content.
    pub fn packet(&mut self, payload_type: u8, content: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = packet((self.ssrc, payload_type, self.sequence), content);
        let timestamp = u32::from(self.sequence) * (self.codec.clock() / 50);
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes
    }

    pub fn say(&mut self, content: &[u8]) {
        let packet = self.packet(self.codec.our_payload(), content);
        self.rtp.send_to(&packet, self.to).unwrap();
    }

    pub fn jump(&mut self, by: u16) {
        self.sequence = self.sequence.wrapping_add(by);
    }

    /// The content of the next packet; it can come from the switch alone.
    #[track_caller]
    pub fn hear(&self) -> Vec<u8> {
        let mut room = [0; 70_000];
        let (size, from) = self.rtp.recv_from(&mut room).expect("sound");
        assert_eq!(from, self.to, "somebody else sends here");
        room[12..size].to_vec()
    }

    fn request(&self, method: &str, seq: u32, more: &str, body: &str) -> String {
        let at = self.sip.at();
        let request = Request {
            method,
            uri: &format!("sip:181@{}", self.switch),
            transport: "UDP",
            from: at,
            user: "9826012345",
            id: &format!("duet-{}", at.ip()),
            seq,
            more,
            body,
        };
        request.text()
    }

    /// Calls the helpline, which answers.
    pub fn dial(&mut self) {
        let at = self.sip.at();
        let more = format!("Contact: <sip:9826012345@{at}>\r\nContent-Type: application/sdp\r\n");
        self.sip.send(self.request("INVITE", 1, &more, &self.sdp()).as_bytes());
        let answer = self.until(|m| status(m) == Some(200) && m.contains("INVITE"));
        self.to = media(&answer);
        self.dialog = format!("To: {}\r\n", header(&answer, "To").unwrap());
        self.sip.send(with_to(&self.request("ACK", 1, "", ""), &self.dialog).as_bytes());
    }

    /// Has its sound at another address from now on, and says so.
    pub fn goes_over(&mut self, ip: IpAddr) {
        (self.rtp, self.rtcp) = (heard_at(ip, 0), heard_at(ip, 0));
        self.says = self.rtp.local_addr().unwrap();
        self.requests += 1;
        let more = format!(
            "Contact: <sip:9826012345@{}>\r\nContent-Type: application/sdp\r\n",
            self.sip.at()
        );
        let seq = self.requests;
        let invite = self.request("INVITE", seq, &more, &self.sdp());
        self.sip.send(with_to(&invite, &self.dialog).as_bytes());
        let numbered = format!("CSeq: {seq} INVITE");
        let answer = self.until(|m| status(m) == Some(200) && m.contains(&numbered));
        self.to = media(&answer);
        self.sip.send(with_to(&self.request("ACK", seq, "", ""), &self.dialog).as_bytes());
    }

    /// Offers what cannot be, at another address.
    pub fn is_refused(&mut self, ip: IpAddr, audio: &str) {
        self.requests += 1;
        let seq = self.requests;
        let at = self.sip.at();
        let kind = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let more = format!("Contact: <sip:9826012345@{at}>\r\nContent-Type: application/sdp\r\n");
        let sdp =
            format!("v=0\r\no=- 1 2 IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\n{audio}");
        let invite = self.request("INVITE", seq, &more, &sdp);
        self.sip.send(with_to(&invite, &self.dialog).as_bytes());
        let numbered = format!("CSeq: {seq} INVITE");
        self.until(|m| status(m) == Some(488) && m.contains(&numbered));
        self.sip.send(with_to(&self.request("ACK", seq, "", ""), &self.dialog).as_bytes());
    }

    /// Somebody hangs up on it.
    pub fn answers_bye(&self) {
        let bye = self.until(|message| message.starts_with("BYE "));
        let copied = bye.lines().filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|n| line.starts_with(n))
        });
        let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
        let answer = format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n");
        self.sip.send(answer.as_bytes());
    }

    pub fn hang_up(&mut self) {
        self.requests += 1;
        self.sip
            .send(with_to(&self.request("BYE", self.requests, "", ""), &self.dialog).as_bytes());
        self.until(|message| status(message) == Some(200) && message.contains("BYE"));
    }

    /// Takes the call that comes, or agrees to what is new in one that there is.
    pub fn answer(&mut self) {
        let invite = self.until(|message| message.starts_with("INVITE "));
        self.to = media(&invite);
        let copied: String = invite
            .lines()
            .filter(|line| {
                ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|n| line.starts_with(n))
            })
            .map(|line| format!("{line}\r\n"))
            .collect();
        let (to, at, sdp) = (header(&invite, "To").unwrap(), self.sip.at(), self.sdp());
        let tag = if to.contains(";tag=") { "" } else { ";tag=phone" };
        let answer = format!(
            "SIP/2.0 200 OK\r\n{copied}To: {to}{tag}\r\nContact: <sip:op1@{at}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        self.sip.send(answer.as_bytes());
        self.until(|message| message.starts_with("ACK "));
    }

    fn until(&self, fits: impl Fn(&str) -> bool) -> String {
        let deadline = Deadline::after(PATIENCE);
        loop {
            let message = self.sip.receive_within(deadline.left().expect("a message in time"));
            if let Some(message) = message.filter(|message| fits(message)) {
                return message;
            }
        }
    }
}

/// What stands in `a=rtpmap` behind the payload type.
pub fn format_of(codec: Codec) -> String {
    let channels = codec.channels().map(|channels| format!("/{channels}"));
    format!("{}/{}{}", codec.name(), codec.clock(), channels.unwrap_or_default())
}

/// What a stranger would send if they knew everything.
pub fn packet((ssrc, payload_type, sequence): (u32, u8, u16), content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// Where a session description wants its sound.
fn media(message: &str) -> SocketAddr {
    let after = |start: &str| message.lines().find_map(|line| line.strip_prefix(start));
    let port = after("m=audio ").expect("audio").split(' ').next().unwrap();
    let ip = after("c=IN IP").and_then(|kind| kind.get(2..)).expect("an address");
    SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap())
}

fn heard_at(ip: IpAddr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Duet {
    /// The two talk, and have heard each other. `meanwhile` is done when the caller's port is open
    /// and nothing has come from the caller yet.
    pub fn begin(more: &str, meanwhile: impl FnOnce(&Duet)) -> Self {
        Self::of(Scene { more, ..Scene::default() }, meanwhile)
    }

    pub fn of(scene: Scene, meanwhile: impl FnOnce(&Duet)) -> Self {
        let mut duet = Self::dialled(scene);
        meanwhile(&duet);
        duet.phone.answer();
        duet.until_heard();
        duet
    }

    /// These two, through this switch. `meanwhile` as above.
    pub fn with(
        switch: Switch,
        (caller, phone): (End, End),
        meanwhile: impl FnOnce(&mut Duet),
    ) -> Self {
        let mut duet = Self { switch, caller, phone, said: 0 };
        duet.caller.dial();
        meanwhile(&mut duet);
        duet.phone.answer();
        duet.until_heard();
        duet
    }

    /// The agent has answered, and nobody has said a word yet.
    pub fn answered(scene: Scene) -> Self {
        let mut duet = Self::dialled(scene);
        duet.phone.answer();
        duet
    }

    fn dialled(Scene { more, caller, phone }: Scene) -> Self {
        let ip = |place: Option<Place>, house: &str| {
            place.map_or(house.to_string(), |place| place.at.to_string())
        };
        let helpline = HELPLINE.replace("NET.2", &ip(caller, "NET.2"));
        let agent = AGENT.replace("NET.3", &ip(phone, "NET.3"));
        let switch = Switch::start(&[more, &helpline, &agent]);
        let end = |place: Option<Place>, house, ssrc| {
            let at = switch.street.ip(house);
            End::at(&switch.street, place.unwrap_or(Place { at, says: None }), ssrc)
        };
        let (caller, phone) = (end(caller, CALLER, 0xca11_e400), end(phone, PHONE, 0x0a9e_4700));
        let mut duet = Self { switch, caller, phone, said: 0 };
        duet.caller.dial();
        duet
    }

    /// Over what has been heard until now.
    pub fn until_heard(&mut self) {
        let brief = Some(Duration::from_millis(20));
        let deadline = Deadline::after(PATIENCE);
        for socket in [&self.caller.rtp, &self.phone.rtp] {
            socket.set_read_timeout(brief).unwrap();
        }
        let (mut there, mut back) = (false, false);
        while !(there && back) {
            assert!(deadline.left().is_some(), "they do not hear each other: {there} {back}");
            self.caller.say(b"first of the caller");
            self.phone.say(b"first of the phone");
            there |= hears(&self.phone.rtp, b"first of the caller");
            back |= hears(&self.caller.rtp, b"first of the phone");
        }
        for socket in [&self.caller.rtp, &self.phone.rtp] {
            while hears(socket, b"first") {}
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
        }
    }

    /// They say so many packets each, and `attack` does its worst before each of them. Every one
    /// of them is heard, in order and unchanged, and nothing else is.
    #[track_caller]
    pub fn talk(&mut self, packets: u32, mut attack: impl FnMut(&mut Duet, u32)) {
        for n in 0..packets {
            attack(self, n);
            self.said += 1;
            let there = [&b"there"[..], &self.said.to_be_bytes(), &[0x55; 150]].concat();
            let back = [&b"back."[..], &self.said.to_be_bytes(), &[0xd5; 150]].concat();
            self.caller.say(&there);
            self.phone.say(&back);
            assert_eq!(self.phone.hear(), there, "the {n}th of the caller");
            assert_eq!(self.caller.hear(), back, "the {n}th of the phone");
        }
    }

    /// The caller hangs up; the one record of the call, and its legs' figures.
    pub fn end(self) -> serde_json::Value {
        self.end_after(|_| ()).0
    }

    /// The same, and what else there is to be had while the switch's folder is there.
    pub fn end_after<T>(
        mut self,
        look: impl FnOnce(&serde_json::Value) -> T,
    ) -> (serde_json::Value, T) {
        self.caller.hang_up();
        self.phone.answers_bye();
        self.switch.until_ended(1);
        let mut records = self.switch.leaves_records();
        assert_eq!(records.len(), 1, "{records:#?}");
        let record = records.remove(0);
        assert_eq!(record["outcome"], "answered", "{record:#}");
        let seen = look(&record);
        (record, seen)
    }
}

/// The request, in the dialog that this To names.
fn with_to(request: &str, to: &str) -> String {
    let lines = request.split_inclusive("\r\n");
    lines.map(|line| if line.starts_with("To: ") { to } else { line }).collect()
}

/// Whether the next packet there begins so; other ones are passed over.
fn hears(socket: &UdpSocket, content: &[u8]) -> bool {
    let mut room = [0; 2_000];
    while let Ok((size, _)) = socket.recv_from(&mut room) {
        if size > 12 && room[12..size].starts_with(content) {
            return true;
        }
    }
    false
}
