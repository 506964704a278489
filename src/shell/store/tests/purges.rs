//! What is older than it has to be kept goes, with proof, out of files and databases; and nothing
//! else does.

use super::*;

fn purge_of(stores: &[config::Store], before: &str, dry_run: bool) -> Vec<purge::Purged> {
    let mut settings = config::Settings { stores: stores.into(), ..config::Settings::default() };
    settings.retention.days = Some(366);
    settings.retention.lines.insert("104".into(), None);
    let hold = config::Hold {
        reason: "WP 17/2024".into(),
        call: Some(format!("01HZ{:022}", 4)),
        ..config::Hold::default()
    };
    settings.retention.holds.push(hold);
    let before = Some(before.to_string());
    let by = "hema (uid 1)".to_string();
    let now = "2026-11-22T12:00:00+05:30[Asia/Kolkata]".parse().unwrap();
    purge(&settings, &Purge { store: String::new(), before, dry_run, by, now }).unwrap()
}

#[test]
fn a_purge_takes_what_is_old_and_not_held_and_leaves_proof() {
    let folder = Folder::new("purge");
    let database = folder.0.join("records.db");
    let stores = [config::Store::Sqlite { path: database.clone() }];
    let other_line = match call(2) {
        Row::Call(record) => Row::Call(CallRecord { line: "104".into(), ..record }),
        row => row,
    };
    let rows = [call(1), other_line, call(3), call(4), call(5), state(1)];
    run(&folder, configured(&folder, &stores), rows.into_iter());
    // Calls 1 to 4 came before this second; all states have long been over.
    let before = "2023-11-14T22:13:25.000Z";
    let dry = purge_of(&stores, before, true);
    assert_eq!((dry[0].calls, dry[0].states, dry[0].held), (2, 1, 1));
    let seqs = || -> Vec<u64> {
        let calls = ask(&database, &Filter::default()).unwrap();
        calls.as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(), [1, 2, 3, 4, 5], "nothing was taken out yet");
    let done = purge_of(&stores, before, false);
    assert_eq!((done[0].calls, done[0].states, done[0].held), (2, 1, 1));
    assert_eq!(seqs(), [2, 4, 5]);
    let connection = rusqlite::Connection::open(&database).unwrap();
    let sql = "SELECT purged_by, count, seqs, length(digest) FROM purges ORDER BY table_name DESC";
    let proof: (String, i64, String, i64) = connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap();
    assert_eq!(proof, ("hema (uid 1)".into(), 2, "1,3".into(), 64));
    let legs = connection.query_row("SELECT count(*) FROM legs", [], |row| row.get::<_, i64>(0));
    assert_eq!(legs.unwrap(), 3, "legs go with their calls");
    let settings = config::Settings {
        stores: stores.into(),
        data: folder.0.clone(),
        ..config::Settings::default()
    };
    let verdict = &verify(&settings, "").unwrap()[0];
    assert!(verdict.is_good(), "what was purged with proof is not missing: {verdict}");
    connection.execute("DELETE FROM calls WHERE seq = 4", []).unwrap();
    let verdict = &verify(&settings, "").unwrap()[0];
    assert_eq!(verdict.wrong, 1, "and what was taken out without proof is: {verdict}");
}

#[test]
fn what_has_to_be_kept_is_not_purged_however_early_somebody_wants_it() {
    let folder = Folder::new("keep");
    let stores = [config::Store::Sqlite { path: folder.0.join("records.db") }];
    run(&folder, configured(&folder, &stores), (1..=3).map(call));
    let mut settings = config::Settings { stores: stores.into(), ..config::Settings::default() };
    let wish = Purge {
        store: String::new(),
        before: None,
        dry_run: false,
        by: "me".into(),
        now: "2023-12-01T12:00:00+05:30[Asia/Kolkata]".parse().unwrap(),
    };
    assert!(purge(&settings, &wish).unwrap_err().contains("write keep"));
    settings.retention.days = Some(30);
    let wish = Purge { before: Some("2023-12-01T00:00:00.000Z".into()), ..wish };
    assert_eq!(purge(&settings, &wish).unwrap()[0].calls, 0);
}

