//! Images as inputs and samples of every command: the same as arrays of their pixels.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

use crate::common::{Scratch, npy};

/// The normalization of the digits.
const PIXELS: &str = "--mean 0.1307 --std 0.3081";

/// An image as a PNG file.
fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A grey image, by a formula.
pub(crate) fn grey(width: u32, height: u32) -> Vec<u8> {
    png(GrayImage::from_fn(width, height, |x, y| Luma([(x * 37 + y * 91 + x * y) as u8])))
}

fn floats(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

/// The LeNet in floating point and quantized, the digits of `models/small/digits`, and the same as arrays with labels.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    std::fs::copy(models.join("mnist_lenet/float.linalg.mlirbc"), scratch.path().join("float.mlirbc"))
        .unwrap();
    std::os::unix::fs::symlink(models.join("small/digits"), scratch.path().join("digits")).unwrap();
    let mut values = Vec::new();
    for digit in 0..10 {
        let image = image::open(models.join(format!("small/digits/{digit}/a.png"))).unwrap().into_luma8();
        values.extend(image.into_raw());
    }
    let real = |&byte: &u8| ((f64::from(byte) / 255.0 - 0.1307) / 0.3081) as f32;
    scratch.write("x.npy", npy("<f4", &[10, 1, 28, 28], &floats(values.iter().map(real))));
    scratch
        .write("seven.npy", npy("<f4", &[1, 1, 28, 28], &floats(values[7 * 784..8 * 784].iter().map(real))));
    scratch.write("y.npy", npy("|u1", &[10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    scratch.strumc("quantize float.mlirbc -c x.npy -o q.mlirbc -q").ok();
    scratch
}

/// An integer network on unsigned bytes, which moves them.
const BYTES: &str = r#"func.func @net(%x: tensor<1x4x2x3xi8>) -> tensor<1x4x2x3xi8> attributes {strum.unsigned_inputs = array<i32: 1>, strum.unsigned_outputs = array<i32: 1>} {
  %0 = tosa.clamp %x {min_val = -128 : i8, max_val = 100 : i8} : (tensor<1x4x2x3xi8>) -> tensor<1x4x2x3xi8>
  return %0 : tensor<1x4x2x3xi8>
}
"#;

#[test]
fn an_image_is_the_array_of_its_pixels_in_every_command() {
    let scratch = folder();
    let image = format!("digits/7/a.png {PIXELS}");
    for (network, name) in [("float.mlirbc --float", "f"), ("q.mlirbc", "q"), ("q.mlirbc --real", "r")] {
        scratch.strumc(&format!("run {network} -q --input seven.npy --output {name}a.npy")).ok();
        scratch.strumc(&format!("run {network} -q --output {name}b.npy --input {image}")).ok();
        assert_eq!(scratch.read(&format!("{name}a.npy")), scratch.read(&format!("{name}b.npy")));
    }
    // Of a folder, all.
    for (network, name) in [("float.mlirbc --float", "f"), ("q.mlirbc", "q")] {
        scratch.strumc(&format!("run {network} -q --input x.npy --output {name}a.npy")).ok();
        scratch.strumc(&format!("run {network} -q --output {name}b.npy --input digits {PIXELS}")).ok();
        assert_eq!(scratch.read(&format!("{name}a.npy")), scratch.read(&format!("{name}b.npy")));
    }
    scratch.strumc(&format!("quantize float.mlirbc -c digits {PIXELS} -o p.mlirbc -q")).ok();
    assert_eq!(scratch.read("p.mlirbc"), scratch.read("q.mlirbc"));
    // Class folders have labels.
    let same = |line: &str, arrays: &str, images: &str| {
        let [a, b] = [arrays, images].map(|inputs| {
            let done = scratch.strumc(&format!("{line} {inputs}"));
            assert_eq!(done.code, Some(0), "{done:?}");
            done.text()
        });
        assert!(a == b && a.len() > 20, "{line}: {a}{b}");
        a
    };
    let methods = "eval q.mlirbc --against float.mlirbc --methods mip2q --json";
    let labelled = same(methods, "-i x.npy --labels y.npy", &format!("-i digits {PIXELS}"));
    assert!(labelled.contains("\"top1\":1.0"), "{labelled}");
    same(
        methods,
        "-i x.npy --labels y.npy --calibration x.npy",
        &format!("-i digits --calibration digits {PIXELS}"),
    );
    same("compare q.mlirbc --json --methods sparse", "-i seven.npy", &format!("-i {image}"));
    let check = "check q.mlirbc --json --method mip2q --min-agreement 0";
    same(check, "--inputs x.npy", &format!("--inputs digits {PIXELS}"));
    let tune = "tune q.mlirbc --json -o t.json --config sparse --max-loss 50";
    same(tune, "-c x.npy --labels y.npy --limit 4", &format!("-c digits --limit 4 {PIXELS}"));
    let compiled = |line: &str| {
        scratch.strumc(&format!("compile float.mlirbc --method mip2q -q -o n.dpu --calibration {line}")).ok();
        scratch.read("n.dpu")
    };
    assert_eq!(compiled("x.npy"), compiled(&format!("digits {PIXELS}")));
}

#[test]
fn bytes_are_codes_of_a_network_of_unsigned_bytes() {
    let scratch = Scratch::new();
    scratch.write("net.mlir", BYTES);
    let image = RgbImage::from_fn(2, 4, |x, y| Rgb([x as u8, 200 + y as u8, 255]));
    scratch.write("u.npy", npy("|u1", &[1, 4, 2, 3], image.as_raw()));
    scratch.write("any.npy", png(image));
    scratch.strumc("run net.mlir --input u.npy --output a.npy -q").ok();
    scratch.strumc("run net.mlir --input any.npy --output b.npy -q").ok();
    assert_eq!(scratch.read("a.npy"), scratch.read("b.npy"));
    let done = scratch.strumc("run net.mlir --input any.npy");
    assert_eq!(done.stderr, "note: the image: not resized; pixels from 0 to 255 are taken as codes\n");
    scratch.strumc("run net.mlir --input any.npy --mean 0 --std 1").fails(
        2,
        "input 'arg0' (i8[1, 4, 2, 3]): the network does not say what its codes mean, so that pixels cannot become codes",
    );
    scratch.strumc("compile net.mlir -o net.dpu -q").ok();
    scratch.strumc("run net.dpu --input any.npy --output b.npy -q").ok();
    assert_eq!(scratch.read("a.npy"), scratch.read("b.npy"));
}

#[test]
fn readers_are_told_once_what_images_become() {
    let scratch = folder();
    let line = format!("run q.mlirbc --input digits {PIXELS} --resize exact");
    let note = "note: 10 images: resized to the size of the input; (pixel / 255 - mean) / std, mean 0.1307, std 0.3081\n";
    assert_eq!(scratch.strumc(&line).stderr, note);
    for quiet in ["-q", "--json"] {
        scratch.strumc(&format!("{line} {quiet}")).ok();
    }
    let done = scratch.strumc(&format!("eval q.mlirbc --methods dense -i digits {PIXELS} --resize exact"));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), note));
}

