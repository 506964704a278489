//! baresip (package baresip-core): a telephone that plays one tone and records what it hears,
//! driven through its own control socket.

use super::certs::authority;
use super::program::Program;
use super::street::Street;
use super::{Deadline, PATIENCE, tone};
use pukar::media::sound::{Decoder, NARROW, WIDE};
use pukar::wire::codec::Codec;
use pukar::wire::g711::Law;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Long enough for any call in these tests.
const TONE_SECONDS: usize = 60;

pub struct Baresip {
    program: Program,
    control: TcpStream,
    buffer: Vec<u8>,
    dir: PathBuf,
    heard: Vec<Value>,
}

const CONFIG: &str = "\
poll_method epoll
sip_listen IP:5060
net_interface IP
ctrl_tcp_listen IP:4444
rtp_ports 30000-30100
audio_source aufile,TONE
ausrc_srate RATE
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_level no
snd_path DIR
module_path MODULES
module g711.so
module g722.so
module opus.so
module srtp.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
";

impl Baresip {
    /// A phone in this house. `account` is a line of baresip's `accounts` file.
    pub fn start(street: &Street, house: u8, account: &str, hertz: u32) -> Self {
        let wav = street.folder(&format!("baresip-{house}")).join("tone.wav");
        tone::write(&wav, hertz, TONE_SECONDS);
        Self::plays(street, house, account, (&wav, 8_000))
    }

    /// A phone that says the same again and again: samples of 8,000 Hz. To G.722 it is given twice
    /// as many, for its own way to that rate is a bad one.
    pub fn says_again(street: &Street, house: u8, account: &str, samples: &[i16]) -> Self {
        let wav = street.folder(&format!("baresip-{house}")).join("voice.wav");
        let rate = if account.contains("audio_codecs=G722") { WIDE } else { NARROW };
        let mut voice = Vec::new();
        let octets: Vec<u8> = samples.iter().map(|sample| Law::A.encode(*sample)).collect();
        Decoder::new(Codec::Pcma, rate).decode(&octets, &mut voice);
        tone::save(&wav, rate, voice.into_iter().cycle().take(rate as usize * TONE_SECONDS));
        Self::plays(street, house, account, (&wav, rate))
    }

    /// A phone that plays this file, of so many samples a second, anew in each call.
    pub fn plays(street: &Street, house: u8, account: &str, (wav, rate): (&Path, u32)) -> Self {
        let dir = street.folder(&format!("baresip-{house}"));
        let config = CONFIG
            .replace("IP", &street.ip(house).to_string())
            .replace("TONE", &wav.to_string_lossy())
            .replace("RATE", &rate.to_string())
            .replace("DIR", &dir.to_string_lossy())
            .replace("MODULES", &modules());
        let authority = authority(street);
        let config = match authority.exists() {
            true => format!("{config}sip_cafile {}\n", authority.display()),
            false => config,
        };
        fs::write(dir.join("config"), config).unwrap();
        fs::write(dir.join("accounts"), format!("{}\n", street.address(account))).unwrap();
        fs::write(dir.join("contacts"), "").unwrap();
        let mut command = Command::new("baresip");
        command.arg("-v").arg("-f").arg(&dir).current_dir(&dir);
        let mut program = Program::start("baresip-core", &mut command);
        let at: SocketAddr = (street.ip(house), 4444).into();
        program.listens(false, at);
        let control = TcpStream::connect(at).expect("baresip's control socket");
        Self { program, control, buffer: Vec::new(), dir, heard: Vec::new() }
    }

    /// A command of its menu, such as `dial`.
    pub fn command(&mut self, command: &str, params: &str) {
        let text = json!({"command": command, "params": params, "token": "t"}).to_string();
        let netstring = format!("{}:{text},", text.len());
        self.control.write_all(netstring.as_bytes()).unwrap();
    }

