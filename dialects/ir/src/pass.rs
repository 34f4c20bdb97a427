//! Passes and pipelines written in Rust, as members of MLIR's own registry: textual pipelines, options, reproducers, timing and
//! everything else that `mlir-opt` does works with them.

use std::{
    any::Any,
    ffi::c_void,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
};

use melior::ir::OperationRef;
use strum_mlir_sys as sys;

use crate::{
    Dialect, Error, Operation, Reported,
    raw::{graveyard, len, text as ffi},
};

/// The kind of an option, with its default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionKind {
    /// `true` or `false`
    Bool(bool),
    /// an integer
    Int(i64),
    /// a real number
    Float(f64),
    /// text without blanks
    String(&'static str),
}

/// An option of a pass or pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassOption {
    /// Its name, in kebab case.
    pub name: &'static str,
    /// What `--help` says.
    pub description: &'static str,
    /// Its kind and default.
    pub kind: OptionKind,
}

impl PassOption {
    /// A boolean option.
    pub const fn bool(name: &'static str, default: bool, description: &'static str) -> Self {
        Self { name, description, kind: OptionKind::Bool(default) }
    }

    /// An integer option.
    pub const fn int(name: &'static str, default: i64, description: &'static str) -> Self {
        Self { name, description, kind: OptionKind::Int(default) }
    }

    /// A real option.
    pub const fn float(name: &'static str, default: f64, description: &'static str) -> Self {
        Self { name, description, kind: OptionKind::Float(default) }
    }

    /// A text option.
    pub const fn string(name: &'static str, default: &'static str, description: &'static str) -> Self {
        Self { name, description, kind: OptionKind::String(default) }
    }
}

/// A pass.
///
/// MLIR may run one pass on several functions at once, on different threads: `self` is shared, and everything that belongs to one run
/// lives on the stack of [`Pass::run`].
pub trait Pass: Send + Sync + 'static {
    /// The flag, in kebab case.
    const ARGUMENT: &'static str;
    /// What `--help` says: one line.
    const DESCRIPTION: &'static str;
    /// The operation that it runs on.
    const ROOT: &'static str = "builtin.module";
    /// Its options.
    const OPTIONS: &'static [PassOption] = &[];
    /// The dialects whose operations it makes.
    const DIALECTS: &'static [Dialect] = &[];

    /// Runs on one operation. An error must have been reported, which its type ensures; a panic is reported as an internal error.
    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError>;
}

/// How a pass fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassError {
    /// The user's input is at fault, or beyond what is supported, and an error at an operation says so.
    Reported,
    /// This program is at fault. Reported with this text at the operation that the pass runs on.
    Internal(String),
}

impl From<Reported> for PassError {
    fn from(_: Reported) -> Self {
        Self::Reported
    }
}

impl From<Error> for PassError {
    fn from(error: Error) -> Self {
        match error {
            Error::Reported => Self::Reported,
            error => Self::Internal(error.to_string()),
        }
    }
}

/// The options of a run.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    declared: &'static [PassOption],
    raw: sys::StrumOptionValues,
    run: PhantomData<&'a ()>,
}

impl<'a> Options<'a> {
    /// Finds an option of a kind. The declarations were given to MLIR in this order, so the index is right for MLIR, too.
    fn find(&self, name: &str, kind: &'static str, is: impl Fn(OptionKind) -> bool) -> Result<isize, Error> {
        let index = self.declared.iter().position(|option| option.name == name && is(option.kind));
        index
            .and_then(|index| isize::try_from(index).ok())
            .ok_or_else(|| Error::Option { name: name.into(), kind })
    }

    /// The value of a boolean option.
    pub fn bool(&self, name: &str) -> Result<bool, Error> {
        let index = self.find(name, "boolean", |kind| matches!(kind, OptionKind::Bool(_)))?;
        // SAFETY: the option exists and has this kind.
        Ok(unsafe { sys::strumOptionGetBool(self.raw, index) })
    }

