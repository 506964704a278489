//! The file of the socket: only its owner may use it unless there are users, a dead switch leaves
//! none in the way, and a living one keeps its own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Longest path that a socket address holds (unix(7)), less its end.
const PATH_MAX: usize = 107;

/// Removes the file of the socket when it goes, if the file is still that of this socket.
pub struct Guard {
    path: PathBuf,
    inode: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `many`: others than its owner may connect too, and each is asked who they are.
pub fn bind(path: &Path, many: bool) -> Result<(UnixListener, Guard), String> {
    let sentence = |what: &str| format!("admin socket {}: {what}", path.display());
    make_room(path).map_err(|what| sentence(&what))?;
    // Made under another name, closed to others, and only then put where it will be found.
    let fresh = path.with_extension(format!("new{}", std::process::id()));
    if fresh.as_os_str().len() > PATH_MAX {
        return Err(sentence("the path is too long for a socket; choose one below 95 octets"));
    }
    let _ = fs::remove_file(&fresh);
    let bound = UnixListener::bind(&fresh).map_err(|e| sentence(&e.to_string()))?;
    let placed =
        fs::set_permissions(&fresh, fs::Permissions::from_mode(if many { 0o666 } else { 0o600 }))
            .and_then(|()| fs::rename(&fresh, path))
            .and_then(|()| fs::metadata(path));
    match placed {
        Ok(found) => Ok((bound, Guard { path: path.into(), inode: found.ino() })),
        Err(error) => {
            let _ = fs::remove_file(&fresh);
            Err(sentence(&error.to_string()))
        }
    }
}

/// Removes a socket that nobody listens on any more; leaves everything else alone.
fn make_room(path: &Path) -> Result<(), String> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| format!("its folder cannot be made: {e}"))?;
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
        Ok(found) if !found.file_type().is_socket() => {
            return Err("there is a file of that name that is no socket; it stays".into());
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err("another switch is running there. Stop it, or give this one its own \
                      `data` folder"
            .into()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|e| format!("an old socket cannot be removed: {e}"))
        }
        Err(error) => Err(error.to_string()),
    }
}
