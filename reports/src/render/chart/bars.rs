//! A histogram: how many devices took how long.

use plotters::chart::ChartBuilder;
use plotters::prelude::{Color, EmptyElement, IntoFont, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::{Canvas, Chart, Failure, Ink, Width, both, font, px, ticks};
use crate::summary::Bin;
use crate::units;

/// A histogram.
pub(in crate::render) struct Bars<'a> {
    pub(in crate::render) about: String,
    pub(in crate::render) bins: &'a [Bin],
    pub(in crate::render) ink: Ink,
    /// Vertical lines: milliseconds and label.
    pub(in crate::render) marks: Vec<(f64, String)>,
}

impl Bars<'_> {
    /// The chart as HTML.
    pub(in crate::render) fn html(&self) -> String {
        both(self)
    }
}

impl Chart for Bars<'_> {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn height(&self, width: Width) -> i32 {
        match width {
            Width::Wide => 220,
            Width::Narrow => 200,
        }
    }

    fn draw(&self, canvas: &Canvas<'_>, width: Width) -> Result<(), Failure> {
        let most = self.bins.iter().map(|bin| bin.devices).max().unwrap_or(0);
        let y_ticks = ticks::numbers(most as f64, 4, true);
        let top = y_ticks.last().copied().unwrap_or(1.0);
        let from = self.bins.first().map_or(0.0, |bin| bin.from_ms / 1e3);
        let ends =
            self.bins.last().map(|bin| bin.to_ms).into_iter().chain(self.marks.iter().map(|mark| mark.0));
        let to = ends.fold(from * 1e3 + 1.0, f64::max) / 1e3;
        let (from, to) = (from - (to - from) * 0.03, to + (to - from) * 0.03);
        let x_ticks = ticks::seconds(from, to, if width == Width::Wide { 9 } else { 4 });
        let x_step = x_ticks.first().zip(x_ticks.get(1)).map_or(to - from, |(first, second)| second - first);
        let mut chart = ChartBuilder::on(canvas)
            .margin_top(px(20))
            .margin_right(px(14))
            .margin_left(px(2))
            .x_label_area_size(px(28))
            .y_label_area_size(px(48))
            .build_cartesian_2d(
                Axis { from, to, ticks: x_ticks },
                Axis { from: 0.0, to: top, ticks: y_ticks },
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(Ink::Grid.color().stroke_width(2))
            .light_line_style(Ink::Grid.color().mix(0.0))
            .axis_style(Ink::Grid.color().mix(0.0))
            .set_all_tick_mark_size(px(7))
            .label_style(("sans-serif", font(11)).into_font().color(&Ink::Muted.color()))
            .x_label_formatter(&|x| units::tick(*x, x_step))
            .y_label_formatter(&|y| units::number(*y))
            .draw()?;
        let bar = |bin: &Bin| {
            let corners = [(bin.from_ms / 1e3, bin.devices as f64), (bin.to_ms / 1e3, 0.0)];
            let mut bar = Rectangle::new(corners, self.ink.color().filled());
            bar.set_margin(0, 0, 3, 3);
            bar
        };
        chart.draw_series(self.bins.iter().filter(|bin| bin.devices > 0).map(bar))?;
        for (at_ms, label) in &self.marks {
            let at = at_ms / 1e3;
            let style = Ink::Target.color().stroke_width(4);
            chart.draw_series([PathElement::new(vec![(at, 0.0), (at, top)], style)])?;
            let text = ("sans-serif", font(11)).into_font().color(&Ink::Muted.color());
            let text = text.pos(Pos::new(HPos::Center, VPos::Bottom));
            let label = EmptyElement::at((at, top)) + Text::new(label.clone(), (0, -px(5)), text);
            chart.plotting_area().draw(&label)?;
        }
        Ok(())
    }
}
