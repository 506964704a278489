//! Two digests that a journal bears, and the shipped prompts as a table that the binary holds.
//!
//! The one of everything that decides how events are read and what follows from them: a binary with
//! another one does not replay it, since the least change of the core may give other commands.
//!
//! The one of the types that are written down, whatever is done with them: who has the same can go
//! on from a snapshot, where nothing has come after it.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

const CORE: [&str; 7] = ["base", "wire", "sip", "acd", "call", "config", "core"];
/// It has a place in snapshots too.
const BOARD: &str = "src/shell/board";

fn main() {
    let mut files: Vec<PathBuf> = ["src/media/control.rs", "Cargo.lock"].map(PathBuf::from).into();
    for folder in CORE {
        collect(&Path::new("src").join(folder), "rs", &mut files);
    }
    files.sort();
    let mut board = Vec::new();
    collect(Path::new(BOARD), "rs", &mut board);
    let mut core = DefaultHasher::new();
    let mut types = Vec::new();
    for file in files.iter().chain(&board) {
        println!("cargo:rerun-if-changed={}", file.display());
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if !file.starts_with(BOARD) {
            (file.to_string_lossy(), &text).hash(&mut core);
        }
        types.extend(written_types(&text));
    }
    types.sort_unstable();
    let mut shape = DefaultHasher::new();
    types.hash(&mut shape);
    println!("cargo:rustc-env=PUKAR_CORE={}", core.finish());
    println!("cargo:rustc-env=PUKAR_SHAPE={}", shape.finish());
    prompts();
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
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, kind, files);
        } else if path.extension().is_some_and(|end| end == kind) {
            files.push(path);
        }
    }
}

/// The definitions of types that serde writes, without comments: whatever begins with such a
/// `derive`, an implementation by hand, or another name for a type, up to the end of the item as
/// the formatter writes it.
fn written_types(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//")).peekable();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let begins = |word: &str| line.trim_start().starts_with(word);
        let written = (begins("#[derive(") && derives(line, lines.peek()))
            || begins("impl Serialize for")
            || begins("pub type ");
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
