//! The low maps, one file each. A method defines what a low code means; selection, packing and checking do not depend on
//! it.
//!
//! To add a method: a file with a struct that implements `QuantMethod` (and `Parameters`, if it has any), and one entry in
//! `methods!`.

mod dense;
mod dliq;
mod mip2q;
mod sparse;

use crate::error::FormatError;
use crate::fields::Field;
use crate::parameter::{Domain, Parameter, or};
use crate::spec::Spec;
use std::fmt;

/// Where the shift of a `dliq` layer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DliqShift {
    /// One shift for the whole layer, part of the type.
    Layer(u8),
    /// A separate shift per output channel, in the header of the packed bytes.
    PerChannel,
}

/// How a weight format encodes its low members.
pub(crate) trait QuantMethod {
    /// Whether the parameters are legal.
    fn validate(&self) -> Result<(), FormatError> {
        Ok(())
    }

    /// Bits of one low code, 0..=8.
    fn code_bits(&self) -> u32;

    /// Where the shift comes from; `Layer(0)` for methods without one.
    fn shift(&self) -> DliqShift {
        DliqShift::Layer(0)
    }

    /// Greatest legal shift.
    fn max_shift(&self) -> u8 {
        0
    }

    /// The code of the representable value nearest to `c`; ties go to the smaller magnitude.
    fn encode(&self, c: i8, shift: u8) -> u8;

    /// The value of a low code; `None` if the code is reserved. A `code` of more than `code_bits` is reserved.
    fn decode(&self, code: u8, shift: u8) -> Option<i8>;

    /// The values of the method's own fields, those of the block excluded.
    fn values(&self) -> Vec<i64> {
        Vec::new()
    }

    /// The number and the flag that an instruction encodes.
    fn instr_fields(&self) -> (u8, bool) {
        (0, false)
    }

    /// The same method with another shift, if it has one.
    fn with_shift(&self, _shift: DliqShift) -> Option<Method> {
        None
    }
}

/// A method with parameters, and how it is constructed.
pub(crate) trait Parameters: QuantMethod + Sized {
    /// The method's own fields, those of the block excluded.
    const FIELDS: &'static [Field];

    /// The method as a specification describes it, with the shift already chosen.
    fn from_spec(spec: &Spec, shift: DliqShift) -> Self;

    /// The method with these values of its fields.
    fn from_values(values: &[i64]) -> Result<Self, FormatError>;

    /// The method that an instruction encodes.
    fn from_instr_fields(param: u8, zero: bool, shift: u8) -> Self;
}

/// A method whose parameters, if it has any, come from `$from`.
macro_rules! construct {
    ($module:ident $variant:ident, $from:expr) => {
        Method::$variant
    };
    ($module:ident $variant:ident { $($field:ident),* }, $from:expr) => {{
        let $module::$variant { $($field),* } = $from;
        Method::$variant { $($field),* }
    }};
}

/// The fields of a method with parameters; none for other methods.
macro_rules! own_fields {
    ($module:ident $variant:ident) => {
        &[]
    };
    ($module:ident $variant:ident { $($field:ident),* }) => {
        <$module::$variant as Parameters>::FIELDS
    };
}

macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $variant:ident = $module:ident, $help:literal $({ $($(#[doc = $field_doc:literal])+ $field:ident: $ty:ty),* })?,)+) => {
        /// A method with its parameters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[doc = $doc])+ $variant $({ $($(#[doc = $field_doc])+ $field: $ty),* })?,)+
        }

        /// The name of a method, without its parameters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[doc = $doc])+ $variant,)+ }

        impl Kind {
            /// Every method, indexed by its code in the instruction set.
            pub const ALL: &[Kind] = &[$(Kind::$variant),+];

            /// The name as users write it.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => stringify!($module),)+ }
            }

            /// One line: the meaning of a low member.
            pub const fn help(self) -> &'static str {
                match self { $(Kind::$variant => $help,)+ }
            }

            /// The method's own fields, those of the block excluded.
            pub(crate) const fn own_fields(self) -> &'static [Field] {
                match self { $(Kind::$variant => own_fields!($module $variant $({ $($field),* })?),)+ }
            }

            /// The method of this kind with these values of its own fields.
            pub(crate) fn with_values(self, values: &[i64]) -> Result<Method, FormatError> {
                Ok(match self {
                    $(Kind::$variant => {
                        construct!($module $variant $({ $($field),* })?, Parameters::from_values(values)?)
                    })+
                })
            }

            /// The method of this kind that an instruction encodes.
            pub(crate) fn with_instr_fields(self, param: u8, zero: bool, shift: u8) -> Method {
                match self {
                    $(Kind::$variant => {
                        construct!(
                            $module $variant $({ $($field),* })?,
                            Parameters::from_instr_fields(param, zero, shift)
                        )
                    })+
                }
            }

            /// The method of this kind that a specification describes, with the shift already chosen.
            pub(crate) fn method(self, spec: &Spec, shift: DliqShift) -> Method {
                match self {
                    $(Kind::$variant => {
                        construct!($module $variant $({ $($field),* })?, Parameters::from_spec(spec, shift))
                    })+
                }
            }
        }

        impl Method {
            /// The method without its parameters.
            pub const fn kind(&self) -> Kind {
                match self { $(Method::$variant { .. } => Kind::$variant,)+ }
            }

            /// Runs `f` on the implementation. Only a validated method may encode or decode.
            pub(crate) fn with<R>(&self, f: impl FnOnce(&dyn QuantMethod) -> R) -> R {
                match *self { $(Method::$variant $({ $($field),* })? => f(&$module::$variant $({ $($field),* })?),)+ }
            }
        }
    };
}

