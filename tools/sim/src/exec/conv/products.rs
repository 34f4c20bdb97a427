//! The inner loops of convolution: all code worth optimizing, behind two functions.
//!
//! Both work on plain slices and do not depend on instructions or memories, so that another implementation
//! (wider vectors, threads) can replace them independently. Sums wrap at 32 bits, in any order.

/// Patch and weight set lengths are multiples of this; the padding is zero.
pub(super) const LANES: usize = 16;

/// `acc[pixel][channel] += Σ_i patches[pixel][i] · weights[channel][i]`.
///
/// `patches` holds rows of `k` values, `weights` one row of `k` values for each of `channels` channels, `acc` rows of
/// `channels` sums. Products of 9-bit activations and weights fit 18 bits. `k` and `channels` are not 0.
pub(super) fn accumulate(patches: &[i16], weights: &[i16], k: usize, channels: usize, acc: &mut [i32]) {
    for (patch, sums) in patches.chunks_exact(k).zip(acc.chunks_exact_mut(channels)) {
        let mut sets = weights.chunks_exact(4 * k);
        let mut quads = sums.chunks_exact_mut(4);
        for (quad, set) in (&mut quads).zip(&mut sets) {
            add(quad, dot4(patch, set));
        }
        for (sum, set) in quads.into_remainder().iter_mut().zip(sets.remainder().chunks_exact(k)) {
            *sum = sum.wrapping_add(dot(patch, set));
        }
    }
}

fn add(sums: &mut [i32], more: [i32; 4]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.wrapping_add(more);
    }
}

/// Four dot products that share the load of the patch. `set` holds four consecutive rows.
fn dot4(patch: &[i16], set: &[i16]) -> [i32; 4] {
    let k = patch.len();
    let (ab, cd) = set.split_at(2 * k);
    let ((a, b), (c, d)) = (ab.split_at(k), cd.split_at(k));
    let mut sums = [0i32; 4];
    for ((((&x, &a), &b), &c), &d) in patch.iter().zip(a).zip(b).zip(c).zip(d) {
        let x = i32::from(x);
        let products = [x * i32::from(a), x * i32::from(b), x * i32::from(c), x * i32::from(d)];
        for (sum, product) in sums.iter_mut().zip(products) {
            *sum = sum.wrapping_add(product);
        }
    }
    sums
}

fn dot(patch: &[i16], set: &[i16]) -> i32 {
    let products = patch.iter().zip(set).map(|(&x, &w)| i32::from(x) * i32::from(w));
    products.fold(0, i32::wrapping_add)
}

/// `acc[c·m + j] += (act[c] − zero_point) · weights[c·m + j]` for `j` below `m`: one tap of one depthwise pixel.
///
/// `act` holds `i8` values; `weights` and `acc` have `m` values for each of them.
pub(super) fn accumulate_depthwise(act: &[u8], zero_point: i16, weights: &[i16], m: usize, acc: &mut [i32]) {
    let value = |b: &u8| i32::from(i16::from(b.cast_signed()) - zero_point);
    if m == 1 {
        for ((sum, x), &w) in acc.iter_mut().zip(act).zip(weights) {
            *sum = sum.wrapping_add(value(x) * i32::from(w));
        }
        return;
    }
    for ((sums, x), ws) in acc.chunks_exact_mut(m).zip(act).zip(weights.chunks_exact(m)) {
        let x = value(x);
        for (sum, &w) in sums.iter_mut().zip(ws) {
            *sum = sum.wrapping_add(x * i32::from(w));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Pixels, channels, products per pixel and channel, and the two operands.
    fn operands() -> impl Strategy<Value = (usize, usize, usize, Vec<i16>, Vec<i16>)> {
        let values = |n: usize| vec(-383..=383i16, n);
        (1..=3usize, 1..=9usize, 1..=3usize).prop_flat_map(move |(pixels, channels, vectors)| {
            let k = LANES * vectors;
            (Just(pixels), Just(channels), Just(k), values(pixels * k), values(channels * k))
        })
    }

    proptest! {
        #[test]
        fn sums_of_products_for_every_shape((pixels, channels, k, patches, weights) in operands()) {
            let mut acc: Vec<i32> = (0..pixels * channels).map(|i| i32::MAX - i as i32).collect();
            let mut want = acc.clone();
            for p in 0..pixels {
                for c in 0..channels {
                    for i in 0..k {
                        let product = i64::from(patches[p * k + i]) * i64::from(weights[c * k + i]);
                        want[p * channels + c] = (i64::from(want[p * channels + c]) + product) as i32;
                    }
                }
            }
            accumulate(&patches, &weights, k, channels, &mut acc);
            prop_assert_eq!(acc, want);
        }
    }

    #[test]
    fn depthwise_multipliers_repeat_the_activation() {
        let mut acc = [1, 1, 1, i32::MAX];
        accumulate_depthwise(&[2, 0xff], -1, &[10, 20, 30, 40], 2, &mut acc);
        assert_eq!(acc, [31, 61, 1, i32::MAX]);
        let mut acc = [1, i32::MAX];
        accumulate_depthwise(&[2, 0x7f], -128, &[10, 1], 1, &mut acc);
        assert_eq!(acc, [1301, i32::MAX.wrapping_add(255)]);
    }
}
