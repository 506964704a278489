//! Memory of our own, on pages of its own, all zero, that stays where it is.

use super::checked;
use std::io;
use std::ptr::{NonNull, null_mut};

#[derive(Debug)]
pub struct Pages {
    at: NonNull<u8>,
    len: usize,
}

impl Pages {
    pub fn new(len: usize) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // All of it at once: nobody waits for a page later.
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: new memory, of no file, wherever the kernel likes.
        let at = unsafe { libc::mmap(null_mut(), len, access, kind, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { at, len })
    }

    pub fn at(&self) -> *mut u8 {
        self.at.as_ptr()
    }

    /// Never gives the memory back.
    pub fn leak(mut self) {
        self.len = 0;
    }
}

/// No memory at all.
impl Default for Pages {
    fn default() -> Self {
        Self { at: NonNull::dangling(), len: 0 }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: mapped in `new`, so long, and nobody else's.
            let result = unsafe { libc::munmap(self.at.as_ptr().cast(), self.len) };
            debug_assert!(checked(i64::from(result)).is_ok());
        }
    }
}
