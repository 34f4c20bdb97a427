//! One memory limit for the process. What is large is claimed here before it is allocated: files that are read, constants that are
//! written out, tensors of the simulator.
//!
//! Invariant: the claims that are held never add up to more than the limit.

use std::ffi::OsStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit that was set, in bytes; 0 if none was.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// The option that sets the limit, in messages; another one if it was named before the first message.
static OPTION: OnceLock<&str> = OnceLock::new();

/// Bytes of the claims that are held.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Smallest limit, in bytes: less than that, and no tool could begin.
pub const MIN_LIMIT: u64 = 64 << 20;

/// From so many bytes on, [`check`] looks at what the process really has in memory.
const LARGE: u64 = 1 << 20;

/// Something would need more memory than the limit leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: {needed} bytes are needed beside {held} in use, the memory limit is {limit} bytes; {} raises it",
    option()
)]
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

impl Claim {
    /// Bytes that are set aside.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0
    }

    /// Sets more bytes aside, if they are less than `bytes`.
    ///
    /// # Errors
    /// When the limit does not leave so many; the claim stays as it was.
    pub fn grow_to(&mut self, what: &str, bytes: u64) -> Result<(), OverLimit> {
        let Some(more) = bytes.checked_sub(self.0) else { return Ok(()) };
        let added = claim(what, more)?;
        self.0 = self.0.saturating_add(more);
        // Its bytes are this claim's now.
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
pub fn name_option(name: &'static str) {
    // A second name changes nothing.
    let _ = OPTION.set(name);
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

/// Bytes in use: those of the claims, or those of the process that are in memory if these are more.
#[must_use]
pub fn held() -> u64 {
    HELD.load(Ordering::Relaxed).max(resident())
}

/// Bytes that are not in use.
#[must_use]
pub fn left() -> u64 {
    limit().saturating_sub(held())
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

/// Asks whether so many bytes could be allocated now. For many bytes it counts, too, what the process has in memory and has not
/// claimed.
///
/// # Errors
/// When the limit does not leave so many.
pub fn check(what: &str, bytes: u64) -> Result<(), OverLimit> {
    let held = if bytes < LARGE { HELD.load(Ordering::Relaxed) } else { held() };
    let limit = limit();
    match held.checked_add(bytes) {
        Some(sum) if sum <= limit => Ok(()),
        _ => Err(OverLimit { what: what.to_owned(), needed: bytes, held, limit }),
    }
}

/// A buffer without elements that has room for so many bytes, if the limit and the system give them.
///
/// # Errors
/// When one of them does not.
pub fn buffer(what: &str, bytes: u64) -> Result<Vec<u8>, OverLimit> {
    check(what, bytes)?;
    let mut buffer = Vec::new();
    let given = usize::try_from(bytes).is_ok_and(|bytes| buffer.try_reserve_exact(bytes).is_ok());
    if given { Ok(buffer) } else { Err(refused(what, bytes)) }
}

/// The error for bytes that the system did not give, though the limit leaves them.
#[must_use]
pub fn refused(what: &str, bytes: u64) -> OverLimit {
    let what = format!("{what}, refused by the system");
    OverLimit { what, needed: bytes, held: held(), limit: limit() }
}

/// Bytes of the process that are in memory; 0 where the system does not tell.
fn resident() -> u64 {
    let pages = || std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(0);
    pages().map_or(0, |pages| pages.saturating_mul(page))
}

/// Takes every `NAME=SIZE` out of the arguments, and sets the limit to the last. Messages then speak of this option.
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
    fn a_wrong_size_is_wrong_usage() {
        // A right one would change the limit for the other tests.
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
