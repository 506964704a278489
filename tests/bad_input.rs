//! What a switch on a public network is sent, over real sockets: too much, too little, too slow,
//! and lies. Each gets a clear answer, costs a bounded amount of memory, and takes nothing from
//! anybody else.

mod support;

use std::time::Duration;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent, lives_in};
use support::baresip::Baresip;
use support::digest::{Login, authorization};
use support::raw::{Request, Tcp, Udp, header, status};
use support::sipp::{Plan, Sipp};
use support::street::{CALLER, OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};
use support::talk;

/// op1 registers; op2 has a phone in house 4. `state`: a line of both tables.
fn agents(state: &str) -> String {
    let registers = agent("op1", &[REGISTERS, OLD_PHONE, state]);
    let waits = agent("op2", &[&lives_in("op2", OTHER_PHONE), state]);
    format!("[limits]\nmax_rate = 100000\n{registers}{waits}")
}

/// How much more memory a flood may leave behind: tables that are bounded are filled once.
const BIG: u16 = 200;
const GROWTH_MAX: usize = 12 << 20;

fn switch() -> Switch {
    Switch::start(&[HELPLINE, &agents(READY)])
}

/// One ordinary call: nothing was lost.
fn still_serves(mut switch: Switch, records_before: usize) {
    let plan = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let agent = Sipp::answers(&switch.street, plan);
    let plan = Plan { scenario: "caller", ..Plan::default() };
    Sipp::calls(&switch.street, plan).succeeds();
    agent.succeeds();
    switch.until("call.connected", |fact| fact["agent"] == "op2");
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(records.len(), records_before + 1, "{records:#?}");
    let answered = records.iter().filter(|record| record["outcome"] == "answered");
    assert_eq!(answered.count(), 1, "{records:#?}");
}

fn request<'a>(method: &'a str, uri: &'a str, socket: &Udp, id: &'a str) -> Request<'a> {
    let (transport, from, user) = ("UDP", socket.at(), "op1");
    Request { method, uri, transport, from, user, id, seq: 1, more: "", body: "" }
}

#[test]
fn malformed_and_oversized_datagrams_are_refused_or_dropped() {
    let switch = switch();
    let udp = Udp::new(switch.street.ip(PHONE), switch.sip());
    let own = format!("sip:{}", switch.sip());
    let good = request("OPTIONS", &own, &udp, "good").text();
    let silent: Vec<Vec<u8>> = vec![
        vec![0],
        vec![0xff; 1_400],
        vec![b'\n'; 9_000],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![b'A'; 65_000],
    ];
    silent.iter().for_each(|bytes| udp.send(bytes));
    assert!(udp.options("silent").iter().all(|answer| status(answer) >= Some(400)));
    for (id, broken) in [
        ("cseq", good.replace("CSeq: 1 OPTIONS", "CSeq: x OPTIONS")),
        ("from", good.replace("From: <sip:", "From: <sip:\"<<")),
        ("length", good.replace("Content-Length: 0", "Content-Length: 99999")),
        ("headers", good.replace("CSeq:", &format!("{}CSeq:", "X-Y: z\r\n".repeat(3_000)))),
        ("vias", good.replace("CSeq:", &format!("{}CSeq:", "Via: SIP/2.0/UDP a\r\n".repeat(300)))),
        ("to", good.replace("To:", "T o:")),
        ("line", good.replace(" SIP/2.0\r\nVia", "\r\nVia")),
    ] {
        udp.send(broken.replace("good", id).as_bytes());
        let answer = udp.receive();
        assert!(matches!(status(&answer), Some(400 | 413 | 513)), "{id}: {answer}");
        assert_eq!(header(&answer, "Call-ID"), Some(id), "{answer}");
    }
    let body = "x".repeat(60_000);
    let big = Request { body: &body, ..request("OPTIONS", &own, &udp, "big") };
    udp.send(big.text().as_bytes());
    assert_eq!(status(&udp.receive()), Some(BIG));
    still_serves(switch, 0);
}

