//! Attacks on the sound of a call, on the whole switch over real sockets. Whatever strangers send,
//! and whatever a far end itself does, every packet of the two who talk is heard by the other, in
//! order and unchanged, and a stranger hears nothing at all.

mod support;

use pukar::base::Rng;
use pukar::media::sound::{Decoder, Encoder, NARROW};
use pukar::shell::media::has_uring;
use pukar::wire::codec::Codec;
use pukar::wire::g711::Law;
use pukar::wire::rtcp::{self, Report, Sent};
use pukar::wire::wav;
use serde_json::json;
use std::net::SocketAddr;
use support::agents::{READY, agent, lives_in};
use support::duet::{Duet, End, Stranger, packet};
use support::street::{CALLER, OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};

/// Nobody's house on the street.
const STRANGER: u8 = 66;

fn stranger(duet: &Duet) -> Stranger {
    Stranger::at(duet.switch.street.ip(STRANGER))
}

/// Once by epoll, and once by io_uring where the kernel allows that.
fn with_each_engine(test: impl Fn(&str)) {
    test("io = \"epoll\"\n");
    match has_uring() {
        true => test("io = \"uring\"\n"),
        false => eprintln!("skipped by io_uring, which this kernel allows nobody"),
    }
}

fn ports(duet: &Duet) -> [SocketAddr; 2] {
    [duet.caller.to, duet.phone.to]
}

/// RTP bleed: whoever sends to a port gets the sound of the call (CVE-2017-14099 and its like).
#[test]
fn rtp_bleed_a_packet_to_a_port_has_nothing_sent_to_the_stranger() {
    with_each_engine(|io| {
        let mut early = None;
        let mut duet = Duet::begin(io, |duet| {
            // The caller has not said a word, and hears music already.
            let stranger = stranger(duet);
            (0..500).for_each(|n| stranger.send(duet.caller.to, &packet((1, 8, n), &[1; 160])));
            early = Some(stranger);
        });
        let late = stranger(&duet);
        duet.talk(200, |duet, n| {
            for to in ports(duet) {
                (0..5).for_each(|m| late.send(to, &packet((2, 8, (5 * n + m) as u16), &[2; 160])));
            }
        });
        early.unwrap().has_heard_nothing();
        late.has_heard_nothing();
        duet.end();
    });
}

/// The stranger knows the source, its numbers and its times, and is always a little ahead.
#[test]
fn rtp_inject_the_stream_of_the_far_end_continued_by_a_stranger_is_not_heard() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        let stranger = stranger(&duet);
        duet.talk(300, |duet, _| {
            for end in [&mut duet.caller, &mut duet.phone] {
                let next = end.packet(8, &[0xee; 160]);
                end.jump(u16::MAX);
                stranger.send(end.to, &next);
            }
        });
        stranger.has_heard_nothing();
        let record = duet.end();
        for leg in record["legs"].as_array().unwrap() {
            assert_eq!(leg["packets_lost"], 0, "{record:#}");
        }
    });
}

#[test]
fn rtp_spray_over_all_ports_wins_none_of_them() {
    with_each_engine(|io| {
        let mut early = None;
        let spray = |stranger: &Stranger, at: SocketAddr| {
            for n in 0..4 {
                for port in 20_000..22_000 {
                    stranger.send(SocketAddr::new(at.ip(), port), &packet((3, 8, n), &[3; 160]));
                }
            }
        };
        let mut duet = Duet::begin(io, |duet| {
            let stranger = stranger(duet);
            spray(&stranger, duet.caller.to);
            early = Some(stranger);
        });
        let late = stranger(&duet);
        duet.talk(20, |duet, _| spray(&late, duet.caller.to));
        early.unwrap().has_heard_nothing();
        late.has_heard_nothing();
        duet.end();
    });
}

#[test]
fn garbage_of_any_amount_and_size_leaves_the_call_as_it_is() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        let stranger = stranger(&duet);
        let mut rng = Rng::new(40);
        let mut garbage = || {
            let mut bytes: Vec<u8> = (0..rng.bits() % 1_500).map(|_| rng.bits() as u8).collect();
            // Half of it looks like RTP, or RTCP, at first.
            if let Some(first) = bytes.first_mut().filter(|first| **first & 1 == 0) {
                *first = *first & 0x3f | 0x80;
            }
            bytes
        };
        duet.talk(200, |duet, n| {
            for end in [&duet.caller, &duet.phone] {
                for _ in 0..10 {
                    stranger.send(end.to, &garbage());
                    stranger.send(end.rtcp_to(), &garbage());
                }
                // The far ends themselves send some too, but nothing that could be sound.
                let mut own = garbage();
                if let Some(first) = own.first_mut() {
                    *first &= 0x3f;
                }
                if n % 2 == 0 {
                    end.rtp.send_to(&own, end.to).unwrap();
                    end.rtcp.send_to(&garbage(), end.rtcp_to()).unwrap();
                }
            }
        });
        stranger.has_heard_nothing();
        duet.end();
    });
}

