//! The numbers in which outputs are written. Invariant: a form is chosen before anything is computed, or refused.

use std::borrow::Cow;

use dpu_isa::{Codes, IoDesc};
use strum_files::FileError;

use crate::element::descr;
use crate::npy;
use crate::tensor::Tensor;

/// The numbers that the host asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// The codes, unsigned where the host's are.
    #[default]
    Codes,
    /// The real numbers that the codes stand for.
    Real,
}

impl Numbers {
    /// Checks that an output has these numbers.
    ///
    /// # Errors
    /// Real numbers of codes whose meaning is unknown.
    pub fn check(self, desc: &IoDesc) -> Result<(), FileError> {
        Form::of(desc, self).map(drop)
    }

    /// The type of an output's elements.
    #[must_use]
    pub fn type_name(self, desc: &IoDesc) -> &'static str {
        match Form::of(desc, self).unwrap_or(Form::Codes) {
            Form::Codes => desc.dtype.name(),
            Form::Unsigned => "u8",
            Form::Boolean => "bool",
            Form::Real(_) => "f32",
        }
    }

    /// The elements of an output as text, at most `most`.
    #[must_use]
    pub fn texts(self, desc: &IoDesc, tensor: &Tensor, most: usize) -> Vec<String> {
        let values = tensor.values().into_iter().take(most);
        match Form::of(desc, self).unwrap_or(Form::Codes) {
            Form::Codes | Form::Boolean => values.map(|code| code.to_string()).collect(),
            Form::Unsigned => values.map(|code| (code + 128).to_string()).collect(),
            Form::Real(codes) => values.map(|code| format!("{}", codes.value(code) as f32)).collect(),
        }
    }
}

/// A tensor of real numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Reals {
    /// Extents, outermost first.
    pub shape: Vec<u64>,
    /// Elements, row-major.
    pub values: Vec<f32>,
}

/// How the elements of an output are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Codes,
    /// As bytes 128 above the codes.
    Unsigned,
    /// As booleans.
    Boolean,
    /// As what they stand for, in single precision.
    Real(Codes),
}

impl Form {
    /// The form of an output.
    ///
    /// # Errors
    /// Real numbers of codes whose meaning is unknown.
    pub(crate) fn of(desc: &IoDesc, numbers: Numbers) -> Result<Form, FileError> {
        match (numbers, desc.meaning.codes) {
            (Numbers::Codes, _) if desc.meaning.unsigned => Ok(Form::Unsigned),
            (Numbers::Codes, _) if desc.meaning.boolean => Ok(Form::Boolean),
            (Numbers::Codes, _) => Ok(Form::Codes),
            (Numbers::Real, Some(codes)) => Ok(Form::Real(codes)),
            (Numbers::Real, None) => Err(FileError::Usage(format!(
                "--real: the network does not say what the codes of output '{}' mean",
                desc.name
            ))),
        }
    }

    /// The type string of the elements.
    pub(crate) fn descr(self, desc: &IoDesc) -> &'static str {
        match self {
            Form::Codes => descr(desc.dtype),
            Form::Unsigned => "|u1",
            Form::Boolean => "|b1",
            Form::Real(_) => "<f4",
        }
    }

    /// A tensor in this form.
    pub(crate) fn encode(self, tensor: &Tensor) -> Encoded<'_> {
        let (descr, data) = match self {
            Form::Codes => (descr(tensor.dtype), Cow::Borrowed(&tensor.data[..])),
            Form::Boolean => ("|b1", Cow::Borrowed(&tensor.data[..])),
            Form::Unsigned => ("|u1", tensor.data.iter().map(|byte| byte ^ 0x80).collect()),
            Form::Real(codes) => {
                #[allow(clippy::cast_possible_truncation, reason = "single precision is what is written")]
                let bytes = |code: i32| (codes.value(code) as f32).to_le_bytes();
                ("<f4", tensor.values().into_iter().flat_map(bytes).collect())
            }
        };
        Encoded { descr, shape: &tensor.shape, data }
    }
}

