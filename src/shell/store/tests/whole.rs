//! Rows that were over a limit or damaged: the journal has them all.

use super::*;

#[test]
fn rows_that_the_queue_had_no_room_for_come_from_the_journal_in_their_places() {
    let folder = Folder::new("missed");
    let all: Vec<Row> = (1..=9).map(call).chain((1..=4).map(state)).collect();
    journal_of(&folder, &all);
    let (place, kept) = moody(0);
    // The disk hung, and the queue ran over: 3 to 7 and the states 2 and 3 were left out.
    let came = [call(1), state(1), call(2), call(8), state(4), call(9)];
    run(&folder, vec![place], came.into_iter());
    let kept = kept.lock().unwrap();
    let of = |calls: bool| {
        let rows = kept.iter().filter(|row| matches!(row, Row::Call(_)) == calls).cloned();
        numbers(&rows.collect::<Vec<_>>())
    };
    assert_eq!((of(true), of(false)), ((1..=9).collect(), (1..=4).collect()));
}

/// A weekend on which somebody logs in and nobody calls.
#[test]
fn the_last_number_of_calls_is_known_after_days_without_one() {
    let folder = Folder::new("outbox-weekend");
    let dir = folder.0.join("outbox");
    Outbox::open(&dir).unwrap().append(&[on_day(1, 0, "op1")]).unwrap();
    for day in 1..=2 {
        let Row::AgentState(row) = state(day) else { unreachable!() };
        let until = Wall(1_700_071_200_000_000 + day as i64 * 86_400_000_000);
        Outbox::open(&dir)
            .unwrap()
            .append(&[Row::AgentState(AgentStateRow { until, ..row })])
            .unwrap();
    }
    assert_eq!(Outbox::open(&dir).unwrap().last(), (1, 2));
}

#[test]
fn a_row_that_is_nowhere_keeps_no_other_from_its_store() {
    let folder = Folder::new("missed-nowhere");
    let (place, kept) = moody(0);
    run(&folder, vec![place], [call(1), call(4)].into_iter());
    assert_eq!(numbers(&kept.lock().unwrap()), [1, 4]);
}

/// The outbox with one octet changed in the line of row 2, which stays good JSON.
fn damaged(folder: &Folder) {
    let path = folder.0.join("outbox/000000000001.rows");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().enumerate().map(|(n, line)| match n {
        1 => line.replace("\"talk_ms\":6", "\"talk_ms\":7"),
        _ => line.to_string(),
    });
    let lines: Vec<String> = lines.collect();
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_flipped_bit_in_the_outbox_is_no_other_row_and_the_journal_has_the_right_one() {
    let folder = Folder::new("outbox-flip");
    let mut outbox = Outbox::open(&folder.0.join("outbox")).unwrap();
    let rows: Vec<Row> = (1..=3).map(call).collect();
    outbox.append(&rows).unwrap();
    damaged(&folder);
    assert_eq!(numbers(&outbox.newest().unwrap()), [1, 3], "a row with other figures is none");
    journal_of(&folder, &rows);
    assert_eq!(outbox.newest().unwrap(), rows);
}

#[test]
fn lines_of_an_outbox_from_before_there_were_checksums_are_read() {
    let folder = Folder::new("outbox-old");
    let dir = folder.0.join("outbox");
    drop(Outbox::open(&dir).unwrap());
    let line = |n| serde_json::to_string(&call(n)).unwrap() + "\n";
    std::fs::write(dir.join("000000000001.rows"), line(1) + &line(2)).unwrap();
    let mut outbox = Outbox::open(&dir).unwrap();
    outbox.append(&[call(3)]).unwrap();
    assert_eq!((numbers(&outbox.newest().unwrap()), outbox.last()), (vec![1, 2, 3], (3, 0)));
}

#[test]
fn verify_holds_the_outbox_against_the_journal() {
    let folder = Folder::new("verify-outbox");
    let data = folder.0.clone();
    let stores = vec![config::Store::Sqlite { path: data.join("records.db") }];
    let settings = config::Settings { data, stores, ..config::Settings::default() };
    journal_of(&folder, &(1..=5).map(call).collect::<Vec<_>>());
    run(&folder, configured(&folder, &settings.stores), (1..=5).map(call));
    assert!(verify(&settings, "").unwrap().iter().all(verify::Verdict::is_good));
    damaged(&folder);
    let flaws = || verify(&settings, "").unwrap().pop().unwrap().to_string();
    assert!(flaws().contains("the journal has it"), "{}", flaws());
    // Another row than the one that was noted, and one that was noted and is not there.
    let Row::Call(record) = call(2) else { unreachable!() };
    let other = Row::Call(CallRecord { talk_ms: 99, ..record });
    std::fs::remove_dir_all(folder.0.join("outbox")).unwrap();
    let mut outbox = Outbox::open(&folder.0.join("outbox")).unwrap();
    outbox.append(&[call(1), other, call(4), call(5)]).unwrap();
    let said = flaws();
    assert!(said.contains("the outbox has it otherwise"), "{said}");
    assert!(said.contains("calls number 3 is not in the outbox"), "{said}");
}

/// A switch with one database.
fn with_database(folder: &Folder) -> config::Settings {
    let data = folder.0.clone();
    let stores = vec![config::Store::Sqlite { path: data.join("records.db") }];
    config::Settings { data, stores, ..config::Settings::default() }
}

#[test]
fn a_store_that_came_later_is_not_blamed_for_what_there_was_before_it() {
    let folder = Folder::new("verify-later");
    let settings = with_database(&folder);
    journal_of(&folder, &(1..=5).map(call).chain((1..=3).map(state)).collect::<Vec<_>>());
    let mut outbox = Outbox::open(&folder.0.join("outbox")).unwrap();
    outbox.append(&[call(4), call(5), state(3)]).unwrap();
    drop(outbox);
    run(&folder, configured(&folder, &settings.stores), std::iter::empty());
    let verdict = &verify(&settings, "").unwrap()[0];
    assert!(verdict.is_good() && verdict.tables[0].rows == 2, "{verdict}");
    let connection = rusqlite::Connection::open(folder.0.join("records.db")).unwrap();
    connection.execute("DELETE FROM calls WHERE seq = 4", []).unwrap();
    let verdict = &verify(&settings, "").unwrap()[0];
    assert!(verdict.to_string().contains("number 4, is missing"), "{verdict}");
}

#[test]
fn a_store_that_has_lost_its_beginning_is_found_out_when_no_log_goes_back_so_far() {
    let folder = Folder::new("verify-beginning");
    let settings = with_database(&folder);
    run(&folder, configured(&folder, &settings.stores), (1..=5).map(call));
    std::fs::remove_file(folder.0.join("outbox/000000000001.rows")).unwrap();
    assert!(verify(&settings, "").unwrap()[0].is_good());
    let connection = rusqlite::Connection::open(folder.0.join("records.db")).unwrap();
    connection.execute("DELETE FROM calls WHERE seq <= 2", []).unwrap();
    let verdict = &verify(&settings, "").unwrap()[0];
    assert!(verdict.to_string().contains("number 1, and 1 to 2 are gone"), "{verdict}");
    // A cursor moves, and the beginning stays.
    run(&folder, configured(&folder, &settings.stores), std::iter::once(call(6)));
    assert_eq!(verify(&settings, "").unwrap()[0].wrong, verdict.wrong);
}

/// Has no time for more than three rows.
struct Slow(Arc<Mutex<Vec<Row>>>);

impl Store for Slow {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        if rows.len() > 3 {
            return Err("the server took longer than 20 s".to_string().into());
        }
        self.0.lock().unwrap().extend_from_slice(rows);
        Ok(())
    }
}

