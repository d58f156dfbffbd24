//! The query language of fleet indexing: terms with fields, `AND`, `OR`, `NOT` and the hyphen, parentheses, field groups
//! such as `thingName:(a* OR b*)`, phrases in quotes, `*` and `?`. Terms side by side are joined by AND, values compare
//! without case. Ranges, and fields of shadows, are refused: the twin indexes the registry and connectivity.

use crate::error::AwsError;

const QUERY_CHARS_MAX: usize = 1_000;
const TERMS_MAX: usize = 12;
/// A query with a leading wildcard may be this long, and may have one of them.
const LEADING_WILDCARD_QUERY_CHARS_MAX: usize = 100;
/// Parentheses in parentheses; more than any query of twelve terms needs.
const NESTING_MAX: usize = 32;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Query {
    Term(Field, Pattern),
    Not(Box<Query>),
    And(Vec<Query>),
    Or(Vec<Query>),
}

/// What a term looks at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    /// Every field.
    Any,
    ThingName,
    ThingId,
    TypeName,
    GroupName,
    Attribute(String),
    Connected,
}

/// A value with wildcards, in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Glyph>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Glyph {
    Char(char),
    One,
    Many,
}

impl Pattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (&self.0, text.to_lowercase().chars().collect::<Vec<_>>());
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(Glyph::Many) => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(Glyph::One) => (p, t) = (p + 1, t + 1),
                Some(Glyph::Char(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
                _ => {
                    let Some((star_p, star_t)) = star else {
                        return false;
                    };
                    (p, t) = (star_p + 1, star_t + 1);
                    star = Some((star_p, star_t + 1));
                }
            }
        }
        pattern[p..].iter().all(|glyph| *glyph == Glyph::Many)
    }

    fn leading_wildcard(&self) -> bool {
        self.0.len() > 1 && !matches!(self.0[0], Glyph::Char(_))
    }
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let chars = text.chars().count();
        if chars == 0 || chars > QUERY_CHARS_MAX {
            return Err(refused(format!("A query has 1 to {QUERY_CHARS_MAX} characters")));
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, terms: 0, leading_wildcards: 0 };
        let query = parser.or(&Field::Any)?;
        if parser.at < tokens.len() {
            return Err(refused("unexpected )"));
        }
        if parser.terms > TERMS_MAX {
            return Err(refused(format!("A query can have at most {TERMS_MAX} terms")));
        }
        let leading = parser.leading_wildcards;
        if leading > 1 || (leading == 1 && chars > LEADING_WILDCARD_QUERY_CHARS_MAX) {
            return Err(refused(
                "A query can have one leading wildcard, and is then at most 100 characters long",
            ));
        }
        Ok(query)
    }

    /// Whether it asks for the connection of a thing.
    pub(super) fn needs_connectivity(&self) -> bool {
        match self {
            Self::Term(field, _) => *field == Field::Connected,
            Self::Not(query) => query.needs_connectivity(),
            Self::And(queries) | Self::Or(queries) => queries.iter().any(Self::needs_connectivity),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `field:` before a value or an opening parenthesis.
    Field(String),
    Value(Pattern),
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    terms: usize,
    leading_wildcards: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, token: &Token) -> bool {
        let there = self.peek() == Some(token);
        self.at += usize::from(there);
        there
    }

    fn or(&mut self, field: &Field) -> Result<Query, AwsError> {
        let mut any = vec![self.and(field)?];
        while self.eat(&Token::Or) {
            any.push(self.and(field)?);
        }
        Ok(single(any, Query::Or))
    }

    fn and(&mut self, field: &Field) -> Result<Query, AwsError> {
        let mut all = vec![self.not(field)?];
        while self.eat(&Token::And) || !matches!(self.peek(), None | Some(Token::Or | Token::Close)) {
            all.push(self.not(field)?);
        }
        Ok(single(all, Query::And))
    }

    fn not(&mut self, field: &Field) -> Result<Query, AwsError> {
        let mut negated = false;
        while self.eat(&Token::Not) {
            negated = !negated;
        }
        let query = self.primary(field)?;
        Ok(if negated { Query::Not(Box::new(query)) } else { query })
    }

    fn primary(&mut self, field: &Field) -> Result<Query, AwsError> {
        let token = self.peek().cloned().ok_or_else(|| refused("a term is missing at the end"))?;
        self.at += 1;
        match token {
            Token::Value(pattern) => {
                self.terms += 1;
                self.leading_wildcards += usize::from(pattern.leading_wildcard());
                Ok(Query::Term(field.clone(), pattern))
            }
            Token::Field(name) => match (field_of(&name)?, self.peek()) {
                (field, Some(Token::Open | Token::Value(_))) => self.primary(&field),
                _ => Err(refused(format!("{name}: needs a value"))),
            },
            Token::Open => {
                self.depth += 1;
                if self.depth > NESTING_MAX {
                    return Err(refused("parentheses are nested too deep"));
                }
                let query = self.or(field)?;
                self.depth -= 1;
                if self.eat(&Token::Close) { Ok(query) } else { Err(refused("a ) is missing")) }
            }
            Token::Close | Token::And | Token::Or | Token::Not => Err(refused("a term is missing")),
        }
    }
}

