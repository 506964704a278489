//! Every message of RFC 4475 and RFC 5118, sent to the running switch over UDP and over TCP, by a
//! stranger and by a carrier. What has to come back stands in `expectations.tsv` beside the
//! messages, in the folder that `PUKAR_TORTURE` names. And those of `sip-fixtures/` likewise.

mod support;

use pukar::wire::sip::{Frame, Framer, Message, Name, text};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::agents::{REGISTERS, SECRET, agent};
use support::digest::{Login, authorization};
use support::raw::{Tcp, Udp, header, status};
use support::street::PHONE;
use support::switch::{HELPLINE, Switch};

/// Whom the registrations of RFC 4475 are for, of those that shall succeed.
const USERS: [&str; 2] = ["watson", "user"];

/// What a stream cannot be cut into messages at. RFC 4475 section 3.1.2.2 (clerr): all that can be
/// done is to wait for more, and to close the connection where none comes. The octets of baddn end
/// without the empty line that RFC 3261 section 7 wants even where there is no body, so they are
/// no more than the beginning of a message either.
const UNFINISHED: [&str; 2] = ["clerr.dat", "baddn.dat"];
/// RFC 4475 sections 3.1.2.3 (ncl) and 3.3.9 (mcl01): respond with an error; over TCP the framing
/// error cannot be recovered from, and the connection should be closed.
const UNFRAMED: [&str; 2] = ["ncl.dat", "mcl01.dat"];

/// A carrier that may send from any port, as the messages want their answers at any.
const CARRIER: u8 = 5;
const CARRIER_TRUNK: &str = r#"
[[trunk]]
name = "tortuous"
hosts = ["NET.5", "tcp:NET.5"]
ping = "0s"
"#;
/// Calls that a carrier may make: with a codec of ours, at an address that we reach. wsinv belongs
/// to a dialog that there is not, and the others offer G.726, or IPv6.
const SERVED: [&str; 5] =
    ["esc01.dat", "longreq.dat", "baddate.dat", "inv2543.dat", "mult-ip-in-sdp.dat"];

fn switch() -> Switch {
    let agents = USERS.map(|user| agent(user, &[REGISTERS])).concat();
    Switch::start(&[HELPLINE, &agents])
}

/// Nobody there has a name that the messages use: whoever claims one of ours has to prove it.
fn switch_of_a_carrier() -> Switch {
    Switch::start(&[HELPLINE, CARRIER_TRUNK, &agent("op1", &[REGISTERS])])
}

struct Row {
    file: String,
    bytes: Vec<u8>,
    expected: String,
}

impl Row {
    fn call_id(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        // One datagram holds a second message, which must not be read.
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        header(head, "Call-ID").or(header(head, "i")).map(str::to_string)
    }

    /// The port that the topmost Via names: RFC 3261 section 18.2.2 sends the answer there.
    fn answer_port(&self) -> u16 {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let via = header(&text, "Via").or(header(&text, "v")).unwrap_or_default();
        let sent_by = via.split([';', ',']).next().unwrap_or_default().trim();
        let port = sent_by.rsplit(']').next().and_then(|rest| rest.rsplit_once(':'));
        port.and_then(|(_, port)| port.trim().parse().ok()).unwrap_or(5060)
    }

    fn is_response(&self) -> bool {
        self.bytes.starts_with(b"SIP/2.0 ")
    }

    /// What is wrong with this answer, or with there being none.
    fn complaint(&self, answer: Option<&str>) -> Option<String> {
        let code = answer.and_then(status);
        let numbers = self.expected.split(|c: char| !c.is_ascii_digit());
        let named: Vec<u16> = numbers.filter_map(|word| word.parse().ok()).collect();
        let parsed = !matches!(code, None | Some(400 | 500 | 505));
        let fits = match self.expected.as_str() {
            _ if self.is_response() => answer.is_none(),
            "discard" => answer.is_none(),
            "accept" => parsed,
            other if other.contains("accept") || other.contains("liberal") => {
                parsed || code.is_some_and(|code| named.contains(&code))
            }
            other if other.contains("2543") => code.is_some(),
            _ => code.is_some_and(|code| named.contains(&code)),
        };
        let what = answer.map_or("nothing", |a| a.lines().next().unwrap_or_default());
        (!fits).then(|| format!("{}: got {what}, expected {}", self.file, self.expected))
    }

