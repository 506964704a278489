//! Ogg (RFC 3533) of one stream, and what a stream of Opus begins with (RFC 7845).
//!
//! In: packets, each with where it ends on a clock of 48,000 Hz. Out: pages, and the way back; and
//! where the last whole page is of a file that was broken off. May import: nothing.

use memchr::memmem;

/// Ticks a second of everything that is Opus.
pub const CLOCK: u32 = 48_000;
const MARK: &[u8; 4] = b"OggS";
const TAGS: &[u8; 8] = b"OpusTags";
/// Octets that a comment may have.
const COMMENT_ROOM: usize = 128;
/// Octets before the lengths of segments.
const HEAD: usize = 27;
const SEGMENTS_MAX: usize = 255;
/// Octets of a segment, but of the last one of a packet, which has less.
const SEGMENT: usize = 255;
/// Octets of a page at most.
pub const PAGE_MAX: usize = HEAD + SEGMENTS_MAX + SEGMENTS_MAX * SEGMENT;
/// Octets of a packet at most, so that none is in two pages.
pub const PACKET_MAX: usize = SEGMENTS_MAX * SEGMENT - 1;
const CONTINUED: u8 = 0x01;
const BEGINS: u8 = 0x02;
const ENDS: u8 = 0x04;
/// Where a page's checksum is.
const SUM: std::ops::Range<usize> = 22..26;

/// The identification header (RFC 7845 section 5.1) of one or two channels. `skip`: ticks that are
/// decoded before the sound begins; `rate`: of what was encoded, for whoever wants to know.
pub fn opus_head(channels: u8, skip: u16, rate: u32) -> Vec<u8> {
    let [skip_low, skip_high] = skip.to_le_bytes();
    let family = 0;
    let gain = [0, 0];
    let version = 1;
    let mut head = b"OpusHead".to_vec();
    head.extend([version, channels, skip_low, skip_high]);
    head.extend(rate.to_le_bytes());
    head.extend(gain);
    head.push(family);
    head
}

/// The comment header (RFC 7845 section 5.2) without comments, and with room for one, which may
/// have to be said when the stream has long begun: zeros behind the list are padding.
pub fn opus_tags(vendor: &str) -> Vec<u8> {
    let mut tags = TAGS.to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor.as_bytes());
    tags.extend(0u32.to_le_bytes());
    tags.extend([0; COMMENT_ROOM]);
    tags
}

/// Says `NAME=words` in the comment header of a stream that begins here, and nothing else. False:
/// it has no room for that.
pub fn comment(stream: &mut [u8], words: &str) -> bool {
    let Some(head) = Page::read(stream) else { return false };
    let Some(tags) = Page::read(&stream[head.size..]) else { return false };
    let page = &mut stream[head.size..head.size + tags.size];
    let body = HEAD + usize::from(page[26]);
    let Some((mark, rest)) = page[body..].split_at_mut_checked(TAGS.len()) else { return false };
    let Some((vendor, rest)) = rest.split_first_chunk_mut::<4>() else { return false };
    let Some(list) = rest.get_mut(u32::from_le_bytes(*vendor) as usize..) else { return false };
    if mark != TAGS || list.len() < 8 + words.len() {
        return false;
    }
    list.fill(0);
    list[..4].copy_from_slice(&1u32.to_le_bytes());
    list[4..8].copy_from_slice(&(words.len() as u32).to_le_bytes());
    list[8..8 + words.len()].copy_from_slice(words.as_bytes());
    seal(page);
    true
}

/// Packets to pages.
#[derive(Debug)]
pub struct Pager {
    serial: u32,
    /// Of the page that is being filled.
    number: u32,
    lengths: Vec<u8>,
    body: Vec<u8>,
    /// Where the last packet in it ends.
    granule: u64,
}

impl Pager {
    /// A stream that begins; `serial` tells it from others.
    pub fn new(serial: u32) -> Self {
        Self { serial, number: 0, lengths: Vec::new(), body: Vec::new(), granule: 0 }
    }

    /// Goes on behind this page.
    pub fn after(last: &Page) -> Self {
        Self { number: last.number.wrapping_add(1), ..Self::new(last.serial) }
    }

    /// A packet of up to [`PACKET_MAX`] octets that ends at `granule`. A page that is full leaves.
    pub fn put(&mut self, packet: &[u8], granule: u64, out: &mut Vec<u8>) {
        let packet = &packet[..packet.len().min(PACKET_MAX)];
        let (whole, rest) = (packet.len() / SEGMENT, packet.len() % SEGMENT);
        if self.lengths.len() + whole + 1 > SEGMENTS_MAX {
            self.flush(out);
        }
        self.lengths.resize(self.lengths.len() + whole, SEGMENT as u8);
        self.lengths.push(rest as u8);
        self.body.extend_from_slice(packet);
        self.granule = granule;
    }

