//! A report as text: the totals in a few lines, or the table of layers.
//!
//! Everything printed is in the report; only shares are computed here.

use std::fmt;

use dpu_cost::Energy;
use strum_cli::table::{Column, Table, shortened};

use super::{Report, Work};

impl Report {
    /// The totals, a few lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let t = &self.total;
        let b = &t.bytes;
        format!(
            "cycles  {} ({:.3} ms at {} MHz, {})\n\
             macs    {} ({} high, {} low)\n\
             dram    {} bytes read, {} written\n\
             sram    {} bytes read, {} written\n\
             energy  {:.3} uJ: {}\n",
            self.cycles,
            self.milliseconds,
            self.clock_mhz,
            self.machine,
            t.macs(),
            t.macs_high,
            t.macs_low,
            b.dram_read,
            b.dram_write,
            b.sram_read,
            b.sram_write,
            t.energy_fj.total as f64 / 1e9,
            shares(&t.energy_fj),
        )
    }
}

/// A table of layers, engines and totals; at most 120 columns wide for the numbers of real networks.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table();
        for l in &self.layers {
            table.row(row(&l.name, &l.op, self.cycles, &l.work));
        }
        table.row(row("total", "", self.cycles, &self.total));
        write!(f, "{table}")?;
        writeln!(f, "{EXPLANATION}\n")?;
        let mut table = Table::new([
            Column::text("engine"),
            Column::number("busy\ncycles"),
            Column::number("%"),
            Column::number("tasks"),
        ]);
        for e in &self.engines {
            let cells = [e.busy.to_string(), percent(e.busy, self.cycles), e.tasks.to_string()];
            table.row([e.name.clone()].into_iter().chain(cells));
        }
        writeln!(f, "{table}")?;
        let s = &self.total.stalls;
        writeln!(
            f,
            "stalls  {} cycles for barriers, {} for a full FIFO, {} to arm a barrier",
            s.barrier_wait, s.fifo_full, s.barrier_arm
        )?;
        write!(f, "{}", self.summary())
    }
}

const COLUMNS: usize = 13;
/// Headers of the columns of numbers.
const NUMBERS: [&str; COLUMNS - 2] = [
    "cycles",
    "%",
    "dpu\nbusy",
    "vec\nbusy",
    "dma\nbusy",
    "wait\ncycles",
    "MACs\nM",
    "low\n%",
    "DRAM\nkB",
    "SRAM\nkB",
    "energy\nuJ",
];
const EXPLANATION: &str = "cycles of the run by what they go to; dpu, vec and dma may be busy at the same time; \
                           bytes read and written";
/// Maximum characters of a name: longer ones are shortened in the middle.
const NAME: usize = 20;

fn table() -> Table {
    let texts = ["layer", "op"].map(Column::text);
    Table::new(texts.into_iter().chain(NUMBERS.map(Column::number)))
}

fn row(name: &str, op: &str, all_cycles: u64, w: &Work) -> [String; COLUMNS] {
    let (b, cycles) = (&w.bytes, w.elapsed.total());
    let exact =
        [cycles, w.busy.dpu, w.busy.vec, w.busy.dma0.saturating_add(w.busy.dma1), w.stalls.barrier_wait];
    let [cycles_text, dpu, vec, dma, wait] = exact.map(|n| n.to_string());
    let kilobytes = |a: u64, b: u64| decimals(a.saturating_add(b) as f64 / 1e3, 1);
    // The dialect prefix of an operation is redundant here.
    let op = op.rsplit('.').next().unwrap_or(op);
    [
        shortened(name, NAME),
        shortened(op, NAME),
        cycles_text,
        percent(cycles, all_cycles),
        dpu,
        vec,
        dma,
        wait,
        decimals(w.macs() as f64 / 1e6, 3),
        percent(w.macs_low, w.macs()),
        kilobytes(b.dram_read, b.dram_write),
        kilobytes(b.sram_read, b.sram_write),
        decimals(w.energy_fj.total as f64 / 1e9, 3),
    ]
}

/// With this many decimals, or two fewer from 1000 on.
fn decimals(value: f64, count: usize) -> String {
    let count = if value < 1e3 { count } else { count.saturating_sub(2) };
    format!("{value:.count$}")
}

/// Energy by part.
fn shares(energy: &Energy) -> String {
    let rest = [
        ("PE", energy.pe),
        ("PPE", energy.ppe),
        ("VEC", energy.vec),
        ("SRAM", energy.sram_read.saturating_add(energy.sram_write)),
        ("DRAM", energy.dram),
        ("idle", energy.idle),
    ];
    let list = rest.iter().filter(|(_, part)| *part > 0);
    let list: Vec<String> =
        list.map(|(name, part)| format!("{name} {}%", percent(*part, energy.total))).collect();
    if list.is_empty() { "nothing counted".to_owned() } else { list.join(", ") }
}

/// One decimal; `-` if undefined.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_a_large_network_has_120_columns() {
        let mut work = Work { macs_high: 4_089_184_256, macs_low: 1_985_569_152, ..Work::default() };
        (work.elapsed.dpu, work.busy.dpu, work.busy.vec) = (2_836_579, 2_836_579, 2_836_579);
        (work.busy.dma0, work.stalls.barrier_wait) = (2_836_579, 2_836_579);
        (work.bytes.dram_read, work.bytes.sram_read) = (28_113_500, 164_962_980);
        work.energy_fj.total = 9_693_900_000_000;
        let mut table = table();
        table.row(row("a layer that has a very long name", "strum.conv2d", 2_836_579, &work));
        let text = table.to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|width| width <= 120), "{widest:?}\n{text}");
    }
}
