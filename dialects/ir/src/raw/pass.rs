//! Passes and pipelines in MLIR's registry and pass managers, and the callbacks that MLIR invokes on them. melior's passes have no
//! options and are not in the registry.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    ffi::c_void,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

use melior::{ir::OperationRef, pass::OperationPassManager};
use strum_mlir_sys as sys;

use super::{graveyard, len, text};
use crate::{Error, Operation, Pass, PassError, PassOption, Pipeline, Reported};

/// Prefix of the message for a bug in this program.
const BUG: &str = "internal error: this is a bug in strum-opt: ";

/// A running pass.
pub struct PassContext<'c> {
    raw: sys::StrumPass,
    run: PhantomData<&'c ()>,
}

impl PassContext<'_> {
    /// Marks all analyses as preserved: the pass has changed nothing.
    pub fn mark_unchanged(&self) {
        // SAFETY: the pass is running.
        unsafe { sys::strumPassMarkAllAnalysesPreserved(self.raw) }
    }
}

impl fmt::Debug for PassContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassContext").finish_non_exhaustive()
    }
}

/// Runs `body` for C++: an internal error or a panic is reported at `op`.
pub(crate) fn guard(
    op: Operation<'_>,
    body: impl FnOnce() -> Result<(), PassError>,
) -> sys::MlirLogicalResult {
    let message = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return text::SUCCESS,
        Ok(Err(PassError::Reported)) => return text::FAILURE,
        Ok(Err(PassError::Internal(message))) => message,
        Err(payload) => panic_text(payload.as_ref()),
    };
    let _: Reported = op.location().error(format_args!("{BUG}{message}"));
    text::FAILURE
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

/// Called by MLIR to run a pass.
///
/// # Safety
/// To be called by MLIR with a value that [`read`] or [`add`] made for `P`.
unsafe extern "C" fn run<P: Pass>(
    op: sys::MlirOperation,
    pass: sys::StrumPass,
    value: *const c_void,
) -> sys::MlirLogicalResult {
    // SAFETY: MLIR passes an operation that is valid during the call, and a value that lives as long as the pass, if there is
    // one.
    let (op, this) = unsafe { (Operation(OperationRef::from_raw(op)), value.cast::<P>().as_ref()) };
    let _plot = graveyard::Plot::begin();
    guard(op, || {
        let this = this.ok_or_else(|| PassError::Internal("a pass without options".into()))?;
        this.run(op, &PassContext { raw: pass, run: PhantomData })
    })
}

/// Called by MLIR to read options: returns a value, with its text for `answer`, or null, with the reason.
///
/// # Safety
/// The text must be valid during the call, and the callback belong to the data.
unsafe extern "C" fn read<P: Pass>(
    text: sys::MlirStringRef,
    answer: sys::MlirStringCallback,
    data: *mut c_void,
) -> *mut c_void {
    // SAFETY: by this function's contract.
    let bytes = unsafe { text::bytes_of(text) };
    let (value, text) = match std::str::from_utf8(bytes) {
        Err(_) => (None, format!("the options of {} are not UTF-8", P::ARGUMENT)),
        Ok(text) => match catch_unwind(|| P::parse(P::ARGUMENT, text).map(|value| (value.text(), value))) {
            Ok(Ok((text, value))) => (Some(value), text),
            Ok(Err(error)) => (None, error.to_string()),
            Err(payload) => (None, format!("{BUG}{}", panic_text(payload.as_ref()))),
        },
    };
    // SAFETY: by this function's contract.
    unsafe { text::answer(answer, data, &text) };
    value.map_or(std::ptr::null_mut(), |value| Box::into_raw(Box::new(value)).cast())
}

/// Called by MLIR to destroy a value of options.
///
/// # Safety
/// To be called by MLIR once with a value that [`read`] or [`add`] made for `P`, or with null.
unsafe extern "C" fn destroy<P: Pass>(value: *mut c_void) {
    if !value.is_null() {
        // SAFETY: by this function's contract.
        drop(unsafe { Box::from_raw(value.cast::<P>()) });
    }
}

/// Options in C form. The texts are kept alongside, since the C side copies them only on registration.
struct RawOptions {
    raw: Vec<sys::StrumOption>,
    _declared: Vec<PassOption>,
}

impl RawOptions {
    fn new(declared: Vec<PassOption>) -> Self {
        let raw = declared.iter().map(|option| sys::StrumOption {
            name: text::string_ref(option.name),
            description: text::string_ref(option.help),
            valueName: text::string_ref(&option.value_name),
            defaultValue: text::string_ref(&option.default),
        });
        Self { raw: raw.collect(), _declared: declared }
    }

    /// Their number and a pointer to the first.
    fn list(&self) -> (isize, *const sys::StrumOption) {
        (len(&self.raw), self.raw.as_ptr())
    }
}

/// The C++ description of a pass, which is never changed nor destroyed.
#[derive(Clone, Copy)]
struct Spec(sys::StrumPassSpec);