    /// What there is leaves as a page.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.lengths.is_empty() {
            self.page(0, out);
        }
    }

    /// The last page. Of its packets only what is before `granule` is heard.
    pub fn end(&mut self, granule: u64, out: &mut Vec<u8>) {
        self.granule = granule;
        self.page(ENDS, out);
    }

    fn page(&mut self, flags: u8, out: &mut Vec<u8>) {
        let start = out.len();
        let begins = if self.number == 0 { BEGINS } else { 0 };
        out.extend_from_slice(MARK);
        out.extend_from_slice(&[0, flags | begins]);
        out.extend_from_slice(&self.granule.to_le_bytes());
        out.extend_from_slice(&self.serial.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(self.lengths.len() as u8);
        out.append(&mut self.lengths);
        out.append(&mut self.body);
        seal(&mut out[start..]);
        self.number = self.number.wrapping_add(1);
    }
}

/// What a page says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    flags: u8,
    pub granule: u64,
    serial: u32,
    /// From 0.
    pub number: u32,
    /// Octets, all told.
    pub size: usize,
}

impl Page {
    /// The page that `bytes` begin with. `None`: there is none, or it is not whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let segments = rest.get(..usize::from(head[26]))?;
        let body: usize = segments.iter().map(|length| usize::from(*length)).sum();
        let size = HEAD + segments.len() + body;
        let page = bytes.get(..size).filter(|_| head.starts_with(MARK) && head[4] == 0)?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| head[at + n]));
        let whole = checksum(page) == word(SUM.start);
        whole.then_some(Self {
            flags: head[5],
            granule: u64::from(word(6)) | u64::from(word(10)) << 32,
            serial: word(14),
            number: word(18),
            size,
        })
    }

    /// Whether nothing comes after it.
    pub fn ends(&self) -> bool {
        self.flags & ENDS != 0
    }
}

/// The last whole page, and where it begins. The end of a file is enough: [`PAGE_MAX`] for what was
/// broken off, and as much for the page.
pub fn last(bytes: &[u8]) -> Option<(usize, Page)> {
    memmem::rfind_iter(bytes, MARK).find_map(|at| Some((at, Page::read(&bytes[at..])?)))
}

/// Makes a page the last one.
pub fn close(page: &mut [u8]) {
    page[5] |= ENDS;
    seal(page);
}

/// All packets, headers too, and the page that each ends in. `None`: a page is missing, damaged,
/// or of something else.
pub fn packets(file: &[u8]) -> Option<Vec<(Vec<u8>, Page)>> {
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    let (mut rest, mut before) = (file, None::<Page>);
    while !rest.is_empty() {
        let page = Page::read(rest)?;
        let (number, serial) = before.map_or((0, page.serial), |b| (b.number + 1, b.serial));
        let goes_on = page.flags & CONTINUED != 0;
        if (page.number, page.serial, goes_on) != (number, serial, !packet.is_empty()) {
            return None;
        }
        let lengths = &rest[HEAD..HEAD + usize::from(rest[26])];
        let mut body = &rest[HEAD + lengths.len()..page.size];
        for length in lengths {
            let (segment, behind) = body.split_at(usize::from(*length));
            packet.extend_from_slice(segment);
            body = behind;
            if usize::from(*length) < SEGMENT {
                packets.push((std::mem::take(&mut packet), page));
            }
        }
        before = Some(page);
        rest = &rest[page.size..];
    }
    Some(packets)
}

fn seal(page: &mut [u8]) {
    let sum = checksum(page);
    page[SUM].copy_from_slice(&sum.to_le_bytes());
}

/// RFC 3533 section 6: over the whole page, the checksum itself taken as 0.
fn checksum(page: &[u8]) -> u32 {
    let step = |sum: u32, octet: u8| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ octet)];
    let octets = page.iter().enumerate();
    octets.fold(0, |sum, (at, octet)| step(sum, if SUM.contains(&at) { 0 } else { *octet }))
}

