//! What has to be right about the machine before the switch starts, and what had better be.

use super::sys::resources;
use super::tcp;
use crate::call::Family;
use crate::config::Settings;
use std::fs::DirBuilder;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Files that are open besides media ports and SIP connections.
const OTHER_FILES: u64 = 512;

/// How many files the switch may come to have open.
fn files(settings: &Settings) -> u64 {
    let (first, last) = settings.call.media.ports;
    let ports = u64::from(last.saturating_sub(first)) + 1;
    // A call has four ports, and one file where it is recorded.
    let recordings = if settings.call.records() { ports / 4 } else { 0 };
    let streams = settings.sip.listen.iter().any(|l| l.transport.is_stream());
    let streams = if streams { tcp::Limits::default().connections as u64 } else { 0 };
    ports + recordings + streams + OTHER_FILES
}

/// Makes the data folder, closed to others, and writes to it once; a sentence where it cannot be.
pub fn data_folder(dir: &Path) -> Result<(), String> {
    let probe = dir.join(".writable");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|e| {
            format!(
                "the data folder {} cannot be written: {e}. Make it writable for this user, or \
                 choose another under [switch] data",
                dir.display()
            )
        })
}

/// Says what had better be otherwise.
pub fn warn(settings: &Settings) {
    for sentence in [open_files(settings), recordings(settings)] {
        sentence.iter().for_each(|sentence| tracing::warn!("{sentence}"));
    }
}

/// A sentence where calls are to be recorded and cannot be. No call is refused for that.
fn recordings(settings: &Settings) -> Option<String> {
    let dir = &settings.recording.folder;
    let probe = dir.join(".writable");
    if !settings.call.records() {
        return None;
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .err()
        .map(|e| {
            format!(
                "no call will be recorded: {} cannot be written: {e}. Make it writable for this \
                 user, or choose another under [recording] folder",
                dir.display()
            )
        })
}

/// Raises the limit on open files; a sentence where it stays too low for the configured ports.
fn open_files(settings: &Settings) -> Option<String> {
    let (first, last) = settings.call.media.ports;
    let wanted = files(settings);
    let granted = match resources::raise_open_files() {
        Ok(granted) => granted,
        Err(error) => return Some(format!("the limit on open files cannot be read: {error}")),
    };
    (granted < wanted).then(|| {
        let calls = granted.saturating_sub(OTHER_FILES) / 4;
        format!(
            "only {granted} files may be open, and the media ports {first}-{last} and connections \
             need {wanted}: about {calls} calls at a time will have sound. Set \
             LimitNOFILE={wanted} in the service, or `ulimit -n {wanted}` before the start"
        )
    })
}

/// The address of this family that the rest of the network knows this machine by: the one that
/// packets to far away would leave from. None are sent.
pub fn own_address(family: Family) -> Option<IpAddr> {
    let (from, to) = match family {
        Family::V4 => ("0.0.0.0:0", "192.0.2.1:9"),
        Family::V6 => ("[::]:0", "[2001:db8::1]:9"),
    };
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Listener, Transport};

    #[test]
    fn a_data_folder_that_cannot_be_is_named_with_what_to_do() {
        let why = data_folder(Path::new("/dev/null/data")).unwrap_err();
        assert!(why.starts_with("the data folder /dev/null/data cannot be written"), "{why}");
        assert!(why.contains("[switch] data"), "{why}");
    }

    #[test]
    fn connections_are_files_too() {
        let mut settings = Settings::default();
        let without = files(&settings);
        for (transport, more) in [(Transport::Udp, 0), (Transport::Tcp, 10_000)] {
            let bind = "127.0.0.1:5060".parse().unwrap();
            settings.sip.listen = vec![Listener { transport, bind, advertise: None }];
            assert_eq!(files(&settings), without + more, "{transport:?}");
        }
    }

    #[test]
    fn a_folder_of_recordings_that_cannot_be_is_told_where_it_is_wanted() {
        let mut settings = Settings::default();
        settings.recording.folder = "/dev/null/recordings".into();
        assert_eq!(recordings(&settings), None);
        settings.call.recording.all = true;
        let why = recordings(&settings).unwrap();
        assert!(why.contains("/dev/null/recordings cannot be written"), "{why}");
    }
}
