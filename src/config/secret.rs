//! Secrets that the server shares with another program, whatever they are for: long enough, and not out of a manual.

use std::{fmt, path::Path};

use super::{Unguarded, limits, read_guarded};

/// What stands in manuals and examples where a secret is to be put, in small letters. Each may be a part of one.
const EXAMPLES: [&str; 30] = [
    "0123456789abcdef",
    "abcdefghijklmnop",
    "change-me",
    "change_me",
    "changeme",
    "changethis",
    "correct horse battery staple",
    "example",
    "my-secret",
    "my_secret",
    "mysecret",
    "password",
    "placeholder",
    "qwertyuiop",
    "replace-me",
    "replace_me",
    "replaceme",
    "secret-at-least",
    "secret-key",
    "secret-that-is-at-least",
    "secret_key",
    "secretkey",
    "super-secret",
    "super_secret",
    "supersecret",
    "this-is-a",
    "this_is_a",
    "thisisa",
    "your-",
    "your_",
];
/// The fewest different bytes that a secret is made of: 16 random ones, as digits in hexadecimal, have more.
const LEAST_VARIETY: usize = 8;

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
        if is_an_example(bytes) {
            return Err(BadSecret::Known);
        }
        Ok(Self(bytes.into()))
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a secret is one that somebody would try.
pub fn is_an_example(secret: &[u8]) -> bool {
    let text = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let variety = (0..=u8::MAX).filter(|byte| secret.contains(byte)).count();
    let repeats = |unit: usize| secret.chunks(unit).all(|chunk| secret.starts_with(chunk));
    variety < LEAST_VARIETY
        || (1..=secret.len() / 2).any(repeats)
        || EXAMPLES.iter().any(|example| text.contains(example))
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
            ("9c1185a5c5e9fc549c1185a5c5e9fc54", "examples"),
        ] {
            let fault = Secret::of(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(mend), "{text}: {fault}");
            assert!(text.is_empty() || !fault.contains(text));
        }
    }
}