#[test]
fn half_a_message_on_a_stream_takes_nothing_from_the_others() {
    let switch = switch();
    let text = |tcp: &Tcp, id| {
        let uri = format!("sip:{}", switch.sip());
        let more = "Contact: <sip:a@b>\r\n";
        let (method, transport, user) = ("OPTIONS", "TCP", "probe");
        let from = tcp.at();
        Request { method, uri: &uri, transport, from, user, id, seq: 1, more, body: "" }.text()
    };
    let mut half = Tcp::new(switch.street.ip(PHONE), switch.sip());
    let mut whole = Tcp::new(switch.street.ip(PHONE), switch.sip());
    let message = text(&half, "half");
    half.send(&message.as_bytes()[..message.len() / 2]);
    assert!(whole.options("beside"));
    // The rest comes in two pieces, the last with the beginning of another message.
    let quarter = message.len() * 3 / 4;
    half.send(&message.as_bytes()[message.len() / 2..quarter]);
    let next = text(&half, "next");
    let tail = [&message.as_bytes()[quarter..], &next.as_bytes()[..40]].concat();
    half.send(&tail);
    let answer = half.receive_within(support::PATIENCE).expect("an answer");
    assert_eq!((status(&answer), header(&answer, "Call-ID")), (Some(200), Some("half")));
    // Now it goes away in the middle.
    drop(half);
    assert!(whole.options("after"));
    let mut liar = Tcp::new(switch.street.ip(PHONE), switch.sip());
    liar.send(text(&liar, "liar").replace("Length: 0", "Length: 99999999").as_bytes());
    assert!(liar.is_closed_within(support::PATIENCE), "a message of 100 MB is not waited for");
    still_serves(switch, 0);
}

#[test]
fn a_slow_loris_is_cut_off_and_slows_nobody() {
    let switch = switch();
    let mut slow: Vec<Tcp> =
        (0..50).map(|_| Tcp::new(switch.street.ip(PHONE), switch.sip())).collect();
    for tcp in &mut slow {
        tcp.send(b"OPTIONS sip:");
    }
    let mut other = Tcp::new(switch.street.ip(CALLER), switch.sip());
    // A drop now and then keeps no message alive.
    for letter in b"somebody@helpline.test" {
        slow.iter_mut().for_each(|tcp| tcp.send(&[*letter]));
        assert!(other.options(&format!("while-{letter}")));
    }
    for tcp in &mut slow {
        assert!(tcp.is_closed_within(support::PATIENCE), "half a message is not waited for");
    }
    still_serves(switch, 0);
}

#[test]
fn an_unknown_number_gets_404() {
    let switch = switch();
    let caller = Plan { scenario: "caller_unknown", number: "00000", ..Plan::default() };
    Sipp::calls(&switch.street, caller).succeeds();
    still_serves(switch, 1);
}

#[test]
fn a_stranger_may_not_call_at_all() {
    let switch = switch();
    let udp = Udp::new(switch.street.ip(PHONE), switch.sip());
    let uri = format!("sip:181@{}", switch.sip());
    udp.send(request("INVITE", &uri, &udp, "stranger").text().as_bytes());
    let answer = udp.receive();
    assert_eq!(status(&answer), Some(401), "{answer}");
    assert!(header(&answer, "WWW-Authenticate").is_some(), "{answer}");
    still_serves(switch, 0);
}

#[test]
fn a_wrong_password_is_challenged_refused_and_then_locked_out() {
    let mut switch = switch();
    let udp = Udp::new(switch.street.ip(PHONE), switch.sip());
    let uri = "sip:helpline.test";
    let mut locked = None;
    for round in 0..30 {
        let (first, second) = (format!("first-{round}"), format!("second-{round}"));
        udp.send(request("REGISTER", uri, &udp, &first).text().as_bytes());
        let challenge = udp.receive();
        if status(&challenge) == Some(503) {
            break;
        }
        assert_eq!(status(&challenge), Some(401), "{challenge}");
        let guess = Login { user: "op1", secret: "guess" };
        let answer = authorization(&challenge, "MD5", guess, ("REGISTER", uri));
        let more = format!("{answer}Contact: <sip:op1@127.0.0.1>\r\n");
        let again = Request { more: &more, ..request("REGISTER", uri, &udp, &second) };
        udp.send(again.text().as_bytes());
        let answer = udp.receive();
        assert_eq!(status(&answer), Some(403), "round {round}: {answer}");
        if header(&answer, "Retry-After").is_some() {
            locked = Some(answer);
            break;
        }
    }
    let answer = locked.expect("a lock in the end");
    let wait: u64 = header(&answer, "Retry-After").unwrap().parse().unwrap();
    assert!(wait >= 30, "{answer}");
    let fact = switch.until("phone.locked", |fact| fact["user"] == "op1");
    assert!(fact["peer"].as_str().unwrap().starts_with(&switch.street.ip(PHONE).to_string()));
    // The real phone is elsewhere, and is not locked out by a stranger's guesses.
    let account = format!("<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto");
    let _phone = Baresip::start(&switch.street, 5, &account, talk::AGENT_TONE);
    talk::until_registered(&mut switch);
    switch.admin.ask("agents.set", serde_json::json!({"agent": "op1", "state": "pause"})).unwrap();
    still_serves(switch, 0);
}

