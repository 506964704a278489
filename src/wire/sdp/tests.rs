//! Session descriptions as phones and carriers write them, and as attackers do.

use super::*;
use crate::base::limits::{SDP_MAX, SDP_MEDIA_MAX};
use crate::wire::codec::Codec;
use crate::wire::opus::Terms;
use std::net::SocketAddr;

const HERE: &[Family] = &[Family::V4];

const PHONE: &str = "v=0\r\no=- 20518 7 IN IP4 203.0.113.1\r\ns= \r\nc=IN IP4 203.0.113.1\r\n\
    t=0 0\r\na=X-nat:0\r\nm=audio 54400 RTP/AVP 18 8 0 101\r\na=rtpmap:18 G729/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
    a=ptime:20\r\na=maxptime:40.5\r\na=rtcp:53020 IN IP4 203.0.113.9\r\na=sendrecv\r\n";

fn parse(text: &str) -> Session {
    Session::parse(text.as_bytes()).unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ours() -> Ours {
    Ours {
        id: 5,
        version: 1,
        address: "192.0.2.7".parse().unwrap(),
        port: 30_000,
        mux: false,
        formats: vec![
            Format { codec: Codec::Pcma, payload: 8 },
            Format { codec: Codec::Pcmu, payload: 0 },
        ],
        events: Events { narrow: Some(101), wide: None },
        comfort: None,
        ptime: 20,
        maxptime: None,
        opus: Terms::default(),
        direction: Direction::SendRecv,
        crypto: Vec::new(),
    }
}

#[test]
fn a_phones_offer_is_read() {
    let session = parse(PHONE);
    assert_eq!((session.origin.id, session.origin.version), (20_518, 7));
    let media = &session.media[0];
    assert_eq!((media.ptime, media.maxptime), (Some(20), Some(40)));
    let audio = session.audio(HERE, Srtp::Off).unwrap();
    assert_eq!(audio.rtp, address("203.0.113.1:54400"));
    assert_eq!(audio.rtcp, address("203.0.113.9:53020"));
    let [first, second] = audio.formats[..] else { panic!("{:?}", audio.formats) };
    assert_eq!((first.codec, first.payload), (Codec::Pcma, 8));
    assert_eq!((second.codec, second.payload), (Codec::Pcmu, 0));
    assert_eq!((audio.events.narrow, audio.direction), (Some(101), Direction::SendRecv));
    assert_eq!(audio.format(Codec::Pcmu), Some(second));
}

#[test]
fn what_is_printed_reads_the_same() {
    for text in [PHONE.to_string(), ours().offer("RTP/AVP").to_string()] {
        let session = parse(&text);
        assert_eq!(parse(&session.to_string()), session);
    }
}

#[test]
fn our_offer_is_what_rfc_8866_prescribes() {
    let expected = "v=0\r\no=- 5 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
        m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(ours().offer("RTP/AVP").to_string(), expected);
}

#[test]
fn dynamic_payload_types_are_known_by_their_map() {
    let session = parse(
        "v=0\nm=audio 4000 RTP/AVP 96 97 98\nc=IN IP6 2001:db8::1\na=rtpmap:96 pcmu/8000/1\n\
         a=rtpmap:97 PCMA/16000\na=rtpmap:98 telephone-event/48000\n",
    );
    let audio = session.audio(&[Family::V6], Srtp::Off).unwrap();
    assert_eq!(audio.formats, vec![Format { codec: Codec::Pcmu, payload: 96 }]);
    assert_eq!(audio.events, Events { narrow: None, wide: Some(98) });
    assert_eq!(audio.events.beside(Codec::Pcmu), None);
    assert_eq!(audio.rtcp, address("[2001:db8::1]:4001"));
}

#[test]
fn the_source_that_a_description_names_is_read() {
    let ssrc = |said: &str| {
        let text = format!("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\n{said}");
        parse(&text).audio(HERE, Srtp::Off).unwrap().ssrc
    };
    assert_eq!(ssrc("a=ssrc:4294967295 cname:x\na=ssrc:7 cname:y\n"), Some(u32::MAX));
    for said in ["", "a=ssrc\n", "a=ssrc:0 cname:x\n", "a=ssrc:-1\n", "a=ssrc:99999999999 x\n"] {
        assert_eq!(ssrc(said), None, "{said}");
    }
}

#[test]
fn what_is_said_of_opus_is_read_and_said() {
    let text = "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8 111\na=rtpmap:111 opus/48000/2\n\
                a=fmtp:8 cbr=1\na=fmtp:111 maxplaybackrate=16000; useinbandfec=1\n";
    let terms = Terms { rate: 16_000, fec: true, ..Terms::default() };
    assert_eq!(parse(text).audio(HERE, Srtp::Off).unwrap().opus, terms);
    let formats = vec![Format { codec: Codec::Opus, payload: 96 }];
    let said = Ours { formats, opus: Terms { bits: 20_000, ..Terms::default() }, ..ours() }
        .offer("RTP/AVP");
    assert!(said.to_string().contains("a=fmtp:96 useinbandfec=1;maxaveragebitrate=20000\r\n"));
    assert_eq!(said.audio(HERE, Srtp::Off).unwrap().opus.bits, 20_000);
}

#[test]
fn no_packet_is_longer_than_the_far_end_takes() {
    for (said, wanted) in [
        ("", None),
        ("a=ptime:30\n", Some(30)),
        ("a=ptime:30\na=maxptime:10\n", Some(10)),
        ("a=maxptime:10\n", Some(10)),
        ("a=maxptime:60\n", Some(20)),
    ] {
        let text = format!("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\n{said}");
        assert_eq!(parse(&text).audio(HERE, Srtp::Off).unwrap().ptime, wanted, "{said}");
    }
}

#[test]
fn a_static_type_with_another_map_means_what_the_map_says() {
    let session = parse(
        "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8 0\na=rtpmap:8 PCMU/8000\n\
         a=rtpmap:0 L16/8000\n",
    );
    assert_eq!(
        session.audio(HERE, Srtp::Off).unwrap().formats,
        vec![Format { codec: Codec::Pcmu, payload: 8 }]
    );
}

#[test]
fn hold_is_read_in_all_its_forms() {
    let held = |c: &str, session: &str, media: &str| {
        let text = format!("v=0\nc=IN IP4 {c}\n{session}\nm=audio 4000 RTP/AVP 8\n{media}\n");
        parse(&text).audio(HERE, Srtp::Off).unwrap().held()
    };
    assert!(!held("192.0.2.1", "", ""));
    assert!(held("192.0.2.1", "", "a=sendonly"));
    assert!(held("192.0.2.1", "a=inactive", ""));
    assert!(!held("192.0.2.1", "a=inactive", "a=recvonly"));
    assert!(held("0.0.0.0", "", "a=sendrecv"));
}

#[test]
fn a_line_has_its_own_address_or_the_sessions() {
    let session = parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\nc=IN IP4 192.0.2.2\n");
    assert_eq!(session.audio(HERE, Srtp::Off).unwrap().rtp, address("192.0.2.2:4000"));
    let named = parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\nc=IN IP4 x.example\n");
    assert_eq!(named.audio(HERE, Srtp::Off), Err(Unusable::NoAddress));
    let group = parse("v=0\nc=IN IP4 224.2.1.1/127\nm=audio 4000 RTP/AVP 8\n");
    assert_eq!(group.audio(HERE, Srtp::Off), Err(Unusable::NoAddress));
}

#[test]
fn the_first_line_of_our_own_family_is_served() {
    let both = parse(
        "v=0\nm=audio 6000 RTP/AVP 0\nc=IN IP6 2001:db8::1\n\
         m=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.1\na=rtcp:4005 IN IP6 2001:db8::1\n",
    );
    let four = both.audio(HERE, Srtp::Off).unwrap();
    assert_eq!((four.line, four.rtp), (1, address("192.0.2.1:4000")));
    assert_eq!(four.rtcp, address("192.0.2.1:4005"), "RTCP of another family would reach nobody");
    let six = both.audio(&[Family::V6], Srtp::Off).unwrap();
    assert_eq!((six.line, six.rtp), (0, address("[2001:db8::1]:6000")));
    let any = both.audio(&[Family::V4, Family::V6], Srtp::Off).unwrap();
    assert_eq!((any.line, any.rtp), (0, address("[2001:db8::1]:6000")), "its order, not ours");
    let only_six = parse("v=0\nc=IN IP6 2001:db8::1\nm=audio 6000 RTP/AVP 0\n");
    assert_eq!(only_six.audio(HERE, Srtp::Off), Err(Unusable::NoAddress));
    let mapped = parse("v=0\nc=IN IP6 ::ffff:192.0.2.1\nm=audio 6000 RTP/AVP 0\n");
    assert_eq!(mapped.audio(HERE, Srtp::Off).unwrap().rtp, address("192.0.2.1:6000"));
}

#[test]
fn what_cannot_be_served_says_why() {
    let why =
        |media: &str| parse(&format!("v=0\nc=IN IP4 192.0.2.1\n{media}\n")).audio(HERE, Srtp::Off);
    assert_eq!(why(""), Err(Unusable::NoAudio));
    assert_eq!(why("m=video 4000 RTP/AVP 8"), Err(Unusable::NoAudio));
    assert_eq!(why("m=audio 4000 RTP/SAVP 8"), Err(Unusable::Sealed));
    assert_eq!(why("m=audio 4000 UDP/TLS/RTP/SAVPF 8"), Err(Unusable::NoAudio));
    assert_eq!(why("m=audio 0 RTP/AVP 8"), Err(Unusable::NoAudio));
    assert_eq!(why("m=audio 4000 RTP/AVP 18"), Err(Unusable::NoCodec));
}

#[test]
fn an_answer_mirrors_every_line_of_the_offer() {
    let offer = parse(
        "v=0\nc=IN IP4 192.0.2.1\nt=5 6\nm=video 4000 RTP/AVP 96\na=mid:v\n\
         m=audio 4002 RTP/SAVP 8\nm=audio 4004 RTP/AVP 97 100\na=rtpmap:97 PCMA/8000\n\
         a=rtpmap:100 telephone-event/8000\nm=audio 4006 RTP/AVP 8\nm=image 5 udptl t38\n",
    );
    let audio = offer.audio(HERE, Srtp::Off).unwrap();
    let ours = Ours {
        formats: vec![audio.format(Codec::Pcma).unwrap()],
        events: audio.events,
        direction: audio.direction.reversed(),
        ..ours()
    };
    let answer = ours.mirror(&offer, audio.line);
    let lines: Vec<String> = answer
        .media
        .iter()
        .map(|m| format!("{} {} {} {}", m.kind, m.port, m.transport, m.formats.join(" ")))
        .collect();
    assert_eq!(
        lines,
        [
            "video 0 RTP/AVP 96",
            "audio 0 RTP/SAVP 8",
            "audio 30000 RTP/AVP 97 100",
            "audio 0 RTP/AVP 8",
            "image 0 UDPTL t38"
        ]
    );
    assert_eq!(answer.timing, "5 6");
    assert_eq!(parse(&answer.to_string()), answer);
    assert_eq!(answer.audio(HERE, Srtp::Off).unwrap().line, 2);
}

const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

/// An audio line under this profile, with these keys.
fn sealed(profile: &str, suites: &[&str]) -> Session {
    let keys = suites.iter().zip(1..).map(|(suite, tag)| format!("a=crypto:{tag} {suite} {KEY}\n"));
    let keys: String = keys.collect();
    parse(&format!("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 {profile} 8\n{keys}"))
}

const CM: &str = "AES_CM_128_HMAC_SHA1_80";

#[test]
fn whether_sound_is_sealed_is_what_the_line_and_the_policy_say() {
    let of = |profile: &str, suites: &[&str], srtp| {
        let audio = sealed(profile, suites).audio(HERE, srtp);
        audio.map(|audio| audio.crypto.map(|crypto| crypto.tag))
    };
    use Srtp::{Accept, Off, Require};
    for profile in ["RTP/SAVP", "RTP/SAVPF"] {
        assert_eq!(of(profile, &[CM], Off), Err(Unusable::Sealed));
        assert_eq!(of(profile, &[CM], Accept), Ok(Some(1)));
        assert_eq!(of(profile, &["F8_128_HMAC_SHA1_80", CM], Require), Ok(Some(2)));
        assert_eq!(of(profile, &[], Accept), Err(Unusable::NoKey(None)));
        let unknown = of(profile, &["F8_128_HMAC_SHA1_80"], Accept);
        assert_eq!(unknown, Err(Unusable::NoKey(Some(Flaw::Suite))));
    }
    for profile in ["RTP/AVP", "RTP/AVPF"] {
        assert_eq!(of(profile, &[CM], Off), Ok(None));
        assert_eq!(of(profile, &[CM], Accept), Ok(Some(1)), "best effort, as some call it");
        assert_eq!(of(profile, &["F8_128_HMAC_SHA1_80"], Accept), Ok(None));
        assert_eq!(of(profile, &[CM], Require), Ok(Some(1)));
        assert_eq!(of(profile, &[], Require), Err(Unusable::Plain));
    }
}

#[test]
fn of_a_sealed_and_a_plain_line_the_first_that_may_be_is_served() {
    let both = parse(&format!(
        "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/SAVP 8\na=crypto:1 {CM} {KEY}\n\
         m=audio 4002 RTP/AVP 8\n"
    ));
    let line = |srtp| both.audio(HERE, srtp).unwrap().line;
    assert_eq!([Srtp::Off, Srtp::Accept, Srtp::Require].map(line), [1, 0, 0]);
}

#[test]
fn a_sealed_description_is_printed_with_its_keys_and_shown_without() {
    let session = sealed("RTP/SAVP", &[CM]);
    let text = session.to_string();
    assert!(text.contains(&format!("a=crypto:1 {CM} {KEY}\r\n")), "{text}");
    assert_eq!(parse(&text).media, session.media);
    let key = KEY.strip_prefix("inline:").unwrap();
    assert!(!format!("{session:?}").contains(key));
    // A line that cannot be used, and one at a place where it means nothing, are keys too.
    let odd = parse(&format!(
        "v=0\na=crypto:1 {CM} {KEY}\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/SAVP 8\n\
         a=CRYPTO:1 NEW_SUITE {KEY}\n"
    ));
    assert!(!format!("{odd:?}").contains(key), "{odd:?}");
    let crypto = vec![session.media[0].crypto[0].unwrap()];
    let offer = Ours { crypto, ..ours() }.offer("RTP/SAVP").to_string();
    assert!(offer.contains("m=audio 30000 RTP/SAVP 8 0 101\r\n"), "{offer}");
    assert!(offer.contains(&format!("a=crypto:1 {CM} {KEY}\r\n")), "{offer}");
}

#[test]
fn directions_reverse_and_meet() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    assert_eq!((SendOnly.reversed(), SendRecv.reversed()), (RecvOnly, SendRecv));
    assert_eq!((SendRecv.and(SendOnly), RecvOnly.and(SendOnly)), (SendOnly, Inactive));
}

