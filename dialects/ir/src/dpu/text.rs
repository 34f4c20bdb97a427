//! The instruction table as the dialect sees it: which fields are attributes and which are operands. C++ reads and writes the text of
//! instructions by it.

use std::{collections::BTreeMap, sync::LazyLock};

use dpu_isa::{FieldDesc, FieldKind, InstrDesc};
use strum_mlir_sys as sys;

use crate::{ffi, location::len};

/// How a field appears on an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An `i64` attribute, or an array of them.
    Int,
    /// A boolean attribute.
    Flag,
    /// A string attribute that is one of these.
    Keyword(&'static [&'static str]),
    /// A buffer, and an `i64` attribute for the offset into it. The index is that of the operand group.
    Address(usize),
    /// Barriers. The index is that of the operand group.
    Barriers(usize),
}

/// A field with its place in the raw values of the instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) desc: &'static FieldDesc,
    pub(crate) form: Form,
    /// Index of the first raw value.
    pub(crate) raw: usize,
}

/// An instruction with its fields in the order of the table.
pub(crate) struct Row {
    pub(crate) desc: &'static InstrDesc,
    pub(crate) fields: Vec<Field>,
    /// The number of operand groups.
    pub(crate) groups: usize,
    text: Vec<TextField>,
}

impl Row {
    fn new(desc: &'static InstrDesc) -> Self {
        let (mut fields, mut groups, mut raw) = (Vec::new(), 0, 0);
        let mut group = || {
            groups += 1;
            groups - 1
        };
        for field in desc.fields {
            let form = match field.kind {
                FieldKind::Uint { .. } | FieldKind::Int { .. } | FieldKind::Choice(_) => Form::Int,
                FieldKind::Bool => Form::Flag,
                FieldKind::Enum(names) => Form::Keyword(names),
                FieldKind::Sram { .. } | FieldKind::Mem => Form::Address(group()),
                FieldKind::Mask => Form::Barriers(group()),
            };
            fields.push(Field { desc: field, form, raw });
            raw += field.count;
        }
        let text = fields.iter().map(TextField::new).collect();
        Self { desc, fields, groups, text }
    }
}

static ROWS: LazyLock<BTreeMap<&'static str, Row>> =
    LazyLock::new(|| dpu_isa::TABLE.iter().map(|desc| (desc.mnemonic, Row::new(desc))).collect());

/// The row of an instruction.
pub(crate) fn row(mnemonic: &str) -> Option<&'static Row> {
    ROWS.get(mnemonic)
}

/// A field as C++ wants it. Its strings are static.
#[repr(transparent)]
struct TextField(sys::StrumField);

// SAFETY: the pointers in it are to static strings.
unsafe impl Send for TextField {}
// SAFETY: the pointers in it are to static strings.
unsafe impl Sync for TextField {}

impl TextField {
    fn new(field: &Field) -> Self {
        use sys::StrumFieldKind as Kind;
        let (kind, keyword) = match field.form {
            Form::Int => (Kind::STRUM_FIELD_INT, ""),
            Form::Flag => (Kind::STRUM_FIELD_FLAG, ""),
            Form::Keyword(names) => (Kind::STRUM_FIELD_KEYWORD, names.first().copied().unwrap_or("")),
            Form::Address(_) => (Kind::STRUM_FIELD_ADDRESS, ""),
            Form::Barriers(_) => (Kind::STRUM_FIELD_BARRIERS, ""),
        };
        Self(sys::StrumField {
            name: ffi::string_ref(field.desc.name),
            kind,
            count: isize::try_from(field.desc.count).unwrap_or(1),
            neutral: field.desc.kind.neutral(),
            neutralKeyword: ffi::string_ref(keyword),
        })
    }
}

/// The hook that tells C++ the fields of an instruction.
///
/// # Safety
/// The mnemonic must be a valid string, and `fields` valid for writes.
pub(crate) unsafe extern "C" fn fields(
    mnemonic: sys::MlirStringRef,
    fields: *mut *const sys::StrumField,
) -> isize {
    // SAFETY: by this function's contract.
    let row = row(unsafe { ffi::str_of(mnemonic) });
    let text = row.map_or(&[][..], |row| &row.text);
    // SAFETY: by this function's contract; a TextField is a StrumField, and lives for the life of the process.
    unsafe { *fields = text.as_ptr().cast() };
    len(text)
}
