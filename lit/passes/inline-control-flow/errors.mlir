// RUN: strum-opt %s --split-input-file --verify-diagnostics --inline-control-flow

func.func @data(%n: tensor<1xi32>) -> tensor<1xi32> {
  // expected-error @+1 {{unsupported: the number of iterations depends on data: in iteration 0 the condition does not follow from constants}}
  %0 = tosa.while_loop (%i = %n) : (tensor<1xi32>) -> tensor<1xi32> {
    %zero = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
    // expected-note @+1 {{a loop is unrolled if its counter begins at a constant and only constants change it: make the counter a constant of the network, or unroll the loop where the network is exported}}
    %more = tosa.greater %i, %zero : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
    tosa.yield %more : tensor<1xi1>
  } do {
  ^bb0(%i: tensor<1xi32>):
    tosa.yield %i : tensor<1xi32>
  }
  return %0 : tensor<1xi32>
}

// -----

func.func @endless(%x: tensor<1xi32>) -> tensor<1xi32> {
  %true = "tosa.const"() <{values = dense<true> : tensor<1xi1>}> : () -> tensor<1xi1>
  // expected-error @+1 {{unsupported: the loop does not end within 4096 iterations, as many as are unrolled}}
  %0 = tosa.while_loop (%i = %x) : (tensor<1xi32>) -> tensor<1xi32> {
    tosa.yield %true : tensor<1xi1>
  } do {
  ^bb0(%i: tensor<1xi32>):
    tosa.yield %i : tensor<1xi32>
  }
  return %0 : tensor<1xi32>
}

// -----

func.func @many(%x: tensor<1xi32>) -> tensor<1xi32> {
  %zero = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %one = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %end = "tosa.const"() <{values = dense<400> : tensor<1xi32>}> : () -> tensor<1xi32>
  // expected-error @+1 {{unsupported: its regions become more than 65536 ops}}
  %0:2 = tosa.while_loop (%i = %zero, %s = %x) : (tensor<1xi32>, tensor<1xi32>) -> (tensor<1xi32>, tensor<1xi32>) {
    %more = tosa.greater %end, %i : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
    tosa.yield %more : tensor<1xi1>
  } do {
  ^bb0(%i: tensor<1xi32>, %s: tensor<1xi32>):
    %1:2 = tosa.while_loop (%j = %zero, %t = %s) : (tensor<1xi32>, tensor<1xi32>) -> (tensor<1xi32>, tensor<1xi32>) {
      %more = tosa.greater %end, %j : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
      tosa.yield %more : tensor<1xi1>
    } do {
    ^bb0(%j: tensor<1xi32>, %t: tensor<1xi32>):
      %next = tosa.add %j, %one : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
      %y = tosa.clz %t : (tensor<1xi32>) -> tensor<1xi32>
      tosa.yield %next, %y : tensor<1xi32>, tensor<1xi32>
    }
    %next = tosa.add %i, %one : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
    tosa.yield %next, %1#1 : tensor<1xi32>, tensor<1xi32>
  }
  return %0#1 : tensor<1xi32>
}

// -----

module {
  tosa.variable @state : tensor<1xi32>
  func.func @state_in_a_region(%c: tensor<1xi1>, %x: tensor<1xi32>) -> tensor<1xi32> {
    %0 = tosa.cond_if %c (%y = %x) : tensor<1xi1> (tensor<1xi32>) -> tensor<1xi32> {
    ^bb0(%y: tensor<1xi32>):
      // expected-error @+1 {{unsupported: an op with other effects than its result in a region of control flow}}
      tosa.variable_write @state, %y : tensor<1xi32>
      tosa.yield %y : tensor<1xi32>
    } else {
    ^bb0(%y: tensor<1xi32>):
      tosa.yield %y : tensor<1xi32>
    }
    return %0 : tensor<1xi32>
  }
}

// -----

func.func @types(%x: tensor<?xi32>) -> tensor<4xi32> {
  %true = "tosa.const"() <{values = dense<true> : tensor<1xi1>}> : () -> tensor<1xi1>
  // expected-error @+1 {{unsupported: a region yields other types than those of the results}}
  %0 = tosa.cond_if %true : tensor<1xi1> -> tensor<4xi32> {
    tosa.yield %x : tensor<?xi32>
  } else {
    tosa.yield %x : tensor<?xi32>
  }
  return %0 : tensor<4xi32>
}

// -----

func.func @shapes(%c: tensor<1xi1>, %x: tensor<?xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  // expected-error @+1 {{unsupported: its regions yield different shapes}}
  %0 = tosa.cond_if %c : tensor<1xi1> -> tensor<4xi32> {
    tosa.yield %x : tensor<?xi32>
  } else {
    tosa.yield %y : tensor<4xi32>
  }
  return %0 : tensor<4xi32>
}

// -----

func.func @deep(%c: tensor<1xi1>, %x: tensor<1xi32>) -> tensor<1xi32> {
  %r0 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r1 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r2 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r3 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r4 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r5 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r6 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r7 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r8 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r9 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r10 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r11 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r12 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r13 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r14 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r15 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r16 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r17 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r18 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r19 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r20 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r21 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r22 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r23 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r24 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r25 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r26 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r27 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r28 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r29 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r30 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r31 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r32 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r33 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r34 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r35 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r36 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r37 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r38 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r39 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r40 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r41 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r42 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r43 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r44 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r45 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r46 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r47 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r48 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r49 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r50 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r51 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r52 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r53 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r54 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r55 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r56 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r57 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r58 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r59 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r60 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r61 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r62 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r63 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  // expected-error @+1 {{unsupported: control flow is nested deeper than 64}}
  %r64 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
  %r65 = tosa.cond_if %c : tensor<1xi1> -> tensor<1xi32> {
    tosa.yield %x : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r65 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r64 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r63 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r62 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r61 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r60 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r59 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r58 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r57 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r56 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r55 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r54 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r53 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r52 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r51 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r50 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r49 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r48 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r47 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r46 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r45 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r44 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r43 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r42 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r41 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r40 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r39 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r38 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r37 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r36 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r35 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r34 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r33 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r32 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r31 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r30 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r29 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r28 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r27 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r26 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r25 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r24 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r23 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r22 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r21 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r20 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r19 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r18 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r17 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r16 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r15 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r14 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r13 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r12 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r11 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r10 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r9 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r8 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r7 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r6 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r5 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r4 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r3 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r2 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  tosa.yield %r1 : tensor<1xi32>
  } else {
    tosa.yield %x : tensor<1xi32>
  }
  return %r0 : tensor<1xi32>
}
