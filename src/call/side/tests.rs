//! Offers and answers as telephones and carriers make them.

use super::*;
use crate::call::{Home, Homes};

const MU: Option<Spoken> = Some(Spoken { codec: Codec::Pcmu, comfort: false, wants: None });

fn offer(port: u16) -> Body {
    let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio {port} RTP/AVP 8\r\n");
    Body { kind: SDP.into(), bytes: text.into_bytes().into() }
}

fn said(body: &Body) -> String {
    String::from_utf8(body.bytes.to_vec()).unwrap()
}

fn described(formats: &str, maps: &str) -> Body {
    let text = format!(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {formats}\r\n{maps}a=ptime:40\r\n"
    );
    Body { kind: SDP.into(), bytes: text.into_bytes().into() }
}

const WIDE: &str = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:96 telephone-event/48000\r\n\
                    a=rtpmap:97 telephone-event/8000\r\n";

#[test]
fn a_caller_is_answered_with_what_the_phones_have_and_a_phone_with_what_the_caller_speaks() {
    let media = MediaSettings::default();
    let caller = || Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    let offer = described("111 9 0 8 13 96 97", WIDE);
    let mut side = caller();
    let answer = said(&side.answer(&media, &offer).unwrap());
    assert!(answer.contains("RTP/AVP 8 13 97\r\n") && answer.contains("a=ptime:40"), "{answer}");
    let like = |codec| Some(Spoken { codec, comfort: true, wants: None });
    let mut side = caller();
    let answer = said(&side.answer_early(&media, &offer, like(Codec::Opus)).unwrap());
    assert!(answer.contains("RTP/AVP 111 96\r\n"), "{answer}");
    let far = side.far.unwrap();
    assert_eq!((far.event, far.event_clock, far.comfort, far.ptime), (Some(96), 48_000, None, 40));
    let ours = said(&caller().offer(&media, like(Codec::G722)));
    assert!(ours.contains("RTP/AVP 9 8 0 96 13 101 102\r\n"), "{ours}");
    let again = said(&side.offer(&media, None));
    assert!(
        again.contains("111") && again.contains("a=rtpmap:96 telephone-event/48000"),
        "{again}"
    );
    let one = MediaSettings { codecs: vec![Codec::G722], ..MediaSettings::default() };
    assert_eq!(caller().answer(&one, &described("0 8", "")), Err(NOT_ACCEPTABLE));
}

/// The payload types of the audio line.
fn numbers(body: &Body) -> Vec<u8> {
    let said = said(body);
    let line = said.lines().find(|line| line.starts_with("m=audio")).unwrap();
    line.split(' ').skip(3).map(|number| number.parse().unwrap()).collect()
}

/// RFC 3264 section 8.3.2.
#[test]
fn a_later_offer_names_no_payload_type_twice_and_none_for_something_else() {
    let media = MediaSettings::default();
    for (formats, maps) in [
        ("8 96", "a=rtpmap:96 telephone-event/8000\r\n"),
        ("8 102", "a=rtpmap:102 telephone-event/8000\r\n"),
        ("101", "a=rtpmap:101 opus/48000/2\r\n"),
        ("102 101", "a=rtpmap:102 opus/48000/2\r\na=rtpmap:101 telephone-event/48000\r\n"),
    ] {
        let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
        side.answer(&media, &described(formats, maps)).unwrap();
        let again = side.offer(&media, None);
        let mut once = numbers(&again);
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), numbers(&again).len(), "{formats}: {}", said(&again));
        for map in maps.lines() {
            assert!(said(&again).contains(map), "{map}: {}", said(&again));
        }
    }
}

/// RFC 3264 section 6.1: the number of an answer is where the far end listens, and what we have
/// offered is where it speaks.
#[test]
fn an_answer_may_name_a_codec_by_another_number() {
    let media = MediaSettings::default();
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    assert_eq!(numbers(&side.offer(&media, None)), [8, 0, 9, 96, 101, 102]);
    let maps = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:112 telephone-event/48000\r\n";
    side.accept(&media, &described("111 112", maps)).unwrap();
    let far = side.far.unwrap();
    assert_eq!((far.payload, far.ours), (111, 96));
    assert_eq!((far.event, far.our_event), (Some(112), Some(102)));
}

