//! The planner's estimates against the simulator's results: cycles of the DPU, and the four objectives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod layer;

use dpu_isa::{Dtype, Instr, Machine, PoolMode, Space};
use dpu_sim::{Options, Report, Tensor as Data, TensorView, simulate};
use strum_formats::{Kind, Shape};
use strum_plan::{
    Constraints, ConvLayer, Draft, Forecast, LayerInfo, LayerOutcome, LayerScope, Objective, PlanError,
    Planner, PoolLayer, Ppe, Role, Scale, Source, Tensor, Weights, finish, plan_conv, plan_depthwise,
    plan_pool, to_program,
};
use strum_quant::{Request, pack};

/// A small pseudorandom generator.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.roll(items.len() as u64) as usize]
    }
}

/// The kind of layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Conv(Kind),
    Depthwise,
    Pool(PoolMode),
}

/// A layer and its target machine.
#[derive(Clone, Debug)]
struct Case {
    op: Op,
    input: [u64; 4],
    oc: u64,
    kernel: u64,
    stride: u64,
    pad: u64,
    machine: Machine,
}

impl Case {
    fn random(dice: &mut Dice) -> Case {
        let machine = dice.pick(&["flexnn-16x16", "flexnn-16x16-static", "flexnn-16x16-dense", "flexnn-4x4"]);
        let machine = Machine::builtin(machine).unwrap();
        let sram_bytes = dice.pick(&[machine.sram_bytes, 64 << 10, 256 << 10]).min(machine.sram_bytes);
        let op = dice.pick(&[
            Op::Conv(Kind::Dense),
            Op::Conv(Kind::Dense),
            Op::Conv(Kind::Mip2q),
            Op::Depthwise,
            Op::Pool(PoolMode::Max),
            Op::Pool(PoolMode::Avg),
        ]);
        let kernel = dice.pick(&[1, 1, 3, 3, 5, 7]);
        let side = kernel + dice.roll(40);
        let channels = dice.pick(&[1, 3, 8, 16, 20, 32, 64, 96, 130]);
        Case {
            op,
            input: [1 + dice.roll(2), side, kernel + dice.roll(40), channels],
            oc: if matches!(op, Op::Conv(_)) { dice.pick(&[1, 10, 16, 32, 64, 100, 128]) } else { channels },
            kernel,
            stride: 1 + dice.roll(2),
            pad: if kernel > 1 { dice.roll(kernel / 2 + 1) } else { 0 },
            machine: Machine { sram_bytes, ..machine },
        }
    }

    /// The output's shape; the padding after the image is what the stride leaves.
    fn output(&self) -> ([u64; 4], [u64; 4]) {
        let [n, h, w, _] = self.input;
        let side = |size: u64| {
            let out = (size + 2 * self.pad - self.kernel) / self.stride + 1;
            (out, ((out - 1) * self.stride + self.kernel).saturating_sub(size + self.pad))
        };
        let ((oh, bottom), (ow, right)) = (side(h), side(w));
        ([n, oh, ow, self.oc], [self.pad, bottom, self.pad, right])
    }

    /// Plans the layer.
    fn draft(&self, objective: Objective) -> Draft {
        self.plan(objective).0
    }

