//! Images as inputs: every type of pixel, layouts, orientation, folders, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use clap::Parser;
use dpu_isa::{Codes, Dtype, IoDesc, Meaning};
use image::{DynamicImage, ImageFormat, Luma, Rgb, Rgba};
use strum_tensors::{ImageOptions, Images, Inputs};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    images: ImageOptions,
}

fn options(line: &str) -> ImageOptions {
    Line::try_parse_from(std::iter::once("x").chain(line.split_whitespace())).unwrap().images
}

fn refused(line: &str) -> String {
    let words = std::iter::once("x").chain(line.split_whitespace());
    Line::try_parse_from(words).err().map(|error| error.to_string()).unwrap()
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn save(&self, name: &str, image: impl Into<DynamicImage>) {
        image.into().save_with_format(self.path(name), ImageFormat::Png).unwrap();
    }

    fn find(&self, name: &str, line: &str) -> Images {
        Images::find(&self.arg(name), &options(line)).unwrap().unwrap()
    }

    /// The pixels of an image as numbers from 0 to 255.
    fn pixels(&self, name: &str, shape: &[u64]) -> Vec<f32> {
        self.find(name, "--mean 0 --std 1/255").reals("x", shape, 0).unwrap()
    }

    fn fault(&self, name: &str, line: &str, shape: &[u64]) -> String {
        match Images::find(&self.arg(name), &options(line)) {
            Err(error) => error.to_string(),
            Ok(images) => images.unwrap().reals("x", shape, 0).unwrap_err().to_string(),
        }
    }
}

/// Two by one pixels.
fn two() -> image::RgbImage {
    image::RgbImage::from_fn(2, 1, |x, _| if x == 0 { Rgb([10, 20, 30]) } else { Rgb([200, 100, 50]) })
}

fn desc(dtype: Dtype, shape: &[u64], meaning: Meaning) -> IoDesc {
    IoDesc { name: "x".into(), dtype, shape: shape.to_vec(), addr: 0, meaning }
}

const UNSIGNED: Meaning = Meaning { codes: None, unsigned: true, boolean: false, state: None };

