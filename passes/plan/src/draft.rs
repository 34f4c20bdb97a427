//! The draft of a program: buffers without addresses and tasks without barriers, in a legal sequential order.
//!
//! Invariant: executing `tasks` one after the other, each against its own buffers, gives the network's result. All
//! later stages (allocation, dependences, barriers) only add addresses and concurrency.

use std::sync::Arc;

use dpu_isa::{Dtype, FieldKind, Instr, Space};

use crate::error::{PlanError, mul};

/// The maximum number of tasks of a draft.
pub const MAX_TASKS: usize = 4_000_000;

/// Names a buffer of one draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(u32);

impl BufferId {
    /// The index of the buffer in [`Draft::buffers`].
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The buffer at `index` of [`Draft::buffers`].
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub fn from_index(index: usize) -> Result<Self, PlanError> {
        index_of(index, "buffers of a program").map(BufferId)
    }
}

/// The role of a buffer outside the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A network input, written before the program starts.
    Input {
        /// The name under which the input is given.
        name: String,
    },
    /// A network output, read after the program has ended.
    Output {
        /// The name under which the output is returned.
        name: String,
    },
    /// Constant bytes, part of the program image; never written.
    Const(Arc<[u8]>),
    /// Written and read by the program only.
    Scratch,
}

/// A piece of memory: a contiguous row-major tensor, or raw bytes (dtype I8, rank 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// DRAM or SRAM.
    pub space: Space,
    /// Element type.
    pub dtype: Dtype,
    /// Extents in elements, outermost first; rank 0 is a scalar.
    pub shape: Vec<u64>,
    /// Size in bytes, at least that of the tensor.
    pub bytes: u64,
    /// Alignment of the address in bytes, a power of two.
    pub align: u64,
    /// The role of the buffer outside the program.
    pub role: Role,
}

/// One instruction on buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The instruction. Address fields hold the offset within their buffer; `wait` and `post` are 0.
    pub instr: Instr,
    /// For every address field in use: its index in `instr.desc().fields` and the buffer it points into.
    pub bufs: Vec<(usize, BufferId)>,
    /// Index of the layer in [`Draft::layers`].
    pub layer: u32,
}

impl Task {
    /// The buffer behind the address field `field`, if that field is in use.
    pub fn buffer(&self, field: &str) -> Option<BufferId> {
        let fields = self.instr.desc().fields;
        self.bufs.iter().find(|(i, _)| fields.get(*i).is_some_and(|f| f.name == field)).map(|(_, id)| *id)
    }
}

/// A layer of the source network, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    /// Name of the layer.
    pub name: String,
    /// Operator of the layer, as reports print it.
    pub op: String,
    /// Opaque to the planner: lets the caller find the source op.
    pub loc: u32,
    /// Multiply-accumulates of the layer.
    pub macs: u64,
}

/// `index` as programs store it; there is a limit to how many of `what` they hold.
fn index_of(index: usize, what: &str) -> Result<u32, PlanError> {
    u32::try_from(index).map_err(|_| PlanError::resource(what, index as u64, u64::from(u32::MAX)))
}

/// A program under construction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// All buffers; [`BufferId`] is the index.
    pub buffers: Vec<Buffer>,
    /// All tasks in a legal sequential order.
    pub tasks: Vec<Task>,
    /// The layers; [`Task::layer`] is the index.
    pub layers: Vec<LayerInfo>,
}

impl Draft {
    /// An empty draft.
    pub fn new() -> Self {
        Draft::default()
    }

    /// Begins a layer: the tasks that follow belong to it. Returns its index.
    ///
    /// # Errors
    /// A resource error if there are too many layers.
    pub fn layer(
        &mut self,
        name: impl Into<String>,
        op: impl Into<String>,
        loc: u32,
        macs: u64,
    ) -> Result<u32, PlanError> {
        let index = index_of(self.layers.len(), "layers of a program")?;
        self.layers.push(LayerInfo { name: name.into(), op: op.into(), loc, macs });
        Ok(index)
    }

