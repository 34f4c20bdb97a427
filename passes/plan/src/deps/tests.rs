//! Random task lists: the edges suffice, none is redundant, and the checkers accept them and notice faults.

use dpu_isa::{ConvVar, DmaFill, End, MemAddr};
use petgraph::algo::is_cyclic_directed;
use proptest::prelude::*;

use super::check::{Fault, pairs, sweep};
use super::*;

fn access(space: Space, lo: u64, len: u64, write: bool) -> Access {
    Access { space, lo, len, write, field: "test" }
}

fn any_access(range: u64, longest: u64) -> impl Strategy<Value = Access> {
    (any::<bool>(), 0..range, 1..=longest, any::<bool>()).prop_map(|(sram, lo, len, write)| {
        access(if sram { Space::Sram } else { Space::Dram }, lo, len, write)
    })
}

/// Task lists; some tasks are invariants.
pub(crate) fn any_nodes(tasks: usize, range: u64, longest: u64) -> impl Strategy<Value = Vec<Node>> {
    let node = (0u8..4, prop::collection::vec(any_access(range, longest), 1..4), 0u8..10).prop_map(
        |(engine, accesses, kind)| match kind {
            0 => Node { engine: 2, accesses: Vec::new(), synchronizes: false },
            _ => Node { engine, accesses, synchronizes: true },
        },
    );
    prop::collection::vec(node, 0..=tasks)
}

fn plain(edges: &[Edge]) -> Vec<(usize, usize)> {
    edges.iter().map(|e| (e.from as usize, e.to as usize)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn edges_suffice_and_none_can_go(nodes in any_nodes(40, 40, 12)) {
        let found = edges(&nodes).unwrap();
        let all = plain(&found);
        prop_assert_eq!(pairs(&nodes, &all), Ok(()));
        prop_assert_eq!(sweep(&nodes, &all), Ok(()));
        prop_assert!(!is_cyclic_directed(&graph(nodes.len(), &found).unwrap()));
        prop_assert!(found.is_sorted());
        for (i, edge) in found.iter().enumerate() {
            let mut fewer = all.clone();
            fewer.remove(i);
            prop_assert!(pairs(&nodes, &fewer).is_err(), "{:?} is superfluous", edge);
            prop_assert!(sweep(&nodes, &fewer).is_err(), "the sweep does not miss {:?}", edge);
        }
    }

    #[test]
    fn the_judges_agree(nodes in any_nodes(25, 30, 10), keep in any::<u64>()) {
        let all = plain(&edges(&nodes).unwrap());
        let some: Vec<_> = all.iter().enumerate().filter(|(i, _)| keep >> (i % 64) & 1 == 1).map(|(_, &e)| e).collect();
        prop_assert_eq!(pairs(&nodes, &some).is_ok(), sweep(&nodes, &some).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Ranges long enough that segments are merged: more order than needed, but never less.
    #[test]
    fn merged_segments_lose_no_order(
        nodes in any_nodes(300, 2000, 6), whole in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let mut nodes = nodes;
        for (k, at) in whole.iter().enumerate() {
            let at = at.index(nodes.len() + 1);
            let accesses = vec![access(Space::Dram, 0, 1900, k % 5 == 0)];
            nodes.insert(at, Node { engine: (k % 4) as u8, accesses, synchronizes: true });
        }
        let found = plain(&edges(&nodes).unwrap());
        prop_assert_eq!(pairs(&nodes, &found), Ok(()));
        prop_assert_eq!(sweep(&nodes, &found), Ok(()));
    }
}

fn node(engine: u8, accesses: &[Access]) -> Node {
    Node { engine, accesses: accesses.to_vec(), synchronizes: true }
}

#[test]
fn double_buffering_has_the_edges_one_expects() {
    // Two slots in SRAM, four tiles: load (DMA 0), compute in place (VEC), store (DMA 1).
    let mut nodes = Vec::new();
    for tile in 0..4u64 {
        let slot = 100 * (tile % 2);
        nodes.push(node(0, &[access(Space::Dram, 0, 1000, false), access(Space::Sram, slot, 100, true)]));
        nodes.push(node(3, &[access(Space::Sram, slot, 100, false), access(Space::Sram, slot, 100, true)]));
        nodes.push(node(
            1,
            &[access(Space::Sram, slot, 100, false), access(Space::Dram, 2000 + slot, 100, true)],
        ));
    }
    let found: Vec<_> = edges(&nodes).unwrap().iter().map(|e| (e.from, e.to, e.hazard)).collect();
    assert_eq!(
        found,
        [
            (0, 1, Hazard::Raw),
            (1, 2, Hazard::Raw),
            (3, 4, Hazard::Raw),
            (4, 5, Hazard::Raw),
            // The load of tile 2 overwrites slot 0, which the store of tile 0 reads.
            (2, 6, Hazard::War),
            (6, 7, Hazard::Raw),
            (7, 8, Hazard::Raw),
            (5, 9, Hazard::War),
            (9, 10, Hazard::Raw),
            (10, 11, Hazard::Raw),
        ]
    );
}

#[test]
fn a_whole_read_after_many_pieces_stays_cheap() {
    let pieces = (0..4000).map(|i| node(1, &[access(Space::Dram, i * 10, 10, true)]));
    let reads = (0..4000).map(|i| node([0, 3][i % 2], &[access(Space::Dram, 0, 40_000, false)]));
    let nodes: Vec<Node> = pieces.chain(reads).collect();
    let found = edges(&nodes).unwrap();
    assert_eq!(plain(&found), [(3999, 4000), (3999, 4001)]);
}

#[test]
fn the_judges_name_the_race() {
    let nodes = [
        node(0, &[access(Space::Sram, 10, 10, true)]),
        node(3, &[access(Space::Sram, 15, 10, false)]),
        node(1, &[access(Space::Dram, 15, 10, true)]),
    ];
    let race = Err(Fault::Race { first: 0, second: 1, space: Space::Sram, byte: 15 });
    assert_eq!(pairs(&nodes, &[]), race);
    assert_eq!(sweep(&nodes, &[]), race);
    assert_eq!(pairs(&nodes, &[(0, 1)]), Ok(()));
    let backward = Err(Fault::Edge { from: 1, to: 0, tasks: 3 });
    assert_eq!(sweep(&nodes, &[(1, 0)]), backward);
    assert!(pairs(&nodes, &[(1, 3)]).is_err());
}

#[test]
fn streams_that_are_no_task_lists_are_refused() {
    assert!(matches!(nodes(&[Instr::End(End {})]), Err(PlanError::Internal { .. })));
    let var = Instr::ConvVar(ConvVar { slot: 3, ..ConvVar::default() });
    assert!(matches!(nodes(&[var]), Err(PlanError::Internal { .. })));
    let fill = DmaFill { tile: 1, dst: MemAddr::dram(0), ..DmaFill::default() };
    assert!(matches!(nodes(&[fill.into()]), Err(PlanError::Unsupported { .. })));
    assert!(edges(&[node(4, &[])]).is_err());
}
