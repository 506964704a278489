//! Directories as districts upload them: good rows, bad rows, and who is called when.

use super::*;
use crate::base::QueueId;
use crate::call::{Centre, District};
use jiff::civil::date;

const HEAD: &str = "kind,district,name,number,priority,valid_from,valid_to\n";

fn settings() -> Settings {
    let district = |name: &str, title: &str, code: &str| District {
        name: name.into(),
        title: title.into(),
        code: code.into(),
        std: Vec::new(),
        centre: Centre::Queue(QueueId(0)),
        languages: Vec::new(),
        rings_within: crate::call::RINGS_WITHIN,
    };
    let districts =
        vec![district("alirajpur", "अलीराजपुर", "ALI"), district("surajpur", "सूरजपुर", "SUR")];
    Settings { districts, ..Settings::default() }
}

fn read(rows: &str) -> Directory {
    let mut directory = Directory::default();
    directory.read("d.csv", &format!("{HEAD}{rows}"), &settings());
    directory
}

fn names<'d>(directory: &'d Directory, address: &str, today: Date) -> Vec<&'d str> {
    let districts = settings().districts;
    let found = directory.hunt(address, &districts, today).unwrap_or_default();
    found.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn the_members_of_a_team_are_called_by_priority_from_the_one_that_was_asked_for() {
    let directory = read(
        "RRT,ALI,डॉ. मीना,9826000002,2,,\nrrt,alirajpur,सीमा,9826000001,1,2026-01-01,2026-12-31\n\
         RRT,अलीराजपुर,\"राम, श्याम\",07394-233445,3,,\nhospital,SUR,जिला अस्पताल,108,1,,\n",
    );
    assert_eq!(directory.refused, []);
    let today = date(2026, 11, 22);
    assert_eq!(names(&directory, "dir:ALI/RRT/1", today), ["सीमा", "डॉ. मीना", "राम, श्याम"]);
    assert_eq!(names(&directory, "dir:ali/rrt/2", today), ["डॉ. मीना", "राम, श्याम"]);
    assert_eq!(names(&directory, "alirajpur/RRT", date(2027, 1, 1)), ["डॉ. मीना", "राम, श्याम"]);
    assert_eq!(directory.entries[2].number, "+917394233445");
    assert_eq!(names(&directory, "SUR/hospital", today), ["जिला अस्पताल"]);
    for (address, why) in [
        ("ALI/RRT/4", "alirajpur has 3 of rrt"),
        ("ALI/RRT/0", "\"0\" is no place"),
        ("ALI/doctor", "nobody is listed as doctor in alirajpur"),
        ("ALI", "write DISTRICT/KIND"),
    ] {
        let told = directory.hunt(address, &settings().districts, today).unwrap_err();
        assert!(told.starts_with(why), "{told}");
    }
}

#[test]
fn bad_rows_are_refused_one_by_one_and_good_ones_live() {
    let directory = read(
        "rrt,ALI,A,9826000001,1,,\n\
         rrt,ALI,B,98260,1,,\n\
         rrt,MUM,C,9826000003,1,,\n\
         ,ALI,D,9826000004,1,,\n\
         rrt,ALI,,9826000005,1,,\n\
         rrt,ALI,F,9826000006,first,,\n\
         rrt,ALI,G,9826000007,1,22/11/2026,\n\
         rrt,ALI,H,9826000008,1,2026-12-01,2026-11-01\n\
         rrt,ALI,I,9826000009\n\
         rrt,ALI,J,+91 98260 00001,2,,\n\
         \n\
         \"rrt\",\"ALI\",\"K\nof two lines\",9826000010,4,,\n\
         rrt,ALI,L,9826000011,5,,\n",
    );
    let told: Vec<_> = directory.refused.iter().map(|r| (r.line, r.why.as_str())).collect();
    assert_eq!(
        told,
        [
            (3, "\"98260\" is no telephone number"),
            (4, "no district \"MUM\" in the configuration"),
            (5, "kind is empty"),
            (6, "name is empty"),
            (7, "priority \"first\" is no number from 1 on"),
            (8, "valid_from \"22/11/2026\" is no date such as 2026-11-25"),
            (9, "valid_to 2026-11-01 is before valid_from 2026-12-01"),
            (10, "4 cells instead of 7"),
            (11, "+919826000001 is already on line 2"),
        ]
    );
    assert_eq!(names(&directory, "ALI/RRT", date(2026, 11, 22)), ["A", "Kof two lines", "L"]);
}