    /// The value of an integer option.
    pub fn int(&self, name: &str) -> Result<i64, Error> {
        let index = self.find(name, "integer", |kind| matches!(kind, OptionKind::Int(_)))?;
        // SAFETY: the option exists and has this kind.
        Ok(unsafe { sys::strumOptionGetI64(self.raw, index) })
    }

    /// The value of a real option.
    pub fn float(&self, name: &str) -> Result<f64, Error> {
        let index = self.find(name, "real", |kind| matches!(kind, OptionKind::Float(_)))?;
        // SAFETY: the option exists and has this kind.
        Ok(unsafe { sys::strumOptionGetF64(self.raw, index) })
    }

    /// The value of a text option.
    pub fn string(&self, name: &str) -> Result<&'a str, Error> {
        let index = self.find(name, "text", |kind| matches!(kind, OptionKind::String(_)))?;
        // SAFETY: the option exists and has this kind; its text lives as long as the run.
        Ok(unsafe { ffi::str_of(sys::strumOptionGetString(self.raw, index)) })
    }
}

/// A running pass.
pub struct PassContext<'c> {
    raw: sys::StrumPass,
    options: Options<'c>,
}

impl<'c> PassContext<'c> {
    /// The options of this run.
    pub fn options(&self) -> Options<'c> {
        self.options
    }

    /// Says that the pass has changed nothing, so that MLIR may keep what it knows.
    pub fn mark_unchanged(&self) {
        // SAFETY: the pass is running.
        unsafe { sys::strumPassMarkAllAnalysesPreserved(self.raw) }
    }
}

/// Runs `body` for C++: an internal error or a panic is reported at `op`.
pub(crate) fn guard(
    op: Operation<'_>,
    body: impl FnOnce() -> Result<(), PassError>,
) -> sys::MlirLogicalResult {
    let message = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return ffi::SUCCESS,
        Ok(Err(PassError::Reported)) => return ffi::FAILURE,
        Ok(Err(PassError::Internal(message))) => message,
        Err(payload) => panic_text(payload.as_ref()),
    };
    let _: Reported =
        op.location().error(format_args!("internal error: this is a bug in strum-opt: {message}"));
    ffi::FAILURE
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

/// What MLIR calls to run a pass.
///
/// # Safety
/// To be called by MLIR with the pass that [`register_pass`] gave it.
unsafe extern "C" fn run<P: Pass>(
    op: sys::MlirOperation,
    pass: sys::StrumPass,
    options: sys::StrumOptionValues,
    user: *const c_void,
) -> sys::MlirLogicalResult {
    // SAFETY: MLIR hands an operation that is valid during the call, and the pass that `register_pass` leaked.
    let (op, this) = unsafe { (Operation(OperationRef::from_raw(op)), &*user.cast::<P>()) };
    let options = Options { declared: P::OPTIONS, raw: options, run: PhantomData };
    let _plot = graveyard::Plot::begin();
    guard(op, || this.run(op, &PassContext { raw: pass, options }))
}

/// Options as C wants them. The texts are kept beside, for the C side copies them only on registration.
struct RawOptions {
    raw: Vec<sys::StrumOption>,
    _defaults: Vec<String>,
}

impl RawOptions {
    fn new(options: &[PassOption]) -> Self {
        use sys::StrumOptionKind as Kind;
        let default = |option: &PassOption| match option.kind {
            OptionKind::Bool(value) => value.to_string(),
            OptionKind::Int(value) => value.to_string(),
            OptionKind::Float(value) => value.to_string(),
            OptionKind::String(value) => value.to_owned(),
        };
        let defaults: Vec<_> = options.iter().map(default).collect();
        let raw = options.iter().zip(&defaults).map(|(option, default)| sys::StrumOption {
            name: ffi::string_ref(option.name),
            description: ffi::string_ref(option.description),
            defaultValue: ffi::string_ref(default),
            kind: match option.kind {
                OptionKind::Bool(_) => Kind::STRUM_OPTION_BOOL,
                OptionKind::Int(_) => Kind::STRUM_OPTION_I64,
                OptionKind::Float(_) => Kind::STRUM_OPTION_F64,
                OptionKind::String(_) => Kind::STRUM_OPTION_STRING,
            },
        });
        Self { raw: raw.collect(), _defaults: defaults }
    }
}

