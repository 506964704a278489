//! RTCP (RFC 3550 section 6): reads compound packets, and builds the sender or receiver report with
//! SDES that every compound packet must begin with. May import: base.

use crate::base::limits;

/// One packet of a compound. Parts that the switch has no use for are skipped, not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Sender {
        ssrc: u32,
        sent: Sent,
        reports: Vec<Report>,
    },
    Receiver {
        ssrc: u32,
        reports: Vec<Report>,
    },
    /// Canonical names, each with the source that bears it.
    Names(Vec<(u32, String)>),
    Bye(Vec<u32>),
}

/// What a sender says it has sent (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// NTP time, 32.32 bits.
    pub ntp: u64,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub ssrc: u32,
    /// Of 256, since the last report.
    pub fraction_lost: u8,
    /// 24 bits with a sign.
    pub lost: i32,
    /// Highest sequence number, extended by its cycles.
    pub highest: u32,
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report.
    pub last_sr: u32,
    /// Since then, in units of 1/65536 s.
    pub delay: u32,
}

/// Reads a compound packet; `None` where its lengths do not add up or it does not begin as RFC 3550
/// appendix A.2 demands.
pub fn parse(bytes: &[u8]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let &[first, kind, high, low, ..] = rest else { return None };
        let size = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let whole = rest.get(..size).filter(|_| first >> 6 == 2)?;
        if parts.is_empty() && rest.len() == bytes.len() && !matches!(kind, 200 | 201) {
            return None;
        }
        let count = usize::from(first & 0x1f);
        if let Some(part) = part(kind, count, unpadded(whole)?)? {
            parts.push(part);
        }
        rest = &rest[size..];
    }
    (!bytes.is_empty()).then_some(parts)
}

/// The report that a compound packet begins with; what is behind it is not read.
pub fn first(bytes: &[u8]) -> Option<Part> {
    let &[first, kind @ (200 | 201), high, low, ..] = bytes else { return None };
    let size = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
    let whole = bytes.get(..size).filter(|_| first >> 6 == 2)?;
    part(kind, usize::from(first & 0x1f), unpadded(whole)?)?
}

/// The body of one packet, header and padding cut off.
fn unpadded(whole: &[u8]) -> Option<&[u8]> {
    let padding = if whole[0] & 0x20 != 0 { usize::from(*whole.last()?) } else { 0 };
    whole.get(4..whole.len().checked_sub(padding)?)
}

