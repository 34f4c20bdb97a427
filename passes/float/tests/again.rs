//! The convolutions of integer networks rounded again for weight formats, by sums that are computed here, and by packing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use strum_float::Window;
use strum_float::quantize::{IntLayer, Rounded, Storage};
use strum_formats::{Kind, Shape};
use strum_quant::{Request, Shift};

/// Reproducible pseudorandom numbers.
struct Dice(u64);

impl Dice {
    /// In −1..1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// A layer with its samples.
#[derive(Clone, Debug)]
struct Case {
    depthwise: bool,
    shape: [usize; 4],
    codes: Vec<i8>,
    bias: Vec<i32>,
    window: Window,
    zero_point: i32,
    input: [usize; 4],
    output: [usize; 2],
    samples: Vec<Vec<i8>>,
}

impl Case {
    fn new(dice: &mut Dice, depthwise: bool, [channels, outputs, kernel]: [usize; 3], count: usize) -> Case {
        let shape =
            if depthwise { [kernel, kernel, channels, outputs] } else { [outputs, kernel, kernel, channels] };
        let input = [1, 5, 4, channels];
        let padding = (kernel - 1) / 2;
        let window = Window { before: [padding; 2], after: [padding; 2], stride: [2, 1], ..Window::UNIT };
        let output = [(5 + 2 * padding - kernel) / 2 + 1, 4 + 2 * padding - kernel + 1];
        let codes = (0..shape.iter().product()).map(|_| (dice.next() * 127.0) as i8).collect();
        let channels_out = if depthwise { channels * outputs } else { outputs };
        let bias = (0..channels_out).map(|_| (dice.next() * 5000.0) as i32).collect();
        // Channels are mixtures of three images, as within networks.
        let mix: Vec<f64> = (0..3 * channels).map(|_| dice.next()).collect();
        let image = |dice: &mut Dice| -> Vec<i8> {
            let pixel = |dice: &mut Dice| -> Vec<i8> {
                let parts = [dice.next(), dice.next(), dice.next()];
                let channel = |c: usize| parts.iter().zip(&mix[3 * c..]).map(|(a, b)| a * b).sum::<f64>();
                (0..channels)
                    .map(|c| (channel(c).max(0.0) * 90.0 + 5.0 * dice.next() - 100.0) as i8)
                    .collect()
            };
            (0..20).flat_map(|_| pixel(dice)).collect()
        };
        let samples = (0..count).map(|_| image(dice)).collect();
        Case { depthwise, shape, codes, bias, window, zero_point: -100, input, output, samples }
    }

    fn layer(&self) -> IntLayer<'_> {
        IntLayer {
            depthwise: self.depthwise,
            shape: self.shape,
            codes: &self.codes,
            bias: &self.bias,
            factors: &[],
            window: self.window,
            zero_point: self.zero_point,
            input: self.input,
            output: self.output,
        }
    }

    fn views(samples: &[Vec<i8>]) -> Vec<&[i8]> {
        samples.iter().map(Vec::as_slice).collect()
    }

    fn round(&self, formats: &[Option<Storage>]) -> Vec<Rounded> {
        let views = Case::views(&self.samples);
        self.layer().round(&views, &views, formats).unwrap()
    }

