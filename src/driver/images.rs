//! Images as inputs and samples of a command. Invariant: what they become is told before anything is computed, once.

use strum_cli::{Voice, say};
use strum_tensors::ImageOptions;

use super::exit::Failure;

/// Checks the options of images against the arguments that may name some, and tells readers what images become.
pub(crate) fn check<'a>(
    images: &ImageOptions,
    args: impl IntoIterator<Item = &'a String>,
    voice: &Voice,
) -> Result<(), Failure> {
    let note = images.check(args)?;
    if let Some(note) = note.filter(|_| !voice.quiet && !voice.json) {
        say(format_args!("note: {note}"));
    }
    Ok(())
}
