//! One memory limit for the process. What is large is claimed here before it is allocated: files that are read, constants that are
//! written out, tensors of the simulator.
//!
//! Invariant: the claims that are held never add up to more than the limit.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit that was set, in bytes; 0 if none was.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// Bytes of the claims that are held.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Smallest limit, in bytes: less than that, and no tool could begin.
pub const MIN_LIMIT: u64 = 64 << 20;

/// Something would need more memory than the limit leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {needed} bytes are needed beside {held} in use, the memory limit is {limit}")]
pub struct OverLimit {
    /// What the memory is for.
    pub what: String,
    /// Bytes that it needs.
    pub needed: u64,
    /// Bytes that other claims hold.
    pub held: u64,
    /// The limit, in bytes.
    pub limit: u64,
}

/// Bytes that are set aside. They are free again when it is dropped.
#[derive(Debug)]
#[must_use = "the bytes are free again when the claim is dropped"]
pub struct Claim(u64);

impl Drop for Claim {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Sets the limit of this process, in bytes.
pub fn set_limit(bytes: u64) {
    LIMIT.store(bytes.max(1), Ordering::Relaxed);
}

/// The limit, in bytes: the one that was set, or that of this computer.
#[must_use]
pub fn limit() -> u64 {
    match LIMIT.load(Ordering::Relaxed) {
        0 => default_limit(),
        set => set,
    }
}

/// Bytes that no claim holds.
#[must_use]
pub fn left() -> u64 {
    limit().saturating_sub(HELD.load(Ordering::Relaxed))
}

/// The limit of this computer, in bytes: what a control group, `ulimit -v` or the installed memory allows, less an eighth for
/// everything that is not claimed.
#[must_use]
pub fn default_limit() -> u64 {
    static DEFAULT: OnceLock<u64> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        let refresh = sysinfo::MemoryRefreshKind::nothing().with_ram();
        let system =
            sysinfo::System::new_with_specifics(sysinfo::RefreshKind::nothing().with_memory(refresh));
        let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
        let address_space =
            rustix::process::getrlimit(rustix::process::Resource::As).current.unwrap_or(u64::MAX);
        let bytes = system.total_memory().min(group).min(address_space);
        (bytes / 8 * 7).max(MIN_LIMIT)
    })
}

/// Sets bytes aside for as long as the claim lives.
///
/// # Errors
/// When the limit does not leave so many.
pub fn claim(what: &str, bytes: u64) -> Result<Claim, OverLimit> {
    let limit = limit();
    let fits = |held: u64| held.checked_add(bytes).filter(|&sum| sum <= limit);
    match HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
        Ok(_) => Ok(Claim(bytes)),
        Err(held) => Err(OverLimit { what: what.to_owned(), needed: bytes, held, limit }),
    }
}

/// Asks whether so many bytes could be claimed now.
///
/// # Errors
/// When the limit does not leave so many.
pub fn check(what: &str, bytes: u64) -> Result<(), OverLimit> {
    claim(what, bytes).map(drop)
}

/// A number of bytes on the command line: `2GB`, `512MiB`, `1000000000`.
///
/// # Errors
/// No such number, or less than [`MIN_LIMIT`].
pub fn parse(text: &str) -> Result<u64, String> {
    let bytes = parse_size::parse_size(text)
        .map_err(|error| format!("{error}; expected a number of bytes such as 2GB or 512MiB"))?;
    if bytes < MIN_LIMIT {
        return Err(format!("expected at least {} MiB, got {bytes} bytes", MIN_LIMIT >> 20));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!((parse("2GB"), parse("512MiB")), (Ok(2_000_000_000), Ok(512 << 20)));
        assert!(parse("1000").unwrap_err().contains("at least 64 MiB"));
        assert!(parse("much").is_err() && parse("-1").is_err() && parse("").is_err());
    }

    #[test]
    fn claims_add_up_and_are_given_back() {
        let limit = limit();
        assert!(limit >= MIN_LIMIT);
        let most = claim("test", limit / 4 * 3).unwrap();
        let error = claim("more", limit / 2).unwrap_err();
        assert_eq!((error.needed, error.limit), (limit / 2, limit));
        assert!(error.held >= limit / 4 * 3 && left() <= limit / 4 + 3);
        drop(most);
        assert!(check("more", limit / 2).is_ok());
        assert!(check("overflow", u64::MAX).is_err());
    }
}