#[test]
fn an_answer_with_opus_behind_another_codec_may_be_followed_by_either() {
    let media = MediaSettings::default();
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    side.offer(&media, None);
    let maps = "a=rtpmap:111 opus/48000/2\r\n";
    side.accept(&media, &described("8 111", maps)).unwrap();
    let far = side.far.unwrap();
    assert_eq!((far.codec, far.ours), (Codec::Pcma, 8));
    assert_eq!(far.named, [Some(8), None, None, Some(96)], "by the numbers that we gave");
    assert_eq!(numbers(&side.offer(&media, None)), [8, 0, 9, 96, 101, 102]);
    side.answer(&media, &described("8 111", maps)).unwrap();
    assert_eq!(side.far.unwrap().named, [Some(8), None, None, Some(111)], "and by its own");
}

#[test]
fn what_was_agreed_last_before_the_answer_stands() {
    let media = MediaSettings::default();
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    let early = side.answer_early(&media, &offer(4_000), None).unwrap();
    assert_eq!(side.answer_early(&media, &offer(4_000), MU).unwrap(), early);
    let later = side.answer(&media, &offer(5_000)).unwrap();
    assert_ne!(later, early);
    let (last, said) = side.answer_at_last(&media, &offer(4_000), None);
    assert_eq!((last.unwrap(), said), (later, true));
    assert_eq!(side.far.unwrap().rtp.port(), 5_000);
}

#[test]
fn rtcp_goes_with_rtp_where_the_far_end_offers_it_and_nowhere_else() {
    let media = MediaSettings::default();
    let said = |body: &Body| String::from_utf8_lossy(&body.bytes).contains("a=rtcp-mux\r\n");
    let with = |body: Body| Body {
        bytes: [&body.bytes[..], b"a=rtcp-mux\r\na=rtcp:4001\r\n"].concat().into(),
        ..body
    };
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    assert!(!said(&side.answer(&media, &offer(4_000)).unwrap()));
    assert_eq!(side.far.unwrap().rtcp.port(), 4_001);
    assert!(said(&side.answer(&media, &with(offer(4_000))).unwrap()));
    assert_eq!(side.far.unwrap().rtcp.port(), 4_000);
    // A later offer of ours keeps it, until an answer has it no more.
    assert!(said(&side.offer(&media, None)));
    side.accept(&media, &offer(4_000)).unwrap();
    assert_eq!(side.far.unwrap().rtcp.port(), 4_001);
    // Nobody may answer with what was not offered.
    assert!(!said(&side.offer(&media, None)));
    side.accept(&media, &with(offer(4_000))).unwrap();
    assert_eq!(side.far.unwrap().rtcp.port(), 4_001);
}

#[test]
fn a_first_offer_has_rtcp_go_with_rtp_and_an_answer_may_be_without() {
    let media = MediaSettings::default();
    let said = |body: &Body| String::from_utf8_lossy(&body.bytes).contains("a=rtcp-mux\r\n");
    let with =
        |body: Body| Body { bytes: [&body.bytes[..], b"a=rtcp-mux\r\n"].concat().into(), ..body };
    for (answer, port) in [(offer(4_000), 4_001), (with(offer(4_000)), 4_000)] {
        let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
        assert!(said(&side.offer(&media, None)));
        side.accept(&media, &answer).unwrap();
        assert_eq!(side.far.unwrap().rtcp.port(), port);
        assert_eq!(said(&side.offer_again(&media)), port == 4_000);
    }
    // Their own offer comes first where both are under way: it alone counts.
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    side.offer(&media, None);
    assert!(!said(&side.answer(&media, &offer(4_000)).unwrap()));
}

