//! Filters of lists: comparisons joined by AND, the part of AIP-160 that `admin.proto` describes.

mod lexer;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, cmp::Ordering};

use itertools::Itertools;

use crate::config::limits;
use lexer::{Lexer, Token};

/// A field that a list may be filtered by, and what it holds.
pub(super) type Field = (&'static str, Kind);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Boolean,
}

/// What a field of one entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Boolean(bool),
}

/// Which entries of a list are wanted; all, where the text was empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    comparisons: Vec<Comparison>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    field: &'static str,
    operator: Operator,
    operand: Operand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Text(String),
    /// What a text begins with.
    Prefix(String),
    Number(i64),
    Boolean(bool),
}

/// Why a text is no filter, for people; it follows the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("must be at most {} bytes long", limits::FILTER_BYTES)]
    TooLong,
    #[error("is not understood at character {at}: {what}")]
    At {
        /// From 1.
        at: usize,
        what: String,
    },
}

impl Filter {
    /// Reads a filter of `fields`.
    ///
    /// # Errors
    /// [`Fault`], if it is none: what is wrong, and where.
    pub(super) fn parse(text: &str, fields: &[Field]) -> Result<Self, Fault> {
        if text.len() > limits::FILTER_BYTES {
            return Err(Fault::TooLong);
        }
        let mut comparisons = Vec::new();
        let mut lexer = Lexer::new(text);
        while let Some(token) = lexer.next()? {
            comparisons.push(Comparison::parse(token, &mut lexer, fields)?);
            match lexer.next()? {
                None => break,
                Some(Token::Word("AND")) if !lexer.is_at_end() => {}
                Some(Token::Word("AND")) => {
                    return Err(lexer.fault("a comparison must follow this AND"));
                }
                Some(_) => {
                    return Err(lexer.fault("AND is expected, which alone joins comparisons"));
                }
            }
        }
        Ok(Self { comparisons })
    }

    /// Whether an entry is wanted whose fields hold `value`, each of the kind that [`Filter::parse`] was told.
    pub(super) fn matches<'a>(&self, value: impl Fn(&str) -> Value<'a>) -> bool {
        self.comparisons.iter().all(|comparison| comparison.holds(&value(comparison.field)))
    }

    /// The text that a field must be, if one is named: so a list can look there only.
    pub(super) fn equal(&self, field: &str) -> Option<&str> {
        self.operands(field).find_map(|operand| match operand {
            Operand::Text(text) => Some(&**text),
            Operand::Prefix(_) | Operand::Number(_) | Operand::Boolean(_) => None,
        })
    }

    /// What a field must begin with, if that is said: so a list can begin and end there.
    pub(super) fn prefix_of(&self, field: &str) -> Option<&str> {
        self.operands(field).find_map(|operand| match operand {
            Operand::Prefix(prefix) => Some(&**prefix),
            Operand::Text(_) | Operand::Number(_) | Operand::Boolean(_) => None,
        })
    }

    /// What a field must be equal to.
    fn operands(&self, field: &str) -> impl Iterator<Item = &Operand> {
        let comparisons = self.comparisons.iter();
        let equal = comparisons
            .filter(move |it| it.field == field && matches!(it.operator, Operator::Equal));
        equal.map(|comparison| &comparison.operand)
    }
}

impl Comparison {
    /// The one that begins with the token `first`.
    fn parse(first: Token<'_>, lexer: &mut Lexer<'_>, fields: &[Field]) -> Result<Self, Fault> {
        let known = || fields.iter().map(|(name, _)| name).join(", ");
        let Token::Word(name) = first else {
            return Err(lexer.fault(format!("a field is expected, one of {}", known())));
        };
        let Some(&(field, kind)) = fields.iter().find(|(field, _)| *field == name) else {
            let name = shown(name);
            return Err(lexer.fault(format!("there is no field {name}, only {}", known())));
        };
        let Some(Token::Operator(operator)) = lexer.next()? else {
            return Err(lexer.fault(format!("a sign is expected, {}", kind.operators())));
        };
        if kind != Kind::Number && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err(lexer.fault(format!("{field} is compared with {}", kind.operators())));
        }
        let value = lexer.next()?;
        let operand = value.and_then(|value| kind.operand(value));
        let operand = operand
            .ok_or_else(|| lexer.fault(format!("{field} is compared with {}", kind.values())))?;
        Ok(Self { field, operator, operand })
    }

    fn holds(&self, value: &Value<'_>) -> bool {
        let order = match (value, &self.operand) {
            (Value::Text(value), Operand::Text(text)) => (**value).cmp(text),
            (Value::Text(value), Operand::Prefix(prefix)) if value.starts_with(prefix) => {
                Ordering::Equal
            }
            (Value::Text(value), Operand::Prefix(prefix)) => (**value).cmp(prefix),
            (Value::Number(value), Operand::Number(number)) => value.cmp(number),
            (Value::Boolean(value), Operand::Boolean(truth)) => value.cmp(truth),
            (Value::Text(_) | Value::Number(_) | Value::Boolean(_), _) => return false,
        };
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Kind {
    fn operators(self) -> &'static str {
        match self {
            Self::Text | Self::Boolean => "= or !=",
            Self::Number => "one of =, !=, <, <=, > and >=",
        }
    }

    fn values(self) -> &'static str {
        match self {
            Self::Text => {
                "a text; one with spaces or signs in it goes in quotes, and so do AND, OR, NOT"
            }
            Self::Number => "a whole number",
            Self::Boolean => "true or false",
        }
    }

    fn operand(self, value: Token<'_>) -> Option<Operand> {
        match (self, value) {
            (_, Token::Operator(_) | Token::Word("AND" | "OR" | "NOT")) => None,
            (Self::Text, Token::Word(word)) => Some(match word.strip_suffix('*') {
                Some(prefix) => Operand::Prefix(prefix.to_owned()),
                None => Operand::Text(word.to_owned()),
            }),
            (Self::Text, Token::Quoted { text, is_prefix: true }) => Some(Operand::Prefix(text)),
            (Self::Text, Token::Quoted { text, is_prefix: false }) => Some(Operand::Text(text)),
            (Self::Number, Token::Word(word)) => word.parse().map(Operand::Number).ok(),
            (Self::Boolean, Token::Word(word)) => word.parse().map(Operand::Boolean).ok(),
            (Self::Number | Self::Boolean, Token::Quoted { .. }) => None,
        }
    }
}

/// Enough of a word to find it again.
fn shown(word: &str) -> String {
    const CHARS: usize = 40;
    let mut chars = word.chars();
    let start: String = chars.by_ref().take(CHARS).collect();
    if chars.next().is_some() { start + "…" } else { start }
}
