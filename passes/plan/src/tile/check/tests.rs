//! The checker accepts plans as produced and notices damage of every kind.

use std::collections::BTreeMap;

use dpu_isa::{ConvVar, Dtype, FieldKind, Instr, Machine, Round};
use strum_formats::{Kind, Packed, Shape};
use strum_quant::{Request, pack};

use crate::conv::{ConvLayer, Weights, describe, emit};
use crate::draft::{Draft, Role, Task};
use crate::movement::Tensor;
use crate::ppe::{Ppe, Scale};
use crate::{BufferId, Constraints, LayerInfo, Objective, PlanError, Planner};

use super::{Mark, check};

/// A plan with many tiles in every dimension, and the check of any variation of it.
struct Planned {
    draft: Draft,
    machine: Machine,
    packed: Packed,
    tensors: [Tensor; 2],
    claims: BTreeMap<BufferId, crate::conv::weights::Claim>,
}

fn layer<'a>(packed: &'a Packed, [input, output]: &[Tensor; 2]) -> ConvLayer<'a> {
    ConvLayer {
        input: input.clone(),
        output: output.clone(),
        weights: Weights::Packed(packed),
        bias: (0..20).collect(),
        stride: [2, 1],
        pad: [1, 1, 2, 1],
        dilation: [1, 2],
        input_zp: 3,
        weight_zp: 0,
        ppe: Ppe {
            scale: Some(Scale { multiplier: vec![1 << 30], shift: vec![40], round: Round::Double }),
            ..Ppe::default()
        },
    }
}

impl Planned {
    fn new(sram: u64) -> Self {
        let machine = Machine { sram_bytes: sram, ..Machine::flexnn_16x16() };
        let shape = Shape { oc: 20, kh: 3, kw: 3, ic: 48 };
        let codes: Vec<i8> =
            (0..20u32 * 9 * 48).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as i8).collect();
        let packed = pack(&codes, shape, &Request::new(Kind::Mip2q)).unwrap();
        let mut draft = Draft::new();
        let tensors = [[2, 11, 12, 48], [2, 6, 11, 20]].map(|shape| {
            let id = draft.tensor(dpu_isa::Space::Dram, Dtype::I8, &shape, Role::Scratch).unwrap();
            Tensor::of(&draft, id).unwrap()
        });
        let described = layer(&packed, &tensors);
        let described = describe(&draft, &machine, &described).unwrap();
        let mut planner = Planner::new(&machine, Objective::default());
        let info = LayerInfo { name: "conv".into(), op: "conv2d".into(), loc: 0, macs: 0 };
        let mut scope = planner.layer(&mut draft, info, Constraints::default()).unwrap();
        let claims = emit::emit(&mut scope, &described).unwrap();
        Planned { draft, machine, packed, tensors, claims }
    }

    fn check(&self, draft: &Draft) -> Result<(), PlanError> {
        let layer = layer(&self.packed, &self.tensors);
        let described = describe(draft, &self.machine, &layer).unwrap();
        check(draft, self.machine.sram_bytes, &described.subject(&self.claims), Mark { tasks: 0, buffers: 0 })
    }

    /// How many of `damages`, each applied to the plan alone, are noticed.
    fn noticed(&self, damages: &[Vec<Task>]) -> usize {
        let damaged = |tasks: &Vec<Task>| Draft { tasks: tasks.clone(), ..self.draft.clone() };
        damages.iter().filter(|tasks| self.check(&damaged(tasks)).is_err()).count()
    }
}

/// The task with one value of one field changed, if the instruction allows it.
fn nudge(task: &Task, field: &str, index: usize, by: i64) -> Option<Task> {
    let desc = task.instr.desc();
    let at = desc.fields.iter().position(|f| f.name == field)?;
    let position = desc.fields.iter().take(at).map(|f| f.count).sum::<usize>() + index;
    let mut raw = task.instr.raw_fields();
    let value = raw.get_mut(position)?;
    *value = if matches!(desc.fields.get(at)?.kind, FieldKind::Bool) { 1 - *value } else { *value + by };
    Some(Task { instr: Instr::from_raw(desc, &raw).ok()?, ..task.clone() })
}

/// The plan with one task of a kind altered, for up to 16 tasks.
fn nudged(
    draft: &Draft,
    applies: impl Fn(&Task) -> bool,
    field: &str,
    index: usize,
    by: i64,
) -> Vec<Vec<Task>> {
    let tasks: Vec<usize> = (0..draft.tasks.len()).filter(|&i| applies(&draft.tasks[i])).collect();
    let changed = |&i: &usize| {
        let mut tasks = draft.tasks.clone();
        tasks[i] = nudge(&tasks[i], field, index, by)?;
        Some(tasks)
    };
    tasks.iter().step_by(tasks.len().div_ceil(16).max(1)).filter_map(changed).collect()
}

fn plans() -> Vec<Planned> {
    let plans: Vec<_> = [4096, 8000, 65536].into_iter().map(Planned::new).collect();
    let splits =
        |p: &Planned| p.draft.tasks.iter().any(|t| matches!(&t.instr, Instr::ConvVar(x) if x.acc_in));
    assert!(plans.iter().any(splits) && !plans.iter().all(splits), "the plans are not varied enough");
    plans
}

