//! Pipelines: passes with their options in order, and named pipelines in MLIR's registry.

use std::{fmt, sync::Arc};

use melior::pass::OperationPassManager;

use crate::{Error, OptionSet, Pass, raw};

/// Passes in order, with the values of their options. MLIR reads its text as the same pipeline.
#[derive(Clone, Default)]
pub struct Passes(Vec<Step>);

#[derive(Clone)]
enum Step {
    /// A pass of ours.
    Own(Arc<dyn AnyPass>),
    /// A pass of MLIR's own, by its name.
    Mlir(&'static str),
    /// Passes on all operations of this name.
    Nested(&'static str, Passes),
}

/// A pass of any type.
trait AnyPass: Send + Sync {
    fn add_to(&self, manager: OperationPassManager<'_, '_>) -> Result<(), Error>;
    fn name(&self) -> &'static str;
    fn options(&self) -> String;
}

impl<P: Pass> AnyPass for P {
    fn add_to(&self, manager: OperationPassManager<'_, '_>) -> Result<(), Error> {
        raw::pass::add(manager, self)
    }

    fn name(&self) -> &'static str {
        P::ARGUMENT
    }

    fn options(&self) -> String {
        self.text()
    }
}

impl Passes {
    /// No passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends this pass.
    #[must_use]
    pub fn then(mut self, pass: impl Pass) -> Self {
        self.0.push(Step::Own(Arc::new(pass)));
        self
    }

    /// Appends a pass of MLIR's own, with its default options.
    #[must_use]
    pub fn then_mlir(mut self, name: &'static str) -> Self {
        self.0.push(Step::Mlir(name));
        self
    }

    /// Appends passes on all operations of this name.
    #[must_use]
    pub fn then_nested(mut self, operation: &'static str, passes: Passes) -> Self {
        self.0.push(Step::Nested(operation, passes));
        self
    }

    /// Appends those of another pipeline.
    #[must_use]
    pub fn then_all(mut self, passes: Passes) -> Self {
        self.0.extend(passes.0);
        self
    }

    /// Adds them to a pass manager.
    pub(crate) fn add_to(&self, manager: OperationPassManager<'_, '_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|step| match step {
            Step::Own(pass) => pass.add_to(manager),
            Step::Mlir(name) => raw::pass::add_pipeline(manager, name),
            Step::Nested(operation, passes) => passes.add_to(manager.nested_under(operation)),
        })
    }
}

/// As in a textual pipeline: `func.func(strum-pack{p=0.75},cse),dpu-allocate`.
impl fmt::Display for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match step {
                Step::Own(pass) => {
                    f.write_str(pass.name())?;
                    let options = pass.options();
                    if !options.is_empty() {
                        write!(f, "{{{options}}}")?;
                    }
                }
                Step::Mlir(name) => f.write_str(name)?,
                Step::Nested(operation, passes) => write!(f, "{operation}({passes})")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passes({self})")
    }
}

/// A named pipeline, whose members are its options: `--<argument>="option=value …"`, or `<argument>{option=value …}` in a textual
/// pipeline.
pub trait Pipeline: OptionSet {
    /// The flag, in kebab case.
    const ARGUMENT: &'static str;
    /// One-line description for `--help`.
    const DESCRIPTION: &'static str;

    /// The passes for these options.
    fn passes(&self) -> Passes;
}
