//! The files of `--save-temps`: the IR after every stage, the binary and its assembly, numbered in order.
//!
//! Invariant: no file is written that [`temporaries`] does not name.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use dpu_isa::{Program, asm};
use strum_ir::{Module, PrintOptions};
use strum_passes::pipeline;

use super::backend::elf;
use super::exit::Failure;
use super::files;

/// What `--save-temps` writes: the folder, and every file in it.
pub(crate) fn temporaries(folder: &Path) -> Vec<PathBuf> {
    let stages =
        pipeline::Options::default().stages().into_iter().map(|stage| format!("{}.mlir", stage.name));
    let names = std::iter::once("input.mlir".to_owned()).chain(stages);
    let names = names.chain(["program.dpu", "program.dpuasm"].map(str::to_owned));
    let files = names.enumerate().map(|(number, name)| folder.join(numbered(number, &name)));
    std::iter::once(folder.to_owned()).chain(files).collect()
}

fn numbered(number: usize, name: &str) -> String {
    format!("{number:02}-{name}")
}

/// The folder of `--save-temps`.
pub(crate) struct Temps<'p> {
    folder: Option<&'p Path>,
    next: Cell<usize>,
}

impl<'p> Temps<'p> {
    /// Makes the folder, if there is to be one.
    pub(crate) fn open(folder: Option<&'p Path>) -> Result<Self, Failure> {
        if let Some(folder) = folder {
            let fail = |error| Failure::input(error).in_file(&folder.display().to_string());
            fs::create_dir_all(folder).map_err(fail)?;
        }
        Ok(Temps { folder, next: Cell::new(0) })
    }

    /// Keeps what `content` makes, under the next number.
    fn keep(&self, name: &str, content: impl FnOnce() -> Result<Vec<u8>, Failure>) -> Result<(), Failure> {
        let Some(folder) = self.folder else { return Ok(()) };
        let number = self.next.replace(self.next.get() + 1);
        files::write(&folder.join(numbered(number, name)), &content()?)
    }

    /// Keeps the IR after a stage.
    pub(crate) fn module(&self, stage: &str, module: &Module<'_>) -> Result<(), Failure> {
        let text = || Ok((module.op().print(&PrintOptions::default()) + "\n").into_bytes());
        self.keep(&format!("{stage}.mlir"), text)
    }

    /// Keeps the binary and its assembly.
    pub(crate) fn program(&self, program: &Program) -> Result<(), Failure> {
        self.keep("program.dpu", || elf(program))?;
        self.keep("program.dpuasm", || Ok(asm::print(program).into_bytes()))
    }
}
