//! Other builds of the switch: the program that was tested, with other digests in it. Each is what
//! another version is to a journal and to an upgrade, of the same length to the octet.

use super::switch::Switch;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program says of itself: its core, and all of it.
pub fn identity(program: &Path) -> String {
    let output = Command::new(program).arg("identity").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// The program with another last digit in its core's digest, and in that of all of it.
pub fn another_build(program: &Path) -> Vec<u8> {
    let identity = identity(program);
    let mut bytes = fs::read(program).unwrap();
    for digest in identity.split('.') {
        let last = digest.as_bytes().last().unwrap();
        let digit = if *last == b'1' { b'2' } else { b'1' };
        let found: Vec<usize> = memchr::memmem::find_iter(&bytes, digest).collect();
        assert!(!found.is_empty(), "{digest} is not in {}", program.display());
        for at in found {
            bytes[at + digest.len() - 1] = digit;
        }
    }
    bytes
}

/// Puts a program where the switch was started from, as a package manager does: under another name
/// at first. It is as long and as old as the one before.
pub fn install(switch: &Switch, program: &[u8]) {
    let (path, fresh) = (place(switch), switch.street.dir().join("fresh"));
    let before = fs::metadata(&path).unwrap();
    fs::write(&fresh, program).unwrap();
    fs::set_permissions(&fresh, before.permissions()).unwrap();
    let file = fs::File::options().write(true).open(&fresh).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    drop(file);
    fs::rename(fresh, path).unwrap();
}

/// Where a switch that was started from a copy was started from.
pub fn place(switch: &Switch) -> PathBuf {
    switch.street.dir().join("pukar")
}

/// The programs that are kept beside the journal.
pub fn kept(switch: &Switch) -> Vec<PathBuf> {
    let entries = fs::read_dir(switch.data().join("journal")).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("program.") && !name.ends_with(".new") && !name.ends_with(".tried")
    };
    paths.filter(is_kept).collect()
}

/// Waits until this one, and no other, is kept.
pub fn until_kept(switch: &Switch, identity: &str) -> PathBuf {
    let path = switch.data().join("journal").join(format!("program.{identity}"));
    let only = [path.clone()];
    for _ in 0..2_000 {
        if kept(switch) == only {
            return path;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("{only:?} is not kept, but {:?}", kept(switch));
}
