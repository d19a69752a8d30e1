//! The table and the plot in docs/.

use std::{fmt::Write, fs};

use anyhow::{Context, Result};
use x402_escrow_tests::local::checkout;

use x402_escrow_load::measured::Round;

use crate::figures::Figure;

const PAGE: &str = "docs/benchmarks.md";
const PLOT: &str = "docs/benchmarks-load.svg";
const BEGIN: &str = "<!-- load begins -->\n";
const END: &str = "<!-- load ends -->";

/// A table of the figures.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = "| subject | measured | compared with | measured | counted in | ratio, median | lowest to highest | target | median answer | slowest of 100 |\n\
                    | --- | ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for figure in figures {
        let subject = figure.median(|round| round.subject.per_second);
        let compared = figure.median(|round| round.compared.per_second);
        let (lowest, highest) = figure.spread();
        let milliseconds = |of: fn(&Round) -> Option<f64>| {
            if figure.rounds.iter().all(|round| of(round).is_some()) {
                format!("{:.1} ms", figure.median(|round| of(round).unwrap_or_default()))
            } else {
                String::new()
            }
        };
        _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.2} | {lowest:.2} to {highest:.2} | {} | {} | {} |",
            figure.name,
            rounded(subject),
            figure.compared_with,
            rounded(compared),
            figure.unit,
            figure.ratio(),
            figure.target.map_or_else(String::new, |target| format!("{target:.2}")),
            milliseconds(|round| round.subject.median_milliseconds),
            milliseconds(|round| round.subject.slowest_of_hundred_milliseconds),
        );
    }
    text + &where_time_goes(figures)
}

/// A table for each figure that says where its time goes.
fn where_time_goes(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures.iter().filter(|figure| !figure.where_time_goes.is_empty()) {
        _ = write!(text, "\nDetails of {}:\n\n| part | how much |\n| --- | ---: |\n", figure.name);
        for (part, share) in &figure.where_time_goes {
            _ = writeln!(text, "| {part} | {share} |");
        }
    }
    text
}

/// With as many digits as say something.
fn rounded(number: f64) -> String {
    if number < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}

/// Writes the table into the page, and the plot beside it.
pub(crate) fn write(figures: &[Figure]) -> Result<()> {
    let path = checkout().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("reading {PAGE}"))?;
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} lacks {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} lacks {END}"))?;
    let page = format!("{before}{BEGIN}\n{}\n{END}{after}", table(figures));
    fs::write(path, page).with_context(|| format!("writing {PAGE}"))?;
    fs::write(checkout().join(PLOT), plot(figures)).with_context(|| format!("writing {PLOT}"))
}

/// As wide as the longest subject's name.
const LABEL_WIDTH: f64 = 240.0;
const PLOT_WIDTH: f64 = 460.0;
/// For a ratio and its target behind the bar.
const FIGURES_WIDTH: f64 = 100.0;
const ROW_HEIGHT: f64 = 34.0;
/// How many times its target the plot shows of a ratio.
const MOST: f64 = 1.2;

/// A bar for how much of its target each ratio reaches, a thin line from the lowest to the highest round,
/// and a mark at the target. A ratio without a target is drawn as it is, without a mark.
fn plot(figures: &[Figure]) -> String {
    let height = ROW_HEIGHT * figures.len() as f64 + 40.0;
    let width = LABEL_WIDTH + PLOT_WIDTH + FIGURES_WIDTH;
    let x = |ratio: f64| LABEL_WIDTH + PLOT_WIDTH * ratio.min(MOST) / MOST;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (at, bottom) = (x(tick), height - 26.0);
        _ = writeln!(
            svg,
            "<path d=\"M{at:.1} 8V{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            bottom + 16.0
        );
    }
    for (row, figure) in figures.iter().enumerate() {
        let top = 12.0 + ROW_HEIGHT * row as f64;
        let middle = top + 10.0;
        let (lowest, highest) = figure.spread();
        let of_target = |ratio: f64| x(ratio / figure.target.unwrap_or(1.0));
        let (start, end, target) = (x(0.0), of_target(figure.ratio()), x(1.0));
        let (mark, wanted) = match figure.target {
            Some(wanted) => (
                format!("<path d=\"M{target:.1} {:.1}v28\" stroke=\"#c33\" stroke-width=\"2\"/>", top - 4.0),
                format!(" of {wanted:.2}"),
            ),
            None => (String::new(), String::new()),
        };
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{start:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"20\" fill=\"#4a7ab5\"/>\
             <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"black\"/>{mark}\
             <text x=\"{:.1}\" y=\"{:.1}\">{:.2}{wanted}</text>",
            LABEL_WIDTH - 8.0,
            top + 14.0,
            figure.name,
            end - start,
            of_target(lowest),
            of_target(highest),
            end.max(target) + 6.0,
            top + 14.0,
            figure.ratio(),
        );
    }
    svg + "</svg>\n"
}
