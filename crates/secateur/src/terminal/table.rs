//! Tables in plain text and in Markdown.

use crate::options::Format;

/// Rows of cells, aligned by column: the first to the left, the others to the right.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table that begins with its heading.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(cells.into());
    }

    /// The table as `format` lays it out.
    pub(crate) fn render_as(&self, format: Format) -> String {
        match format {
            Format::Text => self.render(),
            Format::Markdown => self.markdown(),
        }
    }

    /// The table as Markdown, every row one line.
    fn markdown(&self) -> String {
        let line = |row: &Vec<String>| {
            let cells = row.iter().map(|cell| cell.replace('|', "\\|"));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let (heading, rows) = self.rows.split_first().expect("a table has a heading");
        let rules =
            heading.iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "---:" });
        let rule = format!("|{}|\n", rules.collect::<Vec<_>>().join("|"));
        line(heading) + &rule + &rows.iter().map(line).collect::<String>() + "\n"
    }

    /// The table as text, two spaces between columns, a newline after every row.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns).map(|column| self.width(column)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// Names with what they stand for, one a line, the second column aligned.
pub(crate) fn definitions<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().collect();
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.iter().map(|(name, meaning)| format!("  {name:<width$}  {meaning}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_has_a_line_under_the_heading() {
        let mut table = Table::new(&["text", "a|b"]);
        table.row(["one".into(), "1.5".into()]);
        let expected = "| text | a\\|b |\n|---|---:|\n| one | 1.5 |\n\n";
        assert_eq!(table.render_as(Format::Markdown), expected);
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["", "before", "after"]);
        table.row(["text".into(), "1.5".into(), "12.25".into()]);
        assert_eq!(table.render(), "      before  after\ntext     1.5  12.25\n");
        assert_eq!(table.render_as(Format::Text), table.render());
        assert_eq!(definitions([("a", "one"), ("bcd", "two")]), "  a    one\n  bcd  two\n");
    }
}
