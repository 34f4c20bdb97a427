//! The shipped networks, from bytecode to outputs, against the stored outputs of the TOSA reference model.

use std::path::{Path, PathBuf};

use strum_tensors::{Floats, read_floats};

use crate::common::{Scratch, npy, read_npy};

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)
}

/// The first `count` samples of the int8 arrays `x` and `ref` of an archive: their bytes, and the shape of a sample of `x`.
fn samples(archive: &Path, count: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<usize>) {
    let array = |name: &str| {
        let Floats { shape, values, .. } = read_floats(&format!("{}:{name}", archive.display())).unwrap();
        let shape: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).unwrap()).collect();
        let values: Vec<u8> = values.into_iter().map(|v| (v as i8).cast_unsigned()).collect();
        let one = shape[1..].iter().product();
        (values.chunks(one).take(count).map(<[u8]>::to_vec).collect::<Vec<_>>(), shape[1..].to_vec())
    };
    let (x, shape) = array("x");
    let (reference, _) = array("ref");
    (x, reference, shape)
}

fn check_dense(folder: &str, data: &str, count: usize) {
    let scratch = Scratch::new();
    let network = model(folder).join("model.tosa.mlirbc");
    std::fs::copy(network, scratch.path().join("net.mlir")).unwrap();
    scratch.compile("");
    let (x, reference, shape) = samples(&model(folder).join(data), count);
    let shape = [&[1], &shape[..]].concat();
    for (x, reference) in x.iter().zip(&reference) {
        scratch.write("x.npy", npy("|i1", &shape, x));
        scratch.strumc("run net.dpu --input x.npy --output y.npy -q").ok();
        assert_eq!(&read_npy(&scratch.read("y.npy")).1, reference);
    }
}

#[test]
fn digits_are_classified_as_the_reference_model_does() {
    check_dense("mnist_lenet", "digits.npz", 6);
    check_dense("mnist_lenet", "digits_noisy.npz", 6);
}

#[test]
fn resnet20_computes_what_the_reference_model_does() {
    check_dense("resnet20", "inputs.npz", 1);
}

/// The size of a tensor of whole blocks against INT8, as the format's definition has it: (1 + 8 (1 − p) + p q) / 8.
fn ratio(p: f64, q: f64) -> f64 {
    (1.0 + 8.0 * (1.0 - p) + p * q) / 8.0
}

#[test]
fn every_method_keeps_its_promise_in_the_binary() {
    let scratch = Scratch::new();
    let network = model("mnist_lenet").join("model.tosa.mlirbc");
    std::fs::copy(network, scratch.path().join("net.mlir")).unwrap();
    for (method, p, q) in [
        ("sparse", 0.25, 0.0),
        ("sparse", 0.5, 0.0),
        ("dliq", 0.5, 4.0),
        ("dliq", 0.75, 4.0),
        ("mip2q", 0.5, 4.0),
        ("mip2q", 0.75, 4.0),
    ] {
        let binary = scratch.compile(&format!("--method {method} --p {p}"));
        let audit = scratch.translate("--dpu-audit --json net.dpu").ok();
        let audit: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
        let layers = audit["layers"].as_array().unwrap();
        let packed = layers.iter().filter(|layer| layer["formats"][0] != "dense");
        let mut seen = 0;
        for layer in packed {
            let number = |key: &str| layer[key].as_f64().unwrap();
            let (weights, low) = (number("weights"), number("low"));
            // The last block of a set may hold padding, which is low first, and a set ends on 16 bytes.
            assert!((low / weights - p).abs() < 0.05, "{method} {p}: {layer}");
            let bits = 8.0 * ratio(p, q);
            assert!(
                number("bits_per_weight") >= bits && number("bits_per_weight") < 1.2 * bits,
                "{method} {p}: {layer}"
            );
            seen += 1;
        }
        assert!(seen >= 3, "{method} {p}: {audit}");
        // The way through text and IR preserves every byte.
        scratch.write("net.dpuasm", scratch.translate("--dpu-to-asm net.dpu").ok().stdout);
        assert!(scratch.translate("--asm-to-dpu net.dpuasm").ok().stdout == binary);
        scratch.write("dpu.mlir", scratch.translate("--dpu-to-mlir net.dpu").ok().stdout);
        assert!(scratch.translate("--mlir-to-dpu dpu.mlir").ok().stdout == binary);
    }
}
