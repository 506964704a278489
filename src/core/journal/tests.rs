//! Whole, torn, flipped and foreign bytes.

use super::*;
use crate::base::{Instant, Wall};

fn file(entries: u64) -> Vec<u8> {
    let mut file = Header::new(7, true).encode().to_vec();
    for n in 0..entries {
        let now = Now { instant: Instant(n), wall: Wall(-1) };
        put_batch(&mut file, 7, now, &[Event::Tick, Event::Drain]).unwrap();
    }
    file
}

fn instants(entries: &mut Entries) -> Vec<u64> {
    let batch = |(_, payload): (Kind, &[u8])| read_batch(payload).unwrap().0.instant.0;
    entries.map(batch).collect()
}

#[test]
fn what_was_written_is_read_in_order() {
    let file = file(3);
    assert_eq!(Header::decode(&file), Ok(Header::new(7, true)));
    let mut entries = Entries::new(&file, 7);
    let (kind, payload) = entries.next().unwrap();
    let (now, batch) = read_batch(payload).unwrap();
    assert_eq!((kind, now.wall, batch), (Kind::Batch, Wall(-1), vec![Event::Tick, Event::Drain]));
    assert_eq!(instants(&mut entries), [1, 2]);
    assert!(!entries.is_cut_short());
}

#[test]
fn an_unfinished_end_is_cut_off_wherever_it_ends() {
    let whole = file(3);
    let two = file(2).len();
    for end in two + 1..whole.len() {
        let mut entries = Entries::new(&whole[..end], 7);
        assert_eq!(instants(&mut entries), [0, 1]);
        assert_eq!(entries.at(), two);
        assert!(entries.is_cut_short() && !entries.is_damaged(), "cut at {end}");
    }
}

#[test]
fn a_flipped_bit_is_damage_and_what_follows_is_still_there() {
    let (one, two) = (file(1).len(), file(2).len());
    for bit in one * 8..two * 8 {
        let mut file = file(4);
        file[bit / 8] ^= 1 << (bit % 8);
        let mut entries = Entries::new(&file, 7);
        assert_eq!(instants(&mut entries), [0], "bit {bit}");
        assert!(entries.is_damaged() && entries.is_cut_short());
        assert!(entries.skip_damage());
        assert_eq!(instants(&mut entries), [2, 3], "bit {bit}");
    }
}

#[test]
fn a_foreign_header_is_told_from_a_damaged_one() {
    let own = Header::new(1, false);
    assert_eq!(Header::decode(b"pukar"), Err(Unreadable::Short));
    let newer = Header { format: 99, ..own };
    assert_eq!(Header::decode(&newer.encode()), Err(Unreadable::Version(99)));
    let other = Header { build: own.build ^ 1, ..own };
    let read = Header::decode(&other.encode()).unwrap();
    assert_eq!((read.check_build(), own.check_build()), (Err(Unreadable::Build), Ok(())));
    for bit in 0..HEADER_LEN * 8 {
        let mut bytes = own.encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&bytes), Err(Unreadable::Damaged), "bit {bit}");
    }
}

#[test]
fn a_segment_does_not_take_the_entries_of_another() {
    let file = file(2);
    assert_eq!(Entries::new(&file, 8).count(), 0);
}
