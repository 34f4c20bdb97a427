//! One memory limit for the process. Large allocations are claimed here first: input files, expanded constants, tensors of the
//! simulator.
//!
//! Invariant: the live claims never exceed the limit in total.

use std::ffi::OsStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The configured limit, in bytes; 0 if none.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// The option that sets the limit, in messages; another one if it was named before the first message.
static OPTION: OnceLock<&str> = OnceLock::new();

/// Bytes of the live claims.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Minimum limit, in bytes: with less, no tool could start.
const MIN_LIMIT: u64 = 64 << 20;

/// From this many bytes on, [`check`] measures the resident memory of the process.
const LARGE: u64 = 1 << 20;

/// An allocation would exceed the memory limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: {needed} bytes are needed beside {held} in use, the memory limit is {limit} bytes; {} raises it",
    option()
)]
pub struct OverLimit {
    /// Purpose of the memory.
    pub what: String,
    /// Bytes needed.
    pub needed: u64,
    /// Bytes that other claims hold.
    pub held: u64,
    /// The limit, in bytes.
    pub limit: u64,
}

/// A claim on memory, released when dropped.
#[derive(Debug)]
#[must_use = "the bytes are free again when the claim is dropped"]
pub struct Claim(u64);

impl Claim {
    /// Bytes claimed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0
    }

    /// Grows the claim to `bytes`, if it is smaller.
    ///
    /// # Errors
    /// When the limit does not allow it; the claim is unchanged.
    pub fn grow_to(&mut self, what: &str, bytes: u64) -> Result<(), OverLimit> {
        let Some(more) = bytes.checked_sub(self.0) else { return Ok(()) };
        let added = claim(what, more)?;
        self.0 = self.0.saturating_add(more);
        // Takes over the bytes of another claim.
        std::mem::forget(added);
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// The option that sets the limit of this process.
#[must_use]
pub fn option() -> &'static str {
    OPTION.get_or_init(|| "--memory-limit")
}

/// Names the option that sets the limit, for messages. To be called once, at the start.
fn name_option(name: &'static str) {
    // A second name has no effect.
    let _ = OPTION.set(name);
}

/// Sets the limit of this process, in bytes.
pub fn set_limit(bytes: u64) {
    LIMIT.store(bytes.max(1), Ordering::Relaxed);
}

/// The limit, in bytes: the configured one, or that of this computer.
#[must_use]
pub fn limit() -> u64 {
    match LIMIT.load(Ordering::Relaxed) {
        0 => default_limit(),
        set => set,
    }
}

/// Bytes in use: those of the claims, or the resident memory of the process if that is larger.
#[must_use]
pub fn held() -> u64 {
    HELD.load(Ordering::Relaxed).max(resident())
}

/// Available bytes.
#[must_use]
pub fn left() -> u64 {
    limit().saturating_sub(held())
}

/// The limit of this computer, in bytes: the limit of the control group, of `ulimit -v` or the installed memory, less an
/// eighth for unclaimed allocations.
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

/// Claims bytes for as long as the claim lives.
///
/// # Errors
/// When the limit does not allow it.
pub fn claim(what: &str, bytes: u64) -> Result<Claim, OverLimit> {
    let limit = limit();
    let fits = |held: u64| held.checked_add(bytes).filter(|&sum| sum <= limit);
    match HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
        Ok(_) => Ok(Claim(bytes)),
        Err(held) => Err(OverLimit { what: what.to_owned(), needed: bytes, held, limit }),
    }
}

/// Checks whether this many bytes could be allocated now. For large sizes it also counts resident memory that was not claimed.
///
/// # Errors
/// When the limit does not allow it.
pub fn check(what: &str, bytes: u64) -> Result<(), OverLimit> {
    let held = if bytes < LARGE { HELD.load(Ordering::Relaxed) } else { held() };
    let limit = limit();
    match held.checked_add(bytes) {
        Some(sum) if sum <= limit => Ok(()),
        _ => Err(OverLimit { what: what.to_owned(), needed: bytes, held, limit }),
    }
}

