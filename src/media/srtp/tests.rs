//! Sealed sound by the vectors of those who made it, and against those who would break it.

use super::*;
use crate::wire::rtcp::{self, Sent};
use crate::wire::rtp::Header;
use crate::wire::sdp::{Master, Suite};
use std::time::Duration;

fn octets(hex: &str) -> Vec<u8> {
    let hex: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    hex.chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn master(suite: Suite, hex: &str) -> Master {
    Master::new(suite, &octets(hex)).unwrap()
}

/// Of RFC 3711 appendix B.3, and of many a test since.
const KEY: &str = "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6";
/// Of the tests of those who first had GCM.
const GCM_KEY: &str = "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab";
const SOUND: &str = "800f1234decafbadcafebabe abababababababababababababababab";
const REPORT: &str = "81c8000bcafebabe abababababababababababababababab";

#[test]
fn sound_and_reports_are_sealed_as_others_seal_them() {
    for (suite, key, sound, report) in [
        (
            Suite::Cm80,
            KEY,
            "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
            "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
        ),
        (
            Suite::Cm32,
            KEY,
            "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc",
            "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
        ),
        (
            Suite::Gcm128,
            GCM_KEY,
            "800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e \
             d2976826f796b201df3131a127e8a392",
            "81c8000bcafebabe c98b8b5df0392a55852b6c21ac8e7025 \
             c52c6fbea2b3b446ea31123ba88ce61e 80000001",
        ),
    ] {
        let cipher = Cipher::new(&master(suite, key));
        let mut packet = octets(SOUND);
        cipher.seal(&mut packet, 12, 0x1234);
        assert_eq!(packet, octets(sound), "{suite:?}");
        assert_eq!(cipher.open(&mut packet, 12, 0x1234), Some(28), "{suite:?}");
        assert_eq!(packet[..28], octets(SOUND), "{suite:?}");
        let mut packet = octets(REPORT);
        cipher.seal_report(&mut packet, 1);
        assert_eq!(packet, octets(report), "{suite:?}");
        assert_eq!(cipher.open_report(&mut packet), Some((24, 1)), "{suite:?}");
        assert_eq!(packet[..24], octets(REPORT), "{suite:?}");
    }
}

/// Both ends of a seal: what one has for its own key is the other's.
fn both(suite: Suite) -> (Seal, Seal) {
    let (key, salt) = suite.lengths();
    let of = |first: u8| {
        let octets: Vec<u8> = (first..).take(key + salt).collect();
        Master::new(suite, &octets).unwrap()
    };
    let (ours, theirs) = (of(1), of(100));
    let near = Seal::new(Seals { ours, theirs }, 0x1111_1111);
    let far = Seal::new(Seals { ours: theirs, theirs: ours }, 0x2222_2222);
    (near, far)
}

const NOW: Instant = Instant(1_000_000);

fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let timestamp = u32::from(sequence).wrapping_mul(160);
    let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc };
    [&header.bytes()[..], payload].concat()
}

/// Sealed by one end as the `n`th 20 ms of a stream.
fn sealed(seal: &mut Seal, ssrc: u32, sequence: u16, n: u64) -> Vec<u8> {
    let mut packet = packet(ssrc, sequence, &[0xd5; 160]);
    let now = NOW + Duration::from_millis(20 * n);
    assert!(seal.seal(now, 8_000, &mut packet), "{sequence} goes");
    packet
}

fn number(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

fn time(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[4..8].try_into().unwrap())
}

