//! The clock of the machine that nobody sets: how long it has been on, sleep included
//! (clock_gettime(2), CLOCK_BOOTTIME), and which start of it that is counted from.

use super::checked;
use std::io;

/// Changes with every start of the machine.
pub fn id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_string())
}

/// Microseconds since the machine was started.
pub fn micros() -> io::Result<u64> {
    read(libc::CLOCK_BOOTTIME)
}

/// The same without sleep, as a service manager counts.
pub fn monotonic() -> io::Result<u64> {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes into `time`, which is its own and lives through it.
    checked(i64::from(unsafe { libc::clock_gettime(clock, &mut time) }))?;
    Ok(time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000)
}
