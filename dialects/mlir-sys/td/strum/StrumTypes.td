// Types of the strum dialect.

#ifndef STRUM_TYPES_TD
#define STRUM_TYPES_TD

include "strum/StrumAttrs.td"

def Strum_PackedType : TypeDef<Strum_Dialect, "Packed"> {
  let mnemonic = "packed";
  let summary = "weights in a StruM format";
  let description = [{
    Weights `[oc][ky][kx][ic]` of type `i8`, stored in `format`. Blocks run along the last dimension, each output channel starts on
    16 bytes. The weights of a depthwise convolution have the shape `1 x KH x KW x (C*M)`.

    ```mlir
    !strum.packed<64x3x3x64xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType, "::mlir::Attribute":$format);
  let assemblyFormat = "`<` custom<Shape>($shape, $elementType) `,` $format `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Keeps every size that is computed from a shape far from overflow.
    static constexpr int64_t kMaxElements = int64_t(1) << 40;
  }];
}

#endif // STRUM_TYPES_TD