#[test]
fn the_shape_of_an_input_says_where_channels_are() {
    let scratch = Scratch::new();
    scratch.save("a.png", two());
    let [last, second] = [[1, 1, 2, 3], [1, 3, 1, 2]].map(|shape| {
        // One pixel high, so that the first of the two could be either.
        scratch.find("a.png", "--mean 0 --std 1").reals("x", &shape, 0)
    });
    assert!(last.unwrap_err().to_string().contains("does not say which axis are the channels"));
    assert!(second.is_ok());
    let tall = image::RgbImage::from_fn(2, 4, |x, y| Rgb([x as u8, 10 + y as u8, 20]));
    scratch.save("b.png", tall);
    let interleaved = scratch.pixels("b.png", &[1, 4, 2, 3]);
    assert_eq!(interleaved[..9], [0.0, 10.0, 20.0, 1.0, 10.0, 20.0, 0.0, 11.0, 20.0]);
    let planes = scratch.pixels("b.png", &[3, 4, 2]);
    assert_eq!(planes[..8], [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(planes[8..12], [10.0, 10.0, 11.0, 11.0]);
    for (shape, message) in [
        (
            &[1, 4, 2, 16][..],
            "shape [1, 4, 2, 16] is not an image: its last or second dimension must be 1 or 3 channels",
        ),
        (
            &[1, 24],
            "shape [1, 24] is not an image: [N, height, width, channels] or [N, channels, height, width]",
        ),
        (&[1, 2, 4, 3], "2x4 pixels, the input takes 4x2: --resize fits them"),
    ] {
        let fault = scratch.fault("b.png", "--mean 0 --std 1", shape);
        assert!(fault.ends_with(message), "{fault}");
    }
}

#[test]
fn pixels_of_every_type_become_grey_or_colour() {
    let scratch = Scratch::new();
    scratch.save("rgb.png", image::RgbImage::from_pixel(2, 5, Rgb([10, 200, 99])));
    scratch.save("rgba.png", image::RgbaImage::from_pixel(2, 5, Rgba([10, 200, 99, 3])));
    scratch.save("grey.png", image::GrayImage::from_pixel(2, 5, Luma([77])));
    let deep = image::ImageBuffer::<Luma<u16>, Vec<u16>>::from_pixel(2, 5, Luma([0x4dfe]));
    scratch.save("grey16.png", DynamicImage::ImageLuma16(deep));
    let deep = image::ImageBuffer::<Rgb<u16>, Vec<u16>>::from_pixel(
        2,
        5,
        Rgb([10 * 257, 200 * 257 + 128, 99 * 257]),
    );
    scratch.save("rgb16.png", DynamicImage::ImageRgb16(deep));
    let colour = |name: &str| scratch.pixels(name, &[1, 5, 2, 3])[..3].to_vec();
    let grey = |name: &str| scratch.pixels(name, &[1, 5, 2, 1])[0];
    assert_eq!((colour("rgb.png"), colour("rgba.png")), (vec![10.0, 200.0, 99.0], vec![10.0, 200.0, 99.0]));
    assert_eq!(colour("grey.png"), [77.0; 3]);
    // 0x4dfe is 77.69 of 255.
    assert_eq!((colour("grey16.png"), grey("grey16.png")), (vec![78.0; 3], 78.0));
    assert_eq!(colour("rgb16.png"), [10.0, 200.0, 99.0]);
    assert_eq!(grey("grey.png"), 77.0);
    // Pillow: Image.new("RGB", (1, 1), (10, 200, 99)).convert("L").
    assert_eq!((grey("rgb.png"), grey("rgba.png")), (132.0, 132.0));
}

#[test]
fn numbers_are_those_of_torchvision_and_of_tflite() {
    let scratch = Scratch::new();
    scratch.save("a.png", two());
    let reals = |line: &str| scratch.find("a.png", line).reals("x", &[1, 3, 1, 2], 0).unwrap();
    let near = |a: &[f32], b: &[f64]| a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6);
    let torch = reals("--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225");
    let byte = |x: f64, mean: f64, std: f64| (x / 255.0 - mean) / std;
    assert!(near(&torch, &[byte(10.0, 0.485, 0.229), byte(200.0, 0.485, 0.229), byte(20.0, 0.456, 0.224)]));
    assert_eq!(torch.len(), 6);
    // (pixel - 127.5) / 127.5
    assert!(near(&reals("--mean 0.5 --std 0.5"), &[10.0 / 127.5 - 1.0, 200.0 / 127.5 - 1.0]));
    // (pixel - 127) / 128
    assert!(near(&reals("--mean 127/255 --std 128/255"), &[-117.0 / 128.0, 73.0 / 128.0]));
    assert_eq!(reals("--mean 0 --std 1/255"), [10.0, 200.0, 20.0, 100.0, 30.0, 50.0]);
    for line in
        ["--mean 127.5 --std 127.5", "--mean 0 --std 1,-1,1", "--mean nan --std 1", "--mean 1/0 --std 1"]
    {
        let error = refused(line);
        assert!(
            error.contains("expected numbers from 0 to 1, as pixels are: 127.5/255 in place of 127.5"),
            "{error}"
        );
    }
    for line in ["--mean 0,0 --std 1", "--mean x --std 1", "--mean 0, --std 1"] {
        let error = refused(line);
        assert!(
            error.contains("expected one or three numbers such as 0.485,0.456,0.406 or 1/255"),
            "{error}"
        );
    }
    assert!(refused("--mean 0").contains("--std") && refused("--std 1").contains("--mean"));
    let zero = options("--mean 0 --std 0,1,1").check(&[scratch.arg("a.png")]).unwrap_err();
    assert_eq!(zero.to_string(), "--std: expected numbers above 0");
    let none = options("--resize 3").check(&[scratch.arg("none.npy")]).unwrap_err();
    assert_eq!(none.to_string(), "--resize has no effect: no input is an image");
    let none = options("--mean 0 --std 1").check(&[]).unwrap_err();
    assert_eq!(none.to_string(), "--mean has no effect: no input is an image");
}

#[test]
fn codes_are_bytes_or_real_numbers_and_never_guessed() {
    let scratch = Scratch::new();
    scratch.save(
        "a.png",
        image::GrayImage::from_fn(4, 2, |x, y| {
            Luma([[[0u8, 100, 128, 255], [1, 2, 3, 4]][y as usize][x as usize]])
        }),
    );
    let codes = |line: &str, desc: &IoDesc| {
        scratch
            .find("a.png", line)
            .codes(desc, 0)
            .map(|tensor| tensor.values())
            .map_err(|error| error.to_string())
    };
    let shape = [1, 2, 4, 1];
    let bytes = codes("", &desc(Dtype::I8, &shape, UNSIGNED)).unwrap();
    assert_eq!(bytes, [-128, -28, 0, 127, -127, -126, -125, -124]);
    assert_eq!(codes("", &desc(Dtype::U8, &shape, Meaning::default())).unwrap()[..4], [0, 100, 128, 255]);
    let scales = Meaning { codes: Some(Codes { scale: 1.0 / 128.0, zero_point: 0 }), ..Meaning::default() };
    let signed = desc(Dtype::I8, &shape, scales);
    assert_eq!(codes("--mean 0.5 --std 0.5", &signed).unwrap()[..4], [-128, -28, 1, 127]);
    assert_eq!(
        codes("", &signed).unwrap_err(),
        "input 'x' takes real numbers from -1.0000 to 0.9922: --mean and --std say what pixels stand for"
    );
    let unknown = codes("--mean 0 --std 1", &desc(Dtype::I8, &shape, Meaning::default())).unwrap_err();
    assert_eq!(
        unknown,
        "input 'x' (i8[1, 2, 4, 1]): the network does not say what its codes mean, so that pixels cannot become codes: \
         give an array of codes"
    );
    let reals = scratch.find("a.png", "").reals("x", &shape, 0).unwrap_err().to_string();
    assert_eq!(reals, "input 'x' takes real numbers: --mean and --std say what pixels stand for");
    // Bytes with a scale may be given as real numbers, too.
    let both = Meaning { unsigned: true, ..scales };
    let zero = Meaning { codes: Some(Codes { scale: 1.0 / 255.0, zero_point: -128 }), ..both };
    let [a, b] = ["", "--mean 0 --std 1"].map(|line| codes(line, &desc(Dtype::I8, &shape, zero)).unwrap());
    assert_eq!(a, b);
}

#[test]
fn folders_are_samples_in_the_order_of_names_and_class_folders_have_labels() {
    let scratch = Scratch::new();
    let grey = |name: &str, value: u8| scratch.save(name, image::GrayImage::from_pixel(2, 2, Luma([value])));
    for (name, value) in [("f/b.png", 2), ("f/a", 1), ("f/c.jpeg", 3), ("f/.hidden", 9), ("f/d.png", 4)] {
        grey(name, value);
    }
    let one = [desc(Dtype::I8, &[1, 2, 2, 1], UNSIGNED)];
    let mut samples = Inputs::open(&one, &[scratch.arg("f")]).unwrap().batch().unwrap();
    assert_eq!(samples.count(), 4);
    for sample in [3, 0, 1, 2] {
        assert_eq!(samples.read(sample).unwrap()[0].values(), [sample as i32 + 1 - 128; 4]);
    }
    let pairs = [desc(Dtype::I8, &[2, 2, 2, 1], UNSIGNED)];
    let mut samples = Inputs::open(&pairs, &[scratch.arg("f")]).unwrap().batch().unwrap();
    assert_eq!((samples.count(), samples.read(1).unwrap()[0].values()[3..5].to_vec()), (2, vec![-125, -124]));
    let threes = [desc(Dtype::I8, &[3, 2, 2, 1], UNSIGNED)];
    let error = Inputs::open(&threes, &[scratch.arg("f")]).unwrap_err().to_string();
    assert!(error.ends_with("input 'x': 4 images do not make batches of 3"), "{error}");
    assert!(matches!(Inputs::open(&one, &[scratch.arg("f/a")]), Ok(Inputs::One(_))));
    let both = [one[0].clone(), IoDesc { name: "y".into(), ..one[0].clone() }];
    grey("g/a.png", 1);
    grey("g/b.png", 1);
    let error = Inputs::open(&both, &[scratch.arg("f"), scratch.arg("g")]).unwrap_err().to_string();
    assert!(error.ends_with("input 'y': 2 samples, and 4 of input 'x'"), "{error}");
    for name in ["c/cat/1.png", "c/cat/2.png", "c/ant/1.png", "n/10/a.png", "n/9/a.png", "n/9/b.png"] {
        grey(name, 0);
    }
    assert_eq!(scratch.find("c", "").labels(), Some(&[0, 1, 1][..]));
    assert_eq!(scratch.find("n", "").labels(), Some(&[10, 9, 9][..]));
    assert_eq!(scratch.find("f", "").labels(), None);
    let told = options("--resize 5x6 --mean 0 --std 1").check(&[format!("x={}", scratch.arg("n"))]).unwrap();
    let text = "3 images: resized to 5x6, centre cropped; (pixel / 255 - mean) / std, mean 0, std 1";
    assert_eq!(told.as_deref(), Some(text));
}

#[test]
fn what_is_no_image_is_refused_by_name() {
    let scratch = Scratch::new();
    scratch.save("f/a.png", two());
    std::fs::write(scratch.path("f/labels.txt"), "1 2 3").unwrap();
    std::fs::create_dir(scratch.path("empty")).unwrap();
    std::fs::create_dir(scratch.path("classes")).unwrap();
    std::fs::create_dir(scratch.path("classes/0")).unwrap();
    scratch.save("mixed/a.png", two());
    scratch.save("mixed/b/a.png", two());
    scratch.save("deep/a/b/c.png", two());
    std::fs::write(scratch.path("g.gif"), b"GIF89a\x01\x00\x01\x00").unwrap();
    std::fs::write(scratch.path("x.npy"), b"\x93NUMPY").unwrap();
    for (name, message) in [
        ("f", "labels.txt: neither a PNG nor a JPEG image"),
        ("empty", "empty: a folder without images"),
        ("classes", "classes: a folder without images"),
        ("mixed", "mixed: a folder has images, or a folder of images for each class, and not both"),
        ("deep", "b: neither a PNG nor a JPEG image"),
        ("g.gif", "g.gif: an image of type image/gif: PNG and JPEG are supported"),
    ] {
        let error = Images::find(&scratch.arg(name), &ImageOptions::default()).unwrap_err().to_string();
        assert!(error.ends_with(message), "{error}");
    }
    for name in ["x.npy", "none.png"] {
        assert!(Images::find(&scratch.arg(name), &ImageOptions::default()).unwrap().is_none());
    }
    assert!(Images::find("x.npz:key", &ImageOptions::default()).unwrap().is_none());
}

/// What Pillow wrote: `models/small/turned.jpg`.
fn turned() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/small/turned.jpg");
    std::fs::read(path).unwrap()
}

