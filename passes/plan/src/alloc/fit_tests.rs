//! Random blocks against a pairwise checker.

use proptest::prelude::*;

use super::*;

/// Panics if two blocks share a time and a byte, or one is misaligned or beyond the end.
fn judge(requests: &[Request], result: &Fit) {
    assert_eq!(requests.len(), result.offsets.len());
    for (i, a) in requests.iter().enumerate() {
        let start = result.offsets[i];
        assert_eq!(start % a.align, 0, "block {i} is misaligned");
        assert!(start + a.bytes <= result.end, "block {i} is beyond the end");
        for (j, b) in requests.iter().enumerate().take(i) {
            let times = a.first <= b.last && b.first <= a.last;
            let bytes = start < result.offsets[j] + b.bytes && result.offsets[j] < start + a.bytes;
            assert!(!(times && bytes && a.bytes > 0 && b.bytes > 0), "blocks {j} and {i} overlap");
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    (0u64..5000, 0u32..7, 0u32..60, 0u32..20).prop_map(|(bytes, align, first, life)| Request {
        bytes,
        align: 1 << align,
        first,
        last: first + life,
    })
}

fn effort() -> impl Strategy<Value = Effort> {
    prop_oneof![Just(Effort::Spread), Just(Effort::Tight)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_blocks_never_overlap(
        requests in prop::collection::vec(request(), 0..60),
        effort in effort(),
        limit in 4000u64..100_000,
    ) {
        let (_, floor) = peak(&requests);
        match fit(&requests, limit, effort) {
            Ok(result) => {
                judge(&requests, &result);
                prop_assert!(result.end <= limit);
                prop_assert_eq!(fit(&requests, limit, effort), Ok(result));
            }
            Err(misfit) => prop_assert!(misfit.need > limit),
        }
        let free = fit(&requests, u64::MAX, effort).unwrap();
        judge(&requests, &free);
        prop_assert!(floor <= free.end);
        if floor > limit {
            prop_assert!(fit(&requests, limit, effort).is_err());
        }
    }

    #[test]
    fn both_solvers_agree_on_legality(requests in prop::collection::vec(request(), 0..60)) {
        let mut requests = requests;
        requests.sort_by_key(|r| r.first);
        judge(&requests, &sweep(&requests));
        for key in ORDERS {
            judge(&requests, &listed(&requests, key));
        }
    }
}

#[test]
fn the_list_orders_help_where_the_sweep_fragments() {
    // In time order, two small blocks leave no hole of 8 for the last one; the order by size finds 12.
    let block = |bytes, first, last| Request { bytes, align: 1, first, last };
    let requests = [block(4, 0, 1), block(4, 0, 9), block(4, 0, 1), block(8, 2, 9)];
    assert!(sweep(&requests).end > 12);
    let result = fit(&requests, 12, Effort::Spread).unwrap();
    judge(&requests, &result);
    assert_eq!(result.end, 12);
}

#[test]
fn the_next_episode_avoids_the_bytes_of_the_last() {
    let block = |first| Request { bytes: 100, align: 4, first, last: first };
    let requests = [block(0), block(1), block(2), block(3)];
    assert_eq!(fit(&requests, 250, Effort::Spread).unwrap().offsets, [0, 100, 0, 100]);
    assert_eq!(fit(&requests, 250, Effort::Tight).unwrap().offsets, [0, 0, 0, 0]);
}

#[test]
fn a_misfit_tells_time_and_need() {
    let block = |bytes, first, last| Request { bytes, align: 1, first, last };
    let requests = [block(10, 0, 0), block(60, 5, 6), block(50, 6, 7)];
    assert_eq!(fit(&requests, 100, Effort::Spread), Err(Misfit { time: 6, need: 110 }));
    assert_eq!(fit(&requests, 50, Effort::Spread), Err(Misfit { time: 5, need: 60 }));
    let huge = [block(u64::MAX, 3, 3)];
    assert_eq!(fit(&huge, u64::MAX, Effort::Tight), Err(Misfit { time: 3, need: u64::MAX }));
}
