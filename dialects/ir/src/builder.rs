//! Building operations.

use melior::ir::{
    Block as OwnedBlock, BlockLike, Identifier, Operation as OwnedOperation, Region, RegionLike,
    operation::{OperationBuilder, OperationLike},
};

use crate::{Attribute, Block, Error, Location, Operation, Type, Value};

/// An operation under construction, created where it is inserted.
///
/// ```
/// # use strum_ir::{Attribute, Context, Location, Module, OpBuilder, Type};
/// # let context = Context::new();
/// # let location = Location::unknown(&context);
/// # let module = Module::empty(location);
/// # let body = module.body();
/// let tensor = Type::tensor(&[1], Type::int(&context, 8))?;
/// let zero = OpBuilder::new("tosa.const", location)
///     .attribute("values", Attribute::dense(tensor, &[0])?)
///     .result(tensor)
///     .append_to(body)?;
/// assert_eq!(zero.to_string(), r#"%0 = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>"#);
/// # Ok::<(), strum_ir::Error>(())
/// ```
#[must_use = "an operation is made where it is inserted"]
pub struct OpBuilder<'c> {
    name: String,
    location: Location<'c>,
    operands: Vec<Value<'c>>,
    results: Vec<Type<'c>>,
    attributes: Vec<(Name<'c>, Attribute<'c>)>,
    regions: usize,
}

/// The name of an attribute.
enum Name<'c> {
    /// Of this project's.
    Text(String),
    /// Of an operation that is copied; a user's name may be any bytes.
    Copied(Identifier<'c>),
}

impl<'c> OpBuilder<'c> {
    /// Starts an operation with its full name.
    pub fn new(name: &str, location: Location<'c>) -> Self {
        Self {
            name: name.into(),
            location,
            operands: Vec::new(),
            results: Vec::new(),
            attributes: Vec::new(),
            regions: 0,
        }
    }

    /// Adds an operand.
    pub fn operand(mut self, value: Value<'c>) -> Self {
        self.operands.push(value);
        self
    }

    /// Adds operands.
    pub fn operands(mut self, values: &[Value<'c>]) -> Self {
        self.operands.extend_from_slice(values);
        self
    }

    /// Adds a result.
    pub fn result(mut self, ty: Type<'c>) -> Self {
        self.results.push(ty);
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: &str, attribute: Attribute<'c>) -> Self {
        self.attributes.push((Name::Text(name.into()), attribute));
        self
    }

    /// Adds an attribute if there is one.
    pub fn maybe_attribute(self, name: &str, attribute: Option<Attribute<'c>>) -> Self {
        match attribute {
            Some(attribute) => self.attribute(name, attribute),
            None => self,
        }
    }

    /// Copies all attributes of another operation, to build a variant of it.
    pub fn attributes_of(mut self, op: Operation<'c>) -> Self {
        let copied = op.0.attributes().map(|(name, attribute)| (Name::Copied(name), Attribute(attribute)));
        self.attributes.extend(copied);
        self
    }

    /// Adds a region with one empty block.
    pub fn region(mut self) -> Self {
        self.regions += 1;
        self
    }

    /// Creates the operation before `anchor`.
    pub fn insert_before(self, anchor: Operation<'c>) -> Result<Operation<'c>, Error> {
        let block = anchor.check_in_block()?;
        Ok(Operation(block.0.insert_operation_before(anchor.0, self.create()?)))
    }

    /// Creates the operation after `anchor`.
    pub fn insert_after(self, anchor: Operation<'c>) -> Result<Operation<'c>, Error> {
        let block = anchor.check_in_block()?;
        Ok(Operation(block.0.insert_operation_after(anchor.0, self.create()?)))
    }

    /// Creates the operation at the end of a block.
    pub fn append_to(self, block: Block<'c>) -> Result<Operation<'c>, Error> {
        Ok(Operation(block.0.append_operation(self.create()?)))
    }

    /// Creates the operation at the beginning of a block.
    pub fn prepend_to(self, block: Block<'c>) -> Result<Operation<'c>, Error> {
        match block.first() {
            Some(first) => self.insert_before(first),
            None => self.append_to(block),
        }
    }

    /// Creates the operation, detached.
    ///
    /// melior's builder borrows the name without a lifetime, and leaks its parts if it is not built: hence both in one call.
    fn create(self) -> Result<OwnedOperation<'c>, Error> {
        let name = self.name.as_str();
        let operands: Vec<_> = self.operands.iter().map(|value| value.0).collect();
        let results: Vec<_> = self.results.iter().map(|ty| ty.0).collect();
        let built = self.location.context().with(|context| {
            if !context.is_registered_operation(name) {
                return Err(Error::UnknownOperation(name.into()));
            }
            let named = |(name, attribute): &(Name<'c>, Attribute<'c>)| match name {
                Name::Text(name) => (Identifier::new(context, name), attribute.0),
                Name::Copied(name) => (*name, attribute.0),
            };
            let attributes: Vec<_> = self.attributes.iter().map(named).collect();
            let mut builder = OperationBuilder::new(name, self.location.0)
                .add_operands(&operands)
                .add_results(&results)
                .add_attributes(&attributes);
            for _ in 0..self.regions {
                let region = Region::new();
                region.append_block(OwnedBlock::new(&[]));
                builder = builder.add_regions([region]);
            }
            Ok(builder.build())
        });
        built?.map_err(|_| Error::Build(self.name))
    }
}
