//! A disk that is full in mid-call: a process of its own, whose files cannot be longer than 64 KB.

use super::*;
use std::process::Command;

const SMALL: &str = "PUKAR_TEST_SMALL_DISK";
const OTHER: CallId = CallId(78);

#[test]
fn q40_a_full_disk_costs_one_recording_which_is_true_as_far_as_it_goes_and_none_that_begins() {
    let this = std::env::current_exe().unwrap();
    let inner = "shell::record::tests::full::on_a_small_disk";
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" --ignored --exact \"$1\""])
        .args([this.as_os_str(), inner.as_ref()])
        .env(SMALL, "64 KB")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "it is run by the other, in a process whose files are small"]
fn on_a_small_disk() {
    if std::env::var_os(SMALL).is_none() {
        return;
    }
    let (orders, inlet) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Inlet::default())));
    let (orders_end, inlet_end) = (Arc::clone(&orders), Arc::clone(&inlet));
    let told = move |event: &TapeEvent, now: Instant| {
        let TapeEvent::Failed { call: CALL, why } = event else { return };
        assert!(why.contains("File too large"), "{why}");
        // The next call begins while the writer is at the sound of this one.
        let orders: &Mutex<Option<Sender<Tape>>> = &orders_end;
        let orders = orders.lock().unwrap();
        let send = |tape| orders.as_ref().unwrap().send(tape).unwrap();
        send(Tape::Begin { call: OTHER, file: "2026-11-25/R.wav".into(), at: now });
        inlet_end.lock().unwrap().put(said_by(OTHER, now, 0..50));
        send(Tape::End { call: OTHER, at: now + Duration::from_secs(1) });
    };
    let bench = Bench::with(&folder("full"), &[], Clock::start(), told);
    *orders.lock().unwrap() = bench.orders.clone();
    *inlet.lock().unwrap() = bench.inlet.clone();
    let began = bench.clock.instant();
    bench.begin("2026-11-25/P.wav", began);
    bench.say(began, 0..400);
    let TapeEvent::Failed { call: CALL, .. } = bench.told() else { panic!("the disk is full") };
    assert_eq!(bench.told(), TapeEvent::Finished { call: OTHER, millis: 1_000 });
    let read = |id| fs::read(find(&bench.folder, id).unwrap()).unwrap();
    let ((full, _), (whole, _)) = (sides(&read("P")), sides(&read("R")));
    let kept = (64 << 10) - wav::HEADER;
    assert!(full.len() == kept / 2 && full.iter().all(|o| *o == 0x2a), "{}", full.len());
    assert!(whole.iter().all(|o| *o == 0x2a), "from its first word");
    (*orders.lock().unwrap(), *inlet.lock().unwrap()) = (None, Inlet::default());
}