#[test]
fn q45_a_malformed_description_costs_no_more_than_its_own_size() {
    let parse = |text: &str| Session::parse(text.as_bytes());
    assert_eq!(parse(&"a".repeat(SDP_MAX + 1)), Err(Error::TooLong));
    assert_eq!(parse(""), Err(Error::NotSdp));
    assert_eq!(parse("v=1\r\n"), Err(Error::NotSdp));
    assert_eq!(parse("v=0\nm=audio 70000 RTP/AVP 0\n"), Err(Error::Line(2)));
    assert_eq!(parse("v=0\nm=audio 4000/99999999999 RTP/AVP\n"), Err(Error::Line(2)));
    assert_eq!(parse("v=0\nc=IN IP4\n"), Err(Error::Line(2)));
    assert_eq!(parse("v=0\nrubbish\n"), Err(Error::Line(2)));
    let many = "m=audio 1 RTP/AVP 0\n".repeat(SDP_MEDIA_MAX + 1);
    assert_eq!(parse(&format!("v=0\n{many}")), Err(Error::TooManyMedia));
    let ignored =
        "v=0\nm=audio 4 RTP/AVP 0\na=ptime:-1\na=rtpmap:300 x/1\na=rtpmap:\na=fmtp:1\na=\n";
    assert_eq!(parse(ignored).unwrap().media[0].attributes.len(), 5);
}

