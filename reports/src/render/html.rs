//! HTML by hand: everything that was not written in this crate goes through [`esc`].

/// Text, safe in an element and in a quoted attribute.
pub(super) fn esc(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            control if control.is_control() && control != '\n' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A duration that is not broken over two lines.
pub(super) fn together(ms: f64) -> String {
    crate::units::duration_ms(ms).replace(' ', "&nbsp;")
}

/// A section with an anchor, a title and a sentence that says what it is about (HTML).
pub(super) fn section(id: &str, title: &str, lead: &str, body: &str) -> String {
    let lead = if lead.is_empty() { String::new() } else { format!("<p class=\"lead\">{lead}</p>\n") };
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{lead}{body}</section>\n", esc(title))
}

/// A chart with its caption and legend (both HTML).
pub(super) fn figure(title: &str, legend: &str, svg: &str) -> String {
    format!(
        "<figure>\n<figcaption><span class=\"title\">{}</span>{legend}</figcaption>\n{svg}</figure>\n",
        esc(title)
    )
}

/// A legend: colour class and name.
pub(super) fn legend(entries: &[(&str, &str)]) -> String {
    let entry = |(class, name): &(&str, &str)| format!("<span class=\"key {class}\">{}</span>", esc(name));
    format!("<span class=\"legend\">{}</span>", entries.iter().map(entry).collect::<String>())
}

/// What is shown where there is no data.
pub(super) fn empty(text: &str) -> String {
    format!("<p class=\"empty\">{}</p>\n", esc(text))
}

/// One column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Words.
    Text(&'static str),
    /// Numbers, aligned at the right.
    Number(&'static str),
    /// Numbers that a phone has no room for.
    Extra(&'static str),
}

/// A table; cells are HTML.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let class = |column: &Column| match column {
        Column::Text(_) => "",
        Column::Number(_) => " class=\"n\"",
        Column::Extra(_) => " class=\"n x\"",
    };
    let mut html = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
    for column in columns {
        let (Column::Text(name) | Column::Number(name) | Column::Extra(name)) = column;
        html.push_str(&format!("<th scope=\"col\"{}>{}</th>", class(column), esc(name)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            html.push_str(&format!("<td{}>{cell}</td>", class(column)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table></div>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_an_element_or_an_attribute() {
        assert_eq!(esc("<a href=\"x\" 'y'>&\u{7}"), "&lt;a href=&quot;x&quot; &#39;y&#39;&gt;&amp;\u{fffd}");
    }
}
