//! Modules: parsing them, and running pipelines on them.

use melior::{ir::Module as Owned, pass::OperationPassManager};

use crate::{Block, Context, Error, Location, Operation, Passes, raw, register_mlir_passes};

/// A module that this code owns.
pub struct Module<'c>(pub(crate) Owned<'c>);

impl<'c> Module<'c> {
    /// A module without operations.
    pub fn empty(location: Location<'c>) -> Self {
        Self(Owned::new(location.0))
    }

    /// Parses and verifies text or bytecode in memory. Locations name `name` as the file.
    pub fn parse(context: &'c Context, bytes: &[u8], name: &str) -> Result<Self, Error> {
        raw::module::parse(context.handle(), bytes, name).map(Self).ok_or(Error::Reported)
    }

    /// Parses and verifies bytecode and writes it again, whatever its operation is, including resources that no dialect knows. MLIR's
    /// reader does not detect every kind of damage: it may fault or corrupt the heap.
    pub fn rewrite_bytecode(context: &'c Context, bytes: &[u8], name: &str) -> Result<Vec<u8>, Error> {
        raw::module::rewrite_bytecode(context.handle(), bytes, name).ok_or(Error::Reported)
    }

    /// The module as an operation.
    pub fn op(&self) -> Operation<'c> {
        raw::module::op(self)
    }

    /// Its block.
    pub fn body(&self) -> Block<'c> {
        raw::module::body(self)
    }

    /// The function or program with this name.
    pub fn symbol(&self, name: &str) -> Option<Operation<'c>> {
        self.body().operations().into_iter().find(|op| op.symbol() == Some(name))
    }

    /// Runs a pipeline, as text without its anchor: `tosa-to-strum,strum-pack{method=mip2q},canonicalize`. Failures are reported as
    /// diagnostics; an invalid pipeline is [`Error::Pipeline`].
    ///
    /// Handles into the module must not be kept across a run: passes of MLIR's own free what they erase.
    pub fn run(&mut self, pipeline: &str) -> Result<(), Error> {
        self.run_with(|manager| raw::pass::add_pipeline(manager, pipeline))
    }

    /// Runs passes, under the conditions of [`Module::run`].
    pub fn run_passes(&mut self, passes: &Passes) -> Result<(), Error> {
        self.run_with(|manager| passes.add_to(manager))
    }

    fn run_with(
        &mut self,
        fill: impl FnOnce(OperationPassManager<'_, '_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        register_mlir_passes();
        let _plot = raw::graveyard::Plot::begin();
        let manager = raw::module::manager(self.op().context());
        fill(manager.as_operation_pass_manager())?;
        manager.run(&mut self.0).map_err(|_| Error::Reported)
    }

    /// Frees the elements of all `dense_resource` constants of the context that this module does not use, which would otherwise live as
    /// long as the context. For a context with a single module, after a stage that has replaced its weights.
    ///
    /// As with [`Module::run`], data borrowed from a freed constant must not be kept across it.
    pub fn release_unused_constants(&mut self) {
        raw::module::release_unused(self.op().context(), Some(self.op()));
    }

    /// Destroys the module and the elements of all `dense_resource` constants of its context, under the same condition.
    pub fn destroy_with_constants(self) {
        let context = self.op().context();
        drop(self);
        raw::module::release_unused(context, None);
    }
}

impl std::fmt::Debug for Module<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Module").field(&self.op()).finish()
    }
}