/// What one far end says of Opus reaches the other, for the packets go on as they are.
#[test]
fn the_opus_that_a_party_wants_is_asked_of_the_other() {
    let media = MediaSettings::default();
    let mut caller = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    let wants = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxaveragebitrate=16000\r\n";
    caller.answer(&media, &described("111", wants)).unwrap();
    assert_eq!(caller.far.unwrap().opus.bits, 16_000);
    let mut agent = Side::new(PortId::new(20_002, 0), Family::V4, &mut Rng::new(2));
    let asked = "a=fmtp:96 useinbandfec=1;maxaveragebitrate=16000\r\n";
    assert!(said(&agent.offer(&media, caller.spoken())).contains(asked));
    agent.accept(&media, &described("96", "a=rtpmap:96 opus/48000/2\r\n")).unwrap();
    assert_eq!(agent.far.unwrap().opus, Terms::default());
    assert!(said(&agent.offer_again(&media)).contains(asked), "as before");
    assert!(!said(&caller.offer_again(&media)).contains("maxaverage"), "its own is not ours");
    assert!(said(&agent.offer_again(&media)).contains("a=ptime:40"), "so long are its packets");
}

/// Nor is anybody sent longer packets than they take because the other party makes them.
#[test]
fn the_longest_packet_that_a_party_takes_is_the_longest_that_is_asked_of_the_other() {
    let media = MediaSettings::default();
    let mut caller = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    caller.answer(&media, &described("8", "a=maxptime:30\r\n")).unwrap();
    assert_eq!(caller.far.unwrap().ptime, 30, "it would have 40, and takes 30");
    let mut agent = Side::new(PortId::new(20_002, 0), Family::V4, &mut Rng::new(2));
    let offer = said(&agent.offer(&media, caller.spoken()));
    assert!(offer.contains("a=ptime:30\r\na=maxptime:30\r\n"), "{offer}");
    agent.accept(&media, &described("8", "")).unwrap();
    assert!(!said(&caller.offer_again(&media)).contains("maxptime"), "its own is not ours");
}

#[test]
fn where_keys_are_tones_only_what_lets_them_through_is_spoken() {
    let media = MediaSettings::default();
    let side = || {
        let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
        side.inband = true;
        side
    };
    assert_eq!(numbers(&side().offer(&media, None)), [8, 0, 101]);
    let mut trunk = side();
    trunk.answer_early(&media, &described("9 8", ""), Some(G722)).unwrap();
    assert_eq!(trunk.far.map(|far| (far.codec, far.inband)), Some((Codec::Pcma, true)));
    let events = "a=rtpmap:101 telephone-event/8000\r\n";
    let mut modern = side();
    modern.answer_early(&media, &described("9 8 101", events), Some(G722)).unwrap();
    assert_eq!(modern.far.map(|far| (far.codec, far.inband)), Some((Codec::G722, false)));
    let mut alone = side();
    alone.answer(&media, &described("9", "")).unwrap();
    assert_eq!(alone.far.unwrap().codec, Codec::G722, "better than nothing");
}

const G722: Spoken = Spoken { codec: Codec::G722, comfort: false, wants: None };

#[test]
fn whoever_knows_the_others_codec_is_asked_for_it_once() {
    let media = MediaSettings::default();
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    side.answer(&media, &described("8 9", "")).unwrap();
    let opus = Spoken { codec: Codec::Opus, ..G722 };
    assert!(!side.could_speak(&media, MU.unwrap()) && !side.could_speak(&media, opus));
    let laws = MediaSettings { codecs: vec![Codec::Pcma], ..MediaSettings::default() };
    assert!(!side.could_speak(&laws, G722));
    assert!(side.could_speak(&media, G722) && !side.could_speak(&media, G722));
    assert_eq!(numbers(&side.offer(&media, Some(G722)))[..2], [9, 8]);
}

#[test]
fn a_number_that_meant_something_that_we_do_not_speak_means_nothing_else_later() {
    let media = MediaSettings::default();
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    let strange = "a=rtpmap:96 SILK/16000\r\na=rtpmap:102 iLBC/8000\r\n";
    side.answer(&media, &described("96 102 8 101", strange)).unwrap();
    assert_eq!(numbers(&side.offer(&media, None)), [8, 0, 9, 97, 98, 99]);
    side.accept(&media, &described("8", "")).unwrap();
    assert_eq!(numbers(&side.offer_again(&media))[..4], [8, 0, 9, 97], "not even much later");
}

