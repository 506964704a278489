//! What reading and writing one SIP message costs: a carrier's INVITE of 1.2 KB.
//! Repeat with `cargo bench --bench wire`.

mod harness;

use harness::Bench;
use pukar::wire::sip::{Framer, Message, Method, Name, TopVia, Writer};

fn main() {
    let invite = invite();
    println!("INVITE of {} octets", invite.len());
    let message = Message::parse(&invite).unwrap();
    let text = String::from_utf8(invite.clone()).unwrap();
    let theirs = rsip::SipMessage::try_from(text.as_str()).unwrap();
    let mut bench = Bench::default();
    bench.case("parse + print", || Message::parse(&invite).unwrap().print());
    bench.case("parse and check", || Message::parse(&invite).unwrap());
    bench.case("parse + typed core headers", || typed(&Message::parse(&invite).unwrap()));
    bench.case("print", || message.print());
    bench.case("build a new INVITE", || build(message.body));
    bench.case("reply 200 to it", || {
        Writer::reply(200, "OK", &message.fields, TopVia::default(), Some("t1")).finish()
    });
    bench.case("frame it from a stream", || {
        let mut framer = Framer::default();
        framer.feed(&invite);
        framer.next_frame()
    });
    bench.case("rsip: parse", || rsip::SipMessage::try_from(text.as_str()).unwrap());
    bench.case("rsip: print", || theirs.to_string());
    bench.case("rsip: parse + print", || {
        rsip::SipMessage::try_from(text.as_str()).unwrap().to_string()
    });
    bench.run("SIP message layer");
}

fn typed(m: &Message<'_>) -> usize {
    let route = m.routes().count() + m.record_routes().count();
    let branch = m.via.branch().map_or(0, str::len);
    let tags = m.from.tag().map_or(0, str::len) + m.to.tag().map_or(0, str::len);
    let contact = m.contact().map_or(0, |c| c.uri.raw.len());
    let timer = m.session_expires().map_or(0, |s| s.seconds as usize);
    let asserted = m.p_asserted_identity().count();
    let kind = m.content_type().map_or(0, str::len);
    route + branch + tags + contact + timer + asserted + kind + usize::from(m.supports("100rel"))
}

fn build(body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::request(Method::Invite, "sip:agent7@198.51.100.7:5062;transport=udp");
    writer
        .header(Name::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK8f7a6b5c4d;rport")
        .header(Name::MaxForwards, 70)
        .header(Name::From, "<sip:+919826012345@helpline.example.in>;tag=a1b2c3")
        .header(Name::To, "<sip:agent7@helpline.example.in>")
        .header(Name::CallId, "5f1c2d3e4f@192.0.2.1")
        .header(Name::CSeq, format_args!("{} {}", 1, Method::Invite))
        .header(Name::Contact, "<sip:192.0.2.1:5060>")
        .header(Name::Supported, "100rel, timer, replaces")
        .header(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, NOTIFY");
    writer.finish_with("application/sdp", body)
}

fn invite() -> Vec<u8> {
    let sdp = "v=0\r\no=SBC 20518 1 IN IP4 192.0.2.44\r\ns=-\r\nc=IN IP4 192.0.2.44\r\nt=0 0\r\n\
        m=audio 24000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-15\r\na=sendrecv\r\na=ptime:20\r\n";
    format!(
        "INVITE sip:1070@helpline.example.in:5060;user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.44:5060;branch=z9hG4bK0d7a6f5e4c3b2a19;rport\r\n\
         Via: SIP/2.0/UDP 10.20.30.40:5060;branch=z9hG4bK77ef4c2312983;received=10.20.30.41\r\n\
         Record-Route: <sip:192.0.2.44;lr;ftag=c0ffee12>\r\n\
         Max-Forwards: 68\r\n\
         From: \"+919826012345\" <sip:+919826012345@carrier.example;user=phone>;tag=c0ffee12\r\n\
         To: <sip:1070@helpline.example.in;user=phone>\r\n\
         Call-ID: 0a1b2c3d4e5f60718293a4b5c6d7e8f9@192.0.2.44\r\n\
         CSeq: 41 INVITE\r\n\
         Contact: <sip:+919826012345@192.0.2.44:5060;transport=udp>\r\n\
         P-Asserted-Identity: <sip:+919826012345@carrier.example;user=phone>\r\n\
         Supported: 100rel, timer, replaces\r\n\
         Session-Expires: 1800;refresher=uac\r\n\
         Min-SE: 90\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, NOTIFY, REFER\r\n\
         User-Agent: Carrier-SBC/9.3.1\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
    .into_bytes()
}
