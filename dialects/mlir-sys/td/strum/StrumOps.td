// Operations of the strum dialect. Their verifiers are written in Rust (strum-ir, src/strum/verify).

#ifndef STRUM_OPS_TD
#define STRUM_OPS_TD

include "strum/StrumTypes.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Strum_Op<string mnemonic, list<Trait> traits = []> : Op<Strum_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

def Strum_ActTensor : StaticShapeTensorOf<[I8]>;
def Strum_AccTensor : StaticShapeTensorOf<[I32]>;
def Strum_DataTensor : StaticShapeTensorOf<[I8, I16, I32]>;
def Strum_Weights : AnyTypeOf<[Strum_ActTensor, Strum_PackedType], "static tensor of 8-bit integers or packed weights">;

def Strum_Ones : DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">;
def Strum_NoPads : DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">;
def Strum_Zero : DefaultValuedAttr<I32Attr, "0">;

def Strum_ConstantOp : Strum_Op<"constant", [ConstantLike]> {
  let summary = "packed weights";
  let description = [{
    The bytes of packed weights. They must match the result's format exactly: the right length, as many high members in each mask
    as the format has, no reserved code, zero padding.

    ```mlir
    %w = strum.constant dense_resource<layer3> : tensor<32256xi8> -> !strum.packed<64x3x3x64xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Strum_PackedType:$result);
  let assemblyFormat = "attr-dict $value `->` qualified(type($result))";
  let hasFolder = 1;
}

class Strum_Convolution<string mnemonic> : Strum_Op<mnemonic> {
  let arguments = (ins Strum_ActTensor:$input, Strum_Weights:$weights, Optional<Strum_AccTensor>:$bias,
                       Strum_Ones:$strides, Strum_NoPads:$pads, Strum_Ones:$dilations, Strum_Zero:$input_zp, Strum_Zero:$weight_zp,
                       OptionalAttr<Strum_PpeAttr>:$ppe);
  let results = (outs Strum_DataTensor:$output);
  let assemblyFormat = [{
    $input `,` $weights (`,` $bias^)? (`strides` $strides^)? (`pads` $pads^)? (`dilations` $dilations^)?
    (`input_zp` $input_zp^)? (`weight_zp` $weight_zp^)? (`ppe` `(` qualified($ppe)^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
}

def Strum_Conv2DOp : Strum_Convolution<"conv2d"> {
  let summary = "2-D convolution layer";
  let description = [{
    `acc[n][oy][ox][oc] = sum (input[n][iy][ix][ic] - input_zp) * (weights[oc][ky][kx][ic] - weight_zp)`, with
    `iy = oy*stride - pad_top + ky*dilation` (`ix` alike); positions outside of the input add nothing. Then the bias, one value for the
    layer or one for each output channel, is added, and `ppe` makes the result. Without `ppe` the result is the 32-bit accumulator.

    `strides` and `dilations` are `[y, x]`, `pads` are `[top, bottom, left, right]`. The output has
    `floor((in - 1 + pads - (kernel - 1)*dilation) / stride) + 1` rows and columns: unlike in TOSA, the last rows and columns of the
    input may be left over. `weight_zp` must be 0 unless the weights are plain INT8.

    ```mlir
    %y = strum.conv2d %x, %w, %b strides [2, 2] pads [1, 1, 1, 1] input_zp -128
           ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = -128, clamp = [-128, 127]>)
         : (tensor<1x56x56x64xi8>, !strum.packed<64x3x3x64xi8, #strum.mip2q<w = 16, low = 8, L = 7>>, tensor<64xi32>)
           -> tensor<1x28x28x64xi8>
    ```
  }];
}

def Strum_DepthwiseConv2DOp : Strum_Convolution<"depthwise_conv2d"> {
  let summary = "depthwise 2-D convolution layer";
  let description = [{
    As `strum.conv2d`, but output channel `c*M + m` reads input channel `c` alone. The weights are a tensor `[KH, KW, C, M]` of `i8`, or
    packed with the shape `1 x KH x KW x (C*M)`, whose blocks run along the output channels.

    ```mlir
    %y = strum.depthwise_conv2d %x, %w pads [1, 1, 1, 1]
         : (tensor<1x8x8x32xi8>, tensor<3x3x32x1xi8>) -> tensor<1x8x8x32xi32>
    ```
  }];
}

def Strum_MatMulOp : Strum_Op<"matmul"> {
  let summary = "batched matrix multiplication layer";
  let description = [{
    `acc[n][h][w] = sum (a[n][h][c] - a_zp) * (b[n][c][w] - b_zp)`; `ppe`, with one multiplier for the whole layer, makes the result.
    Without `ppe` the result is the 32-bit accumulator. A product with constant weights is a `strum.conv2d` with a 1x1 kernel.

    ```mlir
    %c = strum.matmul %a, %b a_zp -3 : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
    ```
  }];
  let arguments = (ins Strum_ActTensor:$a, Strum_ActTensor:$b, Strum_Zero:$a_zp, Strum_Zero:$b_zp, OptionalAttr<Strum_PpeAttr>:$ppe);
  let results = (outs Strum_DataTensor:$output);
  let assemblyFormat = [{
    $a `,` $b (`a_zp` $a_zp^)? (`b_zp` $b_zp^)? (`ppe` `(` qualified($ppe)^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
}

def Strum_EltwiseOp : Strum_Op<"eltwise"> {
  let summary = "element-wise layer";
  let description = [{
    `acc = kind(lhs', rhs')` on 32-bit values, where `lhs'` is the operand rescaled by the attribute `lhs`, or sign-extended without it
    (`rhs'` alike). `add` and `sub` wrap; `mul` is `(x*y + (1 << (shift - 1))) >> shift` of the 64-bit product for a positive `shift`.
    `ppe`, with one multiplier for the whole layer, makes the result; without it the result is `acc`.

    The operands have the result's rank, and a dimension of 1 is broadcast.

    ```mlir
    %c = strum.eltwise add %a, %b
           lhs(#strum.rescale<zp = -4, multiplier = 1073741824, shift = 10, round = double>)
           rhs(#strum.rescale<zp = 7, multiplier = 1518500250, shift = 11, round = double>)
           ppe(#strum.ppe<multiplier = [1073741824], shift = [49], round = double, zp = -128, clamp = [-128, 127]>)
         : (tensor<1x8x8x16xi8>, tensor<1x8x8x16xi8>) -> tensor<1x8x8x16xi8>
    ```
  }];
  let arguments = (ins Strum_EltwiseKindAttr:$kind, Strum_DataTensor:$a, Strum_DataTensor:$b, OptionalAttr<Strum_RescaleAttr>:$lhs,
                       OptionalAttr<Strum_RescaleAttr>:$rhs, Strum_Zero:$shift, OptionalAttr<Strum_PpeAttr>:$ppe);
  let results = (outs Strum_DataTensor:$output);
  let assemblyFormat = [{
    `` $kind $a `,` $b (`lhs` `(` qualified($lhs)^ `)`)? (`rhs` `(` qualified($rhs)^ `)`)? (`shift` $shift^)? (`ppe` `(` qualified($ppe)^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
}

#endif // STRUM_OPS_TD
