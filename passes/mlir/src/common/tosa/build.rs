//! Builds TOSA ops.
//!
//! Invariant: constants are at the beginning of the block, in the order of first use; small ones are created once and shared.

use std::collections::BTreeMap;

use strum_ir::{Attribute, Block, ContextRef, Error, Location, OpBuilder, Operation, Type, Value};

use super::elem::Elem;
use super::literal::Literal;
use super::num::Round;
use super::view;

/// Constants of up to this many bytes are written inline and shared; larger ones are resources.
const INLINE_BYTES: usize = 1024;

/// An insertion point for ops in a block.
pub struct Builder<'c> {
    block: Block<'c>,
    at: Operation<'c>,
    location: Location<'c>,
    last_constant: Option<Operation<'c>>,
    shared: BTreeMap<Key, Value<'c>>,
    prefix: String,
    resources: usize,
}

/// The key of a shared constant: kind, shape and bytes.
type Key = (Kind, Vec<u64>, Vec<u8>);

/// The contents of a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The extents of a `tosa.const_shape`.
    Shape,
    Int(Elem),
    F32,
}

/// The parameters of a `tosa.rescale` with 32-bit input or output zero points left to the caller.
#[derive(Clone, Debug)]
pub struct RescaleSpec<'a> {
    /// Result element type.
    pub output: Elem,
    /// Multipliers: one, or one for each channel.
    pub multipliers: &'a [i32],
    /// Shifts, one per multiplier.
    pub shifts: &'a [i32],
    /// Rounding mode.
    pub round: Round,
    /// Input zero point as stored.
    pub input_zp: i32,
    /// Output zero point as stored.
    pub output_zp: i32,
    /// Treat the input as unsigned.
    pub input_unsigned: bool,
    /// Saturate to the unsigned range.
    pub output_unsigned: bool,
}

impl RescaleSpec<'_> {
    /// A rescale that changes only the type and the zero point.
    #[must_use]
    pub fn unit(output: Elem) -> RescaleSpec<'static> {
        RescaleSpec {
            output,
            multipliers: &[1 << 30],
            shifts: &[30],
            round: Round::Single,
            input_zp: 0,
            output_zp: 0,
            input_unsigned: false,
            output_unsigned: false,
        }
    }
}

impl<'c> Builder<'c> {
    /// Builds ops before `at`, which must be in a block, with its location.
    ///
    /// # Errors
    /// The op is not in a block.
    pub fn before(at: Operation<'c>) -> Result<Self, Error> {
        let block = at.block().ok_or_else(|| Error::Detached(at.name().into()))?;
        let prefix = at.parent().and_then(Operation::symbol).unwrap_or("strum").to_owned();
        Ok(Builder {
            block,
            at,
            location: at.location(),
            last_constant: None,
            shared: BTreeMap::new(),
            prefix,
            resources: 0,
        })
    }

    /// Continues before another op of the same block, with its location.
    pub fn go(&mut self, at: Operation<'c>) {
        self.at = at;
        self.location = at.location();
    }

    /// Uses another location from here on.
    pub fn set_location(&mut self, location: Location<'c>) {
        self.location = location;
    }

