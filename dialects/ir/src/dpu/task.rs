//! Instructions as operations: conversion to and from the structs of `dpu-isa`.

use dpu_isa::{FieldError, FieldKind, Instr, MemAddr, Space};

use super::{
    Buffer, BufferType,
    text::{self, Field, Form, Row},
};
use crate::{Attribute, ContextRef, Error, Location, OpBuilder, Operation, Value, raw};

/// The attribute that holds the sizes of operand groups.
const SEGMENTS: &str = "operandSegmentSizes";

/// Errors in an instruction's operation, or in a task to be converted to one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// Not an instruction.
    #[error("'{0}' is not an instruction")]
    NotAnInstruction(String),
    /// A value that the field cannot hold.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// An attribute of the wrong kind or length.
    #[error("field '{0}': the attribute has the wrong kind or length")]
    Attribute(&'static str),
    /// An unknown keyword.
    #[error("field '{field}': unknown value '{got}', expected one of {}", names.join(", "))]
    Keyword {
        /// The field.
        field: &'static str,
        /// The keyword.
        got: String,
        /// The legal keywords.
        names: &'static [&'static str],
    },
    /// Operands that do not fit the fields.
    #[error("operands do not match the fields of '{0}'")]
    Operands(&'static str),
    /// No address field has this name.
    #[error("'{instr}' has no address field '{field}'")]
    NoSuchField {
        /// The instruction.
        instr: &'static str,
        /// The name.
        field: String,
    },
    /// A required address that is missing.
    #[error("field '{0}': address is required")]
    MissingBuffer(&'static str),
    /// An address that is given but unused.
    #[error("field '{0}': address is not used by this instruction")]
    UnusedBuffer(&'static str),
    /// A buffer in the wrong memory.
    #[error("field '{0}': the buffer must be in SRAM")]
    NotSram(&'static str),
    /// An offset beyond the end of the buffer.
    #[error("field '{field}': offset {offset} is not within the buffer's {bytes} bytes")]
    Outside {
        /// The field.
        field: &'static str,
        /// The offset in bytes.
        offset: i64,
        /// The size of the buffer.
        bytes: u64,
    },
    /// A buffer without an address, where one is needed.
    #[error("field '{0}': buffer has no address")]
    NoAddress(&'static str),
    /// A barrier that is not a result of a `dpu.bar_cfg`, or has no number where one is needed.
    #[error("field '{0}': barrier has no number")]
    NoNumber(&'static str),
}

/// An instruction on buffers and barriers.
#[derive(Clone, Debug, PartialEq)]
pub struct Task<'c> {
    /// The instruction. Address fields hold the offset within their buffer; masks are 0.
    pub instr: Instr,
    /// For every address field in use: its index in `instr.desc().fields`, and the buffer.
    pub buffers: Vec<(usize, Value<'c>)>,
    /// The barriers that it waits for.
    pub waits: Vec<Value<'c>>,
    /// The barriers that it posts to.
    pub posts: Vec<Value<'c>>,
    /// Index of its layer in the program's layers.
    pub layer: Option<u32>,
}

/// Whether an operation is an instruction of the table.
pub(crate) fn is_instruction(op: Operation<'_>) -> bool {
    row_of(op).is_some()
}

fn row_of(op: Operation<'_>) -> Option<&'static Row> {
    text::row(op.name().strip_prefix("dpu.")?)
}

/// The physical number of a barrier, if it is assigned.
pub(crate) fn barrier_number(barrier: Value<'_>) -> Option<u8> {
    barrier.defined_by("dpu.bar_cfg")?.int_attr("barrier").and_then(|number| u8::try_from(number).ok())
}

/// `dpu.bar_cfg`; the result is the barrier.
pub fn bar_cfg(producers: u16, consumers: u16, number: Option<u8>, location: Location<'_>) -> OpBuilder<'_> {
    let context = location.context();
    OpBuilder::new("dpu.bar_cfg", location)
        .maybe_attribute("barrier", number.map(|number| Attribute::i64(context, number.into())))
        .attribute("producers", Attribute::i64(context, producers.into()))
        .attribute("consumers", Attribute::i64(context, consumers.into()))
        .result(raw::dialects::barrier(context))
}

impl<'c> Task<'c> {
    /// A task without barriers and layer, with its buffers by field name.
    pub fn new(instr: Instr, buffers: &[(&str, Value<'c>)]) -> Result<Self, TaskError> {
        let desc = instr.desc();
        let index = |name: &str| {
            let found = desc.field(name).filter(|(_, field)| is_address(field.kind));
            found
                .map(|(index, _)| index)
                .ok_or_else(|| TaskError::NoSuchField { instr: desc.mnemonic, field: name.to_owned() })
        };
        let buffers = buffers.iter().map(|&(name, value)| Ok((index(name)?, value)));
        let buffers = buffers.collect::<Result<_, TaskError>>()?;
        Ok(Self { instr, buffers, waits: Vec::new(), posts: Vec::new(), layer: None })
    }

    /// Reads an instruction's operation, and checks every field.
    pub fn read(op: Operation<'c>) -> Result<Self, TaskError> {
        let row = row_of(op).ok_or_else(|| TaskError::NotAnInstruction(op.name().into()))?;
        let groups = operand_groups(op, row)?;
        let mut raw = Vec::with_capacity(row.desc.raw_len());
        let (mut buffers, mut barriers) = (Vec::new(), Vec::new());
        for (index, field) in row.fields.iter().enumerate() {
            match field.form {
                Form::Address(group) => {
                    let buffer = groups.get(group).and_then(|group| group.first().copied());
                    raw.push(read_offset(op, field, buffer)?);
                    buffers.extend(buffer.map(|buffer| (index, buffer)));
                }
                Form::Barriers(group) => {
                    raw.push(0);
                    barriers.push(groups.get(group).cloned().unwrap_or_default());
                }
                _ => read_attribute(op, field, &mut raw)?,
            }
        }
        let instr = Instr::from_raw(row.desc, &raw)?;
        let layer =
            op.int_attr("layer").map(u32::try_from).transpose().map_err(|_| TaskError::Attribute("layer"))?;
        let mut barriers = barriers.into_iter();
        let (waits, posts) = (barriers.next().unwrap_or_default(), barriers.next().unwrap_or_default());
        let task = Self { instr, buffers, waits, posts, layer };
        task.check(row)?;
        Ok(task)
    }

    /// The operation. Attributes at their defaults are omitted.
    pub fn build(&self, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
        let context = location.context();
        let layer = self.layer.map(|layer| Attribute::i64(context, layer.into()));
        if let Instr::BarCfg(x) = &self.instr {
            let builder = bar_cfg(x.producers, x.consumers, Some(x.barrier), location);
            return Ok(builder.maybe_attribute("layer", layer));
        }
        let desc = self.instr.desc();
        let name = format!("dpu.{}", desc.mnemonic);
        let row = text::row(desc.mnemonic).ok_or_else(|| Error::UnknownOperation(name.clone()))?;
        let raw = self.instr.raw_fields();
        let (mut operands, mut segments) = (Vec::new(), Vec::new());
        let mut builder = OpBuilder::new(&name, location);
        let mut barriers = [&self.waits, &self.posts].into_iter();
        for (index, field) in row.fields.iter().enumerate() {
            let values = raw.get(field.raw..field.raw + field.desc.count).unwrap_or(&[]);
            let before = operands.len();
            match field.form {
                Form::Address(_) => {
                    operands
                        .extend(self.buffers.iter().filter(|(i, _)| *i == index).map(|(_, buffer)| *buffer));
                    let offset =
                        values.first().map_or(0, |&value| value & (i64::MAX >> (63 - MemAddr::OFFSET_BITS)));
                    if offset != 0 {
                        builder = builder.attribute(&offset_name(field), Attribute::i64(context, offset));
                    }
                }
                Form::Barriers(_) => operands.extend_from_slice(barriers.next().map_or(&[][..], |list| list)),
                _ => {
                    builder =
                        builder.maybe_attribute(field.desc.name, write_attribute(context, field, values))
                }
            }
            if matches!(field.form, Form::Address(_) | Form::Barriers(_)) {
                segments.push(i32::try_from(operands.len() - before).unwrap_or(i32::MAX));
            }
        }
        if row.groups > 1 {
            builder = builder.attribute(SEGMENTS, Attribute::i32s(context, &segments));
        }
        Ok(builder.operands(&operands).maybe_attribute("layer", layer))
    }

    /// The instruction as encoded: with absolute addresses and with masks. All buffers must have addresses, and all barriers
    /// numbers.
    pub fn resolve(&self) -> Result<Instr, TaskError> {
        let desc = self.instr.desc();
        let mut raw = self.instr.raw_fields();
        let mut first = 0;
        let mut masks = [("wait", &self.waits), ("post", &self.posts)].into_iter();
        for (index, field) in desc.fields.iter().enumerate() {
            let buffer = self.buffers.iter().find(|(i, _)| *i == index);
            if let (Some((_, value)), Some(slot)) = (buffer, raw.get_mut(first)) {
                *slot = absolute(*slot, *value, field.name)?;
            }
            if field.kind == FieldKind::Mask
                && let Some((name, barriers)) = masks.next()
                && let Some(slot) = raw.get_mut(first)
            {
                *slot = mask(name, barriers)?;
            }
            first += field.count;
        }
        Ok(Instr::from_raw(desc, &raw)?)
    }

    /// Checks that buffers of the right space are given exactly where addresses are in use, and that offsets are
    /// within them.
    fn check(&self, row: &Row) -> Result<(), TaskError> {
        for (index, field) in row.fields.iter().enumerate() {
            let name = field.desc.name;
            if !is_address(field.desc.kind) {
                continue;
            }
            let buffer = self.buffers.iter().find(|(i, _)| *i == index).map(|(_, buffer)| *buffer);
            match (buffer, self.instr.uses_address(name)) {
                (Some(_), true) | (None, false) => {}
                (None, true) => return Err(TaskError::MissingBuffer(name)),
                (Some(_), false) => return Err(TaskError::UnusedBuffer(name)),
            }
        }
        Ok(())
    }
}

const fn is_address(kind: FieldKind) -> bool {
    matches!(kind, FieldKind::Sram { .. } | FieldKind::Mem)
}

fn offset_name(field: &Field) -> String {
    format!("{}_offset", field.desc.name)
}

/// The operands, by group.
fn operand_groups<'c>(op: Operation<'c>, row: &Row) -> Result<Vec<Vec<Value<'c>>>, TaskError> {
    let wrong = || TaskError::Operands(row.desc.mnemonic);
    let operands = op.operands();
    if row.groups == 0 || op.is("dpu.bar_cfg") {
        return if operands.is_empty() { Ok(Vec::new()) } else { Err(wrong()) };
    }
    if row.groups == 1 {
        return Ok(vec![operands]); // the only group
    }
    let sizes = op.ints_attr(SEGMENTS).filter(|sizes| sizes.len() == row.groups).ok_or_else(wrong)?;
    let mut rest = operands.as_slice();
    let mut groups = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (group, tail) =
            usize::try_from(size).ok().and_then(|size| rest.split_at_checked(size)).ok_or_else(wrong)?;
        groups.push(group.to_vec());
        rest = tail;
    }
    if rest.is_empty() { Ok(groups) } else { Err(wrong()) }
}

/// Reads an address field: the raw value has the offset, and the buffer's space.
fn read_offset(op: Operation<'_>, field: &Field, buffer: Option<Value<'_>>) -> Result<i64, TaskError> {
    let name = field.desc.name;
    let offset = match op.attribute(&offset_name(field)) {
        Some(attribute) => attribute.as_i64().ok_or(TaskError::Attribute(name))?,
        None => 0,
    };
    let Some(buffer) = buffer else { return Ok(offset) };
    let ty = BufferType::read(buffer.ty()).ok_or(TaskError::Operands(name))?;
    let bytes = ty.bytes().unwrap_or(u64::MAX);
    if !u64::try_from(offset).is_ok_and(|offset| offset < bytes) {
        return Err(TaskError::Outside { field: name, offset, bytes });
    }
    match (field.desc.kind, ty.space) {
        (FieldKind::Mem, Space::Sram) => Ok(offset | 1 << MemAddr::OFFSET_BITS),
        (FieldKind::Mem, Space::Dram) | (_, Space::Sram) => Ok(offset),
        (_, Space::Dram) => Err(TaskError::NotSram(name)),
    }
}

/// Reads a field that is an attribute into the raw values; one that is absent has its default.
fn read_attribute(op: Operation<'_>, field: &Field, raw: &mut Vec<i64>) -> Result<(), TaskError> {
    let name = field.desc.name;
    let wrong = || TaskError::Attribute(name);
    let Some(attribute) = op.attribute(name) else {
        raw.extend(std::iter::repeat_n(field.desc.kind.neutral(), field.desc.count));
        return Ok(());
    };
    match field.form {
        Form::Flag => raw.push(attribute.as_bool().ok_or_else(wrong)?.into()),
        Form::Keyword(names) => {
            let keyword = attribute.as_str().ok_or_else(wrong)?;
            let index =
                names.iter().position(|&name| name == keyword).and_then(|index| i64::try_from(index).ok());
            raw.push(index.ok_or_else(|| TaskError::Keyword { field: name, got: keyword.into(), names })?);
        }
        _ if field.desc.count == 1 => raw.push(attribute.as_i64().ok_or_else(wrong)?),
        _ => {
            let values = attribute.as_i64s().filter(|values| values.len() == field.desc.count);
            raw.extend(values.ok_or_else(wrong)?);
        }
    }
    Ok(())
}

/// The attribute of a field; `None` at its default.
fn write_attribute<'c>(context: ContextRef<'c>, field: &Field, values: &[i64]) -> Option<Attribute<'c>> {
    if values.iter().all(|&value| value == field.desc.kind.neutral()) {
        return None;
    }
    let &first = values.first()?;
    Some(match field.form {
        Form::Flag => Attribute::bool(context, first != 0),
        Form::Keyword(names) => Attribute::string(context, names.get(usize::try_from(first).ok()?)?),
        _ if field.desc.count == 1 => Attribute::i64(context, first),
        _ => Attribute::i64s(context, values),
    })
}

/// The raw value of an address, from the raw value of the offset into a buffer.
fn absolute(offset: i64, buffer: Value<'_>, field: &'static str) -> Result<i64, TaskError> {
    let address = Buffer::of(buffer).and_then(|buffer| buffer.address);
    let address =
        address.and_then(|address| i64::try_from(address).ok()).ok_or(TaskError::NoAddress(field))?;
    // The space is a bit above every address, which from_raw checks; a sum that reaches it would change the space.
    let sum = (offset & MAX_ADDRESS).checked_add(address).filter(|&sum| sum <= MAX_ADDRESS);
    Ok(sum.ok_or(TaskError::NoAddress(field))? | (offset & !MAX_ADDRESS))
}

/// Greatest address of either space.
const MAX_ADDRESS: i64 = (1 << MemAddr::OFFSET_BITS) - 1;

/// The mask of barriers.
fn mask(field: &'static str, barriers: &[Value<'_>]) -> Result<i64, TaskError> {
    let bit = |barrier: &Value<'_>| {
        let number = barrier_number(*barrier).filter(|&number| number < 64);
        number.map(|number| 1u64 << number).ok_or(TaskError::NoNumber(field))
    };
    let bits = barriers.iter().map(bit).try_fold(0, |mask, bit| Ok(mask | bit?));
    bits.map(|bits: u64| bits as i64)
}
