//! A table of a run: measured beside published figures, for the terminal and for the page.

use super::page::escape;
use std::fmt::Write as _;

/// Rows under a heading, with what each column is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// How to read it, and where the published figures are from.
    pub caption: String,
    /// The columns.
    pub head: Vec<String>,
    /// The rows, each as long as the head.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, caption: &str, head: &[&str]) -> Table {
        let head = head.iter().map(|column| (*column).to_owned()).collect();
        Table { title: title.to_owned(), caption: caption.to_owned(), head, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as lines of text, columns aligned to the right but for the first.
    pub fn text(&self) -> String {
        let widths = self.widths();
        let mut text = format!("{}\n", self.title);
        let lines = std::iter::once(&self.head).chain(&self.rows);
        for line in lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                let space = " ".repeat(width.saturating_sub(cell.chars().count()));
                if column == 0 { format!("{cell}{space}") } else { format!("{space}{cell}") }
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let column = |index: usize| {
            let cells = std::iter::once(&self.head).chain(&self.rows).filter_map(move |row| row.get(index));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.head.len()).map(column).collect()
    }

    /// The table as HTML, every text escaped.
    pub(super) fn html(&self) -> String {
        let mut html = format!("<h2>{}</h2>\n<table>\n<tr>", escape(&self.title));
        self.head.iter().for_each(|cell| html.push_str(&format!("<th scope=\"col\">{}</th>", escape(cell))));
        html.push_str("</tr>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            row.iter().for_each(|cell| html.push_str(&format!("<td>{}</td>", escape(cell))));
            html.push_str("</tr>\n");
        }
        // Writing to a String can't fail.
        let _ = write!(html, "</table>\n<p class=\"soft\">{}</p>\n", escape(&self.caption));
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_names() {
        let mut table = Table::new("Hops", "", &["nodes", "mean"]);
        table.row(["8".to_owned(), "1.5".to_owned()]);
        table.row(["1,024".to_owned(), "10.25".to_owned()]);
        assert_eq!(table.text(), "Hops\nnodes   mean\n8        1.5\n1,024  10.25\n");
    }

    #[test]
    fn cells_are_never_markup() {
        let mut table = Table::new("<b>", "&", &["\""]);
        table.row(["<i>".to_owned()]);
        let html = table.html();
        assert!(!html.contains("<b>") && !html.contains("<i>") && html.contains("&amp;"));
    }
}
