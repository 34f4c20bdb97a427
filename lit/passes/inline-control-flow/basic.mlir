// RUN: strum-opt %s --split-input-file --inline-control-flow | FileCheck %s

// A loop that counts to 2. The counter is constant in every iteration, and the value from outside, too, is read in each.
// CHECK-LABEL: func.func @loop
// CHECK-SAME: (%[[X:.*]]: tensor<4xi32>, %[[Y:.*]]: tensor<4xi32>)
// CHECK: %[[ONCE:.*]] = tosa.add %[[X]], %[[Y]]
// CHECK: %[[TWICE:.*]] = tosa.add %[[ONCE]], %[[Y]]
// CHECK: return %[[TWICE]]
func.func @loop(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  %zero = "tosa.const"() <{values = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %two = "tosa.const"() <{values = dense<2> : tensor<i32>}> : () -> tensor<i32>
  %0:2 = tosa.while_loop (%i = %zero, %s = %x) : (tensor<i32>, tensor<4xi32>) -> (tensor<i32>, tensor<4xi32>) {
    %more = tosa.greater %two, %i : (tensor<i32>, tensor<i32>) -> tensor<i1>
    tosa.yield %more : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %s: tensor<4xi32>):
    %one = "tosa.const"() <{values = dense<1> : tensor<i32>}> : () -> tensor<i32>
    %next = tosa.add %i, %one : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %sum = tosa.add %s, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
    tosa.yield %next, %sum : tensor<i32>, tensor<4xi32>
  }
  return %0#1 : tensor<4xi32>
}

// -----

// A condition that is known chooses a region, also where it is computed from others.
// CHECK-LABEL: func.func @chosen
// CHECK-SAME: (%[[X:.*]]: tensor<4xi32>)
// CHECK-NOT: tosa.select
// CHECK: %[[Y:.*]] = tosa.clz %[[X]]
// CHECK: return %[[Y]]
func.func @chosen(%x: tensor<4xi32>) -> tensor<4xi32> {
  %a = "tosa.const"() <{values = dense<true> : tensor<1xi1>}> : () -> tensor<1xi1>
  %b = "tosa.const"() <{values = dense<[[3], [5]]> : tensor<2x1xi8>}> : () -> tensor<2x1xi8>
  %c = "tosa.const"() <{values = dense<[[3], [6]]> : tensor<2x1xi8>}> : () -> tensor<2x1xi8>
  %same = tosa.equal %b, %c : (tensor<2x1xi8>, tensor<2x1xi8>) -> tensor<2x1xi1>
  %differs = tosa.logical_not %same : (tensor<2x1xi1>) -> tensor<2x1xi1>
  %both = tosa.logical_xor %same, %differs : (tensor<2x1xi1>, tensor<2x1xi1>) -> tensor<2x1xi1>
  %n = "tosa.const"() <{values = dense<7> : tensor<1xi32>}> : () -> tensor<1xi32>
  %bits = tosa.cast %n : (tensor<1xi32>) -> tensor<1xi1>
  %and = tosa.logical_and %bits, %a : (tensor<1xi1>, tensor<1xi1>) -> tensor<1xi1>
  %not = tosa.logical_not %and : (tensor<1xi1>) -> tensor<1xi1>
  %or = tosa.logical_or %not, %not : (tensor<1xi1>, tensor<1xi1>) -> tensor<1xi1>
  %shape = tosa.const_shape {values = dense<> : tensor<0xindex>} : () -> !tosa.shape<0>
  %scalar = tosa.reshape %or, %shape : (tensor<1xi1>, !tosa.shape<0>) -> tensor<i1>
  %0 = tosa.cond_if %scalar (%y = %x) : tensor<i1> (tensor<4xi32>) -> tensor<4xi32> {
  ^bb0(%y: tensor<4xi32>):
    %1 = tosa.abs %y : (tensor<4xi32>) -> tensor<4xi32>
    tosa.yield %1 : tensor<4xi32>
  } else {
  ^bb0(%y: tensor<4xi32>):
    %1 = tosa.clz %y : (tensor<4xi32>) -> tensor<4xi32>
    tosa.yield %1 : tensor<4xi32>
  }
  return %0 : tensor<4xi32>
}

// -----

