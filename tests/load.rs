//! The load tester tested without a switch: callers call the agents' phones straight, over real
//! sockets, and with no switch in between nothing may be lost and everything must reconcile.

mod support;

use pukar::load::{self, Arrivals, Plan, Report, Span, Transport};
use pukar::wire::g711::Law;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::street::{CALLER, PHONE, SWITCH, Street};

/// Addresses of their own for each test, as tests run side by side.
fn direct(street: &Street, callers: u32) -> Plan {
    let mut plan = Plan::new(street.sip(SWITCH));
    (plan.callers_at, plan.agents_at) = (street.sip(CALLER), street.sip(PHONE));
    (plan.callers, plan.agents, plan.direct) = (callers, callers, true);
    plan.arrivals = Arrivals::Over(Duration::from_millis(300));
    plan.manner.talk = Span::millis(1_300, 1_800);
    plan.manner.ring = Span::millis(10, 150);
    (plan.manner.decline_percent, plan.manner.ignore_percent) = (0, 0);
    plan.impatient_percent = 0;
    plan.seconds = 10;
    plan
}

fn run(plan: &Plan) -> Report {
    load::run(plan, &mut |_| {}).unwrap()
}

#[test]
fn zero_loss_is_reported_as_zero() {
    let street = Street::new();
    let report = run(&direct(&street, 20));
    assert!(report.passed, "{report}");
    assert_eq!((report.calls.offered, report.calls.answered), (20, 20));
    assert_eq!((report.voice.lost, report.voice.duplicates, report.voice.odd), (0, 0, 0));
    assert!(report.voice.bridged > 20 * 2 * 50, "{report}");
    assert!(report.voice.delay_ms.p50 > 0.0, "{report}");
}

#[test]
fn calls_over_tcp_in_the_other_law_reconcile_too() {
    let street = Street::new();
    let mut plan = direct(&street, 8);
    plan.transport = Transport::Tcp;
    (plan.callers_law, plan.agents_law) = (Law::Mu, Law::Mu);
    let report = run(&plan);
    assert!(report.passed, "{report}");
    assert_eq!(report.calls.answered, 8);
}

#[test]
fn callers_who_lose_patience_and_agents_who_decline_are_told_apart() {
    let street = Street::new();
    let mut plan = direct(&street, 30);
    plan.manner.ring = Span::millis(300, 400);
    plan.manner.decline_percent = 30;
    plan.manner.ignore_percent = 30;
    plan.impatient_percent = 100;
    plan.patience = Span::millis(800, 1_000);
    let report = run(&plan);
    assert!(report.passed, "{report}");
    let calls = &report.calls;
    assert_eq!(calls.answered + calls.abandoned + calls.refused, 30, "{report}");
    assert!(calls.answered > 0 && calls.abandoned > 0, "{report}");
    assert_eq!(calls.refusals.get(&486), Some(&calls.refused), "{report}");
    assert_eq!(
        (report.offers.declined, report.offers.unanswered),
        (calls.refused, calls.abandoned)
    );
}

#[test]
fn signalling_alone_reconciles() {
    let street = Street::new();
    let mut plan = direct(&street, 40);
    plan.media = false;
    let report = run(&plan);
    assert!(report.passed, "{report}");
    assert_eq!((report.calls.answered, report.voice.sent), (40, 0));
}

#[test]
fn a_switch_that_is_silent_fails_the_test() {
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let street = Street::new();
    let mut plan = direct(&street, 2);
    (plan.direct, plan.target) = (false, deaf.local_addr().unwrap());
    (plan.seconds, plan.drain) = (1, Duration::from_millis(200));
    let report = run(&plan);
    assert!(!report.passed);
    assert_eq!(report.calls.failed, 2, "{report}");
}

#[test]
fn the_report_is_readable_by_machines() {
    let json = load::Report::default().to_json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["calls"]["offered"], 0);
    assert!(value["voice"]["lost_in_switch"].is_u64());
}

/// SIPp, a judge and a peer that is not ours, at the switch's address.
fn sipp(street: &Street, args: &[&str]) -> Child {
    let mut command = Command::new("sipp");
    command.args(args).args(["-i", &street.ip(SWITCH).to_string(), "-p", "5060"]);
    command.args(["-nostdin", "-timeout", "30s"]).current_dir(street.dir());
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command.spawn().expect("sipp (package sip-tester) is needed: see tests/run")
}

