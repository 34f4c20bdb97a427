// Every rule of the operations. RUN: strum-opt %s --split-input-file --verify-diagnostics

func.func @value_type() {
  // expected-error@+1 {{'strum.constant' op expects a value of type 'tensor<Nxi8>', got 'tensor<4xi32>'}}
  %0 = strum.constant dense<0> : tensor<4xi32> -> !strum.packed<1x1x1x16xi8, #strum.dense>
  return
}

// -----

func.func @value_rank() {
  // expected-error@+1 {{'strum.constant' op expects a value of type 'tensor<Nxi8>', got 'tensor<1x16xi8>'}}
  %0 = strum.constant dense<0> : tensor<1x16xi8> -> !strum.packed<1x1x1x16xi8, #strum.dense>
  return
}

// -----

func.func @length() {
  // expected-error@+1 {{'strum.constant' op expected 16 packed bytes, got 32}}
  %0 = strum.constant dense<0> : tensor<32xi8> -> !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  return
}

// -----

func.func @mask() {
  // expected-error@+1 {{'strum.constant' op output channel 0, block 0: mask has 0 high members, expected 8}}
  %0 = strum.constant dense<0> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  return
}

// -----

func.func @reserved() {
  // +128 has no i8 value.
  // expected-error@+1 {{'strum.constant' op output channel 0, block 0, member 0: low code 0x7 is reserved}}
  %0 = strum.constant dense<"0x07000000000000000000000000000000"> : tensor<16xi8> -> !strum.packed<1x1x1x4xi8, #strum.mip2q<w = 4, low = 4, L = 7>>
  return
}

// -----

func.func @padding() {
  // expected-error@+1 {{'strum.constant' op output channel 0: bits behind the last block are not zero}}
  %0 = strum.constant dense<"0x00000000000000000000000000000001"> : tensor<16xi8> -> !strum.packed<1x1x1x4xi8, #strum.mip2q<w = 4, low = 4, L = 7>>
  return
}

// -----

func.func @missing() {
  // expected-error@+1 {{'strum.constant' op the resource 'nowhere' is not in the file}}
  %0 = strum.constant dense_resource<nowhere> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.dense>
  return
}

// -----

func.func @resource_length() {
  // expected-error@+1 {{'strum.constant' op the resource 'short' has 4 bytes, and its type 'tensor<16xi8>' takes 16}}
  %0 = strum.constant dense_resource<short> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.dense>
  return
}
{-#
  dialect_resources: { builtin: { short: "0x0100000001020304" } }
#-}

// -----

func.func @result_type(%x: tensor<16xi8>) {
  // expected-error@+1 {{'strum.constant' op result #0 must be weights in a StruM format, but got 'tensor<16xi8>'}}
  %0 = strum.constant dense<0> : tensor<16xi8> -> tensor<16xi8>
  return
}

// -----

func.func @operand_types(%x: tensor<1x8x8x16xi16>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op operand #0 must be statically shaped tensor of 8-bit signless integer values}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi16>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @dynamic(%x: tensor<?x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op operand #0 must be statically shaped tensor of 8-bit signless integer values}}
  %0 = strum.conv2d %x, %w : (tensor<?x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @input_rank(%x: tensor<8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects input of rank 4, got 3}}
  %0 = strum.conv2d %x, %w : (tensor<8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @empty(%x: tensor<1x8x0x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects input without zero-size dimensions, got 1x8x0x16}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x0x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @weights_rank(%x: tensor<1x8x8x16xi8>, %w: tensor<4x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects weights of rank 4, got 2}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, tensor<4x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @channels(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x8xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects weights with 16 input channels, got 8}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, tensor<4x3x3x8xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @packed_channels(%x: tensor<1x8x8x16xi8>, %w: !strum.packed<4x3x3x17xi8, #strum.dense>) {
  // expected-error@+1 {{'strum.conv2d' op expects weights with 16 input channels, got 17}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, !strum.packed<4x3x3x17xi8, #strum.dense>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @strides(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects strides in 1..8192, got 0}}
  %0 = strum.conv2d %x, %w strides [1, 0] : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @strides_length(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects two strides, two dilations and four pads}}
  %0 = strum.conv2d %x, %w strides [1] : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @dilations(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects dilations in 1..8192, got 8193}}
  %0 = strum.conv2d %x, %w dilations [8193, 1] : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @pads(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects pads in 0..8192, got -1}}
  %0 = strum.conv2d %x, %w pads [0, -1, 0, 0] : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @kernel(%x: tensor<1x9000x8x1xi8>, %w: tensor<4x8193x3x1xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects kernel sizes in 1..8192, got 8193}}
  %0 = strum.conv2d %x, %w : (tensor<1x9000x8x1xi8>, tensor<4x8193x3x1xi8>) -> tensor<1x808x6x4xi32>
  return
}

