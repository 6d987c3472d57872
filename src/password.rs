//! A password as somebody typed it: checked once at the edge, never shown, and wiped from memory when it is dropped.

use std::{fmt, str::FromStr};

use icu_normalizer::ComposingNormalizerBorrowed;
use zeroize::Zeroizing;

use crate::{config::limits, id::is_longer};

/// 1 to [`limits::PASSWORD_CHARS`] characters. Brought into one form (RFC 8265, section 4.2), as keyboards differ in
/// how they say the same: every space is U+0020, and letters are composed with their accents (NFC).
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text cannot be a password. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Nothing between the quotes.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`limits::PASSWORD_CHARS`].
    #[error("must be at most {} characters long", limits::PASSWORD_CHARS)]
    TooLong,
}

impl Password {
    /// What is hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Password {
    type Err = InvalidPassword;

    fn from_str(text: &str) -> Result<Self, InvalidPassword> {
        if text.is_empty() {
            return Err(InvalidPassword::Empty);
        }
        // Before it is composed, where each may be some: no more is looked at than could fit.
        if is_longer(text, 4 * limits::PASSWORD_CHARS) {
            return Err(InvalidPassword::TooLong);
        }
        // As long as it can become (UAX #15), so that no part of it is left behind where it grows.
        let mut password = Zeroizing::new(String::with_capacity(3 * text.len()));
        let spaced = text.chars().map(|c| if is_space(c) { ' ' } else { c });
        password.extend(ComposingNormalizerBorrowed::new_nfc().normalize_iter(spaced));
        if is_longer(&password, limits::PASSWORD_CHARS) {
            return Err(InvalidPassword::TooLong);
        }
        Ok(Self(password))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Whether it is in Unicode's category Zs.
fn is_space(c: char) -> bool {
    c == '\u{1680}'
        || c == '\u{3000}'
        || c == '\u{202f}'
        || c == '\u{205f}'
        || c == '\u{a0}'
        || ('\u{2000}'..='\u{200a}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_128_characters_at_most() {
        let longest = "語".repeat(limits::PASSWORD_CHARS);
        assert_eq!(longest.parse::<Password>().unwrap().as_bytes(), longest.as_bytes());
        let of = |text: &str| text.parse::<Password>().map(|_| ()).unwrap_err();
        assert_eq!(of(&format!("{longest}x")), InvalidPassword::TooLong);
        let composed = "é".repeat(limits::PASSWORD_CHARS).parse::<Password>().unwrap();
        let typed = "e\u{301}".repeat(limits::PASSWORD_CHARS);
        assert_eq!(typed.parse::<Password>().unwrap().as_bytes(), composed.as_bytes());
        assert_eq!(of(&format!("{typed}x")), InvalidPassword::TooLong);
        assert_eq!(of(""), InvalidPassword::Empty);
    }

    #[test]
    fn the_same_letters_are_the_same_password_whatever_keyboard_says_them() {
        for (said, kept) in [
            ("cafe\u{301}", "caf\u{e9}"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("a\u{3000}b\u{a0}c d", "a b c d"),
            (" Two  spaces ", " Two  spaces "),
            ("\u{212b}", "\u{e5}".to_uppercase().as_str()),
            // Compatible only: not the same letters.
            ("\u{fb01}", "\u{fb01}"),
            // The one that grows most.
            ("\u{1d160}", "\u{1d158}\u{1d165}\u{1d16e}"),
        ] {
            assert_eq!(said.parse::<Password>().unwrap().as_bytes(), kept.as_bytes(), "{said}");
        }
    }

    #[test]
    fn it_is_never_shown() {
        let password: Password = "hunter2".parse().unwrap();
        assert_eq!(format!("{password:?} {:?}", Some(&password)), "Password(…) Some(Password(…))");
    }
}
