//! Area and energy of all designs, relative to the reference, as an SVG drawing.
//!
//! Invariant: the same comparison gives the same bytes; all positions are rounded to a tenth of a unit.

use std::fmt::Write as _;

use super::summary::{Compared, Comparison};
use crate::spec::LowLanes;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;

/// Colours of blocks of 4, 8, 16 and 32, and of dense PEs; readable with any colour vision (Okabe and Ito).
const COLOURS: [(u8, &str); 5] =
    [(0, "#000000"), (4, "#e69f00"), (8, "#0072b2"), (16, "#d55e00"), (32, "#009e73")];

/// A linear scale.
struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Holds all values, and ends at multiples of `step`.
    fn of(values: impl Iterator<Item = f64>, step: f64, start: f64, end: f64) -> Scale {
        let (low, high) = values.fold((1.0f64, 1.0f64), |(low, high), v| (low.min(v), high.max(v)));
        Scale {
            low: (low / step - 0.25).floor() * step,
            high: (high / step + 0.25).ceil() * step,
            start,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    fn ticks(&self, step: f64) -> Vec<f64> {
        let count = ((self.high - self.low) / step).round().clamp(0.0, 100.0) as u32;
        (0..=count).map(|i| self.low + f64::from(i) * step).collect()
    }
}

/// Draws the designs: area of the whole PE to the right, energy of a product upwards.
#[must_use]
pub fn plot(comparison: &Comparison, title: &str) -> String {
    let designs = &comparison.designs;
    let x = Scale::of(designs.iter().map(|d| d.area_ratio), 0.1, LEFT, WIDTH - RIGHT);
    let y = Scale::of(designs.iter().map(|d| d.energy_ratio.median), 0.1, HEIGHT - BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{0}</text>\n",
        escaped(title)
    );
    axes(&mut svg, &x, &y);
    let mut front: Vec<&Compared> = designs.iter().filter(|design| design.front).collect();
    front.sort_by(|a, b| a.area_ratio.total_cmp(&b.area_ratio));
    let points: Vec<String> = front
        .iter()
        .map(|d| format!("{:.1},{:.1}", x.at(d.area_ratio), y.at(d.energy_ratio.median)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#888888\" stroke-dasharray=\"4 3\"/>",
        points.join(" ")
    );
    for design in designs {
        let (cx, cy) = (x.at(design.area_ratio), y.at(design.energy_ratio.median));
        let range = &design.energy_ratio;
        if design.front {
            let _ = writeln!(
                svg,
                "<line x1=\"{cx:.1}\" x2=\"{cx:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{}\"/>",
                y.at(range.min).clamp(TOP, HEIGHT - BOTTOM),
                y.at(range.max).clamp(TOP, HEIGHT - BOTTOM),
                colour(design.point.w)
            );
        }
        marker(&mut svg, Shape::of(design), design.front, (cx, cy), design.point.w, &tooltip(design));
    }
    legend(&mut svg, designs);
    svg += "</svg>\n";
    svg
}

fn axes(svg: &mut String, x: &Scale, y: &Scale) {
    let (right, base) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in x.ticks(0.1) {
        let at = x.at(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{base}\" stroke=\"#e0e0e0\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick:.1}</text>",
            base + 16.0
        );
    }
    for tick in y.ticks(0.1) {
        let at = y.at(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e0e0e0\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tick:.1}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{base}\" stroke=\"#666666\"/>\
         <line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#666666\"/>",
        x.at(1.0),
        y.at(1.0)
    );
    let _ = writeln!(
        svg,
        "<text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"middle\">area of the PE, best dense PE = 1</text>\n\
         <text transform=\"translate(20 {2:.1}) rotate(-90)\" text-anchor=\"middle\">energy of a product, best dense PE = 1</text>",
        f64::midpoint(LEFT, right),
        base + 40.0,
        f64::midpoint(TOP, base)
    );
}

fn colour(w: u8) -> &'static str {
    COLOURS.iter().find(|(own, _)| *own == w).map_or("#000000", |(_, colour)| colour)
}

/// How a design is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A dense PE.
    Square,
    /// A dynamic one.
    Triangle,
    /// A static one with routed low lanes.
    Circle,
    /// A static one with low lanes in place.
    Diamond,
}

impl Shape {
    /// The shapes of StruM's PEs and what they stand for.
    const STRUM: [(Shape, &str); 3] = [
        (Shape::Triangle, "dynamic PE"),
        (Shape::Circle, "static PE"),
        (Shape::Diamond, "static PE, low lanes in place"),
    ];

    fn of(design: &Compared) -> Shape {
        match (design.point.decode, design.point.low_lanes) {
            (None, _) => Shape::Square,
            (Some(_), None) => Shape::Triangle,
            (Some(_), Some(LowLanes::Routed)) => Shape::Circle,
            (Some(_), Some(LowLanes::InPlace)) => Shape::Diamond,
        }
    }
}

/// A design's mark, filled where no design has less of both.
fn marker(svg: &mut String, shape: Shape, filled: bool, (x, y): (f64, f64), w: u8, tooltip: &str) {
    let colour = colour(w);
    let fill = if filled { colour } else { "none" };
    let style = format!("fill=\"{fill}\" stroke=\"{colour}\"");
    let _ = match shape {
        Shape::Square => writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\" {style}>{tooltip}</rect>",
            x - 4.0,
            y - 4.0
        ),
        Shape::Triangle => writeln!(
            svg,
            "<path d=\"M {x:.1} {:.1} L {:.1} {base:.1} L {:.1} {base:.1} Z\" {style}>{tooltip}</path>",
            y - 5.0,
            x - 5.0,
            x + 5.0,
            base = y + 4.0
        ),
        Shape::Diamond => writeln!(
            svg,
            "<path d=\"M {x:.1} {:.1} L {:.1} {y:.1} L {x:.1} {:.1} L {:.1} {y:.1} Z\" {style}>{tooltip}</path>",
            y - 5.5,
            x + 5.5,
            y + 5.5,
            x - 5.5
        ),
        Shape::Circle => {
            writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" {style}>{tooltip}</circle>")
        }
    };
}

fn tooltip(design: &Compared) -> String {
    format!(
        "<title>{}: area {:.3}, energy {:.3}</title>",
        escaped(&design.point.design),
        design.area_ratio,
        design.energy_ratio.median
    )
}

fn legend(svg: &mut String, designs: &[Compared]) {
    let x = WIDTH - RIGHT + 20.0;
    let mut y = TOP + 10.0;
    let mut line = |svg: &mut String, shape: Shape, filled: bool, w: u8, text: &str| {
        marker(svg, shape, filled, (x, y), w, "");
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{text}</text>", x + 14.0, y + 4.0);
        y += 20.0;
    };
    line(svg, Shape::Square, false, 0, "dense PE");
    for (shape, text) in Shape::STRUM {
        for (w, _) in COLOURS {
            if designs.iter().any(|design| Shape::of(design) == shape && design.point.w == w) {
                line(svg, shape, false, w, &format!("{text}, w = {w}"));
            }
        }
    }
    let colour = colour(0);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{0:.1}\">filled: no other design has less</text>\n\
         <text x=\"{x:.1}\" y=\"{1:.1}\">area and less energy; its line is</text>\n\
         <text x=\"{x:.1}\" y=\"{2:.1}\" fill=\"{colour}\">the range over layers</text>",
        y + 10.0,
        y + 26.0,
        y + 42.0
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