#[test]
fn an_offer_is_answered_in_its_own_family_and_ours_names_that_of_the_leg() {
    let [four, six]: [Home; 2] =
        ["192.0.2.5", "2001:db8::5"].map(|ip| Home::at(ip.parse().unwrap()));
    let media = MediaSettings { homes: Homes::new(four, Some(six)), ..MediaSettings::default() };
    let offer = |place: &str| {
        let text = format!("v=0\r\nc=IN {place}\r\nm=audio 4000 RTP/AVP 8\r\n");
        Body { kind: SDP.into(), bytes: text.into_bytes().into() }
    };
    for (mut family, place, moves, answered) in [
        (Family::V4, "IP4 192.0.2.9", false, "c=IN IP4 192.0.2.5\r\n"),
        (Family::V4, "IP6 2001:db8::9", true, "c=IN IP6 2001:db8::5\r\n"),
        (Family::V6, "IP4 192.0.2.9", true, "c=IN IP4 192.0.2.5\r\n"),
        // On hold as RFC 2543 has it: nobody goes anywhere.
        (Family::V6, "IP4 0.0.0.0", false, "c=IN IP6 2001:db8::5\r\n"),
    ] {
        let mut side = Side::new(PortId::new(20_000, 0), family, &mut Rng::new(1));
        assert_eq!(side.follow(&media, &offer(place)), moves, "{place}");
        let answer = said(&side.answer(&media, &offer(place)).unwrap());
        assert!(answer.contains(answered), "{place}: {answer}");
        family = side.door().1;
        let ours = said(&side.offer_again(&media));
        assert!(ours.contains(answered), "{place} in {family:?}: {ours}");
    }
    let mut side = Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1));
    let one = MediaSettings { homes: Homes::new(four, None), ..MediaSettings::default() };
    assert!(!side.follow(&one, &offer("IP6 2001:db8::9")));
    assert_eq!(side.answer(&one, &offer("IP6 2001:db8::9")), Err(NOT_ACCEPTABLE));
    side.offer(&media, None);
    assert_eq!(side.accept(&media, &offer("IP6 2001:db8::9")), Err(NOT_ACCEPTABLE));
}

const CM80: &str = "AES_CM_128_HMAC_SHA1_80";
const INLINE: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER: &str = "inline:AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwN";

fn sealed(profile: &str, keys: &[String]) -> Body {
    let keys: String = keys.iter().map(|key| format!("a=crypto:{key}\r\n")).collect();
    let text =
        format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 {profile} 8\r\n{keys}a=ptime:20\r\n");
    Body { kind: SDP.into(), bytes: text.into_bytes().into() }
}

fn under(srtp: Srtp) -> Side {
    Side { srtp, ..Side::new(PortId::new(20_000, 0), Family::V4, &mut Rng::new(1)) }
}

/// The profile of the audio, and its keys.
fn keys(body: &Body) -> (String, Vec<String>) {
    let said = said(body);
    let line = said.lines().find(|line| line.starts_with("m=audio")).unwrap();
    let keys = said.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    (line.split(' ').nth(2).unwrap().into(), keys.map(String::from).collect())
}

/// What the data plane is told of keys: with which suites it seals, if it does.
fn told(side: &Side) -> Vec<Option<Suite>> {
    let of = |command: Command| match command {
        Command::Seal { keys, .. } => Some(keys.map(|keys| keys.ours.suite)),
        _ => None,
    };
    side.commands().filter_map(of).collect()
}

use crate::wire::sdp::Suite;

