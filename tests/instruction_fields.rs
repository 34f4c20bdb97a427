//! Every field of every instruction has an effect: another value within its range changes what a program computes, counts or
//! reports, makes it trap, or is refused by the validator. A field without effect in any program fails the test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{compile, context, simulated};
use dpu_isa::{
    BarCfg, DmaCopy, DmaFill, DmaGather, DmaScatter, Dtype, End, Instr, InstrMeta, IoDesc, MemAddr, Program,
    ResizeMode, TABLE, VecResize, VecSelect,
};
use dpu_sim::{Options, RunResult, Tensor, TensorView, simulate};
use strum_ref::smith::{self, Case, Kind, Size};

/// A field: instruction and name.
type Field = (&'static str, &'static str);

/// The observed effect of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// The validator refuses a value.
    Refused,
    /// An accepted value changes the run.
    Runs,
}

fn run(program: &Program, inputs: &[Tensor]) -> Result<RunResult, String> {
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    let options = Options { max_cycles: 20_000_000, max_memory: 1 << 30, ..Options::default() };
    simulate(program, &views, &options).map_err(|e| e.to_string())
}

/// Other values for a field: neighbours, halves, switches, and something far away.
fn others(value: i64) -> [i64; 8] {
    [value + 1, value - 1, value * 2, value / 2, 1 - value, 0, value + 16, 2]
}

/// Presets that enable fields that the compiler seldom sets: an instruction, and values of its fields.
const PRESETS: &[(&str, &[(&str, i64)])] = &[
    ("conv_inv", &[("lut", 1)]),
    ("conv_var", &[("acc_in", 1)]),
    ("pool_var", &[("acc_in", 1)]),
    ("vec_binary", &[("a_scale", 1), ("a_mult", 1 << 30), ("a_shift", 34)]),
    ("vec_binary", &[("b_scale", 1), ("b_mult", 1 << 30), ("b_shift", 34)]),
    ("vec_binary", &[("scale", 1), ("mult", 1 << 30), ("shift", 34)]),
    ("vec_binary", &[("lut", 1), ("out_dtype", 0), ("clamp", 0)]),
    ("vec_rescale", &[("lut", 1)]),
];

/// The raw values of an instruction unchanged, and with each preset for it.
fn bases(instr: &Instr) -> Vec<Vec<i64>> {
    let (desc, raw) = (instr.desc(), instr.raw_fields());
    let place = |name: &str| {
        let before = desc.fields.iter().take_while(|field| field.name != name);
        before.map(|field| field.count).sum::<usize>()
    };
    let preset = |values: &[(&str, i64)]| {
        let mut raw = raw.clone();
        values.iter().for_each(|(name, value)| raw[place(name)] = *value);
        raw
    };
    let presets = PRESETS.iter().filter(|(mnemonic, _)| *mnemonic == desc.mnemonic);
    std::iter::once(raw.clone()).chain(presets.map(|(_, values)| preset(values))).collect()
}

/// Changes the fields without an observed effect, one after the other.
fn try_fields(program: &Program, inputs: &[Tensor], shown: &mut BTreeMap<Field, Shown>) {
    // Values that are the same in every instruction of a kind need not be tried in each.
    let mut tried: BTreeMap<Field, usize> = BTreeMap::new();
    for (index, instr) in program.instrs.iter().enumerate() {
        let missing = |shown: &BTreeMap<Field, Shown>| {
            instr.desc().fields.iter().any(|f| shown.get(&(instr.mnemonic(), f.name)) != Some(&Shown::Runs))
        };
        for raw in &bases(instr) {
            if !missing(shown) {
                break;
            }
            let mut program = program.clone();
            let Ok(base) = Instr::from_raw(instr.desc(), raw) else { continue };
            program.instrs[index] = base;
            if program.validate().is_ok() {
                try_instruction(&program, (index, raw), inputs, &mut tried, shown);
            }
        }
    }
}