// -----

func.func @too_small(%x: tensor<1x8x4x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects a kernel within the padded input, got 7 columns for 5}}
  %0 = strum.conv2d %x, %w pads [0, 0, 0, 1] dilations [1, 3] : (tensor<1x8x4x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x1x4xi32>
  return
}

// -----

func.func @input_zp(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects input_zp in [-128, 127], got 128}}
  %0 = strum.conv2d %x, %w input_zp 128 : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @weight_zp(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects weight_zp in [-128, 127], got -129}}
  %0 = strum.conv2d %x, %w weight_zp -129 : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @packed_weight_zp(%x: tensor<1x8x8x16xi8>, %w: !strum.packed<4x3x3x16xi8, #strum.sparse<w = 16, low = 8>>) {
  // expected-error@+1 {{'strum.conv2d' op expects weight_zp 0 with packed weights, got 1}}
  %0 = strum.conv2d %x, %w weight_zp 1 : (tensor<1x8x8x16xi8>, !strum.packed<4x3x3x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @bias(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>, %b: tensor<3xi32>) {
  // expected-error@+1 {{'strum.conv2d' op expects bias of 1 or 4 channels, got 3}}
  %0 = strum.conv2d %x, %w, %b : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>, tensor<3xi32>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @bias_rank(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>, %b: tensor<1x4xi32>) {
  // expected-error@+1 {{'strum.conv2d' op expects bias of rank 1, got 2}}
  %0 = strum.conv2d %x, %w, %b : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>, tensor<1x4xi32>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @bias_type(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>, %b: tensor<4xi8>) {
  // expected-error@+1 {{'strum.conv2d' op operand #2 must be statically shaped tensor of 32-bit signless integer values}}
  %0 = strum.conv2d %x, %w, %b : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>, tensor<4xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @result(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects a result of shape 1x6x6x4, got 1x6x7x4}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x7x4xi32>
  return
}

// -----

func.func @accumulator(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects an i32 result without ppe, got i8}}
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi8>
  return
}

// -----

func.func @ppe_channels(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects ppe multipliers for 1 or 4 channels, got 2}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1, 2], shift = [2, 2], round = single, zp = 0, clamp = [0, 1]>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi8>
  return
}

// -----

func.func @clamp(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects a clamp within [-128, 127], got [-128, 128]}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [-128, 128]>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi8>
  return
}

// -----

func.func @clamp_unsigned(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects a clamp within [0, 65535], got [0, 65536]}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 65536], unsigned>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi16>
  return
}

// -----

func.func @ppe_zp(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects zp of ppe in [-128, 127], got 200}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 200, clamp = [-128, 127]>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi8>
  return
}

// -----

func.func @ppe_zp_wide(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects zp of ppe in [0, 0], got 1}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 1, clamp = [-128, 127]>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @ppe_unsigned_wide(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects ppe without unsigned for a 32-bit result}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 127], unsigned>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi32>
  return
}

// -----

func.func @table(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) {
  // expected-error@+1 {{'strum.conv2d' op expects an i8 result with a table, got i16}}
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 127], table = dense<0> : tensor<256xi8>>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x6x6x4xi16>
  return
}

// -----

func.func @depthwise_channels(%x: tensor<1x8x8x16xi8>, %w: tensor<3x3x8x2xi8>) {
  // expected-error@+1 {{'strum.depthwise_conv2d' op expects weights with 16 input channels, got 8}}
  %0 = strum.depthwise_conv2d %x, %w : (tensor<1x8x8x16xi8>, tensor<3x3x8x2xi8>) -> tensor<1x6x6x16xi32>
  return
}

// -----

