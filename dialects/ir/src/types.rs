//! Types, and what can be asked of tensors.

use std::{fmt, marker::PhantomData};

use strum_mlir_sys as sys;

use crate::{Context, ContextRef, Error, Location, ffi, location::len};

/// A type.
#[derive(Clone, Copy)]
pub struct Type<'c> {
    raw: sys::MlirType,
    context: PhantomData<&'c Context>,
}

/// A tensor type with static shape, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorType<'c> {
    /// The dimensions, outermost first; none is negative.
    pub shape: Vec<i64>,
    /// The type of the elements.
    pub element: Type<'c>,
}

impl TensorType<'_> {
    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements, or `None` if it does not fit.
    pub fn num_elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |n, &dim| n.checked_mul(u64::try_from(dim).ok()?))
    }
}

impl<'c> Type<'c> {
    /// # Safety
    /// The type must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirType) -> Self {
        Self { raw, context: PhantomData }
    }

    /// As [`Type::from_raw`], but null is `None`.
    ///
    /// # Safety
    /// The type must be null, or valid for `'c`.
    pub(crate) unsafe fn from_raw_option(raw: sys::MlirType) -> Option<Self> {
        // SAFETY: not null, so valid by this function's contract.
        (!raw.ptr.is_null()).then(|| unsafe { Self::from_raw(raw) })
    }

    pub(crate) fn raw(self) -> sys::MlirType {
        self.raw
    }

    /// Parses a type. MLIR emits what is wrong with it.
    pub fn parse(context: impl Into<ContextRef<'c>>, text: &str) -> Result<Self, Error> {
        // SAFETY: the context is valid for `'c`.
        unsafe { Self::from_raw_option(sys::mlirTypeParseGet(context.into().raw(), ffi::string_ref(text))) }
            .ok_or_else(|| Error::Parse(text.into()))
    }

    /// The signless integer type of the given width in bits.
    pub fn int(context: impl Into<ContextRef<'c>>, width: u32) -> Self {
        // SAFETY: the context is valid for `'c`.
        unsafe { Self::from_raw(sys::mlirIntegerTypeGet(context.into().raw(), width)) }
    }

    /// The unsigned integer type of the given width in bits.
    pub fn unsigned_int(context: impl Into<ContextRef<'c>>, width: u32) -> Self {
        // SAFETY: the context is valid for `'c`.
        unsafe { Self::from_raw(sys::mlirIntegerTypeUnsignedGet(context.into().raw(), width)) }
    }

    /// `tensor<SHAPExELEMENT>`.
    pub fn tensor(shape: &[i64], element: Self) -> Result<Self, Error> {
        if let Some(dim) = shape.iter().find(|&&dim| dim < 0) {
            return Err(Error::Type(format!("a tensor with the dimension {dim}")));
        }
        let location = Location::unknown(element.context());
        let no_encoding = sys::MlirAttribute { ptr: std::ptr::null() };
        // SAFETY: everything is valid for `'c`, and the shape has the given length.
        unsafe {
            Self::from_raw_option(sys::mlirRankedTensorTypeGetChecked(
                location.raw(),
                len(shape),
                shape.as_ptr(),
                element.raw,
                no_encoding,
            ))
        }
        .ok_or_else(|| Error::Type(format!("a tensor of {element}")))
    }

    /// The type of a function.
    pub fn function(context: impl Into<ContextRef<'c>>, inputs: &[Self], results: &[Self]) -> Self {
        let raw = |types: &[Self]| types.iter().map(|t| t.raw).collect::<Vec<_>>();
        let (inputs, results) = (raw(inputs), raw(results));
        // SAFETY: everything is valid for `'c`, and the lists have the given lengths.
        unsafe {
            Self::from_raw(sys::mlirFunctionTypeGet(
                context.into().raw(),
                len(&inputs),
                inputs.as_ptr(),
                len(&results),
                results.as_ptr(),
            ))
        }
    }

    /// The context.
    pub fn context(self) -> ContextRef<'c> {
        // SAFETY: a type's context is valid for `'c`.
        unsafe { ContextRef::from_raw(sys::mlirTypeGetContext(self.raw)) }
    }

    /// The width in bits of an integer type, of whatever signedness.
    pub fn int_width(self) -> Option<u32> {
        // SAFETY: the width is asked of integers only.
        unsafe { sys::mlirTypeIsAInteger(self.raw).then(|| sys::mlirIntegerTypeGetWidth(self.raw)) }
    }

    /// Whether this is the signless integer type of the given width.
    pub fn is_int(self, width: u32) -> bool {
        // SAFETY: the signedness is asked of integers only.
        self.int_width() == Some(width) && unsafe { sys::mlirIntegerTypeIsSignless(self.raw) }
    }

    /// Whether this is an unsigned integer type (`ui8`), which a signless one is not.
    pub fn is_unsigned_int(self) -> bool {
        // SAFETY: the signedness is asked of integers only.
        self.int_width().is_some() && unsafe { sys::mlirIntegerTypeIsUnsigned(self.raw) }
    }

    /// Whether this is `f32`.
    pub fn is_f32(self) -> bool {
        // SAFETY: the type is valid.
        unsafe { sys::mlirTypeIsAF32(self.raw) }
    }

    /// Whether this is `index`.
    pub fn is_index(self) -> bool {
        // SAFETY: the type is valid.
        unsafe { sys::mlirTypeIsAIndex(self.raw) }
    }

    /// The rank of a ranked tensor type, with static shape or not.
    pub fn rank(self) -> Option<usize> {
        // SAFETY: the rank is asked of ranked tensors only.
        unsafe {
            sys::mlirTypeIsARankedTensor(self.raw)
                .then(|| usize::try_from(sys::mlirShapedTypeGetRank(self.raw)).ok())
                .flatten()
        }
    }

    /// Whether this is a tensor type without rank.
    pub fn is_unranked_tensor(self) -> bool {
        // SAFETY: the type is valid.
        unsafe { sys::mlirTypeIsAUnrankedTensor(self.raw) }
    }

    /// The parts of a ranked tensor type whose dimensions are all known.
    pub fn as_tensor(self) -> Option<TensorType<'c>> {
        // SAFETY: the rank and dimensions are asked of ranked tensors only, within the rank.
        unsafe {
            if !sys::mlirTypeIsARankedTensor(self.raw) || !sys::mlirShapedTypeHasStaticShape(self.raw) {
                return None;
            }
            let rank = sys::mlirShapedTypeGetRank(self.raw) as isize;
            let shape = (0..rank).map(|i| sys::mlirShapedTypeGetDimSize(self.raw, i)).collect();
            Some(TensorType { shape, element: Self::from_raw(sys::mlirShapedTypeGetElementType(self.raw)) })
        }
    }

    /// The shape of a static ranked tensor type.
    pub fn shape(self) -> Option<Vec<i64>> {
        self.as_tensor().map(|tensor| tensor.shape)
    }

    /// The element type of a ranked tensor type, with static shape or not.
    pub fn element(self) -> Option<Self> {
        // SAFETY: the element type is asked of ranked tensors only.
        unsafe {
            sys::mlirTypeIsARankedTensor(self.raw)
                .then(|| Self::from_raw(sys::mlirShapedTypeGetElementType(self.raw)))
        }
    }

    /// A static tensor of this type's element type and another shape.
    pub fn with_shape(self, shape: &[i64]) -> Result<Self, Error> {
        let element = self.element().ok_or_else(|| Error::Type(format!("a tensor shaped like {self}")))?;
        Self::tensor(shape, element)
    }

    /// The inputs and results of a function type.
    pub fn as_function(self) -> Option<(Vec<Self>, Vec<Self>)> {
        // SAFETY: inputs and results are asked of function types only, within their numbers.
        unsafe {
            if !sys::mlirTypeIsAFunction(self.raw) {
                return None;
            }
            let inputs = sys::mlirFunctionTypeGetNumInputs(self.raw);
            let results = sys::mlirFunctionTypeGetNumResults(self.raw);
            Some((
                (0..inputs).map(|i| Self::from_raw(sys::mlirFunctionTypeGetInput(self.raw, i))).collect(),
                (0..results).map(|i| Self::from_raw(sys::mlirFunctionTypeGetResult(self.raw, i))).collect(),
            ))
        }
    }
}

impl PartialEq for Type<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw.ptr == other.raw.ptr // types are unique in their context
    }
}

impl Eq for Type<'_> {}

impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the type is valid, and `append` gets the buffer it wants.
        f.write_str(&ffi::collect(|user| unsafe { sys::mlirTypePrint(self.raw, Some(ffi::append), user) }))
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