#[test]
fn what_one_seals_the_other_opens_once_and_nothing_else() {
    for suite in Suite::ALL {
        let (mut near, mut far) = both(suite);
        let whole = sealed(&mut near, 7, 100, 0);
        for at in [0, 1, 3, 7, 11, 12, 60, whole.len() - 1] {
            let mut bent = whole.clone();
            bent[at] ^= 0x10;
            assert_eq!(far.open(false, &mut bent), None, "{suite:?}, octet {at}");
        }
        for length in 0..whole.len() {
            assert_eq!(far.open(false, &mut whole[..length].to_vec()), None, "{suite:?}");
        }
        assert_eq!(near.open(false, &mut whole.clone()), None, "{suite:?}: back at its own end");
        assert_eq!(far.open(false, &mut packet(7, 100, &[0xd5; 160])), None, "{suite:?}: plain");
        let mut once = whole.clone();
        assert_eq!(far.open(false, &mut once), Some(172), "{suite:?}");
        assert_eq!(once[12..172], [0xd5; 160], "{suite:?}");
        assert_eq!(far.open(false, &mut whole.clone()), None, "{suite:?}: a second time");
    }
}

#[test]
fn packets_that_overtake_one_another_are_opened_and_old_ones_are_not() {
    let (mut near, mut far) = both(Suite::Cm80);
    let all: Vec<Vec<u8>> = (0..300).map(|n| sealed(&mut near, 7, n, n.into())).collect();
    for at in [0, 5, 3, 4, 1, 200, 199, 100] {
        assert!(far.open(false, &mut all[at].clone()).is_some(), "{at}");
    }
    for at in [0, 5, 4, 200, 50, 2] {
        assert_eq!(far.open(false, &mut all[at].clone()), None, "{at}");
    }
}

#[test]
fn the_rounds_of_the_numbers_are_counted_on_both_sides() {
    let (mut near, mut far) = both(Suite::Gcm128);
    let mut n = 0u32;
    while n < 200_000 {
        let mut packet = sealed(&mut near, 7, n as u16, n.into());
        assert!(far.open(false, &mut packet).is_some(), "{n}");
        n += 999;
    }
    // Whoever comes in the midst of it, as after a crash, finds the round within some packets.
    let (_, mut late) = both(Suite::Gcm128);
    let tried = (1..).find(|m| {
        let mut packet = sealed(&mut near, 7, (n + m) as u16, (n + m).into());
        late.open(false, &mut packet).is_some()
    });
    assert!(tried.unwrap() <= 2, "three rounds, and four are tried at a time: {tried:?}");
    let day = Cipher::new(&both(Suite::Cm80).0.keys.ours);
    let (_, mut late) = both(Suite::Cm80);
    let tried = (0..).find(|n| {
        let mut packet = packet(9, 70 + n, &[1; 160]);
        day.seal(&mut packet, 12, 66 << 16 | u64::from(70 + n));
        late.open(false, &mut packet).is_some()
    });
    assert!(tried.unwrap() < 50, "a second: {tried:?}");
}

#[test]
fn a_replayed_packet_of_an_earlier_round_does_not_deafen_whoever_came_in_late() {
    let (mut near, mut far) = both(Suite::Cm80);
    let old = sealed(&mut near, 7, 0, 0);
    for n in (0..140_000u32).step_by(1_000) {
        sealed(&mut near, 7, n as u16 | 1, n.into());
    }
    assert!(far.open(false, &mut old.clone()).is_some(), "nobody could know");
    let heard = (140_001..140_011u32)
        .filter(|n| far.open(false, &mut sealed(&mut near, 7, *n as u16, (*n).into())).is_some());
    assert!(heard.count() >= 9);
}

/// RFC 3711 section 9.1: a number that seals twice gives both packets away.
#[test]
fn no_number_seals_twice_whatever_is_relayed() {
    let (mut near, mut far) = both(Suite::Cm80);
    let first = sealed(&mut near, 7, 100, 0);
    let mut again = packet(7, 100, &[0xee; 160]);
    assert!(!near.seal(NOW, 8_000, &mut again), "another one of the same number");
    let mut numbers = vec![number(&first)];
    // Another source, the first again, and numbers of it that were there before.
    for (n, (ssrc, sequence)) in
        [(8, 5), (7, 101), (8, 6), (7, 102), (7, 103), (9, 60_000), (7, 100)].iter().enumerate()
    {
        let mut packet = sealed(&mut near, *ssrc, *sequence, n as u64 + 1);
        numbers.push(number(&packet));
        assert_eq!(packet[8..12], first[8..12], "one source");
        assert!(far.open(false, &mut packet).is_some(), "{ssrc} {sequence}");
    }
    let expected: Vec<u16> = (0..8).map(|n| number(&first).wrapping_add(n)).collect();
    assert_eq!(numbers, expected, "and the numbers go on");
}

