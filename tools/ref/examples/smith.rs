//! Writes random cases to files: `cargo run --release -p strum-ref --example smith -- DIR KIND FIRST_SEED COUNT [large]`,
//! where KIND is an operator, `graph`, `rewrites`, or `all`, and `large` makes the operators large. A case is `KIND-SEED.mlir` with its `KIND-SEED.in0.npy`, `….out0.npy` and so on.

use std::error::Error;
use std::fs;
use std::path::Path;
use strum_ref::Tensor;
use strum_ref::smith::{self, Case, Kind, Size};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (dir, kind, first, count, size) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [dir, kind, first, count] => (dir, kind, first, count, Size::Small),
        [dir, kind, first, count, "large"] => (dir, kind, first, count, Size::Large),
        _ => return Err("expected DIR KIND FIRST_SEED COUNT [large]".into()),
    };
    let (first, count): (u64, u64) = (first.parse()?, count.parse()?);
    let dir = Path::new(dir);
    fs::create_dir_all(dir)?;
    for seed in first..first.saturating_add(count) {
        for &of in Kind::ALL.iter().filter(|of| kind == "all" || of.name() == kind) {
            write(dir, &format!("{}-{seed}", of.name()), &smith::sized_op(of, size, seed)?)?;
        }
        if kind == "all" || kind == "graph" {
            write(dir, &format!("graph-{seed}"), &smith::graph(seed)?)?;
        }
        if kind == "all" || kind == "rewrites" {
            write(dir, &format!("rewrites-{seed}"), &smith::rewrites(seed)?)?;
        }
    }
    Ok(())
}

fn write(dir: &Path, name: &str, case: &Case) -> Result<(), Box<dyn Error>> {
    fs::write(dir.join(format!("{name}.mlir")), &case.mlir)?;
    let npy = |side: &str, tensors: &[Tensor]| -> Result<(), Box<dyn Error>> {
        for (i, tensor) in tensors.iter().enumerate() {
            fs::write(dir.join(format!("{name}.{side}{i}.npy")), tensor.to_npy()?)?;
        }
        Ok(())
    };
    npy("in", &case.inputs)?;
    npy("out", &case.outputs)
}
