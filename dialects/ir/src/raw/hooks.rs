//! The functions that C++ calls for the `strum` and `dpu` dialects: verifiers, and the tables of instructions and weight formats that
//! drive parsing and printing.
//!
//! ODS checks operand and attribute kinds; constraints between them are checked here. C++ calls [`verify`] for every operation of the
//! dialects, and [`verify_attribute`] for every attribute with one of their prefixes.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    sync::{LazyLock, Mutex},
};

use melior::{dialect::DialectRegistry, ir::OperationRef};
use strum_formats::{Field as FormatField, FieldKind, Format, Kind};
use strum_mlir_sys as sys;

use super::{attribute::attribute, len, pass::guard, text};
use crate::{
    Operation, discardable,
    dpu::{
        self,
        text::{Field, Form},
    },
    strum,
};

/// Registers the dialects, with their Rust hooks.
pub(crate) fn insert_dialects(registry: &DialectRegistry) {
    let hooks = sys::StrumHooks {
        verify: Some(verify),
        verifyAttribute: Some(verify_attribute),
        fields: Some(fields),
        formatFields: Some(format_fields),
        formatFault: Some(format_fault),
    };
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    // SAFETY: the registry is valid; the hooks are functions, and installed by one thread, before it has a registry with the dialects.
    unsafe { sys::strumInsertDialects(registry.to_raw(), hooks) };
}

/// The hook for operations.
unsafe extern "C" fn verify(op: sys::MlirOperation) -> sys::MlirLogicalResult {
    // SAFETY: MLIR passes an operation that is valid during the call.
    let op = Operation(unsafe { OperationRef::from_raw(op) });
    guard(op, || {
        discardable::verify_own(op)?;
        if op.dialect() == "strum" { strum::verify::verify(op) } else { dpu::verify::verify(op) }
    })
}

/// The hook for attributes.
unsafe extern "C" fn verify_attribute(
    op: sys::MlirOperation,
    name: sys::MlirStringRef,
    value: sys::MlirAttribute,
    on_operation: bool,
) -> sys::MlirLogicalResult {
    // SAFETY: MLIR passes arguments that are valid during the call.
    let (op, name, value) =
        unsafe { (Operation(OperationRef::from_raw(op)), text::str_of(name), attribute(value)) };
    guard(op, || match value {
        Some(value) => discardable::verify_prefixed(op, name, value, on_operation),
        None => Ok(()),
    })
}

/// Fields in C++ form, for the life of the process. Their strings are static.
struct Fields<T>(Vec<T>);

// SAFETY: the pointers in it are to static strings.
unsafe impl<T> Send for Fields<T> {}
// SAFETY: the pointers in it are to static strings.
unsafe impl<T> Sync for Fields<T> {}

static INSTRS: LazyLock<BTreeMap<&'static str, Fields<sys::StrumField>>> = LazyLock::new(|| {
    let rows = dpu::text::rows();
    rows.map(|row| (row.desc.mnemonic, Fields(row.fields.iter().map(instr_field).collect()))).collect()
});

fn instr_field(field: &Field) -> sys::StrumField {
    use sys::StrumFieldKind as Kind;
    let (kind, keyword) = match field.form {
        Form::Int => (Kind::STRUM_FIELD_INT, ""),
        Form::Flag => (Kind::STRUM_FIELD_FLAG, ""),
        Form::Keyword(names) => (Kind::STRUM_FIELD_KEYWORD, names.first().copied().unwrap_or("")),
        Form::Address(_) => (Kind::STRUM_FIELD_ADDRESS, ""),
        Form::Barriers(_) => (Kind::STRUM_FIELD_BARRIERS, ""),
    };
    sys::StrumField {
        name: text::string_ref(field.desc.name),
        kind,
        count: isize::try_from(field.desc.count).unwrap_or(1),
        neutral: field.desc.kind.neutral(),
        neutralKeyword: text::string_ref(keyword),
    }
}

static FORMATS: LazyLock<Vec<Fields<sys::StrumFormatField>>> = LazyLock::new(|| {
    Kind::ALL.iter().map(|kind| Fields(kind.fields().map(format_field).collect())).collect()
});

fn format_field(field: &FormatField) -> sys::StrumFormatField {
    let word = if let FieldKind::NumberOr(word) = field.kind { word } else { "" };
    sys::StrumFormatField {
        name: text::string_ref(field.name),
        word: text::string_ref(word),
        isFlag: field.kind == FieldKind::Flag,
    }
}

/// The hook that returns the fields of an instruction.
///
/// # Safety
/// The mnemonic must be a valid string, and `fields` valid for writes.
unsafe extern "C" fn fields(mnemonic: sys::MlirStringRef, fields: *mut *const sys::StrumField) -> isize {
    // SAFETY: by this function's contract.
    let row = INSTRS.get(unsafe { text::str_of(mnemonic) });
    let row = row.map_or(&[][..], |Fields(row)| row);
    // SAFETY: by this function's contract; the row lives for the life of the process.
    unsafe { *fields = row.as_ptr() };
    len(row)
}

/// The hook that returns the fields of a format.
///
/// # Safety
/// The method must be a valid string, and `fields` valid for writes.
unsafe extern "C" fn format_fields(
    method: sys::MlirStringRef,
    fields: *mut *const sys::StrumFormatField,
) -> isize {
    // SAFETY: by this function's contract.
    let kind = Kind::from_name(unsafe { text::str_of(method) });
    let Some(Fields(row)) = kind.ok().and_then(|kind| FORMATS.get(kind.code())) else { return -1 };
    // SAFETY: by this function's contract; the row lives for the life of the process.
    unsafe { *fields = row.as_ptr() };
    len(row)
}

/// The hook that verifies the values of a format's fields.
///
/// # Safety
/// The method must be a valid string, there must be `count` values, and the callback must belong to the data.
unsafe extern "C" fn format_fault(
    method: sys::MlirStringRef,
    count: isize,
    values: *const i64,
    reason: sys::MlirStringCallback,
    user: *mut c_void,
) {
    // SAFETY: by this function's contract.
    let (method, values) = unsafe { (text::str_of(method), super::list(values, count)) };
    let format = Kind::from_name(method).and_then(|kind| Format::from_values(kind, values));
    if let Err(error) = format {
        // SAFETY: the callback belongs to the data, and copies the text.
        unsafe { text::answer(reason, user, &error.to_string()) };
    }
}