/// Changes the fields of one instruction.
fn try_instruction(
    program: &Program,
    (index, raw): (usize, &[i64]),
    inputs: &[Tensor],
    tried: &mut BTreeMap<Field, usize>,
    shown: &mut BTreeMap<Field, Shown>,
) {
    let (desc, own) = (program.instrs[index].desc(), run(program, inputs));
    let mut place = 0;
    for field in desc.fields {
        let (first, key) = (place, (desc.mnemonic, field.name));
        place += field.count;
        let count = tried.entry(key).or_default();
        if shown.get(&key) == Some(&Shown::Runs) || *count > 5 {
            continue;
        }
        *count += 1;
        for element in (first..first + field.count).rev() {
            for value in others(raw[element]) {
                let mut changed = raw.to_vec();
                changed[element] = value;
                let Ok(instr) = Instr::from_raw(desc, &changed) else { continue };
                if changed == raw || shown.get(&key) == Some(&Shown::Runs) {
                    continue;
                }
                let mut other = program.clone();
                other.instrs[index] = instr;
                let how = if other.validate().is_err() {
                    Shown::Refused
                } else if run(&other, inputs) != own {
                    Shown::Runs
                } else {
                    continue;
                };
                let best = shown.entry(key).or_insert(how);
                *best = how.max(*best);
            }
        }
    }
}

/// All fields, except the instructions' own names.
fn fields() -> BTreeSet<Field> {
    TABLE.iter().flat_map(|desc| desc.fields.iter().map(|field| (desc.mnemonic, field.name))).collect()
}

/// Behind the indices in DRAM: an input of 64 bytes, then an output of 128.
const IN: u64 = 64;
const OUT: u64 = 128;

/// A selection and a resized image from the input and four indices, and rows that are gathered and scattered: the instructions
/// that no pass makes yet.
fn indexed(base: &Program) -> (Program, Tensor) {
    let bar = |barrier| BarCfg { barrier, producers: 1, consumers: 1 }.into();
    let copy = |src, dst, bytes, (wait, post)| {
        let (dims, strides) = ([1, 1, 1, 1, 1, bytes], [0, 0, 0, 0, 0, 1]);
        let copy = DmaCopy { wait, post, element: 1, src, dst, ..DmaCopy::default() };
        Instr::from(DmaCopy { dims, src_strides: strides, dst_strides: strides, ..copy })
    };
    let select = VecSelect {
        wait: 1,
        dims: [1, 1, 1, 2, 3, 4],
        cond: 0,
        cond_strides: [0, 0, 0, 0, 4, 1],
        a: 16,
        a_strides: [0, 0, 0, 12, 4, 1],
        b: 40,
        b_strides: [0, 0, 0, 4, 0, 1],
        out: 0x200,
        out_strides: [0, 0, 0, 12, 4, 1],
        ..VecSelect::default()
    };
    let [gather, fill, scatter] = moved();
    let instrs = vec![
        bar(0),
        bar(1),
        copy(MemAddr::dram(IN), MemAddr::sram(0), 64, (0, 0)),
        copy(MemAddr::dram(0), MemAddr::sram(0x100), 16, (0, 1)),
        select.into(),
        resize().into(),
        gather,
        fill,
        scatter,
        copy(MemAddr::sram(0x200), MemAddr::dram(OUT + 32), 24, (0, 0)),
        copy(MemAddr::sram(0x240), MemAddr::dram(OUT + 56), 72, (0, 0)),
        End {}.into(),
    ];
    let io = |name: &str, addr, bytes| IoDesc {
        name: name.into(),
        dtype: Dtype::I8,
        shape: vec![bytes],
        addr,
        meaning: base.inputs[0].meaning,
    };
    let program = Program {
        meta: vec![InstrMeta { layer: 0, loc: InstrMeta::NONE }; instrs.len()],
        instrs,
        consts: [2, 0, 1, 3].map(|index: i32| index.to_le_bytes()).concat(),
        dram_bytes: 4096,
        inputs: vec![io("x", IN, 64)],
        outputs: vec![io("y", OUT, 128)],
        ..base.clone()
    };
    let data = (0..64u8).map(|i| i.wrapping_mul(i % 7) % 50).collect();
    (program, Tensor { dtype: Dtype::I8, shape: vec![64], data })
}

