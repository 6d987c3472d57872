//! The flags of the administrators' door.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser},
};

/// What every administrator's token begins with, so that one is known for what it is wherever it turns up.
pub const ADMIN_TOKEN_PREFIX: &str = "sp_admin_";

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Args)]
pub struct AdminDoor {
    /// Who may administer: a file with a line for each, of a name, a role (viewer or admin) and what shows who it
    /// is. `signalpost gen-token admin` makes a token and its line. Without it, all who reach --admin-listen may.
    #[arg(long, env = "SIGNALPOST_ADMIN_TOKEN_FILE", value_name = "FILE", value_parser = OsStringValueParser::new().try_map(file_of_secrets))]
    pub admin_token_file: Option<PathBuf>,
}

/// Whether a word is or holds a token, which must not be repeated.
pub(super) fn may_hold_token(word: &str) -> bool {
    word.to_ascii_lowercase().contains(ADMIN_TOKEN_PREFIX)
}

/// An argument is seen by everyone on the machine.
fn file_of_secrets(value: OsString) -> Result<PathBuf, &'static str> {
    if may_hold_token(&value.to_string_lossy()) {
        return Err(
            "it is a token itself, which others can read in the list of processes; write the \
                    line of `signalpost gen-token admin` to a file and name that",
        );
    }
    Ok(value.into())
}