func.func @depthwise_packed(%x: tensor<1x8x8x16xi8>, %w: !strum.packed<16x3x3x1xi8, #strum.dense>) {
  // expected-error@+1 {{'strum.depthwise_conv2d' op expects packed weights of shape 1xKHxKWx(C*M), got 16x3x3x1}}
  %0 = strum.depthwise_conv2d %x, %w : (tensor<1x8x8x16xi8>, !strum.packed<16x3x3x1xi8, #strum.dense>) -> tensor<1x6x6x16xi32>
  return
}

// -----

func.func @depthwise_multiple(%x: tensor<1x8x8x16xi8>, %w: !strum.packed<1x3x3x24xi8, #strum.dense>) {
  // expected-error@+1 {{'strum.depthwise_conv2d' op expects output channels that are a multiple of the 16 input channels, got 24}}
  %0 = strum.depthwise_conv2d %x, %w : (tensor<1x8x8x16xi8>, !strum.packed<1x3x3x24xi8, #strum.dense>) -> tensor<1x6x6x24xi32>
  return
}

// -----

func.func @matmul_rank(%a: tensor<16x32xi8>, %b: tensor<4x32x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects left operand of rank 3, got 2}}
  %0 = strum.matmul %a, %b : (tensor<16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
  return
}

// -----

func.func @matmul_batches(%a: tensor<4x16x32xi8>, %b: tensor<1x32x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects right operand with 4 batches, got 1}}
  %0 = strum.matmul %a, %b : (tensor<4x16x32xi8>, tensor<1x32x8xi8>) -> tensor<4x16x8xi32>
  return
}

// -----

func.func @matmul_rows(%a: tensor<4x16x32xi8>, %b: tensor<4x31x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects right operand with 32 rows, got 31}}
  %0 = strum.matmul %a, %b : (tensor<4x16x32xi8>, tensor<4x31x8xi8>) -> tensor<4x16x8xi32>
  return
}

// -----

func.func @matmul_zp(%a: tensor<4x16x32xi8>, %b: tensor<4x32x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects b_zp in [-128, 127], got 130}}
  %0 = strum.matmul %a, %b b_zp 130 : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
  return
}

// -----

func.func @matmul_a_zp(%a: tensor<4x16x32xi8>, %b: tensor<4x32x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects a_zp in [-128, 127], got -130}}
  %0 = strum.matmul %a, %b a_zp -130 : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
  return
}

// -----

func.func @matmul_result(%a: tensor<4x16x32xi8>, %b: tensor<4x32x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects a result of shape 4x16x8, got 4x8x16}}
  %0 = strum.matmul %a, %b : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x8x16xi32>
  return
}

// -----

