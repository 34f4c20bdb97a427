//! Pipelines: passes with their options in order, and named pipelines in MLIR's registry.

use std::{
    ffi::c_void,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use melior::pass::OperationPassManager;
use strum_mlir_sys as sys;

use crate::{
    Error, OptionSet, Pass,
    pass::{BUG, RawOptions, create, panic_text},
    raw::module::{OwnedPass, add_pass, add_pipeline},
    raw::text as ffi,
};

/// Passes in order, with the values of their options. Its text is what MLIR reads as the same pipeline.
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
    fn create(&self) -> OwnedPass;
    fn name(&self) -> &'static str;
    fn options(&self) -> String;
}

impl<P: Pass> AnyPass for P {
    fn create(&self) -> OwnedPass {
        create(self)
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

    /// Then this pass.
    #[must_use]
    pub fn then(mut self, pass: impl Pass) -> Self {
        self.0.push(Step::Own(Arc::new(pass)));
        self
    }

    /// Then a pass of MLIR's own, with its default options.
    #[must_use]
    pub fn then_mlir(mut self, name: &'static str) -> Self {
        self.0.push(Step::Mlir(name));
        self
    }

    /// Then passes on all operations of this name.
    #[must_use]
    pub fn then_nested(mut self, operation: &'static str, passes: Passes) -> Self {
        self.0.push(Step::Nested(operation, passes));
        self
    }

    /// Then those of another pipeline.
    #[must_use]
    pub fn then_all(mut self, passes: Passes) -> Self {
        self.0.extend(passes.0);
        self
    }

    /// Adds them to a pass manager.
    pub(crate) fn add_to(&self, manager: OperationPassManager<'_, '_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|step| match step {
            Step::Own(pass) => add_pass(manager, pass.create()),
            Step::Mlir(name) => add_pipeline(manager, name),
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
    /// What `--help` says: one line.
    const DESCRIPTION: &'static str;

    /// The passes for these options.
    fn passes(&self) -> Passes;
}

/// What MLIR calls to expand a pipeline.
///
/// # Safety
/// The text and the manager must be valid during the call, and the callback belong to the data.
unsafe extern "C" fn build<P: Pipeline>(
    options: sys::MlirStringRef,
    manager: sys::MlirOpPassManager,
    error: sys::MlirStringCallback,
    data: *mut c_void,
) -> sys::MlirLogicalResult {
    // SAFETY: by this function's contract.
    let (bytes, manager) = unsafe { (ffi::bytes_of(options), OperationPassManager::from_raw(manager)) };
    let built = catch_unwind(AssertUnwindSafe(|| {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| format!("the options of {} are not UTF-8", P::ARGUMENT))?;
        let options = P::parse(P::ARGUMENT, text).map_err(|error| error.to_string())?;
        options.passes().add_to(manager).map_err(|error| error.to_string())
    }));
    let built = built.unwrap_or_else(|payload| Err(format!("{BUG}{}", panic_text(payload.as_ref()))));
    match built {
        Ok(()) => ffi::SUCCESS,
        Err(reason) => {
            // SAFETY: by this function's contract.
            unsafe { ffi::answer(error, data, &reason) };
            ffi::FAILURE
        }
    }
}

/// Puts a pipeline into MLIR's registry, for the life of the process. The passes in it must be registered, too, so that MLIR can read
/// what it prints.
pub fn register_pipeline<P: Pipeline>() {
    let options = RawOptions::new(P::declared());
    let (n_options, list) = options.list();
    // SAFETY: all lists have the given lengths and are copied; `build` is for `P`.
    unsafe {
        sys::strumRegisterPipeline(&sys::StrumPipelineDesc {
            argument: ffi::string_ref(P::ARGUMENT),
            description: ffi::string_ref(P::DESCRIPTION),
            nOptions: n_options,
            options: list,
            build: Some(build::<P>),
        });
    }
}