    /// What is wrong with these answers, all of them.
    fn complaints(&self, came: &[String]) -> Vec<String> {
        let others = came.iter().filter(|answer| !self.is_about(answer));
        let others = others.map(|answer| format!("{}: got {answer} besides", self.file));
        others.chain(self.complaint(own(self, came))).collect()
    }

    fn is_about(&self, answer: &str) -> bool {
        self.call_id().is_none_or(|id| answer.contains(&id))
    }

    /// The same as a call to the helpline.
    fn to_helpline(&self) -> Vec<u8> {
        let Some(end) = self.bytes.windows(2).position(|two| two == b"\r\n") else {
            return self.bytes.clone();
        };
        let called = b"\r\nP-Called-Party-ID: <sip:181@helpline.test>";
        [&self.bytes[..end], called, &self.bytes[end..]].concat()
    }

    /// The same once more with the password that a 401 asks for, where the RFC wants a 200. It is a
    /// new transaction (RFC 3261 section 8.1.3.5), and two of the messages share a branch.
    fn with_password(&self, answer: Option<&str>) -> Option<Vec<u8>> {
        let refusal = answer.filter(|a| self.expected == "200" && status(a) == Some(401))?;
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let user = USERS.into_iter().find(|user| text.contains(&format!("To: sip:{user}@")))?;
        let login = Login { user, secret: SECRET };
        let (first, rest) = text.split_once("\r\n")?;
        let uri = first.split(' ').nth(1)?;
        let line = authorization(refusal, "SHA-256", login, ("REGISTER", uri));
        let rest = rest.replace("branch=", &format!("branch=z9hG4bK{}", self.file));
        Some(format!("{first}\r\n{line}{rest}").into_bytes())
    }
}

fn rows() -> Option<Vec<Row>> {
    let Some(root) = std::env::var_os("PUKAR_TORTURE").map(PathBuf::from) else {
        let _ = writeln!(
            std::io::stderr(),
            "PUKAR_TORTURE is not set: no message of the RFCs was sent"
        );
        return None;
    };
    let mut rows = read(&root.join("rfc4475"), ".", 5);
    let more = read(&root.join("rfc5118"), "wire", 4);
    assert_eq!((rows.len(), more.len()), (49, 12), "in {}", root.display());
    rows.extend(more);
    Some(rows)
}

/// Our own.
fn fixtures() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-fixtures");
    let table = fs::read_to_string(folder.join("expectations.tsv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let bytes = fs::read(folder.join(fields[0])).unwrap();
        Row { file: fields[0].into(), bytes, expected: fields[2].into() }
    };
    table.lines().skip(1).map(row).collect()
}

fn read(dir: &Path, messages: &str, column: usize) -> Vec<Row> {
    let path = dir.join("expectations.tsv");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let file = format!("{}.dat", fields[0].trim_end_matches(".dat"));
        let bytes =
            fs::read(dir.join(messages).join(&file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        Row { file, bytes, expected: fields[column].to_string() }
    };
    text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(row).collect()
}

/// The last answer that is about this message: one datagram holds two.
fn own<'a>(row: &Row, answers: &'a [String]) -> Option<&'a str> {
    answers.iter().rfind(|answer| row.is_about(answer)).map(String::as_str)
}

/// ACK and BYE for a call that was answered.
fn goodbye(answer: &str, from: std::net::SocketAddr, transport: &str) -> [String; 2] {
    let message = Message::parse(answer.as_bytes()).unwrap();
    let field = |name| text(message.header(name).unwrap_or_default()).into_owned();
    let target = field(Name::Contact);
    let target = target.split(['<', '>']).nth(1).unwrap();
    [("ACK", 0), ("BYE", 1)].map(|(method, more)| {
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {from};rport;branch=z9hG4bK{method}{}{}\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n",
            from.port(),
            message.cseq.number,
            field(Name::From),
            field(Name::To),
            message.call_id,
            message.cseq.number + more,
        )
    })
}

