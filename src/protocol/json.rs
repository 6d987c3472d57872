//! JSON that is checked and not read (RFC 8259): the members of an object, each value left as its text.
//!
//! It takes what serde_json takes and nothing else; the tests hold the two together. It is here because
//! relaying an offer spent most of its time in serde_json's pass over what nobody here reads.

use std::borrow::Cow;

use thiserror::Error;
use wide::u8x16;

/// The text of one JSON value, checked, without space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// The one value that `text` is, if it is one.
    pub fn of(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner { text, rest: text.as_bytes() };
        let value = scanner.value()?;
        scanner.end().then_some(value)
    }

    /// The text.
    pub fn get(self) -> &'a str {
        self.0
    }

    /// What stands between its quotation marks, its escapes unread; None where it is no string.
    pub(super) fn quoted(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// What the string says, its escapes read.
    pub(super) fn string(self) -> Result<Cow<'a, str>, NoString> {
        let text = self.quoted().ok_or(NoString::OtherType)?;
        if text.as_bytes().contains(&b'\\') {
            let read = serde_json::from_str(self.0).map(Cow::Owned);
            return read.map_err(|_| NoString::LoneSurrogate);
        }
        Ok(Cow::Borrowed(text))
    }
}

/// Why a value is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NoString {
    #[error("must be a string")]
    OtherType,
    /// JSON can hold half a character, Rust's strings cannot (RFC 8259, section 8.2).
    #[error("is not valid Unicode")]
    LoneSurrogate,
}

/// Passes each member of the object that `text` is to `member`, its name as a JSON string. None where
/// `text` is no object, or `member` says None.
pub(super) fn members<'a>(
    text: &'a str,
    mut member: impl FnMut(Json<'a>, Json<'a>) -> Option<()>,
) -> Option<()> {
    let mut scanner = Scanner { text, rest: text.as_bytes() };
    if scanner.token()? != b'{' {
        return None;
    }
    if !scanner.eats(b'}') {
        loop {
            let name = scanner.name()?;
            member(name, scanner.value()?)?;
            match scanner.token()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
    }
    scanner.end().then_some(())
}

struct Scanner<'a> {
    text: &'a str,
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// A loop and no recursion: how deep a message nests is up to its sender, and the stack is not.
    fn value(&mut self) -> Option<Json<'a>> {
        self.space();
        let start = self.at();
        // What the value stands in, `{` or `[`, and what that stands in. Few need the list.
        let (mut within, mut without) = (None, Vec::new());
        loop {
            match self.token()? {
                open @ (b'{' | b'[') if !self.eats(open + 2) => {
                    without.extend(within.replace(open));
                    if open == b'{' {
                        self.name()?;
                    }
                    continue;
                }
                b'{' | b'[' => {}
                b'"' => self.string()?,
                b'-' => {
                    let digit = self.next()?;
                    self.number(digit)?;
                }
                digit @ b'0'..=b'9' => self.number(digit)?,
                b't' => self.literal("rue")?,
                b'f' => self.literal("alse")?,
                b'n' => self.literal("ull")?,
                _ => return None,
            }
            // Whatever ends with this value ends too.
            while let Some(open) = within {
                match self.token()? {
                    b',' => {
                        if open == b'{' {
                            self.name()?;
                        }
                        break;
                    }
                    close if close == open + 2 => within = without.pop(),
                    _ => return None,
                }
            }
            if within.is_none() {
                return Some(Json(&self.text[start..self.at()]));
            }
        }
    }

    /// A member's name and the colon after it.
    fn name(&mut self) -> Option<Json<'a>> {
        if self.token()? != b'"' {
            return None;
        }
        let start = self.at() - 1;
        self.string()?;
        let name = Json(&self.text[start..self.at()]);
        (self.token()? == b':').then_some(name)
    }

    /// What follows the opening quotation mark. Most strings are names and short: they end in the first block.
    #[inline]
    fn string(&mut self) -> Option<()> {
        // Where all of the block stands for itself, the byte behind it is the one to look at.
        let at = (specials(self.rest) | 1 << LANES).trailing_zeros() as usize;
        if self.rest.get(at) == Some(&b'"') {
            self.rest = &self.rest[at + 1..];
            return Some(());
        }
        self.long_string()
    }

    #[inline(never)]
    fn long_string(&mut self) -> Option<()> {
        loop {
            self.rest = &self.rest[plain(self.rest)..];
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => {
                    if self.escape()? == b'n' {
                        self.rest = &self.rest[lines(self.rest)..];
                    }
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<u8> {
        let escaped = self.next()?;
        match escaped {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(escaped),
            b'u' => {
                let (hex, rest) = self.rest.split_at_checked(4)?;
                self.rest = rest;
                hex.iter().all(u8::is_ascii_hexdigit).then_some(escaped)
            }
            _ => None,
        }
    }

    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => {}
            b'1'..=b'9' => {
                self.digits();
            }
            _ => return None,
        }
        if let Some(rest) = self.rest.strip_prefix(b".") {
            self.rest = rest;
            self.digits().then_some(())?;
        }
        if let [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits().then_some(())?;
        }
        Some(())
    }

    fn digits(&mut self) -> bool {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = &self.rest[digits..];
        digits > 0
    }

    fn literal(&mut self, rest: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(rest.as_bytes())?;
        Some(())
    }

    /// The next byte that is no space.
    fn token(&mut self) -> Option<u8> {
        self.space();
        self.next()
    }

    fn eats(&mut self, token: u8) -> bool {
        self.space();
        let found = self.rest.first() == Some(&token);
        self.rest = &self.rest[usize::from(found)..];
        found
    }

    fn end(&mut self) -> bool {
        self.space();
        self.rest.is_empty()
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }
}

