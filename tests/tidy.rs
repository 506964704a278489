//! The walls and the habits of the house, as a test: which folder may import which, how long a
//! file, a function and a line may be, and that every file says what it is.

use std::{fs, path::Path, path::PathBuf};

/// Each folder of `src`, and the folders it may import. Siblings never import each other.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("say", &["base"]),
    ("wire", &["base"]),
    ("sip", &["wire", "base"]),
    ("acd", &["base"]),
    ("media", &["wire", "base"]),
    ("call", &["sip", "media", "wire", "say", "base"]),
    ("config", &["sip", "acd", "call", "media", "say", "base"]),
    ("core", &["call", "acd", "sip", "media", "config", "wire", "say", "base"]),
    ("sim", &["core", "call", "acd", "sip", "media", "config", "wire", "say", "base"]),
    ("load", &["wire", "base"]),
    ("shell", &["core", "call", "acd", "sip", "media", "config", "wire", "say", "base"]),
    ("demo", &["console", "shell", "load", "config", "call", "base"]),
    ("chaos", &["console", "shell", "load", "config", "base"]),
    ("console", &["shell", "load", "config", "call", "wire", "base"]),
];
/// Folders that take time, randomness and I/O as arguments, and so may not name these.
const PURE: &[&str] =
    &["base", "say", "wire", "sip", "acd", "media", "call", "config", "core", "sim"];
const IMPURE_WORDS: &[&str] =
    &["std::net::UdpSocket", "std::net::Tcp", "std::fs", "std::thread", "tokio::", "SystemTime"];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_WIDTH_MAX: usize = 100;

#[test]
fn tidy() {
    let mut complaints = Vec::new();
    for path in sources(Path::new("src")).into_iter().chain(sources(Path::new("tests"))) {
        let text = fs::read_to_string(&path).unwrap();
        check_walls(&path, &text, &mut complaints);
        check_size(&path, &text, &mut complaints);
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_folder_has_its_row() {
    for entry in fs::read_dir("src").unwrap().flatten().filter(|e| e.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        assert!(MAY_IMPORT.iter().any(|(folder, _)| *folder == name), "{name} has no row");
    }
    for (folder, _) in MAY_IMPORT {
        let (folder, file) = (format!("src/{folder}"), format!("src/{folder}.rs"));
        assert!(Path::new(&folder).exists() || Path::new(&file).exists(), "{folder} is gone");
    }
}

fn check_walls(path: &Path, text: &str, complaints: &mut Vec<String>) {
    // `src/demo.rs` is of `src/demo` too.
    let module = path.with_extension("");
    let rows = MAY_IMPORT.iter();
    let Some((own, allowed)) =
        rows.clone().find(|(folder, _)| module.starts_with(format!("src/{folder}")))
    else {
        return;
    };
    let spread = spread(text);
    for (number, line) in text.lines().chain(spread.iter().map(String::as_str)).enumerate() {
        let mut complain = |what: String| {
            complaints.push(format!("{}:{}: {what}", path.display(), number + 1));
        };
        for (other, _) in rows.clone().filter(|(other, _)| other != own) {
            // What lies beside the library names it as everybody else does.
            let named = ["crate", "pukar"].map(|root| format!("{root}::{other}"));
            if named.iter().any(|name| line.contains(name)) && !allowed.contains(other) {
                complain(format!("{own} may not import {other}"));
            }
        }
        let code = line.split("//").next().unwrap_or_default();
        if PURE.contains(own) {
            for word in IMPURE_WORDS.iter().filter(|word| code.contains(**word)) {
                complain(format!("{own} is pure and may not name {word}"));
            }
        }
    }
}

/// Grouped imports, `use a::{b, c::d}`, as one path each: no wall falls to a pair of braces.
fn spread(text: &str) -> Vec<String> {
    let groups = text.split("use ").skip(1).filter_map(|rest| rest.split(';').next());
    let mut paths = Vec::new();
    for group in groups.filter(|group| group.contains('{') && !group.contains('(')) {
        let (mut prefixes, mut path) = (vec![String::new()], String::new());
        for letter in group.chars().filter(|letter| !letter.is_whitespace()) {
            match letter {
                '{' => prefixes.push(std::mem::take(&mut path)),
                ',' | '}' => {
                    if !path.is_empty() {
                        paths.push(format!("{}{path}", prefixes.concat()));
                        path.clear();
                    }
                    if letter == '}' {
                        prefixes.pop();
                    }
                }
                _ => path.push(letter),
            }
        }
    }
    paths
}

#[test]
fn a_wall_does_not_fall_to_a_pair_of_braces() {
    let text = "use crate::{acd, sip::{self, Leg}};\nuse std::{fs, thread};\nfn main() {}";
    let want = ["crate::acd", "crate::sip::self", "crate::sip::Leg", "std::fs", "std::thread"];
    assert_eq!(spread(text), want);
}

fn check_size(path: &Path, text: &str, complaints: &mut Vec<String>) {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    if code.lines().count() > FILE_LINES_MAX {
        complaints.push(format!("{}: longer than {FILE_LINES_MAX} lines", path.display()));
    }
    if !text.starts_with("//!") {
        complaints.push(format!("{}: no `//!` header that says what it is", path.display()));
    }
    let mut opened = None;
    for (number, line) in text.lines().enumerate() {
        if line.chars().count() > LINE_WIDTH_MAX {
            let place = format!("{}:{}", path.display(), number + 1);
            complaints.push(format!("{place}: wider than {LINE_WIDTH_MAX}"));
        }
        let indent = line.len() - line.trim_start().len();
        if line.contains("fn ") && line.trim_end().ends_with('{') {
            opened = Some((number, indent));
        }
        if let Some((start, depth)) = opened
            && line.trim() == "}"
            && indent == depth
        {
            if number - start > FUNCTION_LINES_MAX {
                let place = format!("{}:{}", path.display(), start + 1);
                complaints.push(format!("{place}: longer than {FUNCTION_LINES_MAX} lines"));
            }
            opened = None;
        }
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