#[test]
fn a_sealed_offer_is_answered_with_one_key_of_its_suite_and_a_later_one_of_ours_has_the_same() {
    let media = MediaSettings::default();
    for profile in ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"] {
        let mut side = under(Srtp::Accept);
        let offer = sealed(profile, &[format!("3 F8 {INLINE}"), format!("4 {CM80} {INLINE}")]);
        let (answered, own) = keys(&side.answer(&media, &offer).unwrap());
        assert_eq!(answered, profile);
        let key = own[0].strip_prefix(&format!("4 {CM80} inline:")).expect(&own[0]);
        assert!(own.len() == 1 && !INLINE.contains(key), "{own:?}");
        assert_eq!(told(&side), [Some(Suite::Cm80)]);
        let (offered, again) = keys(&side.offer_again(&media));
        assert_eq!(again, [format!("1 {CM80} inline:{key}")], "the same key");
        assert_eq!(offered, profile, "as theirs was");
        // It comes with another key, and ours stays.
        let offer = sealed(profile, &[format!("1 {CM80} {OTHER}")]);
        let theirs = side.seals.unwrap().theirs;
        let (_, own) = keys(&side.answer(&media, &offer).unwrap());
        assert_eq!(own, [format!("1 {CM80} inline:{key}")]);
        assert_ne!(side.seals.unwrap().theirs, theirs);
        // And without one, or with ours.
        for (profile, keys) in [("RTP/AVP", vec![]), ("RTP/SAVP", own)] {
            let before = side.clone();
            assert_eq!(side.answer(&media, &sealed(profile, &keys)), Err(NOT_ACCEPTABLE));
            assert_eq!(side, before, "what is refused changes nothing");
        }
        let why = side.why_not(&media, &sealed("RTP/AVP", &[])).unwrap();
        assert!(why.contains("srtp is required here"), "{why}");
    }
    let mut side = under(Srtp::Accept);
    side.answer(&media, &offer(4_000)).unwrap();
    assert_eq!(told(&side), [], "nothing is said of keys where there never were any");
}

#[test]
fn what_has_to_be_sealed_is_offered_in_two_ways_and_agreed_to_in_one_of_them_or_not_at_all() {
    let media = MediaSettings::default();
    let mut side = under(Srtp::Require);
    let (profile, offered) = keys(&side.offer(&media, None));
    assert_eq!(profile, "RTP/SAVP");
    let suites: Vec<&str> = offered.iter().filter_map(|key| key.split(' ').nth(1)).collect();
    assert_eq!(suites, ["AEAD_AES_128_GCM", CM80]);
    let mut inline: Vec<&str> = offered.iter().filter_map(|key| key.split(' ').nth(2)).collect();
    inline.sort_by_key(|key| key[7..20].to_string());
    inline.dedup_by_key(|key| key[7..20].to_string());
    assert_eq!(inline.len(), 2, "each has a key of its own");
    for (profile, answer) in [
        ("RTP/AVP", vec![]),
        ("RTP/SAVP", vec![]),
        ("RTP/SAVP", vec![format!("1 {CM80} {INLINE}")]),
        ("RTP/SAVP", vec![format!("4 {CM80} {INLINE}")]),
        ("RTP/SAVP", vec![format!("2 {CM80} {INLINE}|1:4")]),
        ("RTP/SAVP", vec![offered[1].clone()]),
    ] {
        let mut side = under(Srtp::Require);
        side.offer(&media, None);
        let refused = side.accept(&media, &sealed(profile, &answer));
        assert_eq!(refused, Err(NOT_ACCEPTABLE), "{profile} {answer:?}");
    }
    side.accept(&media, &sealed("RTP/SAVP", &[format!("2 {CM80} {INLINE}|2^31")])).unwrap();
    assert_eq!(told(&side), [Some(Suite::Cm80)]);
    assert_eq!(keys(&side.offer_again(&media)).1, [offered[1].replacen('2', "1", 1)]);
    // Another leg has other keys.
    let mut rng = Rng::new(1);
    let two = [(); 2].map(|()| Side::new(PortId::new(20_000, 0), Family::V4, &mut rng));
    assert_ne!(two[0].own(1, Suite::Cm80), two[1].own(1, Suite::Cm80));
}

const GCM: &str = "1 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCw==";

