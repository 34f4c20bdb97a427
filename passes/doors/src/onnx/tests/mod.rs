//! Networks that are made here, imported, and evaluated.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod evaluate;
