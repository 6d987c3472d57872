//! The file of `--admin-token-file`, and its renewal while the server runs.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use super::credentials::{BadLine, Credentials};
use crate::{config::limits, telemetry::Tally};

/// Why nobody could be asked for a credential. Each text names the flag and the mend.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("--admin-token-file {file:?}: {error}; name a file with a line for each administrator")]
    Unreadable {
        /// The flag's value.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is in it cannot be read.
    #[error("--admin-token-file {file:?}: {fault}")]
    BadLine {
        /// The flag's value.
        file: PathBuf,
        /// Where, and the mend.
        fault: BadLine,
    },
}

/// See the module. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct TokenFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    credentials: watch::Sender<Arc<Credentials>>,
    /// Calls that were refused because nobody knows who they are from.
    refused: Tally,
}

impl TokenFile {
    /// Reads it.
    ///
    /// # Errors
    /// [`TokenFileError`].
    pub fn open(file: &Path) -> Result<Self, TokenFileError> {
        let credentials = watch::Sender::new(read(file)?);
        let refused = Tally::new("calls to the admin API had no credential that is taken");
        Ok(Self(Arc::new(Inner { file: file.to_owned(), credentials, refused })))
    }

    /// Reads it anew. Calls from now on are measured by what it holds, and streams end whose administrator it no
    /// longer has.
    ///
    /// # Errors
    /// [`TokenFileError`]; then what it held before holds on.
    pub fn reload(&self) -> Result<(), TokenFileError> {
        self.0.credentials.send_replace(read(&self.0.file)?);
        Ok(())
    }

    /// Says how many calls were refused since it was last said, if any.
    pub fn say_refusals(&self) {
        self.0.refused.say();
    }

    pub(super) fn count_refusal(&self) {
        self.0.refused.count();
    }

    pub(super) fn credentials(&self) -> watch::Receiver<Arc<Credentials>> {
        self.0.credentials.subscribe()
    }
}

fn read(file: &Path) -> Result<Arc<Credentials>, TokenFileError> {
    let unreadable = |error| TokenFileError::Unreadable { file: file.to_owned(), error };
    let text = read_text(file).map_err(unreadable)?;
    let bad = |fault| TokenFileError::BadLine { file: file.to_owned(), fault };
    text.parse().map(Arc::new).map_err(bad)
}

fn read_text(file: &Path) -> io::Result<String> {
    if std::fs::metadata(file)?.len() > limits::ADMIN_FILE_BYTES {
        return Err(io::Error::other("it is longer than 256 KiB"));
    }
    std::fs::read_to_string(file)
}
