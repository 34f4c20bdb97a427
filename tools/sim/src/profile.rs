//! Profile of the host time of a simulation: by kind of instruction, and by layer.
//!
//! Times are those of this host and of this run; they are not part of any report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dpu_isa::Program;
use strum_cli::table::{Column, Table};

use crate::report::layer_of;

/// Maximum number of layers listed.
const LAYERS: usize = 16;

/// Categories of host time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Determining and checking the accesses of a task: the first run of a program only.
    Checks,
    /// Computing the values of a task.
    Values,
}

/// Time and number of calls.
#[derive(Debug, Default)]
struct Counter {
    nanoseconds: AtomicU64,
    calls: AtomicU64,
}

impl Counter {
    fn add(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Nothing else depends on the order of these.
        self.nanoseconds.fetch_add(time, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn milliseconds(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e6
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// The host time of the runs of one program, which may be on several threads.
#[derive(Debug)]
pub struct HostProfile {
    /// Values, for every instruction.
    values: Vec<Counter>,
    checks: Counter,
    /// Whole samples.
    samples: Counter,
}

impl HostProfile {
    /// An empty profile of a program.
    #[must_use]
    pub fn new(program: &Program) -> HostProfile {
        let values = program.instrs.iter().map(|_| Counter::default()).collect();
        HostProfile { values, checks: Counter::default(), samples: Counter::default() }
    }

    /// Times an action for the instruction at `index`.
    pub(crate) fn time<R>(&self, index: usize, phase: Phase, body: impl FnOnce() -> R) -> R {
        let begin = Instant::now();
        let done = body();
        let counter = match phase {
            Phase::Checks => Some(&self.checks),
            Phase::Values => self.values.get(index),
        };
        if let Some(counter) = counter {
            counter.add(begin.elapsed());
        }
        done
    }

    /// Times a whole sample.
    pub(crate) fn time_sample<R>(&self, body: impl FnOnce() -> R) -> R {
        let begin = Instant::now();
        let done = body();
        self.samples.add(begin.elapsed());
        done
    }

    /// Tables of instructions and of the most expensive layers, in milliseconds of all samples together.
    #[must_use]
    pub fn table(&self, program: &Program) -> String {
        let total = self.samples.milliseconds();
        let share = |ms: f64| if total > 0.0 { 100.0 * ms / total } else { 0.0 };
        let numbers = ["time\nms", "%", "calls", "each\nus"].map(Column::number);
        let mut table = Table::new([Column::text("host time")].into_iter().chain(numbers));
        let mut line = |name: &str, ms: f64, calls: u64| {
            let each = if calls > 0 { 1e3 * ms / calls as f64 } else { 0.0 };
            let numbers =
                [format!("{ms:.2}"), format!("{:.1}", share(ms)), calls.to_string(), format!("{each:.2}")];
            table.row([name.to_owned()].into_iter().chain(numbers));
        };
        let mut kinds: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
        let mut layers = vec![0.0; program.layers.len()];
        for (index, (instr, counter)) in program.instrs.iter().zip(&self.values).enumerate() {
            let (ms, calls) = kinds.entry(instr.mnemonic()).or_default();
            *ms += counter.milliseconds();
            *calls += counter.calls();
            if let Some(layer) = layer_of(program, index).and_then(|l| layers.get_mut(l)) {
                *layer += counter.milliseconds();
            }
        }
        let mut kinds: Vec<_> = kinds.into_iter().filter(|(_, (_, calls))| *calls > 0).collect();
        kinds.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
        let computed: f64 = kinds.iter().map(|(_, (ms, _))| ms).sum();
        kinds.iter().for_each(|(name, (ms, calls))| line(name, *ms, *calls));
        line("(hazard checks)", self.checks.milliseconds(), self.checks.calls());
        let rest = (total - computed - self.checks.milliseconds()).max(0.0);
        line("(clock, counters, transfer)", rest, self.samples.calls());
        line("all samples", total, self.samples.calls());
        format!("{table}\n{}", self.layer_table(program, &layers, share))
    }

    fn layer_table(&self, program: &Program, layers: &[f64], share: impl Fn(f64) -> f64) -> String {
        let mut order: Vec<_> = program.layers.iter().zip(layers).filter(|(_, ms)| **ms > 0.0).collect();
        order.sort_by(|a, b| b.1.total_cmp(a.1));
        let texts = ["slowest layers", "op"].map(Column::text);
        let numbers = ["time\nms", "%", "rate\nGMAC/s"].map(Column::number);
        let mut table = Table::new(texts.into_iter().chain(numbers));
        let samples = self.samples.calls() as f64;
        for (layer, ms) in order.iter().take(LAYERS) {
            let rate = layer.macs as f64 * samples / (**ms * 1e6);
            let numbers = [format!("{ms:.2}"), format!("{:.1}", share(**ms)), format!("{rate:.1}")];
            table.row([layer.name.clone(), layer.op.clone()].into_iter().chain(numbers));
        }
        let mut text = table.to_string();
        if let Some(more) = order.len().checked_sub(LAYERS).filter(|&more| more > 0) {
            let _ = writeln!(text, "and {more} more");
        }
        text
    }
}