/// Rows from SRAM to the output: gathered, and scattered over others.
fn moved() -> [Instr; 3] {
    let rows = [0, 0, 0, 0, 4, 1];
    let gather = DmaGather {
        wait: 2,
        element: 1,
        axis: 4,
        rows: 4,
        src: MemAddr::sram(0),
        dims: [1, 1, 1, 2, 2, 4],
        src_strides: [0, 0, 0, 16, 4, 1],
        indices: 0x100,
        index_strides: [0, 0, 0, 8, 4, 0],
        dst: MemAddr::dram(OUT),
        dst_strides: [0, 0, 0, 8, 4, 1],
        ..DmaGather::default()
    };
    let fill =
        DmaFill { element: 1, dst: MemAddr::dram(OUT + 16), dims: [1, 1, 1, 1, 4, 4], ..DmaFill::default() };
    let scatter = DmaScatter {
        element: 1,
        axis: 4,
        rows: 4,
        src: MemAddr::sram(0),
        dims: [1, 1, 1, 1, 3, 4],
        src_strides: rows,
        indices: 0x100,
        index_strides: [0, 0, 0, 0, 4, 0],
        dst: MemAddr::dram(OUT + 16),
        dst_strides: rows,
        ..DmaScatter::default()
    };
    [gather.into(), DmaFill { dst_strides: rows, value: 5, ..fill }.into(), scatter.into()]
}

/// A tile of an image of 3 x 4 pixels that is resized to twice the size.
fn resize() -> VecResize {
    VecResize {
        post: 2,
        mode: ResizeMode::Bilinear,
        dtype: Dtype::I8,
        src: 8,
        in_h: 3,
        in_w: 4,
        channels: 2,
        src_row: 8,
        src_pixel: 2,
        image_h: 3,
        image_w: 4,
        out: 0x240,
        out_h: 3,
        out_w: 3,
        out_row: 24,
        out_pixel: 8,
        out_y: 1,
        out_x: 2,
        scale_y_n: 4,
        scale_y_d: 2,
        scale_x_n: 4,
        scale_x_d: 2,
        offset_x: 1,
        ..VecResize::default()
    }
}

#[test]
fn every_field_of_every_instruction_has_an_effect() {
    let context = context();
    let mut shown = BTreeMap::new();
    let mut check = |case: &Case, options: &str| {
        let pipeline = format!("strum-pipeline{{{options}}}");
        let program = compile(&context, case.mlir.as_bytes(), &pipeline).unwrap();
        let inputs: Vec<Tensor> = case.inputs.iter().map(simulated).collect();
        try_fields(&program, &inputs, &mut shown);
    };
    for kind in Kind::ALL {
        for seed in 0..6 {
            check(&smith::single_op(*kind, seed).unwrap(), "method=dense machine=flexnn-4x4");
        }
    }
    for method in
        ["sparse p=0.5", "dliq p=0.5", "mip2q p=0.5", "mip2q p=0.5 L=6 zero=true", "mip2q p=0.5 L=5"]
    {
        for kind in [Kind::Conv2d, Kind::DepthwiseConv2d] {
            for seed in 0..4 {
                let options = format!("method={method} w=4 min-channels=0 depthwise=true");
                check(&smith::single_op(kind, seed).unwrap(), &options);
            }
        }
    }
    for seed in 0..12 {
        check(&smith::graph(seed).unwrap(), "method=dense");
    }
    for kind in [Kind::Conv2d, Kind::MaxPool2d, Kind::AvgPool2d, Kind::ReduceSum, Kind::Rescale] {
        for seed in 0..2 {
            check(&smith::sized_op(kind, Size::Large, seed).unwrap(), "method=dense machine=flexnn-4x4");
        }
    }
    let base = smith::single_op(Kind::Conv2d, 0).unwrap();
    let base = compile(&context, base.mlir.as_bytes(), "strum-pipeline{method=dense}").unwrap();
    let (program, input) = indexed(&base);
    assert_eq!(program.validate(), Ok(()));
    run(&program, std::slice::from_ref(&input)).unwrap();
    try_fields(&program, &[input], &mut shown);
    let all = fields();
    let never: Vec<_> = all.iter().filter(|field| !shown.contains_key(*field)).collect();
    let refused: Vec<_> = shown.iter().filter(|(_, how)| **how == Shown::Refused).map(|(f, _)| f).collect();
    assert!(never.is_empty(), "no effect: {never:?}");
    assert!(all.len() > 150, "{}", all.len());
    println!("{} fields, of which a program shows none but by being refused: {refused:?}", all.len());
}

