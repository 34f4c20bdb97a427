//! Progress display on a terminal, for work that takes a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress line on standard error. Removed when dropped; absent without a terminal.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts; `quiet` shows nothing.
    pub fn begin(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}{msg} ({elapsed})") {
            bar.set_style(style);
        }
        // Ticking takes a thread, even if nothing is shown.
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Progress { bar }
    }

    /// The prefix of all steps from now on.
    pub fn task(&self, what: impl Into<String>) {
        self.bar.set_prefix(what.into());
    }

    /// The current step.
    pub fn step(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// From now on, `total` samples are processed; see [`Progress::samples_done`].
    pub fn samples(&self, total: u64) {
        let template = "{bar:30} {pos} of {len} samples, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_length(total);
        self.bar.reset();
    }

    /// Number of samples done.
    pub fn samples_done(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Runs an action that writes to standard error.
    pub fn pause<R>(&self, body: impl FnOnce() -> R) -> R {
        self.bar.suspend(body)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