    /// The sums of a sample, by definition.
    fn sums(&self, sample: &[i8], codes: &[i8], bias: &[i32]) -> Vec<f64> {
        let [_, h, w, ic] = self.input;
        let [kh, kw, m] = match (self.depthwise, self.shape) {
            (true, [kh, kw, _, m]) => [kh, kw, m],
            (false, [_, kh, kw, _]) => [kh, kw, 1],
        };
        let mut sums = Vec::new();
        for y in 0..self.output[0] {
            for x in 0..self.output[1] {
                for (o, &bias) in bias.iter().enumerate() {
                    let mut sum = f64::from(bias);
                    for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                        let at = |o: usize, k: usize, before: usize| (o + k).checked_sub(before);
                        let row = at(y * self.window.stride[0], ky, self.window.before[0]).filter(|&r| r < h);
                        let column = at(x, kx, self.window.before[1]).filter(|&c| c < w);
                        let Some((row, column)) = row.zip(column) else { continue };
                        for c in if self.depthwise { o / m..o / m + 1 } else { 0..ic } {
                            let input = i32::from(sample[(row * w + column) * ic + c]) - self.zero_point;
                            let weight = match self.depthwise {
                                true => codes[(ky * kw + kx) * ic * m + o],
                                false => codes[((o * kh + ky) * kw + kx) * ic + c],
                            };
                            sum += f64::from(input * i32::from(weight));
                        }
                    }
                    sums.push(sum);
                }
            }
        }
        sums
    }

    /// The squared error of the sums of some samples with other weights, and the sum of their errors.
    fn errors(&self, samples: &[Vec<i8>], codes: &[i8], bias: &[i32]) -> (f64, f64) {
        let differences = samples.iter().flat_map(|sample| {
            let pairs =
                self.sums(sample, codes, bias).into_iter().zip(self.sums(sample, &self.codes, &self.bias));
            pairs.map(|(a, b)| a - b).collect::<Vec<_>>()
        });
        differences.fold((0.0, 0.0), |(square, sum), d| (square + d * d, sum + d))
    }

    /// The codes after packing with members selected by error.
    fn packed(&self, codes: &[i8], request: &Request) -> Vec<i8> {
        let [a, b, c, d] = self.shape;
        let shape = match self.depthwise {
            true => Shape { oc: 1, kh: a, kw: b, ic: c * d },
            false => Shape { oc: a, kh: b, kw: c, ic: d },
        };
        strum_quant::pack(codes, shape, request).unwrap().unpack().unwrap()
    }
}

fn any(request: Request) -> Option<Storage> {
    Some(Storage { request, min_channels: 0, depthwise: true })
}

#[test]
fn sums_are_nearer_on_other_samples_and_their_mean_stays() {
    let mut dice = Dice(4);
    // Minimum gains in decibels for sums; 13.2, 14.7, 12.3 and 1.4, 2.2, 2.0 were measured.
    for (depthwise, sizes, gains) in
        [(false, [24, 6, 3], [9.0, 10.0, 8.0]), (true, [20, 2, 3], [0.7, 1.2, 1.0])]
    {
        let case = Case::new(&mut dice, depthwise, sizes, 60);
        let (seen, others) = case.samples.split_at(50);
        let seen = Case { samples: seen.to_vec(), ..case.clone() };
        let requests = [Kind::Mip2q, Kind::Dliq, Kind::Sparse].map(Request::new);
        let all = seen.round(&requests.map(any));
        for ((request, rounded), gain) in requests.iter().zip(all).zip(gains) {
            let name = request.kind().name();
            let (nearest, _) = case.errors(others, &case.packed(&case.codes, request), &case.bias);
            let (error, _) = case.errors(others, &rounded.codes, &rounded.bias);
            let gained = 10.0 * (nearest / error).log10();
            assert!(gained > gain, "{name}, depthwise {depthwise}: {gained:.2} dB");
            let (square, sum) = case.errors(&seen.samples, &rounded.codes, &rounded.bias);
            let count = (50 * seen.output.iter().product::<usize>() * seen.bias.len()) as f64;
            assert!((sum / count).abs() <= 0.5 && square / count > 1.0, "{name}: {}", sum / count);
        }
    }
}

#[test]
fn inputs_that_differ_are_compensated() {
    let mut dice = Dice(9);
    let case = Case::new(&mut dice, false, [16, 4, 1], 40);
    // The rounded network gives values that are half as far from the zero point.
    let halved: Vec<Vec<i8>> = case
        .samples
        .iter()
        .map(|sample| sample.iter().map(|&x| ((i32::from(x) + 100) / 2 - 100) as i8).collect())
        .collect();
    let small = Case { codes: case.codes.iter().map(|code| code / 3).collect(), ..case };
    let layer = small.layer();
    let rounded =
        layer.round(&Case::views(&small.samples), &Case::views(&halved), &[None]).unwrap().remove(0);
    let exact = small.samples.iter().flat_map(|sample| small.sums(sample, &small.codes, &small.bias));
    let exact: Vec<f64> = exact.collect();
    let error = |codes: &[i8], bias: &[i32]| -> f64 {
        let sums = halved.iter().flat_map(|sample| small.sums(sample, codes, bias));
        sums.zip(&exact).map(|(a, b)| (a - b).powi(2)).sum()
    };
    let (before, after) = (error(&small.codes, &small.bias), error(&rounded.codes, &rounded.bias));
    assert!(after < before / 50.0, "{before:.3e} {after:.3e}");
}

