//! Stores that refuse one row for good.

use super::bound::until;
use super::*;
use crate::shell::store::refused;

/// Takes all but some numbers.
struct Picky {
    refuses: Arc<Mutex<Vec<u64>>>,
    kept: Arc<Mutex<Vec<Row>>>,
}

impl Store for Picky {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let refuses = self.refuses.lock().unwrap();
        if numbers(rows).iter().any(|n| refuses.contains(n)) {
            return Err(Trouble { why: "the server says 413".into(), of_the_rows: true });
        }
        let mut kept = self.kept.lock().unwrap();
        let had = numbers(&kept);
        kept.extend(
            rows.iter().filter(|row| !had.contains(&numbers(&[(*row).clone()])[0])).cloned(),
        );
        Ok(())
    }
}

struct Picked {
    refuses: Arc<Mutex<Vec<u64>>>,
    kept: Arc<Mutex<Vec<Row>>>,
}

impl Picked {
    fn new(refuses: &[u64]) -> Self {
        Self { refuses: Arc::new(Mutex::new(refuses.into())), kept: Arc::default() }
    }

    fn place(&self) -> Place {
        let (refuses, kept) = (Arc::clone(&self.refuses), Arc::clone(&self.kept));
        let open: Opener = Box::new(move || {
            let (refuses, kept) = (Arc::clone(&refuses), Arc::clone(&kept));
            Ok(Box::new(Picky { refuses, kept }))
        });
        Place { name: "picky".into(), batch: 1_000, open }
    }
}

fn begin(folder: &Folder, place: Place) -> (Lane<Row>, Stores) {
    let (outbox, alarm): (_, Alarm) = (folder.0.join("outbox"), Box::new(|_, _| true));
    start(&outbox, vec![place], pace(), &Metrics::new(), alarm).unwrap()
}

#[test]
fn a_row_that_is_refused_alone_is_put_aside_by_name_and_keeps_no_other_away() {
    let folder = Folder::new("refused");
    let outbox = folder.0.join("outbox");
    let picked = Picked::new(&[3, 4, 40]);
    let (mut lane, stores) = begin(&folder, picked.place());
    (1..=39).for_each(|n| lane.put(call(n)));
    until("it has all others", || picked.kept.lock().unwrap().len() == 37);
    (40..=41).for_each(|n| lane.put(call(n)));
    until("the last one is taken", || picked.kept.lock().unwrap().len() == 38);
    let list = stores.health().list();
    assert_eq!((&list[0]["refused"], &list[0]["behind"]), (&3.into(), &0.into()), "{list:#}");
    drop(lane);
    stores.finish();
    assert_eq!(numbers(&refused::rows(&outbox, "picky").unwrap()), [3, 4, 40]);
    // The server is told to take more; two of them it takes now.
    *picked.refuses.lock().unwrap() = vec![4];
    let (lane, stores) = begin(&folder, picked.place());
    until("it has them", || picked.kept.lock().unwrap().len() == 40);
    drop(lane);
    let health = stores.health();
    stores.finish();
    assert_eq!(numbers(&refused::rows(&outbox, "picky").unwrap()), [4]);
    assert_eq!((&health.list()[0]["refused"], &health.list()[0]["behind"]), (&1.into(), &0.into()));
}

/// Takes row 4 alone, and meanwhile a purge takes out row 3.
struct Beside(PathBuf);

impl Store for Beside {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        if numbers(rows) != [4] {
            return Err(Trouble { why: "the server says 413".into(), of_the_rows: true });
        }
        let _turn = refused::turn(&self.0).unwrap();
        let mut left = refused::rows(&self.0, "beside").unwrap();
        left.retain(|row| numbers(std::slice::from_ref(row)) != [3]);
        refused::keep(&self.0, "beside", &left).unwrap();
        Ok(())
    }
}

#[test]
fn what_was_purged_of_the_refused_rows_is_not_put_back_by_a_start_beside_it() {
    let folder = Folder::new("refused-beside");
    let outbox = folder.0.join("outbox");
    std::fs::create_dir_all(&outbox).unwrap();
    (3..=5).for_each(|n| refused::put(&outbox, "beside", call(n), 9).unwrap());
    let dir = outbox.clone();
    let open: Opener = Box::new(move || Ok(Box::new(Beside(dir.clone()))));
    let (lane, stores) = begin(&folder, Place { name: "beside".into(), batch: 1_000, open });
    drop(lane);
    let health = stores.health();
    stores.finish();
    assert_eq!(numbers(&refused::rows(&outbox, "beside").unwrap()), [5]);
    assert_eq!(health.list()[0]["refused"], 1);
}

/// It takes nothing at all for a while: that is no fault of the row that comes next.
#[test]
fn a_store_that_is_away_for_long_refuses_no_row() {
    let folder = Folder::new("not-refused");
    let (place, kept) = moody(40);
    let (mut lane, stores) = begin(&folder, place);
    (1..=20).for_each(|n| lane.put(call(n)));
    until("it has everything", || kept.lock().unwrap().len() == 20);
    assert_eq!(numbers(&kept.lock().unwrap()), (1..=20).collect::<Vec<_>>());
    assert!(!folder.0.join("outbox/refused").exists());
    drop(lane);
    stores.finish();
}
