//! Float operators against results of ONNX Runtime 1.32.

use super::*;

/// Compares with ONNX Runtime, which rounds sums in single precision.
fn same(net: &File, shape: &[usize], x: &[f64], to: &[usize], expected: &[f64]) {
    close(&net.run(&[(shape, x)]), to, expected);
}

fn resized(shape: &[i64], to: Result<&[f64], &[f64]>, attributes: Vec<Attribute>) -> File {
    let none = Tensor::default;
    let list = |name: &str, elem, list: &[f64]| tensor(name, elem, &[list.len() as i64], list);
    match to {
        Ok(sizes) => one(18, "Resize", shape, &[none(), none(), list("n", INT64, sizes)], attributes),
        Err(scales) => one(18, "Resize", shape, &[none(), list("s", FLOAT, scales)], attributes),
    }
}

#[test]
fn cubic_resizing_is_a_product_by_its_weights() {
    let x = [1.0, 5.0, 2.0, 4.0];
    let run = |to: Result<&[f64], &[f64]>, attributes: Vec<Attribute>, expected: &[f64]| {
        let net = resized(&[1, 1, 1, 4], to, attributes);
        same(&net, &[1, 1, 1, 4], &x, &[1, 1, 1, expected.len()], expected);
    };
    let cubic = || text("mode", "cubic");
    let six: &[f64] = &[1.0, 1.0, 1.0, 6.0];
    run(Ok(six), vec![cubic()], &[0.652_778_1, 3.281_25, 4.881_946_6, 2.326_389_6, 2.718_75, 4.173_611_2]);
    let inside = vec![cubic(), int("exclude_outside", 1), float("cubic_coeff_a", -0.5)];
    run(Ok(six), inside, &[0.736_843_2, 3.058_823_6, 4.847_221_9, 2.291_667_5, 2.882_353_1, 4.131_579]);
    let moved = vec![cubic(), text("coordinate_transformation_mode", "asymmetric")];
    run(Err(&[1.0, 1.0, 1.0, 0.75]), moved, &[1.0, 4.388_887_4, 3.203_705_8]);
    let codes: Vec<_> =
        resized(&[1, 2, 3, 4], Ok(&[1.0, 2.0, 6.0, 4.0]), vec![cubic()]).network().graph.nodes;
    assert_eq!(codes.iter().filter(|node| node.name == "conv2d").count(), 1, "columns stay");
}

#[test]
fn linear_resizing_beyond_what_tosa_has_is_a_product_as_well() {
    let x = [1.0, 5.0, 2.0, 4.0];
    let run = |scale: f64, coordinates: &str, expected: &[f64]| {
        let attributes = vec![text("mode", "linear"), text("coordinate_transformation_mode", coordinates)];
        let net = resized(&[1, 1, 1, 4], Err(&[1.0, 1.0, 1.0, scale]), attributes);
        same(&net, &[1, 1, 1, 4], &x, &[1, 1, 1, expected.len()], expected);
    };
    run(0.6, "half_pixel_symmetric", &[3.666_666_7, 2.666_666_7]);
    run(1.250_123_4, "half_pixel", &[1.0, 3.799_526_2, 3.500_592_2, 2.599_447_3, 4.0]);
}