#[test]
fn sound_plans_pass() {
    for plan in plans() {
        plan.check(&plan.draft).unwrap();
    }
}

/// A field of a variant, how it is changed, and whether a variant then computes something else.
type Change<'a> = (&'a str, i64, &'a dyn Fn(&ConvVar) -> bool);

#[test]
fn every_field_of_a_variant_counts() {
    let any = |_: &ConvVar| true;
    let rows = |x: &ConvVar| x.in_h > 1 && (x.out_h > 1 || x.kernel_h > 1);
    let columns = |x: &ConvVar| x.in_w > 1 && (x.out_w > 1 || x.kernel_w > 1);
    let results = |x: &ConvVar| !x.acc_out;
    let changes: [Change<'_>; 21] = [
        ("act", 1, &any),
        ("in_h", -1, &|x| x.in_h > 1),
        ("in_w", -1, &|x| x.in_w > 1),
        ("in_c", -1, &any),
        ("act_row", 1, &rows),
        ("act_pixel", 1, &columns),
        ("origin_y", 1, &any),
        ("origin_y", -1, &any),
        ("origin_x", 1, &any),
        ("origin_x", -1, &any),
        ("kernel_h", -1, &any),
        ("kernel_w", 1, &any),
        ("weights", 16, &any),
        ("table", 16, &any),
        ("out", 1, &results),
        ("out_h", -1, &results),
        ("out_w", -1, &results),
        ("out_c", -1, &results),
        ("out_row", 1, &|x| results(x) && x.out_h > 1),
        ("out_pixel", 1, &|x| results(x) && x.out_w > 1),
        ("acc_in", 1, &any),
    ];
    for plan in plans() {
        for (field, by, applies) in changes {
            let applies = |t: &Task| matches!(&t.instr, Instr::ConvVar(x) if applies(x));
            let damages = nudged(&plan.draft, applies, field, 0, by);
            // Not all that is loaded is read (with a stride, the last row need not be): some changes are harmless.
            let noticed = plan.noticed(&damages);
            assert!(noticed * 4 >= damages.len() * 3, "{field} {by:+}: {noticed} of {}", damages.len());
        }
    }
}

#[test]
fn strides_and_dilations_count() {
    for plan in plans() {
        let used = plan.draft.tasks.iter().any(|t| matches!(&t.instr, Instr::ConvVar(x) if x.out_h > 1));
        let damages = nudged(&plan.draft, |t| matches!(t.instr, Instr::ConvInv(_)), "stride_y", 0, 1);
        assert!(!used || plan.noticed(&damages) > 0);
    }
}

#[test]
fn every_copy_counts() {
    for plan in plans() {
        for (field, index, by) in [("src", 0, 1), ("src", 0, -1), ("dst", 0, 1), ("dims", 5, -1)] {
            let damages = nudged(&plan.draft, |t| matches!(t.instr, Instr::DmaCopy(_)), field, index, by);
            assert_eq!(plan.noticed(&damages), damages.len(), "{field} {by:+}");
        }
    }
}

#[test]
fn no_task_may_be_left_out_or_done_twice() {
    for plan in plans() {
        let tasks = &plan.draft.tasks;
        let without = |i: usize| [&tasks[..i], &tasks[i + 1..]].concat();
        let twice = |i: usize| [&tasks[..=i], &tasks[i..]].concat();
        let same_buffer = |i: usize| tasks[..i].iter().rfind(|t| t.buffer("dst") == tasks[i].buffer("dst"));
        // Invariants may be filled twice, and a slot may happen to hold the very bytes that are loaded again.
        let idle =
            |i: usize| matches!(tasks[i].instr, Instr::ConvInv(_)) || same_buffer(i) == Some(&tasks[i]);
        let indices: Vec<usize> = (0..tasks.len()).filter(|&i| !idle(i)).collect();
        let dropped: Vec<_> = indices.iter().map(|&i| without(i)).collect();
        assert_eq!(plan.noticed(&dropped), dropped.len());
        // A load may be done twice.
        let is_load = |t: &Task| matches!(&t.instr, Instr::DmaCopy(x) if x.dst.space == dpu_isa::Space::Sram);
        let doubled: Vec<_> = indices.iter().filter(|&&i| !is_load(&tasks[i])).map(|&i| twice(i)).collect();
        assert_eq!(plan.noticed(&doubled), doubled.len());
    }
}

#[test]
fn weights_and_tables_count() {
    let plan = Planned::new(8000);
    for id in plan.claims.keys() {
        let mut draft = plan.draft.clone();
        let buffer = &mut draft.buffers[id.index()];
        let Role::Const(bytes) = &buffer.role else { panic!("a chunk that is not constant") };
        for at in [4, 8, 12, bytes.len() / 2] {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            let mut draft = plan.draft.clone();
            draft.buffers[id.index()].role = Role::Const(bytes.into());
            assert!(plan.check(&draft).is_err(), "byte {at}");
        }
    }
}

#[test]
fn the_slots_must_fit() {
    let mut plan = Planned::new(65536);
    plan.machine.sram_bytes = 16;
    assert!(plan.check(&plan.draft).unwrap_err().to_string().contains("of SRAM"));
}
