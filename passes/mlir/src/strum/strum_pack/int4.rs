//! Weights of 4 bits as they are: all members low, codes of 4 bits, no mask.

use strum_formats::{DliqShift, Format, Method, Shape, set_bytes};
use strum_quant::{Request, Select, Shift};

use crate::common::tosa::literal::Literal;

/// Block lengths; of those that take the same bytes the first is chosen.
const BLOCKS: [u8; 4] = [16, 8, 4, 32];

/// The request that stores these weights exactly in the fewest bytes; `None` if it saves none, or a weight is outside -8 to 7.
pub(super) fn request(codes: &Literal<'_>, shape: Shape) -> Option<Request> {
    let bytes = codes.bytes();
    if !bytes.iter().all(|byte| (-8..=7).contains(&byte.cast_signed())) {
        return None;
    }
    let method = Method::Dliq { q: 4, shift: DliqShift::Layer(0) };
    let size = |w: u8| set_bytes(Format { w, low: w, method }, shape).ok();
    let w = BLOCKS.into_iter().filter_map(|w| Some((size(w)?, w))).min_by_key(|&(bytes, _)| bytes)?;
    let dense = set_bytes(Format::DENSE, shape).ok()?;
    let request = Request { w: w.1, low: w.1, method, shift: Shift::Fixed(0), select: Select::Error };
    (w.0 < dense).then_some(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::tosa::elem::Elem;

    fn block(values: &[i32], taps: usize) -> Option<u8> {
        let ic = values.len() / taps;
        let shape = [1, 1, taps, ic].map(|d| u64::try_from(d).unwrap()).to_vec();
        let literal = Literal::from_values(shape, Elem::I8, values).unwrap();
        request(&literal, Shape { oc: 1, kh: 1, kw: taps, ic }).map(|request| request.w)
    }

    #[test]
    fn blocks_are_those_of_the_fewest_bytes() {
        assert_eq!(block(&[-8; 32], 1), Some(16));
        assert_eq!(block(&[7; 9 * 24], 9), Some(8));
        assert_eq!(block(&[7; 9 * 4], 9), Some(4));
        // Three channels in blocks of four take 16 bits, and 24 as they are.
        assert_eq!(block(&[1; 9 * 3], 9), None, "both take 32 bytes");
        assert_eq!(block(&[1; 16 * 3], 16), Some(4));
    }

    #[test]
    fn weights_beyond_4_bits_are_not_stored_in_them() {
        assert_eq!(block(&[8; 32], 1), None);
        assert_eq!(block(&[-9; 32], 1), None);
    }
}