#[test]
fn images_keep_their_aspect_if_asked() {
    let x = [1.0, 5.0, 2.0, 4.0, 3.0, 6.0];
    let run = |policy: &str, sizes: &[f64]| {
        let attributes = vec![text("keep_aspect_ratio_policy", policy), ints("axes", &[2, 3])];
        resized(&[1, 1, 2, 3], Ok(sizes), attributes).run(&[(&[1, 1, 2, 3], &x)])
    };
    let small = [1.0, 1.0, 5.0, 2.0, 2.0, 1.0, 1.0, 5.0, 2.0, 2.0, 4.0, 4.0, 3.0, 6.0, 6.0];
    close(&run("not_larger", &[7.0, 5.0]), &[1, 1, 3, 5], &small);
    let large = [1.0, 5.0, 5.0, 2.0, 4.0, 3.0, 3.0, 6.0, 4.0, 3.0, 3.0, 6.0];
    close(&run("not_smaller", &[1.0, 4.0]), &[1, 1, 3, 4], &large);
    // Without sizes there is nothing to adapt.
    let scales = [tensor("s", FLOAT, &[4], &[1.0, 1.0, 3.0, 2.0]), tensor("n", INT64, &[0], &[])];
    let scales = [&[Tensor::default()], &scales[..]].concat();
    let free =
        one(18, "Resize", &[1, 1, 1, 2], &scales, vec![text("keep_aspect_ratio_policy", "not_larger")]);
    same(&free, &[1, 1, 1, 2], &[7.0, 8.0], &[1, 1, 3, 4], &[7.0, 7.0, 8.0, 8.0].repeat(3));
    // One pixel becomes many.
    let flat = resized(&[1, 1, 1, 2], Ok(&[1.0, 1.0, 3.0, 2.0]), vec![]);
    same(&flat, &[1, 1, 1, 2], &[7.0, 8.0], &[1, 1, 3, 2], &[7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
}

#[test]
fn sums_of_products_are_those_of_their_equation() {
    let run = |equation: &str, shape: &[usize], w: Option<Tensor>, to: &[usize], expected: &[f64]| {
        let x: Vec<f64> = (0..shape.iter().product::<usize>()).map(|i| i as f64).collect();
        let wide: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        let net = one(13, "Einsum", &wide, w.as_slice(), vec![text("equation", equation)]);
        same(&net, shape, &x, to, expected);
        net.network().graph.nodes
    };
    let w = |dims: &[i64], values: &[f64]| Some(tensor("w", FLOAT, dims, values));
    let batch: Vec<f64> = (0..12).map(|i| f64::from(i) - 5.0).collect();
    let expected = [-5.0, -32.0, 67.0, 94.0, -2.0, -20.0, 88.0, 124.0];
    run("bij,bjk->kbi", &[2, 2, 3], w(&[2, 3, 2], &batch), &[2, 2, 2], &expected);
    let matrix = w(&[2, 3], &[1.0, 2.0, 3.0, 0.0, -1.0, 1.0]);
    let nodes = run("abc, dc -> abd", &[1, 2, 3], matrix, &[1, 2, 2], &[8.0, 1.0, 26.0, 1.0]);
    assert!(nodes.iter().any(|node| node.name == "conv2d"), "by weights");
    run("abc->ca", &[2, 2, 3], None, &[3, 2], &[3.0, 15.0, 5.0, 17.0, 7.0, 19.0]);
    let square = w(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    run("ba,bd", &[2, 3], square, &[3, 2], &[9.0, 12.0, 13.0, 18.0, 17.0, 24.0]);
}

#[test]
fn other_equations_are_refused() {
    let said = |equation: &str, shape: &[i64], w: &[Tensor]| {
        let refusal = one(13, "Einsum", shape, w, vec![text("equation", equation)]).refusal();
        refusal.replacen("Einsum 'y': ", "", 1)
    };
    let w = || [tensor("w", FLOAT, &[2, 2], &[1.0; 4])];
    let cases = [
        (said("...a->a", &[2, 2], &[]), "the equation '...a->a': only letters are supported as axes"),
        (said("ab->c", &[2, 2], &[]), "the equation 'ab->c' for 1 operands"),
        (said("ab,bc", &[2, 2], &[]), "the equation 'ab,bc' for 1 operands"),
        (said("abc->a", &[2, 2], &[]), "the equation 'abc->a' for an operand of shape [2, 2]"),
        (said("ab,bc->ac", &[2, 3], &w()), "[2, 3] times [2, 2]"),
        (
            said("aa->a", &[2, 2], &[]),
            "the equation 'aa->a': one or two operands without diagonals are supported",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let none = one(13, "Einsum", &[2, 2], &[], vec![]).refusal();
    assert_eq!(none, "Einsum 'y': the attribute 'equation' is missing");
}

#[test]
fn norms_are_their_definitions() {
    let x = [1.0, -2.0, 3.0, -4.0, 0.0];
    let pool = |attributes: Vec<Attribute>, expected: &[f64]| {
        let net = one(18, "LpPool", &[1, 1, 5], &[], attributes);
        same(&net, &[1, 1, 5], &x, &[1, 1, expected.len()], expected);
    };
    for (p, middle) in [(1, 5.0), (2, 3.605_551_2), (3, 3.271_066_4)] {
        let window = [ints("kernel_shape", &[2]), ints("strides", &[2]), ints("pads", &[1, 1])];
        pool([&window[..], &[int("p", p)]].concat(), &[1.0, middle, 4.0]);
    }
    let up = vec![ints("kernel_shape", &[3]), ints("strides", &[3]), int("ceil_mode", 1)];
    pool(up, &[3.741_657_5, 4.0]);
    let high = vec![ints("kernel_shape", &[3]), int("p", 17)];
    let refusal = one(18, "LpPool", &[1, 1, 5], &[], high).refusal();
    assert_eq!(refusal, "LpPool 'y': the attribute 'p' must be 1 to 16, got 17");
    let x = [3.0, 0.0, 4.0, 0.0, 0.0, 0.0];
    for (p, [a, b]) in [(1, [0.428_571_4, 0.571_428_6]), (2, [0.6, 0.8])] {
        let net = one(18, "LpNormalization", &[2, 3], &[], vec![int("p", p), int("axis", 1)]);
        same(&net, &[2, 3], &x, &[2, 3], &[a, 0.0, b, 0.0, 0.0, 0.0]);
    }
    let refusal = one(18, "LpNormalization", &[2, 3], &[], vec![int("p", 3)]).refusal();
    assert_eq!(refusal, "LpNormalization 'y': the attribute 'p' is supported as 1 and 2, got 3");
    let scale = tensor("s", FLOAT, &[2], &[1.0, 2.0]);
    let net = one(23, "RMSNormalization", &[2, 2], &[scale], vec![]);
    let mean_square = [0.848_527_8, 2.262_740_9, 0.447_213_2, 2.683_279];
    same(&net, &[2, 2], &[3.0, 4.0, 1.0, 3.0], &[2, 2], &mean_square);
    let x = [1.0, 3.0, 2.0, 6.0, 0.0, 0.0, 5.0, 1.0];
    let whole = [-1.069_044_9, 0.0, -0.534_522_5, 1.603_567_4, -0.727_606_9, -0.727_606_9, 1.697_749_4];
    let net = one(13, "MeanVarianceNormalization", &[1, 2, 2, 2], &[], vec![]);
    same(&net, &[1, 2, 2, 2], &x, &[1, 2, 2, 2], &[&whole[..], &[-0.242_535_6]].concat());
    let net = one(13, "MeanVarianceNormalization", &[1, 2, 2, 2], &[], vec![ints("axes", &[1])]);
    same(&net, &[1, 2, 2, 2], &x, &[1, 2, 2, 2], &[1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0]);
}

#[test]
fn activations_of_the_domain_of_onnx_runtime_are_its_own() {
    let run = |kind: &str, bias: bool, expected: &[f64; 4]| {
        let bias = bias.then(|| tensor("b", FLOAT, &[4], &[0.5, -1.0, 0.0, 1.0]));
        let net = one(17, &format!("{kind}@com.microsoft"), &[4], bias.as_slice(), vec![]);
        same(&net, &[4], &[-3.0, -0.5, 0.5, 2.0], &[4], expected);
    };
    run("BiasGelu", true, &[-0.015_524_1, -0.100_210_8, 0.345_731_2, 2.995_950_2]);
    run("FastGelu", true, &[-0.015_084_3, -0.100_428_4, 0.345_714, 2.996_362_7]);
    run("FastGelu", false, &[-0.003_637_5, -0.154_286, 0.345_714, 1.954_597_7]);
    run("QuickGelu", false, &[-0.018_071_3, -0.149_611_6, 0.350_388_4, 1.935_658_7]);
}