#[test]
fn an_answer_is_one_to_anything_that_was_said_and_to_nothing_else() {
    let media = MediaSettings::default();
    let answer = |key: &str| sealed("RTP/SAVP", &[key.to_string()]);
    let (first, second) =
        (answer(&format!("1 {CM80} {INLINE}")), answer(&format!("2 {CM80} {INLINE}")));
    let mut side = under(Srtp::Require);
    side.offer(&media, None);
    side.accept(&media, &second).expect("the 183");
    side.accept(&media, &second).expect("the 200 says the same");
    side.accept(&media, &answer(GCM)).expect("the 200 of another fork");
    assert_eq!(side.accept(&media, &first), Err(NOT_ACCEPTABLE), "so far it has another suite");
    assert_eq!(told(&side), [Some(Suite::Gcm128)]);
    side.accept(&media, &second).expect("a refresh repeats the first offer");
    assert_eq!(told(&side), [Some(Suite::Cm80)]);
    side.offer_again(&media);
    side.accept(&media, &first).expect("of a later offer");
    assert_eq!(side.accept(&media, &sealed("RTP/AVP", &[])), Err(NOT_ACCEPTABLE));
    // What we answer with is repeated by a refresh as well.
    let mut side = under(Srtp::Accept);
    side.answer(&media, &answer(&format!("7 {CM80} {INLINE}"))).unwrap();
    side.accept(&media, &answer(&format!("7 {CM80} {OTHER}"))).unwrap();
    for tag in 8..80 {
        side.answer(&media, &answer(&format!("{tag} {CM80} {INLINE}"))).unwrap();
    }
    assert_eq!(side.said.len(), 16);
    side.accept(&media, &answer(&format!("79 {CM80} {OTHER}"))).unwrap();
    // RFC 4568 section 5.1.3 is not kept by all who refresh: of a seal that there is, the suite
    // says which key of ours is meant.
    side.accept(&media, &answer(&format!("1 {CM80} {OTHER}"))).expect("a tag alone ends no call");
    assert_eq!(side.accept(&media, &answer(GCM)), Err(NOT_ACCEPTABLE), "of that nothing was said");
}

#[test]
fn what_may_not_be_is_refused_and_says_why() {
    let media = MediaSettings::default();
    let key = |rest: &str| vec![format!("1 {CM80} {INLINE}{rest}")];
    for (srtp, offer, why) in [
        (Srtp::Off, sealed("RTP/SAVP", &key("")), "srtp is off here"),
        (Srtp::Require, offer(4_000), "srtp is required here"),
        (Srtp::Accept, sealed("RTP/SAVP", &[]), "without a key"),
        (Srtp::Accept, sealed("RTP/SAVP", &key("|1:4")), "MKI"),
        (Srtp::Accept, sealed("RTP/SAVP", &key(" UNENCRYPTED_SRTP")), "parameter"),
        (Srtp::Accept, sealed("RTP/SAVP", &[format!("1 {CM80} inline:QUJD")]), "as long as"),
        (Srtp::Accept, sealed("UDP/TLS/RTP/SAVPF", &[]), "no audio over RTP"),
    ] {
        let mut side = under(srtp);
        assert_eq!(side.answer(&media, &offer), Err(NOT_ACCEPTABLE), "{why}");
        let told = side.why_not(&media, &offer).unwrap();
        assert!(told.contains(why), "{why}: {told}");
    }
    let mut side = under(Srtp::Off);
    let (profile, none) = keys(&side.answer(&media, &sealed("RTP/AVP", &key(""))).unwrap());
    assert_eq!((profile.as_str(), none.len()), ("RTP/AVP", 0), "it can do without");
    let mut side = under(Srtp::Accept);
    assert_eq!(keys(&side.offer(&media, None)), ("RTP/AVP".into(), vec![]));
    side.accept(&media, &sealed("RTP/AVP", &key(""))).unwrap();
    assert_eq!(told(&side), [], "nobody may answer with what was not offered");
}

#[test]
fn no_debug_of_a_side_has_a_key() {
    let media = MediaSettings::default();
    let mut side = under(Srtp::Accept);
    let offer = Body {
        bytes: [
            &sealed("RTP/SAVP", &[format!("1 {CM80} {INLINE}")]).bytes[..],
            b"m=video 0 x 1\r\n",
        ]
        .concat()
        .into(),
        kind: SDP.into(),
    };
    let own = keys(&side.answer_early(&media, &offer, None).unwrap()).1.remove(0);
    let shown = format!("{side:?} {:?}", side.commands().collect::<Vec<_>>());
    for key in [INLINE, &own] {
        let key = key.split_once("inline:").unwrap().1;
        // As octets too, as a `Debug` that nobody wrote would have it.
        let octets = format!("{:?}", crate::wire::base64::decode(key).unwrap());
        let octets = octets.trim_matches(['[', ']']);
        let (some, _) = octets.match_indices(", ").nth(7).unwrap();
        assert!(!shown.contains(key) && !shown.contains(&octets[..some]), "{shown}");
    }
}
