//! The threads that share the large tasks of a sample.
//!
//! Tasks take some ten microseconds, about as long as waking a thread: so threads stay awake while a sample is being
//! computed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::SimError;

/// Several threads, or only the current one.
#[derive(Debug)]
pub(crate) struct Threads(Option<ThreadPool>);

/// Signals the end of the work when dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Threads {
    /// A pool of this many threads; for one, the caller's thread.
    ///
    /// # Errors
    /// When the host cannot create the threads.
    pub(crate) fn new(threads: usize) -> Result<Threads, SimError> {
        let build = || ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = (threads > 1).then(build).transpose();
        pool.map(Threads).map_err(|error| SimError::HostLimit(format!("cannot start threads: {error}")))
    }

    /// Threads of the pool.
    pub(crate) fn count(&self) -> usize {
        self.0.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// Runs the work on a thread of the pool, while the others wait for parts of it without sleeping.
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
