//! What a pass says of itself, beside its options, for the reference.

use strum_ir::{Pass, PassOption};

/// A pass with its chapter of the reference.
pub trait Documented: Pass {
    /// What the pass does, when it does not apply, and what it leaves behind: markdown without headings.
    const DOC: &'static str;
}

/// Everything that the reference says of a pass.
#[derive(Clone, Copy, Debug)]
pub struct PassDoc {
    /// The flag.
    pub argument: &'static str,
    /// One line.
    pub description: &'static str,
    /// The op that it runs on.
    pub root: &'static str,
    /// Its options.
    pub options: fn() -> Vec<PassOption>,
    /// Its chapter.
    pub doc: &'static str,
}

impl PassDoc {
    pub(crate) const fn of<P: Documented>() -> Self {
        Self {
            argument: P::ARGUMENT,
            description: P::DESCRIPTION,
            root: P::ROOT,
            options: P::declared,
            doc: P::DOC,
        }
    }
}