/// Fields that another one disables, according to the manual: instruction, the disabling condition, fields.
const OFF: &[(&str, (&str, i64), &[&str])] = &[
    ("conv_inv", ("method", 0), &["block"]),
    ("conv_inv", ("lut", 0), &["lut_addr"]),
    ("conv_inv", ("scale", 0), &["round"]),
    ("vec_binary", ("a_scale", 0), &["a_mult", "a_shift", "a_round"]),
    ("vec_binary", ("b_scale", 0), &["b_mult", "b_shift", "b_round"]),
    ("vec_binary", ("scale", 0), &["mult", "shift", "round"]),
    ("vec_binary", ("clamp", 0), &["clamp_lo", "clamp_hi"]),
    ("vec_binary", ("lut", 0), &["lut_addr"]),
    ("vec_unary", ("clamp", 0), &["clamp_lo", "clamp_hi"]),
    ("vec_rescale", ("lut", 0), &["lut_addr"]),
    ("vec_rescale", ("per_channel", 1), &["mult", "shift"]),
    ("vec_rescale", ("per_channel", 0), &["params"]),
    ("pool_var", ("acc_out", 0), &["psum"]),
    ("conv_var", ("acc_out", 0), &["psum"]),
];

#[test]
fn a_field_that_is_switched_off_may_hold_anything() {
    let context = context();
    let mut tried: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut check = |case: &Case| {
        let program = compile(&context, case.mlir.as_bytes(), "strum-pipeline{method=dense}").unwrap();
        let inputs: Vec<Tensor> = case.inputs.iter().map(simulated).collect();
        let own = run(&program, &inputs);
        for (index, instr) in program.instrs.iter().enumerate() {
            let (desc, raw) = (instr.desc(), instr.raw_fields());
            let place = |name: &str| {
                let before = desc.fields.iter().take_while(|field| field.name != name);
                before.map(|field| field.count).sum::<usize>()
            };
            for (_, (switch, value), fields) in
                OFF.iter().filter(|(mnemonic, _, _)| *mnemonic == desc.mnemonic)
            {
                let starts = *fields == ["psum"] && raw[place("acc_in")] != 0;
                if raw[place(switch)] != *value || starts {
                    continue;
                }
                for field in *fields {
                    let mut changed = raw.clone();
                    changed[place(field)] = if changed[place(field)] == 16 { 32 } else { 16 };
                    let mut other = program.clone();
                    other.instrs[index] = Instr::from_raw(desc, &changed).unwrap_or_else(|_| {
                        changed[place(field)] = 1 - raw[place(field)];
                        Instr::from_raw(desc, &changed).unwrap()
                    });
                    assert_eq!(other.validate(), Ok(()), "{} {field}", desc.mnemonic);
                    assert_eq!(run(&other, &inputs), own, "{} {field}", desc.mnemonic);
                    *tried.entry((desc.mnemonic, field)).or_default() += 1;
                }
            }
        }
    };
    for kind in Kind::ALL {
        check(&smith::single_op(*kind, 1).unwrap());
    }
    for seed in 0..20 {
        check(&smith::graph(seed).unwrap());
    }
    let never: Vec<_> = OFF.iter().flat_map(|(m, _, fields)| fields.iter().map(|f| (*m, *f))).collect();
    let never: Vec<_> = never.into_iter().filter(|key| !tried.contains_key(key)).collect();
    assert!(never.is_empty(), "never switched off: {never:?}");
}
