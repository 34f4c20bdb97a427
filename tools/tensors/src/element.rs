//! Element types in files, and their values. Invariant: a value is never rounded to an integer, nor truncated.

use dpu_isa::{Dtype, IoDesc};
use npyz::DType;

/// The kind of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int { signed: bool, bytes: usize },
    Float { bytes: usize },
}

/// The type of the elements of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    kind: Kind,
    big_endian: bool,
}

/// The accepted types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    /// Integers and booleans.
    Integers,
    /// Floating point numbers as well.
    Numbers,
}

impl Accept {
    /// What is accepted for an input: real numbers if it is known what its codes mean.
    pub(crate) fn by(desc: &IoDesc) -> Accept {
        if desc.meaning.codes.is_some() { Accept::Numbers } else { Accept::Integers }
    }
}

impl Element {
    /// The element type of a header.
    ///
    /// # Errors
    /// When it is not an accepted type.
    pub(crate) fn of(dtype: &DType, accept: Accept) -> Result<Element, String> {
        let text = match dtype {
            DType::Plain(plain) => plain.to_string(),
            _ => dtype.descr(),
        };
        let int = |signed, bytes| Some(Kind::Int { signed, bytes });
        let kind = match (text.get(1..).unwrap_or_default(), accept) {
            ("b1", _) => Some(Kind::Bool),
            ("i1", _) => int(true, 1),
            ("i2", _) => int(true, 2),
            ("i4", _) => int(true, 4),
            ("i8", _) => int(true, 8),
            ("u1", _) => int(false, 1),
            ("u2", _) => int(false, 2),
            ("u4", _) => int(false, 4),
            ("u8", _) => int(false, 8),
            ("f4", Accept::Numbers) => Some(Kind::Float { bytes: 4 }),
            ("f8", Accept::Numbers) => Some(Kind::Float { bytes: 8 }),
            _ => None,
        };
        let expected = match accept {
            Accept::Integers => "integers",
            Accept::Numbers => "f4, f8 or integers",
        };
        let kind = kind.ok_or_else(|| format!("elements of type '{text}', expected {expected}"))?;
        Ok(Element { kind, big_endian: text.starts_with('>') })
    }

    /// The file type of a tensor's element type.
    fn kind_of(dtype: Dtype) -> Kind {
        let signed = matches!(dtype, Dtype::I8 | Dtype::I16 | Dtype::I32);
        Kind::Int { signed, bytes: usize::try_from(dtype.bytes()).unwrap_or(1) }
    }

    /// Its numpy name.
    pub(crate) fn name(self) -> String {
        self.kind.name()
    }

    /// Bytes of an element, 1 to 8.
    pub(crate) fn bytes(self) -> usize {
        match self.kind {
            Kind::Bool => 1,
            Kind::Int { bytes, .. } | Kind::Float { bytes } => bytes,
        }
    }

    /// Whether it is not a floating point type.
    pub(crate) fn is_integer(self) -> bool {
        !matches!(self.kind, Kind::Float { .. })
    }

    /// Whether it is an unsigned byte.
    pub(crate) fn is_byte(self) -> bool {
        self.kind == Kind::Int { signed: false, bytes: 1 }
    }

    /// Whether elements have the same representation as in the tensor.
    pub(crate) fn is_plain(self, desc: &IoDesc) -> bool {
        let same = self.kind == Element::kind_of(desc.dtype) && (self.bytes() == 1 || !self.big_endian);
        same && !desc.meaning.boolean
    }

