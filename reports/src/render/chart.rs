//! Charts, drawn with plotters as SVG and inlined.
//!
//! - Each is drawn twice, for a wide and for a narrow screen, so that text is legible on a phone; CSS shows one.
//! - Colours are sentinels that become CSS classes, so that the page's light and dark colours hold in charts too.
//! - plotters draws on whole pixels: charts are drawn [`SCALE`] times as large as they are shown.
//! - A chart that cannot be drawn is a sentence, never an error: the numbers are in tables as well.

mod axis;
mod bars;
mod lines;
mod ticks;
mod waterfall;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, RGBColor, SVGBackend};

pub(super) use bars::Bars;
pub(super) use lines::{Band, Kind, Lines, Series};
pub(super) use waterfall::Cascade;

/// How much larger than shown a chart is drawn.
const SCALE: i32 = 3;

/// What a chart is drawn on.
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// How a drawing can fail.
type Failure = DrawingAreaErrorKind<std::io::Error>;

/// A colour by its role; the style sheet says what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Grid,
    Primary,
    Secondary,
    Bad,
    Band,
    Target,
    One,
    Two,
    Three,
    Four,
    Five,
    Six,
}

impl Ink {
    const ALL: [Self; 14] = [
        Self::Text,
        Self::Muted,
        Self::Grid,
        Self::Primary,
        Self::Secondary,
        Self::Bad,
        Self::Band,
        Self::Target,
        Self::One,
        Self::Two,
        Self::Three,
        Self::Four,
        Self::Five,
        Self::Six,
    ];

    /// The colours of strategies, in their order. None is a Region's, so that nobody takes one for the other.
    pub(super) const STRATEGIES: [Self; 6] =
        [Self::One, Self::Two, Self::Three, Self::Four, Self::Five, Self::Six];

    /// The name in CSS classes.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Muted => "muted",
            Self::Grid => "grid",
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Bad => "bad",
            Self::Band => "band",
            Self::Target => "target",
            Self::One => "one",
            Self::Two => "two",
            Self::Three => "three",
            Self::Four => "four",
            Self::Five => "five",
            Self::Six => "six",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Muted => 2,
            Self::Grid => 3,
            Self::Primary => 4,
            Self::Secondary => 5,
            Self::Bad => 6,
            Self::Band => 7,
            Self::Target => 8,
            Self::One => 9,
            Self::Two => 10,
            Self::Three => 11,
            Self::Four => 12,
            Self::Five => 13,
            Self::Six => 14,
        }
    }

    const fn color(self) -> RGBColor {
        RGBColor(1, 2, self.number())
    }
}

/// The two widths that a chart is drawn for, in shown pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Wide,
    Narrow,
}

impl Width {
    const fn pixels(self) -> i32 {
        match self {
            Self::Wide => 760,
            Self::Narrow => 340,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// Something that can be drawn on a canvas of a width.
trait Chart {
    /// What it shows, for a reader who cannot see it.
    fn describe(&self) -> String;
    /// Its height in shown pixels.
    fn height(&self, width: Width) -> i32;
    fn draw(&self, canvas: &Canvas<'_>, width: Width) -> Result<(), Failure>;
}

/// The chart as HTML, in both widths.
fn both(chart: &impl Chart) -> String {
    [Width::Wide, Width::Narrow].map(|width| one(chart, width)).concat()
}

fn one(chart: &impl Chart, width: Width) -> String {
    let (shown, height) = (width.pixels(), chart.height(width));
    let size = |pixels: i32| u32::try_from(pixels * SCALE).unwrap_or(1);
    let mut svg = String::new();
    let drawn = {
        let canvas = SVGBackend::with_string(&mut svg, (size(shown), size(height))).into_drawing_area();
        chart.draw(&canvas, width).and_then(|()| canvas.present())
    };
    let about = super::html::esc(&chart.describe());
    match drawn {
        Ok(()) => finish(&svg, width, &about),
        Err(_) => format!("<p class=\"empty {}\">{about}</p>\n", width.class()),
    }
}

/// Takes out of plotters' SVG what the page decides: size, fonts and colours.
fn finish(svg: &str, width: Width, about: &str) -> String {
    let (_, rest) = svg.split_once("viewBox=").unwrap_or(("", svg));
    let rest = rest.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    let head = format!("<svg class=\"chart {}\" role=\"img\" aria-label=\"{about}\" viewBox=", width.class());
    let mut html = head + &rest;
    for ink in Ink::ALL {
        let sentinel = format!("#0102{:02X}", ink.number());
        html = html.replace(&format!("fill=\"{sentinel}\""), &format!("class=\"f-{}\"", ink.name()));
        html = html.replace(&format!("stroke=\"{sentinel}\""), &format!("class=\"s-{}\"", ink.name()));
    }
    html.replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke=\"none\"", "")
}

/// Shown pixels as drawn pixels.
const fn px(shown: i32) -> i32 {
    shown * SCALE
}

/// A font size in shown pixels, as plotters takes it (it divides by 1.24 when it writes SVG).
fn font(shown: i32) -> f64 {
    f64::from(shown * SCALE) * 1.24
}

/// A whole pixel near a fraction of a length.
fn part(length: i32, share: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a share of a chart's width is a small number")]
    let pixels = (f64::from(length) * share.clamp(0.0, 1.0)).round() as i32;
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_distinct() {
        for (index, ink) in Ink::ALL.iter().enumerate() {
            assert!(Ink::ALL[index + 1..].iter().all(|other| other.number() != ink.number()));
        }
    }
}
