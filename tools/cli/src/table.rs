//! The table format of all commands: no frame, a line under the header, units in the header's last line, texts left-aligned and
//! numbers right-aligned.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, presets};

/// A column: its header, of one line or several, and the alignment of its cells.
#[derive(Clone, Debug)]
pub struct Column {
    header: String,
    alignment: CellAlignment,
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub fn text(header: impl Into<String>) -> Column {
        Column { header: header.into(), alignment: CellAlignment::Left }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(header: impl Into<String>) -> Column {
        Column { header: header.into(), alignment: CellAlignment::Right }
    }
}

/// A table under construction.
#[derive(Debug)]
pub struct Table(comfy_table::Table);

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        let columns: Vec<Column> = columns.into_iter().collect();
        // A shorter header is aligned to the bottom.
        let height = |column: &Column| column.header.lines().count().max(1);
        let most = columns.iter().map(height).max().unwrap_or(1);
        let padded = columns.iter().map(|column| {
            let missing = most.saturating_sub(height(column));
            "\n".repeat(missing) + &column.header
        });
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.style_mut().header_separator = LineStyle::none().fill('─');
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(padded);
        let last = columns.len().saturating_sub(1);
        for (index, Column { alignment, .. }) in columns.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(*alignment);
                column.set_padding((0, if index == last { 0 } else { 2 }));
            }
        }
        Table(table)
    }

    /// Adds a row, with one cell per column.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(Into::into).collect::<Vec<String>>());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

/// A text of at most this many characters: longer ones are shortened in the middle.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let end: String = text.chars().skip(count - (most - half - 1)).collect();
    text.chars().take(half).chain(std::iter::once('…')).collect::<String>() + &end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_units_below() {
        let mut table =
            Table::new([Column::text("layer"), Column::number("DRAM\nkB"), Column::text("stored")]);
        table.row(["0.conv2d", "1.5", "mip2q, p=0.5"]);
        table.row(["1", "12345.0", ""]);
        let want = [
            "             DRAM",
            "layer          kB  stored",
            "───────────────────────────────",
            "0.conv2d      1.5  mip2q, p=0.5",
            "1         12345.0",
            "",
        ];
        assert_eq!(table.to_string(), want.join("\n"));
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("0.conv2d", 20), "0.conv2d");
        let short = shortened("model/stage_1/block_12/convolution_3", 20);
        assert_eq!((short.as_str(), short.chars().count()), ("model/stag…olution_3", 20));
        assert_eq!(shortened("ääääää", 3), "ä…ä");
    }
}