#[test]
fn a_thousand_bad_rows_are_a_thousand_reasons_and_a_wrong_file_is_one() {
    let bad: String = (0..1_000).map(|n| format!("rrt,ALI,Name {n},0{n},1,,\n")).collect();
    let directory = read(&format!("{bad}rrt,ALI,Good,9826000001,1,,\n"));
    assert_eq!((directory.entries.len(), directory.refused_count), (1, 1_000));
    let mut wrong = Directory::default();
    wrong.read("d.csv", "name;number\nA;9826000001\n", &settings());
    assert_eq!(wrong.refused.len(), 1);
    assert!(wrong.refused[0].why.starts_with("the first row has no kind, district, name"));
    wrong.read("e.csv", "", &settings());
    assert_eq!((wrong.refused[1].line, &*wrong.refused[1].why), (1, "the file is empty"));
    assert_eq!(wrong.away, ["d.csv", "e.csv"]);
}

#[test]
fn a_stray_quote_costs_its_own_row_and_no_other() {
    let stray = (3, "a \" is opened on this line and not closed");
    for (second, why) in [
        ("rrt,ALI,\"B,9826000002,2,,\n", stray),
        ("rrt,ALI,B,\"9826000002,2,,\n", stray),
        ("\"rrt,ALI,B,9826000002,2,,\n", stray),
    ] {
        for third in ["rrt,ALI,C,9826000003,3,,", "rrt,ALI,\"C\",9826000003,3,,"] {
            let directory = read(&format!(
                "rrt,ALI,A,9826000001,1,,\n{second}{third}\nrrt,ALI,D,9826000004,4,,\n"
            ));
            let told: Vec<_> = directory.refused.iter().map(|r| (r.line, &r.why[..39])).collect();
            assert_eq!(told, [(why.0, &why.1[..39])], "{second}{third}");
            let all = names(&directory, "ALI/RRT", date(2026, 11, 22));
            assert_eq!(all, ["A", "C", "D"], "{second}{third}");
        }
    }
    // One is opened here, and another is closed there.
    let directory = read("rrt,ALI,\"A,9826000001,1,,\nrrt,ALI,B\",9826000002,2,,\n");
    assert_eq!((directory.entries.len(), directory.refused[0].line), (1, 2));
    // On the last line of all.
    let directory = read("rrt,ALI,A,9826000001,1,,\nrrt,ALI,\"B,9826000002,2,,");
    assert_eq!((directory.entries.len(), directory.refused[0].line), (1, 3));
}

#[test]
fn a_file_of_which_nothing_can_be_taken_in_keeps_what_it_had() {
    let file = |directory: &mut Directory, name: &str, rows: &str| {
        directory.read(name, &format!("{HEAD}{rows}"), &settings());
    };
    let mut before = Directory::default();
    file(&mut before, "a.csv", "rrt,ALI,A,9826000001,1,,\nrrt,ALI,B,9826000002,2,,\n");
    file(&mut before, "b.csv", "rrt,ALI,C,9826000003,3,,\n");
    let today = date(2026, 11, 22);
    // The one is half uploaded; the other has somebody less, and somebody of the first.
    let mut now = Directory::default();
    now.read("a.csv", "kind,distr", &settings());
    file(&mut now, "b.csv", "rrt,ALI,B of b,9826000002,4,,\n");
    now.keep_of(&before);
    assert_eq!(names(&now, "ALI/RRT", today), ["A", "B of b"]);
    assert!(now.refused[0].why.ends_with("; what it had stays in force, 1 in all"));
    // It is still away at the next reading, and then there again.
    let mut later = Directory::default();
    later.refuse_file("a.csv", 0, "cannot read a.csv".into());
    later.keep_of(&now);
    assert_eq!(names(&later, "ALI/RRT", today), ["A"]);
    let mut back = Directory::default();
    file(&mut back, "a.csv", "rrt,ALI,D,9826000004,1,,\n");
    back.keep_of(&later);
    assert_eq!(names(&back, "ALI/RRT", today), ["D"]);
}

#[test]
fn a_name_has_one_form_however_it_was_typed() {
    // ड़ as one character, which NFC takes apart, and as two.
    let directory = read("rrt,ALI,बड़वानी,9826000001,1,,\nrrt,ALI,बड\u{93c}वानी,9826000002,2,,\n");
    assert_eq!(directory.entries[0].name, directory.entries[1].name);
}

#[test]
fn a_number_that_fails_three_times_in_a_row_is_stale_until_it_is_reached() {
    let mut failures = Failures::default();
    for (reached, stale) in [
        (false, false),
        (false, false),
        (true, false),
        (false, false),
        (false, false),
        (false, true),
    ] {
        failures.note("+919826000001", reached);
        assert_eq!(failures.is_stale("+919826000001"), stale);
    }
    failures.note("+919826000001", true);
    assert_eq!(failures.of("+919826000001"), 0);
}
