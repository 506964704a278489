//! Three digests, and the shipped prompts as a table that the binary holds.
//!
//! The one of everything that decides how events are read and what follows from them: a binary with
//! another one does not replay it, since the least change of the core may give other commands.
//!
//! The one of the types that are written down, whatever is done with them: who has the same can go
//! on from a snapshot, where nothing has come after it.
//!
//! The one of all sources, of what they hold, and of how they are compiled: two programs are the
//! same one.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

const CORE: [&str; 9] = ["base", "wire", "say", "sip", "acd", "media", "call", "config", "core"];
/// It has a place in snapshots too.
const BOARD: &str = "src/shell/board";
/// Crates that say how their types, or all of them, are written.
const WRITING: [&str; 8] = [
    "bytes",
    "jiff",
    "postcard",
    "rand_chacha",
    "rand_core",
    "serde",
    "serde_core",
    "serde_derive",
];

fn main() {
    let mut core = DefaultHasher::new();
    for (file, text) in texts().iter().filter(|(file, _)| !file.starts_with(BOARD)) {
        (file.to_string_lossy(), text).hash(&mut core);
    }
    let mut types = digested_types();
    types.sort_unstable();
    let mut shape = DefaultHasher::new();
    (types, versions()).hash(&mut shape);
    println!("cargo:rustc-env=PUKAR_PROGRAM={}", program());
    println!("cargo:rustc-env=PUKAR_CORE={}", core.finish());
    println!("cargo:rustc-env=PUKAR_SHAPE={}", shape.finish());
    prompts();
}

/// Everything that the core and its snapshots consist of.
fn texts() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> = vec!["Cargo.lock".into()];
    for folder in CORE {
        collect(&Path::new("src").join(folder), "rs", &mut files);
    }
    files.sort();
    collect(Path::new(BOARD), "rs", &mut files);
    let read = |file: PathBuf| {
        println!("cargo:rerun-if-changed={}", file.display());
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (file, text)
    };
    files.into_iter().map(read).collect()
}

/// All that the program is made of: sources, and what they hold of other files.
pub fn program_files() -> Vec<PathBuf> {
    let mut files = ["Cargo.lock", "Cargo.toml", "build.rs"].map(PathBuf::from).to_vec();
    for folder in ["src", "prompts"] {
        collect_all(Path::new(folder), &mut files);
    }
    files.sort();
    files
}

fn program() -> u64 {
    let mut all = DefaultHasher::new();
    for file in program_files() {
        println!("cargo:rerun-if-changed={}", file.display());
        (file.to_string_lossy(), std::fs::read(&file).unwrap_or_default()).hash(&mut all);
    }
    for name in ["PROFILE", "OPT_LEVEL", "DEBUG", "TARGET", "CARGO_CFG_TARGET_FEATURE"] {
        std::env::var(name).unwrap_or_default().hash(&mut all);
    }
    all.finish()
}

/// The definitions of all types that may be in a snapshot, as [`written_types`] has them.
pub fn digested_types() -> Vec<String> {
    texts().iter().flat_map(|(_, text)| written_types(text)).collect()
}

/// Of the crates that matter to how a snapshot reads.
fn versions() -> Vec<String> {
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    let packages = lock.split("[[package]]").map(str::trim);
    let matters = |package: &&str| {
        WRITING.iter().any(|name| package.starts_with(&format!("name = \"{name}\"\n")))
    };
    packages.filter(matters).map(str::to_string).collect()
}

/// `prompts/<language>/<name>.wav`, and what each language says.
fn prompts() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("prompts.rs");
    let audio = table("AUDIO", "wav", "&[u8]", "include_bytes");
    let texts = table("TEXTS", "tsv", "&str", "include_str");
    if let Err(error) = std::fs::write(&out, audio + &texts) {
        panic!("{}: {error}", out.display());
    }
}

/// The files of one kind, sorted by their names below the folder.
fn table(name: &str, kind: &str, holds: &str, include: &str) -> String {
    let root = std::env::current_dir().unwrap_or_default().join("prompts");
    let mut files = Vec::new();
    collect(&root, kind, &mut files);
    let named = |file: PathBuf| {
        let name = file.strip_prefix(&root).unwrap_or(&file).with_extension("");
        (name.to_string_lossy().into_owned(), file)
    };
    let mut files: Vec<_> = files.into_iter().map(named).collect();
    files.sort();
    let mut code = format!("pub const {name}: &[(&str, {holds})] = &[\n");
    for (name, file) in files {
        let _ = writeln!(code, "    ({name:?}, {include}!({file:?})),");
    }
    code + "];\n"
}

fn collect(folder: &Path, kind: &str, files: &mut Vec<PathBuf>) {
    let mut all = Vec::new();
    collect_all(folder, &mut all);
    files.extend(all.into_iter().filter(|path| path.extension().is_some_and(|end| end == kind)));
}

fn collect_all(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        match path.is_dir() {
            true => collect_all(&path, files),
            false => files.push(path),
        }
    }
}

/// The definitions of types that serde writes, without comments: whatever begins with such a
/// `derive`, an implementation by hand, another name for a type, or a list that a macro of the same
/// file makes types of, up to the end of the item as the formatter writes it.
fn written_types(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let macros = text.lines().filter_map(|line| line.trim().strip_prefix("macro_rules! "));
    let macros: Vec<String> = macros
        .filter(|_| text.contains("Serialize"))
        .filter_map(|rest| Some(format!("{}! {{", rest.split_whitespace().next()?)))
        .collect();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//")).peekable();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let begins = |word: &str| line.trim_start().starts_with(word);
        let written = (begins("#[derive(") && derives(line, lines.peek()))
            || begins("impl")
                && (line.contains(" Serialize for ") || line.contains(" Deserialize<"))
            || ["type ", "pub type ", "pub(super) type ", "pub(crate) type "]
                .iter()
                .any(|w| begins(w))
            || macros.iter().any(|name| line == name);
        if !written {
            continue;
        }
        let mut item = line.trim().to_string();
        let ends = |line: &str| {
            let at = line.len() - line.trim_start().len();
            at == indent && (line.ends_with('}') || line.ends_with(';'))
        };
        let mut last = line;
        while !ends(last) {
            let Some(next) = lines.next() else { break };
            item.push_str(next.trim());
            last = next;
        }
        found.push(item);
    }
    found
}

/// A long list of derives has a line for itself.
fn derives(line: &str, next: Option<&&str>) -> bool {
    let list = if line.ends_with("#[derive(") { next.copied().unwrap_or_default() } else { line };
    list.contains("Serialize")
}