#[test]
fn sipp_answers_our_callers_and_finds_nothing_wrong() {
    let street = Street::new();
    let mut sipp = sipp(&street, &["-sn", "uas", "-m", "12"]);
    let mut plan = direct(&street, 12);
    (plan.direct, plan.agents) = (false, 0);
    plan.impatient_percent = 100;
    plan.patience = Span::millis(900, 1_500);
    let report = run(&plan);
    assert!(report.passed, "{report}");
    assert_eq!(report.calls.abandoned, 12, "{report}");
    assert!(sipp.wait().unwrap().success(), "sipp counts a failed call");
}

#[test]
fn sipp_calls_our_agents_and_finds_nothing_wrong() {
    let street = Street::new();
    let mut plan = direct(&street, 0);
    (plan.direct, plan.agents, plan.seconds) = (false, 1, 4);
    plan.manner.talk = Span::millis(9_000, 9_000);
    let at = street.sip(PHONE).to_string();
    let args = ["-sn", "uac", &at, "-s", "op1", "-m", "3", "-l", "1", "-r", "5", "-d", "300"];
    let mut child = None;
    let report = load::run(&plan, &mut |_| {
        child.get_or_insert_with(|| sipp(&street, &args));
    });
    let report = report.expect("the load tester runs");
    assert!(report.passed, "{report}");
    assert_eq!((report.offers.offered, report.offers.answered), (3, 3), "{report}");
    let status = child.expect("sipp was started").wait().unwrap();
    assert!(status.success(), "sipp counts a failed call");
}

/// A registrar of `agents` phones that challenges, and checks with rsip's own digest.
fn registrar(socket: std::net::UdpSocket, agents: u32) -> usize {
    use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};
    let (mut done, mut buffer) = (0, [0u8; 4_096]);
    let challenge = "Digest realm=\"pukar\", nonce=\"n1\", qop=\"auth\", algorithm=";
    while done < agents {
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let request = rsip::Request::try_from(&buffer[..length]).unwrap();
        let status = match request.authorization_header() {
            Some(header) => {
                // rsip 0.4 knows the algorithm only under a name of its own.
                assert!(header.value().contains("algorithm=SHA-256,"), "{header}");
                let value = header.value().replace("SHA-256", "SHA256");
                let typed = rsip::headers::Authorization::new(value).typed().unwrap();
                let secret = format!("secret{}", typed.username.trim_start_matches("op"));
                let method = rsip::Method::Register;
                let own = rsip::services::DigestGenerator::from(&typed, &secret, &method);
                assert!(own.verify(&typed.response), "{header}");
                done += 1;
                "200 OK\r\n".to_string()
            }
            None => format!(
                "401 Unauthorized\r\nWWW-Authenticate: {challenge}MD5\r\n\
                 WWW-Authenticate: {challenge}SHA-256\r\n"
            ),
        };
        let (via, to) = (request.via_header().unwrap(), request.to_header().unwrap());
        let (from_header, cseq) = (request.from_header().unwrap(), request.cseq_header().unwrap());
        let call = request.call_id_header().unwrap();
        let answer = format!(
            "SIP/2.0 {status}{via}\r\n{from_header}\r\n{to};tag=r\r\n{call}\r\n{cseq}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(answer.as_bytes(), from).unwrap();
    }
    done as usize
}

#[test]
fn agents_register_and_answer_the_strongest_challenge() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let street = Street::new();
    let mut plan = direct(&street, 0);
    (plan.direct, plan.agents, plan.seconds) = (false, 3, 1);
    plan.target = socket.local_addr().unwrap();
    plan.secret = Some("secret{}".into());
    plan.drain = Duration::from_millis(100);
    let registrar = std::thread::spawn(move || registrar(socket, 3));
    let report = run(&plan);
    assert!(report.passed, "{report}");
    assert_eq!(registrar.join().unwrap(), 3);
}

