//! Damaged files. Invariant: whatever the bytes, an import ends, in a network or in lines of a refusal.

use proptest::prelude::*;

use super::*;

/// A file with operators of every kind of reading: shapes, constants, windows, quantization.
fn seed() -> Vec<u8> {
    let net = file(13)
        .input("x", FLOAT, &[-1, 3, 8, 8])
        .output("y")
        .constant("w", FLOAT, &[4, 3, 3, 3], &wave(108))
        .constant("s", FLOAT, &[], &[0.05])
        .constant("z", INT8, &[], &[3.0])
        .constant("c", INT8, &[4, 4, 1, 1], &wave(16))
        .constant("list", INT64, &[2], &[1.0, -1.0])
        .constant("sizes", INT64, &[4], &[1.0, 4.0, 16.0, 16.0])
        .node("QuantizeLinear", "x s z", "q", vec![])
        .node("DequantizeLinear", "q s z", "d", vec![])
        .node("QuantizeLinear", "w s z", "w_q", vec![])
        .node("DequantizeLinear", "w_q s z", "w_d", vec![])
        .node("Conv", "d w_d", "v", vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])])
        .node("Relu", "v", "r", vec![])
        .node("QuantizeLinear", "r s z", "r_q", vec![])
        .node("DequantizeLinear", "r_q s z", "r_d", vec![])
        .node("MaxPool", "r_d", "p", vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .node("Resize", "p - - sizes", "up", vec![text("mode", "nearest")])
        .node("Shape", "up", "shape", vec![])
        .node("ConstantOfShape", "shape", "zeros", vec![])
        .node("Reshape", "up list", "flat", vec![])
        .node("QuantizeLinear", "flat s z", "out", vec![])
        .node("DequantizeLinear", "out s z", "y", vec![]);
    net.0.encode_to_vec()
}

#[test]
fn the_file_before_it_is_damaged_is_read() {
    let network = crate::import(&seed(), &Options::default()).unwrap();
    assert_eq!(network.graph.shape(network.graph.outputs[0].id), [1, 1024]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_files_are_read_or_refused_in_lines(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(),
        truncate in any::<bool>(),
    ) {
        let mut bytes = seed();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if truncate {
            bytes.truncate(keep.index(bytes.len()));
        }
        if let Err(refusal) = crate::import(&bytes, &Options::default()) {
            prop_assert!(!refusal.causes.is_empty());
            for cause in &refusal.causes {
                prop_assert!(!cause.to_string().contains('\n'), "{cause}");
            }
        }
    }
}
