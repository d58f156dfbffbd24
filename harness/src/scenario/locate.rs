//! Where in the file an error stands: line, column and key path, with the line itself under it.

use std::{fmt::Write as _, ops::Range};

use toml::de::{DeTable, DeValue};

use super::hint::counted;

/// The place, the message, and the line with what is wrong in it marked.
pub(super) fn render(
    text: &str,
    file: &str,
    span: &Range<usize>,
    path: Option<&str>,
    message: &str,
) -> String {
    let start = span.start.min(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
    let line_number = text[..start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count() + 1;
    let line = text[line_start..].lines().next().unwrap_or_default();
    let shown = span.end.clamp(start + 1, line_start + line.len().max(start - line_start + 1));
    let width = text.get(start..shown).map_or(1, |s| s.chars().count()).max(1);
    let mut out = format!("{file}:{line_number}:{column}: ");
    if let Some(path) = path {
        let _ = write!(out, "{}: ", counted(path));
    }
    let _ = write!(
        out,
        "{}\n  {line_number} | {line}\n  {:gutter$} | {:indent$}{}",
        message.trim(),
        "",
        "",
        "^".repeat(width),
        gutter = line_number.to_string().len(),
        indent = column - 1,
    );
    out
}

/// The path of the deepest key whose name or value covers `offset`.
pub(super) fn path_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    for (key, value) in table {
        if key.span().contains(&offset) {
            return Some(key.get_ref().to_string());
        }
        let inner = match value.get_ref() {
            DeValue::Table(table) => path_at(table, offset),
            DeValue::Array(list) => list.iter().enumerate().find_map(|(n, item)| {
                let inside = match item.get_ref() {
                    DeValue::Table(table) => path_at(table, offset).map(|path| format!("{n}.{path}")),
                    _ => None,
                };
                inside.or_else(|| item.span().contains(&offset).then(|| n.to_string()))
            }),
            _ => None,
        };
        if let Some(inner) = inner {
            return Some(format!("{}.{inner}", key.get_ref()));
        }
        if value.span().contains(&offset) {
            return Some(key.get_ref().to_string());
        }
    }
    None
}

/// Where the value of a key path is. A key that holds dots is written in quotes.
pub(super) fn span_of(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut table = table;
    let mut list: Option<&toml::de::DeArray<'_>> = None;
    let mut found = None;
    for part in split(path) {
        let value = match list.take() {
            Some(items) => items.get(part.parse::<usize>().ok()?)?,
            None => match table.get(part.as_str()) {
                Some(value) => value,
                // A default that the file does not mention: its table is the best place to point at.
                None => return found,
            },
        };
        found = Some(value.span());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Array(items) => list = Some(items),
            _ => {}
        }
    }
    found
}

/// `objectives."a.b"` to `["objectives", "a.b"]`.
fn split(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in path.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => {
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    parts
}