#[test]
fn what_stays_int8_with_exact_inputs_is_unchanged() {
    let mut dice = Dice(2);
    let from =
        |min_channels| Some(Storage { request: Request::new(Kind::Mip2q), min_channels, depthwise: true });
    let dense = Storage::of_any(&Storage::choice("dense").unwrap());
    for depthwise in [false, true] {
        let case = Case::new(&mut dice, depthwise, [7, 2, 3], 3);
        let mut expected = Rounded { codes: case.codes.clone(), bias: case.bias.clone() };
        let list = case.round(&[None, dense, from(16)]);
        // Blocks of a depthwise layer run along all of its channels.
        assert_eq!(list, vec![expected.clone(); 3]);
        expected = case.round(&[from(14)]).remove(0);
        assert_eq!(expected.codes == case.codes, !depthwise);
    }
    let depthwise = Case::new(&mut dice, true, [32, 1, 3], 3);
    let usual = Storage::of(&Storage::choice("mip2q").unwrap());
    assert_eq!(depthwise.round(&[usual]).remove(0).codes, depthwise.codes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn packing_is_lossless(
        seed: u64, depthwise: bool, channels in 1usize..40, outputs in 1usize..4, kernel in 1usize..4,
        w in 0usize..4, low in 0u8..=4, shift in 0usize..3,
    ) {
        let case = Case::new(&mut Dice(seed), depthwise, [channels, outputs, kernel], 4);
        let w = [4u8, 8, 16, 32][w];
        let shift = [Shift::AutoLayer, Shift::AutoChannel, Shift::Fixed(2)][shift];
        let requests: Vec<Request> =
            Kind::ALL.iter().map(|&kind| Request { w, low: w / 4 * low, shift, ..Request::new(kind) }).collect();
        let formats: Vec<_> = requests.iter().map(|&request| any(request)).collect();
        let all = case.round(&formats);
        for (request, rounded) in requests.iter().zip(&all) {
            prop_assert_eq!(&case.packed(&rounded.codes, request), &rounded.codes, "{}", request.kind().name());
        }
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert_eq!(alone.install(|| case.round(&formats)), all);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new(&mut Dice(1), false, [8, 2, 1], 2);
    let views = Case::views(&case.samples);
    let refused = |layer: IntLayer<'_>, exact: &[&[i8]], rounded: &[&[i8]]| {
        layer.round(exact, rounded, &[any(Request::new(Kind::Mip2q))]).unwrap_err().reason
    };
    let layer = case.layer();
    assert_eq!(refused(layer, &[], &[]), "samples of the rounded network: 0 given, expected 1");
    assert_eq!(refused(layer, &views, &views[1..]), "samples of the rounded network: 1 given, expected 2");
    assert_eq!(refused(layer, &[&[1]], &[&[1]]), "codes of a sample: 1 given, expected 160");
    assert_eq!(refused(IntLayer { bias: &[1], ..layer }, &views, &views), "biases: 1 given, expected 2");
    assert_eq!(refused(IntLayer { codes: &[1], ..layer }, &views, &views), "weights: 1 given, expected 16");
    let other = IntLayer { input: [1, 5, 4, 7], ..layer };
    assert_eq!(refused(other, &views, &views), "input channels: 7 given, expected 8");
    let format = any(Request {
        method: strum_formats::Method::Mip2q { l: 9, zero: false },
        ..Request::new(Kind::Mip2q)
    });
    assert!(layer.round(&views, &views, &[format]).unwrap_err().reason.contains("0..=7"));
}

#[test]
fn sums_that_could_overflow_are_refused_unless_they_could_before() {
    let mut case = Case::new(&mut Dice(1), false, [16, 1, 1], 2);
    // 16 · 65 · 255 above a bias of 2^31 − 1 − 16 · 64 · 255: low members become 64, and high ones make up for it.
    case.codes = vec![65, 65, 65, 65, 65, 65, 65, 65, 63, 63, 63, 63, 63, 63, 63, 63];
    case.bias = vec![i32::MAX - 16 * 64 * 255];
    let views = Case::views(&case.samples);
    let halved: Vec<Vec<i8>> = case.samples.iter().map(|s| s.iter().map(|&x| x / 2 - 50).collect()).collect();
    let halved = Case::views(&halved);
    let format = any(Request::new(Kind::Mip2q));
    let error = case.layer().round(&views, &halved, &[format]).unwrap_err();
    assert!(error.reason.contains("accumulators could overflow 32 bits"), "{}", error.reason);
    case.bias = vec![i32::MAX - 16 * 64 * 255 + 1];
    assert!(case.layer().round(&views, &halved, &[format]).is_ok());
}