methods! {
    /// Plain INT8, no low members.
    Dense = dense, "plain INT8, lossless",
    /// A low member is 0 and takes no bits.
    Sparse = sparse, "low members are zero",
    /// A low member is a `q`-bit integer, shifted left.
    Dliq = dliq, "low members are shifted q-bit integers" {
        /// Bits of a low code, 1..=8.
        q: u8,
        /// The shift, 0..=8-q.
        shift: DliqShift
    },
    /// A low member is a signed power of two.
    Mip2q = mip2q, "low members are signed powers of two" {
        /// Largest exponent, 0..=7.
        l: u8,
        /// Whether the greatest exponent code, with a plus sign, means 0.
        zero: bool
    },
}

impl Method {
    /// Where the shift of low codes is kept; `Layer(0)` for methods without one.
    pub fn shift(&self) -> DliqShift {
        self.with(|m| m.shift())
    }

    /// Greatest legal shift of low codes; 0 for methods without one.
    pub fn max_shift(&self) -> u8 {
        self.with(|m| m.max_shift())
    }

    /// The same method with another shift, if it has one.
    #[must_use]
    pub fn with_shift(self, shift: DliqShift) -> Self {
        self.with(|m| m.with_shift(shift)).unwrap_or(self)
    }
}

impl Kind {
    /// Its code in the instruction set: the index in [`Kind::ALL`].
    #[must_use]
    pub const fn code(self) -> usize {
        self as usize
    }

    /// Whether weights are in blocks with masks, that is, any method but plain INT8.
    #[must_use]
    pub const fn is_packed(self) -> bool {
        !matches!(self, Kind::Dense)
    }