#[test]
fn images_that_do_not_fit_and_options_without_effect_are_refused() {
    let scratch = folder();
    scratch.write("big.png", grey(40, 30));
    scratch.write("cut.png", &grey(28, 28)[..99]);
    let mut gigapixel = grey(28, 28);
    // Width and height of a PNG file, and the checksum of its header.
    gigapixel[16..24].copy_from_slice(&[0, 0, 0x30, 0, 0, 0, 0x30, 0]);
    let checksum = crc(&gigapixel[12..29]).to_be_bytes();
    gigapixel[29..33].copy_from_slice(&checksum);
    scratch.write("huge.png", &gigapixel);
    let input = |image: &str| format!("run q.mlirbc --input {image}");
    let fails = |line: String, code: i32, message: &str| scratch.strumc(&line).fails(code, message);
    fails(input("digits"), 2, "input 'arg0' takes real numbers from -");
    fails(input("x.npy --mean 0 --std 1"), 2, "--mean has no effect: no input is an image");
    fails(input("x.npy --resize 3"), 2, "--resize has no effect: no input is an image");
    fails(input("big.png --mean 0"), 2, "--std <R,G,B>");
    fails(input("big.png --mean 0 --std 0"), 2, "--std: expected numbers above 0");
    fails(input(&format!("big.png {PIXELS}")), 1, "40x30 pixels, the input takes 28x28: --resize fits them");
    fails(
        input(&format!("big.png {PIXELS} --resize 20")),
        1,
        "40x30 pixels are 26x20 after --resize, and the input takes 28x28",
    );
    fails(input(&format!("cut.png {PIXELS}")), 1, "cut.png: a damaged image: ");
    fails(input(&format!("huge.png --memory-limit=600MiB {PIXELS}")), 4, "huge.png: the image: ");
    fails("run float.mlirbc --float --input digits".into(), 2, "--mean and --std say what pixels stand for");
    fails(
        "quantize float.mlirbc -c digits -o n.mlir".into(),
        2,
        "--mean and --std say what pixels stand for",
    );
    fails("eval q.mlirbc -i digits --methods dense".into(), 2, "--mean and --std say what pixels stand for");
    scratch.write("labels.txt", "");
    fails(
        input(". --mean 0 --std 1"),
        1,
        "a folder has images, or a folder of images for each class, and not both",
    );
    scratch.write("net.mlir", BYTES.replace("1x4x2x3", "2x4x2x3"));
    std::fs::create_dir(scratch.path().join("two")).unwrap();
    for name in ["two/a.png", "two/b.png"] {
        scratch.write(name, png(RgbImage::new(2, 4)));
    }
    fails(
        "eval net.mlir -i two --methods dense".into(),
        1,
        "input #0: an image is a sample, and the network takes [2, 4, 2, 3]: give an array",
    );
    scratch.strumc("run net.mlir --input two -q").ok();
}

/// The checksum of a PNG file's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 },
        )
    })
}
