//! Wrong wires in designs, each of which the evaluator, Verilator and the simulation of mapped gates must find.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::rc::Rc;

use common::{Traced, random, section};
use dpu_isa::{Machine, PeKind};
use dpu_rtl::drive::stimulus;
use dpu_rtl::liberty::Library;
use dpu_rtl::netlist::{Evaluator, Expr, Instance, Item, Module, Node, Register, cat, to_verilog};
use dpu_rtl::power::{Conditions, PowerError, simulate};
use dpu_rtl::spec::{Decode, Level, LowLanes, RegisterFile, Spec};
use dpu_rtl::stimulus::Stimulus;
use dpu_rtl::synth::{Options, map};
use dpu_rtl::toolchain::Yosys;
use dpu_rtl::{units, verilator};
use strum_formats::{DliqShift, Format, Method};

/// A copy of a design in which one module instance differs: that at the end of `path`, instance by instance.
fn changed(module: &Module, path: &[&str], change: &dyn Fn(&mut Module)) -> Rc<Module> {
    let mut module = Module { name: format!("{}_changed", module.name), ..module.clone() };
    match path {
        [] => change(&mut module),
        [first, rest @ ..] => {
            let below = instance(&mut module, first);
            below.module = changed(&below.module, rest, change);
        }
    }
    Rc::new(module)
}

fn instance<'a>(module: &'a mut Module, name: &str) -> &'a mut Instance {
    let known = module.name.clone();
    let found = module.items.iter_mut().find_map(|item| match item {
        Item::Instance(instance) if instance.name.strip_prefix("u_") == Some(name) => Some(instance),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{known} has no instance {name}"))
}

/// The definition of a net or of an output.
fn value<'a>(module: &'a mut Module, name: &str) -> &'a mut Expr {
    let known = module.name.clone();
    let found = module.items.iter_mut().find_map(|item| match item {
        Item::Wire(own, value) | Item::Output(own, value) if own == name => Some(value),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{known} has no net {name}"))
}

fn register<'a>(module: &'a mut Module, name: &str) -> &'a mut Register {
    let known = module.name.clone();
    let found = module.items.iter_mut().find_map(|item| match item {
        Item::Register(register) if register.name == name => Some(register),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{known} has no register {name}"))
}

fn input<'a>(module: &'a mut Module, name: &str, port: &str) -> &'a mut Expr {
    let input = instance(module, name).inputs.iter_mut().find(|(own, _)| own == port);
    &mut input.unwrap_or_else(|| panic!("{name} has no input {port}")).1
}

/// Its bits moved by one, the lowest to the top.
fn rotated(value: &Expr) -> Expr {
    cat([value.bits(1..value.width()), value.bit(0)])
}

/// Bits `a` and `b` swapped.
fn bits_swapped(value: &Expr, a: u32, b: u32) -> Expr {
    let other = |i: u32| {
        if i == a {
            b
        } else if i == b {
            a
        } else {
            i
        }
    };
    cat((0..value.width()).map(|i| value.bit(other(i))))
}

/// Two nets, each with the other's definition.
fn swap(module: &mut Module, a: &str, b: &str) {
    let other = value(module, a).clone();
    let other = std::mem::replace(value(module, b), other);
    *value(module, a) = other;
}

/// One operand of an operator.
fn operand(value: &Expr, index: usize) -> Expr {
    match value.node() {
        Node::And(list) | Node::Or(list) | Node::Xor(list) => list[index].clone(),
        Node::Mux(select, then, other) => [select, then, other][index].clone(),
        node => panic!("{node:?} has no operands"),
    }
}

type Change = fn(&mut Module);