#[test]
fn a_purge_of_json_lines_leaves_what_has_to_stay_and_proof_that_verify_goes_by() {
    let folder = Folder::new("purge-lines");
    let path = folder.0.join("records.jsonl");
    let stores = [config::Store::JsonLines { path: path.clone() }];
    let rows = (1..=5).map(call).chain([state(1)]);
    run(&folder, configured(&folder, &stores), rows);
    let seqs = || {
        let text = std::fs::read_to_string(&path).unwrap();
        let rows =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let calls = rows.filter(|row| row["table"] == "calls");
        calls.map(|row| row["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let before = "2023-11-14T22:13:25.000Z";
    let dry = purge_of(&stores, before, true);
    assert_eq!((dry[0].calls, dry[0].states, dry[0].held), (3, 1, 1));
    assert_eq!(seqs(), [1, 2, 3, 4, 5]);
    let done = purge_of(&stores, before, false);
    assert_eq!((done[0].calls, done[0].states, done[0].held), (3, 1, 1));
    assert_eq!(seqs(), [4, 5]);
    let proof = std::fs::read_to_string(folder.0.join("records.jsonl.purges")).unwrap();
    let proof: serde_json::Value = serde_json::from_str(proof.lines().next().unwrap()).unwrap();
    assert_eq!((&proof["seqs"], &proof["purged_by"]), (&"1-3".into(), &"hema (uid 1)".into()));
    let settings = config::Settings {
        stores: stores.to_vec(),
        data: folder.0.clone(),
        ..config::Settings::default()
    };
    let verdict = || verify(&settings, "").unwrap().remove(0);
    assert!(verdict().is_good(), "what was purged with proof is not missing: {}", verdict());
    let text = std::fs::read_to_string(&path).unwrap();
    let rest: String = text.lines().filter(|line| !line.contains("\"seq\":4,")).collect();
    std::fs::write(&path, rest + "\n").unwrap();
    assert!(!verdict().is_good(), "and what was taken out without proof is: {}", verdict());
}

/// A store that has its files open goes on in those that are there then, and nothing of what it
/// wrote meanwhile is lost, nor is anything there twice.
#[test]
fn a_purge_beside_a_store_at_work_costs_no_row_of_either() {
    let folder = Folder::new("purge-beside");
    let (lines, sheets) = (folder.0.join("records.jsonl"), folder.0.join("csv"));
    let stores = [
        config::Store::JsonLines { path: lines.clone() },
        config::Store::Csv { folder: sheets.clone() },
    ];
    let mut at_work: [Box<dyn Store>; 2] = [
        Box::new(JsonLines::open(&lines).unwrap()),
        Box::new(Csv::open(&sheets, "Asia/Kolkata").unwrap()),
    ];
    let mut write = |rows: &[Row]| at_work.iter_mut().for_each(|store| store.write(rows).unwrap());
    let rows: Vec<Row> = (1..=8).map(call).chain([state(1)]).collect();
    write(&rows[..5]);
    write(&rows[8..]);
    let before = "2023-11-14T22:13:25.000Z";
    for purged in &purge_of(&stores, before, false)[..2] {
        assert_eq!((purged.calls, purged.states, purged.held), (3, 1, 1), "{purged}");
    }
    // What comes again by itself is known.
    write(&rows[3..8]);
    let mut seqs = [Vec::new(), Vec::new()];
    for (store, seqs) in stores.iter().zip(&mut seqs) {
        let mut visit = |table: &'static columns::Table, cells: Vec<String>| {
            if table.name == "calls" {
                seqs.extend(table.seq_of(&cells));
            }
        };
        verify::read(store, &mut visit).unwrap();
    }
    assert_eq!(seqs, [[4, 5, 6, 7, 8], [4, 5, 6, 7, 8]]);
    let left = |path: &Path| path.with_extension("new").exists();
    assert!(!left(&lines), "nothing is left behind");
    assert!(purge_of(&stores, before, false)[..2].iter().all(|p| (p.calls, p.states) == (0, 0)));
    let proofs = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(proofs(&folder.0.join("records.jsonl.purges")), 2);
    assert_eq!(proofs(&sheets.join("purges.jsonl")), 2);
    let settings = config::Settings {
        stores: stores.to_vec(),
        data: folder.0.join("nobody"),
        ..config::Settings::default()
    };
    std::fs::create_dir_all(settings.data.join("outbox")).unwrap();
    std::fs::create_dir_all(settings.data.join("journal")).unwrap();
    for verdict in verify(&settings, "").unwrap() {
        assert!(verdict.is_good(), "{verdict}");
    }
}

/// Of a day that is over nothing stays, and of legs what their calls leave.
#[test]
fn sheets_of_which_nothing_stays_are_removed_with_their_legs() {
    let folder = Folder::new("purge-sheets");
    let sheets = folder.0.join("csv");
    let stores = [config::Store::Csv { folder: sheets.clone() }];
    let rows: Vec<Row> = (1..=3).map(call).collect();
    Csv::open(&sheets, "Asia/Kolkata").unwrap().write(&rows).unwrap();
    let names = || {
        let files = std::fs::read_dir(&sheets).unwrap().flatten();
        let names = files.map(|file| file.file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".csv")).collect();
        names.sort();
        names
    };
    assert_eq!(names().len(), 2, "{:?}", names());
    let dry = purge_of(&stores, "2023-11-15T00:00:00.000Z", true);
    assert_eq!((dry[0].calls, names().len()), (3, 2));
    assert_eq!(purge_of(&stores, "2023-11-15T00:00:00.000Z", false)[0].calls, 3);
    assert_eq!(names(), [""; 0]);
}

/// One of the sheets of a day cannot be written.
#[test]
fn a_purge_that_breaks_off_between_legs_and_calls_leaves_no_leg_behind_for_ever() {
    for sheet in ["legs-", "calls-"] {
        let folder = Folder::new("purge-torn");
        let sheets = folder.0.join("csv");
        let stores = [config::Store::Csv { folder: sheets.clone() }];
        let rows: Vec<Row> = (1..=5).map(call).collect();
        Csv::open(&sheets, "Asia/Kolkata").unwrap().write(&rows).unwrap();
        let kept = |table: &str| {
            let mut ids = Vec::new();
            let mut visit = |of: &'static columns::Table, cells: Vec<String>| {
                let id = if of.name == "calls" { "id" } else { "call" };
                ids.extend((of.name == table).then(|| of.cell(&cells, id).to_string()));
            };
            verify::read(&stores[0], &mut visit).unwrap();
            ids
        };
        // Nothing can be written where a folder is.
        let day = std::fs::read_dir(&sheets).unwrap().flatten().map(|entry| entry.path());
        let is_it = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().contains(sheet);
        let in_the_way = day.into_iter().find(is_it).unwrap().with_extension("new");
        std::fs::create_dir(&in_the_way).unwrap();
        let before = "2023-11-14T22:13:25.000Z";
        assert!(purge_of(&stores, before, false)[0].failed);
        let (calls, legs) = (kept("calls"), kept("legs"));
        assert!(legs.iter().all(|leg| calls.contains(leg)), "{sheet}: {legs:?} of {calls:?}");
        std::fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(purge_of(&stores, before, false)[0].calls, 3);
        assert_eq!((kept("calls").len(), kept("legs")), (2, kept("calls")));
    }
}

