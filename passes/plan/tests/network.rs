//! Whole networks: the interplay of tiling, residency, prefetching and strategies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod nets;

use dpu_isa::{Machine, Space};
use nets::Net;
use strum_plan::network::{Failure, Plan, Subject};
use strum_plan::strategy::{BundleStrategy, LayerStrategy, ProgramStrategy, TilingStrategy};
use strum_plan::{Forecast, Objective, PlanError, Role};

/// A machine with the given bytes of SRAM.
fn machine(sram_bytes: u64) -> Machine {
    Machine { sram_bytes, ..Machine::flexnn_16x16() }
}

fn plan(net: &Net, machine: &Machine) -> Plan {
    net.plan(machine, Objective::Latency, None).unwrap()
}

/// Which layers' results are resident.
fn resident(plan: &Plan) -> Vec<bool> {
    plan.strategy.layers.iter().map(|layer| layer.stays.unwrap()).collect()
}

/// The number of tiles of a convolution's outputs.
fn tiles(net: &Net, plan: &Plan, layer: usize) -> u64 {
    let tiling = plan.strategy.layers[layer].tiling.clone().unwrap();
    let shape = &net.network.tensors[net.network.layers[layer].node.output].shape;
    let cut = [tiling.oy, tiling.ox, tiling.oc];
    shape[1..].iter().zip(cut).map(|(&extent, size)| extent.div_ceil(size.unwrap())).product()
}

/// The strategy of a layer.
type Change = fn(&mut LayerStrategy);

/// A strategy for the layers of these names.
fn strategy(changes: &[(&str, Change)]) -> ProgramStrategy {
    let layer = |(name, change): &(&str, Change)| {
        let mut layer = LayerStrategy { name: (*name).to_owned(), ..LayerStrategy::default() };
        change(&mut layer);
        layer
    };
    let layers = changes.iter().map(layer).collect();
    ProgramStrategy { name: "main".into(), layers, ..ProgramStrategy::default() }
}

/// The error of planning a network.
fn failure(net: &Net, machine: &Machine, told: Option<&ProgramStrategy>) -> Failure {
    net.plan(machine, Objective::Latency, told).map(|plan| plan.strategy).unwrap_err()
}

fn networks() -> Vec<Net> {
    let mut net = Net::new(12, 16);
    let constant = net.constant(0);
    let sum = net.add(0, constant);
    let y = net.conv(sum, 24, 3);
    vec![
        Net::chain(16, &[16, 32, 32, 16], 3),
        Net::residual(14, 32, 2),
        Net::chain(7, &[64, 256, 64, 256, 64], 1),
        net.returning(y),
    ]
}

#[test]
fn tensors_between_layers_are_resident_where_there_is_room() {
    let net = Net::chain(16, &[16, 32, 32, 16], 3);
    let roomy = plan(&net, &machine(1 << 20));
    assert_eq!(resident(&roomy), [true, true, false]);
    let moved = |plan: &Plan| {
        let whole = |b: &&strum_plan::Buffer| b.role == Role::Scratch && b.space == Space::Dram;
        plan.draft.buffers.iter().filter(whole).count()
    };
    assert_eq!(moved(&roomy), 0);
    // 8 KiB of resident tensors leave nothing of 8 KiB to tiles.
    let tight = plan(&net, &machine(8 << 10));
    assert_eq!(resident(&tight), [false; 3]);
    assert_eq!(moved(&tight), 2);
    assert!(tiles(&net, &tight, 1) > tiles(&net, &roomy, 1));
}

#[test]
fn tiles_take_what_residency_leaves() {
    let net = Net::chain(32, &[16, 64, 64, 64, 16], 3);
    let free = plan(&net, &machine(256 << 10));
    assert!(resident(&free).contains(&true));
    let told = strategy(&[("0.conv2d", |layer| layer.stays = Some(false))]);
    for (index, layer) in free.strategy.layers.iter().enumerate() {
        let node = &net.network.layers[index].node;
        let is_resident = |tensor: usize| {
            let maker = net.network.layers.iter().position(|layer| layer.node.output == tensor);
            maker.is_some_and(|maker| resident(&free)[maker])
        };
        let tiling = layer.tiling.clone().unwrap();
        assert_eq!(tiling.act_slots == Some(0), is_resident(node.inputs[0]), "layer {index}");
        assert_eq!(tiling.out_slots == Some(0), is_resident(node.output), "layer {index}");
    }
    let pinned = net.plan(&machine(256 << 10), Objective::Latency, Some(&told)).unwrap();
    assert!(!resident(&pinned)[0]);
    assert_ne!(pinned.strategy.layers[1].tiling.clone().unwrap().act_slots, Some(0));
}

