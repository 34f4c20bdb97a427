//! MLIR's tools, run from Rust.

use std::{
    ffi::{CString, OsString, c_char, c_int},
    os::unix::ffi::OsStrExt,
};

use strum_mlir_sys as sys;

use super::text;
use crate::DialectRegistry;

/// Runs the main function of `mlir-lsp-server` with the dialects of `registry`. `arguments` begin with the program's name. Returns the
/// exit code.
pub fn lsp_main(arguments: &[OsString], registry: &DialectRegistry) -> i32 {
    with_argv(arguments, |argc, argv| {
        // SAFETY: `argv` holds `argc` strings and a null, and the registry is valid.
        unsafe { sys::strumLspMain(argc, argv, registry.0.to_raw()) }
    })
}

/// The version of LLVM, such as `22.1.8`.
pub fn llvm_version() -> &'static str {
    // SAFETY: the string is static.
    unsafe { text::str_of(sys::strumLlvmVersion()) }
}

/// Makes the C library return large blocks to the system as soon as they are freed: lowers the peak memory of a process that holds one
/// copy of the weights after another, and costs time where large blocks are allocated and freed often.
pub fn return_freed_memory() {
    // SAFETY: an allocator setting, which may change at any time.
    unsafe { sys::strumReturnFreedMemory() }
}

/// Calls `main` with C arguments. They live as long as the process: LLVM keeps references to them in its options.
pub(crate) fn with_argv<R>(arguments: &[OsString], main: impl FnOnce(c_int, *const *const c_char) -> R) -> R {
    // An argument with a NUL in it cannot have come from a command line; it is truncated there.
    let cut = |argument: &OsString| {
        let bytes = argument.as_bytes().split(|&byte| byte == 0).next().unwrap_or_default();
        CString::new(bytes).unwrap_or_default()
    };
    let strings = arguments.iter().map(cut).collect::<Vec<CString>>().leak();
    let mut argv: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
    argv.push(std::ptr::null());
    main(c_int::try_from(strings.len()).unwrap_or(c_int::MAX), argv.as_ptr())
}
