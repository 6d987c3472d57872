//! Secrets that the server shares with another program: long enough, and not out of a manual.

use std::{fmt, path::Path};

use super::{Unguarded, limits, read_guarded};

/// What stands in manuals and examples where a secret is to be put, in small letters.
const EXAMPLES: [&str; 11] = [
    "0123456789abcdef",
    "change-me",
    "change_me",
    "changeme",
    "changethis",
    "example",
    "password",
    "replace",
    "secret-at-least",
    "your-",
    "your_",
];
/// As many different bytes has every secret that was made by chance.
const LEAST_DIFFERENT: usize = 8;

/// See the module. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

/// Why a file holds no secret that is taken. The texts repeat nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    /// It cannot be read.
    #[error("{0}; name a file that holds the secret, on one line")]
    Unreadable(#[from] Unguarded),
    /// Which of several would it be?
    #[error("it has more than one line; name a file that holds the secret alone")]
    Lines,
    /// It could be found by trying.
    #[error(
        "the secret has fewer than {} bytes; make one with `openssl rand -hex 32`",
        limits::LEAST_SECRET_BYTES
    )]
    Short,
    /// Others know it.
    #[error(
        "the secret is one of those that stand in examples, or as easy to guess; make one with `openssl rand -hex 32`"
    )]
    Known,
}

impl Secret {
    /// Reads the file of a flag. A line end behind the secret is none of it.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn read(flag: &str, file: &Path) -> Result<Self, BadSecret> {
        Self::of(read_guarded(flag, file, true)?.trim_ascii_end())
    }

    /// Takes the secret as it is.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn of(bytes: &[u8]) -> Result<Self, BadSecret> {
        if bytes.contains(&b'\n') {
            return Err(BadSecret::Lines);
        }
        if bytes.len() < limits::LEAST_SECRET_BYTES {
            return Err(BadSecret::Short);
        }
        let small = bytes.to_ascii_lowercase();
        let holds =
            |example: &&str| small.windows(example.len()).any(|part| part == example.as_bytes());
        let different = (0..=u8::MAX).filter(|byte| bytes.contains(byte)).count();
        if EXAMPLES.iter().any(holds) || different < LEAST_DIFFERENT {
            return Err(BadSecret::Known);
        }
        Ok(Self(bytes.into()))
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_well_known_secrets_are_refused_and_none_is_repeated() {
        let made = "9c1185a5c5e9fc54612808977ee8f548b2258d31";
        let secret = Secret::of(made.as_bytes()).unwrap();
        assert_eq!((secret.bytes(), &*format!("{secret:?}")), (made.as_bytes(), "Secret(..)"));
        for (text, mend) in [
            (&made[..31], "fewer than 32 bytes"),
            ("", "fewer than 32 bytes"),
            (&made.replace("61", "\n"), "more than one line"),
            ("a-string-secret-at-least-256-bits-long", "examples"),
            ("ChangeMe-9c1185a5c5e9fc54612808977ee8f548", "examples"),
            ("abcabcabcabcabcabcabcabcabcabcabc", "examples"),
        ] {
            let fault = Secret::of(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(mend), "{text}: {fault}");
            assert!(text.is_empty() || !fault.contains(text));
        }
    }
}
