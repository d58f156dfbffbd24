//! Expressions cut into tokens. Keywords are names here: only the parser knows where they mean something.

use super::item::invalid;
use crate::error::AwsError;

/// The longest expression that DynamoDB takes.
const EXPRESSION_BYTES_MAX: usize = 4096;

/// One token of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A bare word: attribute name, function or keyword.
    Word(String),
    /// `#name`, with its sign.
    Name(String),
    /// `:value`, with its sign.
    Value(String),
    /// A list index.
    Index(usize),
    Symbol(&'static str),
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 14] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-"];

/// Cuts an expression into tokens.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, AwsError> {
    if text.trim().is_empty() {
        return Err(invalid("Invalid expression: The expression can not be empty;"));
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(invalid("Invalid expression: Expression size has exceeded the maximum allowed size;"));
    }
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first == '#' || first == ':' {
            let length = 1 + word_length(&rest[1..]);
            let text = rest[..length].to_owned();
            if length == 1 {
                return Err(unexpected(rest));
            }
            (if first == '#' { Token::Name(text) } else { Token::Value(text) }, length)
        } else if first.is_ascii_digit() {
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            let index = rest[..length].parse().map_err(|_| unexpected(rest))?;
            (Token::Index(index), length)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = word_length(rest);
            (Token::Word(rest[..length].to_owned()), length)
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|s| rest.starts_with(s)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            return Err(unexpected(rest));
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

fn unexpected(rest: &str) -> AwsError {
    let near: String = rest.chars().take(16).collect();
    invalid(format!("Invalid expression: Syntax error; token: \"{near}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_expression_is_cut_into_tokens() {
        assert_eq!(
            tokens("#a.b[12]<=:v AND(x<>:w)").unwrap(),
            vec![
                Token::Name("#a".into()),
                Token::Symbol("."),
                Token::Word("b".into()),
                Token::Symbol("["),
                Token::Index(12),
                Token::Symbol("]"),
                Token::Symbol("<="),
                Token::Value(":v".into()),
                Token::Word("AND".into()),
                Token::Symbol("("),
                Token::Word("x".into()),
                Token::Symbol("<>"),
                Token::Value(":w".into()),
                Token::Symbol(")"),
            ]
        );
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "  ", "a ! b", "a = #", "a = :", "a = 'x'", "é = :v"] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// No text makes the tokenizer panic.
        #[test]
        fn any_text_is_tokens_or_an_error(text in "\\PC{0,64}") {
            let _ = tokens(&text);
        }
    }
}
