//! Bars of what came in day by day, as SVG: no script draws it.

use maud::{Markup, html};

/// A day's bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    /// What the bar says where the pointer rests.
    pub(super) title: String,
    /// Captured, in base units.
    pub(super) captured: u128,
    /// Refunded of that.
    pub(super) refunded: u128,
}

/// From one bar's left edge to the next one's.
const STEP: usize = 12;

/// A bar's width.
const WIDTH: usize = 10;

/// The highest bar.
const HEIGHT: u128 = 60;

/// Draws the bars, oldest on the left. `label` says the same to who does not see them.
pub(super) fn bars(label: &str, bars: &[Bar]) -> Markup {
    let highest = bars.iter().map(|bar| bar.captured.max(bar.refunded)).max().unwrap_or(0);
    let width = bars.len() * STEP;
    html! {
        svg.chart viewBox={ "0 0 " (width) " " (HEIGHT + 1) } preserveAspectRatio="none" role="img" aria-label=(label) {
            line.axis x1="0" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
            @for (index, bar) in bars.iter().enumerate() {
                @let (captured, refunded) = (height(bar.captured, highest), height(bar.refunded, highest));
                g {
                    title { (bar.title) }
                    @if captured > 0 {
                        rect.captured x=(index * STEP + 1) y=(HEIGHT - captured) width=(WIDTH) height=(captured) {}
                    }
                    @if refunded > 0 {
                        rect.refunded x=(index * STEP + 1) y=(HEIGHT - refunded) width=(WIDTH) height=(refunded) {}
                    }
                }
            }
        }
    }
}

/// A bar's height: what is above nothing can be seen.
fn height(amount: u128, highest: u128) -> u128 {
    // Amounts of any size: only the ratio counts.
    let ratio = amount as f64 / highest.max(1) as f64;
    let height = (ratio * HEIGHT as f64).round() as u128;
    if amount > 0 { height.clamp(1, HEIGHT) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_chart_and_the_smallest_can_be_seen() {
        assert_eq!([0, 1, 500_000, 1_000_000].map(|amount| height(amount, 1_000_000)), [0, 1, 30, 60]);
        assert_eq!((height(0, 0), height(u128::MAX, u128::MAX)), (0, 60));
        let bar = |captured, refunded| Bar { title: "<day>".to_owned(), captured, refunded };
        let drawn = bars("all & more", &[bar(0, 0), bar(10, 5)]).into_string();
        assert_eq!(drawn.matches("<rect").count(), 2, "{drawn}");
        assert!(drawn.contains("viewBox=\"0 0 24 61\"") && drawn.contains("&lt;day&gt;"), "{drawn}");
    }
}