/// A convolution, a layer that needs the given bytes of SRAM, and a convolution.
fn greedy(bytes: u64) -> Net {
    let mut net = Net::new(16, 64);
    let x = net.conv(0, 64, 3);
    let x = net.greedy(x, bytes);
    let x = net.conv(x, 64, 1);
    net.returning(x)
}

#[test]
fn residency_shrinks_until_buffers_find_a_place() {
    let machine = machine(64 << 10);
    let stays = |kib: u64| {
        let net = greedy(kib << 10);
        let plan = plan(&net, &machine);
        // All of it fits.
        net.run(&plan, &machine);
        resident(&plan).iter().filter(|stays| **stays).count()
    };
    // The tensor that the second layer reads takes 16 KiB in addition.
    assert_eq!([8, 48, 52].map(stays), [2, 2, 0]);
}

#[test]
fn a_network_whose_buffers_find_no_place_is_planned_without_residency() {
    let (net, machine) = (greedy(65 << 10), machine(64 << 10));
    let plan = plan(&net, &machine);
    assert_eq!(resident(&plan), [false; 3]);
    assert_eq!(plan.strategy.prefetch_bytes, Some(0));
    assert!(matches!(Forecast::of(&plan.draft, &machine), Err(PlanError::Resource { .. })));
    let told = ProgramStrategy { prefetch_bytes: Some(1024), ..strategy(&[]) };
    let failure = failure(&net, &machine, Some(&told));
    assert_eq!(failure.subject, Subject::Network);
    let what = "strategy: buffers do not fit the SRAM with this prefetch_bytes";
    assert_eq!(failure.to_string(), what);
}

#[test]
fn no_plan_changes_what_a_network_computes() {
    for net in networks() {
        let mut expected = None;
        for sram in [64 << 10, 1 << 20] {
            for objective in Objective::ALL {
                let machine = machine(sram);
                let plan = net.plan(&machine, objective, None).unwrap();
                let (outputs, _) = net.run(&plan, &machine);
                assert_eq!(*expected.get_or_insert_with(|| outputs.clone()), outputs, "{sram} {objective}");
            }
        }
    }
}

#[test]
fn prefetching_saves_cycles_and_only_where_it_may() {
    let net = Net::chain(14, &[32, 128, 128, 32], 3);
    let machine = machine(128 << 10);
    let strategy = |changes: &[(&str, Change)]| ProgramStrategy {
        bundle: Some(BundleStrategy::default()),
        ..strategy(changes)
    };
    let free = net.plan(&machine, Objective::Latency, Some(&strategy(&[]))).unwrap();
    assert!(free.strategy.prefetch_bytes.unwrap() > 0);
    let none = ProgramStrategy { prefetch_bytes: Some(0), ..strategy(&[]) };
    let none = net.plan(&machine, Objective::Latency, Some(&none)).unwrap();
    assert_eq!(none.strategy.prefetch_bytes, Some(0));
    let ((outputs, with), (same, without)) = (net.run(&free, &machine), net.run(&none, &machine));
    assert_eq!(outputs, same);
    assert!(with < without, "{with} cycles with prefetching, {without} without");
    let kept = strategy(&[("2.conv2d", |layer| layer.prefetch = Some(false))]);
    let kept = net.plan(&machine, Objective::Latency, Some(&kept)).unwrap();
    assert_eq!(kept.strategy.layers[2].prefetch, Some(false));
    // The first load of a layer is where the layer begins, unless it is prefetched.
    let begins = |plan: &Plan, layer: u32| {
        let at = plan.draft.tasks.iter().position(|task| task.layer == layer).unwrap();
        let earlier = plan.draft.tasks.iter().skip(at).filter(|task| task.layer < layer).count();
        earlier == 0
    };
    assert!(!begins(&free, 2) && begins(&kept, 2) && begins(&none, 2));
}

#[test]
fn a_plan_that_is_told_what_it_decided_is_the_same() {
    for net in networks() {
        for sram in [24 << 10, 256 << 10] {
            for objective in Objective::ALL {
                let machine = machine(sram);
                let free = net.plan(&machine, objective, None).unwrap();
                let told = net.plan(&machine, objective, Some(&free.strategy)).unwrap();
                assert!(told == free, "{sram} {objective}");
            }
        }
    }
}

