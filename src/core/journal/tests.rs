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

/// As another version would do it, from its first octet on.
fn foreign_file(format: u32) -> Vec<u8> {
    let key = |number: u64, bytes: &[u8]| {
        let mut hasher = SipHasher13::new_with_keys(number, u64::from(format));
        hasher.write(bytes);
        hasher.finish().to_le_bytes()
    };
    let mut file = b"pukar-j\n".to_vec();
    file.extend(format.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend([77_u64.to_le_bytes(), 7_u64.to_le_bytes()].concat());
    file.extend(key(0, &file));
    let note = br#"{"Live":{"id":"01HZ","seq":"none","line":"181","mood":["calm"],
        "legs":[{"role":"caller","packets_lost":"few"}]}}"#;
    file.extend((note.len() as u32).to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    let check = u64::from_le_bytes(key(7, note)) ^ 1;
    file.extend(check.to_le_bytes());
    file.extend(note);
    file
}

#[test]
fn a_file_of_another_form_says_which_and_its_notes_are_read() {
    let file = foreign_file(FORMAT + 1);
    assert_eq!(Header::decode(&file), Err(Unreadable::Version(FORMAT + 1)));
    let mut entries = Entries::new(&file, 7);
    let (kind, payload) = entries.next().expect("its entries are good");
    assert_eq!(kind, Kind::Note);
    let Some(Note::Live(record)) = read_note(payload) else { panic!("no note") };
    assert_eq!((record.id.as_str(), record.line.as_str(), record.seq), ("01HZ", "181", 0));
    assert_eq!((record.legs[0].role.as_str(), record.legs[0].packets_lost), ("caller", 0));
    assert!(entries.next().is_none() && !entries.is_cut_short());
}

#[test]
fn a_note_that_names_no_call_is_none() {
    for text in [r#"{"Live":{"seq":3}}"#, r#"{"Unheard-of":{}}"#, "[]", r#"{"Row":{"Call":7}}"#] {
        assert_eq!(read_note(text.as_bytes()), None, "{text}");
    }
}
