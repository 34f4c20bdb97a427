//! Mapping a hierarchical design to the cells of a library, by Yosys.
//!
//! Modules are mapped one by one and flattened at the end, so that every cell knows its unit: the path of instances that it is
//! in. Adders, clock gates and registers are instantiated as the library's cells, so that the result does not depend on how
//! well the synthesizer finds them. The same design, library, options and tool give the same result; it is kept in a folder
//! under a hash of these.
//!
//! Limits: constants are nets without cells, and buffers are inserted within modules only.

mod cache;
mod netlist;
mod script;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::liberty::{LibertyError, Library};
use crate::toolchain::{ToolError, Yosys};

pub(crate) use netlist::within;
pub use netlist::{Connection, Instance, Mapped, Port, UnitArea};

/// How adders are mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adders {
    /// As the library's full and half adder cells; half adders as gates where there is no such cell.
    #[default]
    Cells,
    /// As gates.
    Gates,
}

/// Options of the mapping.
#[derive(Clone, Debug)]
pub struct Options {
    /// Clock period that the mapping aims at, ps.
    pub period_ps: u32,
    /// How adders are mapped.
    pub adders: Adders,
    /// Where results are kept; without it they are not.
    pub cache: Option<PathBuf>,
    /// The longest that the synthesizer may run.
    pub limit: Duration,
    /// The synthesizer.
    pub yosys: Yosys,
}

impl Options {
    /// The default options with a synthesizer: 5 ns, adder cells, no cache, ten minutes.
    pub fn new(yosys: Yosys) -> Options {
        Options {
            period_ps: 5000,
            adders: Adders::Cells,
            cache: None,
            limit: Duration::from_secs(600),
            yosys,
        }
    }
}

/// Why a design could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The library lacks something.
    #[error(transparent)]
    Liberty(#[from] LibertyError),
    /// The synthesizer is missing, failed, or took too long.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The synthesizer's netlist cannot be read.
    #[error("the synthesizer's netlist cannot be read: {0}")]
    Netlist(#[from] serde_json::Error),
    /// The design has no such top module.
    #[error("the synthesizer's netlist has no module '{0}'")]
    NoTop(String),
    /// Cells remain that are not the library's.
    #[error("{count} cells are not of the library, the first '{cell}' of type '{kind}'")]
    Unmapped {
        /// How many.
        count: usize,
        /// Name of the first.
        cell: String,
        /// Its type.
        kind: String,
    },
    /// A pin of a cell is missing or wrong.
    #[error("cell '{cell}' of type '{kind}': pin '{pin}' {what}")]
    Pin {
        /// Name of the cell.
        cell: String,
        /// Its type.
        kind: String,
        /// The pin.
        pin: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Two outputs drive one net.
    #[error("cell '{cell}': its output '{pin}' drives a net that is driven already")]
    Drivers {
        /// The second driver.
        cell: String,
        /// Its pin.
        pin: String,
    },
}

/// Maps a design.
///
/// # Errors
///
/// [`SynthError`]: what the library lacks, what the synthesizer reports, or cells left unmapped.
pub fn map(design: &str, top: &str, library: &Library, options: &Options) -> Result<Mapped, SynthError> {
    let inputs = script::Inputs::new(design, top, library, options)?;
    let key = inputs.key(library, options);
    if let Some(folder) = &options.cache
        && let Some(mapped) = cache::load(folder, &key)
    {
        return Ok(mapped);
    }
    let folder = tempfile::tempdir().map_err(ToolError::io(&std::env::temp_dir()))?;
    inputs.write(folder.path(), &library.export()?)?;
    let log = options.yosys.run(folder.path(), script::SCRIPT, options.limit)?;
    let read = |name: &str| {
        let path = folder.path().join(name);
        std::fs::read_to_string(&path).map_err(ToolError::io(&path))
    };
    let mut mapped = netlist::read(&read(script::NETLIST)?, top, library)?;
    mapped.verilog = read(script::VERILOG)?;
    mapped.tool = options.yosys.version.clone();
    mapped.period_ps = options.period_ps;
    mapped.abc_delay_ps = script::longest_delay(&log);
    if let Some(folder) = &options.cache {
        cache::store(folder, &key, &mapped)?;
    }
    Ok(mapped)
}