/// Of the polynomial 0x04c11db7, highest bit first.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut sum = (n as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[n] = sum;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn file(packets: &[Vec<u8>]) -> Vec<u8> {
        let (mut pager, mut out) = (Pager::new(0x5eed), Vec::new());
        pager.put(&opus_head(2, 312, 8_000), 0, &mut out);
        pager.flush(&mut out);
        for (n, packet) in (1..).zip(packets) {
            pager.put(packet, n * 960, &mut out);
            if n % 50 == 0 {
                pager.flush(&mut out);
            }
        }
        pager.end(packets.len() as u64 * 960 - 100, &mut out);
        out
    }

    #[test]
    fn a_page_is_what_other_programs_write() {
        // The first page of a stereo file by opusenc, with its serial number.
        let theirs = b"OggS\0\x02\0\0\0\0\0\0\0\0\xc3\0\0\0\0\0\0\0\x53\xf9\x48\xa6\x01\x13\
                       OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
        let (mut pager, mut out) = (Pager::new(195), Vec::new());
        pager.put(&opus_head(2, 312, 48_000), 0, &mut out);
        pager.flush(&mut out);
        assert_eq!(out, theirs);
    }

    #[test]
    fn a_comment_is_said_when_the_stream_has_long_begun_and_nothing_else_changes() {
        let (mut pager, mut out) = (Pager::new(1), Vec::new());
        for header in [opus_head(2, 312, 8_000), opus_tags("pukar")] {
            pager.put(&header, 0, &mut out);
            pager.flush(&mut out);
        }
        pager.put(&[7; 40], 960, &mut out);
        pager.end(960, &mut out);
        let before = out.clone();
        assert!(!comment(&mut out, &"x".repeat(COMMENT_ROOM)) && out == before, "it is too long");
        assert!(comment(&mut out, "COMMENT=one") && comment(&mut out, "COMMENT=2"));
        let (was, is) = (super::packets(&before).unwrap(), super::packets(&out).unwrap());
        assert_eq!((&was[0].0, &was[2].0, out.len()), (&is[0].0, &is[2].0, before.len()));
        let said = b"OpusTags\x05\0\0\0pukar\x01\0\0\0\x09\0\0\0COMMENT=2\0\0\0";
        assert!(is[1].0.starts_with(said), "{:?}", is[1].0);
        for cut in 0..200 {
            comment(&mut before[..cut].to_vec(), "COMMENT=cut");
        }
    }

    #[test]
    fn packets_of_any_length_come_out_as_they_went_in() {
        let packets: Vec<Vec<u8>> =
            (0..600).map(|n| vec![n as u8; [0, 1, 254, 255, 256, 510, 1_275][n % 7]]).collect();
        let file = file(&packets);
        let read = super::packets(&file).unwrap();
        assert_eq!(read[0].0, opus_head(2, 312, 8_000));
        let back: Vec<&Vec<u8>> = read[1..].iter().map(|(packet, _)| packet).collect();
        assert_eq!(back, packets.iter().collect::<Vec<_>>());
        let ends: Vec<bool> = read.iter().map(|(_, page)| page.ends()).collect();
        assert!(ends.iter().rposition(|ends| !ends).is_some_and(|at| !ends[..at].contains(&true)));
        assert_eq!(last(&file).unwrap().1.granule, 600 * 960 - 100);
    }

    #[test]
    fn no_octet_is_changed_unseen() {
        let file = file(&vec![vec![7; 100]; 60]);
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0x10;
            assert_eq!(super::packets(&changed), None, "octet {at}");
        }
    }

    #[test]
    fn what_was_broken_off_is_closed_where_its_last_whole_page_is() {
        let whole = file(&vec![vec![7; 100]; 150]);
        for cut in [1, 30, 200, 5_000] {
            let mut file = whole[..whole.len() - cut].to_vec();
            let (at, page) = last(&file).unwrap();
            assert!(page.granule.is_multiple_of(48_000) && !page.ends());
            file.truncate(at + page.size);
            close(&mut file[at..]);
            let packets = super::packets(&file).unwrap();
            assert!(packets.last().unwrap().1.ends());
            assert_eq!(packets.len() as u64 - 1, page.granule / 960);
        }
        assert_eq!(last(&whole[..20]), None);
    }

    #[test]
    fn who_goes_on_leaves_no_page_out() {
        let (mut pager, mut out) = (Pager::new(9), Vec::new());
        pager.put(b"one", 960, &mut out);
        pager.flush(&mut out);
        let mut pager = Pager::after(&last(&out).unwrap().1);
        pager.put(b"two", 1_920, &mut out);
        pager.end(1_900, &mut out);
        let packets = super::packets(&out).unwrap();
        assert_eq!(packets[1].0, b"two");
        assert_eq!((packets[1].1.number, packets[1].1.ends()), (1, true));
    }
}
