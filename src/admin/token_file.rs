//! The file of `--admin-token-file`, and its renewal while the server runs.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use super::credentials::{BadLine, Credentials};
use crate::{
    config::{AdminDoor, Config, Unguarded, read_guarded},
    telemetry::Tally,
};

/// Why nobody could be asked for a credential. Each text names the flag and the mend.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("--admin-token-file {file:?}: {error}; name a file with a line for each administrator")]
    Unreadable {
        /// The flag's value.
        file: PathBuf,
        /// What the system says.
        error: Unguarded,
    },
    /// Certificates would never be asked for.
    #[error(
        "--admin-token-file {0:?} has lines with cn: or dn:, and nobody is asked for a certificate; give \
         --admin-client-ca, or take them out"
    )]
    NoClientCa(PathBuf),
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
    may_name_certificates: bool,
    credentials: watch::Sender<Arc<Credentials>>,
    /// Calls that were refused because nobody knows who they are from.
    refused: Tally,
}

impl TokenFile {
    /// Reads it, if the flags name one.
    ///
    /// # Errors
    /// [`TokenFileError`].
    pub fn of(config: &Config) -> Result<Option<Self>, TokenFileError> {
        let AdminDoor { admin_token_file, admin_client_ca, .. } = &config.admin_door;
        let Some(file) = admin_token_file.clone() else { return Ok(None) };
        let may_name_certificates = admin_client_ca.is_some();
        let credentials = watch::Sender::new(read(&file, may_name_certificates)?);
        let refused = Tally::new("calls to the admin API had no credential that is taken");
        Ok(Some(Self(Arc::new(Inner { file, may_name_certificates, credentials, refused }))))
    }

    /// Reads it anew. Calls from now on are measured by what it holds, and streams end whose administrator it no
    /// longer has.
    ///
    /// # Errors
    /// [`TokenFileError`]; then what it held before holds on.
    pub fn reload(&self) -> Result<(), TokenFileError> {
        self.0.credentials.send_replace(self.0.read()?);
        Ok(())
    }

    /// The flag's value.
    pub fn file(&self) -> &Path {
        &self.0.file
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

impl Inner {
    fn read(&self) -> Result<Arc<Credentials>, TokenFileError> {
        read(&self.file, self.may_name_certificates)
    }
}

fn read(file: &Path, may_name_certificates: bool) -> Result<Arc<Credentials>, TokenFileError> {
    let unreadable = |error| TokenFileError::Unreadable { file: file.to_owned(), error };
    let bytes = read_guarded("--admin-token-file", file, true).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other);
    let text = text.map_err(|error| unreadable(error.into()))?;
    let bad = |fault| TokenFileError::BadLine { file: file.to_owned(), fault };
    let credentials: Credentials = text.parse().map_err(bad)?;
    if credentials.name_certificates() && !may_name_certificates {
        return Err(TokenFileError::NoClientCa(file.to_owned()));
    }
    Ok(Arc::new(credentials))
}