/// RFC 3550 appendix A.1: one packet that is far from the others is none of the stream, two that
/// follow one another are the stream from then on.
#[test]
fn late_packets_and_jumps_are_left_out_and_a_stream_that_begins_anew_goes_on() {
    let (mut near, mut far) = both(Suite::Cm80);
    let first = number(&sealed(&mut near, 7, 20_000, 0));
    let mut goes = |sequence: u16| {
        let mut packet = packet(7, sequence, &[0xd5; 160]);
        let goes = near.seal(NOW, 8_000, &mut packet);
        assert!(!goes || far.open(false, &mut packet.clone()).is_some(), "{sequence}");
        goes.then(|| number(&packet).wrapping_sub(first))
    };
    assert_eq!(goes(20_001), Some(1));
    // Two seconds late, ten minutes ahead, and more than half a round.
    for alone in [19_890, 50_000, 53_000, 19_880] {
        assert_eq!(goes(alone), None, "{alone}");
        assert_eq!(goes(alone - 1), None, "nor does this follow it");
    }
    assert_eq!(goes(20_002), Some(2), "as if nothing had been");
    assert_eq!(goes(21_000), Some(1_000), "many were lost");
    assert_eq!([50_000, 50_001, 50_002].map(&mut goes), [None, Some(1_001), Some(1_002)]);
    assert_eq!([100, 101].map(&mut goes), [None, Some(1_003)]);
}

#[test]
fn a_packet_that_was_overtaken_by_the_first_of_all_is_of_no_other_round() {
    let keys = both(Suite::Cm80).0.keys;
    let now = Instant(3 * 20_000);
    let mut near = Seal::new(keys, 5);
    let mut far = Seal::new(Seals { ours: keys.theirs, theirs: keys.ours }, 6);
    let mut goes = |sequence: u16| {
        let mut packet = packet(7, sequence, &[0xd5; 160]);
        near.seal(now, 8_000, &mut packet).then(|| {
            assert!(far.open(false, &mut packet.clone()).is_some(), "{sequence}");
            number(&packet)
        })
    };
    assert_eq!(goes(100), Some(3), "the numbers begin so low");
    assert_eq!([98, 97, 90, 40].map(&mut goes), [Some(1), Some(0), None, None]);
    assert_eq!(goes(101), Some(4));
}

/// Whoever begins to hear us in mid-call counts from the first round.
#[test]
fn another_one_who_hears_us_hears_a_source_that_is_new_to_it() {
    let theirs = Master::new(Suite::Gcm256, &[9; 44]).unwrap();
    for rounds in [0, 1] {
        let (mut near, _) = both(Suite::Cm80);
        let mut n = 0u32;
        let mut before = sealed(&mut near, 7, 0, 0);
        while n < 30_000 + 65_536 * rounds {
            n += 990;
            before = sealed(&mut near, 7, n as u16, n.into());
        }
        near.agree(near.keys, 1);
        assert_eq!(sealed(&mut near, 7, n as u16 + 1, n.into())[8..12], before[8..12]);
        // It comes with another key: perhaps it is another machine.
        near.agree(Seals { theirs, ..near.keys }, 2);
        let mut another = Seal::new(Seals { ours: theirs, theirs: near.keys.ours }, 3);
        another.opener.guesses_nothing();
        let after = sealed(&mut near, 7, n as u16 + 2, n.into());
        assert!(another.open(false, &mut after.clone()).is_some(), "round {rounds}");
        assert_eq!(after[8..12] == before[8..12], rounds == 0, "no more sources than need be");
    }
}