#[test]
fn a_strategy_is_followed_in_what_it_says() {
    let net = Net::residual(14, 32, 1);
    let machine = machine(1 << 20);
    let told = strategy(&[
        ("0.conv2d", |layer| {
            layer.stays = Some(false);
            layer.tiling = Some(TilingStrategy { oy: Some(5), oc: Some(16), ..TilingStrategy::default() });
        }),
        ("1.conv2d", |layer| layer.stays = Some(true)),
    ]);
    let plan = net.plan(&machine, Objective::Latency, Some(&told)).unwrap();
    let [first, second, ..] = plan.strategy.layers.as_slice() else { panic!("two layers") };
    assert_eq!((first.stays, second.stays), (Some(false), Some(true)));
    let tiling = first.tiling.clone().unwrap();
    assert_eq!((tiling.oy, tiling.oc), (Some(5), Some(16)));
    let free = net.plan(&machine, Objective::Latency, None).unwrap();
    assert_eq!(net.run(&plan, &machine).0, net.run(&free, &machine).0);
}

#[test]
fn what_cannot_be_followed_is_refused_where_it_is_said() {
    let net = Net::residual(14, 32, 1);
    let machine = machine(16 << 10);
    let refused = |told: &ProgramStrategy, place: Subject, expected: &str| {
        let failure = failure(&net, &machine, Some(told));
        assert_eq!(failure.subject, place, "{failure}");
        assert!(matches!(failure.error, PlanError::Refused { .. }), "{failure:?}");
        assert!(failure.to_string().contains(expected), "{failure}");
    };
    let bytes = |bytes| ProgramStrategy { prefetch_bytes: Some(bytes), ..strategy(&[]) };
    refused(&bytes(40_000), Subject::Network, "prefetch_bytes = 40000 exceeds the SRAM of 16384 bytes");
    let told = strategy(&[("1.add", |_| {})]);
    refused(&told, Subject::Network, "unknown layer '1.add': that layer is '1.conv2d'");
    let told = strategy(&[("9.add", |_| {})]);
    refused(&told, Subject::Network, "unknown layer '9.add': there are 4 layers");
    let told = strategy(&[("2.conv2d", |layer| layer.output = Some("1x14x14x64xi8".into()))]);
    let makes = "layer '2.conv2d' has output 1x14x14x32xi8, not 1x14x14x64xi8";
    refused(&told, Subject::Layer(2), makes);
    let told = strategy(&[("3.add", |layer| layer.stays = Some(true))]);
    refused(&told, Subject::Layer(3), "an output of the function cannot be resident in SRAM");
    let stay: Change = |layer| layer.stays = Some(true);
    let told = strategy(&[("0.conv2d", stay), ("1.conv2d", stay), ("2.conv2d", stay)]);
    let room = "it does not fit with the other resident tensors, or no layer reads it";
    refused(&told, Subject::Layer(0), room);
    let told = strategy(&[("3.add", |layer| layer.tiling = Some(TilingStrategy::default()))]);
    refused(&told, Subject::Layer(3), "tiling given for a layer that the DPU does not compute");
    let told = strategy(&[("0.conv2d", |layer| {
        layer.tiling = Some(TilingStrategy { oy: Some(99), ..TilingStrategy::default() });
    })]);
    refused(&told, Subject::Layer(0), "oy is 99: must be 1 to 14");
    let told = strategy(&[("0.conv2d", |layer| layer.cuts = vec![Default::default()])]);
    refused(&told, Subject::Layer(0), "1 cuts given, the layer has 0");
}

#[test]
fn what_no_layer_computes_in_its_output_is_copied() {
    let mut net = Net::new(6, 16);
    let (constant, y) = (net.constant(0), net.conv(0, 16, 3));
    for tensor in [0, y, constant, y] {
        net.output(tensor);
    }
    let machine = machine(1 << 20);
    let plan = plan(&net, &machine);
    let names: Vec<_> = plan.draft.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["0.conv2d", "1.copy", "2.copy", "3.copy"]);
    assert_eq!(plan.strategy.layers.len(), 1);
    let (outputs, _) = net.run(&plan, &machine);
    assert_eq!(outputs[1], outputs[3]);
    assert_ne!(outputs[0], outputs[2]);
}

#[test]
fn a_layer_that_never_fits_fails_at_its_place() {
    let net = Net::chain(4, &[16, 16, 4096], 3);
    let failure = failure(&net, &machine(128), None);
    assert_eq!(failure.subject, Subject::Layer(0));
    assert!(matches!(failure.error, PlanError::Resource { .. }), "{failure}");
}

#[test]
fn a_constant_larger_than_the_dram_is_refused_before_it_is_read() {
    let mut net = Net::new(64, 64);
    let constant = net.constant(0);
    let sum = net.add(0, constant);
    let net = net.returning(sum);
    let machine = Machine { dram_bytes: 65536, ..machine(65536) };
    let failure = failure(&net, &machine, None);
    assert_eq!(failure.subject, Subject::Layer(0));
    assert_eq!(
        failure.error.to_string(),
        "resource: bytes of DRAM for a constant: needs 262144, limit is 65536"
    );
}
