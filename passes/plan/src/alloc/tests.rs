//! Random drafts, the layout of DRAM, and faults injected into good assignments.

use std::sync::Arc;

use dpu_isa::{ConvInv, ConvVar, DmaCopy, Dtype, Instr};
use proptest::prelude::*;

use super::check::{Fault, check};
use super::*;

#[derive(Clone, Debug)]
struct Case {
    buffers: Vec<Buffer>,
    tasks: Vec<Task>,
}

fn buffer(space: Space, bytes: u64, align: u64, role: Role) -> Buffer {
    Buffer { space, dtype: Dtype::I8, shape: vec![bytes], bytes, align, role }
}

fn task(bufs: &[usize]) -> Task {
    let bufs = bufs.iter().enumerate().map(|(i, &b)| (i, BufferId::from_index(b).unwrap())).collect();
    Task { instr: DmaCopy::default().into(), bufs, layer: 0 }
}

fn any_buffer() -> impl Strategy<Value = Buffer> {
    (0u8..8, 1u64..3000, 0u32..9).prop_map(|(kind, bytes, align)| {
        let align = 1 << align;
        match kind {
            0 => buffer(Space::Dram, bytes, align, Role::Const(vec![7; bytes as usize].into())),
            1 => buffer(Space::Dram, bytes, align, Role::Input { name: "in".into() }),
            2 => buffer(Space::Dram, bytes, align, Role::Output { name: "out".into() }),
            3 | 4 => buffer(Space::Dram, bytes, align, Role::Scratch),
            _ => buffer(Space::Sram, bytes, align, Role::Scratch),
        }
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    prop::collection::vec(any_buffer(), 1..40).prop_flat_map(|buffers| {
        let count = buffers.len();
        let uses = prop::collection::vec(prop::collection::vec(0..count, 1..4), 0..60);
        (Just(buffers), uses)
            .prop_map(|(buffers, uses)| Case { buffers, tasks: uses.iter().map(|u| task(u)).collect() })
    })
}

fn machine(sram_bytes: u64) -> Machine {
    Machine { sram_bytes, ..Machine::flexnn_16x16() }
}

fn place(case: &Case, machine: &Machine) -> Result<Addresses, PlanError> {
    allocate(&case.buffers, &case.tasks, &[], machine)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_drafts_pass_the_judge(case in any_case(), sram in 3000u64..100_000) {
        let machine = machine(sram);
        match place(&case, &machine) {
            Ok(result) => {
                prop_assert_eq!(check(&case.buffers, &case.tasks, &machine, &result), Ok(()));
                let image = const_image(&case.buffers, &result).unwrap();
                for (b, &at) in case.buffers.iter().zip(&result.of) {
                    if let Role::Const(bytes) = &b.role {
                        prop_assert_eq!(&image[at as usize..][..bytes.len()], &bytes[..]);
                    }
                    prop_assert!(b.space == Space::Sram || at % 64 == 0);
                }
            }
            Err(error) => {
                let beyond = matches!(error, PlanError::Resource { need, limit, .. } if need > limit);
                prop_assert!(beyond, "{}", error);
            }
        }
    }

    /// Moves a used buffer onto another that is live at the same time.
    #[test]
    fn an_overlap_is_noticed(case in any_case(), pick in any::<prop::sample::Index>()) {
        let machine = machine(1 << 20);
        let mut result = place(&case, &machine).unwrap();
        let live = live_ranges(&case.buffers, &case.tasks).unwrap();
        let pairs: Vec<(usize, usize)> = (0..live.len()).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|&(i, j)| {
            let (Some(a), Some(b)) = (live[i], live[j]) else { return false };
            case.buffers[i].space == case.buffers[j].space && a.first <= b.last && b.first <= a.last
        }).collect();
        prop_assume!(!pairs.is_empty());
        let (i, j) = pairs[pick.index(pairs.len())];
        result.of[i] = result.of[j];
        prop_assert!(check(&case.buffers, &case.tasks, &machine, &result).is_err());
    }

    #[test]
    fn a_shifted_address_is_noticed(case in any_case(), pick in any::<prop::sample::Index>()) {
        let machine = machine(1 << 20);
        let mut result = place(&case, &machine).unwrap();
        let used: Vec<usize> =
            (0..result.of.len())
                .filter(|&i| case.tasks.iter().any(|t| t.bufs.iter().any(|b| b.1.index() == i)))
                .collect();
        prop_assume!(!used.is_empty());
        let i = used[pick.index(used.len())];
        let good = result.of[i];
        result.of[i] = 1 << 30;
        let end = (1 << 30) + case.buffers[i].bytes;
        let fault = check(&case.buffers, &case.tasks, &machine, &result);
        let expected = matches!(fault, Err(Fault::Bounds { buffer, end: e, .. }) if (buffer, e) == (i, end));
        prop_assert!(expected, "{:?}", fault);
        if case.buffers[i].align > 1 {
            result.of[i] = good + 1;
            let fault = check(&case.buffers, &case.tasks, &machine, &result);
            let expected = matches!(fault, Err(Fault::Alignment { buffer, .. }) if buffer == i);
            prop_assert!(expected, "{:?}", fault);
        }
    }
}

#[test]
fn dram_is_constants_inputs_outputs_scratch() {
    let buffers = vec![
        buffer(Space::Dram, 100, 16, Role::Scratch),
        buffer(Space::Dram, 100, 16, Role::Output { name: "y".into() }),
        buffer(Space::Dram, 100, 16, Role::Input { name: "x".into() }),
        buffer(Space::Dram, 70, 16, Role::Const(Arc::from([1u8; 70]))),
        buffer(Space::Dram, 10, 16, Role::Const(Arc::from([2u8; 10]))),
        buffer(Space::Dram, 100, 16, Role::Scratch),
    ];
    let tasks = vec![task(&[2, 0]), task(&[0, 1]), task(&[2, 5])];
    let result = place(&Case { buffers: buffers.clone(), tasks }, &machine(65536)).unwrap();
    assert_eq!(result.of, [448, 320, 192, 0, 128, 448]);
    assert_eq!((result.const_bytes, result.dram_bytes), (138, 448 + 128));
    let image = const_image(&buffers, &result).unwrap();
    assert_eq!(image.len(), 138);
    assert_eq!((&image[..70], &image[70..128], &image[128..]), (&[1; 70][..], &[0; 58][..], &[2; 10][..]));
}

#[test]
fn buffers_that_have_no_place_are_refused() {
    for buffer in [
        buffer(Space::Sram, 16, 16, Role::Input { name: "x".into() }),
        buffer(Space::Sram, 16, 16, Role::Const([0; 16].into())),
        buffer(Space::Dram, 16, 0, Role::Scratch),
        buffer(Space::Dram, 16, 48, Role::Scratch),
        buffer(Space::Sram, 16, 1 << 21, Role::Scratch),
    ] {
        let result = place(&Case { buffers: vec![buffer], tasks: vec![task(&[0])] }, &machine(65536));
        assert!(matches!(result, Err(PlanError::Unsupported { .. })), "{result:?}");
    }
    let input = buffer(Space::Sram, 16, 16, Role::Input { name: "x".into() });
    assert_eq!(
        allocate(&[input], &[], &[], &machine(65536)).unwrap_err().to_string(),
        "unsupported: buffer 0 is a constant, input or output in SRAM: it must be in DRAM"
    );
}

#[test]
fn the_layer_that_does_not_fit_is_named() {
    let buffers = vec![
        buffer(Space::Sram, 40_000, 16, Role::Scratch),
        buffer(Space::Sram, 40_000, 16, Role::Scratch),
        buffer(Space::Sram, 100, 16, Role::Scratch),
    ];
    let mut tasks = vec![task(&[2]), task(&[0]), task(&[0, 1])];
    tasks[1].layer = 1;
    tasks[2].layer = 1;
    let info = |name: &str| LayerInfo { name: name.into(), op: "op".into(), loc: 0, macs: 0 };
    let error = allocate(&buffers, &tasks, &[info("first"), info("second")], &machine(65536));
    let message = "resource: second: SRAM bytes: needs 80000, limit is 65536";
    assert_eq!(error.unwrap_err().to_string(), message);
    let mut small = machine(1 << 20);
    small.dram_bytes = 1000;
    let big = vec![buffer(Space::Dram, 2000, 16, Role::Input { name: "x".into() })];
    assert!(matches!(
        allocate(&big, &[], &[], &small),
        Err(PlanError::Resource { need: 2000, limit: 1000, .. })
    ));
    let scratch = vec![buffer(Space::Dram, 2000, 16, Role::Scratch)];
    let error = allocate(&scratch, &[task(&[0])], &[info("only")], &small);
    assert_eq!(error.unwrap_err().to_string(), "resource: only: DRAM bytes: needs 2048, limit is 1000");
}

#[test]
fn a_table_lives_as_long_as_the_variants_of_its_invariant() {
    let inv = |slot| Instr::ConvInv(ConvInv { slot, ..ConvInv::default() });
    let var = |slot| Instr::ConvVar(ConvVar { slot, ..ConvVar::default() });
    let with = |instr, bufs: &[usize]| Task { instr, ..task(bufs) };
    let buffers: Vec<Buffer> = (0..5).map(|_| buffer(Space::Sram, 256, 16, Role::Scratch)).collect();
    let tasks = vec![
        with(inv(0), &[0]),
        with(inv(1), &[1]),
        with(var(0), &[2]),
        with(var(1), &[3]),
        with(inv(0), &[4]),
        with(var(0), &[]),
    ];
    let live = live_ranges(&buffers, &tasks).unwrap();
    let ends: Vec<_> = live.iter().flatten().map(|l| (l.first, l.last)).collect();
    assert_eq!(ends, [(0, 2), (1, 3), (2, 2), (3, 3), (4, 5)]);
    let result = place(&Case { buffers: buffers.clone(), tasks: tasks.clone() }, &machine(65536)).unwrap();
    // The checker knows it too: the table of slot 1 must not share its bytes with what variant 3 uses.
    let mut wrong = result;
    wrong.of[3] = wrong.of[1];
    assert!(matches!(
        check(&buffers, &tasks, &machine(65536), &wrong),
        Err(Fault::Overlap { first: 1, second: 3, .. })
    ));
}

#[test]
fn a_buffer_in_the_constant_image_or_a_missing_one_is_noticed() {
    let buffers = vec![
        buffer(Space::Dram, 10, 1, Role::Const(Arc::from([0u8; 10]))),
        buffer(Space::Dram, 10, 1, Role::Const(Arc::from([0u8; 10]))),
        buffer(Space::Dram, 10, 1, Role::Scratch),
    ];
    let tasks = vec![task(&[2])];
    let machine = machine(65536);
    let good = place(&Case { buffers: buffers.clone(), tasks: tasks.clone() }, &machine).unwrap();
    let with = |index: usize, address| {
        let mut wrong = good.clone();
        wrong.of[index] = address;
        check(&buffers, &tasks, &machine, &wrong)
    };
    assert_eq!(with(2, 20), Err(Fault::InImage { buffer: 2 }));
    assert!(matches!(with(1, 128), Err(Fault::Bounds { buffer: 1, .. })));
    assert!(matches!(with(1, 5), Err(Fault::Overlap { .. })));
    let short = Addresses { of: vec![0], ..good.clone() };
    assert_eq!(check(&buffers, &tasks, &machine, &short), Err(Fault::Count { expected: 3, found: 1 }));
    assert!(live_ranges(&buffers, &[task(&[9])]).is_err());
}
