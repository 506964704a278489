//! What a snapshot holds is known to the digest of its types: a type that is changed where the
//! digest does not look would be read by another build as something else.

#[allow(dead_code)]
#[path = "../build.rs"]
mod build;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a snapshot consists of.
const ROOTS: [&str; 2] = ["Memory", "Board"];
/// Types of the standard library, and of the crates whose versions are in the digest.
const OUTSIDE: &[&str] = &[
    "Arc",
    "BTreeMap",
    "BTreeSet",
    "Bytes",
    "Box",
    "Duration",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "ChaCha8Rng",
    "Date",
    "PhantomData",
    "OnceLock",
    "Option",
    "PathBuf",
    "Result",
    "Reverse",
    "Self",
    "SocketAddr",
    "String",
    "Vec",
    "VecDeque",
];

#[test]
fn whatever_the_program_is_made_of_is_in_the_digest_of_the_program() {
    let digested: BTreeSet<_> = build::program_files().into_iter().collect();
    let mut held = vec!["build.rs".into(), "prompts/hi/rec.wav".into(), "prompts/en.tsv".into()];
    let sources = digested.iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    for file in sources.filter(|file| file.starts_with("src")) {
        let text = std::fs::read_to_string(file).unwrap();
        for word in ["include_str!(\"", "include_bytes!(\""] {
            let names = text.split(word).skip(1).filter_map(|rest| rest.split('"').next());
            held.extend(names.map(|name| file.with_file_name(name)));
        }
    }
    assert!(held.len() > 3, "{held:?}");
    let missing: Vec<_> = held.iter().filter(|file| !digested.contains(*file)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_type_that_a_snapshot_holds_is_in_the_digest() {
    let digested = build::digested_types();
    let mut by_name: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for item in &digested {
        for name in declared(item) {
            by_name.entry(name).or_default().push(item);
        }
    }
    let elsewhere = defined_in(Path::new("src"));
    let aliases = aliases(Path::new("src"));
    let mut seen = BTreeSet::new();
    let mut open: Vec<String> = ROOTS.map(String::from).into();
    let mut missing = Vec::new();
    while let Some(name) = open.pop() {
        let Some(items) = by_name.get(&name) else {
            match (elsewhere.get(&name), aliases.get(&name)) {
                (Some(file), _) => missing.push(format!("{name} of {file}")),
                (None, Some(known)) => open.push(known.clone()),
                (None, None) => {
                    missing.push(format!("{name} of another crate: see WRITING in build.rs"));
                }
            }
            continue;
        };
        for word in items.iter().flat_map(|item| named(item)) {
            // A constant, such as the length of an array.
            let is_type = word.len() == 1 || word.contains(|c: char| c.is_ascii_lowercase());
            if is_type && !OUTSIDE.contains(&word.as_str()) && seen.insert(word.clone()) {
                open.push(word);
            }
        }
    }
    assert!(missing.is_empty(), "not in the digest: {missing:#?}");
    // It went through what there is, and not past it.
    for name in ["Calls", "Recordings", "Side", "Sorted", "Timers", "CallId", "Registrar", "Ring"] {
        assert!(seen.contains(name), "{name} is in a snapshot and was not found: {seen:?}");
    }
}

#[test]
fn types_by_hand_and_by_macro_are_found_as_well_as_derived_ones() {
    let names: BTreeSet<String> =
        build::digested_types().iter().flat_map(|item| declared(item)).collect();
    for name in ["Sorted", "Timers", "CallId", "Side", "State", "Board"] {
        assert!(names.contains(name), "{name}");
    }
}

/// The names that an item gives a definition of.
fn declared(item: &str) -> Vec<String> {
    let words: Vec<&str> = item.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut names = Vec::new();
    for pair in words.iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().windows(2) {
        if ["struct", "enum", "type", "for"].contains(pair[0]) {
            names.push(pair[1].to_string());
        }
    }
    if item.split_once("! {").is_some_and(|(name, _)| name.chars().all(char::is_alphanumeric)) {
        let capital = |word: &&&str| word.starts_with(char::is_uppercase);
        names.extend(words.iter().filter(capital).map(|word| word.to_string()));
    }
    names
}

/// The types that the fields of an item are of: capitalized words, without attributes, the name of
/// the item, its parameters, and the names of variants.
fn named(item: &str) -> BTreeSet<String> {
    let Some(body) = item.find("struct ").or(item.find("enum ")).or(item.find("type ")) else {
        return BTreeSet::new();
    };
    let is_enum = item[body..].starts_with("enum ");
    let text = without_attributes(&item[body..]);
    let head_end = text.find(['{', '(', '=']).unwrap_or(text.len());
    let parameters = words(&text[..head_end]);
    let (mut found, mut depth, mut word) = (BTreeSet::new(), 0, String::new());
    for letter in text[head_end..].chars() {
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
            continue;
        }
        let is_variant = is_enum && depth == 1;
        if word.starts_with(char::is_uppercase) && !is_variant && !parameters.contains(&word) {
            found.insert(std::mem::take(&mut word));
        }
        word.clear();
        match letter {
            '{' | '(' => depth += 1,
            '}' | ')' => depth -= 1,
            _ => {}
        }
    }
    found
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).map(str::to_string).collect()
}

fn without_attributes(text: &str) -> String {
    let (mut plain, mut depth) = (String::new(), 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '#' if letters.peek() == Some(&'[') => depth += 1,
            '[' if depth > 0 => depth += 1,
            ']' if depth > 1 => {
                depth -= 1;
                // The sign itself, with its first bracket.
                depth -= i32::from(depth == 1);
            }
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    plain
}

/// What is called otherwise where it is used.
fn aliases(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(aliases(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains(" as ")) {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).collect();
            let renamed = words.windows(3).filter(|three| three[1] == "as");
            found.extend(renamed.map(|three| (three[2].to_string(), three[0].to_string())));
        }
    }
    found
}

/// Where in the sources each type is defined.
fn defined_in(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(defined_in(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start().trim_start_matches("pub(super) ");
                let line = line.trim_start_matches("pub ");
                let rest = line.strip_prefix("struct ").or(line.strip_prefix("enum "))?;
                Some(rest.split(|c: char| !c.is_alphanumeric()).next()?.to_string())
            });
            found.extend(names.map(|name| (name, path.display().to_string())));
        }
    }
    found
}