/// What the tester itself costs with the media of 500 callers and 100 agents: 600 phones that
/// speak and listen. `cargo test --release --test load -- --ignored --nocapture`
#[test]
#[ignore = "a measurement; takes a quarter of a minute"]
fn cost_of_six_hundred_phones() {
    let street = Street::new();
    let mut plan = direct(&street, 300);
    plan.arrivals = Arrivals::Over(Duration::from_secs(1));
    plan.manner.talk = Span::millis(10_000, 10_000);
    plan.caller_ends_percent = 0;
    plan.seconds = 30;
    let report = load::run(&plan, &mut |p| eprintln!("{p}")).unwrap();
    eprintln!("{report}");
}

/// The demo's own switch, small: what it says in the end, its report, and what it complains of but
/// for moments in which a machine that is busy with other tests was late.
fn small_demo(args: &[&str], late: &[&str]) -> (String, serde_json::Value) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_pukar"));
    let output = demo.arg("demo").args(args).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let complaints = report["complaints"].as_array().unwrap().iter().filter_map(|c| c.as_str());
    let others: Vec<&str> =
        complaints.filter(|c| !late.iter().any(|late| c.contains(late))).collect();
    assert!(others.is_empty(), "{others:#?}\n{said}");
    (said, report)
}

fn every_recording_is_as_long_as_its_call(form: &[&str]) {
    let small = ["--recorded", "--callers", "16", "--agents", "16", "--seconds", "8"];
    let (said, report) = small_demo(&[&small, form].concat(), &["was delayed by"]);
    let answered = report["calls"]["answered"].as_u64().unwrap();
    assert!(answered >= 8, "{report:#}");
    assert!(said.contains(&format!("{answered} recordings of")), "{said}");
    // Half of the packets are not late on any machine.
    let usual = report["voice"]["delay_ms"]["p50"].as_f64().unwrap();
    assert!(usual > 0.0 && usual < 10.0, "{usual} ms");
}

/// Who talked is told by the voices in the packets that phones got, and held against the records.
#[test]
fn q14_records_name_whom_the_phones_heard_and_every_recording_is_as_long_as_its_call() {
    every_recording_is_as_long_as_its_call(&[]);
}

#[test]
fn the_demo_that_records_in_opus_finds_every_recording_as_long_as_its_call() {
    every_recording_is_as_long_as_its_call(&["--opus"]);
}

#[test]
fn the_demo_in_which_everybody_waits_tells_each_their_place_in_their_own_language() {
    let args = ["--announced", "--callers", "10", "--seconds", "16"];
    let late = ["pauses in what they heard", "packets a second", "nothing was heard of"];
    let (said, report) = small_demo(&args, &late);
    for language in ["hi", "en"] {
        let counts = said.lines().find_map(|line| {
            let (told, rest) =
                line.trim().split_once(&format!(" announcements in {language}, "))?;
            let heard = rest.strip_suffix(" heard to the end")?;
            Some((told.parse::<u32>().ok()?, heard.parse::<u32>().ok()?))
        });
        assert!(counts.is_some_and(|(told, heard)| told >= 5 && heard > 0), "{language}: {said}");
    }
    let heard = report["voice"]["music_per_second"].as_f64().unwrap();
    assert!(heard > 45.0, "{heard} packets a second, of which there should be 50");
}

/// What a small demo forgives a busy machine is no more forgiven, and it says itself what it finds.
fn full_demo(args: &[&str]) -> serde_json::Value {
    let seconds = if args.contains(&"--announced") { "30" } else { "25" };
    let args = [args, &["--callers", "500", "--seconds", seconds]].concat();
    let (said, report) = small_demo(&args, &[]);
    assert_eq!(report["voice"]["lost_in_switch"], 0, "{said}");
    report
}

#[test]
#[ignore = "500 callers, a quiet machine, release"]
fn five_hundred_recorded_calls_at_a_time_lose_no_packet_and_are_late_by_less_than_five_millis() {
    for form in [&[][..], &["--opus"]] {
        let report = full_demo(&[&["--recorded", "--agents", "500"], form].concat());
        assert_eq!(report["calls"]["answered"], 500, "{report:#}");
        let late = report["voice"]["delay_ms"]["p99"].as_f64().unwrap();
        assert!(late < 5.0, "{late} ms");
    }
}

#[test]
#[ignore = "500 callers, a quiet machine, release"]
fn five_hundred_callers_hear_their_announcements_to_the_end_in_two_languages() {
    full_demo(&["--announced"]);
}
