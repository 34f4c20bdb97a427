// Every rule. RUN: strum-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{element type must be i8, ui8, i16, ui16 or i32, got 'i64'}}
func.func private @f(!dpu.buffer<sram, 16xi64>)

// -----

// expected-error@+1 {{element type must be i8, ui8, i16, ui16 or i32, got 'ui32'}}
func.func private @f(!dpu.buffer<sram, 16xui32>)

// -----

// expected-error@+1 {{element type must be i8, ui8, i16, ui16 or i32, got 'f32'}}
func.func private @f(!dpu.buffer<sram, 16xf32>)

// -----

// expected-error@+1 {{dimensions must be positive, got 0}}
func.func private @f(!dpu.buffer<sram, 0xi8>)

// -----

// expected-error@+1 {{shape has more than 1099511627776 elements}}
func.func private @f(!dpu.buffer<dram, 1048576x1048577xi8>)

// -----

// expected-error@+2 {{expected ::dpu::Space to be one of: dram, sram}}
// expected-error@+1 {{failed to parse Dpu_BufferType parameter 'space'}}
func.func private @f(!dpu.buffer<cmx, 16xi8>)

// -----

func.func @outside() {
  // expected-error@+1 {{'dpu.alloc' op expects parent op 'dpu.program'}}
  %0 = dpu.alloc : !dpu.buffer<sram, 16xi8>
  return
}

// -----

func.func @outside() {
  // expected-error@+1 {{'dpu.end' op expects parent op 'dpu.program'}}
  dpu.end
  return
}

// -----

func.func @inside() {
  // expected-error@+1 {{'dpu.program' op expects parent op 'builtin.module'}}
  dpu.program @p machine "flexnn-16x16" stage draft {
  }
  return
}

// -----

// expected-error@+1 {{'dpu.program' op is scheduled but does not end with dpu.end}}
dpu.program @p machine "flexnn-16x16" stage scheduled {
}

// -----

