// Attributes of the strum dialect: weight formats, and the arithmetic fused into a layer.

#ifndef STRUM_ATTRS_TD
#define STRUM_ATTRS_TD

include "strum/StrumDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Strum_Attr<string name, string attrMnemonic> : AttrDef<Strum_Dialect, name> {
  let mnemonic = attrMnemonic;
}

//===------------------------------------------------------------------------------------------------------------------===//
// Weight formats
//===------------------------------------------------------------------------------------------------------------------===//

def Strum_FormatAttr : AttrDef<Strum_Dialect, "Format"> {
  let attrName = "strum.format"; // its mnemonic is the method
  let summary = "format of weights";
  let description = [{
    A method and its fields. The methods, the fields of each and what their values may be come from the table of weight formats, which also
    verifies them; `docs/formats.md` lists them. Of every `w` neighbouring weights along the input channel, `low` are low members.
    `dense` is plain INT8 and has no fields: each output channel's weights are contiguous `i8`, padded to 16 bytes.

    ```mlir
    #strum.dense
    #strum.sparse<w = 16, low = 8>
    #strum.dliq<w = 16, low = 8, q = 4, shift = 2>
    #strum.dliq<w = 16, low = 8, q = 4, shift = per_channel>
    #strum.mip2q<w = 16, low = 8, L = 7>
    #strum.mip2q<w = 16, low = 8, L = 6, zero>
    ```
  }];
  let parameters = (ins StringRefParameter<"the method">:$method, ArrayRefParameter<"int64_t">:$values);
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Reads the fields of `method`, whose name has been read.
    static ::mlir::Attribute parseFields(::mlir::AsmParser &parser, ::llvm::StringRef method);
    void printFields(::mlir::AsmPrinter &printer) const;
  }];
}

//===------------------------------------------------------------------------------------------------------------------===//
// Fused arithmetic
//===------------------------------------------------------------------------------------------------------------------===//

def Strum_Round : I32EnumAttr<"Round", "rounding of a rescale", [
    I32EnumAttrCase<"Single", 0, "single">,
    I32EnumAttrCase<"Double", 1, "double">
  ]> {
  let cppNamespace = "::strum";
  let genSpecializedAttr = 0;
}

def Strum_RescaleAttr : Strum_Attr<"Rescale", "rescale"> {
  let summary = "rescaling of an element-wise operand";
  let description = [{
    Turns an operand `a` into the 32-bit value `apply_scale(a - zp, multiplier, shift)` of TOSA 1.0 before the operation. With
    `unsigned`, the operand's bits are an unsigned integer.

    ```mlir
    #strum.rescale<zp = -128, multiplier = 1073741824, shift = 10, round = double>
    ```
  }];
  let parameters = (ins "int32_t":$zp, "int32_t":$multiplier, "int32_t":$shift, "::strum::Round":$round, "bool":$isUnsigned);
  let assemblyFormat = "`<` struct($zp, $multiplier, $shift, $round) `` custom<Unsigned>($isUnsigned) `>`";
  let genVerifyDecl = 1;
}

def Strum_PpeAttr : Strum_Attr<"Ppe", "ppe"> {
  let summary = "post-processing of an accumulator";
  let description = [{
    The post-processing of a 32-bit accumulator `v`, after the bias, in this order:

    1. `v = apply_scale(v, multiplier, shift)` of TOSA 1.0, with one multiplier and shift for the layer or one for each output channel;
    2. `v = v + zp`, wrapping;
    3. `v` is clamped to `clamp`, and stored in the result's width; with `unsigned` the stored bits are an unsigned integer;
    4. with `table`, the stored byte `b` becomes `table[b + 128]`.

    ```mlir
    #strum.ppe<multiplier = [1073741824], shift = [30], round = double, zp = -128, clamp = [-128, 127]>
    #strum.ppe<multiplier = [7, 9], shift = [38, 39], round = single, zp = 0, clamp = [0, 255], unsigned>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int32_t">:$multiplier, ArrayRefParameter<"int32_t">:$shift,
                        "::strum::Round":$round, "int32_t":$zp, "int32_t":$clampLo, "int32_t":$clampHi,
                        "bool":$isUnsigned, OptionalParameter<"::mlir::DenseElementsAttr">:$table);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Strum_EltwiseKind : I32EnumAttr<"EltwiseKind", "element-wise operation", [
    I32EnumAttrCase<"Add", 0, "add">,
    I32EnumAttrCase<"Sub", 1, "sub">,
    I32EnumAttrCase<"Mul", 2, "mul">,
    I32EnumAttrCase<"Max", 3, "max">,
    I32EnumAttrCase<"Min", 4, "min">
  ]> {
  let cppNamespace = "::strum";
  let genSpecializedAttr = 0;
}

def Strum_EltwiseKindAttr : EnumAttr<Strum_Dialect, Strum_EltwiseKind, "kind">;

#endif // STRUM_ATTRS_TD
