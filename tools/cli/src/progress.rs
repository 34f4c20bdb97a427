//! What is being done, on a terminal, for work that takes a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on standard error that says what is being done. Gone when it is dropped; never there without a terminal.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins; `quiet` shows nothing.
    pub fn begin(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}{msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress { bar }
    }

    /// What all steps from now on are for.
    pub fn task(&self, what: impl Into<String>) {
        self.bar.set_prefix(what.into());
    }

    /// What is done from now on.
    pub fn step(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// From now on, `total` samples are worked on; see [`Progress::samples_done`].
    pub fn samples(&self, total: u64) {
        let template = "{bar:30} {pos} of {len} samples, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_length(total);
        self.bar.reset();
    }

    /// How many samples are done.
    pub fn samples_done(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Does something that writes to standard error.
    pub fn pause<R>(&self, body: impl FnOnce() -> R) -> R {
        self.bar.suspend(body)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
