// The strum dialect: one operation is one layer as the DPU runs it, with weights in a StruM format.

#ifndef STRUM_DIALECT_TD
#define STRUM_DIALECT_TD

include "mlir/IR/OpBase.td"

def Strum_Dialect : Dialect {
  let name = "strum";
  let cppNamespace = "::strum";
  let summary = "DPU layers with structured-mixed-precision weights";
  let description = [{
    What TOSA cannot express. A `strum` operation is one layer of the DPU: an operator with its bias, rescaling, clamp and table fused,
    reading weights that may be packed in a StruM format. Everything else of a network stays in the `tosa` dialect.

    Attributes `strum.…` of operations of any dialect are those that `strumc quantize` and the readers of TFLite and ONNX write:
    `strum.input_mean` and `strum.input_square` of convolutions; `strum.int4` of convolutions whose weights were of type `i4`, which
    `expand-operators` writes; of functions and programs `strum.input_scales`,
    `strum.input_zero_points`, `strum.output_scales` and `strum.output_zero_points`, which say what codes mean,
    `strum.unsigned_inputs` and `strum.unsigned_outputs`, 1 where the host's codes are 128 more, and `strum.states` and
    `strum.initial_states`, the result that an argument takes its next value from and its first value; of programs
    `strum.boolean_inputs` and `strum.boolean_outputs`, 1 where every element is 0 or 1. Any other one is an error, and
    so is an attribute without a prefix that an operation of this dialect does not declare.

    The integer meaning of a network is fixed before this level: `strum` with its weights decoded is integer TOSA 1.0, and the pass
    `strum-to-tosa` writes it so. Activations are NHWC, weights OHWI, accumulators 32 bits wide and wrapping.
  }];
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    /// A format's mnemonic is its method, which the table of weight formats knows; all other attributes are ODS's.
    ::mlir::Attribute parseAttribute(::mlir::DialectAsmParser &parser, ::mlir::Type type) const override;
    void printAttribute(::mlir::Attribute attribute, ::mlir::DialectAsmPrinter &printer) const override;
    void registerAttributes();
    void registerTypes();
  }];
}

#endif // STRUM_DIALECT_TD