// expected-error@+2 {{expected ::dpu::Stage to be one of: draft, allocated, scheduled}}
// expected-error@+1 {{failed to parse Dpu_StageAttr parameter 'value'}}
dpu.program @p machine "flexnn-16x16" stage done {
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'arith.constant' op is not allowed in a program: only dpu operations are}}
  %0 = arith.constant 0 : i32
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.input' op expects a buffer in DRAM}}
  %x = dpu.input "x" : !dpu.buffer<sram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.output' op expects a buffer in DRAM}}
  %x = dpu.output "x" : !dpu.buffer<sram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.constant' op expects a buffer in DRAM}}
  %x = dpu.constant dense<0> : tensor<16xi8> -> !dpu.buffer<sram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.constant' op expects a value of 32 bytes, got 16}}
  %x = dpu.constant dense<0> : tensor<16xi8> -> !dpu.buffer<dram, 16xi16>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.constant' op constants of type 'tensor<16xi1>' are not supported: elements must be whole bytes}}
  %x = dpu.constant dense<true> : tensor<16xi1> -> !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.constant' op the resource 'nowhere' is not in the file}}
  %x = dpu.constant dense_resource<nowhere> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.alloc' op expects an alignment that is a power of two, got 24}}
  %x = dpu.alloc align 24 : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.alloc' op expects an alignment that is a power of two, got 0}}
  %x = dpu.alloc align 0 : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.alloc' op expects an alignment that is a power of two, got -16}}
  %x = dpu.alloc align -16 : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage allocated {
  // expected-error@+1 {{'dpu.alloc' op expects an address that is a multiple of 16, got 8}}
  %x = dpu.alloc address 8 : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage allocated {
  // expected-error@+1 {{'dpu.alloc' op expects an address in 0..1099511627776 with its 16 bytes, got -16}}
  %x = dpu.alloc address -16 : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage allocated {
  // expected-error@+1 {{'dpu.alloc' op expects an address in 0..1099511627776 with its 16 bytes, got 1099511627776}}
  %x = dpu.alloc address 1099511627776 : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage allocated {
  // expected-error@+1 {{'dpu.alloc' op expects an address in 0..4294967296 with its 17 bytes, got 4294967280}}
  %x = dpu.alloc address 4294967280 : !dpu.buffer<sram, 17xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %0 = dpu.input "x" : !dpu.buffer<dram, 16xi8>
  // expected-error@+1 {{'dpu.input' op is a second input called 'x'}}
  %1 = dpu.input "x" : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %0 = dpu.output "x" : !dpu.buffer<dram, 16xi8>
  // expected-error@+1 {{'dpu.output' op is a second output called 'x'}}
  %1 = dpu.output "x" : !dpu.buffer<dram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.layer' op expects non-negative macs}}
  dpu.layer "l" of "o" macs -1
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  dpu.layer "l" of "o" macs 0
  // expected-error@+1 {{'dpu.conv_inv' op refers to layer 1, the program has 1}}
  dpu.conv_inv layer 1
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.conv_inv' op field 'layer': the attribute has the wrong kind or length}}
  dpu.conv_inv layer -1
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.alloc' op has an address in a draft}}
  %x = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.end' op is only allowed in a scheduled program}}
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage allocated {
  // expected-error@+1 {{'dpu.bar_cfg' op is only allowed in a scheduled program}}
  %b = dpu.bar_cfg producers 1 consumers 1
}

// -----

dpu.program @p machine "flexnn-16x16" stage allocated {
  // expected-error@+1 {{'dpu.alloc' op has no address in an allocated program}}
  %x = dpu.alloc : !dpu.buffer<sram, 16xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage scheduled {
  // expected-error@+1 {{'dpu.alloc' op has no address in an allocated program}}
  %x = dpu.alloc : !dpu.buffer<sram, 16xi8>
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage scheduled {
  // expected-error@+1 {{'dpu.bar_cfg' op has no number in a scheduled program}}
  %b = dpu.bar_cfg producers 1 consumers 1
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage scheduled {
  // expected-error@+1 {{'dpu.end' op is not the last operation of its program}}
  dpu.end
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage scheduled {
  // expected-error@+1 {{'dpu.bar_cfg' op field 'barrier': value 64 is outside 0..=63}}
  %b = dpu.bar_cfg barrier 64 producers 1 consumers 1
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage scheduled {
  // expected-error@+1 {{'dpu.bar_cfg' op field 'producers': value 0 is outside 1..=65535}}
  %b = dpu.bar_cfg barrier 0 producers 0 consumers 1
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'dims[2]': value 0 is outside 1..=4294967295}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) dims [1, 1, 0, 1, 1, 1]
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'dims': the attribute has the wrong kind or length}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) dims [1, 1]
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'element': value 3 is none of [1, 2, 4]}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) element 3
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'value': value 2147483648 is outside -2147483648..=2147483647}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) value 2147483648
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'tile': value 256 is outside 0..=255}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) tile 256
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.conv_inv' op field 'method': unknown value 'ternary', expected one of dense, sparse, dliq, mip2q}}
  dpu.conv_inv method ternary
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.conv_inv' op field 'lut_addr': offset 0x8 is not a multiple of 16}}
  dpu.conv_inv lut_addr(8)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.dma_fill' op field 'dst': address is required}}
  dpu.dma_fill
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.conv_inv' op field 'lut_addr': address is required}}
  dpu.conv_inv lut
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.conv_inv' op field 'lut_addr': address is not used by this instruction}}
  dpu.conv_inv lut_addr(%s : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.conv_var' op field 'out': address is required}}
  dpu.conv_var act(%s : <sram, 256xi8>) weights(%s : <sram, 256xi8>) table(%s : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.conv_var' op field 'psum': address is required}}
  dpu.conv_var act(%s : <sram, 256xi8>) weights(%s : <sram, 256xi8>) table(%s : <sram, 256xi8>) out(%s : <sram, 256xi8>) acc_in
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.conv_var' op field 'out': address is not used by this instruction}}
  dpu.conv_var act(%s : <sram, 256xi8>) weights(%s : <sram, 256xi8>) table(%s : <sram, 256xi8>) out(%s : <sram, 256xi8>) psum(%s : <sram, 256xi8>) acc_out
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.pool_var' op field 'psum': address is not used by this instruction}}
  dpu.pool_var act(%s : <sram, 256xi8>) out(%s : <sram, 256xi8>) psum(%s : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.vec_rescale' op field 'params': address is required}}
  dpu.vec_rescale src(%s : <sram, 256xi8>) out(%s : <sram, 256xi8>) per_channel
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.vec_binary' op field 'lut_addr': address is not used by this instruction}}
  dpu.vec_binary a(%s : <sram, 256xi8>) b(%s : <sram, 256xi8>) out(%s : <sram, 256xi8>) lut_addr(%s : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  %d = dpu.alloc : !dpu.buffer<dram, 256xi8>
  // expected-error@+1 {{'dpu.vec_unary' op field 'src': the buffer must be in SRAM}}
  dpu.vec_unary src(%d : <dram, 256xi8>) out(%s : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'dst': offset 256 is not within the buffer's 256 bytes}}
  dpu.dma_fill dst(%s + 256 : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'dst': offset -1 is not within the buffer's 256 bytes}}
  dpu.dma_fill dst(%s + -1 : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.conv_inv' op field 'lut_addr': offset 0x8 is not a multiple of 16}}
  dpu.conv_inv lut lut_addr(%s + 8 : <sram, 256xi8>)
}

// -----

// The sum of address and offset counts, too.
dpu.program @p machine "flexnn-16x16" stage scheduled {
  %s = dpu.alloc address 8 align 8 : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.conv_inv' op field 'lut_addr': offset 0x8 is not a multiple of 16}}
  dpu.conv_inv lut lut_addr(%s : <sram, 256xi8>)
  dpu.end
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-note@+1 {{prior use here}}
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{use of value '%s' expects different type than prior uses: '!dpu.buffer<sram, 255xi8>' vs '!dpu.buffer<sram, 256xi8>'}}
  dpu.dma_fill dst(%s : <sram, 255xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-note@+1 {{prior use here}}
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{use of value '%s' expects different type than prior uses: '!dpu.barrier' vs '!dpu.buffer<sram, 256xi8>'}}
  dpu.dma_fill wait(%s) dst(%s : <sram, 256xi8>)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{field 'element' is given twice}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) element 1 element 2
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{expected ':'}}
  dpu.dma_fill dst(%s)
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{expected '('}}
  dpu.dma_fill dst 5
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{expected integer value}}
  dpu.conv_inv slot dense
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{expected valid keyword}}
  dpu.conv_inv method 3
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{expected '['}}
  dpu.vec_unary dims 3
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op field 'dims[5]': value -1 is outside 1..=4294967295}}
  "dpu.dma_fill"(%s) <{operandSegmentSizes = array<i32: 0, 0, 1>, dims = array<i64: 1, 1, 1, 1, 1, -1>}> : (!dpu.buffer<sram, 256xi8>) -> ()
}

// -----

// expected-error@+1 {{'builtin.module' op has no attribute 'dpu.machine'}}
module attributes {dpu.machine = "flexnn-4x4"} {}

// -----

// expected-error@+1 {{'dpu.program' op has no attribute 'pipline'; the nearest is 'pipeline'}}
dpu.program @p machine "flexnn-16x16" stage draft attributes {pipline = "x"} {
}

// -----

// expected-error@+1 {{'dpu.program' op expects 'tool' to be a string, got 1 : i64}}
dpu.program @p machine "flexnn-16x16" stage draft attributes {tool = 1 : i64} {
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  // expected-error@+1 {{'dpu.alloc' op has no attribute 'adress'; the nearest is 'address'}}
  %s = dpu.alloc {adress = 0 : i64} : !dpu.buffer<sram, 256xi8>
}

// -----

dpu.program @p machine "flexnn-16x16" stage draft {
  %s = dpu.alloc : !dpu.buffer<sram, 256xi8>
  // expected-error@+1 {{'dpu.dma_fill' op has no attribute 'dim'; the nearest is 'dims'}}
  dpu.dma_fill dst(%s : <sram, 256xi8>) {dim = array<i64: 1, 1, 1, 1, 1, 256>}
}