#[test]
fn rtcp_of_strangers_ends_no_call_and_goes_nowhere() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        let stranger = stranger(&duet);
        duet.talk(100, |duet, _| {
            for end in [&duet.caller, &duet.phone] {
                let about = [Report { ssrc: end.ssrc, fraction_lost: 255, ..Report::default() }];
                let sent = Some(Sent { ntp: 1 << 40, ..Sent::default() });
                let mut bytes = rtcp::build(end.ssrc, sent, &about, "stranger");
                bytes.extend_from_slice(&[0x81, 203, 0, 1]);
                bytes.extend_from_slice(&end.ssrc.to_be_bytes());
                stranger.send(end.rtcp_to(), &bytes);
                stranger.send(end.to, &bytes);
            }
        });
        stranger.has_heard_nothing();
        // What the far end itself reports comes after all of that, and is the first that is heard.
        let sent = Some(Sent { ntp: 7 << 32, packets: 100, ..Sent::default() });
        let bytes = rtcp::build(duet.caller.ssrc, sent, &[], "caller@home.example");
        duet.caller.rtcp.send_to(&bytes, duet.caller.rtcp_to()).unwrap();
        let mut room = [0; 500];
        let (size, from) = duet.phone.rtcp.recv_from(&mut room).unwrap();
        assert_eq!(from, duet.phone.rtcp_to());
        let parts = rtcp::parse(&room[..size]).unwrap();
        let rtcp::Part::Sender { ssrc, sent, .. } = &parts[0] else { panic!("{parts:?}") };
        assert_eq!((*ssrc, sent.packets), (duet.caller.ssrc, 100));
        assert!(!String::from_utf8_lossy(&room[..size]).contains("home"), "the caller's name");
        duet.end();
    });
}

#[test]
fn empty_and_huge_packets_are_nobodys_sound() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        let stranger = stranger(&duet);
        duet.talk(50, |duet, _| {
            for end in [&mut duet.caller, &mut duet.phone] {
                stranger.send(end.to, &[]);
                stranger.send(end.to, &[0x80; 65_507]);
                stranger.send(end.rtcp_to(), &[]);
                stranger.send(end.rtcp_to(), &[0x80; 65_507]);
                // Its own numbers are those of a packet that never was.
                let huge = end.packet(8, &vec![0xd5; 60_000]);
                end.jump(u16::MAX);
                end.rtp.send_to(&huge, end.to).unwrap();
                end.rtp.send_to(&[], end.to).unwrap();
                end.rtcp.send_to(&[], end.rtcp_to()).unwrap();
            }
        });
        stranger.has_heard_nothing();
        duet.end();
    });
}

/// The caller's telephone presses a thousand keys a second.
#[test]
fn a_storm_of_telephone_events_is_bounded_and_the_sound_goes_on() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        duet.talk(100, |duet, _| {
            for _ in 0..50 {
                // Key 1, its end, 100 ms; each has a time of its own.
                let event = duet.caller.packet(101, &[1, 0x8a, 3, 0x20]);
                duet.caller.rtp.send_to(&event, duet.caller.to).unwrap();
            }
            // Keys are passed on like sound.
            for _ in 0..50 {
                assert_eq!(duet.phone.hear(), [1, 0x8a, 3, 0x20]);
            }
        });
        duet.end();
    });
}

/// A far end may change its source as often as it likes, and its numbers.
#[test]
fn another_source_and_other_numbers_in_every_packet_are_still_the_far_end() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        let mut rng = Rng::new(41);
        duet.talk(500, |duet, _| {
            for end in [&mut duet.caller, &mut duet.phone] {
                end.ssrc = rng.bits() as u32;
                end.jump(rng.bits() as u16);
            }
        });
        duet.talk(500, |duet, n| {
            duet.caller.jump([0, 1, 5, 20_000, 40_000, u16::MAX][n as usize % 6]);
        });
        duet.end();
    });
}

#[test]
fn payload_types_that_nobody_agreed_are_not_passed_on() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |_| {});
        duet.talk(100, |duet, _| {
            for end in [&mut duet.caller, &mut duet.phone] {
                for payload_type in [3, 4, 9, 18, 34, 96, 127] {
                    let wrong = end.packet(payload_type, &[0x77; 160]);
                    end.jump(u16::MAX);
                    end.rtp.send_to(&wrong, end.to).unwrap();
                }
            }
        });
        let record = duet.end();
        for leg in record["legs"].as_array().unwrap() {
            assert!(leg["packets_lost"].as_i64().unwrap() <= 0, "{record:#}");
        }
    });
}

