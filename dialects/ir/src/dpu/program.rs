//! Programs and their layers.

use super::{Buffer, is_instruction};
use crate::{Attribute, Block, ContextRef, Error, Location, OpBuilder, Operation, raw};

/// The compilation stage of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Operations in sequential order, on buffers without addresses.
    Draft,
    /// All buffers have addresses.
    Allocated,
    /// Barriers order the engines and have numbers; the program can be encoded.
    Scheduled,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Draft, Self::Allocated, Self::Scheduled];

    fn attribute(self, context: ContextRef<'_>) -> Option<Attribute<'_>> {
        raw::dialects::new_stage(context, self as i32)
    }
}

/// A `dpu.program`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'c> {
    op: Operation<'c>,
}

/// A `dpu.layer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer<'c> {
    /// The operation; its location is that of the source operation.
    pub op: Operation<'c>,
    /// Its name in reports.
    pub name: &'c str,
    /// The name of the source operation.
    pub source: &'c str,
    /// Its number of multiply-accumulates.
    pub macs: u64,
}

impl<'c> Program<'c> {
    /// Reads an operation.
    pub fn read(op: Operation<'c>) -> Option<Self> {
        (op.is("dpu.program") && op.body().is_some()).then_some(Self { op })
    }

    /// An empty draft for the machine with this name.
    pub fn build(name: &str, machine: &str, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
        let context = location.context();
        Ok(OpBuilder::new("dpu.program", location)
            .attribute("sym_name", Attribute::string(context, name))
            .attribute("machine", Attribute::string(context, machine))
            .maybe_attribute("stage", Stage::Draft.attribute(context))
            .region())
    }

    /// The operation.
    pub fn op(self) -> Operation<'c> {
        self.op
    }

    /// Its symbol.
    pub fn name(self) -> &'c str {
        self.op.symbol().unwrap_or("")
    }

    /// The name of its machine.
    pub fn machine(self) -> &'c str {
        self.op.str_attr("machine").unwrap_or("")
    }

    /// The file of its machine, if it is not built in.
    pub fn machine_toml(self) -> Option<&'c str> {
        self.op.str_attr("machine_toml")
    }

    /// Sets the file of its machine.
    pub fn set_machine_toml(self, toml: &str) {
        self.op.set_attribute("machine_toml", Attribute::string(self.op.context(), toml));
    }

    /// Its stage.
    pub fn stage(self) -> Stage {
        let index = self.op.attribute("stage").and_then(raw::dialects::stage);
        index.and_then(|index| Stage::ALL.get(index).copied()).unwrap_or(Stage::Draft)
    }

    /// Declares that it has reached a stage, which the verifier then checks.
    pub fn set_stage(self, stage: Stage) {
        if let Some(stage) = stage.attribute(self.op.context()) {
            self.op.set_attribute("stage", stage);
        }
    }

    /// Its block. A parsed program has one.
    pub fn body(self) -> Option<Block<'c>> {
        self.op.body()
    }

    /// All operations in it, in order.
    pub fn operations(self) -> Vec<Operation<'c>> {
        self.op.body().map(Block::operations).unwrap_or_default()
    }

    /// Its buffers, in order.
    pub fn buffers(self) -> Vec<Buffer<'c>> {
        self.operations().into_iter().filter_map(Buffer::read).collect()
    }

    /// Its instructions, in order; `dpu.bar_cfg` and `dpu.end` are instructions.
    pub fn instructions(self) -> Vec<Operation<'c>> {
        self.operations().into_iter().filter(|op| is_instruction(*op)).collect()
    }

    /// Its layers; instructions refer to them by index.
    pub fn layers(self) -> Vec<Layer<'c>> {
        self.operations().into_iter().filter_map(Layer::read).collect()
    }
}

impl<'c> Layer<'c> {
    /// Reads an operation.
    pub fn read(op: Operation<'c>) -> Option<Self> {
        if !op.is("dpu.layer") {
            return None;
        }
        let macs = u64::try_from(op.int_attr("macs")?).ok()?;
        Some(Self { op, name: op.str_attr("name")?, source: op.str_attr("op")?, macs })
    }
}

/// `dpu.layer`: a layer called `name`, lowered from the operation `source`, at that operation's location.
pub fn layer<'c>(name: &str, source: &str, macs: u64, location: Location<'c>) -> OpBuilder<'c> {
    let context = location.context();
    OpBuilder::new("dpu.layer", location)
        .attribute("name", Attribute::string(context, name))
        .attribute("op", Attribute::string(context, source))
        .attribute("macs", Attribute::i64(context, i64::try_from(macs).unwrap_or(i64::MAX)))
}
