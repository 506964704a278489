//! rtpengine as a yardstick: its own process, in user space, told by its ng protocol (an offer and
//! an answer a call) to relay between the phones of a crowd.

use super::Cost;
use super::crowd::{Crowd, HERE};
use pukar::shell::clock::Clock;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = "rtpengine";
const LISTEN: u16 = 12_223;
const PATIENCE: Duration = Duration::from_secs(5);

pub fn is_installed() -> bool {
    let mut look = Command::new(PROGRAM);
    look.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    look.status().is_ok_and(|status| status.success())
}

pub struct Rtpengine {
    process: Child,
    control: UdpSocket,
    asked: u32,
}

impl Rtpengine {
    pub fn start() -> Self {
        let listen = SocketAddr::new(HERE, LISTEN);
        let process = Command::new(PROGRAM)
            .args([format!("--interface={HERE}"), format!("--listen-ng={listen}")])
            .args(["--table=-1", "--port-min=30000", "--port-max=39999", "--num-threads=2"])
            .args(["--foreground", "--log-stderr", "--log-level=3", "--timeout=300"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let control = UdpSocket::bind((HERE, 0)).unwrap();
        control.connect(listen).unwrap();
        control.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut engine = Self { process, control, asked: 0 };
        let clock = Clock::start();
        while engine.try_ask("d7:command4:pinge").is_none() {
            assert!(clock.instant().since(Default::default()) < PATIENCE, "it does not come up");
        }
        engine
    }

    pub fn relay(mut self, crowd: &Crowd, rate: u32, seconds: u64) -> Cost {
        for n in (0..crowd.phones.len()).step_by(2) {
            let (a, b) = (crowd.addresses[n], crowd.addresses[n + 1]);
            // What A's description becomes goes to B, and tells where B sends; and so back.
            crowd.aim(n + 1, self.describe(n, "offer", a));
            crowd.aim(n, self.describe(n, "answer", b));
        }
        crowd.stream(rate.max(50), 1);
        let before = self.cpu_ns();
        let (sent, came) = crowd.stream(rate, seconds);
        Cost { sent, came, cpu_ns: self.cpu_ns() - before }
    }

    /// Tells of one side of a call, and where the other one is to send.
    fn describe(&mut self, n: usize, command: &str, at: SocketAddr) -> SocketAddr {
        let (ip, port) = (at.ip(), at.port());
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\na=ptime:20\r\n"
        );
        let mut fields = vec![
            ("ICE", text("remove")),
            ("call-id", text(&format!("c{n}"))),
            ("command", text(command)),
            ("from-tag", text(&format!("f{n}"))),
            ("replace", "l6:origin18:session-connectione".into()),
            ("sdp", text(&sdp)),
        ];
        if command == "answer" {
            fields.push(("to-tag", text(&format!("t{n}"))));
        }
        let fields: String = fields.iter().map(|(key, value)| text(key) + value).collect();
        let answer = (0..50).find_map(|_| self.try_ask(&format!("d{fields}e")));
        let answer = answer.expect("rtpengine answers");
        let media = answer.split("m=audio ").nth(1).unwrap_or_else(|| panic!("{answer}"));
        let port = media.split(' ').next().unwrap().parse().unwrap();
        SocketAddr::new(HERE, port)
    }

    fn try_ask(&mut self, question: &str) -> Option<String> {
        self.asked += 1;
        let cookie = format!("{}_{}", std::process::id(), self.asked);
        let _ = self.control.send(format!("{cookie} {question}").as_bytes());
        let mut room = [0; 8_192];
        loop {
            let size = self.control.recv(&mut room).ok()?;
            let answer = String::from_utf8_lossy(&room[..size]).into_owned();
            if let Some(answer) = answer.strip_prefix(&format!("{cookie} ")) {
                return Some(answer.to_string());
            }
        }
    }

    /// All its threads have ever used.
    fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().flatten();
        let spent = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        tasks.filter_map(spent).sum()
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A string of the ng protocol (bencode).
fn text(text: &str) -> String {
    format!("{}:{text}", text.len())
}
