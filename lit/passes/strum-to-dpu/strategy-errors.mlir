// A strategy fixes decisions of the planner layer by layer. One that cannot be followed is refused at the layer. Each case below is a strategy
// with one decision.

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "2.max_pool2d", "tiling": {"split_weights": true}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=SPLIT
// SPLIT: error: 'tosa.max_pool2d' op strategy: split_weights needs weights and two DMA engines

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "2.max_pool2d", "tiling": {"weight_slots": 1}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// WEIGHTS: error: 'tosa.max_pool2d' op strategy: weight_slots is 1: must be 0: there are no weights

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "1.eltwise", "stays": true}, {"name": "2.max_pool2d", "tiling": {"act_slots": 1}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=INPUT
// INPUT: error: 'tosa.max_pool2d' op strategy: act_slots is 1: must be 0: the whole input is resident in SRAM

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "0.conv2d", "stays": true, "tiling": {"out_slots": 1}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: error: 'strum.conv2d' op strategy: out_slots is 1: must be 0: the whole output is resident in SRAM

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "0.conv2d", "stays": true, "tiling": {"gather": true}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=GATHER
// GATHER: error: 'strum.conv2d' op strategy: gather needs several tiles of one image per iteration of the outermost loop, and an output that is not resident in SRAM

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "0.conv2d", "stays": false, "tiling": {"oy": 1, "ox": 64, "out_slots": 1}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=SLOTS
// SLOTS: error: 'strum.conv2d' op strategy: no tiling with these slot counts

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "0.conv2d", "tiling": {"act_slots": 1099511627776}}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=ROOM
// ROOM: error: 'strum.conv2d' op strategy: the tiling does not fit the {{[0-9]+}} bytes of SRAM that resident tensors leave

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "0.conv2d", "schedules": [{"tile": {"oc": 1, "oy": 1, "ox": 1, "ic": 1}}, {"tile": {"oc": 1, "oy": 1, "ox": 1, "ic": 1}}]}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: 'strum.conv2d' op strategy: two schedules for tile oc 1, oy 1, ox 1, ic 1

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "1.eltwise", "schedules": [{"tile": {"oc": 1, "oy": 1, "ox": 1, "ic": 1}}]}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=KIND
// KIND: error: 'strum.eltwise' op strategy: schedules given for a layer that is neither a convolution nor a matrix product

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "3.transpose", "cuts": [{"by": "dma", "tile": [1, 1]}]}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=DMA
// DMA: error: 'tosa.transpose' op strategy: tile is not allowed with by = dma

// RUN: echo '{"version": 1, "programs": [{"name": "main", "layers": [{"name": "4.concat", "stays": true}]}]}' > %t.json
// RUN: not strum-opt %s --strum-to-dpu=read-strategy=%t.json 2>&1 | FileCheck %s --check-prefix=STAYS
// STAYS: error: 'tosa.concat' op strategy: the result cannot be resident in SRAM: it does not fit with the other resident tensors, or no layer reads it

func.func @main(%x: tensor<1x16x16x16xi8>) -> (tensor<1x16x8x8xi8>, tensor<3145728xi8>) {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x1x1x16xi8>}> : () -> tensor<16x1x1x16xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x16x16x16xi8>
  %1 = strum.eltwise max %0, %x ppe(#strum.ppe<multiplier = [1073741824], shift = [30], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<1x16x16x16xi8>) -> tensor<1x16x16x16xi8>
  %2 = tosa.max_pool2d %1 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x16x16x16xi8>) -> tensor<1x8x8x16xi8>
  %3 = tosa.transpose %2 {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x8x8x16xi8>) -> tensor<1x16x8x8xi8>
  %more = "tosa.const"() <{values = dense<1> : tensor<1572864xi8>}> : () -> tensor<1572864xi8>
  %4 = tosa.concat %more, %more {axis = 0 : i32} : (tensor<1572864xi8>, tensor<1572864xi8>) -> tensor<3145728xi8>
  %5 = tosa.clamp %4 {min_val = 0 : i8, max_val = 6 : i8} : (tensor<3145728xi8>) -> tensor<3145728xi8>
  return %3, %5 : tensor<1x16x8x8xi8>, tensor<3145728xi8>
}
