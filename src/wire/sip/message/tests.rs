//! Messages: what is accepted, what is refused and with which words.

use super::*;

const INVITE: &str = "INVITE sip:1070@example.in SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa1;rport, SIP/2.0/TCP p.in;branch=z9hG4bKb\r\n\
    v: SIP/2.0/UDP c.example\r\n\
    Max-Forwards: 70\r\n\
    f: \"सीमा\" <sip:+919826012345@example.in>;tag=f1\r\n\
    To: <sip:1070@example.in>\r\n\
    Call-ID: abc@192.0.2.7\r\n\
    CSeq: 7 INVITE\r\n\
    m: <sip:9826012345@192.0.2.7>\r\n\
    P-Asserted-Identity: <tel:+919826012345>, <sip:+919826012345@example.in>\r\n\
    Diversion: <sip:181@example.in>;reason=unconditional, <sip:108@example.in>\r\n\
    Privacy: id;critical\r\n\
    k: 100rel, timer\r\n\
    Session-Expires: 1800;refresher=uac\r\n\
    Reason: SIP;cause=302;text=\"Moved\", Q.850;cause=19\r\n\
    c: application/sdp; charset=utf-8\r\n\
    Content-Length: 4\r\n\r\nv=0\ntrailing";

fn with(change: &str, to: &str) -> String {
    assert!(INVITE.contains(change), "{change}");
    INVITE.replacen(change, to, 1)
}

#[track_caller]
fn refused(text: &str, status: u16, reason: &str) {
    let rejected = Message::parse(text.as_bytes()).expect_err(reason);
    assert_eq!((rejected.status, rejected.reason), (status, reason));
    assert!(rejected.is_request);
}

#[test]
fn an_invite_and_everything_in_it() {
    let m = Message::parse(INVITE.as_bytes()).unwrap();
    assert_eq!((m.method(), m.is_request(), m.status()), (Method::Invite, true, None));
    assert_eq!(m.request_uri().and_then(|uri| uri.user), Some("1070"));
    assert_eq!((m.from.display().as_ref(), m.from.tag(), m.to.tag()), ("सीमा", Some("f1"), None));
    assert_eq!((m.call_id, m.cseq.number, m.max_forwards()), ("abc@192.0.2.7", 7, Some(70)));
    let branches: Vec<_> = m.vias().map(|via| via.branch().unwrap_or("-")).collect();
    assert_eq!(branches, ["z9hG4bKa1", "z9hG4bKb", "-"]);
    assert_eq!(m.contact().map(|c| c.uri.raw), Some("sip:9826012345@192.0.2.7"));
    let asserted: Vec<_> = m.p_asserted_identity().map(|a| a.uri.scheme).collect();
    assert_eq!(asserted, [crate::wire::sip::Scheme::Tel, crate::wire::sip::Scheme::Sip]);
    assert_eq!(m.diversion().last().map(|d| d.uri.raw), Some("sip:108@example.in"));
    assert_eq!(m.privacy().collect::<Vec<_>>(), ["id", "critical"]);
    assert!(m.supports("100rel") && m.supports("TIMER") && !m.supports("path"));
    assert_eq!(m.session_expires().map(|s| s.seconds), Some(1800));
    assert_eq!(m.reasons().map(|r| r.cause()).collect::<Vec<_>>(), [Some(302), Some(19)]);
    assert_eq!((m.content_type(), m.body), (Some("application/sdp"), &b"v=0\n"[..]));
    assert!(m.has_body("Application/SDP") && m.content_length() == Some(4));
    assert!(m.raw().ends_with(b"v=0\n"));
    assert_eq!((m.expires(), m.rack(), m.min_se()), (None, None, None));
}

#[test]
fn a_response_and_its_challenge() {
    let text = "SIP/2.0 401\r\nVia: SIP/2.0/UDP a\r\nFrom: sip:a@b;tag=1\r\nTo: sip:a@b;tag=2\r\n\
        Call-ID: x\r\nCSeq: 1 REGISTER\r\nRetry-After: 30 (busy)\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", algorithm=SHA-256\r\n\r\n";
    let m = Message::parse(text.as_bytes()).unwrap();
    assert_eq!((m.status(), m.method(), m.retry_after()), (Some(401), Method::Register, Some(30)));
    let nonces: Vec<_> = m.www_authenticate().filter_map(|a| a.get("nonce")).collect();
    assert_eq!(nonces, ["n", "m"]);
}