#[test]
fn a_phone_that_vanishes_costs_its_caller_nothing() {
    let mut switch = switch();
    let account = format!("<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto");
    let phone = Baresip::start(&switch.street, PHONE, &account, talk::AGENT_TONE);
    talk::until_registered(&mut switch);
    phone.die();
    let plan = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let agent = Sipp::answers(&switch.street, plan);
    let plan = Plan { scenario: "caller", ..Plan::default() };
    Sipp::calls(&switch.street, plan).succeeds();
    agent.succeeds();
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"], "answered", "{records:#?}");
    assert_eq!(records[0]["agent"], "op2", "{records:#?}");
}

#[test]
fn a_phone_that_vanishes_in_mid_call_costs_its_caller_neither_the_call_nor_the_place() {
    let soon = "silence_alarm = \"1s\"\nsilence_hangup = \"3s\"\n";
    let op1 = agent("op1", &[REGISTERS, OLD_PHONE, READY]);
    let op2 = agent("op2", &[&lives_in("op2", OTHER_PHONE)]);
    let mut switch = Switch::start(&[soon, HELPLINE, &op1, &op2]);
    let account = format!("<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto");
    let phone = Baresip::start(&switch.street, PHONE, &account, talk::AGENT_TONE);
    talk::until_registered(&mut switch);
    let mut caller = talk::caller(&switch.street);
    talk::call(&mut switch, &mut caller);
    // Neither its voice nor a BYE comes any more.
    phone.die();
    switch.until("call.returned", |fact| fact["agent"] == "op1" && fact["talked"] == true);
    let plan = Plan { scenario: "agent", house: OTHER_PHONE, ..Plan::default() };
    let other = Sipp::answers(&switch.street, plan);
    switch.admin.ask("agents.set", serde_json::json!({"agent": "op2", "state": "ready"})).unwrap();
    switch.until("call.connected", |fact| fact["agent"] == "op2");
    other.succeeds();
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!((&records[0]["outcome"], &records[0]["agent"]), (&"answered".into(), &"op2".into()));
}

#[test]
fn q44_a_flood_of_malformed_sip_and_faulty_registers_takes_bounded_memory() {
    let switch = switch();
    let uri = "sip:helpline.test";
    let flood = |rounds: u32| {
        let mut answers = 0;
        for round in 0..rounds {
            let from = switch.street.ip((5 + round % 200) as u8);
            let udp = Udp::new(from, switch.sip());
            for n in 0..25_u32 {
                let id = format!("f{round}-{n}");
                let mut faulty = request("REGISTER", uri, &udp, &id);
                let user = format!("u{}", round * 25 + n);
                let more = "Authorization: Digest username=\"x\", realm=\"helpline.test\", \
                            nonce=\"n\", uri=\"sip:x\", response=\"0\"\r\nContact: <<<\r\n";
                (faulty.user, faulty.more) = (&user, if n % 2 == 0 { more } else { "" });
                let text = faulty.text();
                udp.send(text.as_bytes());
                udp.send(&text.as_bytes()[..text.len() * (n as usize % 20) / 20]);
                udp.send(text.replace(['<', '='], "\0").as_bytes());
            }
            // Everything sent so far has been dealt with when this is answered.
            answers += udp.options("round").len();
        }
        // Whole requests are answered, each of them: so they were read, not lost on the way.
        assert!(answers >= rounds as usize * 25, "{answers} answers in {rounds} rounds");
    };
    flood(200);
    let before = switch.memory();
    flood(800);
    let grown = switch.memory().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grew by {} KiB", grown >> 10);
    still_serves(switch, 0);
}

const SDP: &str = "v=0\r\no=- 77 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

#[test]
fn q45_fuzzed_session_descriptions_each_get_an_answer_and_take_bounded_memory() {
    let trunk = HELPLINE.replace("NET.2:5060\"", "NET.2\"");
    let switch = Switch::start(&[&trunk, &agents("")]);
    let udp = Udp::new(switch.street.ip(CALLER), switch.sip());
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    let mut before = 0;
    let (mut taken, mut refused) = (0, 0);
    for round in 0..1_200_u32 {
        if round == 300 {
            before = switch.memory();
        }
        match invite(&udp, &switch, round, &fuzzed(SDP, &mut dice)) {
            200 => taken += 1,
            400..=699 => refused += 1,
            other => panic!("round {round}: {other}"),
        }
    }
    assert!(taken > 50 && refused > 50, "{taken} taken, {refused} refused: the dice are dull");
    let grown = switch.memory().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grew by {} KiB", grown >> 10);
    udp.options("after");
    let records = switch.records();
    let abandoned = records.iter().filter(|record| record["outcome"] == "abandoned").count();
    assert_eq!(abandoned, taken, "every call that was taken has its record");
}

/// Calls with this description, and hangs up if the call is taken; its final status.
fn invite(udp: &Udp, switch: &Switch, round: u32, body: &str) -> u16 {
    let uri = format!("sip:181@{}", switch.sip());
    let id = format!("q45-{round}");
    let more = format!("Contact: <sip:c@{}>\r\nContent-Type: application/sdp\r\n", udp.at());
    let mut request = request("INVITE", &uri, udp, &id);
    (request.user, request.more, request.body) = ("9876543210", &more, body);
    udp.send(request.text().as_bytes());
    let (code, to) = loop {
        let answer = udp.receive();
        let own = header(&answer, "Call-ID") == Some(&id);
        if let Some(code) = status(&answer).filter(|code| own && *code >= 200) {
            break (code, header(&answer, "To").unwrap_or_default().to_string());
        }
    };
    let within = |method, branch: &str| {
        let mut within = Request { method, more: "", body: "", ..request };
        within.seq = if method == "BYE" { 2 } else { 1 };
        let text = within.text().replace(&format!("To: <{uri}>"), &format!("To: {to}"));
        // The ACK of a refusal is part of its INVITE's transaction.
        text.replace(&format!("-1-{method}"), &format!("-1-{branch}"))
    };
    udp.send(within("ACK", if code == 200 { "ACK" } else { "INVITE" }).as_bytes());
    if code == 200 {
        udp.send(within("BYE", "BYE").as_bytes());
        let is_bye = |a: &str| header(a, "CSeq").is_some_and(|c| c.contains("BYE"));
        while !is_bye(&udp.receive()) {}
    }
    code
}

/// A few faults in a description, drawn by lot.
fn fuzzed(text: &str, dice: &mut u64) -> String {
    let mut roll = |sides: usize| {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        (*dice % sides as u64) as usize
    };
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    for _ in 0..1 + roll(4) {
        if lines.is_empty() {
            break;
        }
        let at = roll(lines.len());
        let line = lines[at].clone();
        let cut = roll(line.len() + 1);
        match roll(8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, line.clone()),
            2 => lines[at].truncate(cut),
            3 => lines[at].push_str(&" 0".repeat(roll(2_000))),
            4 => lines[at].insert_str(cut, "99999999999999999999"),
            5 => lines[at].insert(cut, ['\0', '=', ' ', '/', '\u{263a}', ':'][roll(6)]),
            6 => lines.swap(at, 0),
            _ => lines.extend(vec![line.clone(); roll(40)]),
        }
    }
    lines.join("\r\n") + "\r\n"
}

#[test]
fn a_faulty_phone_cannot_flood_out_the_others() {
    let mut switch = switch();
    let udp = Udp::new(switch.street.ip(PHONE), switch.sip());
    let uri = "sip:helpline.test";
    let mut busy = None;
    for n in 0..3_000 {
        let id = format!("r{n}");
        udp.send(request("REGISTER", uri, &udp, &id).text().as_bytes());
        let answer = udp.receive_within(Duration::from_secs(30)).expect("a clear answer");
        if status(&answer) == Some(503) {
            assert!(header(&answer, "Retry-After").is_some(), "{answer}");
            busy = Some(n);
            break;
        }
        assert_eq!(status(&answer), Some(401), "{answer}");
    }
    assert!(busy.is_some(), "a source that only makes noise is told to wait");
    let account = format!("<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto");
    let _phone = Baresip::start(&switch.street, 5, &account, talk::AGENT_TONE);
    talk::until_registered(&mut switch);
    switch.admin.ask("agents.set", serde_json::json!({"agent": "op1", "state": "pause"})).unwrap();
    still_serves(switch, 0);
}
