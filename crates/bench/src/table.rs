//! The tables that the benchmarks print.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

const NOT_MEASURED: &str = "not measured";

/// One figure with what it is held against.
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The figure with its unit.
    pub figure: String,
    /// The floor or target, with its unit.
    pub floor: String,
    /// Figure against floor.
    pub ratio: String,
    /// Anything that a reader should know.
    pub note: String,
}

impl Row {
    /// A row without floor.
    pub fn new(name: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            figure: figure.into(),
            floor: String::new(),
            ratio: String::new(),
            note: String::new(),
        }
    }

    /// A row whose figure this machine does not let be taken. Whoever measured must not take that for a good one.
    pub fn not_measured(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, NOT_MEASURED).note(why)
    }

    /// Whether there is no figure.
    pub fn is_not_measured(&self) -> bool {
        self.figure == NOT_MEASURED
    }

    /// With a floor and the ratio to it.
    #[must_use]
    pub fn against(mut self, floor: impl Into<String>, ratio: f64) -> Self {
        self.floor = floor.into();
        self.ratio = format!("{ratio:.2}");
        self
    }

    /// With a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Prints rows under a title, as Markdown that also reads well in a terminal. Gives the names of those without a figure.
pub fn print(title: &str, rows: &[Row]) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(ASCII_MARKDOWN)
        .set_header(["", "figure", "floor or target", "ratio", "note"]);
    for row in rows {
        table.add_row([&row.name, &row.figure, &row.floor, &row.ratio, &row.note]);
    }
    for column in [1, 2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("\n## {title}\n\n{table}");
    rows.iter()
        .filter(|row| row.is_not_measured())
        .map(|row| row.name.clone())
        .collect()
}

/// 12345.6 as `12,346`.
pub fn count(figure: f64) -> String {
    let digits = format!("{:.0}", figure.max(0.0));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in the unit that reads best.
pub fn bytes(figure: f64) -> String {
    match figure {
        f if f >= 1024.0 * 1024.0 => format!("{:.1} MiB", f / 1024.0 / 1024.0),
        f if f >= 1024.0 => format!("{:.1} KiB", f / 1024.0),
        f => format!("{f:.0} B"),
    }
}

/// Microseconds in the unit that reads best.
pub fn micros(figure: f64) -> String {
    if figure >= 10_000.0 {
        format!("{:.1} ms", figure / 1000.0)
    } else {
        format!("{figure:.0} us")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_told() {
        let rows = [
            Row::new("speed", "5/s"),
            Row::not_measured("memory", "too few file descriptors"),
        ];
        assert_eq!(print("Some", &rows), ["memory"]);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1_234_567.4), "1,234,567");
        assert_eq!(count(999.0), "999");
        assert_eq!(bytes(15.6 * 1024.0), "15.6 KiB");
        assert_eq!(micros(950.0), "950 us");
        assert_eq!(micros(12_345.0), "12.3 ms");
    }
}