/// `None`: malformed. `Some(None)`: of no interest.
fn part(kind: u8, count: usize, body: &[u8]) -> Option<Option<Part>> {
    Some(match kind {
        200 => Some(Part::Sender {
            ssrc: word(body, 0)?,
            sent: Sent {
                ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
                timestamp: word(body, 12)?,
                packets: word(body, 16)?,
                octets: word(body, 20)?,
            },
            reports: reports(body.get(24..)?, count)?,
        }),
        201 => {
            let ssrc = word(body, 0)?;
            Some(Part::Receiver { ssrc, reports: reports(body.get(4..)?, count)? })
        }
        202 => Some(Part::Names(names(body, count)?)),
        203 => Some(Part::Bye((0..count).map(|at| word(body, 4 * at)).collect::<Option<_>>()?)),
        _ => None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

fn reports(body: &[u8], count: usize) -> Option<Vec<Report>> {
    (0..count).map(|at| report(body.get(24 * at..24 * (at + 1))?)).collect()
}

fn report(body: &[u8]) -> Option<Report> {
    let losses = word(body, 4)?;
    Some(Report {
        ssrc: word(body, 0)?,
        fraction_lost: (losses >> 24) as u8,
        lost: ((losses << 8) as i32) >> 8,
        highest: word(body, 8)?,
        jitter: word(body, 12)?,
        last_sr: word(body, 16)?,
        delay: word(body, 20)?,
    })
}

/// Chunks of source and items; only CNAME is kept.
fn names(body: &[u8], count: usize) -> Option<Vec<(u32, String)>> {
    let mut names = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let ssrc = word(body, at)?;
        at += 4;
        loop {
            let kind = *body.get(at)?;
            if kind == 0 {
                // A chunk ends with one or more zeros, up to a whole word.
                at = (at + 4) & !3;
                break;
            }
            let size = usize::from(*body.get(at + 1)?);
            let text = body.get(at + 2..at + 2 + size)?;
            if kind == 1 {
                names.push((ssrc, String::from_utf8_lossy(text).into_owned()));
            }
            at += 2 + size;
        }
    }
    Some(names)
}

/// A compound packet: SR where something was `sent`, RR otherwise, then SDES with `name` (cut at
/// 255 octets). Reports beyond what one packet holds are left out.
pub fn build(ssrc: u32, sent: Option<Sent>, about: &[Report], name: &str) -> Vec<u8> {
    let about = &about[..about.len().min(limits::RTCP_REPORTS_MAX)];
    let mut bytes = Vec::with_capacity(28 + 24 * about.len() + 16 + name.len());
    let kind = if sent.is_some() { 200 } else { 201 };
    bytes.extend_from_slice(&[0x80 | about.len() as u8, kind, 0, 0]);
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    if let Some(sent) = sent {
        bytes.extend_from_slice(&sent.ntp.to_be_bytes());
        for word in [sent.timestamp, sent.packets, sent.octets] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
    }
    about.iter().for_each(|report| put_report(&mut bytes, report));
    close(&mut bytes, 0);
    let names_at = bytes.len();
    let name = &name.as_bytes()[..name.len().min(255)];
    bytes.extend_from_slice(&[0x81, 202, 0, 0]);
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(&[1, name.len() as u8]);
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    close(&mut bytes, names_at);
    bytes
}

fn put_report(bytes: &mut Vec<u8>, report: &Report) {
    let lost = report.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
    let losses = u32::from(report.fraction_lost) << 24 | lost;
    let rest = [report.highest, report.jitter, report.last_sr, report.delay];
    for word in [report.ssrc, losses].into_iter().chain(rest) {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
}

/// Writes the length of the packet that begins at `start` and ends here.
fn close(bytes: &mut [u8], start: usize) {
    let words = ((bytes.len() - start) / 4 - 1) as u16;
    bytes[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: Report = Report {
        ssrc: 7,
        fraction_lost: 25,
        lost: -3,
        highest: 0x0001_fffe,
        jitter: 12,
        last_sr: 5,
        delay: 6,
    };

    #[test]
    fn a_compound_reads_as_it_was_built() {
        let sent = Sent { ntp: 1 << 40, timestamp: 2, packets: 3, octets: 4 };
        let names = Part::Names(vec![(1, "pukar@192.0.2.1".into())]);
        let built = build(1, Some(sent), &[REPORT], "pukar@192.0.2.1");
        let sender = Part::Sender { ssrc: 1, sent, reports: vec![REPORT] };
        assert_eq!(parse(&built), Some(vec![sender, names.clone()]));
        let built = build(1, None, &[], "pukar@192.0.2.1");
        let receiver = Part::Receiver { ssrc: 1, reports: vec![] };
        assert_eq!(parse(&built), Some(vec![receiver, names]));
    }

    #[test]
    fn a_name_of_any_length_ends_on_a_word() {
        for size in 0..300 {
            let built = build(1, None, &[REPORT; 40], &"n".repeat(size));
            let parts = parse(&built).unwrap();
            assert_eq!(parts[1], Part::Names(vec![(1, "n".repeat(size.min(255)))]));
        }
    }

    #[test]
    fn goodbye_is_read_and_strange_parts_are_skipped() {
        let mut bytes = build(1, None, &[], "x");
        bytes.extend_from_slice(&[0x80, 207, 0, 0]);
        bytes.extend_from_slice(&[0x81, 203, 0, 1, 0, 0, 0, 1]);
        assert_eq!(parse(&bytes).unwrap().last(), Some(&Part::Bye(vec![1])));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0x81, 203, 0, 1, 0, 0, 0, 1]), None);
        assert_eq!(parse(&[0x80, 201, 0, 9, 0, 0, 0, 1]), None);
        assert_eq!(parse(&[0x9f, 201, 0, 1, 0, 0, 0, 1]), None);
        assert_eq!(parse(&[0xa0, 201, 0, 1, 0, 0, 0, 99]), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_bring_it_down(
            mut bytes in proptest::collection::vec(0u8..=255, 0..120), kind in 200u8..206
        ) {
            if bytes.len() > 4 {
                bytes[0] = bytes[0] & 0x3f | 0x80;
                bytes[1] = kind;
                bytes[2] = 0;
            }
            let first = first(&bytes);
            if let Some(parts) = parse(&bytes) {
                proptest::prop_assert_eq!(parts.first(), first.as_ref());
            }
        }
    }
}
