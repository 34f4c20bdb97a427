//! The kernel for AVX-512 with VNNI.

mod binary;
mod block;
mod decode;
mod depthwise;
mod store;

use std::arch::is_x86_feature_detected;

use super::Vectorize;

pub(super) use binary::binary;
pub(super) use block::{VECTORS, block, pixels};
pub(super) use decode::{can_decode, decode};
pub(super) use depthwise::depthwise;
pub(super) use store::store_scaled;

/// Whether the host supports the instructions.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

/// Runs work compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn vectorize<V: Vectorize>(work: V) -> V::Output {
    work.run()
}