/// `sudo pukar purge`: the switch runs as another user, and goes on with what a purge has written.
#[test]
fn what_root_has_purged_is_still_whose_it_was() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let folder = Folder::new("purge-root");
    if std::fs::metadata(&folder.0).unwrap().uid() != 0 {
        return eprintln!("whether root's purge leaves files to their owner: only root can try");
    }
    std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o755)).unwrap();
    let (lines, sheets) = (folder.0.join("records.jsonl"), folder.0.join("csv"));
    let database = folder.0.join("records.db");
    let stores = [
        config::Store::JsonLines { path: lines },
        config::Store::Csv { folder: sheets },
        config::Store::Sqlite { path: database },
    ];
    run(&folder, configured(&folder, &stores), (1..=5).map(call).chain([state(1)]));
    std::fs::create_dir(folder.0.join("audit")).unwrap();
    std::fs::write(folder.0.join("audit/2020-01.jsonl"), "{\"seq\":3}\n").unwrap();
    let all = || {
        let (mut open, mut found) = (vec![folder.0.clone()], Vec::new());
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            }
            found.push(path);
        }
        found
    };
    all().iter().for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
    // A volume that the switch may write by its group alone.
    chown(&folder.0, Some(0), Some(NOBODY)).unwrap();
    std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o770)).unwrap();
    let mut settings = config::Settings {
        stores: stores.to_vec(),
        data: folder.0.clone(),
        ..config::Settings::default()
    };
    (settings.retention.days, settings.retention.audit) = (Some(366), Some(366));
    let (store, before, by) = (String::new(), None, "root (uid 0)".into());
    let now = "2024-11-14T22:13:23Z[UTC]".parse().unwrap();
    let wish = Purge { store, before, dry_run: false, by, now };
    let done = purge(&settings, &wish).unwrap();
    assert!(done[..5].iter().all(|one| one.left.is_none()), "{done:#?}");
    let others = all().into_iter().filter(|path| *path != folder.0);
    let others: Vec<_> =
        others.filter(|path| std::fs::metadata(path).unwrap().uid() != NOBODY).collect();
    assert!(others.is_empty(), "what the switch can no longer write: {others:?}");
    assert!(all().iter().any(|path| path.ends_with("purges.jsonl")));
    // And so it is in the eyes of the system.
    let mut shell = std::process::Command::new("sh");
    let files = all().into_iter().filter(|path| path.is_file());
    shell.uid(NOBODY).gid(NOBODY).arg("-c").arg("for f; do : >> \"$f\" || exit 1; done").arg("sh");
    assert!(shell.args(files).status().unwrap().success());
}
