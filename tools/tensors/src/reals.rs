//! Inputs and outputs of networks that compute real numbers. Invariant: integers are refused, which would be codes or pixels that no
//! one has scaled.

use std::path::PathBuf;

use strum_files::{FileError, check_distinct};

use crate::arguments::{ArrayPath, assign_to, listed};
use crate::floats::{Floats, read_place};
use crate::images::{ImageOptions, Images};
use crate::outputs::{OutputPlan, batch_shape};
use crate::tensor::RealPort;

fn assign(
    kind: &str,
    ports: &[RealPort],
    args: &[String],
) -> Result<(Vec<Option<ArrayPath>>, String), FileError> {
    let known = listed(kind, ports.iter().map(|port| format!("'{}' (f32{:?})", port.name, port.shape)));
    Ok((assign_to(kind, ports, &known, args)?, known))
}

/// Reads an array for each input, of which samples may be stacked along a first axis; none for a state without an argument.
///
/// # Errors
/// When the arguments do not name every other input once, or a file holds neither an array of real numbers nor images.
pub fn read_reals(
    inputs: &[RealPort],
    args: &[String],
    options: &ImageOptions,
) -> Result<Vec<Option<(PathBuf, Floats)>>, FileError> {
    let (places, known) = assign("input", inputs, args)?;
    let read = |(port, place): (&RealPort, Option<ArrayPath>)| {
        let name = &port.name;
        let Some(place) = place else {
            let missing = || FileError::Usage(format!("no file for input '{name}'; {known}"));
            return if port.is_state { Ok(None) } else { Err(missing()) };
        };
        if let Some(images) = Images::at(&place, options)? {
            let (count, values) = images.all_reals(name, &port.shape)?;
            let shape = match count {
                1 => port.shape.clone(),
                several => batch_shape(&port.shape, several as u64),
            };
            return Ok(Some((place.path, Floats { shape, values, integer: false, bytes: false })));
        }
        let array = read_place(&place, Some(name))?;
        if array.integer {
            let reason = format!("input '{name}': integers, and the network takes real numbers");
            return Err(FileError::content(&place.path, reason));
        }
        Ok(Some((place.path, array)))
    };
    inputs.iter().zip(places).map(read).collect()
}

impl OutputPlan {
    /// As [`OutputPlan::resolve`], of a network that computes real numbers; see [`OutputPlan::write_reals`].
    ///
    /// # Errors
    /// When an argument names no output, or two have the same destination.
    pub fn resolve_reals(outputs: &[RealPort], args: &[String]) -> Result<OutputPlan, FileError> {
        let (places, _) = assign("output", outputs, args)?;
        let plain = places.iter().flatten().filter(|place| !place.is_archive());
        check_distinct(plain.map(|place| ("--output", place.path.as_path())))?;
        OutputPlan::of(outputs.iter().zip(places).map(|(port, place)| (port.name.as_str(), place)))
    }
}

#[cfg(test)]
mod tests {
    use strum_files::write;

    use super::*;
    use crate::form::Reals;
    use crate::read_floats;
    use crate::testing::file;

    #[test]
    fn reals_go_in_and_out_by_name_and_integers_are_refused() {
        let port = |name: &str| RealPort { name: name.into(), shape: vec![1, 2], is_state: false };
        let (ports, folder) = ([port("a"), port("b")], tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let floats: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        write(at("x.npy").as_ref(), &file("<f4", "False", "(1, 2)", &floats)).unwrap();
        write(at("i.npy").as_ref(), &file("|u1", "False", "(1, 2)", &[1, 2])).unwrap();
        let none = ImageOptions::default();
        let read = read_reals(&ports, &[format!("b={}", at("x.npy")), at("x.npy")], &none).unwrap();
        assert_eq!(read[1].as_ref().unwrap().1.values, [1.5, -2.0]);
        let state = [port("a"), RealPort { is_state: true, ..port("b") }];
        let read = read_reals(&state, &[at("x.npy")], &none).unwrap();
        assert!(read[0].is_some() && read[1].is_none());
        let text = |args: &[String]| read_reals(&ports, args, &none).unwrap_err().to_string();
        assert_eq!(
            text(&[at("x.npy")]),
            "no file for input 'b'; the inputs are 'a' (f32[1, 2]), 'b' (f32[1, 2])"
        );
        let integers = "input 'b': integers, and the network takes real numbers";
        assert!(text(&[at("x.npy"), at("i.npy")]).ends_with(integers));
        let reals = ["a", "b"].map(|_| Reals { shape: vec![1, 2], values: vec![0.5, 0.25] });
        OutputPlan::resolve_reals(&ports, &[format!("b={}", at("y.npz:k"))])
            .unwrap()
            .write_reals(&reals)
            .unwrap();
        assert_eq!(read_floats(&at("y.npz:k")).unwrap().values, [0.5, 0.25]);
    }
}
