//! Measured designs in a folder, by the hash of all that they depend on, so that an interrupted search goes on.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::operands::Layer;
use super::point::Point;
use super::{ExploreError, Setup};
use crate::spec::Spec;
use crate::toolchain::ToolError;

/// Digest of this program: what another build has measured is not taken for its own.
pub(super) fn program() -> String {
    let bytes = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The point that an earlier run has kept, or what `measure` gives, which is then kept.
pub(super) fn kept(
    spec: &Spec,
    layers: &[&Layer],
    setup: &Setup<'_>,
    program: &str,
    measure: impl FnOnce() -> Result<Point, ExploreError>,
) -> Result<Point, ExploreError> {
    let Some(folder) = &setup.results else { return measure() };
    let mut text = format!(
        "{program}\n{spec:?}\n{}\n{} {:?} {}\n{:?}\n",
        setup.library.digest,
        setup.options.period_ps,
        setup.options.adders,
        setup.options.yosys.version,
        setup.conditions
    );
    for layer in layers {
        let _ = writeln!(text, "{} {}", layer.case, layer.digest);
    }
    let key = hex(&Sha256::digest(text));
    let path = folder.join(format!("point-{}.json", key.get(..32).unwrap_or(&key)));
    // A damaged file counts as absent, and is replaced.
    if let Some(point) = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        return Ok(point);
    }
    let point = measure()?;
    std::fs::create_dir_all(folder).map_err(ToolError::io(folder))?;
    let io = |error: std::io::Error| ToolError::io(&path)(error);
    // Readers see a whole file or none.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    serde_json::to_writer(&mut file, &point).map_err(|error| io(error.into()))?;
    file.persist(&path).map_err(|error| io(error.error))?;
    Ok(point)
}