// SAFETY: the description is only read after construction.
unsafe impl Send for Spec {}

/// The description of a pass, created on first use.
fn spec<P: Pass>() -> sys::StrumPassSpec {
    static SPECS: Mutex<BTreeMap<TypeId, Spec>> = Mutex::new(BTreeMap::new());
    let mut specs = SPECS.lock().unwrap_or_else(PoisonError::into_inner);
    specs.entry(TypeId::of::<P>()).or_insert_with(describe::<P>).0
}

fn describe<P: Pass>() -> Spec {
    // Leaked on purpose: its address identifies the pass for the life of the process.
    let id: &'static u64 = Box::leak(Box::new(0));
    let options = RawOptions::new(P::declared());
    let (n_options, list) = options.list();
    let dialects: Vec<_> = P::DIALECTS.iter().map(|dialect| dialect.handle().to_raw()).collect();
    let root = if P::ROOT == "any" { "" } else { P::ROOT };
    // SAFETY: the address of `id` is unique and aligned to 8; all lists have the given lengths and are copied; the functions are for `P`.
    Spec(unsafe {
        sys::strumPassSpecCreate(&sys::StrumPassDesc {
            id: sys::mlirTypeIDCreate(std::ptr::from_ref(id).cast()),
            argument: text::string_ref(P::ARGUMENT),
            description: text::string_ref(P::DESCRIPTION),
            opName: text::string_ref(root),
            nDialects: len(&dialects),
            dialects: dialects.as_ptr(),
            nOptions: n_options,
            options: list,
            read: Some(read::<P>),
            drop: Some(destroy::<P>),
            run: Some(run::<P>),
        })
    })
}

/// Registers a pass with MLIR, for the life of the process. Once for each pass.
pub fn register_pass<P: Pass>() {
    // SAFETY: the description lives as long as the process.
    unsafe { sys::strumRegisterPass(spec::<P>()) }
}

/// Adds one of our passes to a pass manager.
pub(crate) fn add<P: Pass>(manager: OperationPassManager<'_, '_>, pass: &P) -> Result<(), Error> {
    let value: *mut P = Box::into_raw(Box::new(pass.clone()));
    let text = pass.text();
    let mut added = text::FAILURE;
    let error = text::collect(|user| {
        // SAFETY: the description is that of `P`, and the pass takes ownership of the value; the text is copied. The manager is valid and
        // takes ownership of the pass; `append` gets the buffer it expects.
        added = unsafe {
            let pass = sys::strumPassCreate(spec::<P>(), value.cast(), text::string_ref(&text));
            sys::strumOpPassManagerAddPass(manager.to_raw(), pass, Some(text::append), user)
        };
    });
    if added.value == 0 { Err(Error::Pipeline(error)) } else { Ok(()) }
}

/// Adds a pipeline, as text without its anchor, to a pass manager.
pub(crate) fn add_pipeline(manager: OperationPassManager<'_, '_>, pipeline: &str) -> Result<(), Error> {
    let pipeline = text::string_ref(pipeline);
    let mut added = text::FAILURE;
    let message = text::collect(|user| {
        // SAFETY: the manager is valid, and `append` gets the buffer it expects.
        added = unsafe {
            sys::mlirOpPassManagerAddPipeline(manager.to_raw(), pipeline, Some(text::append), user)
        };
    });
    if added.value == 0 { Err(Error::Pipeline(message.trim().to_owned())) } else { Ok(()) }
}

/// Called by MLIR to expand a pipeline.
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
    let bytes = unsafe { text::bytes_of(options) };
    let built = catch_unwind(AssertUnwindSafe(|| {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| format!("the options of {} are not UTF-8", P::ARGUMENT))?;
        let options = P::parse(P::ARGUMENT, text).map_err(|error| error.to_string())?;
        // SAFETY: by this function's contract.
        let manager = unsafe { OperationPassManager::from_raw(manager) };
        options.passes().add_to(manager).map_err(|error| error.to_string())
    }));
    let built = built.unwrap_or_else(|payload| Err(format!("{BUG}{}", panic_text(payload.as_ref()))));
    match built {
        Ok(()) => text::SUCCESS,
        Err(reason) => {
            // SAFETY: by this function's contract.
            unsafe { text::answer(error, data, &reason) };
            text::FAILURE
        }
    }
}

/// Registers a pipeline with MLIR, for the life of the process. The passes in it must be registered, too, so that MLIR can read what
/// it prints.
pub fn register_pipeline<P: Pipeline>() {
    let options = RawOptions::new(P::declared());
    let (n_options, list) = options.list();
    // SAFETY: all lists have the given lengths and are copied; `build` is for `P`.
    unsafe {
        sys::strumRegisterPipeline(&sys::StrumPipelineDesc {
            argument: text::string_ref(P::ARGUMENT),
            description: text::string_ref(P::DESCRIPTION),
            nOptions: n_options,
            options: list,
            build: Some(build::<P>),
        });
    }
}
