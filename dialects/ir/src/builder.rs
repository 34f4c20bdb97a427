//! Making operations.

use strum_mlir_sys as sys;

use crate::{Attribute, Block, Error, Location, Operation, Type, Value, ffi, location::len};

/// An operation under construction, which comes into being where it is inserted.
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
    attributes: Vec<(String, Attribute<'c>)>,
    regions: usize,
}

impl<'c> OpBuilder<'c> {
    /// Begins an operation with its full name.
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

    /// Adds results.
    pub fn results(mut self, types: &[Type<'c>]) -> Self {
        self.results.extend_from_slice(types);
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: &str, attribute: Attribute<'c>) -> Self {
        self.attributes.push((name.into(), attribute));
        self
    }

    /// Adds an attribute if there is one.
    pub fn maybe_attribute(self, name: &str, attribute: Option<Attribute<'c>>) -> Self {
        match attribute {
            Some(attribute) => self.attribute(name, attribute),
            None => self,
        }
    }

    /// Adds all attributes of another operation, for a variant of it.
    pub fn attributes_of(mut self, op: Operation<'c>) -> Self {
        self.attributes
            .extend(op.attributes().into_iter().map(|(name, attribute)| (name.to_owned(), attribute)));
        self
    }

    /// Adds a region with one empty block.
    pub fn region(mut self) -> Self {
        self.regions += 1;
        self
    }

    /// Makes the operation before `anchor`.
    pub fn insert_before(self, anchor: Operation<'c>) -> Result<Operation<'c>, Error> {
        let block = anchor.check_in_block()?;
        let op = self.create()?;
        // SAFETY: the block holds the anchor, and takes the operation over.
        unsafe { sys::mlirBlockInsertOwnedOperationBefore(block.raw(), anchor.raw(), op.raw()) };
        Ok(op)
    }

    /// Makes the operation after `anchor`.
    pub fn insert_after(self, anchor: Operation<'c>) -> Result<Operation<'c>, Error> {
        let block = anchor.check_in_block()?;
        let op = self.create()?;
        // SAFETY: the block holds the anchor, and takes the operation over.
        unsafe { sys::mlirBlockInsertOwnedOperationAfter(block.raw(), anchor.raw(), op.raw()) };
        Ok(op)
    }

    /// Makes the operation at the end of a block.
    pub fn append_to(self, block: Block<'c>) -> Result<Operation<'c>, Error> {
        let op = self.create()?;
        // SAFETY: the block takes the operation over.
        unsafe { sys::mlirBlockAppendOwnedOperation(block.raw(), op.raw()) };
        Ok(op)
    }

    /// Makes the operation at the beginning of a block.
    pub fn prepend_to(self, block: Block<'c>) -> Result<Operation<'c>, Error> {
        match block.first() {
            Some(first) => self.insert_before(first),
            None => self.append_to(block),
        }
    }

    /// Makes the operation, in no block yet.
    fn create(self) -> Result<Operation<'c>, Error> {
        let context = self.location.context();
        if !context.knows_operation(&self.name) {
            return Err(Error::UnknownOperation(self.name));
        }
        let operands: Vec<_> = self.operands.iter().map(|value| value.raw()).collect();
        let results: Vec<_> = self.results.iter().map(|ty| ty.raw()).collect();
        let named = |(name, attribute): &(String, Attribute<'c>)| {
            // SAFETY: the context is valid and copies the name; the attribute is valid.
            unsafe {
                let name = sys::mlirIdentifierGet(context.raw(), ffi::string_ref(name));
                sys::mlirNamedAttributeGet(name, attribute.raw())
            }
        };
        let attributes: Vec<_> = self.attributes.iter().map(named).collect();
        // SAFETY: all lists have the given lengths and live until the operation is made; it takes the regions over, and they their
        // blocks.
        let op = unsafe {
            let mut state = sys::mlirOperationStateGet(ffi::string_ref(&self.name), self.location.raw());
            sys::mlirOperationStateAddOperands(&mut state, len(&operands), operands.as_ptr());
            sys::mlirOperationStateAddResults(&mut state, len(&results), results.as_ptr());
            sys::mlirOperationStateAddAttributes(&mut state, len(&attributes), attributes.as_ptr());
            for _ in 0..self.regions {
                let region = sys::mlirRegionCreate();
                let block = sys::mlirBlockCreate(0, std::ptr::null(), std::ptr::null());
                sys::mlirRegionAppendOwnedBlock(region, block);
                sys::mlirOperationStateAddOwnedRegions(&mut state, 1, &region);
            }
            Operation::from_raw_option(sys::mlirOperationCreate(&mut state))
        };
        op.ok_or(Error::Build(self.name))
    }
}