func.func @matmul_ppe(%a: tensor<4x16x32xi8>, %b: tensor<4x32x8xi8>) {
  // expected-error@+1 {{'strum.matmul' op expects ppe multipliers for 1 channel, got 8}}
  %0 = strum.matmul %a, %b ppe(#strum.ppe<multiplier = [1, 1, 1, 1, 1, 1, 1, 1], shift = [2, 2, 2, 2, 2, 2, 2, 2], round = single, zp = 0, clamp = [0, 1]>)
       : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi8>
  return
}

// -----

func.func @eltwise_rank(%a: tensor<8x16xi8>, %b: tensor<1x8x16xi8>) {
  // expected-error@+1 {{'strum.eltwise' op expects left operand of rank 3, got 2}}
  %0 = strum.eltwise add %a, %b : (tensor<8x16xi8>, tensor<1x8x16xi8>) -> tensor<1x8x16xi32>
  return
}

// -----

func.func @eltwise_high_rank(%a: tensor<1x1x1x1x1x1x1xi8>) {
  // expected-error@+1 {{'strum.eltwise' op expects at most 6 dimensions, got 7}}
  %0 = strum.eltwise add %a, %a : (tensor<1x1x1x1x1x1x1xi8>, tensor<1x1x1x1x1x1x1xi8>) -> tensor<1x1x1x1x1x1x1xi32>
  return
}

// -----

func.func @broadcast(%a: tensor<4x16xi8>, %b: tensor<8x16xi8>) {
  // expected-error@+1 {{'strum.eltwise' op cannot broadcast dimension 0: 4 and 8}}
  %0 = strum.eltwise add %a, %b : (tensor<4x16xi8>, tensor<8x16xi8>) -> tensor<8x16xi32>
  return
}

// -----

func.func @eltwise_result(%a: tensor<1x16xi8>, %b: tensor<8x16xi8>) {
  // expected-error@+1 {{'strum.eltwise' op expects result with 8 elements in dimension 0, got 1}}
  %0 = strum.eltwise add %a, %b : (tensor<1x16xi8>, tensor<8x16xi8>) -> tensor<1x16xi32>
  return
}

// -----

func.func @eltwise_type(%a: tensor<8xi64>) {
  // expected-error@+1 {{'strum.eltwise' op operand #0 must be statically shaped tensor of 8-bit signless integer or 16-bit signless integer or 32-bit signless integer values}}
  %0 = strum.eltwise add %a, %a : (tensor<8xi64>, tensor<8xi64>) -> tensor<8xi32>
  return
}

// -----

func.func @lhs_zp(%a: tensor<8xi8>) {
  // expected-error@+1 {{'strum.eltwise' op expects zp of lhs in [-128, 127], got 128}}
  %0 = strum.eltwise add %a, %a lhs(#strum.rescale<zp = 128, multiplier = 1, shift = 2, round = single>) : (tensor<8xi8>, tensor<8xi8>) -> tensor<8xi32>
  return
}

// -----

func.func @rhs_zp(%a: tensor<8xi8>) {
  // expected-error@+1 {{'strum.eltwise' op expects zp of rhs in [0, 255], got -1}}
  %0 = strum.eltwise add %a, %a rhs(#strum.rescale<zp = -1, multiplier = 1, shift = 2, round = single, unsigned>) : (tensor<8xi8>, tensor<8xi8>) -> tensor<8xi32>
  return
}

// -----

func.func @wide_zp(%a: tensor<8xi32>) {
  // expected-error@+1 {{'strum.eltwise' op expects zp of rhs in [0, 0], got -1}}
  %0 = strum.eltwise add %a, %a rhs(#strum.rescale<zp = -1, multiplier = 1, shift = 2, round = single>) : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
  return
}

// -----

func.func @wide_unsigned(%a: tensor<8xi32>) {
  // expected-error@+1 {{'strum.eltwise' op expects lhs without unsigned for 32-bit values}}
  %0 = strum.eltwise add %a, %a lhs(#strum.rescale<zp = 0, multiplier = 1, shift = 2, round = single, unsigned>) : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
  return
}

// -----

func.func @mul_shift(%a: tensor<8xi32>) {
  // expected-error@+1 {{'strum.eltwise' op expects a shift in 0..63, got 64}}
  %0 = strum.eltwise mul %a, %a shift 64 : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
  return
}

// -----

func.func @add_shift(%a: tensor<8xi32>) {
  // expected-error@+1 {{'strum.eltwise' op expects a shift only for mul}}
  %0 = strum.eltwise add %a, %a shift 1 : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
  return
}

// -----

func.func @eltwise_accumulator(%a: tensor<8xi8>) {
  // expected-error@+1 {{'strum.eltwise' op expects an i32 result without ppe, got i8}}
  %0 = strum.eltwise max %a, %a : (tensor<8xi8>, tensor<8xi8>) -> tensor<8xi8>
  return
}

// -----

func.func @overflow(%x: tensor<1x9223372036854775807x8x1xi8>, %w: tensor<4x3x3x1xi8>) {
  // expected-error@+1 {{'strum.conv2d' op has too many rows}}
  %0 = strum.conv2d %x, %w pads [1, 1, 1, 1] : (tensor<1x9223372036854775807x8x1xi8>, tensor<4x3x3x1xi8>) -> tensor<1x8x8x4xi32>
  return
}

// -----

func.func @depthwise_overflow(%x: tensor<1x8x8x16xi8>, %w: tensor<3x3x4294967296x4294967296xi8>) {
  // expected-error@+1 {{'strum.depthwise_conv2d' op weights are too large}}
  %0 = strum.depthwise_conv2d %x, %w : (tensor<1x8x8x16xi8>, tensor<3x3x4294967296x4294967296xi8>) -> tensor<1x6x6x16xi32>
  return
}
