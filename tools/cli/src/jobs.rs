//! Number of threads of a command.

use std::thread::available_parallelism;

/// Threads for `asked` jobs: the default and the maximum are one per core. More would cost memory and gain
/// nothing.
#[must_use]
pub fn jobs(asked: Option<u16>) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    asked.map_or(cores, |jobs| usize::from(jobs).min(cores)).max(1)
}

#[cfg(test)]
mod tests {
    use super::jobs;

    #[test]
    fn there_are_at_most_as_many_threads_as_cores_and_at_least_one() {
        let cores = jobs(None);
        assert!(cores >= 1);
        assert_eq!([jobs(Some(1)), jobs(Some(u16::MAX)), jobs(Some(0))], [1, cores, 1]);
    }
}
