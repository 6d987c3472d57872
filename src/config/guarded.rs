//! Files that hold keys, or say whose keys count: nobody else may write them, or had better read them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::limits;

const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;

/// Why such a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unguarded {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Whoever is on the machine may change it.
    #[error(
        "others can write it, and so say whose keys count; take that from them with `chmod o-w`"
    )]
    Writable,
    /// It is a directory, a device, a socket or a pipe, which might keep whoever reads it waiting for ever.
    #[error("it is no regular file")]
    NotRegular,
    /// It is no such file.
    #[error("it is longer than 1 MiB, which no such file is")]
    TooLong,
}

/// What such a file holds. That others can read it is said in the log, if it `is_secret`.
///
/// # Errors
/// [`Unguarded`].
pub fn read_guarded(flag: &str, file: &Path, is_secret: bool) -> Result<Vec<u8>, Unguarded> {
    let opened = open(file)?;
    let mode = opened.metadata()?.permissions().mode();
    if mode & OTHERS_WRITE != 0 {
        return Err(Unguarded::Writable);
    }
    if is_secret && mode & OTHERS_READ != 0 {
        tracing::warn!("{flag} {file:?}: others can read it; take that from them with `chmod o-r`");
    }
    read(opened)
}

/// What a file holds that is for everybody to read, and counts only together with a guarded one.
///
/// # Errors
/// [`Unguarded`], but not for who can write it.
pub fn read_public(file: &Path) -> Result<Vec<u8>, Unguarded> {
    open(file).and_then(read)
}

fn open(file: &Path) -> Result<File, Unguarded> {
    // Or a pipe that nobody writes to would not even open.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(file)?;
    if opened.metadata()?.is_file() { Ok(opened) } else { Err(Unguarded::NotRegular) }
}

fn read(opened: File) -> Result<Vec<u8>, Unguarded> {
    let mut bytes = Vec::new();
    opened.take(limits::KEY_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    let fits = bytes.len() as u64 <= limits::KEY_FILE_BYTES;
    if fits { Ok(bytes) } else { Err(Unguarded::TooLong) }
}