// Else both regions are computed, and a result is selected where they differ.
// CHECK-LABEL: func.func @either
// CHECK-SAME: (%[[C:.*]]: tensor<1xi1>, %[[X:.*]]: tensor<4x2xi32>)
// CHECK: %[[A:.*]] = tosa.abs %[[X]]
// CHECK: %[[B:.*]] = tosa.clz %[[X]]
// CHECK: %[[BIT:.*]] = tosa.reshape %[[C]], %{{.*}} -> tensor<1x1xi1>
// CHECK: %[[Y:.*]] = tosa.select %[[BIT]], %[[A]], %[[B]]
// CHECK-NOT: tosa.select
// CHECK: return %[[Y]], %[[X]]
func.func @either(%c: tensor<1xi1>, %x: tensor<4x2xi32>) -> (tensor<4x2xi32>, tensor<4x2xi32>) {
  %0:2 = tosa.cond_if %c (%y = %x) : tensor<1xi1> (tensor<4x2xi32>) -> (tensor<4x2xi32>, tensor<4x2xi32>) {
  ^bb0(%y: tensor<4x2xi32>):
    %1 = tosa.abs %y : (tensor<4x2xi32>) -> tensor<4x2xi32>
    tosa.yield %1, %y : tensor<4x2xi32>, tensor<4x2xi32>
  } else {
  ^bb0(%y: tensor<4x2xi32>):
    %1 = tosa.clz %y : (tensor<4x2xi32>) -> tensor<4x2xi32>
    tosa.yield %1, %y : tensor<4x2xi32>, tensor<4x2xi32>
  }
  return %0#0, %0#1 : tensor<4x2xi32>, tensor<4x2xi32>
}

// -----

// A condition in a loop in a loop: 3 + 2 + 1 additions, of which those with an odd inner counter are subtractions. A condition that is
// known in one iteration selects nothing, and one that a select chooses is known, too.
// CHECK-LABEL: func.func @nested
// CHECK-SAME: (%[[X:.*]]: tensor<1xi32>)
// CHECK-COUNT-6: tosa.{{add|sub}}
// CHECK-NOT: tosa.{{add|sub|select|while_loop|cond_if}}
func.func @nested(%x: tensor<1xi32>) -> tensor<1xi32> {
  %zero = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %one = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %three = "tosa.const"() <{values = dense<3> : tensor<1xi32>}> : () -> tensor<1xi32>
  %true = "tosa.const"() <{values = dense<[true]> : tensor<1xi1>}> : () -> tensor<1xi1>
  %0:2 = tosa.while_loop (%i = %zero, %s = %x) : (tensor<1xi32>, tensor<1xi32>) -> (tensor<1xi32>, tensor<1xi32>) {
    %more = tosa.greater %three, %i : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
    tosa.yield %more : tensor<1xi1>
  } do {
  ^bb0(%i: tensor<1xi32>, %s: tensor<1xi32>):
    %1:2 = tosa.while_loop (%j = %i, %t = %s) : (tensor<1xi32>, tensor<1xi32>) -> (tensor<1xi32>, tensor<1xi32>) {
      %more = tosa.greater_equal %j, %three : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
      %not = tosa.logical_not %more : (tensor<1xi1>) -> tensor<1xi1>
      %same = tosa.identity %not : (tensor<1xi1>) -> tensor<1xi1>
      tosa.yield %same : tensor<1xi1>
    } do {
    ^bb0(%j: tensor<1xi32>, %t: tensor<1xi32>):
      %odd = tosa.equal %j, %one : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
      %2 = tosa.cond_if %odd (%u = %t) : tensor<1xi1> (tensor<1xi32>) -> tensor<1xi32> {
      ^bb0(%u: tensor<1xi32>):
        %d = tosa.sub %u, %x : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
        tosa.yield %d : tensor<1xi32>
      } else {
      ^bb0(%u: tensor<1xi32>):
        %d = tosa.add %u, %x : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
        tosa.yield %d : tensor<1xi32>
      }
      %chosen = tosa.select %true, %one, %x : (tensor<1xi1>, tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
      %next = tosa.add %j, %chosen : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
      tosa.yield %next, %2 : tensor<1xi32>, tensor<1xi32>
    }
    %next = tosa.add %i, %one : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
    tosa.yield %next, %1#1 : tensor<1xi32>, tensor<1xi32>
  }
  return %0#1 : tensor<1xi32>
}
