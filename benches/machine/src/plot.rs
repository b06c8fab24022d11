//! A plot as SVG: the horizontal axis in powers of ten, the vertical one from zero.

use std::fmt::Write as _;

use bench_measure::grouped;

pub struct Series<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 240.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 4] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd"];

pub fn plot(all: &[Series<'_>], title: &str) -> String {
    let points = || all.iter().flat_map(|series| series.points.iter().copied());
    let most = points().map(|(_, cost)| cost).fold(1.0, f64::max) * 1.1;
    let powers = points().map(|(count, _)| count.log10()).fold(1.0, f64::max);
    let x = |count: f64| LEFT + (WIDTH - LEFT - RIGHT) * count.log10() / powers;
    let y = |cost: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * cost / most;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\">{title}</text>\n"
    );
    for step in 0..=4 {
        let cost = most / 1.1 * f64::from(step) / 4.0;
        let (at, end) = (y(cost), WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            grouped(cost.round())
        );
    }
    let mut count = 1.0_f64;
    while count.log10() <= powers {
        let text = grouped(count);
        let text = text.trim_end_matches(".00");
        let (at, below) = (x(count), HEIGHT - BOTTOM + 18.0);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{text}</text>"
        );
        count *= 10.0;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\">how many there are; instructions each</text>",
        HEIGHT - 16.0
    );
    for (series, colour) in all.iter().zip(COLOURS.iter().cycle()) {
        let mut line = String::new();
        for (count, cost) in series.points.iter().copied() {
            let _ = write!(line, "{:.1},{:.1} ", x(count), y(cost));
        }
        let line = line.trim_end();
        let _ = writeln!(
            svg,
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        let (_, last) = series.points.last().copied().unwrap_or_default();
        let (at, level) = (WIDTH - RIGHT + 10.0, y(last) + 4.0);
        let _ = writeln!(
            svg,
            "<text x=\"{at}\" y=\"{level:.1}\" fill=\"{colour}\">{}</text>",
            series.name
        );
    }
    svg + "</svg>\n"
}