/// A wrong wire: what it is, the instance that has it, and how it is made.
type Fault = (&'static str, &'static [&'static str], Change);

/// Faults of a static datapath with Booth rows, shifters and a merged tree.
const DATAPATH: [Fault; 10] = [
    ("the sign of a Booth row", &["row1_0"], |m| {
        let negative = value(m, "negative");
        *negative = Expr::zeros(1);
    }),
    ("twice the activation taken as once", &["row2_1"], |m| swap(m, "one", "two")),
    ("an inverted bit of a Booth digit", &[], |m| {
        let digit = input(m, "row3_1", "digit");
        *digit = cat([digit.bits(0..2), !digit.bit(2)]);
    }),
    ("the activations of two lanes swapped", &[], |m| {
        let other = input(m, "row0_0", "act").clone();
        let other = std::mem::replace(input(m, "row0_1", "act"), other);
        *input(m, "row0_0", "act") = other;
    }),
    ("the neighbouring bits of a low code", &[], |m| {
        let code = input(m, "shift_2", "code");
        *code = rotated(code);
    }),
    ("a stage of a shifter that does not shift", &["shift_2"], |m| {
        let stage = value(m, "by2");
        *stage = operand(stage, 2);
    }),
    ("the sign of a shifter", &["shift_3"], |m| {
        let negative = value(m, "negative");
        *negative = !&*negative;
    }),
    ("a carry of the tree", &["full_tree1_9_0"], |m| {
        let carry = value(m, "carry");
        *carry = operand(carry, 0);
    }),
    ("two bits of the sum's register swapped", &["accumulate"], |m| {
        let sum = register(m, "sum_held");
        sum.next = bits_swapped(&sum.next, 3, 4);
    }),
    ("a carry of the accumulator's adder", &["accumulate", "add"], |m| {
        let carries = value(m, "carries_7_3");
        *carries = operand(carries, 0);
    }),
];

/// Faults of a static PE with its register files.
const PE: [Fault; 12] = [
    ("two positions of the decoder swapped", &["core", "decode", "block0"], |m| {
        swap(m, "high_1_0", "high_1_1")
    }),
    ("forwarding of a sum whatever its address", &[], |m| {
        let same = value(m, "same");
        *same = operand(same, 0);
    }),
    ("an entry that is written in every cycle", &["if"], |m| register(m, "entry_1").enable = None),
    ("a zero point less by one", &["core"], |m| {
        let zero = input(m, "zero3", "zero_point");
        *zero = bits_swapped(zero, 0, 8);
    }),
    ("a count of the decoder", &["core", "decode", "block0"], |m| swap(m, "count_5_2", "count_5_3")),
    ("two members before a lane swapped", &["core", "choice"], |m| swap(m, "window_low1_1", "window_low1_2")),
    ("an entry whose group of clocks stays closed", &["if"], |m| {
        register(m, "entry_1").group = Some(Expr::zeros(1));
    }),
    ("the high codes of two lanes swapped", &["core"], |m| {
        let other = register(m, "high_held0").next.clone();
        let other = std::mem::replace(&mut register(m, "high_held1").next, other);
        register(m, "high_held0").next = other;
    }),
    ("the neighbouring bits of stored low codes", &["core"], |m| {
        let low = register(m, "low_held1");
        low.next = rotated(&low.next);
    }),
    ("the addresses of two entries swapped for reading", &["fl"], |m| swap(m, "read_0", "read_1")),
    ("an accumulator at the wrong address", &["of"], |m| swap(m, "write_2", "write_3")),
    ("an inverted bit of the accumulator", &["core", "datapath", "accumulate"], |m| {
        let acc = register(m, "acc");
        acc.next = cat([!acc.next.bit(0), acc.next.bits(1..32)]);
    }),
];

/// Faults of a dynamic PE with shifts of low products and masks decoded on fetching.
const FETCHING: [Fault; 4] = [
    ("the bits of a fetched position swapped", &["fetch"], |m| {
        let positions = value(m, "positions");
        *positions = bits_swapped(positions, 0, 1);
    }),
    ("an idle multiplier that multiplies", &["core", "datapath", "isolate_3"], |m| {
        let weight = value(m, "weight_high");
        *weight = operand(weight, 0);
    }),
    ("the shift of one row of low products", &["core", "datapath"], |m| {
        let row = value(m, "low_row0_by2");
        *row = operand(row, 2);
    }),
    ("plain weights in place of low codes", &["core"], |m| {
        let low = register(m, "low_held1");
        low.next = operand(&low.next, 2);
    }),
];

/// Faults of a static PE with low lanes in place.
const IN_PLACE: [Fault; 7] = [
    ("the codes of two positions swapped", &["core", "place", "block0"], |m| swap(m, "placed_1", "placed_2")),
    ("a code routed by the wrong count", &["core", "place", "block0"], |m| swap(m, "code_2", "code_3")),
    ("two positions of a high rank swapped", &["core", "place", "block0"], |m| {
        swap(m, "high_0_1", "high_1_1")
    }),
    ("a lane that is on at a high member", &["core", "place", "block0"], |m| {
        let code = value(m, "placed_0");
        *code = cat([code.bits(0..3), operand(&code.bit(3), 1), code.bit(4)]);
    }),
    ("a shifted activation that is not subtracted", &["core", "datapath"], |m| {
        let signed = value(m, "signed_3");
        *signed = operand(signed, 0);
    }),
    ("a high lane with the activation beside its own", &["core"], |m| swap(m, "act_high0", "act_high1")),
    ("a position that is held without a step", &["core"], |m| {
        register(m, "position_held1").enable = Some(Expr::zeros(1));
    }),
];

/// Changes of the static PE that no accumulator can show.
const HARMLESS: [Fault; 2] = [
    ("the addends of an adder in another order", &["core", "datapath", "full_tree1_9_0"], |m| {
        let sum = value(m, "sum");
        *sum = (operand(sum, 2) ^ operand(sum, 1)) ^ operand(sum, 0);
    }),
    // Holding saves energy: what is computed without a step is not stored.
    ("an operand that changes without a step", &["core"], |m| register(m, "act_held0").enable = None),
];

fn mip2q() -> Format {
    Format { w: 16, low: 8, method: Method::Mip2q { l: 7, zero: false } }
}

fn spec(level: Level, kind: PeKind, format: Format) -> Spec {
    // Four lanes and small register files, which Verilator compiles faster.
    let machine =
        Machine { pe_kind: kind, lanes: 4, if_rf_bytes: 32, fl_rf_bytes: 32, ..Machine::flexnn_16x16() };
    let spec = Spec { level, accumulators: 8, ..Spec::of(&machine, format) };
    spec.check().unwrap();
    spec
}

/// A design, what drives it, its faults and harmless changes.
struct Case {
    spec: Spec,
    stimulus: Stimulus,
    faults: &'static [Fault],
    harmless: &'static [Fault],
    /// How many of the faults Verilator takes, whose compilation takes seconds a design.
    verilated: usize,
}

/// The default library of `strum-rtl`, which tools/rtl/setup installs.
const LIBRARY: [&str; 2] =
    ["/usr/share/qflow/tech/osu018/osu018_stdcells.lib", "/usr/share/qflow/tech/osu018/osu018_stdcells.lef"];

/// Accumulators that the stimulus of a case expects.
const EXPECTED: usize = 84;

fn cases() -> Vec<Case> {
    let dliq = Format { w: 8, low: 4, method: Method::Dliq { q: 4, shift: DliqShift::PerChannel } };
    let fetching = Spec {
        decode: Decode::Fetch,
        register_file: RegisterFile::Latches,
        ..spec(Level::Pe, PeKind::StrumDynamic, dliq)
    };
    let in_place = Format { w: 4, low: 2, ..mip2q() };
    let in_place = Spec { placement: LowLanes::InPlace, ..spec(Level::Pe, PeKind::StrumStatic, in_place) };
    let mut rng = random();
    [
        (spec(Level::Datapath, PeKind::StrumStatic, mip2q()), &DATAPATH[..], &[][..], 10),
        (spec(Level::Pe, PeKind::StrumStatic, mip2q()), &PE[..], &HARMLESS[..], 5),
        (fetching, &FETCHING[..], &[][..], 1),
        (in_place, &IN_PLACE[..], &[][..], 1),
    ]
    .map(|(spec, faults, harmless, verilated)| {
        let traced = |block| Traced { plain: false, zero_point: 77, block, depth: 12 };
        let sections = [[1, 1], [3, 2]].map(|block| section(&mut rng, &spec, traced(block), Vec::new()));
        let stimulus = stimulus(&spec, &units::top(&spec), &sections).unwrap();
        Case { spec, stimulus, faults, harmless, verilated }
    })
    .into()
}

#[test]
fn every_wrong_wire_is_found_by_the_evaluator_and_by_verilator() {
    let (mut expected, mut designs, mut found) = (Vec::new(), Vec::new(), 0);
    for Case { spec, stimulus, faults, harmless, verilated } in cases() {
        let top = units::top(&spec);
        let mut add = |name: &'static str, design: Rc<Module>, wrong: bool, verilated: bool| {
            let outcome = Evaluator::new(&design).run(&stimulus);
            assert_eq!(outcome.is_err(), wrong, "{spec}, {name}: {outcome:?}");
            if verilated {
                designs.push((design, stimulus.clone()));
                expected.push((name, wrong));
            }
        };
        add("the unmodified design", Rc::clone(&top), false, true);
        for (i, (name, path, change)) in faults.iter().enumerate() {
            add(name, changed(&top, path, change), true, i < verilated);
            found += 1;
        }
        harmless.iter().for_each(|(name, path, change)| add(name, changed(&top, path, change), false, false));
    }
    assert!(found >= 20);
    let outcomes = verilator::run_all(&designs, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcomes.len(), expected.len());
    for ((name, wrong), outcome) in expected.into_iter().zip(outcomes) {
        assert_eq!(outcome.passed + outcome.failed, EXPECTED, "{name}");
        assert_eq!((outcome.failed > 0, outcome.first.is_some()), (wrong, wrong), "{name}: {outcome:?}");
    }
}

#[test]
fn a_wrong_wire_of_a_datapath_is_found_in_its_mapped_gates() {
    let case = cases().swap_remove(0);
    let (name, path, change) = case.faults[1];
    let top = units::top(&case.spec);
    let library = Library::read(&LIBRARY).unwrap();
    let options = Options::new(Yosys::find(None).unwrap());
    let simulated = |top: &Module| {
        let mapped = map(&to_verilog(top, &[]), &top.name, &library, &options).unwrap();
        simulate(&mapped, &library, &case.stimulus, &Conditions::default())
    };
    assert_eq!(simulated(&top).unwrap().compared, EXPECTED);
    let outcome = simulated(&changed(&top, path, &change));
    assert!(matches!(outcome, Err(PowerError::Mismatch { .. })), "{name}: {outcome:?}");
}
