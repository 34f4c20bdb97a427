//! The threads that share the large tasks of a sample.
//!
//! Tasks take some ten microseconds, as long as it takes to wake a thread: so threads stay awake for as long as a sample
//! is being computed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::SimError;

/// Some threads, or the current one alone.
#[derive(Debug)]
pub(crate) struct Threads(Option<ThreadPool>);

/// Says that the work is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Threads {
    /// A pool of so many threads; of one, it is the caller's.
    ///
    /// # Errors
    /// When the host has no more threads.
    pub(crate) fn new(threads: usize) -> Result<Threads, SimError> {
        let build = || ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = (threads > 1).then(build).transpose();
        pool.map(Threads).map_err(|error| SimError::HostLimit(format!("cannot start threads: {error}")))
    }

    /// Threads of the pool.
    pub(crate) fn count(&self) -> usize {
        self.0.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// Does the work on a thread of the pool, while the others wait for parts of it without falling asleep.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Some(pool) = &self.0 else { return work() };
        let over = AtomicBool::new(false);
        pool.scope(|scope| {
            for _ in 1..pool.current_num_threads() {
                scope.spawn(|_| {
                    while !over.load(Ordering::Acquire) {
                        if rayon::yield_now() != Some(rayon::Yield::Executed) {
                            thread::yield_now();
                        }
                    }
                });
            }
            let _over = Over(&over);
            work()
        })
    }
}
