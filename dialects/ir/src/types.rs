//! Types, and queries on tensors.

use std::fmt;

use melior::ir::r#type::{
    FunctionType, IntegerType, RankedTensorType, ShapedTypeLike, Type as Melior, TypeLike,
};

use crate::{ContextRef, Error, raw};

/// A type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Type<'c>(pub(crate) Melior<'c>);

/// The parts of a tensor type with static shape.
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

    /// The number of elements, or `None` on overflow.
    pub(crate) fn num_elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |n, &dim| n.checked_mul(u64::try_from(dim).ok()?))
    }
}

impl<'c> Type<'c> {
    /// Parses a type. MLIR emits parse errors as diagnostics.
    pub fn parse(context: impl Into<ContextRef<'c>>, text: &str) -> Result<Self, Error> {
        let parsed = context.into().with(|context| Melior::parse(context, text));
        parsed.map(Self).ok_or_else(|| Error::Parse(text.into()))
    }

    /// The signless integer type of the given width in bits.
    pub fn int(context: impl Into<ContextRef<'c>>, width: u32) -> Self {
        Self(context.into().with(|context| IntegerType::new(context, width).into()))
    }

    /// The unsigned integer type of the given width in bits.
    pub(crate) fn unsigned_int(context: impl Into<ContextRef<'c>>, width: u32) -> Self {
        Self(context.into().with(|context| IntegerType::unsigned(context, width).into()))
    }

    /// `tensor<SHAPExELEMENT>`.
    pub fn tensor(shape: &[i64], element: Self) -> Result<Self, Error> {
        if let Some(dim) = shape.iter().find(|&&dim| dim < 0) {
            return Err(Error::Type(format!("a tensor with the dimension {dim}")));
        }
        raw::attribute::tensor_type(shape, element)
            .ok_or_else(|| Error::Type(format!("a tensor of {element}")))
    }

    /// The type of a function.
    pub(crate) fn function(context: impl Into<ContextRef<'c>>, inputs: &[Self], results: &[Self]) -> Self {
        let melior = |types: &[Self]| types.iter().map(|ty| ty.0).collect::<Vec<_>>();
        let (inputs, results) = (melior(inputs), melior(results));
        Self(context.into().with(|context| FunctionType::new(context, &inputs, &results).into()))
    }

    /// The context.
    pub(crate) fn context(self) -> ContextRef<'c> {
        ContextRef(self.0.context())
    }

    pub(crate) fn as_int(self) -> Option<IntegerType<'c>> {
        // Checked first: the error of a failing `try_from` prints the type.
        if self.0.is_integer() { self.0.try_into().ok() } else { None }
    }

    fn as_ranked(self) -> Option<RankedTensorType<'c>> {
        if self.0.is_ranked_tensor() { self.0.try_into().ok() } else { None }
    }

    /// The width in bits of an integer type of any signedness.
    pub fn int_width(self) -> Option<u32> {
        self.as_int().map(|ty| ty.width())
    }

    /// Whether this is the signless integer type of the given width.
    pub fn is_int(self, width: u32) -> bool {
        self.as_int().is_some_and(|ty| ty.width() == width && ty.is_signless())
    }

    /// Whether this is an unsigned integer type (`ui8`), which a signless one is not.
    pub(crate) fn is_unsigned_int(self) -> bool {
        self.as_int().is_some_and(|ty| ty.is_unsigned())
    }

    /// Whether this is `f32`.
    pub fn is_f32(self) -> bool {
        self.0.is_f32()
    }

    /// The width in bits of a float type.
    pub(crate) fn float_width(self) -> Option<u32> {
        self.0.is_float().then(|| self.0.float_width())
    }

    /// Whether this is `index`.
    pub fn is_index(self) -> bool {
        self.0.is_index()
    }

    /// The rank of a ranked tensor type, static or not.
    pub fn rank(self) -> Option<usize> {
        self.as_ranked().map(|tensor| tensor.rank())
    }

    /// Whether this is an unranked tensor type.
    pub fn is_unranked_tensor(self) -> bool {
        self.0.is_unranked_tensor()
    }

    /// The parts of a ranked tensor type with static shape.
    pub fn as_tensor(self) -> Option<TensorType<'c>> {
        let tensor = self.as_ranked().filter(ShapedTypeLike::has_static_shape)?;
        Some(TensorType { shape: raw::attribute::shape(tensor), element: Self(tensor.element()) })
    }

    /// The shape of a static ranked tensor type.
    pub fn shape(self) -> Option<Vec<i64>> {
        self.as_tensor().map(|tensor| tensor.shape)
    }

    /// The extents of a ranked tensor type; those that are dynamic are `None`.
    pub fn extents(self) -> Option<Vec<Option<i64>>> {
        let shape = raw::attribute::shape(self.as_ranked()?);
        Some(shape.into_iter().map(|extent| (extent >= 0).then_some(extent)).collect())
    }

    /// The element type of a ranked tensor type, static or not.
    pub fn element(self) -> Option<Self> {
        self.as_ranked().map(|tensor| Self(tensor.element()))
    }

    /// A static tensor of this type's element type and another shape.
    pub fn with_shape(self, shape: &[i64]) -> Result<Self, Error> {
        let element = self.element().ok_or_else(|| Error::Type(format!("a tensor shaped like {self}")))?;
        Self::tensor(shape, element)
    }

    /// The inputs and results of a function type.
    pub(crate) fn as_function(self) -> Option<(Vec<Self>, Vec<Self>)> {
        if !self.0.is_function() {
            return None;
        }
        let function = FunctionType::try_from(self.0).ok()?;
        let inputs = (0..function.input_count()).map_while(|i| function.input(i).ok().map(Self));
        let results = (0..function.result_count()).map_while(|i| function.result(i).ok().map(Self));
        Some((inputs.collect(), results.collect()))
    }
}

impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&raw::text::of_type(*self))
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Context;

    #[test]
    fn types() {
        let context = Context::new();
        let ty = Type::parse(&context, "tensor<2x3xi16>").unwrap();
        let tensor = ty.as_tensor().unwrap();
        assert_eq!((tensor.rank(), tensor.num_elements(), &tensor.shape[..]), (2, Some(6), &[2, 3][..]));
        assert!(tensor.element.is_int(16) && !tensor.element.is_int(8) && !tensor.element.is_unsigned_int());
        assert_eq!(ty.with_shape(&[]).unwrap().to_string(), "tensor<i16>");
        for text in ["tensor<?xi8>", "tensor<*xi8>", "i8", "index"] {
            assert_eq!(Type::parse(&context, text).unwrap().shape(), None, "{text}");
        }
        let unsigned = Type::unsigned_int(&context, 8);
        assert!(unsigned.is_unsigned_int() && !unsigned.is_int(8) && unsigned.int_width() == Some(8));
        assert!(matches!(Type::tensor(&[-1], unsigned), Err(Error::Type(_))));
        let function = Type::function(&context, &[ty], &[]);
        assert_eq!(function.as_function(), Some((vec![ty], vec![])));
        let none_in_tensors = context.handle().capture(|| Type::tensor(&[1], function)).0;
        assert!(matches!(none_in_tensors, Err(Error::Type(_))));
        let huge = Type::tensor(&[i64::MAX, 3], unsigned).unwrap().as_tensor().unwrap();
        assert_eq!(huge.num_elements(), None);
    }
}
