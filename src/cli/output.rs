//! How answers look: tables, trees, colours that are never alone.
//!
//! Text enters, stdout leaves. Colour is only for a terminal whose owner did not set `NO_COLOR`, and always beside a word
//! and a shape, so that nobody needs it to understand. Widths count characters, because titles are in any language.

use std::io::{IsTerminal, Write};

use super::error::CliError;

/// Whether stdout may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// For stdout as it is now.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: !refused && std::io::stdout().is_terminal(),
        }
    }

    /// Without colour.
    pub const PLAIN: Self = Self { colour: false };

    /// A text in the colour of a paint.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        match (self.colour, paint) {
            (false, _) | (true, Paint::Plain) => text.to_owned(),
            (true, Paint::Good) => format!("\u{1b}[32m{text}\u{1b}[0m"),
            (true, Paint::Fair) => format!("\u{1b}[33m{text}\u{1b}[0m"),
            (true, Paint::Bad) => format!("\u{1b}[31m{text}\u{1b}[0m"),
            (true, Paint::Faint) => format!("\u{1b}[2m{text}\u{1b}[0m"),
        }
    }
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Nothing in particular.
    Plain,
    /// As it should be.
    Good,
    /// Look at it.
    Fair,
    /// Do something.
    Bad,
    /// Beside the point.
    Faint,
}

/// Shape and colour of a status; bands with names of their own are plain.
pub fn status_look(status: &str) -> (&'static str, Paint) {
    match status {
        "green" => ("●", Paint::Good),
        "amber" | "yellow" => ("◐", Paint::Fair),
        "red" => ("○", Paint::Bad),
        _ => ("◇", Paint::Plain),
    }
}

/// Shape and colour of a severity.
pub fn severity_look(severity: &str) -> (&'static str, Paint) {
    match severity {
        "critical" => ("▲", Paint::Bad),
        "warning" => ("△", Paint::Fair),
        _ => ("◦", Paint::Plain),
    }
}

/// One cell: its text, what it is painted with, and whether it stands to the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    paint: Paint,
    to_the_right: bool,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::painted(text, Paint::Plain)
    }

    /// Words with a colour.
    pub fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self {
            text: text.into(),
            paint,
            to_the_right: false,
        }
    }

    /// A number, which stands to the right.
    pub fn number(text: impl Into<String>) -> Self {
        Self {
            to_the_right: true,
            ..Self::text(text)
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn padded(&self, width: usize, style: Style) -> String {
        let space = " ".repeat(width.saturating_sub(self.width()));
        let text = style.paint(self.paint, &self.text);
        if self.to_the_right {
            space + &text
        } else {
            text + &space
        }
    }
}

/// Rows in columns as wide as their widest cell, two spaces apart, no blanks at the end of a line.
pub fn table(rows: &[Vec<Cell>], style: Style) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max();
    let widths: Vec<usize> = (0..columns).map(|column| width_of(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| cell.padded(*width, style));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A header row in faint capitals.
pub fn header(names: &[&str]) -> Vec<Cell> {
    names
        .iter()
        .map(|name| Cell::painted(name.to_uppercase(), Paint::Faint))
        .collect()
}

/// A number as people read it: at most `digits` after the point, no zeros at the end.
pub fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let short = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text.as_str()
    };
    if short == "-0" {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    let units = [
        ("TiB", 1_u64 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    match units.iter().find(|(_, factor)| count >= *factor) {
        Some((unit, factor)) => format!("{} {unit}", number(count as f64 / *factor as f64, 1)),
        None => format!("{count} B"),
    }
}

/// Writes to stdout at once.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes words to stderr; when nobody listens there, nothing is lost.
pub fn say(words: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![
            vec![Cell::text("größe"), Cell::number("1"), Cell::text("")],
            vec![Cell::text("b"), Cell::number("100"), Cell::text("x")],
        ];
        assert_eq!(table(&rows, Style::PLAIN), "größe    1\nb      100  x\n");
    }

    #[test]
    fn colour_is_beside_the_text_and_never_changes_widths() {
        let rows = vec![
            vec![Cell::painted("red", Paint::Bad), Cell::text("x")],
            vec![Cell::text("green"), Cell::text("y")],
        ];
        let painted = table(&rows, Style { colour: true });
        assert_eq!(painted, "\u{1b}[31mred\u{1b}[0m    x\ngreen  y\n");
        assert_eq!(table(&rows, Style::PLAIN), "red    x\ngreen  y\n");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (71.2, "71.2"),
            (71.0, "71"),
            (0.005, "0.01"),
            (-0.001, "0"),
            (1200.0, "1200"),
        ] {
            assert_eq!(number(value, 2), text);
        }
        assert_eq!(number(1200.0, 0), "1200");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(67_108_864), "64 MiB");
    }
}
