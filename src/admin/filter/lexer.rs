//! A filter's text as words, quoted texts and signs.

use super::{Fault, Operator};

/// One of them. Words are as they stand: names, numbers, keywords, and texts without quotes.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Quoted {
        /// What is meant: without quotes and escapes, and without the `*` at the end.
        text: String,
        /// Whether a `*` stood at the end.
        is_prefix: bool,
    },
    Operator(Operator),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// What is not read yet.
    rest: &'a str,
    /// Where the last token began, in bytes.
    began: usize,
}

/// What ends a word, beside white space.
const SIGNS: &[char] = &['"', '\'', '=', '!', '<', '>', '(', ')'];

/// The longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, rest: text, began: 0 }
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        self.rest = self.rest.trim_start();
        self.began = self.text.len() - self.rest.len();
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        if let Some(quoted) = self.rest.strip_prefix(['"', '\'']) {
            self.rest = quoted;
            return self.quoted(first).map(Some);
        }
        for (sign, operator) in OPERATORS {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return Ok(Some(Token::Operator(operator)));
            }
        }
        let end = self.rest.find(|c: char| c.is_whitespace() || SIGNS.contains(&c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err(self.fault(format!("{first} has no meaning here; put texts in quotes")));
        }
        self.rest = rest;
        Ok(Some(Token::Word(word)))
    }

    /// The rest of a text that began with `quote`.
    fn quoted(&mut self, quote: char) -> Result<Token<'a>, Fault> {
        let (mut text, mut is_prefix) = (String::new(), false);
        let mut chars = self.rest.chars();
        while let Some(next) = chars.next() {
            if next == quote {
                self.rest = chars.as_str();
                if is_prefix {
                    text.pop();
                }
                return Ok(Token::Quoted { text, is_prefix });
            }
            is_prefix = next == '*';
            text.push(match next {
                '\\' => match chars.next() {
                    Some(escaped @ ('"' | '\'' | '\\' | '*')) => escaped,
                    _ => {
                        let known = r#"after \ in quotes stands one of \, ", ' and *"#;
                        return Err(self.fault(known));
                    }
                },
                plain => plain,
            });
        }
        Err(self.fault(format!("a text begins here that no {quote} ends")))
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.trim_start().is_empty()
    }

    /// Something is wrong with the last token.
    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        let at = self.text[..self.began].chars().count() + 1;
        Fault::At { at, what: what.into() }
    }
}