    /// The value of an element of an input: the same type, booleans (for these, integers that are 0 or 1), or a wide integer whose value fits; unsigned bytes where the
    /// host's codes are such; a real number as its code.
    ///
    /// # Errors
    /// When it is of another type, or does not fit.
    pub(crate) fn convert(self, element: &[u8], desc: &IoDesc) -> Result<i32, String> {
        let dtype = desc.dtype;
        match (self.kind, desc.meaning.codes) {
            (Kind::Float { bytes }, Some(codes)) => {
                let value = match bytes {
                    4 => f64::from(self.float(element)),
                    _ => f64::from_bits(self.bits(element)),
                };
                let code = (!value.is_nan()).then(|| codes.code(value, dtype));
                return code.ok_or_else(|| "an element is not a number".to_owned());
            }
            (Kind::Int { signed: false, bytes: 1 }, _) if desc.meaning.unsigned => {
                return Ok(i32::from(element.first().copied().unwrap_or_default()) - 128);
            }
            _ => {}
        }
        let wanted = Element::kind_of(dtype);
        if desc.meaning.boolean {
            let value = self.integer(element);
            let bit = i32::try_from(value).ok().filter(|&bit| desc.contains(bit));
            return bit.ok_or_else(|| format!("expected bool, got {} with the value {value}", self.name()));
        }
        let wide = matches!(self.kind, Kind::Int { bytes: 8, .. } | Kind::Int { signed: false, bytes: 4 });
        if self.kind != wanted && self.kind != Kind::Bool && !wide {
            return Err(format!("expected {}, got {}", wanted.name(), self.name()));
        }
        let value = self.integer(element);
        i32::try_from(value).ok().filter(|&v| dtype.contains(v)).ok_or_else(|| {
            let (want, got) = (wanted.name(), self.name());
            format!("expected {want}, got {got} with the value {value}, which does not fit")
        })
    }

    /// Whether single precision holds the element exactly, which is asked of integers: a code or label must not change.
    #[allow(clippy::cast_possible_truncation, reason = "compared with what it came from")]
    pub(crate) fn is_exact(self, element: &[u8]) -> bool {
        !self.is_integer() || f64::from(self.float(element)) as i128 == self.integer(element)
    }

    /// The nearest single-precision number.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "single precision is asked for"
    )]
    pub(crate) fn float(self, element: &[u8]) -> f32 {
        let bits = self.bits(element);
        match self.kind {
            Kind::Float { bytes: 4 } => f32::from_bits(bits as u32),
            Kind::Float { .. } => f64::from_bits(bits) as f32,
            Kind::Bool | Kind::Int { .. } => self.integer(element) as f32,
        }
    }

    /// The value of an element that is not floating point.
    fn integer(self, element: &[u8]) -> i128 {
        let raw = self.bits(element);
        match self.kind {
            Kind::Bool => i128::from(raw != 0),
            Kind::Int { signed: true, bytes } => {
                let unused = 64 - 8 * bytes.clamp(1, 8);
                i128::from((raw << unused).cast_signed() >> unused)
            }
            Kind::Int { signed: false, .. } | Kind::Float { .. } => i128::from(raw),
        }
    }

    /// The bytes of an element as one number.
    fn bits(self, element: &[u8]) -> u64 {
        let push = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        if self.big_endian { element.iter().fold(0, push) } else { element.iter().rev().fold(0, push) }
    }
}

impl Kind {
    fn name(self) -> String {
        match self {
            Kind::Bool => "bool".to_owned(),
            Kind::Int { signed, bytes } => format!("{}int{}", if signed { "" } else { "u" }, 8 * bytes),
            Kind::Float { bytes } => format!("float{}", 8 * bytes),
        }
    }
}

/// The numpy type string of a tensor's elements.
pub(crate) fn descr(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::I8 => "|i1",
        Dtype::U8 => "|u1",
        Dtype::I16 => "<i2",
        Dtype::U16 => "<u2",
        Dtype::I32 => "<i4",
    }
}

/// Row-major values of a column-major array.
pub(crate) fn row_major<T: Copy + Default>(values: &[T], shape: &[u64]) -> Vec<T> {
    // The number of values matches the shape, so that each extent fits.
    let shape: Vec<usize> =
        shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
    let mut strides = vec![0; shape.len()];
    let mut step = 1usize;
    for (stride, &extent) in strides.iter_mut().zip(&shape) {
        *stride = step;
        step = step.saturating_mul(extent);
    }
    let mut out = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..values.len() {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        out.push(values.get(at).copied().unwrap_or_default());
        for (i, &extent) in index.iter_mut().zip(&shape).rev() {
            *i += 1;
            if *i < extent {
                break;
            }
            *i = 0;
        }
    }
    out
}