fn single(mut queries: Vec<Query>, join: fn(Vec<Query>) -> Query) -> Query {
    match (queries.pop(), queries.is_empty()) {
        (Some(only), true) => only,
        (last, _) => join(queries.into_iter().chain(last).collect()),
    }
}

fn field_of(name: &str) -> Result<Field, AwsError> {
    match name {
        "thingName" => Ok(Field::ThingName),
        "thingId" => Ok(Field::ThingId),
        "thingTypeName" => Ok(Field::TypeName),
        "thingGroupNames" => Ok(Field::GroupName),
        "connectivity.connected" => Ok(Field::Connected),
        other => match other.strip_prefix("attributes.") {
            Some(attribute) if !attribute.is_empty() => Ok(Field::Attribute(attribute.to_owned())),
            _ => Err(refused(format!("the field {other} is not indexed"))),
        },
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, AwsError> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&next) = rest.peek() {
        match next {
            c if c.is_whitespace() => {
                rest.next();
            }
            '(' | ')' => {
                rest.next();
                tokens.push(if next == '(' { Token::Open } else { Token::Close });
            }
            '-' => {
                rest.next();
                tokens.push(Token::Not);
            }
            '"' => {
                rest.next();
                tokens.push(Token::Value(phrase(&mut rest)?));
            }
            _ => word(&mut rest, &mut tokens)?,
        }
    }
    Ok(tokens)
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What stands between quotes: no wildcards in it.
fn phrase(rest: &mut Rest<'_>) -> Result<Pattern, AwsError> {
    let mut glyphs = Vec::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(Pattern(glyphs)),
            '\\' => glyphs.extend(lower(rest.next().unwrap_or('\\'))),
            c => glyphs.extend(lower(c)),
        }
    }
    Err(refused("a closing quote is missing"))
}

