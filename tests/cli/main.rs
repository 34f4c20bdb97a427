//! The drivers `strumc` and `strum-translate` as a user meets them: the built programs, run on files.

mod common;
mod compile;
mod hostile;
mod networks;
mod run;
mod translate;
mod usage;
