//! The session descriptions of test phones: one audio line, one law of G.711 preferred, both read.
//!
//! In: our port, or what the other side sent. Out: text, or where to send voice. Pure; not the
//! switch's own SDP reader, on purpose. May import: wire.

use crate::wire::g711::Law;
use std::net::{IpAddr, SocketAddr};

/// What the other side wants of our voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Far {
    pub to: SocketAddr,
    /// The first G.711 law in their list.
    pub law: Law,
    /// Whether they want to hear us.
    pub listens: bool,
}

/// Our offer or answer. An offer names both laws, `law` first; an answer only `law`.
pub fn write(at: SocketAddr, law: Law, offer: bool, version: u64, direction: &str) -> String {
    let (first, second) = if law == Law::A { ("8", "0") } else { ("0", "8") };
    let formats = if offer { format!("{first} {second} 101") } else { format!("{first} 101") };
    let (ip, port) = (at.ip(), at.port());
    let mut text = format!(
        "v=0\r\no=load {port} {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\n"
    );
    for format in formats.split(' ') {
        text.push_str(match format {
            "8" => "a=rtpmap:8 PCMA/8000\r\n",
            "0" => "a=rtpmap:0 PCMU/8000\r\n",
            _ => "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
        });
    }
    text.push_str(&format!("a=ptime:20\r\na={direction}\r\n"));
    text
}

/// Where and how the other side wants to be spoken to, or what is wrong with it. Where they list
/// both laws, `ours` is spoken if given, and else their first.
pub fn read(body: &[u8], ours: Option<Law>) -> Result<Far, String> {
    let text = std::str::from_utf8(body).map_err(|_| "SDP is not UTF-8".to_string())?;
    let (mut session_ip, mut media_ip, mut media) = (None, None, None);
    let mut direction = "sendrecv";
    for line in text.lines() {
        match line.split_at_checked(2) {
            Some(("c=", value)) => {
                let ip = value.split(' ').nth(2).and_then(|ip| ip.parse::<IpAddr>().ok());
                *(if media.is_some() { &mut media_ip } else { &mut session_ip }) = ip;
            }
            Some(("m=", value)) if media.is_none() => media = Some(value),
            Some(("m=", _)) => break,
            Some(("a=", value)) if matches!(value, "sendonly" | "recvonly" | "inactive") => {
                direction = value;
            }
            _ => {}
        }
    }
    let media = media.ok_or("SDP has no m= line")?;
    let ip = media_ip.or(session_ip).ok_or("SDP has no c= line with an address")?;
    let mut words = media.split(' ');
    let (kind, port) = (words.next(), words.next().and_then(|p| p.parse::<u16>().ok()));
    let port = port.filter(|_| kind == Some("audio")).ok_or("SDP has no audio port")?;
    let mut laws = words.skip(1).filter_map(|format| match format {
        "8" => Some(Law::A),
        "0" => Some(Law::Mu),
        _ => None,
    });
    let first = laws.next().ok_or("SDP has no G.711")?;
    let law = ours.filter(|&law| laws.any(|l| l == law)).unwrap_or(first);
    let listens = port != 0 && matches!(direction, "sendrecv" | "recvonly") && !ip.is_unspecified();
    Ok(Far { to: SocketAddr::new(ip, port), law, listens })
}

/// The direction to answer with, seen from our side (RFC 3264 section 6.1).
pub fn answer_direction(offer: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(offer);
    if text.contains("a=sendonly") {
        "recvonly"
    } else if text.contains("a=recvonly") {
        "sendonly"
    } else if text.contains("a=inactive") {
        "inactive"
    } else {
        "sendrecv"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_write_we_read() {
        let at: SocketAddr = "127.0.0.1:40000".parse().unwrap();
        for law in [Law::A, Law::Mu] {
            let offer = write(at, law, true, 1, "sendrecv");
            assert_eq!(read(offer.as_bytes(), None), Ok(Far { to: at, law, listens: true }));
        }
        let held = write(at, Law::A, false, 2, "sendonly");
        assert!(!read(held.as_bytes(), None).unwrap().listens);
        assert_eq!(answer_direction(held.as_bytes()), "recvonly");
        assert!(read(b"v=0\r\nm=audio 4 RTP/AVP 3\r\nc=IN IP4 1.2.3.4\r\n", None).is_err());
    }
}