    /// Waits for an event of this type, such as `CALL_ESTABLISHED`.
    pub fn until(&mut self, kind: &str) -> Value {
        let deadline = Deadline::after(PATIENCE);
        loop {
            while let Some(message) = self.next_message() {
                self.heard.push(message.clone());
                if message["type"] == kind {
                    return message;
                }
            }
            let left = deadline.left().unwrap_or_else(|| self.never(kind));
            self.control.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 4096];
            match self.control.read(&mut chunk) {
                Ok(length) if length > 0 => self.buffer.extend(&chunk[..length]),
                Ok(_) | Err(_) => self.never(kind),
            }
        }
    }

    /// Waits for a line of its log. It begins to register before anybody can listen to its events.
    pub fn says(&mut self, words: &str) {
        self.program.line_with(words);
    }

    fn never(&self, kind: &str) -> ! {
        panic!("baresip had no {kind}; it had {:?}", self.heard)
    }

    /// The next netstring, if it is all there.
    fn next_message(&mut self) -> Option<Value> {
        let colon = self.buffer.iter().position(|b| *b == b':')?;
        let length: usize = std::str::from_utf8(&self.buffer[..colon]).ok()?.parse().ok()?;
        if self.buffer.len() < colon + length + 2 {
            return None;
        }
        let bytes: Vec<u8> = self.buffer.drain(..colon + length + 2).collect();
        serde_json::from_slice(&bytes[colon + 1..colon + 1 + length]).ok()
    }

    /// Waits until something is so, as long as it lives.
    pub fn awaits(&mut self, is_so: impl Fn() -> bool, what: &str) {
        self.program.until(is_so, what);
    }

    /// What it has recorded since [`Baresip::forgets`], of its decoder ("dec") or encoder ("enc").
    pub fn tape(&self, way: &str) -> PathBuf {
        recordings(&self.dir, way).max().unwrap_or_default()
    }

    /// Removes its recordings.
    pub fn forgets(&self) {
        for way in ["dec", "enc"] {
            recordings(&self.dir, way).for_each(|path| fs::remove_file(path).unwrap());
        }
    }

    /// What it heard: the recording of its decoder. Call it when the call is over.
    pub fn recording(&self) -> Vec<i16> {
        tone::read(&newest(&self.dir).expect("baresip recorded nothing"))
    }

    /// Waits until its recording holds so many seconds of this tone.
    pub fn until_heard(&mut self, hertz: u32, seconds: f64) {
        let dir = self.dir.clone();
        let heard =
            || newest(&dir).is_some_and(|p| tone::seconds(&tone::read(&p), hertz) >= seconds);
        self.program.until(heard, "heard the tone");
    }

    /// Waits until its recording holds so many seconds more of this tone than now.
    pub fn hears_more(&mut self, hertz: u32, seconds: f64) {
        let now = newest(&self.dir).map_or(0.0, |path| tone::seconds(&tone::read(&path), hertz));
        self.until_heard(hertz, now + seconds);
    }

    /// The seconds of its recording so far.
    pub fn recorded(&self) -> f64 {
        newest(&self.dir).map_or(0.0, |path| tone::length(&path))
    }

    /// The same at 8,000 Hz, whatever its codec was.
    pub fn recording_8k(&self) -> Vec<i16> {
        tone::read_8k(&newest(&self.dir).expect("baresip recorded nothing"))
    }

    /// Waits until its recording is so long.
    pub fn until_recorded(&mut self, seconds: f64) {
        let dir = self.dir.clone();
        let recorded = || newest(&dir).is_some_and(|path| tone::length(&path) >= seconds);
        self.program.until(recorded, "recorded enough");
    }

    /// Pulls its plug.
    pub fn die(self) {
        self.program.signal(libc::SIGKILL);
    }
}

/// The newest recording of its decoder.
fn newest(dir: &Path) -> Option<PathBuf> {
    recordings(dir, "dec").max()
}

fn recordings(dir: &Path, way: &str) -> impl Iterator<Item = PathBuf> {
    let ending = format!("-{way}.wav");
    let files = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    files.filter(move |path| path.to_string_lossy().ends_with(&ending))
}

fn modules() -> String {
    let places = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    let found = places.iter().find(|place| std::path::Path::new(place).is_dir());
    (*found.unwrap_or(&places[0])).to_string()
}
