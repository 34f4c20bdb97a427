//! The instruction table as seen by the dialect: which fields are attributes and which are operands. The C++ parser and printer of
//! instructions use it.

use std::{collections::BTreeMap, sync::LazyLock};

use dpu_isa::{FieldDesc, FieldKind, InstrDesc};

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

/// A field with its position in the raw values of the instruction.
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
        Self { desc, fields, groups }
    }
}

static ROWS: LazyLock<BTreeMap<&'static str, Row>> =
    LazyLock::new(|| dpu_isa::TABLE.iter().map(|desc| (desc.mnemonic, Row::new(desc))).collect());

/// The row of an instruction.
pub(crate) fn row(mnemonic: &str) -> Option<&'static Row> {
    ROWS.get(mnemonic)
}

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.values()
}
