//! linphonec (package linphone-cli): a telephone that plays one WAV file and records another,
//! driven by lines typed into it.

use super::program::Program;
use super::street::Street;
use super::tone;
use pukar::wire::codec::Codec;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TONE_SECONDS: usize = 60;

pub struct Linphone {
    program: Program,
    dir: PathBuf,
}

/// How it is set up.
struct Manner<'a> {
    account: (&'a str, &'a str),
    registers: bool,
    tcp: bool,
    /// The only one of the switch's codecs that it knows; `None`: all.
    codec: Option<Codec>,
    plays: &'a Path,
    /// Its keys are SIP INFO.
    informs: bool,
}

/// The RTP port is none that a baresip takes: those are bound to every address, and what is meant
/// for linphone would be heard by whichever of them has drawn the same number.
const CONFIG: &str = "\
[sip]
sip_port=UDP
sip_tcp_port=TCP
bind_address=IP
ipv6_migration_done=1
use_ipv6=0
guess_hostname=0
default_proxy=0
register_only_when_network_is_up=0
media_encryption=none
use_info=INFO
use_rfc2833=EVENTS
[rtp]
audio_rtp_port=31000
bind_address=IP
[sound]
remote_ring=
[proxy_0]
reg_proxy=<sip:NET.1;transport=TRANSPORT>
reg_identity=sip:USER@NET.1
reg_expires=600
reg_sendregister=REGISTERS
publish=0
[auth_info_0]
username=USER
passwd=SECRET
";

impl Linphone {
    /// A phone in this house that registers and answers every call.
    pub fn start(street: &Street, house: u8, account: (&str, &str), hertz: u32, tcp: bool) -> Self {
        let wav = street.folder(&format!("linphone-{house}")).join("tone.wav");
        tone::write(&wav, hertz, TONE_SECONDS);
        let (registers, codec, informs) = (true, None, false);
        Self::with(street, house, &Manner { account, registers, tcp, codec, plays: &wav, informs })
    }

    /// The same, and its keys are SIP INFO.
    pub fn informs(street: &Street, house: u8, account: (&str, &str), hertz: u32) -> Self {
        let wav = street.folder(&format!("linphone-{house}")).join("tone.wav");
        tone::write(&wav, hertz, TONE_SECONDS);
        let (registers, tcp, codec, informs) = (true, false, None, true);
        Self::with(street, house, &Manner { account, registers, tcp, codec, plays: &wav, informs })
    }

    /// A phone that knows one codec, and plays this file. With an account it registers and answers
    /// every call; without, it stands behind a trunk.
    pub fn knows(
        street: &Street,
        house: u8,
        account: Option<(&str, &str)>,
        codec: Codec,
        plays: &Path,
    ) -> Self {
        let (registers, account) = (account.is_some(), account.unwrap_or(("9876543210", "")));
        let (tcp, codec, informs) = (false, Some(codec), false);
        Self::with(street, house, &Manner { account, registers, tcp, codec, plays, informs })
    }

    fn with(street: &Street, house: u8, manner: &Manner) -> Self {
        let dir = street.folder(&format!("linphone-{house}"));
        fs::create_dir_all(dir.join(".local/share/linphone")).unwrap();
        let (tcp, (user, secret)) = (manner.tcp, manner.account);
        let [udp_port, tcp_port] = if tcp { ["0", "5060"] } else { ["5060", "0"] };
        let config = street.address(CONFIG);
        let config = config
            .replace("UDP", udp_port)
            .replace("TCP", tcp_port)
            .replace("IP", &street.ip(house).to_string())
            .replace("TRANSPORT", if tcp { "tcp" } else { "udp" })
            .replace("REGISTERS", if manner.registers { "1" } else { "0" })
            .replace("INFO", if manner.informs { "1" } else { "0" })
            .replace("EVENTS", if manner.informs { "0" } else { "1" })
            .replace("USER", user)
            .replace("SECRET", secret);
        let config = config + &manner.codec.map(only).unwrap_or_default();
        fs::write(dir.join("rc"), config).unwrap();
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(dir.join("rc")).arg("-a").current_dir(&dir);
        command.args(["-d", "0", "-l"]).arg(dir.join("log")).env("HOME", &dir);
        let mut program = Program::start("linphone-cli", &mut command);
        program.type_line("soundcard use files");
        program.type_line(&format!("play {}", manner.plays.display()));
        program.type_line(&format!("record {}", dir.join("heard.wav").display()));
        Self { program, dir }
    }

    /// Waits for a line of its own.
    pub fn until(&mut self, words: &str) {
        self.program.line_with(words);
    }

    pub fn command(&mut self, line: &str) {
        self.program.type_line(line);
    }

    /// Waits until something is so, as long as it lives.
    pub fn awaits(&mut self, is_so: impl Fn() -> bool, what: &str) {
        self.program.until(is_so, what);
    }

    /// What it heard. Call it when the call is over.
    pub fn recording(&self) -> Vec<i16> {
        tone::read(&self.dir.join("heard.wav"))
    }
}

/// Of the codecs that a switch may speak, this one alone.
fn only(codec: Codec) -> String {
    let section = |(n, one): (usize, Codec)| {
        let (name, clock) = (one.name(), one.clock());
        let (channels, enabled) = (one.channels().unwrap_or("1"), u8::from(one == codec));
        format!(
            "[audio_codec_{n}]\nmime={name}\nrate={clock}\nchannels={channels}\nenabled={enabled}\n"
        )
    };
    Codec::ALL.into_iter().enumerate().map(section).collect()
}