    /// Whether the buffer is a whole tensor in SRAM.
    ///
    /// # Errors
    /// An internal error if the buffer belongs to another draft.
    pub(crate) fn holds(&self, id: BufferId) -> Result<bool, PlanError> {
        self.buffer(id).map(|b| b.space == Space::Sram)
    }

    /// The buffer of that name.
    ///
    /// # Errors
    /// An internal error if it belongs to another draft.
    pub fn buffer(&self, id: BufferId) -> Result<&Buffer, PlanError> {
        self.buffers.get(id.index()).ok_or_else(|| {
            PlanError::internal(format!("buffer {} of {} does not exist", id.0, self.buffers.len()))
        })
    }

    /// Adds a tensor aligned to 16 bytes.
    ///
    /// # Errors
    /// An internal error if its size overflows, a resource error if there are too many buffers.
    pub fn tensor(
        &mut self,
        space: Space,
        dtype: Dtype,
        shape: &[u64],
        role: Role,
    ) -> Result<BufferId, PlanError> {
        let bytes = shape.iter().try_fold(dtype.bytes(), |n, &d| mul(n, d))?;
        self.add(Buffer { space, dtype, shape: shape.to_vec(), bytes, align: 16, role })
    }

    /// Adds constant bytes in DRAM, aligned to 16 bytes.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub fn constant(&mut self, bytes: impl Into<Arc<[u8]>>) -> Result<BufferId, PlanError> {
        let bytes: Arc<[u8]> = bytes.into();
        let len = bytes.len() as u64;
        self.add(Buffer {
            space: Space::Dram,
            dtype: Dtype::I8,
            shape: vec![len],
            bytes: len,
            align: 16,
            role: Role::Const(bytes),
        })
    }

    /// Adds `bytes` of SRAM scratch without a shape of its own, aligned to 16 bytes.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub fn sram(&mut self, bytes: u64) -> Result<BufferId, PlanError> {
        self.add(Buffer {
            space: Space::Sram,
            dtype: Dtype::I8,
            shape: vec![bytes],
            bytes,
            align: 16,
            role: Role::Scratch,
        })
    }

    /// Adds a buffer as described.
    ///
    /// # Errors
    /// A resource error if there are too many buffers.
    pub fn add(&mut self, buffer: Buffer) -> Result<BufferId, PlanError> {
        let id = BufferId::from_index(self.buffers.len())?;
        self.buffers.push(buffer);
        Ok(id)
    }

    /// Appends a task of the last layer. `bufs` names the address fields in use and their buffers.
    ///
    /// # Errors
    /// An internal error if a field is unknown or does not hold an address, or there is no layer yet; a resource error if the
    /// program exceeds [`MAX_TASKS`].
    pub fn push(&mut self, instr: Instr, bufs: &[(&str, BufferId)]) -> Result<(), PlanError> {
        if self.tasks.len() >= MAX_TASKS {
            return Err(PlanError::resource("tasks of a program", MAX_TASKS as u64 + 1, MAX_TASKS as u64));
        }
        let layer = self
            .layers
            .len()
            .checked_sub(1)
            .and_then(|l| u32::try_from(l).ok())
            .ok_or_else(|| PlanError::internal("a task outside of any layer"))?;
        let desc = instr.desc();
        let mut bound = Vec::with_capacity(bufs.len());
        for &(name, id) in bufs {
            let field = desc
                .fields
                .iter()
                .position(|f| f.name == name && matches!(f.kind, FieldKind::Sram { .. } | FieldKind::Mem))
                .ok_or_else(|| {
                    PlanError::internal(format!("{} has no address field {name}", desc.mnemonic))
                })?;
            bound.push((field, id));
        }
        self.tasks.push(Task { instr, bufs: bound, layer });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_have_32_bits() {
        let last = u32::MAX as usize;
        assert_eq!(BufferId::from_index(last).unwrap().index(), last);
        assert_eq!(
            BufferId::from_index(last + 1).unwrap_err().to_string(),
            "resource: buffers of a program: needs 4294967296, limit is 4294967295"
        );
        assert_eq!(
            index_of(last + 1, "layers of a program").unwrap_err().to_string(),
            "resource: layers of a program: needs 4294967296, limit is 4294967295"
        );
    }
}