    /// Plans the layer; returns the decisions, too.
    fn plan(&self, objective: Objective) -> (Draft, LayerOutcome) {
        let mut draft = Draft::new();
        let (shape, pad) = self.output();
        let mut input = self.input;
        // Input that no window reaches is cut off, so the size is exact.
        let reach =
            |out: u64, before: u64, after: u64| (out - 1) * self.stride + self.kernel - before - after;
        (input[1], input[2]) = (reach(shape[1], pad[0], pad[1]), reach(shape[2], pad[2], pad[3]));
        let role = Role::Input { name: "x".into() };
        let x = draft.tensor(Space::Dram, Dtype::I8, &input, role).unwrap();
        let y = draft.tensor(Space::Dram, Dtype::I8, &shape, Role::Output { name: "y".into() }).unwrap();
        let tensor = |draft: &Draft, id| Tensor::of(draft, id).unwrap();
        let (x, y) = (tensor(&draft, x), tensor(&draft, y));
        if let Op::Pool(mode) = self.op {
            let layer = PoolLayer {
                mode,
                input: x,
                output: y,
                kernel: [self.kernel; 2],
                stride: [self.stride; 2],
                pad,
                input_zp: 0,
                output_zp: 0,
                clamp: None,
            };
            return self.layer(draft, objective, |scope| plan_pool(scope, &layer));
        }
        let side = self.kernel as usize;
        let (oc, ic) = match self.op {
            Op::Depthwise => (1, self.oc as usize),
            _ => (self.oc as usize, self.input[3] as usize),
        };
        let codes: Vec<i8> = (0..oc * side * side * ic).map(|i| (i * 37 % 255) as i8).collect();
        let kind = if let Op::Conv(kind) = self.op { kind } else { Kind::Dense };
        let weights = pack(&codes, Shape { oc, kh: side, kw: side, ic }, &Request::new(kind)).unwrap();
        let scale = Scale { multiplier: vec![1 << 30], shift: vec![40], round: dpu_isa::Round::Single };
        let layer = ConvLayer {
            input: x,
            output: y,
            weights: Weights::Packed(&weights),
            bias: vec![3],
            stride: [self.stride; 2],
            pad,
            dilation: [1, 1],
            input_zp: 1,
            weight_zp: 0,
            ppe: Ppe { scale: Some(scale), zp: 0, clamp: Some((-128, 127)), lut: None },
        };
        let plan = if self.op == Op::Depthwise { plan_depthwise } else { plan_conv };
        self.layer(draft, objective, |scope| plan(scope, &layer))
    }

