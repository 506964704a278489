//! Recordings of whole calls, over real sockets: two parties with a tone each, through the real
//! switch, and what is in the file afterwards.
#![allow(clippy::disallowed_methods)] // A test of the real world lives in real time.

use pukar::config;
use pukar::shell::{Options, Running};
use pukar::wire::g711::Law;
use pukar::wire::{ogg, wav};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Nothing here is sealed with it.
const OLD_KEY: &str = "correct horse battery";
const LONG: Duration = Duration::from_secs(30);

/// A telephone: SIP and RTP sockets, and a tone that it sends.
struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    law: Law,
    hertz: f64,
    /// One packet in so many is not sent.
    loses: u32,
}

impl Phone {
    fn new(law: Law, hertz: f64, loses: u32) -> Self {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            socket
        };
        Self { sip: bind(), rtp: bind(), law, hertz, loses }
    }

    fn port(socket: &UdpSocket) -> u16 {
        socket.local_addr().unwrap().port()
    }

    fn sdp(&self) -> String {
        let (port, payload, name) =
            (Self::port(&self.rtp), self.law.static_payload(), self.law.name());
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {payload}\r\na=rtpmap:{payload} {name}/8000\r\n"
        )
    }

    /// The next message for which `fits` holds; others, and copies, are not looked at.
    fn hear(&self, fits: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + LONG;
        let mut room = [0; 4_096];
        while Instant::now() < until {
            let Ok((size, _)) = self.sip.recv_from(&mut room) else { continue };
            let text = String::from_utf8_lossy(&room[..size]).into_owned();
            if fits(&text) {
                return text;
            }
        }
        panic!("the message never came");
    }

    fn say(&self, text: &str, to: u16) {
        self.sip.send_to(text.as_bytes(), ("127.0.0.1", to)).unwrap();
    }

    /// Packet `n` of the tone, unless it is one that is lost.
    fn speak(&self, n: u32, to: u16) {
        if self.loses > 0 && n % self.loses == self.loses - 1 {
            return;
        }
        let mut packet = vec![0x80, self.law.static_payload(), (n >> 8) as u8, n as u8];
        packet.extend_from_slice(&(n * 160).to_be_bytes());
        packet.extend_from_slice(&(self.hertz as u32).to_be_bytes());
        packet.extend((0..160).map(|i| {
            let at = f64::from(n * 160 + i) / 8_000.0;
            self.law.encode((8_000.0 * (std::f64::consts::TAU * self.hertz * at).sin()) as i16)
        }));
        let _ = self.rtp.send_to(&packet, ("127.0.0.1", to));
    }
}

fn field<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|line| line.starts_with(&format!("{name}: ")));
    line.map_or("", |line| line[name.len() + 2..].trim())
}