/// An empty buffer with capacity for this many bytes, if the limit and the system allow it.
///
/// # Errors
/// When one of them does not.
pub fn buffer(what: &str, bytes: u64) -> Result<Vec<u8>, OverLimit> {
    check(what, bytes)?;
    let mut buffer = Vec::new();
    let given = usize::try_from(bytes).is_ok_and(|bytes| buffer.try_reserve_exact(bytes).is_ok());
    if given { Ok(buffer) } else { Err(refused(what, bytes)) }
}

/// The error for an allocation that the system refused within the limit.
#[must_use]
pub fn refused(what: &str, bytes: u64) -> OverLimit {
    let what = format!("{what}, refused by the system");
    OverLimit { what, needed: bytes, held: held(), limit: limit() }
}

/// Resident bytes of the process; 0 where the system does not report them.
fn resident() -> u64 {
    let pages = || std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(0);
    pages().map_or(0, |pages| pages.saturating_mul(page))
}

/// Removes every `NAME=SIZE` from the arguments, and sets the limit to the last. Messages then name this option.
///
/// # Errors
/// What is wrong with the size; for wrong usage.
pub fn take_option<S: AsRef<OsStr>>(
    name: &'static str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<Vec<S>, String> {
    name_option(name);
    let mut others = Vec::new();
    for argument in arguments {
        let text = argument.as_ref().to_string_lossy();
        match text.strip_prefix(name).map(|rest| rest.strip_prefix('=')) {
            None => others.push(argument),
            Some(size) => {
                let size = size.ok_or_else(|| format!("{name} takes a size: {name}=2GB"))?;
                set_limit(parse(size).map_err(|error| format!("{name}: {error}"))?);
            }
        }
    }
    Ok(others)
}

/// A number of bytes on the command line: `2GB`, `512MiB`, `1000000000`.
///
/// # Errors
/// Not a valid size, or less than [`MIN_LIMIT`].
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
    fn a_wrong_size_is_wrong_usage() {
        // A valid one would change the limit for the other tests.
        let take = |arguments: &[&'static str]| take_option("--x-limit", arguments.to_vec());
        assert_eq!(take(&["tool", "--x", "file"]), Ok(vec!["tool", "--x", "file"]));
        assert_eq!(take(&["--x-limit"]).unwrap_err(), "--x-limit takes a size: --x-limit=2GB");
        assert!(take(&["--x-limit=5"]).unwrap_err().starts_with("--x-limit: expected at least 64 MiB"));
    }

    #[test]
    fn claims_add_up_and_are_given_back() {
        let limit = limit();
        assert!(limit >= MIN_LIMIT);
        let most = claim("test", limit / 4 * 3).unwrap();
        let error = claim("more", limit / 2).unwrap_err();
        assert_eq!((error.needed, error.limit), (limit / 2, limit));
        assert!(error.held >= limit / 4 * 3 && held() >= limit / 4 * 3 && left() <= limit / 4 + 3);
        let mut small = claim("small", 10).unwrap();
        assert!(small.grow_to("more", limit / 2).is_err() && small.bytes() == 10);
        small.grow_to("a little more", 20).unwrap();
        small.grow_to("less", 5).unwrap();
        assert_eq!(small.bytes(), 20);
        drop(most);
        assert!(claim("more", limit / 2).is_ok());
        assert!(check("overflow", u64::MAX).is_err());
    }

    #[test]
    fn what_is_in_memory_counts_claimed_or_not() {
        let resident = resident();
        assert!(resident > 1 << 20, "{resident}");
        let error = check("much", limit() - resident / 2).unwrap_err();
        assert!(error.held >= resident / 2);
        assert!(error.to_string().ends_with("limit raises it"), "{error}");
        assert!(buffer("much", u64::MAX).is_err());
        assert!(buffer("little", 100).unwrap().capacity() >= 100);
    }
}