    /// The context.
    #[must_use]
    pub fn context(&self) -> ContextRef<'c> {
        self.location.context()
    }

    /// The type of a tensor.
    ///
    /// # Errors
    /// An extent does not fit.
    pub fn tensor(&self, shape: &[u64], elem: Elem) -> Result<Type<'c>, Error> {
        Type::tensor(&extents(shape)?, Type::int(self.context(), elem.bits()))
    }

    /// The type of a tensor of f32.
    ///
    /// # Errors
    /// An extent does not fit.
    pub fn float_tensor(&self, shape: &[u64]) -> Result<Type<'c>, Error> {
        Type::tensor(&extents(shape)?, Type::parse(self.context(), "f32")?)
    }

    /// Begins an op.
    pub fn op(&self, name: &str) -> OpBuilder<'c> {
        OpBuilder::new(name, self.location)
    }

    /// Finishes an op with one result.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn insert(&self, op: OpBuilder<'c>) -> Result<Value<'c>, Error> {
        let op = op.insert_before(self.at)?;
        op.result(0).ok_or_else(|| Error::Build(op.name().into()))
    }

    /// Inserts a constant after the previous ones.
    fn insert_constant(&mut self, op: OpBuilder<'c>) -> Result<Value<'c>, Error> {
        // An erased op is in no block: the constants may have died in the meantime.
        let op = match self.last_constant.filter(|last| last.block().is_some()) {
            Some(last) => op.insert_after(last)?,
            None => op.prepend_to(self.block)?,
        };
        self.last_constant = Some(op);
        op.result(0).ok_or_else(|| Error::Build(op.name().into()))
    }

    fn find_shared(&self, key: &Key) -> Option<Value<'c>> {
        let value = *self.shared.get(key)?;
        value.defining_op()?.block().map(|_| value)
    }

    /// `tosa.const`.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn constant(&mut self, literal: Literal<'_>) -> Result<Value<'c>, Error> {
        let ty = self.tensor(literal.shape(), literal.elem())?;
        let splat = literal.as_splat();
        let small = splat.is_some() || literal.byte_len() <= INLINE_BYTES;
        let key = small.then(|| {
            let bytes = splat.map_or_else(|| literal.bytes().into_owned(), |v| v.to_le_bytes().to_vec());
            (Kind::Int(literal.elem()), literal.shape().to_vec(), bytes)
        });
        if let Some(value) = key.as_ref().and_then(|key| self.find_shared(key)) {
            return Ok(value);
        }
        let values = match splat {
            _ if literal.elem() == Elem::I1 => match splat {
                Some(value) => Attribute::dense_bools(ty, &[u8::from(value != 0)])?,
                None => Attribute::dense_bools(ty, &literal.bytes())?,
            },
            Some(value) => Attribute::dense_splat(ty, &value.to_le_bytes()[..literal.elem().bytes()])?,
            None if small => Attribute::dense(ty, &literal.bytes())?,
            None => self.resource(ty, literal.into_bytes().into_owned())?,
        };
        self.insert_values(ty, values, key)
    }

    /// `tosa.const` of f32.
    ///
    /// # Errors
    /// The values do not fit the shape, or MLIR cannot make the op.
    pub fn floats(&mut self, shape: &[u64], values: &[f32]) -> Result<Value<'c>, Error> {
        let ty = self.float_tensor(shape)?;
        let splat = values.first().filter(|first| values.iter().all(|v| v.to_bits() == first.to_bits()));
        let bytes: Vec<u8> = match splat {
            Some(value) => value.to_le_bytes().to_vec(),
            None => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let small = bytes.len() <= INLINE_BYTES;
        let key = small.then(|| (Kind::F32, shape.to_vec(), bytes.clone()));
        if let Some(value) = key.as_ref().and_then(|key| self.find_shared(key)) {
            return Ok(value);
        }
        let values = match splat {
            Some(_) => Attribute::dense_splat(ty, &bytes)?,
            None if small => Attribute::dense(ty, &bytes)?,
            None => self.resource(ty, bytes)?,
        };
        self.insert_values(ty, values, key)
    }

    /// The elements of a large constant.
    fn resource(&mut self, ty: Type<'c>, bytes: Vec<u8>) -> Result<Attribute<'c>, Error> {
        let name = format!("{}_folded{}", self.prefix, self.resources);
        self.resources += 1;
        Attribute::resource(ty, &name, bytes)
    }

    /// `tosa.const` with these elements, of a type that [`Elem`] does not have.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn of_attribute(&mut self, ty: Type<'c>, values: Attribute<'c>) -> Result<Value<'c>, Error> {
        self.insert_values(ty, values, None)
    }

    fn insert_values(
        &mut self,
        ty: Type<'c>,
        values: Attribute<'c>,
        key: Option<Key>,
    ) -> Result<Value<'c>, Error> {
        let op = self.op("tosa.const").attribute("values", values).result(ty);
        let value = self.insert_constant(op)?;
        self.shared.extend(key.map(|key| (key, value)));
        Ok(value)
    }

    /// A constant of one element and rank 1, as zero points are.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn scalar(&mut self, elem: Elem, value: i32) -> Result<Value<'c>, Error> {
        self.constant(Literal::splat(vec![1], elem, value))
    }

    /// A constant of rank 1.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn vector(&mut self, elem: Elem, values: &[i32]) -> Result<Value<'c>, Error> {
        let shape = vec![u64::try_from(values.len()).unwrap_or(u64::MAX)];
        let literal = match values {
            [first, rest @ ..] if rest.iter().all(|v| v == first) => {
                Some(Literal::splat(shape, elem, *first))
            }
            _ => Literal::from_values(shape, elem, values),
        };
        let empty = || Error::Attribute(format!("constant of {} elements", values.len()));
        self.constant(literal.ok_or_else(empty)?)
    }

    /// `tosa.const_shape`.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn shape(&mut self, dims: &[u64]) -> Result<Value<'c>, Error> {
        self.signed_shape(&extents(dims)?)
    }

    /// `tosa.const_shape`, whose numbers may be negative, such as those of borders.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn signed_shape(&mut self, dims: &[i64]) -> Result<Value<'c>, Error> {
        let key: Key = (Kind::Shape, dims.iter().map(|d| d.cast_unsigned()).collect(), Vec::new());
        if let Some(value) = self.find_shared(&key) {
            return Ok(value);
        }
        let context = self.context();
        let ty = Type::parse(context, &format!("!tosa.shape<{}>", dims.len()))?;
        let text: Vec<String> = dims.iter().map(i64::to_string).collect();
        let list = if dims.is_empty() { String::new() } else { format!("[{}]", text.join(", ")) };
        let values = Attribute::parse(context, &format!("dense<{list}> : tensor<{}xindex>", dims.len()))?;
        let op = self.op("tosa.const_shape").attribute("values", values).result(ty);
        let value = self.insert_constant(op)?;
        self.shared.insert(key, value);
        Ok(value)
    }

    /// `tosa.reshape`.
    ///
    /// # Errors
    /// The value is not a static tensor, or MLIR cannot make the op.
    pub fn reshape(&mut self, value: Value<'c>, dims: &[u64]) -> Result<Value<'c>, Error> {
        let shape = self.shape(dims)?;
        let ty = value.ty().with_shape(&extents(dims)?)?;
        self.insert(self.op("tosa.reshape").operands(&[value, shape]).result(ty))
    }

    /// `tosa.slice`.
    ///
    /// # Errors
    /// The value is not a static tensor, or MLIR cannot make the op.
    pub fn slice(&mut self, value: Value<'c>, start: &[u64], size: &[u64]) -> Result<Value<'c>, Error> {
        let (from, extent) = (self.shape(start)?, self.shape(size)?);
        let ty = value.ty().with_shape(&extents(size)?)?;
        self.insert(self.op("tosa.slice").operands(&[value, from, extent]).result(ty))
    }

    /// `tosa.concat` of one or more values along `axis`.
    ///
    /// # Errors
    /// The values are not static tensors of one rank with that axis, or MLIR cannot make the op.
    pub fn concat(&mut self, values: &[Value<'c>], axis: usize) -> Result<Value<'c>, Error> {
        let wrong = || Error::Attribute(format!("concatenation along axis {axis}"));
        let extent = |value: &Value<'c>| value.ty().shape()?.get(axis).copied();
        let first = *values.first().ok_or_else(wrong)?;
        let mut shape = first.ty().shape().ok_or_else(wrong)?;
        let total = values.iter().try_fold(0i64, |sum, value| sum.checked_add(extent(value)?));
        *shape.get_mut(axis).ok_or_else(wrong)? = total.ok_or_else(wrong)?;
        let ty = first.ty().with_shape(&shape)?;
        let axis = Attribute::i32(self.context(), i32::try_from(axis).map_err(|_| wrong())?);
        self.insert(self.op("tosa.concat").operands(values).attribute("axis", axis).result(ty))
    }

    /// `tosa.transpose`.
    ///
    /// # Errors
    /// The value is not a static tensor, the permutation is invalid, or MLIR cannot make the op.
    pub fn transpose(&mut self, value: Value<'c>, perms: &[usize]) -> Result<Value<'c>, Error> {
        let wrong = || Error::Attribute(format!("permutation {perms:?}"));
        let shape = value.ty().shape().ok_or_else(wrong)?;
        let dims: Vec<i64> =
            perms.iter().map(|&p| shape.get(p).copied()).collect::<Option<_>>().ok_or_else(wrong)?;
        let list: Vec<i32> =
            perms.iter().map(|&p| i32::try_from(p)).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let ty = value.ty().with_shape(&dims)?;
        let perms = Attribute::i32s(self.context(), &list);
        self.insert(self.op("tosa.transpose").operand(value).attribute("perms", perms).result(ty))
    }

    /// `tosa.clamp`.
    ///
    /// # Errors
    /// The value is not a tensor of a supported type, or MLIR cannot make the op.
    pub fn clamp(&mut self, value: Value<'c>, lo: i32, hi: i32) -> Result<Value<'c>, Error> {
        let bits = self.elem(value)?.bits();
        let bound = |v: i32| Attribute::int(self.context(), bits, v.into());
        let op = self.op("tosa.clamp").operand(value);
        let op = op.attribute("min_val", bound(lo)).attribute("max_val", bound(hi));
        self.insert(op.result(value.ty()))
    }

    /// `tosa.table` on i8 with its 256 entries.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn table(&mut self, value: Value<'c>, entries: &[i8]) -> Result<Value<'c>, Error> {
        let entries: Vec<i32> = entries.iter().map(|&v| v.into()).collect();
        let table = self.vector(Elem::I8, &entries)?;
        self.insert(self.op("tosa.table").operands(&[value, table]).result(value.ty()))
    }

    /// `tosa.cast`.
    ///
    /// # Errors
    /// The value is not a tensor of a supported type, or MLIR cannot make the op.
    pub fn cast(&mut self, value: Value<'c>, to: Elem) -> Result<Value<'c>, Error> {
        let ty = self.retype(value, to)?;
        self.insert(self.op("tosa.cast").operand(value).result(ty))
    }

    /// A binary element-wise op without attributes.
    ///
    /// # Errors
    /// MLIR cannot make the op.
    pub fn binary(
        &mut self,
        name: &str,
        operands: &[Value<'c>],
        result: Type<'c>,
    ) -> Result<Value<'c>, Error> {
        self.insert(self.op(name).operands(operands).result(result))
    }

    /// `tosa.rescale`. Multipliers that fit in 16 bits are written as such if the rounding allows it: TOSA then does not limit
    /// the scaled value.
    ///
    /// # Errors
    /// The value is not a tensor of a supported type, or MLIR cannot make the op.
    pub fn rescale(&mut self, value: Value<'c>, spec: &RescaleSpec<'_>) -> Result<Value<'c>, Error> {
        let context = self.context();
        let narrow =
            spec.round == Round::Single && spec.multipliers.iter().all(|&m| i16::try_from(m).is_ok());
        let operands = [
            value,
            self.vector(if narrow { Elem::I16 } else { Elem::I32 }, spec.multipliers)?,
            self.vector(Elem::I8, spec.shifts)?,
            self.scalar(self.elem(value)?, spec.input_zp)?,
            self.scalar(spec.output, spec.output_zp)?,
        ];
        let rounding = match spec.round {
            Round::Single => "#tosa.rounding_mode<SINGLE_ROUND>",
            Round::Double => "#tosa.rounding_mode<DOUBLE_ROUND>",
        };
        let flag = |value| Attribute::bool(context, value);
        let ty = self.retype(value, spec.output)?;
        let op = self.op("tosa.rescale").operands(&operands).result(ty);
        let op =
            op.attribute("scale32", flag(!narrow)).attribute("per_channel", flag(spec.multipliers.len() > 1));
        let op = op.attribute("input_unsigned", flag(spec.input_unsigned));
        let op = op.attribute("output_unsigned", flag(spec.output_unsigned));
        self.insert(op.attribute("rounding_mode", Attribute::parse(context, rounding)?))
    }

    /// The type of `value` with another element type.
    ///
    /// # Errors
    /// The value is not a tensor of a supported type.
    pub fn retype(&self, value: Value<'c>, elem: Elem) -> Result<Type<'c>, Error> {
        let shape = view::shape(value).ok_or_else(|| Error::Type(format!("a tensor like {}", value.ty())))?;
        self.tensor(&shape, elem)
    }

    fn elem(&self, value: Value<'c>) -> Result<Elem, Error> {
        view::elem(value).ok_or_else(|| Error::Type(format!("a tensor like {}", value.ty())))
    }
}

/// Extents in MLIR's form.
fn extents(shape: &[u64]) -> Result<Vec<i64>, Error> {
    let too_large = |_| Error::Type(format!("a tensor of shape {shape:?}"));
    shape.iter().map(|&d| i64::try_from(d)).collect::<Result<_, _>>().map_err(too_large)
}
