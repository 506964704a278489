//! The service manager, where there is one: what it is told (sd_notify(3)), that the switch is well
//! (the watchdog), and the sockets that it has opened (sd_listen_fds(3)).
//!
//! In: environment variables. Out: datagrams, sockets. Without a manager nothing happens.

use super::core_loop::LoopHandle;
use super::handover::Handover;
use super::sys::{boot, inherit};
use crate::sip::Transport;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::time::Duration;

/// The first descriptor that is handed over, by the convention.
const FIRST: i32 = 3;
/// Sockets that are looked at.
const SOCKETS_MAX: i32 = 64;

/// What is told. Each is a line or two of `NAME=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is at work.
    Ready,
    /// It is about to be ready again: a reload, or another program in its place.
    Reloading,
    Stopping,
    /// It is well.
    Well,
}

/// Tells the manager. One that does not listen is no reason for anything.
pub fn tell(what: Told) {
    if let Some(name) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(name.as_encoded_bytes(), &words(what))
    {
        tracing::warn!("the service manager cannot be told that this is {what:?}: {error}");
    }
}

fn words(what: Told) -> String {
    match what {
        Told::Ready => "READY=1\nSTATUS=at work\n".into(),
        Told::Reloading => {
            let now = boot::monotonic().unwrap_or_default();
            format!("RELOADING=1\nMONOTONIC_USEC={now}\n")
        }
        Told::Stopping => "STOPPING=1\nSTATUS=live calls end\n".into(),
        Told::Well => "WATCHDOG=1\n".into(),
    }
}

fn send(name: &[u8], words: &str) -> io::Result<()> {
    let at = match name.strip_prefix(b"@") {
        Some(hidden) => UnixAddr::from_abstract_name(hidden)?,
        None => UnixAddr::from_pathname(std::path::Path::new(&*String::from_utf8_lossy(name)))?,
    };
    let socket = UnixDatagram::unbound()?;
    // One that does not read what it is told keeps nobody waiting.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(words.as_bytes(), &at).map(drop)
}

/// Says that the switch is well, as long as the core's thread goes round; for ever.
pub async fn watch(core: LoopHandle) {
    let Some(every) = watchdog(&|name| std::env::var(name).ok()) else { return };
    // Half of what is allowed, so that one late word is no death.
    feed(core, every / 2, || tell(Told::Well)).await;
}

/// Says now and then that it is `well`; only where the loop has gone round since the last time.
pub async fn feed(core: LoopHandle, every: Duration, mut well: impl FnMut()) {
    let mut ticks = tokio::time::interval(every);
    let mut before = core.turns();
    loop {
        ticks.tick().await;
        let now = core.turns();
        if now != before {
            well();
        }
        before = now;
        // One that sleeps has nothing to do, and is to show that it can.
        core.waker.wake();
    }
}

/// How often it wants to hear that this process is well.
fn watchdog(variable: &dyn Fn(&str) -> Option<String>) -> Option<Duration> {
    let own = std::process::id().to_string();
    if variable("WATCHDOG_PID").is_some_and(|pid| pid != own) {
        return None;
    }
    let span = variable("WATCHDOG_USEC")?.parse().ok().filter(|span| *span > 0)?;
    Some(Duration::from_micros(span))
}

/// Listeners that the manager has opened for this process, for whoever wants their addresses.
pub fn sockets(open: &mut Handover) {
    let own = std::process::id().to_string();
    if std::env::var("LISTEN_PID").ok() != Some(own) {
        return;
    }
    let count = std::env::var("LISTEN_FDS").ok().and_then(|text| text.parse::<i32>().ok());
    for fd in FIRST..FIRST + count.unwrap_or(0).clamp(0, SOCKETS_MAX) {
        let taken = inherit::take(fd).map(Socket::from).and_then(|socket| {
            let (transport, at) = kind(&socket)?;
            open.listeners.push((transport, at, socket.into()));
            tracing::info!("the service manager has opened {transport:?} {at}");
            Ok(())
        });
        if let Err(error) = taken {
            tracing::error!("socket {fd} of the service manager cannot be used: {error}");
        }
    }
}

fn kind(socket: &Socket) -> io::Result<(Transport, SocketAddr)> {
    let at = socket.local_addr()?.as_socket();
    let at = at.ok_or_else(|| io::Error::other("it is of neither IPv4 nor IPv6"))?;
    if at.is_ipv6() && socket.domain()? == Domain::IPV6 && !socket.only_v6()? {
        tracing::warn!("{at} takes IPv4 as well: set BindIPv6Only=ipv6-only in its unit");
    }
    match socket.r#type()? {
        Type::DGRAM => Ok((Transport::Udp, at)),
        Type::STREAM => Ok((Transport::Tcp, at)),
        other => Err(io::Error::other(format!("its type is {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_of_another_process_is_not_fed() {
        let own = std::process::id().to_string();
        let of = |pid: &str, span: &str| {
            let (pid, span) = (pid.to_string(), span.to_string());
            watchdog(&move |name| match name {
                "WATCHDOG_PID" => Some(pid.clone()),
                _ => Some(span.clone()),
            })
        };
        assert_eq!(of(&own, "20000000"), Some(Duration::from_secs(20)));
        assert_eq!((of("1", "20000000"), of(&own, "soon"), of(&own, "0")), (None, None, None));
        assert_eq!(watchdog(&|_| None), None);
    }

    #[test]
    fn a_manager_is_told_by_path_and_by_hidden_name() {
        let folder = crate::shell::store::tests::Folder::new("manager");
        let path = folder.0.join("notify");
        let ear = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str().as_encoded_bytes(), &words(Told::Ready)).unwrap();
        let name = format!("pukar-test-{}", std::process::id());
        let hidden = UnixAddr::from_abstract_name(&name).unwrap();
        let other = UnixDatagram::bind_addr(&hidden).unwrap();
        send(format!("@{name}").as_bytes(), &words(Told::Reloading)).unwrap();
        let mut room = [0; 200];
        let size = ear.recv(&mut room).unwrap();
        assert!(room[..size].starts_with(b"READY=1\n"));
        let size = other.recv(&mut room).unwrap();
        let text = String::from_utf8_lossy(&room[..size]).into_owned();
        assert!(text.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{text}");
        assert!(send(b"/nowhere/at/all", "READY=1").is_err());
    }
}
