//! Weights a second, on one thread, of packing and of decoding: `cargo run --release -p strum-quant --example pack_throughput`.

use std::time::Instant;
use strum_formats::{Kind, Shape};
use strum_quant::{QuantError, Request, Select, Sqnr, pack};

fn main() -> Result<(), QuantError> {
    let shape = Shape { oc: 256, kh: 3, kw: 3, ic: 1024 };
    // Sums of uniform bytes: close enough to the bell shape of real weights.
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as i32
    };
    let codes: Vec<i8> =
        (0..shape.weights()?).map(|_| ((byte() + byte() + byte() + byte() - 510) / 4) as i8).collect();
    let weights = codes.len() as f64;
    let cases = [
        ("dense", Request::new(Kind::Dense)),
        ("sparse", Request::new(Kind::Sparse)),
        ("dliq, shift searched", Request::new(Kind::Dliq)),
        ("mip2q by error", Request::new(Kind::Mip2q)),
        ("mip2q by magnitude", Request { select: Select::Magnitude, ..Request::new(Kind::Mip2q) }),
        ("mip2q by error, w = 32", Request { w: 32, low: 16, ..Request::new(Kind::Mip2q) }),
        ("mip2q by error, w = 4", Request { w: 4, low: 2, ..Request::new(Kind::Mip2q) }),
    ];
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else { return Ok(()) };
    pool.install(|| {
        for (name, request) in cases {
            let start = Instant::now();
            let packed = pack(&codes, shape, &request)?;
            let pack = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let decoded = packed.unpack()?;
            let unpack = start.elapsed().as_secs_f64();
            let mut sqnr = Sqnr::default();
            sqnr.add_codes(&codes, &decoded)?;
            let sqnr = sqnr.db();
            println!(
                "{name:<24} {:6.0} M/s packed, {:6.0} M/s decoded, {sqnr:.1} dB",
                weights / pack / 1e6,
                weights / unpack / 1e6,
            );
        }
        Ok(())
    })
}
