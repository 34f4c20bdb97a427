//! Buffers: their type, and the operations that declare them.

use dpu_isa::{Dtype, Space};

use crate::{Attribute, Bytes, Error, Location, OpBuilder, Operation, Type, Value, raw};

/// `!dpu.buffer<space, SHAPExTYPE>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferType {
    /// Its memory.
    pub space: Space,
    /// The type of the elements.
    pub dtype: Dtype,
    /// Extents in elements, outermost first; none is 0. Empty for a scalar.
    pub shape: Vec<u64>,
}

impl BufferType {
    /// Reads a type.
    pub fn read(ty: Type<'_>) -> Option<Self> {
        let (sram, shape, element) = raw::dialects::buffer(ty)?;
        let dtype = match (element.int_width()?, element.is_unsigned_int()) {
            (8, false) => Dtype::I8,
            (8, true) => Dtype::U8,
            (16, false) => Dtype::I16,
            (16, true) => Dtype::U16,
            (32, false) => Dtype::I32,
            _ => return None,
        };
        let shape: Result<Vec<u64>, _> = shape.iter().map(|&dim| u64::try_from(dim)).collect();
        Some(Self { space: if sram { Space::Sram } else { Space::Dram }, dtype, shape: shape.ok()? })
    }

    /// The type. Errors in it are emitted at `location`.
    pub fn ty<'c>(&self, location: Location<'c>) -> Result<Type<'c>, Error> {
        let failed = || Error::Type(format!("a buffer of shape {:?}", self.shape));
        let shape: Result<Vec<i64>, _> = self.shape.iter().map(|&dim| i64::try_from(dim)).collect();
        let shape = shape.map_err(|_| failed())?;
        let context = location.context();
        let element = match self.dtype {
            Dtype::I8 => Type::int(context, 8),
            Dtype::U8 => Type::unsigned_int(context, 8),
            Dtype::I16 => Type::int(context, 16),
            Dtype::U16 => Type::unsigned_int(context, 16),
            Dtype::I32 => Type::int(context, 32),
        };
        let sram = self.space == Space::Sram;
        raw::dialects::new_buffer(location, sram, &shape, element).ok_or_else(failed)
    }

    /// The size in bytes; `None` on overflow, which no parsed type has.
    pub fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.dtype.bytes(), |bytes, &dim| bytes.checked_mul(dim))
    }
}

/// The role of a buffer outside the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'c> {
    /// Written before the program starts.
    Input(&'c str),
    /// Read after the program has ended.
    Output(&'c str),
    /// Holds the attribute's bytes from the start; never written.
    Constant(Attribute<'c>),
    /// Internal to the program.
    Alloc,
}

/// A buffer of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer<'c> {
    /// The operation that declares it.
    pub op: Operation<'c>,
    /// The buffer as a value.
    pub value: Value<'c>,
    /// Its type.
    pub ty: BufferType,
    /// Its role outside the program.
    pub role: Role<'c>,
    /// Its address in bytes, once allocated.
    pub address: Option<u64>,
    /// The alignment of its address: a power of two.
    pub align: u64,
}

impl<'c> Buffer<'c> {
    /// Reads a declaration.
    pub fn read(op: Operation<'c>) -> Option<Self> {
        let role = match op.name() {
            "dpu.input" => Role::Input(op.str_attr("name")?),
            "dpu.output" => Role::Output(op.str_attr("name")?),
            "dpu.constant" => Role::Constant(op.attribute("value")?),
            "dpu.alloc" => Role::Alloc,
            _ => return None,
        };
        let value = op.single_result()?;
        let unsigned = |name| op.int_attr(name).and_then(|value| u64::try_from(value).ok());
        Some(Self {
            op,
            value,
            ty: BufferType::read(value.ty())?,
            role,
            address: unsigned("address"),
            align: unsigned("align").unwrap_or(16),
        })
    }

    /// The buffer behind a value.
    pub fn of(value: Value<'c>) -> Option<Self> {
        Self::read(value.defining_op()?)
    }

    /// Sets its address.
    pub fn set_address(&self, address: u64) -> Result<(), Error> {
        let address = i64::try_from(address).map_err(|_| Error::Attribute(format!("address {address}")))?;
        self.op.set_attribute("address", Attribute::i64(self.op.context(), address));
        Ok(())
    }
}

/// `dpu.input`: a buffer of type `ty`, in DRAM.
pub fn input<'c>(name: &str, ty: Type<'c>, location: Location<'c>) -> OpBuilder<'c> {
    let name = Attribute::string(location.context(), name);
    OpBuilder::new("dpu.input", location).attribute("name", name).result(ty)
}

/// `dpu.output`: a buffer of type `ty`, in DRAM.
pub fn output<'c>(name: &str, ty: Type<'c>, location: Location<'c>) -> OpBuilder<'c> {
    let name = Attribute::string(location.context(), name);
    OpBuilder::new("dpu.output", location).attribute("name", name).result(ty)
}

/// `dpu.constant`: a buffer of type `ty`, in DRAM, with bytes that become a resource named after `name`, without a copy.
pub fn constant<'c>(
    bytes: impl Into<Bytes>,
    name: &str,
    ty: Type<'c>,
    location: Location<'c>,
) -> Result<OpBuilder<'c>, Error> {
    let bytes = bytes.into();
    let length = i64::try_from(bytes.len()).map_err(|_| Error::Type(format!("{} bytes", bytes.len())))?;
    let tensor = Type::tensor(&[length], Type::int(location.context(), 8))?;
    let value = Attribute::resource(tensor, name, bytes)?;
    Ok(OpBuilder::new("dpu.constant", location).attribute("value", value).result(ty))
}

/// `dpu.alloc`: a buffer of type `ty`.
pub fn alloc<'c>(ty: Type<'c>, location: Location<'c>) -> OpBuilder<'c> {
    OpBuilder::new("dpu.alloc", location).result(ty)
}
