// Every rule of types and attributes. RUN: strum-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{w must be 4, 8, 16 or 32, got 12}}
func.func private @f() attributes {a = #strum.sparse<w = 12, low = 4>}

// -----

// expected-error@+1 {{low must be at most the block length 16, got 17}}
func.func private @f() attributes {a = #strum.sparse<w = 16, low = 17>}

// -----

// expected-error@+1 {{low must not be negative, got -1}}
func.func private @f() attributes {a = #strum.dliq<w = 16, low = -1, q = 4, shift = 0>}

// -----

// expected-error@+1 {{q must be in 1..=8, got 0}}
func.func private @f() attributes {a = #strum.dliq<w = 16, low = 8, q = 0, shift = 0>}

// -----

// expected-error@+1 {{q must be in 1..=8, got 9}}
func.func private @f() attributes {a = #strum.dliq<w = 16, low = 8, q = 9, shift = 0>}

// -----

// expected-error@+1 {{shift must be in 0..=4, got 5}}
func.func private @f() attributes {a = #strum.dliq<w = 16, low = 8, q = 4, shift = 5>}

// -----

// expected-error@+1 {{'mip2q' needs the field 'L'}}
func.func private @f() attributes {a = #strum.mip2q<w = 16, low = 8>}

// -----

// expected-error@+1 {{field 'w' is given twice}}
func.func private @f() attributes {a = #strum.sparse<w = 16, low = 8, w = 16>}

// -----

// expected-error@+1 {{w = 300 is not in 0 to 255}}
func.func private @f() attributes {a = #strum.sparse<w = 300, low = 8>}

// -----

// expected-error@+1 {{unknown attribute 'mip3q' in dialect 'strum'}}
func.func private @f() attributes {a = #strum.mip3q<w = 16, low = 8>}

// -----

// `per_channel` is no number.
// expected-error@+1 {{shift must not be negative, got -1}}
func.func private @f() attributes {a = #strum.dliq<w = 16, low = 8, q = 4, shift = -1>}

// -----

// expected-error@+1 {{w must be 4, 8, 16 or 32, got 64}}
func.func private @f() attributes {a = #strum.mip2q<w = 64, low = 8, L = 7>}

// -----

// expected-error@+1 {{L must be in 0..=7, got 8}}
func.func private @f() attributes {a = #strum.mip2q<w = 16, low = 8, L = 8>}

// -----

// expected-error@+1 {{mip2q with L = 7 has no spare code that could mean zero}}
func.func private @f() attributes {a = #strum.mip2q<w = 16, low = 8, L = 7, zero>}

// -----

// expected-error@+1 {{mip2q with L = 0 has no spare code that could mean zero}}
func.func private @f() attributes {a = #strum.mip2q<w = 16, low = 8, L = 0, zero>}

// -----

// expected-error@+1 {{'mip2q' has no field 'nil'}}
func.func private @f() attributes {a = #strum.mip2q<w = 16, low = 8, L = 6, nil>}

// -----

// expected-error@+1 {{format must be a weight format, such as #strum.dense, got 3}}
func.func private @f(!strum.packed<1x1x1x1xi8, 3>)

// -----

// expected-error@+1 {{element type must be i8, got 'i16'}}
func.func private @f(!strum.packed<1x1x1x1xi16, #strum.dense>)

// -----

// expected-error@+1 {{shape must have 4 dimensions [oc, ky, kx, ic], got 3}}
func.func private @f(!strum.packed<1x1x1xi8, #strum.dense>)

// -----

// expected-error@+1 {{dimensions must be positive, got 0}}
func.func private @f(!strum.packed<1x0x1x1xi8, #strum.dense>)

// -----

// expected-error@+1 {{shape has more than 1099511627776 elements}}
func.func private @f(!strum.packed<1048576x1x1x1048577xi8, #strum.dense>)

// -----

// expected-error@+1 {{shape has more than 1099511627776 elements}}
func.func private @f(!strum.packed<4294967296x4294967296x1x1xi8, #strum.dense>)

// -----

// expected-error@+1 {{multiplier must not be negative, got -1}}
func.func private @f() attributes {a = #strum.rescale<zp = 0, multiplier = -1, shift = 2, round = single>}

// -----

// expected-error@+1 {{shift must be in 2..62, got 1}}
func.func private @f() attributes {a = #strum.rescale<zp = 0, multiplier = 1, shift = 1, round = single>}

// -----

// expected-error@+1 {{multiplier must not be empty}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [], shift = [], round = single, zp = 0, clamp = [0, 1]>}

// -----

// expected-error@+1 {{multiplier and shift must have the same length, got 2 and 1}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1, 2], shift = [2], round = single, zp = 0, clamp = [0, 1]>}

// -----

// expected-error@+1 {{multiplier must not be negative, got -5}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1, -5], shift = [2, 2], round = single, zp = 0, clamp = [0, 1]>}

// -----

// expected-error@+1 {{shift must be in 2..62, got 63}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [63], round = single, zp = 0, clamp = [0, 1]>}

// -----

// expected-error@+1 {{clamp must not be empty, got [1, 0]}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [1, 0]>}

// -----

// expected-error@+1 {{clamp of an unsigned result must not be negative, got [-1, 255]}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [-1, 255], unsigned>}

// -----

// expected-error@+1 {{table needs a signed result}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 1], unsigned, table = dense<0> : tensor<256xi8>>}

// -----

// expected-error@+1 {{table must have 256 elements of type i8, got 'tensor<255xi8>'}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 1], table = dense<0> : tensor<255xi8>>}

// -----

// expected-error@+1 {{table must have 256 elements of type i8, got 'tensor<256xi16>'}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 1], table = dense<0> : tensor<256xi16>>}

// -----

// expected-error@+1 {{expected one of [single, double] for rounding of a rescale, got: triple}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = triple, zp = 0, clamp = [0, 1]>}

// -----

// expected-error@+1 {{expected 'table'}}
func.func private @f() attributes {a = #strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 1], unsigned, unsigned>}
