//! Lines and areas over time, with the time of the faults shaded.

use plotters::chart::ChartBuilder;
use plotters::prelude::{
    AreaSeries, Color, EmptyElement, IntoFont, LineSeries, PathElement, Rectangle, Text,
};
use plotters::style::ShapeStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::{Canvas, Chart, Failure, Ink, Width, both, font, px, ticks};

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Kind {
    /// A line.
    Line,
    /// A line, and the area below it.
    Area,
    /// A thin, faint line for what stands behind.
    Faint,
}

/// One series: seconds and values.
#[derive(Debug, Clone)]
pub(in crate::render) struct Series {
    pub(in crate::render) points: Vec<(f64, f64)>,
    pub(in crate::render) ink: Ink,
    pub(in crate::render) kind: Kind,
}

/// A time that is shaded, in seconds.
#[derive(Debug, Clone)]
pub(in crate::render) struct Band {
    pub(in crate::render) from: f64,
    pub(in crate::render) to: f64,
    pub(in crate::render) label: String,
}

/// Lines over time.
pub(in crate::render) struct Lines {
    pub(in crate::render) about: String,
    pub(in crate::render) series: Vec<Series>,
    pub(in crate::render) bands: Vec<Band>,
    /// Vertical lines: second and label.
    pub(in crate::render) marks: Vec<(f64, String)>,
    /// A horizontal line.
    pub(in crate::render) target: Option<f64>,
    pub(in crate::render) from_s: f64,
    pub(in crate::render) to_s: f64,
    pub(in crate::render) whole: bool,
    pub(in crate::render) x_text: fn(f64) -> String,
    pub(in crate::render) y_text: fn(f64) -> String,
}

impl Lines {
    /// The chart as HTML.
    pub(in crate::render) fn html(&self) -> String {
        both(self)
    }

    fn top(&self) -> f64 {
        let values = self.series.iter().flat_map(|series| series.points.iter().map(|point| point.1));
        values.chain(self.target).fold(0.0, f64::max)
    }
}

impl Chart for Lines {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn height(&self, width: Width) -> i32 {
        match width {
            Width::Wide => 240,
            Width::Narrow => 210,
        }
    }

    fn draw(&self, canvas: &Canvas<'_>, width: Width) -> Result<(), Failure> {
        let y_ticks = ticks::numbers(self.top(), 5, self.whole);
        let top = y_ticks.last().copied().unwrap_or(1.0);
        let most = if width == Width::Wide { 9 } else { 4 };
        let to_s = self.to_s.max(self.from_s + 1e-3);
        let x_ticks = ticks::seconds(self.from_s, to_s, most);
        let mut chart = ChartBuilder::on(canvas)
            .margin_top(px(20))
            .margin_right(px(14))
            .margin_left(px(2))
            .x_label_area_size(px(28))
            .y_label_area_size(px(48))
            .build_cartesian_2d(
                Axis { from: self.from_s, to: to_s, ticks: x_ticks },
                Axis { from: 0.0, to: top, ticks: y_ticks },
            )?;
        for band in &self.bands {
            let (from, to) = (band.from.clamp(self.from_s, to_s), band.to.clamp(self.from_s, to_s));
            chart.draw_series([Rectangle::new([(from, 0.0), (to, top)], Ink::Band.color().filled())])?;
        }
        let grid = Ink::Grid.color().stroke_width(2);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(grid)
            .light_line_style(Ink::Grid.color().mix(0.0))
            .axis_style(Ink::Grid.color().mix(0.0))
            .set_all_tick_mark_size(px(7))
            .label_style(("sans-serif", font(11)).into_font().color(&Ink::Muted.color()))
            .x_label_formatter(&|x| (self.x_text)(*x))
            .y_label_formatter(&|y| (self.y_text)(*y))
            .draw()?;
        for series in &self.series {
            let color = series.ink.color();
            let points = series.points.iter().copied();
            let stroke = |width| ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: width };
            match series.kind {
                Kind::Line => _ = chart.draw_series(LineSeries::new(points, stroke(5)))?,
                Kind::Faint => {
                    let faint = ShapeStyle { color: color.mix(0.55), filled: false, stroke_width: 3 };
                    chart.draw_series(LineSeries::new(points, faint))?;
                }
                Kind::Area => {
                    chart
                        .draw_series(AreaSeries::new(points, 0.0, color.mix(0.14)).border_style(stroke(5)))?;
                }
            }
        }
        let targets = self.target.map(|target| [(self.from_s, target), (to_s, target)]);
        let marks = self.marks.iter().map(|(at, _)| [(*at, 0.0), (*at, top)]);
        let style = Ink::Target.color().stroke_width(4);
        chart.draw_series(
            targets.into_iter().chain(marks).map(|ends| PathElement::new(ends.to_vec(), style)),
        )?;
        // What stands above the plot: the bands and the vertical lines.
        let middle = |band: &Band| f64::midpoint(band.from.max(self.from_s), band.to.min(to_s));
        let bands = self.bands.iter().map(|band| (middle(band), &band.label));
        let text = ("sans-serif", font(11)).into_font().color(&Ink::Muted.color());
        let text = text.pos(Pos::new(HPos::Center, VPos::Bottom));
        for (at, label) in bands.chain(self.marks.iter().map(|(at, label)| (*at, label))) {
            let label = EmptyElement::at((at, top)) + Text::new(label.clone(), (0, -px(5)), text.clone());
            chart.plotting_area().draw(&label)?;
        }
        Ok(())
    }
}
