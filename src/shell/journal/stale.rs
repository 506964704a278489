//! A journal that cannot be gone on with, until it is put aside.

use super::{files, retire};
use std::path::Path;

/// A journal whose books are closed. Until another start is certain it stays where it is: should
/// this one come to nothing, whoever comes next finds it, the version that wrote it above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Its last segment.
    pub last: u64,
    pub recovered: usize,
}

impl Stale {
    /// The start is certain. `safe`: what was in it is in another place by now; where not, the
    /// files stay where the next start finds them.
    /// `keep`: octets of what was put aside before that stay.
    pub fn put_aside(self, dir: &Path, kept: usize, safe: bool, keep: u64) {
        let aside = match safe {
            true => files::set_aside(dir, self.last),
            false => Ok(dir.to_path_buf()),
        };
        if let Ok(aside) = &aside
            && safe
            && let Err(error) = retire::clear_by_size(dir, keep, aside)
        {
            tracing::warn!("{}: what was put aside before stays: {error}", dir.display());
        }
        let lies = match aside {
            Ok(aside) => format!("the old journal lies in {}", aside.display()),
            Err(error) => format!("the old journal cannot be put aside: {error}"),
        };
        tracing::error!(
            "the switch starts without calls. {} calls that were alive are closed in the records \
             as recovered; phones and agents log in anew; {kept} blocks and callers who are to be \
             called are taken over; {lies}",
            self.recovered
        );
    }
}
