//! Every message of RFC 4475 and RFC 5118, sent to the running switch over UDP and over TCP. What
//! has to come back stands in `expectations.tsv` beside the messages, in the folder that
//! `PUKAR_TORTURE` names.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::raw::{Tcp, Udp, header, status};
use support::street::PHONE;
use support::switch::{HELPLINE, Switch};

const AGENT: &str =
    "[[agent]]\nid = \"op1\"\nsecret = \"correct-horse-1\"\nskills = [\"operator\"]\n";

struct Row {
    file: String,
    bytes: Vec<u8>,
    expected: String,
}

impl Row {
    fn call_id(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let id = header(&text, "Call-ID").or(header(&text, "i"));
        id.map(str::to_string)
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
        // A registrar that asks for a password, and knows only its own users and domains, says so
        // before it could say 200.
        let fits = match self.expected.as_str() {
            _ if self.is_response() => answer.is_none(),
            "accept" => parsed,
            "200" => matches!(code, Some(200 | 401 | 403 | 404)),
            other if other.contains("accept") || other.contains("liberal") => {
                parsed || code.is_some_and(|code| named.contains(&code))
            }
            other if other.contains("2543") => code.is_some(),
            _ => code.is_some_and(|code| named.contains(&code)) || self.is_for_others(code),
        };
        let what = answer.map_or("nothing", |a| a.lines().next().unwrap_or_default());
        (!fits).then(|| format!("{}: got {what}, expected {}", self.file, self.expected))
    }

    /// What is wrong with these stands behind a door that stays shut for a stranger: 401 is right
    /// where the fault is in something that only a caller who was let in would be told.
    fn is_for_others(&self, code: Option<u16>) -> bool {
        self.expected.contains("406") && code == Some(401)
    }
}

fn rows() -> Option<Vec<Row>> {
    let Some(root) = std::env::var_os("PUKAR_TORTURE").map(PathBuf::from) else {
        eprintln!("PUKAR_TORTURE is not set: the messages of RFC 4475 and 5118 were not sent");
        return None;
    };
    let mut rows = read(&root.join("rfc4475"), ".", 5);
    rows.extend(read(&root.join("rfc5118"), "wire", 4));
    assert!(rows.len() > 55, "{} holds too few messages", root.display());
    Some(rows)
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

#[test]
fn each_message_over_udp_gets_what_the_rfc_says() {
    let Some(rows) = rows() else { return };
    let switch = Switch::start(&[HELPLINE, AGENT]);
    let mut complaints = Vec::new();
    for row in &rows {
        // The answer goes to the port that Via names, unless it asks for the port that it came
        // from: so the messages come from SIP's own port.
        let udp = Udp::at_port(switch.street.ip(PHONE), 5060, switch.sip());
        udp.send(&row.bytes);
        let came = udp.options(&row.file);
        let own = |answer: &&String| row.call_id().is_none_or(|id| answer.contains(&id));
        let last = came.iter().rfind(own).map(String::as_str);
        complaints.extend(row.complaint(last));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let records = switch.records();
    assert!(records.iter().all(|record| record["outcome"] != "answered"), "{records:#?}");
}

#[test]
fn each_message_over_tcp_gets_what_the_rfc_says() {
    let Some(rows) = rows() else { return };
    let switch = Switch::start(&[HELPLINE, AGENT]);
    let mut complaints = Vec::new();
    let mut open = Vec::new();
    for row in rows {
        let mut tcp = Tcp::new(switch.street.ip(PHONE), switch.sip());
        tcp.send(&row.bytes);
        open.push((row, tcp));
    }
    for (row, mut tcp) in open {
        // Nothing more comes: a message that is not all there must be given up in time.
        let _ = tcp.stream.shutdown(std::net::Shutdown::Write);
        let mut last = None;
        while let Some(answer) = tcp.receive_within(Duration::from_millis(500)) {
            last = Some(answer);
        }
        let closes = ["clerr.dat", "baddn.dat", "ncl.dat", "mcl01.dat"].contains(&&*row.file);
        if !(closes && last.is_none()) {
            complaints.extend(row.complaint(last.as_deref()));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let mut probe = Tcp::new(switch.street.ip(PHONE), switch.sip());
    assert!(probe.options("after"), "the switch does not answer any more");
    switch.records();
}
