//! RTP (RFC 3550 section 5.1): a view of a packet that reads the header and rewrites it in place.
//!
//! In: the octets of a datagram. Out: a checked [`Rtp`], or `None`. Fixed header, contributing
//! sources, extension and padding are all measured before anything is believed. May import: base.

/// Octets of the fixed header.
pub const HEADER: usize = 12;

/// What a datagram holds, told apart by its second octet (RFC 5761 section 4).
pub fn looks_like_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[0] >> 6 == 2 && (192..=223).contains(&bytes[1])
}

/// A packet whose header has been checked. Cheap: it borrows, and holds two offsets.
#[derive(Debug)]
pub struct Rtp<'a> {
    bytes: &'a mut [u8],
    start: usize,
    end: usize,
}

impl<'a> Rtp<'a> {
    /// RFC 3550 appendix A.1's checks of one packet by itself.
    pub fn new(bytes: &'a mut [u8]) -> Option<Self> {
        let (start, end) = measure(bytes)?;
        Some(Self { bytes, start, end })
    }

    pub fn marker(&self) -> bool {
        self.bytes[1] & 0x80 != 0
    }

    pub fn payload_type(&self) -> u8 {
        self.bytes[1] & 0x7f
    }

    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    pub fn set_sequence(&mut self, sequence: u16) {
        self.bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
    }

    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]])
    }

    pub fn ssrc(&self) -> u32 {
        u32::from_be_bytes([self.bytes[8], self.bytes[9], self.bytes[10], self.bytes[11]])
    }

    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Changes the payload type and nothing else: the marker stays.
    pub fn set_payload_type(&mut self, payload_type: u8) {
        self.bytes[1] = self.bytes[1] & 0x80 | payload_type & 0x7f;
    }
}

/// Where the payload begins: behind the sources and the extension, all of which is told in the
/// clear whatever becomes of the payload (RFC 3711 section 3.1).
#[inline]
pub fn payload_at(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < HEADER || bytes[0] >> 6 != 2 {
        return None;
    }
    let mut start = HEADER + 4 * usize::from(bytes[0] & 0x0f);
    if bytes[0] & 0x10 != 0 {
        let words = bytes.get(start + 2..start + 4)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (start <= bytes.len()).then_some(start)
}

/// Where the payload begins and ends.
fn measure(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = payload_at(bytes)?;
    let mut end = bytes.len();
    if bytes[0] & 0x20 != 0 {
        let padding = usize::from(bytes[end - 1]);
        if padding == 0 {
            return None;
        }
        end = end.checked_sub(padding)?;
    }
    (start <= end).then_some((start, end))
}

/// The fixed header of a packet that we make ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Header {
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = 0x80;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Header =
        Header { marker: true, payload_type: 8, sequence: 7, timestamp: 0x01020304, ssrc: 9 };

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = HEAD.bytes().to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn a_header_reads_as_it_was_written() {
        let mut bytes = packet(0x80, &[1, 2, 3]);
        let mut rtp = Rtp::new(&mut bytes).unwrap();
        assert!(rtp.marker());
        assert_eq!((rtp.payload_type(), rtp.sequence(), rtp.ssrc()), (8, 7, 9));
        assert_eq!((rtp.timestamp(), rtp.payload()), (0x01020304, &[1u8, 2, 3][..]));
        rtp.set_payload_type(97);
        assert!(rtp.marker());
        assert_eq!((rtp.payload_type(), rtp.sequence()), (97, 7));
    }

    #[test]
    fn sources_extension_and_padding_are_not_payload() {
        let mut bytes = packet(0x80 | 0x30 | 1, &[0; 4]);
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 9, 9, 9, 9, 42, 43, 0, 2]);
        assert_eq!(Rtp::new(&mut bytes).unwrap().payload(), [42, 43]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert!(Rtp::new(&mut []).is_none());
        assert!(Rtp::new(&mut packet(0x00, &[1])).is_none());
        assert!(Rtp::new(&mut packet(0x8f, &[0; 59])).is_none());
        assert!(Rtp::new(&mut packet(0x90, &[0, 0, 0])).is_none());
        assert!(Rtp::new(&mut packet(0x90, &[0, 0, 0xff, 0xff, 1])).is_none());
        assert!(Rtp::new(&mut packet(0xa0, &[1, 2, 200])).is_none());
        assert!(Rtp::new(&mut packet(0xa0, &[1, 2, 0])).is_none());
        assert!(Rtp::new(&mut packet(0x80, &[])).unwrap().payload().is_empty());
    }

    #[test]
    fn rtcp_is_told_from_rtp() {
        assert!(looks_like_rtcp(&[0x80, 200, 0, 1, 0, 0, 0, 0]));
        assert!(!looks_like_rtcp(&packet(0x80, &[0; 20])));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_bring_it_down(mut bytes in proptest::collection::vec(0u8..=255, 0..200)) {
            if let Some(mut rtp) = Rtp::new(&mut bytes) {
                rtp.payload_mut().fill(0);
                rtp.set_payload_type(255);
            }
        }
    }
}