#[test]
fn a_length_that_lies_is_refused() {
    refused(&with("Length: 4", "Length: 400"), 400, "Content-Length beyond the message");
    refused(&with("Length: 4", "Length: -4"), 400, "Malformed Content-Length");
    refused(&with("Length: 4", "Length: 4x"), 400, "Malformed Content-Length");
    refused(&with("Length: 4", "Length:"), 400, "Malformed Content-Length");
    refused(&with("Length: 4", "Length: 99999"), 513, "Message Too Large");
    refused(&with("Length: 4", "Length: 4\r\nl: 4"), 400, "More than one Content-Length");
    let absent = with("Content-Length: 4\r\n", "");
    assert_eq!(Message::parse(absent.as_bytes()).unwrap().body, b"v=0\ntrailing");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    refused(&with("CSeq: 7 INVITE", "CSeq: 7 BYE"), 400, "CSeq method does not match");
    refused(&with("CSeq: 7", "CSeq: 4294967296"), 400, "Malformed CSeq");
    refused(&with("To: <", "t: <sip:x@y>\r\nTo: <"), 400, "More than one To");
    refused(&with("tag=f1", "tag=f1;tag=f2"), 400, "Malformed From");
    refused(&with("tag=f1", "tag"), 400, "Malformed From");
    refused(&with("\"सीमा\"", "\"सीमा"), 400, "Malformed From");
    refused(&with("Forwards: 70", "Forwards: 300"), 400, "Malformed Max-Forwards");
    refused(&with(";rport", ";;,;,,"), 400, "Malformed Via");
    refused(&with("refresher=uac", "refresher=both"), 400, "Malformed Session-Expires");
    refused(&with("Call-ID: abc@192.0.2.7\r\n", ""), 400, "Missing Call-ID");
    refused(&with("m: <sip", "m: sip:a?b=c, <sip"), 400, "Malformed Contact");
    refused(&with("To: <", "To : nonsense\r\n x\nTo: <"), 400, "A CR or LF by itself");
    refused(&with("\r\n\r\nv=0", "\r\nv=0"), 400, "A CR or LF by itself");
    refused(&with("\r\n\r\nv=0\ntrailing", "\r\n"), 400, "No empty line after the headers");
}

#[test]
fn a_tag_that_is_no_text_is_refused() {
    let octets: Vec<u8> = INVITE.bytes().collect();
    let at = INVITE.find("tag=f1").unwrap() + 4;
    let foreign = [&octets[..at], &b"\xff"[..], &octets[at + 2..]].concat();
    assert_eq!(Message::parse(&foreign).unwrap_err().reason, "Malformed From");
}

#[test]
fn a_request_line_has_three_words() {
    let line = "INVITE sip:1070@example.in SIP/2.0";
    for (bad, reason) in [
        ("INVITE  sip:1070@example.in SIP/2.0", "Malformed request line"),
        ("INVITE sip:1070@example.in SIP/2.0 ", "Malformed request line"),
        ("INVITE sip:1070@example.in; lr SIP/2.0", "Malformed request line"),
        ("INVITE <sip:1070@example.in> SIP/2.0", "Malformed Request-URI"),
        ("INVITE sip:2001:db8::10 SIP/2.0", "Malformed Request-URI"),
        ("INVITE sip:a@b?Route=%3Csip:c%3E SIP/2.0", "Headers in the Request-URI"),
        ("INV@ITE sip:a@b SIP/2.0", "Malformed method"),
        ("INVITE", "Malformed request line"),
    ] {
        refused(&with(line, bad), 400, reason);
    }
    refused(&with(line, "INVITE sip:a@b SIP/7.0"), 505, "Version Not Supported");
}

#[test]
fn a_refusal_can_be_answered_unless_it_is_an_ack_or_a_response() {
    let text = with("Length: 4", "Length: -4");
    let rejected = Message::parse(text.as_bytes()).unwrap_err();
    assert!(rejected.is_answerable());
    assert_eq!(rejected.via().and_then(|via| via.branch()), Some("z9hG4bKa1"));
    let ack = text.replace("INVITE", "ACK");
    assert!(!Message::parse(ack.as_bytes()).unwrap_err().is_answerable());
    let response = text.replace("INVITE sip:1070@example.in SIP/2.0", "SIP/2.0 200 OK");
    assert!(!Message::parse(response.as_bytes()).unwrap_err().is_answerable());
    for noise in [&b""[..], b"\r\n\r\n", b"\0", b"INVITE", b"INVITE sip:a SIP/2.0\r\n\r\n"] {
        assert!(!Message::parse(noise).unwrap_err().is_answerable());
    }
}

#[test]
fn a_status_has_three_digits_and_a_meaning() {
    let text = with("INVITE sip:1070@example.in SIP/2.0", "SIP/2.0 200 OK");
    assert!(Message::parse(text.as_bytes()).is_ok());
    for line in ["SIP/2.0 4294967301 x", "SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/3.0 200 OK", "SIP/"]
    {
        let rejected = text.replace("SIP/2.0 200 OK", line);
        assert!(!Message::parse(rejected.as_bytes()).expect_err(line).is_request);
    }
}

#[test]
fn hostile_lists_cost_linear_time_and_end_in_a_refusal() {
    let fill = |unit: &str| unit.repeat(60_000 / unit.len());
    for unit in [",", ";", "\"", "<", "\r\n ", "\\", ";a", ";a=\"", ",<", "\",", "(", "\"\\"] {
        for name in ["Via", "Contact", "To", "Route", "Authorization", "Require", "Privacy"] {
            let text = with("Max-Forwards", &format!("{name}: x{}\r\nMax-Forwards", fill(unit)));
            if let Ok(m) = Message::parse(text.as_bytes()) {
                let _ = (m.require().count(), m.privacy().count());
                let _ = m.authorization().map(|a| a.params().count()).sum::<usize>();
            }
        }
    }
    let names = with("Max-Forwards", &format!("{}: x\r\nMax-Forwards", fill("a")));
    assert!(Message::parse(names.as_bytes()).is_ok());
    let vias = with("Max-Forwards", &format!("{}Max-Forwards", "v: SIP/2.0/UDP a\r\n".repeat(100)));
    refused(&vias, 400, "Too many Via values");
}
