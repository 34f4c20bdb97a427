//! StruM's PEs against dense ones: ratios of area and energy, and the designs that no other one beats in both.

use serde::{Deserialize, Serialize};

use super::point::Point;

/// Least, median and greatest of a figure over layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Least.
    pub min: f64,
    /// Median; the mean of the middle two of an even number.
    pub median: f64,
    /// Greatest.
    pub max: f64,
}

impl Range {
    /// Of these; zeros of none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Range {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
        let last = values.len().saturating_sub(1);
        Range { min: at(0), median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), max: at(last) }
    }
}

/// A row of `strumc eval`.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    /// The format, as [`Point::weights`] has it.
    pub weights: String,
    /// Top-1 of plain INT8 less that of the format, percentage points.
    pub loss_points: f64,
}

/// A design, and how it compares with the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was measured.
    #[serde(flatten)]
    pub point: Point,
    /// Mean over layers of the energy of a product in the whole PE, fJ.
    pub mean_energy_fj: f64,
    /// Area of the whole PE over that of the reference.
    pub area_ratio: f64,
    /// Area of the PE without register files, over that of the reference.
    pub core_area_ratio: f64,
    /// Area of the datapath over that of the reference.
    pub datapath_area_ratio: f64,
    /// Energy of the whole PE over that of the reference, layer by layer.
    pub energy_ratio: Range,
    /// Energy of the PE without register files, likewise.
    pub core_energy_ratio: Range,
    /// Energy of the datapath, likewise.
    pub datapath_energy_ratio: Range,
    /// Whether no other design has as little area and, by the median over layers, as little energy; of equal ones all are.
    pub front: bool,
    /// The greatest loss of accuracy over the networks given, percentage points; without figures nothing.
    pub loss_points: Option<f64>,
}

/// All designs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The dense design with the least product of area and energy: what the others are compared with.
    pub reference: String,
    /// The dense design with the least area.
    pub smallest_dense: String,
    /// The dense design with the least energy.
    pub thriftiest_dense: String,
    /// Every design, by the product of area and energy.
    pub designs: Vec<Compared>,
    /// The reference on decoded weights of every format.
    pub decoded: Vec<Compared>,
}

/// The dense design with the least product of area and energy of the whole PE.
pub(super) fn best_dense(points: &[Point]) -> Option<usize> {
    least(points, product)
}

fn product(point: &Point) -> f64 {
    point.area_um2.pe * point.mean_energy().pe
}

fn least(points: &[Point], figure: impl Fn(&Point) -> f64) -> Option<usize> {
    let dense = points.iter().enumerate().filter(|(_, point)| point.dense());
    dense.min_by(|(_, a), (_, b)| figure(a).total_cmp(&figure(b))).map(|(index, _)| index)
}

/// Compares measured designs with the best dense one among them; without one, all ratios are 0.
#[must_use]
pub fn compare(points: Vec<Point>, decoded: Vec<Point>) -> Comparison {
    let name = |index: Option<usize>| {
        index.and_then(|i| points.get(i)).map(|p| p.design.clone()).unwrap_or_default()
    };
    let reference = best_dense(&points);
    let named = [
        name(reference),
        name(least(&points, |point| point.area_um2.pe)),
        name(least(&points, |point| point.mean_energy().pe)),
    ];
    let reference = reference.and_then(|index| points.get(index)).cloned();
    let against = |point: Point| compared(point, reference.as_ref());
    let mut designs: Vec<Compared> = points.into_iter().map(against).collect();
    let all: Vec<(f64, f64)> = designs.iter().map(|d| (d.area_ratio, d.energy_ratio.median)).collect();
    for (design, &(area, energy)) in designs.iter_mut().zip(&all) {
        design.front = !all.iter().any(|&(a, e)| a <= area && e <= energy && (a < area || e < energy));
    }
    designs.sort_by(|a, b| product(&a.point).total_cmp(&product(&b.point)));
    let decoded = decoded.into_iter().map(against).collect();
    let [reference, smallest_dense, thriftiest_dense] = named;
    Comparison { reference, smallest_dense, thriftiest_dense, designs, decoded }
}

fn compared(point: Point, reference: Option<&Point>) -> Compared {
    let ratio = |figure: fn(&Point) -> f64| reference.map_or(0.0, |r| figure(&point) / figure(r));
    let layers = |figure: fn(&super::Levels) -> f64| {
        let ratios = point.layers.iter().filter_map(|own| {
            let same = reference?.layers.iter().find(|l| l.case == own.case && l.layer == own.layer)?;
            Some(figure(&own.energy_fj) / figure(&same.energy_fj))
        });
        Range::of(ratios.collect())
    };
    Compared {
        mean_energy_fj: point.mean_energy().pe,
        area_ratio: ratio(|p| p.area_um2.pe),
        core_area_ratio: ratio(|p| p.area_um2.pe_core),
        datapath_area_ratio: ratio(|p| p.area_um2.datapath),
        energy_ratio: layers(|e| e.pe),
        core_energy_ratio: layers(|e| e.pe_core),
        datapath_energy_ratio: layers(|e| e.datapath),
        front: false,
        loss_points: None,
        point,
    }
}

impl Comparison {
    /// Sets the losses of accuracy: the greatest of each format.
    pub fn set_accuracy(&mut self, rows: &[Accuracy]) {
        for design in self.designs.iter_mut().chain(&mut self.decoded) {
            let own = rows.iter().filter(|row| row.weights == design.point.weights);
            design.loss_points = own.map(|row| row.loss_points).reduce(f64::max);
        }
    }
}
