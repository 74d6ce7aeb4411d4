//! Plots as SVG: a step curve or bars, axes with round numbers, marks. Colours are the page's, so that they suit light
//! and dark.

use super::page::escape;
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 52.0;
/// More points than this are not visible.
const MOST_POINTS: usize = 500;

/// One plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// What is to the right, with its unit.
    pub x_label: String,
    /// What is upwards, with its unit.
    pub y_label: String,
    /// Least and greatest value to the right; they must differ to show anything.
    pub x: (f64, f64),
    /// Least and greatest value upwards.
    pub y: (f64, f64),
    /// The data.
    pub shape: Shape,
    /// Values to the right that stand out.
    pub marks: Vec<Mark>,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Each value holds until the next point.
    Steps(Vec<(f64, f64)>),
    /// Bars that begin and end at these places, with their heights.
    Bars(Vec<(f64, f64, f64)>),
    /// At most six lines through points, each with its name.
    Lines(Vec<(String, Vec<(f64, f64)>)>),
    /// Columns with their names and values; what is upwards are powers of ten.
    Columns(Vec<(String, f64)>),
}

/// A vertical line with a word.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// What it is.
    pub label: String,
}

impl Plot {
    /// The drawing, an `svg` element.
    pub fn svg(&self) -> String {
        let label = escape(&format!("{}. {}", self.title, self.caption));
        // Writing to a String can't fail.
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n");
        self.axes(&mut svg);
        if !matches!(self.shape, Shape::Columns(_)) {
            self.axis_below(&mut svg);
        }
        match &self.shape {
            Shape::Steps(points) => self.steps(points, &mut svg),
            Shape::Bars(bars) => bars.iter().for_each(|bar| self.bar(*bar, &mut svg)),
            Shape::Lines(lines) => {
                (0u32..).zip(lines).for_each(|(number, line)| self.line(number, line, &mut svg));
            }
            Shape::Columns(columns) => {
                let count = columns.len() as u32;
                let each = |(number, column)| self.column((number, count), column, &mut svg);
                (0u32..).zip(columns).for_each(each);
            }
        }
        (0u32..).zip(&self.marks).for_each(|(number, mark)| self.mark(number, mark, &mut svg));
        svg.push_str("</svg>\n");
        svg
    }

