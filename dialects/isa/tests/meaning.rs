//! Every rule on what inputs and outputs mean has a program that breaks it, and only it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dpu_isa::ValidateErrorKind as Kind;
use dpu_isa::*;

/// A program that does nothing, with an input and an output, changed.
fn with(change: &dyn Fn(&mut Program)) -> Program {
    let io = |name: &str, addr| IoDesc {
        name: name.into(),
        dtype: Dtype::I32,
        shape: vec![2, 3],
        addr,
        meaning: Meaning::default(),
    };
    let mut program = Program {
        machine: Machine::flexnn_16x16(),
        instrs: vec![End {}.into()],
        meta: vec![InstrMeta::default()],
        locs: Vec::new(),
        layers: Vec::new(),
        consts: Vec::new(),
        dram_bytes: 1 << 16,
        inputs: vec![io("x", 64)],
        outputs: vec![io("y", 256)],
        manifest: Manifest::default(),
    };
    change(&mut program);
    program
}

#[track_caller]
fn fails(program: &Program, place: Place, kind: Kind) {
    assert_eq!(program.validate(), Err(vec![ValidateError { place, kind }]));
}

#[test]
fn meanings_are_legal_and_states_have_an_output_like_them() {
    let meaning = |reason| Kind::IoMeaning { name: "x".into(), reason };
    let of_input = |meaning: Meaning| with(&|p| p.inputs[0].meaning = meaning);
    let codes = Some(Codes { scale: f64::NAN, zero_point: 0 });
    let nan = of_input(Meaning { codes, ..Meaning::default() });
    fails(&nan, Place::Input(0), meaning("the scale is not a number above 0"));
    let unsigned = of_input(Meaning { unsigned: true, ..Meaning::default() });
    fails(&unsigned, Place::Input(0), meaning("unsigned is for i8 only"));
    let boolean = of_input(Meaning { boolean: true, ..Meaning::default() });
    fails(&boolean, Place::Input(0), meaning("boolean is for i8 only"));
    let bits = |unsigned: bool, initial: i32| {
        with(&|p| {
            let state = Some(State { output: 0, initial });
            p.inputs[0].meaning = Meaning { boolean: true, unsigned, state, codes: None };
            p.inputs[0].dtype = Dtype::I8;
            p.outputs[0].dtype = Dtype::I8;
        })
    };
    assert_eq!(bits(false, 1).validate(), Ok(()));
    fails(&bits(true, 1), Place::Input(0), meaning("booleans are neither unsigned nor codes"));
    fails(&bits(false, 2), Place::Input(0), meaning("the state's initial value does not fit its type"));
    let state = |output, initial| Meaning { state: Some(State { output, initial }), ..Meaning::default() };
    assert_eq!(of_input(state(0, -7)).validate(), Ok(()));
    let none = meaning("the state refers to an output that does not exist");
    fails(&of_input(state(1, 0)), Place::Input(0), none);
    let other = with(&|p| {
        p.inputs[0].meaning = state(0, 0);
        p.outputs[0].shape = vec![6];
    });
    fails(&other, Place::Input(0), meaning("the state's output has another type or shape"));
    let narrow = with(&|p| {
        p.inputs[0].meaning = state(0, 128);
        p.inputs[0].dtype = Dtype::I8;
        p.outputs[0].dtype = Dtype::I8;
    });
    fails(&narrow, Place::Input(0), meaning("the state's initial value does not fit its type"));
    let of_output = with(&|p| p.outputs[0].meaning = state(0, 0));
    let reason = "an output has no state";
    fails(&of_output, Place::Output(0), Kind::IoMeaning { name: "y".into(), reason });
}
