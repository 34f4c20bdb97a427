//! A report for a person: the totals in a few lines, or the table of layers.
//!
//! Everything printed is in the report; nothing is computed here but shares.

use std::fmt;

use super::{Report, Work};
use dpu_cost::Energy;

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

/// A table of layers, engines and totals.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "layer", "op", "cycles", "dma0", "dma1", "dpu", "vec", "wait", "macs", "low%", "dram rd",
            "dram wr", "sram rd", "sram wr", "uJ", "instrs",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        for l in &self.layers {
            rows.push(row(&l.name, &l.op, l.cycles, &l.work));
        }
        rows.push(row("total", "", self.cycles, &self.total));
        write_table(f, &rows)?;
        let s = &self.total.stalls;
        writeln!(f)?;
        for e in &self.engines {
            let share = percent(e.busy, self.cycles);
            writeln!(f, "{:<12} {:>12} cycles busy ({share}%), {} tasks", e.name, e.busy, e.tasks)?;
        }
        let stalls = format!(
            "stalls       {:>12} cycles for barriers, {} for a full FIFO, {} to arm a barrier",
            s.barrier_wait, s.fifo_full, s.barrier_arm
        );
        writeln!(f, "{stalls}")?;
        write!(f, "{}", self.summary())
    }
}

fn row(name: &str, op: &str, cycles: u64, w: &Work) -> [String; 16] {
    let numbers = [cycles, w.busy.dma0, w.busy.dma1, w.busy.dpu, w.busy.vec, w.stalls.barrier_wait, w.macs()];
    let [cycles, dma0, dma1, dpu, vec, wait, macs] = numbers.map(|n| n.to_string());
    let b = &w.bytes;
    let [dr, dw, sr, sw] = [b.dram_read, b.dram_write, b.sram_read, b.sram_write].map(|n| n.to_string());
    let low = percent(w.macs_low, w.macs());
    let instrs = w.instructions.values().sum::<u64>().to_string();
    let energy = format!("{:.3}", w.energy_fj.total as f64 / 1e9);
    let (name, op) = (name.to_owned(), op.to_owned());
    [name, op, cycles, dma0, dma1, dpu, vec, wait, macs, low, dr, dw, sr, sw, energy, instrs]
}

/// Where the energy went, part by part.
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

/// One decimal; `-` of nothing.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

/// Columns as wide as needed; the first two to the left, numbers to the right.
fn write_table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let width = |c: usize| rows.iter().map(|r| r.get(c).map_or(0, |t| t.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (c, (text, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if c == 0 { "" } else { "  " };
            let cell = if c < 2 { format!("{gap}{text:<width$}") } else { format!("{gap}{text:>width$}") };
            line.push_str(&cell);
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