    fn layer(
        &self,
        mut draft: Draft,
        objective: Objective,
        plan: impl FnOnce(&mut LayerScope<'_>) -> Result<(), PlanError>,
    ) -> (Draft, LayerOutcome) {
        let mut planner = Planner::new(&self.machine, objective);
        let info = LayerInfo { name: "layer".into(), op: "test".into(), loc: 0, macs: 0 };
        let outcome = layer::plan_as(&mut draft, &mut planner, info, Constraints::default(), plan).unwrap();
        (draft, outcome)
    }

    /// Simulates a plan of the layer.
    fn run(&self, draft: &Draft) -> Report {
        let program =
            to_program(draft, finish(draft, &self.machine).unwrap(), &self.machine, Source::default());
        let program = program.unwrap();
        let desc = &program.inputs[0];
        let size: u64 = desc.shape.iter().product();
        let values: Vec<i32> = (0..size).map(|i| (i * 31 % 251) as i32 - 125).collect();
        let input = Data::from_values(Dtype::I8, &desc.shape, &values);
        let views: [TensorView<'_>; 1] = [input.view()];
        simulate(&program, &views, &Options::default()).unwrap().report
    }
}

#[test]
fn the_dpu_takes_the_cycles_that_are_expected() {
    let mut dice = Dice(3);
    for _ in 0..150 {
        let case = Case::random(&mut dice);
        let (draft, outcome) = case.plan(dice.pick(&Objective::ALL));
        let invariants =
            draft.tasks.iter().filter(|t| matches!(t.instr, Instr::ConvInv(_) | Instr::PoolInv(_)));
        // An invariant takes a cycle of the engine.
        let expected = outcome.dpu_cycles.unwrap() + invariants.count() as u64;
        assert_eq!(case.run(&draft).layers[0].work.busy.dpu, expected, "{case:?}");
    }
}

/// The machine with figures for everything that costs energy.
fn measured(machine: Machine) -> Machine {
    Machine {
        mult_act_held_saving_fj: 31,
        mult_weight_held_saving_fj: 97,
        shift_weight_held_saving_fj: 19,
        low_mult_bit_weight_held_saving_fj: 7,
        product_add_act_held_saving_fj: 5,
        product_add_weight_held_saving_fj: 11,
        if_held_saving_fj: 83,
        fl_held_saving_fj: 71,
        if_write_saving_fj: 27,
        fl_write_saving_fj: 25,
        operand_fj: 41,
        shift_add_saving_fj: 23,
        shift_add_weight_held_saving_fj: 3,
        add_held_saving_fj: 37,
        of_held_saving_fj: 43,
        operand_act_held_saving_fj: 13,
        operand_weight_held_saving_fj: 9,
        operand_clock_fj: 211,
        route_fj: 29,
        route_held_saving_fj: 17,
        decode_block_fj: 503,
        datapath_clock_fj: 1009,
        pe_clock_fj: 307,
        if_entry_clock_fj: 401,
        fl_entry_clock_fj: 307,
        pe_leak_nw: 1_234_567,
        sram_leak_nw: 7_654_321,
        idle_cycle_fj: 3,
        ..machine
    }
}

#[test]
fn a_program_takes_what_is_forecast() {
    let mut dice = Dice(5);
    for i in 0..150 {
        let mut case = Case::random(&mut dice);
        if i % 2 == 1 {
            case.machine = measured(case.machine);
        }
        let draft = case.draft(dice.pick(&Objective::ALL));
        let report = case.run(&draft);
        let bytes = report.total.bytes;
        let found = Forecast {
            cycles: report.cycles,
            energy_fj: report.total.energy_fj.total,
            dram_bytes: bytes.dram_read + bytes.dram_write,
        };
        assert_eq!(Forecast::of(&draft, &case.machine), Ok(found), "{case:?}");
    }
}

#[test]
fn a_forecast_knows_no_zero_activations() {
    let mut dice = Dice(6);
    let mut saved = 0;
    for _ in 0..20 {
        let mut case = Case::random(&mut dice);
        case.machine = measured(case.machine);
        let draft = case.draft(dice.pick(&Objective::ALL));
        let forecast = Forecast::of(&draft, &case.machine).unwrap();
        case.machine.mult_act_zero_saving_fj = 53;
        assert_eq!(Forecast::of(&draft, &case.machine).as_ref(), Ok(&forecast), "{case:?}");
        let report = case.run(&draft);
        assert_eq!(report.cycles, forecast.cycles, "{case:?}");
        saved += forecast.energy_fj.checked_sub(report.total.energy_fj.total).unwrap();
    }
    assert!(saved > 0);
}

/// The quantity of a run that an objective minimizes.
fn metric(objective: Objective, report: &Report) -> f64 {
    let bytes = report.total.bytes;
    let (cycles, energy) = (report.cycles as f64, report.total.energy_fj.total as f64);
    match objective {
        Objective::Latency => cycles,
        Objective::Energy => energy,
        Objective::Edp => cycles * energy,
        Objective::Bytes => (bytes.dram_read + bytes.dram_write) as f64,
    }
}

/// Tolerance: a plan may be this much worse at its own objective than a plan made for another one, by errors of the estimate.
const TOLERANCE: f64 = 0.06;

#[test]
fn a_plan_is_the_best_at_its_own_objective() {
    let mut dice = Dice(11);
    for _ in 0..120 {
        let case = Case::random(&mut dice);
        let reports = Objective::ALL.map(|objective| case.run(&case.draft(objective)));
        for (own, report) in Objective::ALL.into_iter().zip(&reports) {
            for (other, rival) in Objective::ALL.into_iter().zip(&reports) {
                let (mine, theirs) = (metric(own, report), metric(own, rival));
                assert!(
                    mine <= theirs * (1.0 + TOLERANCE),
                    "{own}: {mine} for itself, {theirs} for {other}: {case:?}"
                );
            }
        }
    }
}
