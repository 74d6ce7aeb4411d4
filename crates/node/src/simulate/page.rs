//! A report as one HTML page: no script, nothing fetched, light and dark; every text is escaped.

use super::plot::Plot;
use super::table::Table;
use std::fmt::Write as _;

/// What a page tells.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The heading.
    pub title: String,
    /// What was run, in one line.
    pub subtitle: String,
    /// The figures, name and value.
    pub rows: Vec<(String, String)>,
    /// Tables, after the figures.
    pub tables: Vec<Table>,
    /// Remarks, one paragraph each.
    pub notes: Vec<String>,
    /// The plots.
    pub plots: Vec<Plot>,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--ground:#fff;--data:#0b6bcb;--mark:#b3261e;--second:#b35900;--third:#2e7d32;--fourth:#8e24aa;--fifth:#00796b;--sixth:#6d4c41}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--ground:#0d1117;--data:#58a6ff;--mark:#ff7b72;--second:#f0a35e;--third:#7ee787;--fourth:#d2a8ff;--fifth:#56d4c4;--sixth:#d7b49e}}
body{margin:2rem auto;max-width:50rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin:0}.soft,figcaption{color:var(--soft)}
table{border-collapse:collapse;margin:1.5rem 0}th,td{text-align:left;padding:.2rem 2rem .2rem 0;border-bottom:1px solid var(--line)}
th{font-weight:400;color:var(--soft)}td{font-variant-numeric:tabular-nums}figure{margin:2rem 0}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--soft)}
.axis{stroke:var(--line);fill:none}.curve{stroke:var(--data);stroke-width:2;fill:none}.bar{fill:var(--data)}
.mark{stroke:var(--mark);stroke-dasharray:5 4}svg text.marked{fill:var(--mark)}
.second{--data:var(--second)}.third{--data:var(--third)}.fourth{--data:var(--fourth)}.fifth{--data:var(--fifth)}.sixth{--data:var(--sixth)}.dot{fill:var(--data)}svg .named{fill:var(--data)}";

impl Page {
    /// The page, complete.
    pub fn html(&self) -> String {
        let mut html =
            String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<meta http-equiv=\"");
        html.push_str(
            "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
        );
        let (title, subtitle) = (escape(&self.title), escape(&self.subtitle));
        // Writing to a String can't fail.
        let _ = write!(html, "<title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n");
        let _ = write!(html, "<h1>{title}</h1>\n<p class=\"soft\">{subtitle}</p>\n<table>\n");
        for (name, value) in &self.rows {
            let _ =
                writeln!(html, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(value));
        }
        html.push_str("</table>\n");
        self.tables.iter().for_each(|table| html.push_str(&table.html()));
        for plot in &self.plots {
            let (title, caption) = (escape(&plot.title), escape(&plot.caption));
            let _ = write!(html, "<figure>\n<h2>{title}</h2>\n{}", plot.svg());
            let _ = write!(html, "<figcaption>{caption}</figcaption>\n</figure>\n");
        }
        for note in &self.notes {
            let _ = writeln!(html, "<p class=\"soft\">{}</p>", escape(note));
        }
        html.push_str("</body>\n</html>\n");
        html
    }
}

/// Text as HTML and XML want it, between tags and in quotes; characters they can't carry become U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::plot::{Mark, Shape};

    #[test]
    fn nothing_that_is_told_becomes_markup() {
        let evil = "<script>\"&'\0";
        let plot = Plot {
            title: evil.into(),
            caption: evil.into(),
            x_label: evil.into(),
            y_label: evil.into(),
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            shape: Shape::Steps(vec![(0.0, 0.5)]),
            marks: vec![Mark { x: 0.5, label: evil.into() }],
        };
        let page = Page {
            title: evil.into(),
            subtitle: evil.into(),
            rows: vec![(evil.into(), evil.into())],
            tables: vec![Table::new(evil, evil, &[evil])],
            notes: vec![evil.into()],
            plots: vec![plot],
        };
        let html = page.html();
        assert!(!html.contains("<script") && !html.contains('\0'));
        assert!(html.contains("&lt;script&gt;&quot;&amp;&#39;\u{fffd}"));
    }

    #[test]
    fn a_page_asks_nobody_for_anything() {
        let html = Page::default().html();
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
