//! Charts drawn in SVG, with classes instead of styles, and everything that a line says said in words as well.

use askama::Template;

/// One bar: what it stands for, how long it is, and its value in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub label: String,
    pub value: f64,
    pub said: String,
}

/// Bars that stand, in the order of time.
#[derive(Clone, Debug, Template)]
#[template(path = "columns.svg", escape = "html")]
pub struct Columns {
    title: String,
    highest: String,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    x: String,
    middle: String,
    y: String,
    width: String,
    height: String,
    said: String,
    /// Every so many, so that labels do not touch.
    label: Option<String>,
}

/// However many columns or bars there are: a chart's texts are as large as another's.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 120.0;
/// Of a column's place, the rest is air; few columns are not as wide as they could be.
const FILLED: f64 = 0.82;
const WIDEST: f64 = 40.0;
/// A value that is there can be seen.
const LEAST: f64 = 1.5;
/// Labels that fit beside each other.
const LABELS: usize = 6;

impl Columns {
    pub fn new(title: &str, bars: &[Bar]) -> Self {
        let top = bars.iter().max_by(|a, b| a.value.total_cmp(&b.value));
        let highest = top.filter(|bar| bar.value > 0.0).map(|bar| bar.said.clone()).unwrap_or_default();
        let scale = top.map_or(0.0, |bar| bar.value);
        let place_width = WIDTH / bars.len().max(1) as f64;
        let width = (place_width * FILLED).min(WIDEST);
        let every = bars.len().div_ceil(LABELS).max(1);
        let column = |(place, bar): (usize, &Bar)| {
            let height = length(bar.value, scale, HEIGHT);
            let label = (bars.len() - 1 - place).is_multiple_of(every).then(|| bar.label.clone());
            let middle = (place as f64 + 0.5) * place_width;
            Column {
                x: figure(middle - width / 2.0),
                middle: figure(middle),
                y: figure(HEIGHT - height),
                width: figure(width),
                height: figure(height),
                said: format!("{}: {}", bar.label, bar.said),
                label,
            }
        };
        Self { title: title.to_owned(), highest, columns: bars.iter().enumerate().map(column).collect() }
    }
}

/// Bars that lie, each beside its label.
#[derive(Clone, Debug, Template)]
#[template(path = "bars.svg", escape = "html")]
pub struct Bars {
    title: String,
    height: usize,
    bars: Vec<Lying>,
}

#[derive(Clone, Debug)]
struct Lying {
    y: usize,
    width: String,
    label: String,
    said: String,
}

const ROW: usize = 34;
/// Bars of one chart; who looks for more has the report.
pub const MOST_BARS: usize = 12;
const LONGEST_LABEL: usize = 40;

impl Bars {
    pub fn new(title: &str, bars: &[Bar]) -> Self {
        let scale = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let shown = bars.iter().take(MOST_BARS).enumerate().map(|(place, bar)| Lying {
            y: place * ROW,
            width: figure(length(bar.value, scale, WIDTH)),
            label: super::words::cut(&bar.label, LONGEST_LABEL),
            said: bar.said.clone(),
        });
        let bars: Vec<Lying> = shown.collect();
        Self { title: title.to_owned(), height: bars.len() * ROW, bars }
    }
}

fn length(value: f64, scale: f64, most: f64) -> f64 {
    if value > 0.0 && scale > 0.0 { (value / scale * most).max(LEAST) } else { 0.0 }
}

/// To a tenth of a unit, without a tail of digits.
fn figure(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    tenths.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64) -> Bar {
        Bar { label: label.to_owned(), value, said: format!("{value} h") }
    }

    #[test]
    fn the_highest_column_fills_the_chart_and_what_is_there_can_be_seen() {
        let drawn = Columns::new("Saved", &[bar("20 Nov", 0.0), bar("21 Nov", 100.0), bar("22 Nov", 0.001)]).render().expect("a chart");
        for part in [r#"height="120""#, r#"height="1.5""#, "21 Nov: 100 h", "<title>Saved</title>"] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
        assert_eq!(drawn.matches("<rect").count(), 2, "what is nothing has no bar: {drawn}");
    }

    #[test]
    fn of_many_columns_six_have_a_label_the_last_one_too() {
        let labels = |days| {
            let bars: Vec<Bar> = (1..=days).map(|day| bar(&format!("d{day}"), 1.0)).collect();
            let labels: Vec<String> = Columns::new("Saved", &bars).columns.into_iter().filter_map(|column| column.label).collect();
            labels.join(" ")
        };
        assert_eq!(labels(30), "d5 d10 d15 d20 d25 d30");
        assert_eq!(labels(90), "d15 d30 d45 d60 d75 d90");
        assert_eq!(labels(7), "d1 d3 d5 d7");
    }

    #[test]
    fn however_many_columns_there_are_they_fill_the_same_width() {
        for days in [1, 7, 90] {
            let bars: Vec<Bar> = (0..days).map(|_| bar("d", 1.0)).collect();
            let columns = Columns::new("Saved", &bars).columns;
            let end = |column: &Column| column.x.parse::<f64>().unwrap_or_default() + column.width.parse::<f64>().unwrap_or_default();
            assert!(columns.iter().all(|column| end(column) > 0.0 && end(column) <= WIDTH), "{columns:?}");
            assert!(columns.windows(2).all(|pair| end(&pair[0]) < end(&pair[1])), "{columns:?}");
        }
    }

    #[test]
    fn bars_show_no_more_than_fit_and_no_value_gives_no_width() {
        let bars: Vec<Bar> = (0..20).map(|n| bar("<p>", f64::from(n))).collect();
        let drawn = Bars::new("Saved by policy", &bars).render().expect("a chart");
        assert_eq!(drawn.matches("<text").count(), MOST_BARS * 2, "{drawn}");
        assert!(drawn.contains("&#60;p&#62;") && !drawn.contains("NaN"), "{drawn}");
        assert!(Bars::new("Nothing", &[]).render().is_ok() && Columns::new("Nothing", &[]).render().is_ok());
    }
}