/// Puts a pass into MLIR's registry, for the life of the process. Once for each pass.
pub fn register_pass<P: Pass>(pass: P) {
    // Leaked on purpose: registries live as long as the process. A pass without fields has no address of its own, hence the number.
    let pass: &'static P = Box::leak(Box::new(pass));
    let id: &'static u64 = Box::leak(Box::new(0));
    let options = RawOptions::new(P::OPTIONS);
    let dialects: Vec<_> = P::DIALECTS.iter().map(|dialect| dialect.handle().to_raw()).collect();
    let root = if P::ROOT == "any" { "" } else { P::ROOT };
    // SAFETY: the address of `id` is unique and aligned to 8; all lists have the given lengths and are copied; `run` is for `P`.
    unsafe {
        sys::strumRegisterPass(&sys::StrumPassDesc {
            id: sys::mlirTypeIDCreate(std::ptr::from_ref(id).cast()),
            name: ffi::string_ref(P::ARGUMENT),
            argument: ffi::string_ref(P::ARGUMENT),
            description: ffi::string_ref(P::DESCRIPTION),
            opName: ffi::string_ref(root),
            nDialects: len(&dialects),
            dialects: dialects.as_ptr(),
            nOptions: len(&options.raw),
            options: options.raw.as_ptr(),
            userData: std::ptr::from_ref(pass).cast(),
            run: Some(run::<P>),
        });
    }
}

/// A named pipeline with options: `--<argument>="option=value …"`, or `<argument>{option=value …}` in a textual pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    /// The flag, in kebab case.
    pub argument: &'static str,
    /// What `--help` says: one line.
    pub description: &'static str,
    /// Its options.
    pub options: &'static [PassOption],
    /// The textual pipeline, without its anchor, for the options; or why they make no sense.
    pub build: fn(&Options<'_>) -> Result<String, String>,
}

/// What MLIR calls to expand a pipeline.
///
/// # Safety
/// To be called by MLIR with the pipeline that [`register_pipeline`] gave it.
unsafe extern "C" fn expand(
    options: sys::StrumOptionValues,
    text: sys::MlirStringCallback,
    text_data: *mut c_void,
    user: *const c_void,
) -> sys::MlirLogicalResult {
    // SAFETY: MLIR hands the pipeline that `register_pipeline` leaked.
    let pipeline = unsafe { &*user.cast::<Pipeline>() };
    let options = Options { declared: pipeline.options, raw: options, run: PhantomData };
    let built = catch_unwind(AssertUnwindSafe(|| (pipeline.build)(&options))).unwrap_or_else(|payload| {
        Err(format!("internal error: this is a bug in strum-opt: {}", panic_text(payload.as_ref())))
    });
    let (answer, result) = match &built {
        Ok(passes) => (passes, ffi::SUCCESS),
        Err(reason) => (reason, ffi::FAILURE),
    };
    if let Some(text) = text {
        // SAFETY: the callback belongs to the data, and copies the text.
        unsafe { text(ffi::string_ref(answer), text_data) };
    }
    result
}

/// Puts a pipeline into MLIR's registry, for the life of the process. The passes in it must be registered before it is used.
pub fn register_pipeline(pipeline: Pipeline) {
    let pipeline: &'static Pipeline = Box::leak(Box::new(pipeline)); // as long as the registry
    let options = RawOptions::new(pipeline.options);
    // SAFETY: all lists have the given lengths and are copied; `expand` is for a Pipeline.
    unsafe {
        sys::strumRegisterPipeline(&sys::StrumPipelineDesc {
            argument: ffi::string_ref(pipeline.argument),
            description: ffi::string_ref(pipeline.description),
            nOptions: len(&options.raw),
            options: options.raw.as_ptr(),
            userData: std::ptr::from_ref(pipeline).cast(),
            build: Some(expand),
        });
    }
}

impl fmt::Debug for PassContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassContext").field("options", &self.options.declared).finish_non_exhaustive()
    }
}
