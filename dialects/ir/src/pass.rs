//! Passes written in Rust, as members of MLIR's own registry: textual pipelines, options, reproducers, timing and everything else that
//! `mlir-opt` does works with them. In a process they are put into a pass manager as values, see [`Passes`](crate::Passes).

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    ffi::c_void,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

use melior::ir::OperationRef;
use strum_mlir_sys as sys;

use crate::{
    Dialect, Error, Operation, OptionSet, PassOption, Reported,
    raw::{graveyard, len, module::OwnedPass, text as ffi},
};

/// Begins the message on a fault of this program.
pub(crate) const BUG: &str = "internal error: this is a bug in strum-opt: ";

/// A pass, whose members are its options.
///
/// MLIR may run one pass on several functions at once, on different threads: `self` is shared, and everything that belongs to one run
/// lives on the stack of [`Pass::run`].
pub trait Pass: OptionSet {
    /// The flag, in kebab case.
    const ARGUMENT: &'static str;
    /// What `--help` says: one line.
    const DESCRIPTION: &'static str;
    /// The operation that it runs on.
    const ROOT: &'static str = "builtin.module";
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

/// A running pass.
pub struct PassContext<'c> {
    raw: sys::StrumPass,
    run: PhantomData<&'c ()>,
}

impl PassContext<'_> {
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
    let _: Reported = op.location().error(format_args!("{BUG}{message}"));
    ffi::FAILURE
}

pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

/// What MLIR calls to run a pass.
///
/// # Safety
/// To be called by MLIR with a value that [`read`] or [`create`] made for `P`.
unsafe extern "C" fn run<P: Pass>(
    op: sys::MlirOperation,
    pass: sys::StrumPass,
    value: *const c_void,
) -> sys::MlirLogicalResult {
    // SAFETY: MLIR hands an operation that is valid during the call, and a value that lives as long as the pass, if there is one.
    let (op, this) = unsafe { (Operation(OperationRef::from_raw(op)), value.cast::<P>().as_ref()) };
    let _plot = graveyard::Plot::begin();
    guard(op, || {
        let this = this.ok_or_else(|| PassError::Internal("a pass without options".into()))?;
        this.run(op, &PassContext { raw: pass, run: PhantomData })
    })
}

/// What MLIR calls to read options: a value, with its text for `answer`, or null, with the reason.
///
/// # Safety
/// The text must be valid during the call, and the callback belong to the data.
unsafe extern "C" fn read<P: Pass>(
    text: sys::MlirStringRef,
    answer: sys::MlirStringCallback,
    data: *mut c_void,
) -> *mut c_void {
    // SAFETY: by this function's contract.
    let bytes = unsafe { ffi::bytes_of(text) };
    let (value, text) = match std::str::from_utf8(bytes) {
        Err(_) => (None, format!("the options of {} are not UTF-8", P::ARGUMENT)),
        Ok(text) => match catch_unwind(|| P::parse(P::ARGUMENT, text)) {
            Ok(Ok(value)) => {
                let text = value.text();
                (Some(value), text)
            }
            Ok(Err(error)) => (None, error.to_string()),
            Err(payload) => (None, format!("{BUG}{}", panic_text(payload.as_ref()))),
        },
    };
    // SAFETY: by this function's contract.
    unsafe { ffi::answer(answer, data, &text) };
    value.map_or(std::ptr::null_mut(), |value| Box::into_raw(Box::new(value)).cast())
}

/// What MLIR calls to destroy a value of options.
///
/// # Safety
/// To be called by MLIR once with a value that [`read`] or [`create`] made for `P`, or with null.
unsafe extern "C" fn destroy<P: Pass>(value: *mut c_void) {
    if !value.is_null() {
        // SAFETY: by this function's contract.
        drop(unsafe { Box::from_raw(value.cast::<P>()) });
    }
}

/// Options as C wants them. The texts are kept beside, for the C side copies them only on registration.
pub(crate) struct RawOptions {
    raw: Vec<sys::StrumOption>,
    _declared: Vec<PassOption>,
}

impl RawOptions {
    pub(crate) fn new(declared: Vec<PassOption>) -> Self {
        let raw = declared.iter().map(|option| sys::StrumOption {
            name: ffi::string_ref(option.name),
            description: ffi::string_ref(option.help),
            valueName: ffi::string_ref(&option.value_name),
            defaultValue: ffi::string_ref(&option.default),
        });
        Self { raw: raw.collect(), _declared: declared }
    }

    /// Their number and the first of them.
    pub(crate) fn list(&self) -> (isize, *const sys::StrumOption) {
        (len(&self.raw), self.raw.as_ptr())
    }
}

/// The description of a pass on the other side, which is never changed nor destroyed.
#[derive(Clone, Copy)]
struct Spec(sys::StrumPassSpec);

// SAFETY: the description is only read once it has been made.
unsafe impl Send for Spec {}

/// The description of a pass, made when it is first asked for.
fn spec<P: Pass>() -> sys::StrumPassSpec {
    static SPECS: Mutex<BTreeMap<TypeId, Spec>> = Mutex::new(BTreeMap::new());
    let mut specs = SPECS.lock().unwrap_or_else(PoisonError::into_inner);
    specs.entry(TypeId::of::<P>()).or_insert_with(describe::<P>).0
}

fn describe<P: Pass>() -> Spec {
    // Leaked on purpose: its address is the pass's identity as long as the process lives.
    let id: &'static u64 = Box::leak(Box::new(0));
    let options = RawOptions::new(P::declared());
    let (n_options, list) = options.list();
    let dialects: Vec<_> = P::DIALECTS.iter().map(|dialect| dialect.handle().to_raw()).collect();
    let root = if P::ROOT == "any" { "" } else { P::ROOT };
    // SAFETY: the address of `id` is unique and aligned to 8; all lists have the given lengths and are copied; the functions are for `P`.
    Spec(unsafe {
        sys::strumPassSpecCreate(&sys::StrumPassDesc {
            id: sys::mlirTypeIDCreate(std::ptr::from_ref(id).cast()),
            argument: ffi::string_ref(P::ARGUMENT),
            description: ffi::string_ref(P::DESCRIPTION),
            opName: ffi::string_ref(root),
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

/// Puts a pass into MLIR's registry, for the life of the process. Once for each pass.
pub fn register_pass<P: Pass>() {
    // SAFETY: the description lives as long as the process.
    unsafe { sys::strumRegisterPass(spec::<P>()) }
}

/// A pass for a pass manager.
pub(crate) fn create<P: Pass>(pass: &P) -> OwnedPass {
    let value: *mut P = Box::into_raw(Box::new(pass.clone()));
    let text = pass.text();
    // SAFETY: the description is that of `P`, and the pass takes the value; the text is copied.
    unsafe { OwnedPass::from_raw(sys::strumPassCreate(spec::<P>(), value.cast(), ffi::string_ref(&text))) }
}

impl fmt::Debug for PassContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassContext").finish_non_exhaustive()
    }
}