#[test]
fn damaged_images_are_refused_wherever_they_end() {
    let scratch = Scratch::new();
    let noise =
        image::RgbImage::from_fn(24, 16, |x, y| Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x ^ y) as u8]));
    scratch.save("a.png", noise);
    let png = std::fs::read(scratch.path("a.png")).unwrap();
    let decoded = |bytes: &[u8], shape: &[u64]| -> Result<Vec<f32>, String> {
        std::fs::write(scratch.path("b"), bytes).unwrap();
        let found = Images::find(&scratch.arg("b"), &options("--mean 0 --std 1 --resize exact"));
        let Some(images) = found.map_err(|error| error.to_string())? else { return Err("no image".into()) };
        images.reals("x", shape, 0).map_err(|error| error.to_string())
    };
    for (bytes, shape) in [(&png, [1, 16, 24, 3]), (&turned(), [1, 12, 8, 3])] {
        assert!(decoded(bytes, &shape).is_ok());
        // The last chunk of a PNG file holds no pixels.
        let end = if bytes == &png { bytes.len() - 12 } else { bytes.len() };
        for length in 0..end {
            let error = decoded(&bytes[..length], &shape).unwrap_err();
            assert!(error.contains("damaged image") || error == "no image", "{length}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
    // A header that claims a gigapixel.
    let mut huge = turned();
    let frame = huge.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    let error = decoded(&huge, &[1, 12, 8, 3]).unwrap_err();
    assert!(error.ends_with("65535x65535 pixels, the limit is 268435456 in all"), "{error}");
    let mut cmyk = turned();
    cmyk[frame + 9] = 4;
    let error = decoded(&cmyk, &[1, 12, 8, 3]).unwrap_err();
    assert!(error.ends_with("a JPEG image in CMYK: convert it to RGB"), "{error}");
    let mut lost = turned();
    // After the start and a JFIF segment of 18 bytes.
    lost[20] = 0;
    let error = decoded(&lost, &[1, 12, 8, 3]).unwrap_err();
    assert!(error.ends_with("a damaged image: no marker at byte 20"), "{error}");
}

/// Flips every bit.
#[test]
fn no_flipped_bit_of_a_file_is_a_panic() {
    let scratch = Scratch::new();
    scratch.save("a.png", image::RgbImage::from_fn(5, 4, |x, y| Rgb([(x * 50) as u8, (y * 60) as u8, 7])));
    let path = scratch.path("b");
    let resized = options("--mean 0 --std 1 --resize exact");
    for bytes in [std::fs::read(scratch.path("a.png")).unwrap(), turned()] {
        let mut refused = 0;
        for bit in 0..8 * bytes.len() {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            let images = Images::find(path.to_str().unwrap(), &resized).ok().flatten();
            let values = images.map(|images| images.reals("x", &[1, 4, 5, 3], 0));
            match values {
                Some(Ok(values)) => assert_eq!(values.len(), 60),
                Some(Err(error)) => {
                    assert!(!error.to_string().contains('\n'), "{error}");
                    refused += 1;
                }
                None => refused += 1,
            }
        }
        assert!(refused > 100, "{refused}");
    }
}

#[test]
fn a_photo_is_decoded_and_turned_as_by_pillow() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path("t.jpg"), turned()).unwrap();
    // ImageOps.exif_transpose(Image.open("turned.jpg")), red, of Pillow 13.0.0.
    const RED: [[u8; 8]; 12] = [
        [1, 0, 2, 3, 0, 1, 3, 0],
        [18, 15, 18, 19, 15, 17, 19, 17],
        [41, 39, 42, 42, 38, 38, 41, 40],
        [61, 59, 62, 63, 58, 60, 63, 60],
        [80, 77, 80, 81, 76, 78, 80, 79],
        [100, 98, 101, 101, 97, 98, 100, 99],
        [122, 121, 124, 125, 120, 121, 124, 121],
        [140, 137, 140, 141, 136, 137, 140, 139],
        [161, 159, 161, 161, 158, 158, 161, 159],
        [179, 177, 179, 180, 176, 178, 180, 176],
        [204, 201, 203, 204, 200, 202, 204, 202],
        [218, 216, 219, 219, 216, 216, 219, 216],
    ];
    let red = scratch.pixels("t.jpg", &[1, 3, 12, 8]);
    let far = red.iter().zip(RED.as_flattened()).map(|(a, &b)| (a - f32::from(b)).abs()).fold(0.0, f32::max);
    assert!(far <= 1.0, "{far}: {red:?}");
}