const LANES: usize = 16;

/// How many bytes from the first on stand for themselves in a string.
fn plain(bytes: &[u8]) -> usize {
    let mut passed = 0;
    loop {
        match specials(&bytes[passed..]) {
            0 => passed += LANES,
            special => return passed + special.trailing_zeros() as usize,
        }
    }
}

/// Which of the next bytes do not stand for themselves in a string, a bit for each from the lowest on.
#[inline]
fn specials(bytes: &[u8]) -> u32 {
    // The zeros behind the last bytes are control characters, which no string holds.
    let block = bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [0; LANES];
        block[..bytes.len()].copy_from_slice(bytes);
        block
    });
    let block = u8x16::from(block);
    (ends(block) | block.simd_eq(each(b'\\'))).to_bitmask()
}

/// About how many bytes from the first on stand for themselves or are line ends, `\r` and `\n`, of which an SDP
/// has a pair in each line: with no branch for each of them. Rounded down.
fn lines(bytes: &[u8]) -> usize {
    const BLOCK_BYTES: usize = 4 * LANES;
    let mut passed = 0;
    while let Some(block) = bytes[passed..].first_chunk::<{ BLOCK_BYTES + 1 }>() {
        let (these, _) = block[..BLOCK_BYTES].as_chunks();
        let (followers, _) = block[1..].as_chunks();
        let special = |nth: usize| {
            let (block, follower) = (u8x16::from(these[nth]), u8x16::from(followers[nth]));
            let line_end = follower.simd_eq(each(b'r')) | follower.simd_eq(each(b'n'));
            ends(block) | (block.simd_eq(each(b'\\')) & !line_end)
        };
        if (special(0) | special(1) | special(2) | special(3)).any() {
            break;
        }
        passed += BLOCK_BYTES;
    }
    passed
}

/// Where a string ends, in order or not.
fn ends(block: u8x16) -> u8x16 {
    block.simd_eq(each(b'"')) | block.min(each(b' ' - 1)).simd_eq(block)
}

fn each(byte: u8) -> u8x16 {
    u8x16::splat(byte)
}

#[cfg(test)]
mod tests;