/// What is wrong with the answers to a carrier.
fn served(row: &Row, came: &[String]) -> Vec<String> {
    let last = own(row, came).unwrap_or_default();
    let audio = last.lines().any(|l| l.starts_with("m=audio ") && !l.starts_with("m=audio 0 "));
    let fits = !SERVED.contains(&&*row.file) || status(last) == Some(200) && audio;
    let unserved = (!fits).then(|| format!("{}: no audio in {last}", row.file));
    row.complaints(came).into_iter().chain(unserved).collect()
}

#[test]
fn each_message_over_udp_gets_what_the_rfc_says() {
    let Some(rows) = rows() else { return };
    let switch = switch();
    let mut complaints = Vec::new();
    for row in &rows {
        let udp = Udp::at_port(switch.street.ip(PHONE), row.answer_port(), switch.sip());
        udp.send(&row.bytes);
        let mut came = udp.options(&row.file);
        if let Some(again) = row.with_password(own(row, &came)) {
            udp.send(&again);
            came = udp.options(&row.file);
        }
        complaints.extend(row.complaints(&came));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert!(switch.records().is_empty(), "a stranger has called");
}

#[test]
fn each_message_of_a_carrier_over_udp_is_served_where_it_can_be() {
    let Some(rows) = rows() else { return };
    let switch = switch_of_a_carrier();
    let mut complaints = Vec::new();
    for row in &rows {
        let udp = Udp::at_port(switch.street.ip(CARRIER), row.answer_port(), switch.sip());
        udp.send(&row.to_helpline());
        let came = udp.options(&row.file);
        complaints.extend(served(row, &came).into_iter().filter(|_| row.expected != "200"));
        if let Some(answer) = own(row, &came).filter(|a| status(a) == Some(200) && is_call(a)) {
            let [ack, bye] = goodbye(answer, udp.at(), "UDP");
            udp.send(ack.as_bytes());
            udp.send(bye.as_bytes());
            let last = udp.options(&row.file);
            let ended = last.iter().any(|a| a.contains("BYE") && status(a) == Some(200));
            assert!(ended, "{}: {last:?}", row.file);
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let records = switch.records();
    let count = |outcome| records.iter().filter(|record| record["outcome"] == outcome).count();
    // Each came and went, and two had no audio for us.
    assert_eq!((count("abandoned"), count("refused")), (SERVED.len(), 2), "{records:#?}");
    assert_eq!(records.len(), SERVED.len() + 2);
}

fn is_call(answer: &str) -> bool {
    header(answer, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"))
}

#[test]
fn each_fixture_over_udp_gets_what_its_row_says() {
    let switch = switch();
    let mut complaints = Vec::new();
    for row in fixtures() {
        let udp = Udp::at_port(switch.street.ip(PHONE), row.answer_port(), switch.sip());
        udp.send(&row.bytes);
        complaints.extend(row.complaints(&udp.options(&row.file)));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert!(switch.records().is_empty(), "a stranger has called");
}

#[test]
fn each_fixture_over_tcp_gets_what_its_row_says_as_far_as_it_can_be_framed() {
    let switch = switch();
    let mut complaints = Vec::new();
    let rows = fixtures();
    let ip = switch.street.ip(PHONE);
    let open: Vec<Tcp> = rows.iter().map(|row| over_tcp(&switch, ip, &row.bytes)).collect();
    for (row, tcp) in rows.iter().zip(open) {
        // A pong may stand before the answer.
        let came: Vec<String> =
            until_closed(tcp).iter().map(|answer| answer.trim_start().into()).collect();
        let mut framer = Framer::default();
        framer.feed(&row.bytes);
        let frame = std::iter::from_fn(|| framer.next_frame()).find(|f| *f != Frame::Ping);
        match frame {
            Some(Frame::Message(_)) => complaints.extend(row.complaint(own(row, &came))),
            Some(Frame::Broken(_) | Frame::Ping) => {
                let refused = came.iter().all(|answer| status(answer) >= Some(400));
                complaints.extend((!refused).then(|| format!("{}: got {came:?}", row.file)));
            }
            None => complaints.extend(came.first().map(|a| format!("{}: got {a}", row.file))),
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    switch.records();
}

/// Says its words and then no more, as torture tools do; everything that comes until the switch
/// closes the connection, which it must.
fn over_tcp(switch: &Switch, from: Ipv4Addr, bytes: &[u8]) -> Tcp {
    let mut tcp = Tcp::new(from, switch.sip());
    tcp.send(bytes);
    tcp.stream.shutdown(Shutdown::Write).unwrap();
    tcp
}

fn until_closed(mut tcp: Tcp) -> Vec<String> {
    let came = std::iter::from_fn(|| tcp.receive_within(support::PATIENCE)).collect();
    assert!(tcp.is_closed_within(Duration::from_millis(1)), "still open: {came:?}");
    came
}

#[test]
fn each_message_over_tcp_gets_what_the_rfc_says_and_then_the_end() {
    let Some(rows) = rows() else { return };
    let switch = switch();
    let mut complaints = Vec::new();
    let ip = switch.street.ip(PHONE);
    let open: Vec<Tcp> = rows.iter().map(|row| over_tcp(&switch, ip, &row.bytes)).collect();
    for (row, tcp) in rows.iter().zip(open) {
        let mut came = until_closed(tcp);
        if let Some(again) = row.with_password(own(row, &came)) {
            came = until_closed(over_tcp(&switch, ip, &again));
        }
        let last = own(row, &came);
        if UNFINISHED.contains(&&*row.file) {
            complaints.extend(last.map(|answer| format!("{}: got {answer}", row.file)));
            continue;
        }
        complaints.extend(row.complaint(last));
        if UNFRAMED.contains(&&*row.file) && last.and_then(status) != Some(400) {
            complaints.push(format!("{}: got {last:?}, and not 400", row.file));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let mut probe = Tcp::new(switch.street.ip(PHONE), switch.sip());
    assert!(probe.options("after"), "the switch does not answer any more");
    switch.records();
}

#[test]
fn each_call_of_a_carrier_over_tcp_is_answered_and_ended() {
    let Some(rows) = rows() else { return };
    let switch = switch_of_a_carrier();
    let ip = switch.street.ip(CARRIER);
    // RFC 2543 knew messages without a length, which a stream cannot carry.
    let framed = |row: &&Row| SERVED.contains(&&*row.file) && row.file != "inv2543.dat";
    for row in rows.iter().filter(framed) {
        let mut tcp = Tcp::new(ip, switch.sip());
        tcp.send(&row.to_helpline());
        let next = |tcp: &mut Tcp| tcp.receive_within(support::PATIENCE).unwrap();
        let mut answer = next(&mut tcp);
        while status(&answer) < Some(200) {
            answer = next(&mut tcp);
        }
        assert_eq!(served(row, std::slice::from_ref(&answer)), [""; 0]);
        let [ack, bye] = goodbye(&answer, tcp.at(), "TCP");
        tcp.send(format!("{ack}{bye}").as_bytes());
        let last = next(&mut tcp);
        assert!(last.contains("BYE") && status(&last) == Some(200), "{}: {last}", row.file);
    }
    assert_eq!(switch.records().len(), SERVED.len() - 1);
}

#[test]
fn a_stream_that_cannot_be_framed_is_closed_by_the_switch_itself() {
    let Some(rows) = rows() else { return };
    let switch = switch();
    for row in rows.iter().filter(|row| UNFRAMED.contains(&&*row.file)) {
        let mut tcp = Tcp::new(switch.street.ip(PHONE), switch.sip());
        tcp.send(&row.bytes);
        let came = until_closed(tcp);
        assert_eq!(came.iter().filter_map(|a| status(a)).collect::<Vec<_>>(), [400], "{came:?}");
    }
    switch.records();
}