#[test]
fn a_connection_without_an_address_is_none() {
    assert_eq!(Session::parse(b"v=0\nc=IN IP4 /127\n"), Err(Error::Line(2)));
}

#[test]
fn octets_that_are_not_utf_8_cost_no_call() {
    let mut bytes = PHONE.as_bytes().to_vec();
    let name = PHONE.find("s= ").unwrap();
    bytes.splice(name + 2..name + 3, *b"caf\xe9");
    assert!(Session::parse(&bytes).unwrap().audio(HERE, Srtp::Off).is_ok());
}

proptest::proptest! {
    #[test]
    fn q45_no_bytes_bring_the_parser_down(bytes in proptest::collection::vec(0u8..=255, 0..600)) {
        let _ = Session::parse(&bytes);
    }

    #[test]
    fn q45_no_cut_or_swap_of_a_real_one_brings_it_down(
        at in 0..PHONE.len(), to in 0..PHONE.len(), byte in 0u8..=255
    ) {
        let mut bytes = PHONE.as_bytes().to_vec();
        bytes[at] = byte;
        bytes.truncate(to);
        if let Ok(session) = Session::parse(&bytes) {
            let _ = session.audio(HERE, Srtp::Off);
            proptest::prop_assert!(Session::parse(session.to_string().as_bytes()).is_ok());
        }
    }
}