/// Everything at once, to the sound and the reports of one end: sound in every codec, keys,
/// garbage, a farewell in the end's own name.
fn storm(stranger: &Stranger, end: &End, n: u32) {
    for payload_type in Codec::ALL.map(Codec::our_payload).into_iter().chain([101, 13]) {
        for ssrc in [end.ssrc, 66] {
            stranger.send(end.to, &packet((ssrc, payload_type, n as u16), &[0x2a; 160]));
        }
    }
    let mut bye = rtcp::build(end.ssrc, None, &[], "stranger");
    bye.extend_from_slice(&[0x81, 203, 0, 1]);
    bye.extend_from_slice(&end.ssrc.to_be_bytes());
    for to in [end.to, end.rtcp_to()] {
        stranger.send(to, &bye);
        stranger.send(to, &[0xff; 700]);
    }
}

/// What has come until now.
fn forget(end: &End) {
    end.rtp.set_nonblocking(true).unwrap();
    while end.rtp.recv(&mut [0; 2_000]).is_ok() {}
    end.rtp.set_nonblocking(false).unwrap();
}

#[test]
fn a_caller_who_waits_hears_their_music_whatever_strangers_send_and_has_the_agent_then() {
    with_each_engine(|io| {
        let mut duet = Duet::begin(io, |duet| {
            let stranger = stranger(duet);
            for n in 0..50 {
                storm(&stranger, &duet.caller, n);
                let heard = duet.caller.hear();
                assert!(heard.len() == 160 && heard != [0x2a; 160], "{heard:?}");
            }
            stranger.has_heard_nothing();
        });
        duet.talk(50, |_, _| {});
        duet.end();
    });
}

/// A caller in A-law, an agent in G.722 and a supervisor in Opus, who all say nothing; on tape.
#[test]
fn strangers_are_heard_in_no_conference_of_unlike_codecs_and_on_no_recording() {
    let parties = [(CALLER, Codec::Pcma), (PHONE, Codec::G722), (OTHER_PHONE, Codec::Opus)];
    with_each_engine(|io| {
        let op1 = agent("op1", &[&lives_in("op1", PHONE), READY]);
        let op2 = "[[agent]]\nid = \"op2\"\nskills = [\"other\"]\nready = true\n\
            contact = \"sip:op2@NET.4:5060\"\n[recording]\nall = true\nnotice = \"\"\n\
            [in_call]\nwatch_tone = false\n";
        let mut switch = Switch::start(&[io, HELPLINE, &op1, op2]);
        let mut ends = parties.map(|(house, codec)| {
            End::new(&switch.street, house, 0x0c07_0000 + u32::from(house)).speaking(codec)
        });
        let mut coders = parties.map(|(_, codec)| Encoder::new(codec, NARROW));
        let mut decoders = parties.map(|(_, codec)| Decoder::new(codec, NARROW));
        let stranger = Stranger::at(switch.street.ip(STRANGER));
        ends[0].dial();
        ends[1].answer();
        switch.until("call.connected", |_| true);
        let call = switch.ask("calls.list")[0]["id"].clone();
        switch.admin.ask("calls.barge", json!({"call": call, "phone": "op2"})).unwrap();
        ends[2].answer();
        ends.iter().for_each(forget);
        let mut loudest = [0; 3];
        for n in 0..100 {
            ends.iter().for_each(|end| storm(&stranger, end, n));
            for (end, coder) in ends.iter_mut().zip(&mut coders) {
                let mut nothing = Vec::new();
                coder.encode(&[0; 160], &mut nothing);
                end.say(&nothing);
            }
            for ((end, decoder), loudest) in ends.iter().zip(&mut decoders).zip(&mut loudest) {
                let mut heard = Vec::new();
                decoder.decode(&end.hear(), &mut heard);
                // What the caller heard while they waited fades in the room's first packets.
                let most = heard.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
                *loudest = if n < 25 { 0 } else { most.max(*loudest) };
            }
        }
        assert!(loudest.iter().all(|most| *most < 100), "somebody is heard: {loudest:?}");
        stranger.has_heard_nothing();
        ends[0].hang_up();
        ends[1..].iter().for_each(End::answers_bye);
        switch.until_ended(1);
        let folder = switch.data().join("recordings");
        let record = switch.leaves_records().remove(0);
        let file = std::fs::read(folder.join(record["recording"].as_str().unwrap())).unwrap();
        let loud = |octet: &&u8| Law::A.decode(**octet).unsigned_abs() > 100;
        let heard = file[wav::HEADER..].iter().filter(loud).count();
        assert_eq!(heard, 0, "of {} octets on the recording", file.len());
    });
}
