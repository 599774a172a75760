//! Tables for people: no wider than the terminal, plain without colour, one line a row where nobody looks at a width.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};
use serde::Serialize;

use crate::cli::Failure;
use crate::domain::text::is_invisible;

/// A column's heading, and how its cells stand.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    heading: &'a str,
    align: CellAlignment,
    /// Never broken over two lines: numbers, instants, and identifiers that people copy.
    whole: bool,
}

impl<'a> Column<'a> {
    /// Free text, which may be broken between words.
    pub const fn text(heading: &'a str) -> Self {
        Self { heading, align: CellAlignment::Left, whole: false }
    }

    /// An identifier or an instant: left, and never broken.
    pub const fn whole(heading: &'a str) -> Self {
        Self { heading, align: CellAlignment::Left, whole: true }
    }

    /// Right, and never broken.
    pub const fn number(heading: &'a str) -> Self {
        Self { heading, align: CellAlignment::Right, whole: true }
    }
}

/// Rows under headings.
#[derive(Debug)]
pub struct Table<'a> {
    columns: Vec<Column<'a>>,
    rows: Vec<Vec<String>>,
}

/// Spaces between two columns.
const GUTTER: u16 = 2;

impl<'a> Table<'a> {
    pub fn new(columns: &[Column<'a>]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; its cells are shown without control characters, whoever wrote them.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| visible(&cell)).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, each line ended; `None`: as wide as it must be.
    pub fn render(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(self.columns.iter().map(|column| column.heading)).add_rows(&self.rows);
        match width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        for (index, made) in table.column_iter_mut().enumerate() {
            let Some(column) = self.columns.get(index) else { continue };
            let gutter = if index + 1 == self.columns.len() { 0 } else { GUTTER };
            made.set_padding((0, gutter)).set_cell_alignment(column.align);
            if column.whole {
                made.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(self.narrowest(index).saturating_add(gutter))));
            }
        }
        table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
    }

    /// The width at which no cell of a column is broken, and its heading only between words.
    fn narrowest(&self, index: usize) -> u16 {
        let heading = self.columns.get(index).into_iter().flat_map(|column| column.heading.split(' '));
        let cells = self.rows.iter().filter_map(|row| row.get(index)).map(String::as_str);
        heading.chain(cells).map(|text| text.chars().count()).max().and_then(|width| u16::try_from(width).ok()).unwrap_or(0)
    }

    /// Prints it to standard output, as wide as the terminal there if it is one.
    pub fn print(&self) -> Result<(), Failure> {
        print(&self.render(width()))
    }
}

/// The terminal's, where standard output is one.
pub fn width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// Prints to standard output. A reader who has gone away (`| head`) has seen enough.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::work(format!("cannot write to standard output: {error}"))),
        _ => Ok(()),
    }
}

/// Prints one line.
pub fn say(line: impl Display) -> Result<(), Failure> {
    print(&format!("{}\n", visible(&line.to_string())))
}

/// Prints a value as indented JSON.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::work(format!("cannot write this as JSON: {error}")))?;
    print(&format!("{text}\n"))
}

/// The text on one line and without anything that a terminal would act on.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table<'static> {
        let mut table = Table::new(&[Column::whole("SESSION"), Column::number("AGE"), Column::text("REASON")]);
        table.row(["0b5b3d6c-3a3e-4f5e".into(), "20m".into(), "older than the twenty minutes that its policy allows".into()]);
        table.row(["s2".into(), "1h 5m".into(), "tab\there, \u{1b}[31mred\nand a second line".into()]);
        table
    }

    #[test]
    fn without_a_width_every_row_is_one_line() {
        assert_eq!(
            sample().render(None),
            "SESSION               AGE  REASON\n\
             0b5b3d6c-3a3e-4f5e    20m  older than the twenty minutes that its policy allows\n\
             s2                  1h 5m  tab here,  [31mred and a second line\n"
        );
    }

    #[test]
    fn a_narrow_terminal_breaks_the_text_and_leaves_identifiers_whole() {
        let text = sample().render(Some(52));
        assert!(text.lines().all(|line| line.chars().count() <= 52), "{text}");
        assert!(text.contains("0b5b3d6c-3a3e-4f5e    20m  "), "{text}");
        assert!(text.lines().count() > 3, "{text}");
    }

    #[test]
    fn an_identifier_cannot_turn_the_line_around() {
        assert_eq!(visible("gnp.\u{202e}exe\u{200b}"), "gnp. exe ");
    }

    #[test]
    fn a_terminal_too_narrow_for_anything_still_gets_a_table() {
        assert!(sample().render(Some(1)).contains("0b5b3d6c-3a3e-4f5e"));
    }
}
