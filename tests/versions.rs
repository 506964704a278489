//! Two builds of the switch, and the calls that are in both of their hands: one is put in the
//! other's place while that is at work, or has just died.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use support::PATIENCE;
use support::builds::{another_build, identity, install, kept, place, until_kept};
use support::one::{ONE, is_served, live, with_a_caller};
use support::switch::{HELPLINE, Switch};

/// Nobody's user.
const NOBODY: u32 = 65_534;

#[test]
fn an_upgrade_to_another_build_and_back_takes_the_calls_along_whatever_dies_in_between() {
    let mut switch = Switch::start_from_a_copy(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    let old = fs::read(place(&switch)).unwrap();
    let newer = another_build(&place(&switch));
    for program in [newer, old] {
        install(&switch, &program);
        let installed = identity(&place(&switch));
        let said = switch.tell(&["upgrade"]).stdout;
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("upgraded: ") && said.contains(&installed), "{said}");
        switch.meet();
        assert_eq!(live(&mut switch), call);
        // Killed before it has written more than its first files.
        switch.crash();
        assert_eq!(live(&mut switch), call);
        until_kept(&switch, &installed);
    }
    is_served(&mut switch, caller);
    assert_eq!(switch.records().len(), 1, "one call, one record");
}

#[test]
fn a_crash_after_another_build_was_installed_is_gone_on_with_by_the_one_that_has_the_calls() {
    let mut switch = Switch::start_from_a_copy(&[HELPLINE, ONE]);
    let (caller, call) = with_a_caller(&mut switch);
    let old = fs::read(place(&switch)).unwrap();
    let newer = another_build(&place(&switch));
    // To the newer one, and back to the older one.
    for program in [newer, old] {
        let before = until_kept(&switch, &identity(&place(&switch)));
        install(&switch, &program);
        switch.crash();
        let said = switch.program().said();
        assert!(said.contains("takes over"), "{said}");
        assert_eq!(live(&mut switch), call);
        let runs = fs::read_link(format!("/proc/{}/exe", switch.program().pid())).unwrap();
        assert_eq!(runs, before.canonicalize().unwrap(), "the kept one runs");
        switch.upgrade();
        assert_eq!(live(&mut switch), call);
        let runs = fs::read_link(format!("/proc/{}/exe", switch.program().pid())).unwrap();
        assert_eq!(runs, place(&switch).canonicalize().unwrap(), "the installed one runs");
    }
    is_served(&mut switch, caller);
    assert_eq!(switch.records().len(), 1, "one call, one record");
}

/// As with the unit in `config`: the program is root's, and the switch has a user of its own.
#[test]
fn a_switch_that_does_not_own_its_program_keeps_a_copy_of_it() {
    let mut switch = Switch::start_from_a_copy(&[HELPLINE, ONE]);
    switch.stop();
    if fs::metadata(switch.data()).unwrap().uid() != 0 {
        return eprintln!("only root can start a switch as somebody else; nothing was tried");
    }
    let own = |path: &std::path::Path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    let everything = |dir: &std::path::Path| {
        own(dir);
        let mut open = vec![dir.to_path_buf()];
        while let Some(dir) = open.pop() {
            for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                own(&path);
                open.extend(path.is_dir().then_some(path));
            }
        }
    };
    kept(&switch).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    everything(&switch.data());
    let program = place(&switch);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |command: &mut std::process::Command| {
        command.uid(NOBODY).gid(NOBODY);
    };
    switch.restart_with(as_nobody);
    let (caller, call) = with_a_caller(&mut switch);
    let copy = until_kept(&switch, &identity(&program));
    let (copied, installed) = (fs::metadata(&copy).unwrap(), fs::metadata(&program).unwrap());
    let linked = fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap_or_default();
    if linked.trim() == "1" {
        assert_eq!((copied.uid(), installed.uid()), (NOBODY, 0), "a copy of its own");
        assert_eq!(copied.len(), installed.len());
    }
    install(&switch, &another_build(&program));
    switch.program().signal(libc::SIGKILL);
    switch.program().end(PATIENCE);
    switch.restart_with(as_nobody);
    assert_eq!(live(&mut switch), call);
    is_served(&mut switch, caller);
}

/// Otherwise a build that dies at every start could never be replaced.
#[test]
fn a_kept_build_that_dies_as_well_is_not_handed_over_to_again() {
    let mut switch = Switch::start_from_a_copy(&[HELPLINE, ONE]);
    let (caller, _) = with_a_caller(&mut switch);
    drop(caller);
    let own = identity(&place(&switch));
    let kept = until_kept(&switch, &own);
    switch.program().signal(libc::SIGKILL);
    switch.program().end(PATIENCE);
    install(&switch, &another_build(&place(&switch)));
    fs::remove_file(&kept).unwrap();
    let script = format!("#!/bin/sh\n[ \"$1\" = identity ] && echo {own} && exit\nexit 3\n");
    fs::write(&kept, script).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(switch.start_another().status.code(), Some(3), "the kept one was tried");
    switch.restart();
    assert_eq!(switch.status()["calls"]["live"], 0, "new callers are served");
    let said = switch.program().said();
    assert!(said.contains("this one goes on without its calls"), "{said}");
}

/// Whoever writes into the file that was started, and not beside it, spoils its other name too.
#[test]
fn a_kept_program_that_is_another_than_its_name_says_is_handed_nothing() {
    let mut switch = Switch::start_from_a_copy(&[HELPLINE, ONE]);
    let (caller, _) = with_a_caller(&mut switch);
    drop(caller);
    let kept = until_kept(&switch, &identity(&place(&switch)));
    switch.program().signal(libc::SIGKILL);
    switch.program().end(PATIENCE);
    let newer = another_build(&place(&switch));
    fs::write(&kept, &newer).unwrap();
    install(&switch, &newer);
    switch.restart();
    let said = switch.program().said();
    assert!(said.contains("is another program than its name says"), "{said}");
    assert_eq!(switch.status()["calls"]["live"], 0, "new callers are served");
    assert_eq!(switch.records().len(), 1, "and the one before is closed in the records");
}
