//! How much work was done, for tests that say what a thing may cost: entries of tables that were
//! looked at. Counted in unit tests only; otherwise it is nothing.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// So many entries were looked at.
#[inline(always)]
pub(crate) fn step(_entries: usize) {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + _entries as u64));
}

/// Entries that this thread has looked at.
#[cfg(test)]
pub(crate) fn taken() -> u64 {
    STEPS.with(std::cell::Cell::get)
}
