//! Who may administer: a file with a name, a role and a credential on each line, and nothing in it that lets anybody
//! in who reads it.
//!
//! ```text
//! # name     role    credential
//! dashboard  viewer  sha256:2f6f0d…
//! deploy     admin   cn:deploy.example.org
//! ops        admin   dn:CN=ops,O=Example
//! ```

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, str::FromStr};

use clap::ValueEnum;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::subject::Subject;
use crate::{config::limits, event::Administrator};

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// See everything, and change nothing.
    Viewer,
    /// Every call.
    Admin,
}

/// Everybody whom the file names.
#[derive(Debug)]
pub(super) struct Credentials {
    entries: Vec<Entry>,
    roles: HashMap<Administrator, Role>,
}

#[derive(Debug)]
struct Entry {
    name: Administrator,
    proof: Proof,
}

/// By what an administrator shows who it is.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// A token with this SHA-256. It needs no salt and no slow hash: it has 256 random bits.
    Token([u8; 32]),
    /// A certificate with this common name.
    CommonName(String),
    /// A certificate with this subject, as RFC 4514 writes it.
    Subject(String),
}

/// A line that cannot be read. What it says is not repeated: somebody may have put a token there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {fault}")]
pub struct BadLine {
    line: usize,
    fault: &'static str,
}

const FORM: &str = "must have a name, a role (viewer or admin) and one of sha256:HEX, cn:NAME and dn:SUBJECT; \
                    `signalpost gen-token admin` makes one";

impl Credentials {
    /// Whose token this is. Every entry is looked at, in the same time wherever it differs.
    pub(super) fn of_token(&self, token: &[u8]) -> Option<(&Administrator, Role)> {
        // What somebody thought up by hand is no token, whatever its digest.
        if token.len() < limits::LEAST_SECRET_BYTES {
            return None;
        }
        let shown: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for Entry { name, proof } in &self.entries {
            if let Proof::Token(digest) = proof
                && bool::from(digest.ct_eq(&shown))
            {
                found = Some(name);
            }
        }
        found.map(|name| (name, self.roles[name]))
    }

    /// Whose certificate names this.
    pub(super) fn of_subject(&self, subject: &Subject) -> Option<(&Administrator, Role)> {
        let fits = |entry: &&Entry| match &entry.proof {
            Proof::Token(_) => false,
            Proof::CommonName(name) => subject.common.as_ref() == Some(name),
            Proof::Subject(name) => subject.distinguished == *name,
        };
        let found = self.entries.iter().find(fits).filter(|_| subject.is_valid())?;
        Some((&found.name, self.roles[&found.name]))
    }

    /// Whether anybody is to show a certificate.
    pub(super) fn name_certificates(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.proof, Proof::Token(_)))
    }

    /// What an administrator may do, if there is one of that name.
    pub(super) fn role_of(&self, name: &Administrator) -> Option<Role> {
        self.roles.get(name).copied()
    }
}

impl FromStr for Credentials {
    type Err = BadLine;

    fn from_str(text: &str) -> Result<Self, BadLine> {
        let mut roles = HashMap::new();
        let mut entries = Vec::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let refuse = |fault| BadLine { line, fault };
            let (name, role, proof) = entry(text).map_err(refuse)?;
            if *roles.entry(name.clone()).or_insert(role) != role {
                return Err(refuse("gives a name another role than a line before it; it has one"));
            }
            if entries.iter().any(|entry: &Entry| entry.proof == proof) {
                return Err(refuse("has the credential of a line before it; each has its own"));
            }
            entries.push(Entry { name, proof });
        }
        if entries.is_empty() {
            return Err(BadLine { line: 1, fault: "and all others name nobody; add somebody" });
        }
        Ok(Self { entries, roles })
    }
}

/// A line of the file, for a token.
pub(crate) fn line_of(name: &Administrator, role: Role, token: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(token).into();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {role} sha256:{hex}")
}

fn entry(line: &str) -> Result<(Administrator, Role, Proof), &'static str> {
    let (name, rest) = line.split_once(char::is_whitespace).ok_or(FORM)?;
    let (role, proof) = rest.trim_start().split_once(char::is_whitespace).ok_or(FORM)?;
    let role = Role::from_str(role, false).map_err(|_| FORM)?;
    Ok((name.parse()?, role, proof.trim_start().parse()?))
}

impl FromStr for Proof {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.split_once(':').ok_or(FORM)? {
            ("sha256", hex) => Ok(Self::Token(digest(hex).ok_or(
                "must have 64 hexadecimal digits after sha256:, the SHA-256 of a token, and never the token",
            )?)),
            ("cn", name) if !name.is_empty() => Ok(Self::CommonName(name.to_owned())),
            ("dn", subject) if !subject.is_empty() => Ok(Self::Subject(subject.to_owned())),
            _ => Err(FORM),
        }
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(digest)
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        })
    }
}
