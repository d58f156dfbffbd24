//! The waterfall: a row a stage, each beginning where the one before ended; one bar for the device at the 99th
//! percentile and a fainter one for the device in the middle.

use plotters::prelude::{Color, IntoFont, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, TextStyle};

use super::{Canvas, Chart, Failure, Ink, Width, both, font, part, px, ticks};
use crate::summary::Waterfall;
use crate::units;

/// The stages of a [`Waterfall`] as a cascade.
pub(in crate::render) struct Cascade<'a> {
    pub(in crate::render) about: String,
    pub(in crate::render) waterfall: &'a Waterfall,
    pub(in crate::render) ink: Ink,
}

/// Where things are, in drawn pixels.
struct Layout {
    row: i32,
    top: i32,
    left: i32,
    length: i32,
    narrow: bool,
}

const AXIS: i32 = 26;

impl Cascade<'_> {
    /// The chart as HTML.
    pub(in crate::render) fn html(&self) -> String {
        both(self)
    }

    fn layout(width: Width) -> Layout {
        match width {
            Width::Wide => {
                Layout { row: px(34), top: px(6), left: px(186), length: px(760 - 186 - 136), narrow: false }
            }
            Width::Narrow => Layout { row: px(46), top: px(4), left: px(2), length: px(336), narrow: true },
        }
    }

    fn rows(&self) -> i32 {
        i32::try_from(self.waterfall.stages.len()).unwrap_or(0)
    }

    /// The bars of one device: from and to of each stage, in milliseconds.
    fn spans(stages_ms: Option<&[f64]>) -> Vec<(f64, f64)> {
        let mut from = 0.0;
        let span = |took: &f64| {
            let span = (from, from + took);
            from = span.1;
            span
        };
        stages_ms.unwrap_or_default().iter().map(span).collect()
    }

    fn axis(&self, canvas: &Canvas<'_>, layout: &Layout, width: Width, total_ms: f64) -> Result<(), Failure> {
        let bottom = layout.top + layout.row * self.rows() + px(2);
        let most = if width == Width::Wide { 6 } else { 4 };
        for tick in ticks::seconds(0.0, total_ms / 1e3, most) {
            let x = layout.left + part(layout.length, tick * 1e3 / total_ms);
            let line = vec![(x, layout.top), (x, bottom)];
            canvas.draw(&PathElement::new(line, Ink::Grid.color().stroke_width(2)))?;
            let edge = layout.narrow && x + px(30) > px(width.pixels());
            let anchor = match (tick > 0.0, edge) {
                (false, _) if layout.narrow => HPos::Left,
                (_, true) => HPos::Right,
                _ => HPos::Center,
            };
            let text = style(11, Ink::Muted, anchor, VPos::Top);
            canvas.draw(&Text::new(units::duration_ms(tick * 1e3), (x, bottom + px(6)), text))?;
        }
        Ok(())
    }
}

fn style(size: i32, ink: Ink, h: HPos, v: VPos) -> TextStyle<'static> {
    ("sans-serif", font(size)).into_font().color(&ink.color()).pos(Pos::new(h, v))
}

impl Chart for Cascade<'_> {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn height(&self, width: Width) -> i32 {
        let layout = Self::layout(width);
        (layout.top + layout.row * self.rows()) / super::SCALE + AXIS
    }

    fn draw(&self, canvas: &Canvas<'_>, width: Width) -> Result<(), Failure> {
        let layout = Self::layout(width);
        let slow = self.waterfall.p99_device.as_ref();
        let total_ms = slow.map_or(1.0, |device| device.total_ms).max(1e-3);
        self.axis(canvas, &layout, width, total_ms)?;
        let slow = Self::spans(slow.map(|device| device.stages_ms.as_slice()));
        let middle = self.waterfall.median_device.as_ref();
        let middle = Self::spans(middle.map(|device| device.stages_ms.as_slice()));
        for (index, stage) in self.waterfall.stages.iter().enumerate() {
            let y = layout.top + layout.row * i32::try_from(index).unwrap_or(0);
            let set = self.waterfall.set_by.as_ref() == Some(&stage.stage);
            let color = self.ink.color();
            let bars_at = if layout.narrow { y + px(20) } else { y + px(6) };
            for (spans, from, to, alpha) in
                [(&slow, 0, 12, if set { 1.0 } else { 0.62 }), (&middle, 14, 19, 0.34)]
            {
                let Some((start, end)) = spans.get(index) else { continue };
                if end <= start {
                    continue;
                }
                // A stage of a few milliseconds is still a stage, and to be seen, also at the right end.
                let least = px(if layout.narrow { 4 } else { 3 });
                let x = part(layout.length, start / total_ms).min(layout.length - least);
                let until = part(layout.length, end / total_ms).max(x + least);
                let (x, until) = (layout.left + x, layout.left + until);
                let corners = [(x, bars_at + px(from)), (until, bars_at + px(to))];
                canvas.draw(&Rectangle::new(corners, color.mix(alpha).filled()))?;
            }
            let took = slow.get(index).map_or(0.0, |(start, end)| end - start);
            let typical = middle.get(index).map_or(0.0, |(start, end)| end - start);
            let ink = if set { Ink::Text } else { Ink::Muted };
            let bold = |text: TextStyle<'static>| {
                let font = text.font.style(if set { FontStyle::Bold } else { FontStyle::Normal });
                TextStyle { font, ..text }
            };
            let numbers = if layout.narrow {
                format!("{} · {}", units::duration_ms(took), units::duration_ms(typical))
            } else {
                units::duration_ms(took)
            };
            let middle_y = y + layout.row / 2 - px(2);
            let (label, value) = if layout.narrow {
                ((px(2), y + px(2)), (px(width.pixels()) - px(2), y + px(2)))
            } else {
                ((layout.left - px(14), middle_y), (layout.left + layout.length + px(64), middle_y))
            };
            let (label_pos, v) =
                if layout.narrow { (HPos::Left, VPos::Top) } else { (HPos::Right, VPos::Center) };
            canvas.draw(&Text::new(stage.label.clone(), label, bold(style(12, ink, label_pos, v))))?;
            canvas.draw(&Text::new(numbers, value, bold(style(12, Ink::Text, HPos::Right, v))))?;
            if !layout.narrow {
                let at = (px(width.pixels()) - px(2), middle_y);
                let text = style(12, Ink::Muted, HPos::Right, VPos::Center);
                canvas.draw(&Text::new(units::duration_ms(typical), at, text))?;
            }
        }
        Ok(())
    }
}