/// What was there before costs no guess: else whoever sends it again would keep the right round
/// from being tried.
#[test]
fn packets_that_come_again_keep_nobody_from_being_heard() {
    let (mut near, mut far) = both(Suite::Cm80);
    let old = sealed(&mut near, 7, 0, 0);
    assert!(far.open(false, &mut old.clone()).is_some());
    for _ in 0..10 {
        assert_eq!(far.open(false, &mut old.clone()), None);
        assert!(far.had(&old));
    }
    for n in (0..140_000u32).step_by(990) {
        sealed(&mut near, 7, n as u16 | 1, n.into());
    }
    let mut heard = (139_800..139_803u32)
        .map(|n| far.open(false, &mut sealed(&mut near, 7, n as u16, n.into())).is_some());
    assert!(heard.any(|heard| heard), "two rounds on");
    assert!(!far.had(&packet(7, 5, b"x")) && !far.had(b"") && !far.had(&packet(8, 0, b"x")));
}

#[test]
fn times_go_on_by_the_clock_when_somebody_else_speaks() {
    let (mut near, _) = both(Suite::Cm80);
    let first = sealed(&mut near, 7, 100, 0);
    let second = sealed(&mut near, 7, 101, 1);
    assert_eq!(time(&second).wrapping_sub(time(&first)), 160);
    let other = sealed(&mut near, 8, 40_000, 101);
    assert_eq!(time(&other).wrapping_sub(time(&second)), 16_000, "two seconds later");
    let at_once = sealed(&mut near, 7, 102, 101);
    assert_eq!(time(&at_once).wrapping_sub(time(&other)), 160, "never the same twice");
}

#[test]
fn numbers_and_times_go_on_by_the_clock_and_none_begins_at_the_end_of_a_round() {
    let keys = both(Suite::Cm80).0.keys;
    for (rounds, first) in [(0, 1), (700, 700), (65_035, 65_035), (65_036, 1), (65_535, 499)] {
        let now = Instant((3 * 65_536 + rounds) * 20_000);
        let mut packet = packet(7, 65_535, &[0xd5; 160]);
        assert!(Seal::new(keys, 5).seal(now, 8_000, &mut packet));
        assert_eq!(number(&packet), first, "{rounds}");
        let ticks = (3 * 65_536 + rounds) * 160;
        assert_eq!(time(&packet), ticks as u32, "{rounds}");
    }
}

#[test]
fn a_new_key_is_used_at_once_and_the_old_one_is_heard_until_the_new_one_is() {
    let (mut near, mut far) = both(Suite::Cm80);
    let old = [1, 2, 3, 4].map(|n| sealed(&mut near, 7, n, n.into()));
    assert!(far.open(false, &mut old[0].clone()).is_some());
    let ours = Master::new(Suite::Gcm256, &[9; 44]).unwrap();
    far.agree(Seals { theirs: ours, ..far.keys }, 1);
    assert!(far.open(false, &mut old[1].clone()).is_some(), "it was under way");
    assert_eq!(far.open(false, &mut old[1].clone()), None, "but once");
    near.agree(Seals { ours, ..near.keys }, 2);
    let fresh = sealed(&mut near, 7, 5, 5);
    assert_ne!(fresh[8..12], old[0][8..12], "under another source");
    assert!(far.open(false, &mut fresh.clone()).is_some());
    assert_eq!(far.open(false, &mut old[2].clone()), None, "nobody says that any more");
    // The other direction goes on as it was.
    let before = sealed(&mut far, 8, 1, 1);
    let keys = far.keys;
    far.agree(keys, 3);
    let after = sealed(&mut far, 8, 2, 2);
    assert_eq!(number(&after), number(&before).wrapping_add(1));
    assert_eq!(after[8..12], before[8..12]);
    assert!(near.open(false, &mut after.clone()).is_some());
}