#[test]
fn a_store_that_never_gets_through_a_whole_batch_in_time_gets_every_row_by_smaller_ones() {
    let folder = Folder::new("slow");
    let kept = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&kept);
    let open: Opener = Box::new(move || Ok(Box::new(Slow(Arc::clone(&copy)))));
    let place = Place { name: "slow".into(), batch: 1_000, open };
    let outbox = folder.0.join("outbox");
    let alarm: Alarm = Box::new(|_, _| true);
    let (mut lane, stores) = start(&outbox, vec![place], pace(), &Metrics::new(), alarm).unwrap();
    (1..=500).for_each(|n| lane.put(call(n)));
    // However slow the machine is, it is done long before that.
    for _ in 0..3_000 {
        if kept.lock().unwrap().len() == 500 {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert_eq!(numbers(&kept.lock().unwrap()), (1..=500).collect::<Vec<_>>());
    drop(lane);
    stores.finish();
}

/// Nobody can miss what never had a number: the store says when that may have been.
#[test]
fn a_gap_of_the_journal_is_in_every_store_and_verify_shows_it() {
    let folder = Folder::new("verify-gap");
    let stores = [
        config::Store::Sqlite { path: folder.0.join("records.db") },
        config::Store::JsonLines { path: folder.0.join("records.jsonl") },
        config::Store::Csv { folder: folder.0.join("csv") },
    ];
    let span = (Wall(1_700_000_000_000_000), Wall(1_700_000_060_000_000));
    let gap = Row::AgentState(AgentStateRow::gap(2, "No space left on device", span));
    run(&folder, configured(&folder, &stores), [call(1), state(1), gap, state(3)].into_iter());
    std::fs::create_dir_all(folder.0.join("journal")).unwrap();
    let settings = config::Settings {
        stores: stores.to_vec(),
        data: folder.0.clone(),
        ..config::Settings::default()
    };
    for verdict in verify(&settings, "").unwrap() {
        assert!(verdict.is_good(), "{verdict}");
        let said = "GAP: 2023-11-14T22:13:20.000Z to 2023-11-14T22:14:20.000Z: No space left";
        assert!(verdict.to_string().contains(said), "{verdict}");
    }
}