    fn at_x(&self, x: f64) -> f64 {
        LEFT + share(x, self.x) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - share(y, self.y) * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self, svg: &mut String) {
        let right = WIDTH - RIGHT;
        for (value, text) in ticks(self.y, 5) {
            let text = match self.shape {
                Shape::Columns(_) => power_of_ten(value),
                _ => text,
            };
            let y = self.at_y(value);
            let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            let (x, y) = (LEFT - 8.0, y + 4.0);
            let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{text}</text>");
        }
        let (middle, low) = ((LEFT + right) / 2.0, HEIGHT - 10.0);
        let (x, y) = (escape(&self.x_label), escape(&self.y_label));
        let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">{x}</text>");
        let _ = writeln!(svg, "<text x=\"4\" y=\"14\">{y}</text>");
    }

    fn axis_below(&self, svg: &mut String) {
        let bottom = HEIGHT - BOTTOM;
        for (value, text) in ticks(self.x, 8) {
            let (x, below) = (self.at_x(value), bottom + 18.0);
            let _ = writeln!(svg, "<path class=\"axis\" d=\"M{x:.1} {bottom}v5\"/>");
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\">{text}</text>");
        }
    }

    fn column(&self, (number, count): (u32, u32), (name, value): &(String, f64), svg: &mut String) {
        let each = (WIDTH - LEFT - RIGHT) / f64::from(count.max(1));
        let (x, y) = (LEFT + each * f64::from(number), self.at_y(value.log10()));
        let (bottom, wide, middle) = (HEIGHT - BOTTOM, each * 0.7, x + each / 2.0);
        let (from, tall, name) = (x + each * 0.15, bottom - y, escape(name));
        let _ = write!(svg, "<rect class=\"bar\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" ");
        let _ = writeln!(svg, "height=\"{tall:.1}\"/>");
        let decimals = if *value < 10.0 { 2 } else { 0 };
        for (y, text) in [(y - 5.0, format!("{value:.decimals$}")), (bottom + 18.0, name)] {
            let _ =
                writeln!(svg, "<text x=\"{middle:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>");
        }
    }

    fn steps(&self, points: &[(f64, f64)], svg: &mut String) {
        let every = points.len().div_ceil(MOST_POINTS).max(1);
        // The last one counts whatever is left out.
        let kept = points.iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev();
        let mut path = format!("M{:.1} {:.1}", self.at_x(self.x.0), self.at_y(self.y.0));
        for (x, y) in kept {
            let _ = write!(path, "H{:.1}V{:.1}", self.at_x(*x), self.at_y(*y));
        }
        let _ = writeln!(svg, "<path class=\"curve\" d=\"{path}H{:.1}\"/>", WIDTH - RIGHT);
    }

    fn bar(&self, (from, to, height): (f64, f64, f64), svg: &mut String) {
        let (x, y) = (self.at_x(from), self.at_y(height));
        let (width, tall) = ((self.at_x(to) - x - 1.0).max(0.5), self.at_y(self.y.0) - y);
        let _ = write!(svg, "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" ");
        let _ = writeln!(svg, "height=\"{tall:.1}\"><title>{from:.2} to {to:.2}: {height}</title></rect>");
    }

    fn line(&self, number: u32, (name, points): &(String, Vec<(f64, f64)>), svg: &mut String) {
        let class = ["", " second", " third", " fourth", " fifth", " sixth"][number.min(5) as usize];
        let mut path = String::new();
        for (x, y) in points.iter().map(|(x, y)| (self.at_x(*x), self.at_y(*y))) {
            let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" });
            let _ = writeln!(svg, "<circle class=\"dot{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
        let _ = writeln!(svg, "<path class=\"curve{class}\" d=\"{path}\"/>");
        let (name, y) = (escape(name), TOP + 12.0 + 16.0 * f64::from(number));
        let x = LEFT + 8.0;
        let _ = writeln!(svg, "<text class=\"named{class}\" x=\"{x}\" y=\"{y}\">{name}</text>");
    }

    fn mark(&self, number: u32, mark: &Mark, svg: &mut String) {
        let (x, bottom, label) = (self.at_x(mark.x), HEIGHT - BOTTOM, escape(&mark.label));
        let (anchor, beside) = if x > WIDTH * 0.7 { ("end", x - 5.0) } else { ("start", x + 5.0) };
        let _ = writeln!(svg, "<path class=\"mark\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
        // Below each other, so that words of close marks do not overlap.
        let y = TOP + 12.0 + 16.0 * f64::from(number);
        let _ = writeln!(
            svg,
            "<text class=\"marked\" x=\"{beside:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{label}</text>"
        );
    }
}

/// The number whose logarithm that is, if it is a round one.
fn power_of_ten(logarithm: f64) -> String {
    let decimals = (-logarithm).clamp(0.0, 9.0) as usize;
    if logarithm.fract() == 0.0 { format!("{:.decimals$}", 10f64.powf(logarithm)) } else { String::new() }
}

/// Where a value lies between two, 0 to 1; 0 if that has no answer.
fn share(value: f64, (least, most): (f64, f64)) -> f64 {
    let share = (value - least) / (most - least);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// About `count` round values in a range, with their texts.
fn ticks((least, most): (f64, f64), count: u32) -> Vec<(f64, String)> {
    let rough = (most - least) / f64::from(count);
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let unit = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * unit >= rough).unwrap_or(10.0);
    let step = factor * unit;
    // A little more, so that a step of 0.01 that is not quite that has two decimals too.
    let decimals = (-(step.log10() + 1e-6).floor()).clamp(0.0, 9.0) as usize;
    let first = (least / step).ceil();
    let values = (0..=2 * count).map(|index| (first + f64::from(index)) * step);
    let within = values.take_while(|value| *value <= most + step * 1e-6);
    // Adding zero makes a negative zero positive.
    within.map(|value| (value, format!("{:.decimals$}", value + 0.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: (f64, f64)) -> Vec<String> {
        ticks(range, 5).into_iter().map(|(_, text)| text).collect()
    }

    fn plot(shape: Shape) -> Plot {
        let (x, y) = ((0.0, 10.0), (0.0, 100.0));
        let words = || String::from("w");
        let marks = vec![Mark { x: 9.0, label: words() }];
        Plot { title: words(), caption: words(), x_label: words(), y_label: words(), x, y, shape, marks }
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(texts((0.0, 100.0)), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(texts((17.2, 17.9)), ["17.2", "17.4", "17.6", "17.8"]);
        assert_eq!(texts((0.0, 0.03)), ["0.00", "0.01", "0.02", "0.03"]);
    }

    #[test]
    fn ranges_without_extent_have_no_ticks() {
        for range in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(ticks(range, 5).is_empty(), "{range:?}");
        }
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_end() {
        let points = (1..=100_000).map(|index| (f64::from(index) / 20_000.0, f64::from(index) / 1_000.0));
        let svg = plot(Shape::Steps(points.collect())).svg();
        assert!(svg.len() < 20_000, "{} bytes", svg.len());
        // 5 of 10 to the right, 100 of 100 upwards.
        assert!(svg.contains("H404.0V28.0H744.0\"/>"), "{svg}");
    }

    #[test]
    fn every_line_has_its_name_and_a_dot_a_point() {
        let lines = ["a", "b"].map(|name| (name.to_owned(), vec![(0.0, 1.0), (5.0, 50.0), (10.0, 100.0)]));
        let svg = plot(Shape::Lines(lines.to_vec())).svg();
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"named").count()), (6, 2));
        assert!(svg.contains("M64.0 285.4L404.0 158.0L744.0 28.0"), "{svg}");
    }

    #[test]
    fn columns_stand_on_powers_of_ten_and_have_their_names_and_values_as_text() {
        let columns = vec![("a<".to_owned(), 100.0), ("b".to_owned(), 0.0)];
        let svg = Plot { y: (-2.0, 3.0), ..plot(Shape::Columns(columns)) }.svg();
        assert!(svg.contains(">a&lt;</text>") && svg.contains(">100</text>") && svg.contains(">0.01</text>"));
        // Nothing has no logarithm; its column has no height.
        assert!(svg.contains("height=\"0.0\"/>") && svg.contains(">0.00</text>"), "{svg}");
    }

    #[test]
    fn values_that_are_no_numbers_draw_nothing_strange() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300];
        let svg = plot(Shape::Bars(odd.map(|odd| (odd, odd, odd)).to_vec())).svg();
        let coordinates = svg.split('<').filter(|tag| tag.starts_with("rect"));
        assert!(coordinates.clone().count() == 4);
        assert!(coordinates.into_iter().all(|tag| !tag.contains("NaN") && !tag.contains("inf")));
    }
}