    /// The method with this name.
    ///
    /// # Errors
    /// When the name is unknown.
    pub fn from_name(name: &str) -> Result<Kind, FormatError> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let all = Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
            FormatError::UnknownMethod { got: name.into(), expected: or(all) }
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Refuses a value that is not in the domain of its parameter.
fn in_range(parameter: &'static Parameter, got: u8) -> Result<(), FormatError> {
    match parameter.domain {
        Domain::Range(min, max) => in_bounds(parameter.name, got, min, max),
        Domain::Share | Domain::OneOf(_) | Domain::Flag | Domain::Words(_) | Domain::WordsOr(..) => Ok(()),
    }
}

/// Refuses a parameter outside `min..=max`.
fn in_bounds(name: &'static str, got: u8, min: u8, max: u8) -> Result<(), FormatError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(FormatError::Parameter { name, min, max, got }) }
}

/// A low map as tables over all 256 weight codes, for one shift.
pub struct LowMap {
    /// Low code of each weight code, indexed by its bits.
    pub code: [u8; 256],
    /// Squared error of storing each weight code low.
    pub error: [u16; 256],
}

impl LowMap {
    /// The map of a validated method with a legal shift.
    pub fn new(method: &Method, shift: u8) -> Self {
        method.with(|m| {
            let mut map = Self { code: [0; 256], error: [0; 256] };
            for c in i8::MIN..=i8::MAX {
                let code = m.encode(c, shift);
                // The method's own code is never reserved (a property test holds that).
                let value = m.decode(code, shift).unwrap_or_default();
                let error = i32::from(c) - i32::from(value);
                map.code[usize::from(c.cast_unsigned())] = code;
                map.error[usize::from(c.cast_unsigned())] = u16::try_from(error * error).unwrap_or(u16::MAX);
            }
            map
        })
    }
}

/// The values of all low codes, for one shift; `None` where reserved.
pub fn decode_table(method: &Method, shift: u8) -> [Option<i8>; 256] {
    method
        .with(|m| std::array::from_fn(|code| u8::try_from(code).ok().and_then(|code| m.decode(code, shift))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every legal packed method, with every legal shift.
    fn all() -> Vec<(Method, u8)> {
        let mut all = Vec::new();
        for &kind in Kind::ALL.iter().filter(|kind| kind.is_packed()) {
            let mut values = vec![Vec::new()];
            for _ in kind.own_fields() {
                // Outside every domain, and the value of a word.
                let longer = |v: &Vec<i64>| (-1..=9).map(|x| [&v[..], &[x]].concat()).collect::<Vec<_>>();
                values = values.iter().flat_map(longer).collect();
            }
            let methods = values.iter().filter_map(|values| kind.with_values(values).ok());
            let legal = methods.filter(|m| m.with(|m| m.validate()).is_ok()).collect::<Vec<_>>();
            assert!(!legal.is_empty(), "{kind} has no legal parameters");
            for method in legal {
                match method.shift() {
                    DliqShift::Layer(shift) => all.push((method, shift)),
                    DliqShift::PerChannel => all.extend((0..=method.max_shift()).map(|s| (method, s))),
                }
            }
        }
        all
    }

    #[test]
    fn encode_is_the_nearest_and_ties_go_to_the_smaller_magnitude() {
        for (method, shift) in all() {
            method.with(|m| {
                m.validate().unwrap();
                let values: Vec<_> =
                    (0..=255).filter_map(|code| m.decode(code, shift)).map(i32::from).collect();
                for c in i8::MIN..=i8::MAX {
                    let got = i32::from(m.decode(m.encode(c, shift), shift).unwrap());
                    // Where 0 is not representable, it has two nearest neighbours of equal magnitude: the positive
                    // one is used.
                    let best = values
                        .iter()
                        .copied()
                        .min_by_key(|v| ((v - i32::from(c)).abs(), v.abs(), (c == 0 && *v < 0), *v))
                        .unwrap();
                    assert_eq!(got, best, "{method:?} shift {shift} code {c}");
                }
            });
        }
    }

    #[test]
    fn codes_are_unique_and_within_their_width() {
        for (method, shift) in all() {
            method.with(|m| {
                let legal: Vec<_> = (0..=255u8).filter(|&code| m.decode(code, shift).is_some()).collect();
                assert!(legal.iter().all(|&code| u32::from(code) < 1 << m.code_bits()), "{method:?}");
                for code in legal {
                    let value = m.decode(code, shift).unwrap();
                    assert_eq!(m.encode(value, shift), code, "{method:?} shift {shift} value {value}");
                }
            });
        }
    }

    #[test]
    fn code_widths() {
        let bits = |method: Method| method.with(|m| m.code_bits());
        assert_eq!(bits(Method::Sparse), 0);
        assert_eq!(bits(Method::Dliq { q: 4, shift: DliqShift::PerChannel }), 4);
        let mip2q: Vec<_> = (0..=7).map(|l| bits(Method::Mip2q { l, zero: false })).collect();
        assert_eq!(mip2q, [1, 2, 3, 3, 4, 4, 4, 4]);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let error = |method: Method| method.with(|m| m.validate()).unwrap_err().to_string();
        assert_eq!(error(Method::Dliq { q: 0, shift: DliqShift::PerChannel }), "q must be in 1..=8, got 0");
        assert_eq!(error(Method::Dliq { q: 9, shift: DliqShift::PerChannel }), "q must be in 1..=8, got 9");
        assert_eq!(error(Method::Dliq { q: 4, shift: DliqShift::Layer(5) }), "shift must be in 0..=4, got 5");
        assert_eq!(error(Method::Mip2q { l: 8, zero: false }), "L must be in 0..=7, got 8");
        for l in [0, 1, 3, 7] {
            assert_eq!(
                Method::Mip2q { l, zero: true }.with(|m| m.validate()),
                Err(FormatError::NoSpareCode(l))
            );
        }
    }

    #[test]
    fn names_go_both_ways() {
        for &kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Ok(kind));
        }
        let error = Kind::from_name("int4").unwrap_err().to_string();
        assert!(error.starts_with("method 'int4' is not known, expected dense, sparse, dliq"), "{error}");
    }
}