/// A field, an operator or a value: up to white space or a parenthesis. The first colon ends a field.
fn word(rest: &mut Rest<'_>, tokens: &mut Vec<Token>) -> Result<(), AwsError> {
    let mut plain = String::new();
    let mut glyphs = Vec::new();
    let after_field = matches!(tokens.last(), Some(Token::Field(_)));
    while let Some(&c) = rest.peek() {
        match c {
            c if c.is_whitespace() || matches!(c, '(' | ')' | '"') => break,
            ':' if !after_field => {
                rest.next();
                if plain.is_empty() {
                    return Err(refused("a field's name is missing before :"));
                }
                tokens.push(Token::Field(plain));
                return Ok(());
            }
            '[' | ']' | '{' | '}' | '<' | '>' | '^' | '~' => {
                return Err(refused(format!("{c} is not supported in a query of the twin")));
            }
            '\\' => {
                rest.next();
                let escaped = rest.next().ok_or_else(|| refused("nothing follows \\"))?;
                plain.push(escaped);
                glyphs.extend(lower(escaped));
            }
            _ => {
                rest.next();
                plain.push(c);
                match c {
                    '*' => glyphs.push(Glyph::Many),
                    '?' => glyphs.push(Glyph::One),
                    c => glyphs.extend(lower(c)),
                }
            }
        }
    }
    tokens.push(match plain.as_str() {
        "AND" => Token::And,
        "OR" => Token::Or,
        "NOT" => Token::Not,
        _ => Token::Value(Pattern(glyphs)),
    });
    Ok(())
}

fn lower(c: char) -> impl Iterator<Item = Glyph> {
    c.to_lowercase().map(Glyph::Char)
}

pub(super) fn refused(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidQueryException", format!("Invalid query: {}", message.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_malformed_is_an_invalid_query() {
        for bad in [
            "",
            "AND",
            "a AND",
            "OR b",
            "(a",
            "a)",
            "()",
            "thingName:",
            "thingName: AND b",
            "NOT",
            ":x",
            "\"a",
            "foo:x",
            "shadow.reported.a:1",
            "attributes.:x",
            "attributes.n:[1 TO 5]",
            "attributes.n>5",
            "a \\",
            "thingName:*a thingTypeName:*b",
            &"x".repeat(1_001),
            &"a ".repeat(13),
            &"(".repeat(40),
        ] {
            let error = Query::parse(bad).expect_err(bad);
            assert_eq!((error.status, error.code), (400, "InvalidQueryException"), "{bad}");
        }
    }

    #[test]
    fn side_by_side_is_and_and_binds_tighter_than_or() {
        let same = |a, b| assert_eq!(Query::parse(a).unwrap(), Query::parse(b).unwrap(), "{a} = {b}");
        same("a b", "a AND b");
        same("a b OR c", "(a AND b) OR c");
        same("NOT a b", "(NOT a) AND b");
        same("-a", "NOT a");
        same("thingName:(tv* AND -plasma)", "thingName:tv* AND NOT thingName:plasma");
        same("thingName:AbC", "thingName:abc");
        same("thingName:\"a:b\"", "thingName:a\\:b");
        same("thingName:a:b", "thingName:a\\:b");
        same("NOT NOT a", "a");
    }

    #[test]
    fn wildcards_can_be_escaped_and_quoted() {
        let matches = |query, text| match Query::parse(query).unwrap() {
            Query::Term(_, pattern) => pattern.matches(text),
            other => panic!("{other:?}"),
        };
        assert!(matches("a*", "ABC") && matches("a?c", "abc") && matches("*", ""));
        assert!(!matches("a\\*", "abc") && matches("a\\*", "a*"));
        assert!(!matches("\"a*\"", "abc") && matches("\"a*\"", "a*"));
    }

    proptest! {
        /// For all texts the parser answers, and never panics.
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ab:*?()\\\\\" \\-ANDORT]{0,60}") {
            let _ = Query::parse(&text);
        }

        /// For all texts that are no operator, a text matches itself, its prefix with a star, and a star.
        #[test]
        fn globs(text in "[a-zA-Z0-9]{1,12}", cut in 0usize..12) {
            prop_assume!(!matches!(text.as_str(), "AND" | "OR" | "NOT"));
            let prefix = &text[..cut.min(text.len())];
            for pattern in [text.clone(), format!("{prefix}*"), "*".to_owned()] {
                let query = Query::parse(&format!("thingName:{pattern}")).unwrap();
                let Query::Term(_, pattern) = query else { panic!() };
                prop_assert!(pattern.matches(&text));
            }
        }
    }
}
