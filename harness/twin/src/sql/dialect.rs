//! AWS's SQL for the parser: texts in either kind of quotes, `SELECT VALUE`, object literals; and the bound on what is
//! parsed at all.

use sqlparser::{
    ast::{Expr, Ident},
    dialect::Dialect,
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Token, Tokenizer},
};

use super::refused;
use crate::error::AwsError;

/// AWS's longest statement.
const STATEMENT_CHARS_MAX: usize = 18_000;
/// Operators in a statement. The parser's tree of a chain of them is as deep as the chain is long.
const OPERATORS_MAX: usize = 200;
/// How an expression begins that `VALUE` stands before.
pub(super) const VALUE: &str = "VALUE";

#[derive(Debug)]
pub(super) struct IotSql;

impl Dialect for IotSql {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    // Text in double quotes is a text, no name.
    fn is_delimited_identifier_start(&self, _: char) -> bool {
        false
    }

    fn supports_dictionary_syntax(&self) -> bool {
        true
    }

    fn supports_select_wildcard_with_alias(&self) -> bool {
        true
    }

    fn supports_in_empty_list(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        if !begins_value(parser) {
            return None;
        }
        parser.advance_token();
        let value = if parser.consume_token(&Token::Mul) {
            Ok(Expr::Identifier(Ident::new("*")))
        } else {
            parser.parse_expr()
        };
        Some(value.map(|value| Expr::Prefixed { prefix: Ident::new(VALUE), value: Box::new(value) }))
    }
}

/// Whether what comes is `VALUE` and an expression, not a key of that name.
fn begins_value(parser: &Parser) -> bool {
    let is = |token: &Token, keyword: Keyword| matches!(token, Token::Word(word) if word.keyword == keyword);
    if !is(&parser.peek_token_ref().token, Keyword::VALUE)
        || !is(&parser.get_current_token().token, Keyword::SELECT)
    {
        return false;
    }
    match &parser.peek_nth_token_ref(1).token {
        Token::Word(word) => {
            !matches!(word.keyword, Keyword::FROM | Keyword::AS | Keyword::IN | Keyword::AND | Keyword::OR)
        }
        Token::Mul => is(&parser.peek_nth_token_ref(2).token, Keyword::FROM),
        Token::LParen
        | Token::LBracket
        | Token::LBrace
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_) => true,
        _ => false,
    }
}

/// A parser of this text, if it is within the bounds.
pub(super) fn parser(sql: &str) -> Result<Parser<'static>, AwsError> {
    if sql.chars().count() > STATEMENT_CHARS_MAX {
        return Err(refused(format!("The SQL has more than {STATEMENT_CHARS_MAX} characters")));
    }
    let tokens = Tokenizer::new(&IotSql, sql).tokenize_with_location().map_err(|e| refused(e.to_string()))?;
    if tokens.iter().filter(|token| is_operator(&token.token)).count() > OPERATORS_MAX {
        return Err(refused(format!("The twin takes {OPERATORS_MAX} operators in an SQL statement")));
    }
    Ok(Parser::new(&IotSql).with_tokens_with_locations(tokens))
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::IN
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::BETWEEN
                // What AWS's SQL does not have, the parser does: these chain, too.
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::NOTNULL
                | Keyword::REGEXP
                | Keyword::RLIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::DIV
                | Keyword::OVERLAPS
                | Keyword::MEMBER
                | Keyword::MATCH
                | Keyword::OPERATOR
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::MINUS
        ),
        Token::Comma
        | Token::Period
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Whitespace(_)
        | Token::LParen
        | Token::RParen
        | Token::LBrace
        | Token::RBrace
        | Token::LBracket
        | Token::RBracket
        | Token::Colon
        | Token::EOF => false,
        // Whatever else there is, to be safe.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_chains_counts_as_an_operator() {
        for link in [" COLLATE c", " AT TIME ZONE 'UTC'", " NOTNULL", " DIV 2", " REGEXP 'a'", " OVERLAPS b"]
        {
            let sql = format!("SELECT a{} AS a FROM 't'", link.repeat(400));
            let refused = parser(&sql).err().unwrap();
            assert!(refused.message.contains("operators in an SQL statement"), "{link}: {}", refused.message);
        }
        let union = format!("SELECT a FROM 't'{}", " UNION SELECT 1".repeat(400));
        assert!(parser(&union).is_err());
    }
}
