//! Random task lists on machines with few and many barriers, and faults injected into good assignments.

use proptest::prelude::*;

use super::check::{Fault, check};
use super::*;
use crate::deps::tests::any_nodes;
use crate::deps::{Hazard, edges};

fn any_case() -> impl Strategy<Value = (Vec<Node>, Vec<Edge>, u32)> {
    let nodes = prop_oneof![any_nodes(30, 30, 10), any_nodes(200, 400, 20), any_nodes(200, 20_000, 20)];
    (nodes, prop_oneof![2u32..=4, 5u32..=16, Just(64)]).prop_map(|(nodes, barriers)| {
        let edges = edges(&nodes).unwrap();
        (nodes, edges, barriers)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn assignments_pass_the_judge((nodes, edges, barriers) in any_case()) {
        let result = assign(&nodes, &edges, barriers).unwrap();
        prop_assert_eq!(check(&nodes, &edges, &result, barriers), Ok(()));
        prop_assert!(result.configs.len() <= edges.len());
        prop_assert!(result.configs.iter().all(|c| c.producers >= 1 && c.consumers >= 1));
        prop_assert_eq!(assign(&nodes, &edges, barriers), Ok(result));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_dropped_or_added_bit_is_noticed(
        (nodes, edges, barriers) in any_case(), pick in any::<prop::sample::Index>(), bit in 0u32..64,
        wait in any::<bool>(),
    ) {
        prop_assume!(!nodes.is_empty());
        let mut result = assign(&nodes, &edges, barriers).unwrap();
        let masks = if wait { &mut result.wait } else { &mut result.post };
        let used: Vec<usize> = (0..masks.len()).filter(|&t| masks[t] != 0).collect();
        let task = if used.is_empty() { pick.index(masks.len()) } else { used[pick.index(used.len())] };
        masks[task] ^= 1 << (bit % barriers);
        prop_assert!(check(&nodes, &edges, &result, barriers).is_err());
    }

    #[test]
    fn a_lost_edge_is_noticed((nodes, edges, barriers) in any_case(), pick in any::<prop::sample::Index>()) {
        prop_assume!(!edges.is_empty());
        let mut fewer = edges.clone();
        let lost = fewer.remove(pick.index(edges.len()));
        let result = assign(&nodes, &fewer, barriers).unwrap();
        // Relays add order, which may happen to imply the edge.
        if result.relayed == 0 && result.configs.iter().all(|c| c.producers == 1) {
            let fault = Fault::Lost { from: lost.from as usize, to: lost.to as usize };
            prop_assert_eq!(check(&nodes, &edges, &result, barriers), Err(fault));
        }
    }

    #[test]
    fn a_changed_configuration_is_noticed(
        (nodes, edges, barriers) in any_case(), pick in any::<prop::sample::Index>(), kind in 0u8..4,
    ) {
        let good = assign(&nodes, &edges, barriers).unwrap();
        prop_assume!(!good.configs.is_empty());
        let mut result = good.clone();
        let at = pick.index(result.configs.len());
        match kind {
            0 => { result.configs.remove(at); }
            1 => result.configs[at].producers += 1,
            2 => result.configs[at].consumers -= 1,
            _ => {
                // Armed after its first producer.
                result.configs[at].before += 1;
                result.configs.sort();
            }
        }
        prop_assert!(check(&nodes, &edges, &result, barriers).is_err());
    }
}

fn node(engine: u8) -> Node {
    Node { engine, accesses: Vec::new(), synchronizes: true }
}

fn edge(from: u32, to: u32) -> Edge {
    Edge { from, to, hazard: Hazard::Raw }
}

#[test]
fn equal_consumers_share_a_barrier() {
    // Two loads on different engines for one computation, whose result two engines wait for.
    let nodes = [0, 1, 2, 0, 1].map(node);
    let edges = [edge(0, 2), edge(1, 2), edge(2, 3), edge(2, 4)];
    let result = assign(&nodes, &edges, 64).unwrap();
    assert_eq!(
        result.configs,
        [
            Config { before: 0, barrier: 0, producers: 2, consumers: 1 },
            Config { before: 2, barrier: 1, producers: 1, consumers: 2 },
        ]
    );
    assert_eq!(result.wait, [0, 0, 1, 2, 2]);
    assert_eq!(result.post, [1, 1, 2, 0, 0]);
}

#[test]
fn physical_barriers_are_used_in_turn() {
    let nodes: Vec<Node> = (0..10).map(|t| node([0, 3][t % 2])).collect();
    let edges: Vec<Edge> = (0..5).map(|t| edge(2 * t, 2 * t + 1)).collect();
    let result = assign(&nodes, &edges, 3).unwrap();
    let used: Vec<(u32, u8)> = result.configs.iter().map(|c| (c.before, c.barrier)).collect();
    assert_eq!(used, [(0, 0), (2, 1), (4, 2), (6, 0), (8, 1)]);
    assert_eq!(result.relayed, 0);
}

#[test]
fn a_long_wait_is_relayed_when_barriers_run_out() {
    // Task 0 is needed at the very end, and in between every task waits for the one before.
    let nodes: Vec<Node> = (0..9).map(|t| node([0, 3, 1][t % 3])).collect();
    let mut edges: Vec<Edge> = (1..7).map(|t| edge(t, t + 1)).collect();
    edges.push(edge(0, 8));
    let plenty = assign(&nodes, &edges, 64).unwrap();
    assert_eq!((plenty.relayed, plenty.configs.len()), (0, 7));
    let scarce = assign(&nodes, &edges, 2).unwrap();
    assert!(scarce.relayed > 0);
    assert_eq!(check(&nodes, &edges, &scarce, 2), Ok(()));
}

#[test]
fn what_cannot_be_a_barrier_is_refused() {
    let nodes = [node(0), node(3), Node { engine: 2, accesses: Vec::new(), synchronizes: false }, node(0)];
    let one = |e: Edge| assign(&nodes, &[e], 64);
    assert!(one(edge(0, 1)).is_ok());
    for bad in [edge(1, 0), edge(0, 0), edge(0, 2), edge(2, 3), edge(0, 3), edge(0, 4)] {
        assert!(matches!(one(bad), Err(PlanError::Internal { .. })), "{bad:?}");
    }
    let few = assign(&nodes, &[edge(0, 1)], 1);
    assert!(matches!(few, Err(PlanError::Resource { need: 2, limit: 1, .. })));
    assert!(assign(&nodes, &[], 0).is_ok());
}

#[test]
fn the_runs_find_order_faults_and_deadlocks_on_their_own() {
    let nodes = [node(0), node(3)];
    let none = Assignment { wait: vec![0; 2], post: vec![0; 2], ..Assignment::default() };
    let orders = (0..40).filter(|&seed| {
        let result = check::run(&nodes, &[edge(0, 1)], &none, 64, 4, seed);
        assert!(matches!(result, Ok(()) | Err(Fault::Order { task: 1, needed: 0 })));
        result.is_err()
    });
    assert!(orders.count() > 10);
    // Each waits for the other.
    let config = |before, barrier| Config { before, barrier, producers: 1, consumers: 1 };
    let cyclic = Assignment {
        wait: vec![2, 1],
        post: vec![1, 2],
        configs: vec![config(0, 0), config(0, 1)],
        relayed: 0,
    };
    let stuck = check::run(&nodes, &[], &cyclic, 64, 4, 1);
    assert_eq!(stuck, Err(Fault::Deadlock { position: 4, total: 4 }));
    assert!(check(&nodes, &[], &cyclic, 64).is_err());
}
