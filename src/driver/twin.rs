//! A float network that a network is compared with, and which options of files apply to which of both.
//!
//! Invariant: an option applies to at least one of them, or is refused.

use strum_ir::Context;
use strum_passes::tosa::specialize_shapes;

use super::exit::{Failure, Kind};
use super::files::Input;
use super::import::{self, NetworkOptions};
use super::network;

/// A float network that another one is compared with, and the options of its file.
pub(crate) struct Twin {
    pub(crate) input: Input,
    pub(crate) options: NetworkOptions,
}

/// The options of a network, and the network that it is compared with. The options apply to both files; one to which they do not
/// apply is read without them, unless they apply to none.
pub(crate) fn with_twin(
    context: &Context,
    options: &NetworkOptions,
    network: &Input,
    twin: Option<Input>,
) -> Result<(NetworkOptions, Option<Twin>), Failure> {
    network::check_uncompiled(network)?;
    let Some(input) = twin else { return Ok((options.clone(), None)) };
    network::check_uncompiled(&input)?;
    let none = NetworkOptions::default;
    let (own, other) = match (apply(context, options, network)?, apply(context, options, &input)?) {
        (false, true) => (none(), options.clone()),
        (true, true) => (options.clone(), options.clone()),
        (_, false) => (options.clone(), none()),
    };
    Ok((own, Some(Twin { input, options: other })))
}

/// Whether options apply to a file.
fn apply(context: &Context, options: &NetworkOptions, input: &Input) -> Result<bool, Failure> {
    if options.given().next().is_none() {
        return Ok(true);
    }
    if let Some(door) = strum_doors::sniff(&input.bytes) {
        let network = import::attempt(input, door, options, true)?;
        return Ok(!network.is_err_and(|refusal| import::kind_of(&refusal) == Kind::Usage));
    }
    if options.check_mlir(&input.name).is_err() {
        return Ok(false);
    }
    let module = network::parse(context, &mut input.clone())?;
    Ok(specialize_shapes::is_dynamic(network::main(&module)?))
}
