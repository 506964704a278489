//! Journals that another version wrote, or will read.

use super::*;

/// Makes files of another version of what lies in the journal.
fn rewrite(place: &Place, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    for entry in std::fs::read_dir(place.dir()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::write(&path, change(std::fs::read(&path).unwrap())).unwrap();
    }
}

/// Written by another build of the same form.
pub fn by_another_build(mut bytes: Vec<u8>) -> Vec<u8> {
    let own = Header::decode(&bytes).unwrap();
    let other = Header { build: own.build ^ 1, ..own };
    bytes[..HEADER_LEN].copy_from_slice(&other.encode());
    bytes
}

#[test]
fn calls_of_a_later_form_get_their_records_though_its_columns_are_others() {
    let place = Place::new("journal-later");
    three_calls_one_over(&place);
    // One column has another name there, one another type, and one is new.
    let change = |note: String| {
        let note = note.replace("\"hold_ms\":0", "\"held\":{\"ms\":0},\"mood\":\"calm\"");
        note.replace("\"offers\":0", "\"offers\":\"none\"")
    };
    let later = crate::core::journal::FORMAT + 1;
    rewrite(&place, |bytes| crate::core::journal::in_another_form(&bytes, later, &change));
    is_closed_in_the_records(&place, 3, 1);
}

#[test]
fn a_call_that_ended_in_a_gap_is_not_closed_once_more_when_another_version_closes_the_books() {
    let place = Place::new("journal-settled");
    let mut process = place.start();
    process.arrives("c0");
    let port = process.hangs_up();
    process.writer.fill_disk();
    process.tells_figures(port);
    assert_eq!(place.records().len(), 1, "the outbox has it");
    heals(&mut process);
    process.arrives("c1");
    drop(process);
    rewrite(&place, by_another_build);
    // Long ago: the outbox has gone on to other segments.
    std::fs::remove_dir_all(place.folder.0.join("outbox")).unwrap();
    drop(place.start());
    let records = place.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].ended_by, EndedBy::Recovered);
}

#[test]
fn another_build_goes_on_from_the_last_snapshot_of_an_orderly_end() {
    let place = Place::new("journal-orderly");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    let Process { switch, board, writer, now, .. } = process;
    let (sender, receiver) = channel::bounded(1);
    sender.send(board).unwrap();
    assert!(Box::new(writer).leave(switch.memory(now), receiver));
    rewrite(&place, by_another_build);
    let again = place.start();
    assert!(again.switch.state() == switch.state() && again.board.live() == 2);
}
