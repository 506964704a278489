//! The helpline of every demonstration: one line, one queue, operators at a fixed address; and how
//! a switch for it begins on this machine. As text, since that is what people write.

use pukar::config::{self, Settings};
use pukar::console::Fault;
use pukar::shell::{Options, Running};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

/// Where a switch listens that [`start`] begins, but for its port.
pub const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);

/// What whoever waits hears.
pub const MUSIC: &str = "tone";

/// A line that takes every call, and the queue behind it.
pub const DESK: &str = r#"
[[line]]
name = "181"
numbers = ["181"]
queue = "general"
default = true
[[queue]]
name = "general"
skills = ["operator"]
ring_for = "10s"
wrap_up = "1s"
"#;

/// What a configuration begins with: who the switch is, where it listens, and its sound.
pub fn switch(name: &str, log: &str, listen: SocketAddr) -> String {
    format!(
        r#"
[switch]
name = "{name}"
log = "{log}"
[sip]
listen = ["udp:{listen}"]
domain = "{name}.invalid"
[media]
ports = "10000-31999"
music = "{MUSIC}"
"#
    )
}

/// Who calls in, never asked whether they are alive.
pub fn trunk(name: &str, host: SocketAddr) -> String {
    format!("[[trunk]]\nname = \"{name}\"\nhosts = [\"{host}\"]\nping = \"0s\"\n")
}

/// The operators `op<first>` to `op<last>`, ready from the start.
pub fn operators(first: u32, last: u32, at: SocketAddr) -> String {
    format!(
        "[[agent]]\nid = \"op{{{first}-{last}}}\"\ncontact = \"sip:op{{}}@{at}\"\n\
         skills = [\"operator\"]\nready = true\n"
    )
}

/// Any free port of this machine.
pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Addresses that were free a moment ago, each another.
pub fn free_addresses<const N: usize>() -> Result<[SocketAddr; N], Fault> {
    let cannot = |e| Fault::work(format!("no free port: {e}"));
    // All are held until the last is found.
    let mut held = Vec::new();
    for _ in 0..N {
        held.push(UdpSocket::bind(any_port()).map_err(cannot)?);
    }
    let mut found = [any_port(); N];
    for (address, socket) in found.iter_mut().zip(held) {
        *address = socket.local_addr().map_err(cannot)?;
    }
    Ok(found)
}

/// A switch with this configuration, on whatever port is free: no text may ask for that, as nobody
/// would find it.
pub fn start(
    text: String,
    folder: &Path,
    besides: impl FnOnce(&mut Settings),
) -> Result<Running, Fault> {
    let mut settings = config::parse(&[("demo".into(), text)], &|_| None).map_err(|mistakes| {
        let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        Fault::work(format!("the demo's own configuration: {}", mistakes.join("; ")))
    })?;
    settings.sip.listen.iter_mut().for_each(|listener| listener.bind.set_port(0));
    besides(&mut settings);
    Ok(Running::start(settings.with_data(folder), Options::default())?)
}
