//! Secrets that the server shares with another program, whatever they are for: long enough, and not out of a manual.

use std::{fmt, path::Path};

use super::{Unguarded, limits, read_guarded};

/// What stands in manuals and examples where a secret is to be put, in small letters: of 32 bytes and more, or said
/// again and again until it has them.
const EXAMPLES: [&str; 24] = [
    "00112233445566778899aabbccddeeff",
    "0123456789",
    "0123456789abcdef",
    "1234567890",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    // RFC 7515, appendix A.1.
    "aym1sysppbydfgzld3umj1qzkobwvmkoqq-estjqlr_t-1qs0gzh75aktmn3yj0ips4hcguutwjazzr1z9caow",
    "change-me",
    "changeme",
    "deadbeef",
    "default",
    "example",
    "my-secret",
    "mysecret",
    "password",
    "secret",
    "supersecret",
    "your-256-bit-secret",
    "your-secret-key-that-is-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "yoursecret",
];
/// The fewest different bytes that a secret is made of.
const LEAST_VARIETY: usize = 3;

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
    /// It is a key of another kind.
    #[error("it is a key in PEM, and no secret to share; --jwt-public-key-file is for public ones")]
    Pem,
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
    /// Reads the file of a flag. One line end behind the secret is none of it; everything else is.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn read(flag: &str, file: &Path) -> Result<Self, BadSecret> {
        let bytes = read_guarded(flag, file, true)?;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        Self::of(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Takes the secret as it is.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn of(bytes: &[u8]) -> Result<Self, BadSecret> {
        if bytes.starts_with(b"-----BEGIN ") {
            return Err(BadSecret::Pem);
        }
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

/// Whether a secret is one that somebody would try. What only looks like one of those is not refused: it may be random
/// for the rest.
fn is_an_example(secret: &[u8]) -> bool {
    let text = secret.to_ascii_lowercase();
    let variety = (0..=u8::MAX).filter(|byte| secret.contains(byte)).count();
    let says_again = |example: &str| {
        text.chunks(example.len()).all(|chunk| example.as_bytes().starts_with(chunk))
    };
    variety < LEAST_VARIETY || EXAMPLES.into_iter().any(says_again)
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
    fn a_secret_is_what_its_file_holds_without_one_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let (file, made) = (folder.path().join("secret"), "9c1185a5c5e9fc54612808977ee8f548 ");
        let read = |end: &str| {
            std::fs::write(&file, format!("{made}{end}")).unwrap();
            Secret::read("--secret", &file)
        };
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(end).unwrap().bytes(), made.as_bytes(), "{end:?}");
        }
        for end in ["\n\n", "\nmore\n"] {
            assert!(matches!(read(end), Err(BadSecret::Lines)), "{end:?}");
        }
    }

    #[test]
    fn short_and_well_known_secrets_are_refused_and_none_is_repeated() {
        let made = "9c1185a5c5e9fc54612808977ee8f548b2258d31";
        let secret = Secret::of(made.as_bytes()).unwrap();
        assert_eq!((secret.bytes(), &*format!("{secret:?}")), (made.as_bytes(), "Secret(..)"));
        for fine in ["planted-secret-0123456789abcdef-example", "abcabcabcabcabcabcabcabcabcabcabc"]
        {
            assert!(Secret::of(fine.as_bytes()).is_ok(), "{fine}");
        }
        for (text, mend) in [
            (&made[..31], "fewer than 32 bytes"),
            ("-----BEGIN PRIVATE KEY-----\nabcdefghijklmnopqrstuvwxyz", "in PEM"),
            ("CHANGEMECHANGEMECHANGEMECHANGEME", "examples"),
            ("00000000000000000000000000000000000001111111", "examples"),
            ("", "fewer than 32 bytes"),
            (&made.replace("61", "\n"), "more than one line"),
            ("a-string-secret-at-least-256-bits-long", "examples"),
            ("ChangeMeChangeMeChangeMeChangeMe", "examples"),
            ("secretsecretsecretsecretsecretsec", "examples"),
            ("ababababababababababababababababab", "examples"),
        ] {
            let fault = Secret::of(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(mend), "{text}: {fault}");
            assert!(text.is_empty() || !fault.contains(text));
        }
    }
}
