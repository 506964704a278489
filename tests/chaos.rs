//! `pukar load --chaos`, as a user runs it, in small.

use std::process::Command;

#[test]
fn kills_freezes_lost_stores_a_full_disk_and_a_rude_network_cost_no_record_and_double_none() {
    let mut load = Command::new(env!("CARGO_BIN_EXE_pukar"));
    load.args(["load", "--chaos", "--callers", "40", "--agents", "10", "--seconds", "16"]);
    load.args(["--talk", "0.5-2", "--impatient", "10", "--rtp-from", "47000"]);
    let output = load.output().unwrap();
    let text = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    let text = text.concat();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("one record a call in every store"), "{text}");
    assert!(text.contains("40 offered") && text.contains(" 0 failed"), "{text}");
    // A day on which nothing befell the switch proves nothing.
    let blows = text.lines().find_map(|line| line.strip_prefix("blows: ")).expect("blows");
    for blow in ["Kill", "Freeze", "LockStore", "CutStore", "FillDisk"] {
        let fell = blows.split(", ").find_map(|fallen| fallen.strip_suffix(blow));
        let times = fell.and_then(|times| times.trim().parse::<u32>().ok());
        assert!(times.is_some_and(|times| times > 0), "{blow} of {blows}\n{text}");
    }
}
