//! A digest of everything that decides how events are read and what follows from them. A journal
//! bears it, and a binary with another one does not replay it: the least change of the core may
//! give other commands, and a changed type would misread what was written. And the shipped prompts,
//! as a table that the binary holds.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

const CORE: [&str; 7] = ["base", "wire", "sip", "acd", "call", "config", "core"];

fn main() {
    let mut files: Vec<PathBuf> = ["src/media/control.rs", "Cargo.lock"].map(PathBuf::from).into();
    for folder in CORE {
        collect(&Path::new("src").join(folder), "rs", &mut files);
    }
    files.sort();
    let mut digest = DefaultHasher::new();
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let text = std::fs::read(&file).unwrap_or_default();
        (file.to_string_lossy(), text).hash(&mut digest);
    }
    println!("cargo:rustc-env=PUKAR_CORE={}", digest.finish());
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