#[test]
fn whoever_goes_back_to_the_key_before_is_not_heard_twice() {
    let (mut near, mut far) = both(Suite::Cm80);
    let old = [1, 2].map(|n| sealed(&mut near, 7, n, n.into()));
    assert!(far.open(false, &mut old[0].clone()).is_some());
    let first = far.keys;
    let other = Master::new(Suite::Gcm256, &[9; 44]).unwrap();
    for theirs in [other, first.theirs] {
        far.agree(Seals { theirs, ..first }, 1);
        assert_eq!(far.open(false, &mut old[0].clone()), None);
    }
    assert!(far.open(false, &mut old[1].clone()).is_some());
}

#[test]
fn two_lives_of_a_switch_never_seal_under_one_number() {
    let keys = both(Suite::Cm80).0.keys;
    let lives = [5, 6].map(|dice| sealed(&mut Seal::new(keys, dice), 7, 100, 0));
    assert_ne!(lives[0][8..12], lives[1][8..12]);
    assert_ne!(lives[0][12..], lives[1][12..], "the same sound");
}

#[test]
fn reports_go_in_the_one_name_and_come_back_in_the_names_of_those_who_speak() {
    let (mut near, mut far) = both(Suite::Cm80);
    let packet = sealed(&mut near, 7, 100, 0);
    let sent = Sent { ntp: 1 << 40, timestamp: 100 * 160, packets: 900, octets: 9_000 };
    let mut report = near.seal_report(&rtcp::build(7, Some(sent), &[], "x")).unwrap();
    let length = far.open(true, &mut report.clone()).unwrap();
    assert_eq!(far.open(true, &mut report.clone()), None, "a second time");
    report[20] ^= 1;
    assert_eq!(far.open(true, &mut report), None, "or bent");
    let mut second = near.seal_report(&rtcp::build(5, Some(sent), &[], "x")).unwrap();
    let end = far.open(true, &mut second).unwrap();
    let told = Told::read(&second[..end]).unwrap();
    let source = u32::from_be_bytes(packet[8..12].try_into().unwrap());
    assert_eq!((told.ssrc, told.sent), (source, None), "of nobody who speaks: no account");
    assert!(length > 28, "and a name");
    let about = |ssrc, highest| rtcp::Report { ssrc, highest, ..rtcp::Report::default() };
    let highest = 3 << 16 | u32::from(number(&packet));
    let told = Told { ssrc: 1, sent: None, about: vec![about(source, highest), about(99, 5)] };
    let named = near.named(told);
    assert_eq!((named.about[0].ssrc, named.about[0].highest), (7, 3 << 16 | 100));
    assert_eq!((named.about[1].ssrc, named.about[1].highest), (99, 5));
}

#[test]
fn an_account_is_of_all_that_went_and_its_time_is_that_of_the_stream() {
    let (mut near, mut far) = both(Suite::Gcm128);
    sealed(&mut near, 8, 1, 0);
    let packet = sealed(&mut near, 7, 100, 1);
    let sent = Sent { ntp: 1 << 40, timestamp: 100 * 160 + 80, packets: 900, octets: 9_000 };
    let mut report = near.seal_report(&rtcp::build(7, Some(sent), &[], "x")).unwrap();
    let end = far.open(true, &mut report).unwrap();
    let told = Told::read(&report[..end]).unwrap().sent.unwrap();
    assert_eq!((told.packets, told.octets), (2, 320));
    assert_eq!(told.timestamp, time(&packet).wrapping_add(80));
}

proptest::proptest! {
    #[test]
    fn no_octets_bring_it_down(
        mut octets in proptest::collection::vec(0u8..=255, 0..200),
        is_report: bool,
        suite in 0usize..4
    ) {
        let (mut near, _) = both(Suite::ALL[suite]);
        proptest::prop_assert_eq!(near.open(is_report, &mut octets), None);
        let _ = near.seal(NOW, 8_000, &mut octets);
        let _ = near.seal_report(&octets);
    }
}
