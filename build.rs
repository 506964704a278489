//! A digest of everything that decides how events are read and what follows from them. A journal
//! bears it, and a binary with another one does not replay it: the least change of the core may
//! give other commands, and a changed type would misread what was written.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

const CORE: [&str; 7] = ["base", "wire", "sip", "acd", "call", "config", "core"];

fn main() {
    let mut files: Vec<PathBuf> = ["src/media/control.rs", "Cargo.lock"].map(PathBuf::from).into();
    for folder in CORE {
        collect(&Path::new("src").join(folder), &mut files);
    }
    files.sort();
    let mut digest = DefaultHasher::new();
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let text = std::fs::read(&file).unwrap_or_default();
        (file.to_string_lossy(), text).hash(&mut digest);
    }
    println!("cargo:rustc-env=PUKAR_CORE={}", digest.finish());
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}