/// An array as it is written.
pub(crate) struct Encoded<'t> {
    descr: &'static str,
    shape: &'t [u64],
    /// The elements.
    pub(crate) data: Cow<'t, [u8]>,
}

impl Encoded<'_> {
    /// The file's header.
    pub(crate) fn header(&self) -> Vec<u8> {
        npy::header(self.descr, self.shape)
    }
}

impl Reals {
    /// The array as it is written.
    pub(crate) fn encode(&self) -> Encoded<'_> {
        let data = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Encoded { descr: "<f4", shape: &self.shape, data }
    }
}

#[cfg(test)]
mod tests {
    use dpu_isa::{Dtype, Meaning, State};
    use strum_files::write;

    use super::*;
    use crate::testing::{desc, file};
    use crate::{Inputs, OutputPlan, SampleOutputs, read_floats, read_inputs};

    fn meant(meaning: Meaning) -> IoDesc {
        IoDesc { meaning, ..desc("x", Dtype::I8, &[1, 3]) }
    }

    fn coded() -> IoDesc {
        meant(Meaning { codes: Some(Codes { scale: 0.5, zero_point: -3 }), ..Meaning::default() })
    }

    #[test]
    fn real_numbers_become_codes_and_codes_real_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let arg = [path.to_str().unwrap().to_owned()];
        let one = [coded()];
        let floats = |list: &[f32]| list.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        write(&path, &file("<f4", "False", "(1, 3)", &floats(&[0.0, 0.74, 1e9]))).unwrap();
        assert_eq!(read_inputs(&one, &arg).unwrap()[0].values(), [-3, -2, 127]);
        let doubles: Vec<u8> = [-0.25f64, 1.0, -1e300].iter().flat_map(|x| x.to_le_bytes()).collect();
        write(&path, &file("<f8", "True", "(1, 3)", &doubles)).unwrap();
        let tensors = read_inputs(&one, &arg).unwrap();
        assert_eq!(tensors[0].values(), [-4, -1, -128]);
        // Codes are codes.
        write(&path, &file("|i1", "False", "(1, 3)", &[1, 2, 255])).unwrap();
        assert_eq!(read_inputs(&one, &arg).unwrap()[0].values(), [1, 2, -1]);
        write(&path, &file("<f4", "False", "(1, 3)", &floats(&[0.0, f32::NAN, 1.0]))).unwrap();
        assert!(read_inputs(&one, &arg).unwrap_err().to_string().ends_with("an element is not a number"));
        write(&path, &file("<f4", "False", "(2, 3)", &floats(&[0.0, 0.5, 1.0, -1.0, 2.0, 3.0]))).unwrap();
        let mut samples = Inputs::open(&one, &arg).unwrap().batch().unwrap();
        assert_eq!(samples.read(1).unwrap()[0].values(), [-5, 1, 3]);
        let path = folder.path().join("y.npy").to_str().unwrap().to_owned();
        OutputPlan::resolve(&one, std::slice::from_ref(&path), Numbers::Real)
            .unwrap()
            .write(&tensors)
            .unwrap();
        assert_eq!(read_floats(&path).unwrap().values, [-0.5, 1.0, -62.5]);
        let mut outputs = SampleOutputs::create(&one, std::slice::from_ref(&path), Numbers::Real, 2).unwrap();
        outputs.put(&tensors).unwrap();
        outputs.put(&tensors).unwrap();
        outputs.commit().unwrap();
        let both = read_floats(&path).unwrap();
        assert_eq!((&both.shape[..], both.values[4]), (&[2, 3][..], 1.0));
        let reals = Reals { shape: vec![3], values: vec![0.25, -1.0, 7.0] };
        OutputPlan::resolve(&one, std::slice::from_ref(&path), Numbers::Codes)
            .unwrap()
            .write_reals(&[reals])
            .unwrap();
        assert_eq!(read_floats(&path).unwrap().values, [0.25, -1.0, 7.0]);
    }

    #[test]
    fn real_numbers_need_codes_with_a_meaning() {
        let unknown = [desc("x", Dtype::I8, &[1, 3])];
        let refused = OutputPlan::resolve(&unknown, &["y.npy".to_owned()], Numbers::Real).unwrap_err();
        let expected = "--real: the network does not say what the codes of output 'x' mean";
        assert_eq!(refused.to_string(), expected);
        let refused = SampleOutputs::create(&unknown, &["y.npy".to_owned()], Numbers::Real, 2);
        assert_eq!(refused.err().unwrap().to_string(), expected);
    }

    #[test]
    fn unsigned_bytes_are_128_above_the_codes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let arg = [path.to_str().unwrap().to_owned()];
        let one = [meant(Meaning { unsigned: true, ..Meaning::default() })];
        write(&path, &file("|u1", "False", "(1, 3)", &[0, 128, 255])).unwrap();
        let tensors = read_inputs(&one, &arg).unwrap();
        assert_eq!(tensors[0].values(), [-128, 0, 127]);
        OutputPlan::resolve(&one, &arg, Numbers::Codes).unwrap().write(&tensors).unwrap();
        assert!(std::fs::read(&path).unwrap().ends_with(&[0, 128, 255]));
        assert_eq!(read_inputs(&one, &arg).unwrap(), tensors);
    }

    #[test]
    fn booleans_are_0_or_1_whatever_their_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let arg = [path.to_str().unwrap().to_owned()];
        let one = [meant(Meaning { boolean: true, ..Meaning::default() })];
        for kind in ["|b1", "|i1", "|u1"] {
            write(&path, &file(kind, "False", "(1, 3)", &[0, 1, 1])).unwrap();
            assert_eq!(read_inputs(&one, &arg).unwrap()[0].values(), [0, 1, 1], "{kind}");
        }
        let tensors = read_inputs(&one, &arg).unwrap();
        OutputPlan::resolve(&one, &arg, Numbers::Codes).unwrap().write(&tensors).unwrap();
        let written = std::fs::read(&path).unwrap();
        assert!(written.windows(3).any(|part| part == b"|b1") && written.ends_with(&[0, 1, 1]));
        assert_eq!(Numbers::Codes.type_name(&one[0]), "bool");
        assert_eq!(Numbers::Codes.texts(&one[0], &tensors[0], 2), ["0", "1"]);
        write(&path, &file("|i1", "False", "(1, 3)", &[0, 2, 1])).unwrap();
        let error = read_inputs(&one, &arg).unwrap_err().to_string();
        assert!(error.ends_with("expected bool, got int8 with the value 2"), "{error}");
    }

    #[test]
    fn states_without_a_file_have_their_first_value() {
        let state = Some(State { output: 0, initial: -7 });
        let both = [
            desc("x", Dtype::I8, &[1, 2]),
            IoDesc { name: "s".into(), ..meant(Meaning { state, ..Meaning::default() }) },
        ];
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        write(std::path::Path::new(&at("x.npy")), &file("|i1", "False", "(1, 2)", &[1, 2])).unwrap();
        write(std::path::Path::new(&at("s.npy")), &file("|i1", "False", "(1, 3)", &[4, 5, 6])).unwrap();
        let read = |args: &[String]| read_inputs(&both, args).unwrap()[1].values();
        assert_eq!(read(&[at("x.npy")]), [-7, -7, -7]);
        assert_eq!(read(&[at("x.npy"), format!("s={}", at("s.npy"))]), [4, 5, 6]);
        let Inputs::One(tensors) = Inputs::open(&both, &[at("x.npy")]).unwrap() else { panic!("a batch") };
        assert_eq!(tensors[1].values(), [-7, -7, -7]);
    }
}