fn media_port(message: &str) -> u16 {
    let line = message.lines().find(|line| line.starts_with("m=audio ")).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

struct Stage {
    running: Running,
    switch: u16,
    folder: PathBuf,
    caller: Phone,
    agent: Phone,
}

impl Stage {
    fn new(name: &str, more: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pukar-rec-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let caller = Phone::new(Law::A, 437.0, 7);
        let agent = Phone::new(Law::Mu, 709.0, 0);
        let (trunk, phone) = (Phone::port(&caller.sip), Phone::port(&agent.sip));
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:5999\"]\n[media]\nports = \"{}\"\nmusic = \"\"\n\
             {more}\n\
             [[trunk]]\nname = \"bsnl\"\nhosts = [\"127.0.0.1:{trunk}\"]\nping = \"0s\"\n\
             [[line]]\nnumbers = [\"181\"]\nqueue = \"general\"\n\
             [[queue]]\nname = \"general\"\nskills = [\"operator\"]\nwrap_up = \"0s\"\n\
             record = true\n\
             [[agent]]\nid = \"op1\"\ncontact = \"sip:op1@127.0.0.1:{phone}\"\n\
             skills = [\"operator\"]\nready = true\n",
            match name {
                "sealed" => "43000-43099",
                "opus" => "43200-43299",
                _ => "43100-43199",
            }
        );
        let key = |name: &str| (name == "REC_KEY").then(|| KEY.to_string());
        let mut settings = config::parse(&[("test".into(), text)], &key)
            .unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        settings.sip.listen.iter_mut().for_each(|listener| listener.bind.set_port(0));
        let running = Running::start(settings.with_data(&folder), Options::default()).unwrap();
        let switch = running.listens()[0].1.port();
        Self { running, switch, folder, caller, agent }
    }

    /// A call of so many packets each way; the milliseconds from the agent's answer to the BYE.
    fn call(&self, packets: u32) -> u64 {
        let (caller, agent, own) = (&self.caller, &self.agent, Phone::port(&self.caller.sip));
        let head = |method: &str, branch: u32, cseq: u32, to: &str| {
            format!(
                "{method} sip:181@127.0.0.1:{} SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{branch}\r\n\
                 From: <sip:9876543210@127.0.0.1>;tag=c\r\nTo: {to}\r\nCall-ID: call@here\r\n\
                 CSeq: {cseq} {method}\r\nContact: <sip:c@127.0.0.1:{own}>\r\nMax-Forwards: 70\r\n",
                self.switch
            )
        };
        let sdp = caller.sdp();
        let invite = head("INVITE", 1, 1, "<sip:181@127.0.0.1>");
        let body = |sdp: &str| {
            let length = sdp.len();
            format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}")
        };
        caller.say(&(invite + &body(&sdp)), self.switch);
        let answer = caller.hear(|text| text.starts_with("SIP/2.0 200"));
        let to = field(&answer, "To").to_string();
        caller.say(&(head("ACK", 2, 1, &to) + "Content-Length: 0\r\n\r\n"), self.switch);
        let offered = agent.hear(|text| text.starts_with("INVITE "));
        let via: String = (offered.lines().filter(|line| line.starts_with("Via: ")))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let reply = format!(
            "SIP/2.0 200 OK\r\n{via}From: {}\r\nTo: {};tag=a\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:op1@127.0.0.1:{}>\r\n",
            field(&offered, "From"),
            field(&offered, "To"),
            field(&offered, "Call-ID"),
            field(&offered, "CSeq"),
            Phone::port(&agent.sip),
        );
        agent.say(&(reply + &body(&agent.sdp())), self.switch);
        agent.hear(|text| text.starts_with("ACK "));
        let began = Instant::now();
        let (to_caller, to_agent) = (media_port(&answer), media_port(&offered));
        for n in 0..packets {
            caller.speak(n, to_caller);
            agent.speak(n, to_agent);
            let next = began + Duration::from_millis(20 * (u64::from(n) + 1));
            std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
        caller.say(&(head("BYE", 3, 2, &to) + "Content-Length: 0\r\n\r\n"), self.switch);
        let length = began.elapsed().as_millis() as u64;
        caller.hear(|text| text.starts_with("SIP/2.0 200") && text.contains("BYE"));
        length
    }

    /// For how long they talked as the record has it, beside what we know of that; and what file it
    /// names.
    fn recorded(&self, length: u64) -> ([u64; 2], String) {
        let until = Instant::now() + LONG;
        while self.running.records() == Ok(0) && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let rows = self.running.query(&pukar::shell::Filter::default()).unwrap();
        let row = &rows[0];
        let at = |key: &str| row[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let its = at("ended_at").as_millisecond() - at("connected_at").as_millisecond();
        ([length, its as u64], row["recording"].as_str().unwrap().into())
    }

    /// The finished file.
    fn file(&self, end: &str) -> PathBuf {
        let until = Instant::now() + LONG;
        while Instant::now() < until {
            if let Some(path) = find(&self.folder.join("recordings"), end) {
                return path;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        panic!("no {end} file came");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn find(folder: &Path, end: &str) -> Option<PathBuf> {
    let days = std::fs::read_dir(folder).into_iter().flatten().flatten();
    days.flat_map(|day| std::fs::read_dir(day.path()).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|own| own == end))
}

/// How much of the sounding part of one side is a tone of this pitch, 0 to 1 (Goertzel).
fn purity(samples: &[i16], hertz: f64) -> f64 {
    let (mut tone, mut all) = (0.0, 0.0);
    for frame in samples.chunks(400) {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in frame.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * n as f64 / 8_000.0;
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
            all += f64::from(*sample).powi(2);
        }
        tone += 2.0 * (re * re + im * im) / frame.len() as f64;
    }
    tone / all
}

/// Left and right of a WAV file.
fn of_wav(wav: &[u8]) -> [Vec<i16>; 2] {
    let sound = &wav[wav::HEADER..];
    assert_eq!(wav[..wav::HEADER], wav::header(Law::A, 2, 8_000, sound.len() as u32));
    [0, 1].map(|lane| sound.chunks(2).map(|frame| Law::A.decode(frame[lane])).collect())
}

/// Left and right of an Ogg file, as a player has them (RFC 7845 section 4).
fn of_opus(file: &[u8]) -> [Vec<i16>; 2] {
    let packets = ogg::packets(file).expect("every page is whole, and follows the one before");
    let (head, last) = (&packets[0].0, packets.last().unwrap().1);
    assert!(head.starts_with(b"OpusHead\x01\x02") && last.ends());
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Stereo).unwrap();
    let (mut samples, mut room) = (Vec::new(), [0; 320]);
    for (packet, _) in &packets[2..] {
        let count = decoder.decode(packet, &mut room, false).unwrap();
        samples.extend_from_slice(&room[..2 * count]);
    }
    let skip = usize::from(u16::from_le_bytes([head[10], head[11]])) / 6;
    let heard = &samples[2 * skip..2 * (last.granule as usize / 6)];
    [0, 1].map(|lane| heard.iter().skip(lane).step_by(2).copied().collect())
}

/// `lasted`: by our clock, and by the switch's.
fn check(sides: &[Vec<i16>; 2], lasted: [u64; 2], packets: u32) {
    let (millis, [ours, its]) = (sides[0].len() as u64 / 8, lasted);
    assert!(millis.abs_diff(its) <= 20, "{millis} ms are recorded of {its}");
    // What this machine does between our look at the clock and the switch's is not the switch's.
    assert!(its.abs_diff(ours) <= 60, "it says {its} ms of {ours}");
    // A seventh of the packets was lost, one at a time, and is made up for, nearly as loud.
    for (lane, hertz, other) in [(0, 437.0, 709.0), (1, 709.0, 437.0)] {
        let samples = &sides[lane];
        let sounding = samples.iter().filter(|s| s.abs() > 100).count() as u32;
        let all = packets * 160 * 99 / 100;
        assert!(sounding.abs_diff(all) < packets * 8, "side {lane}: {sounding} of {all} samples");
        let (own, foreign) = (purity(samples, hertz), purity(samples, other));
        assert!(own > 0.8 && foreign < 0.05, "side {lane}: {own} of its own, {foreign} of another");
    }
}

#[test]
fn q40_two_who_talk_through_the_switch_are_recorded_each_on_their_side() {
    let stage = Stage::new("plain", "[recording]\nnotice = \"\"\n");
    let length = stage.call(150);
    let path = stage.file("wav");
    let (lasted, named) = stage.recorded(length);
    check(&of_wav(&std::fs::read(&path).unwrap()), lasted, 150);
    let name = path.strip_prefix(stage.folder.join("recordings")).unwrap();
    assert_eq!(Path::new(&named), name);
}

#[test]
fn a_recording_is_sealed_where_there_is_a_key() {
    let stage = Stage::new("sealed", "[recording]\nnotice = \"\"\nkey = \"env:REC_KEY\"\n");
    let length = stage.call(100);
    let path = stage.file("sealed");
    let (wav, finished) = pukar::shell::record::open_by(&path, [OLD_KEY, KEY].into_iter()).unwrap();
    assert!(finished);
    check(&of_wav(&wav), stage.recorded(length).0, 100);
}

#[test]
fn q40_a_recording_is_ogg_opus_where_it_is_wanted() {
    let stage = Stage::new("opus", "[recording]\nnotice = \"\"\nformat = \"opus\"\n");
    let length = stage.call(150);
    let path = stage.file("opus");
    let (file, finished) = pukar::shell::record::open(&path, None).unwrap();
    assert!(finished && pukar::shell::record::is_opus(&path));
    check(&of_opus(&file), stage.recorded(length).0, 150);
}
