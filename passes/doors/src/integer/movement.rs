//! Selections of elements along an axis, of codes as of floats. Invariant: only operators are used that move whole runs.

use crate::tosa::{Builder, Elem, Fault, Id};

/// The largest number of pieces that a selection is put together from.
const MAX_PIECES: usize = 4096;

fn fault<T>(reason: String) -> Result<T, Fault> {
    Err(Fault { op: "slice", reason })
}

/// The elements `start`, `start + step` and so on, `count` of them.
pub(crate) fn strided(
    build: &mut Builder,
    x: Id,
    axis: usize,
    [start, step, count]: [usize; 3],
) -> Result<Id, Fault> {
    let shape = build.graph().shape(x).to_vec();
    let last = count.checked_sub(1).and_then(|n| n.checked_mul(step)).and_then(|n| n.checked_add(start));
    let (Some(&extent), Some(last)) = (shape.get(axis), last) else {
        return fault(format!("{count} elements of {shape:?} along axis {axis}"));
    };
    if last >= extent || step == 0 {
        return fault(format!("element {last} of {extent}"));
    }
    if step == 1 || count == 1 {
        return run(build, x, axis, start, count);
    }
    // The run is cut into rows of `step`, of which the first column stays.
    let mut whole = x;
    let wanted = count.saturating_mul(step);
    let kept = wanted.min(extent - start);
    whole = run(build, whole, axis, start, kept)?;
    if kept < wanted {
        let mut around = vec![[0; 2]; shape.len()];
        around.iter_mut().skip(axis).take(1).for_each(|pair| pair[1] = wanted - kept);
        let elem = build.graph().value(x).map_or(Elem::I8, |value| value.elem);
        let zero = build.scalar(elem, 0)?;
        whole = build.pad(whole, &around, zero)?;
    }
    let (before, behind) = (shape.get(..axis).unwrap_or_default(), shape.get(axis + 1..).unwrap_or_default());
    let rows = build.reshape(whole, &[before, &[count, step], behind].concat())?;
    let first = run(build, rows, axis + 1, 0, 1)?;
    build.reshape(first, &[before, &[count], behind].concat())
}

/// A run of elements.
fn run(build: &mut Builder, x: Id, axis: usize, start: usize, count: usize) -> Result<Id, Fault> {
    let mut size = build.graph().shape(x).to_vec();
    let mut from = vec![0; size.len()];
    from.iter_mut().skip(axis).take(1).for_each(|d| *d = start);
    size.iter_mut().skip(axis).take(1).for_each(|d| *d = count);
    build.slice(x, &from, &size)
}

/// The elements of the given indices, in this order.
pub(crate) fn pick(build: &mut Builder, x: Id, axis: usize, indices: &[usize]) -> Result<Id, Fault> {
    let shape = build.graph().shape(x).to_vec();
    let Some(&extent) = shape.get(axis) else { return fault(format!("axis {axis} of {shape:?}")) };
    if let Some(index) = indices.iter().find(|&&i| i >= extent) {
        return fault(format!("element {index} of {extent}"));
    }
    let (first, second) = (indices.first().copied().unwrap_or(0), indices.get(1).copied());
    if let Some(step) = second.and_then(|second| second.checked_sub(first)).filter(|&step| step > 0)
        && indices.iter().enumerate().all(|(n, &i)| i == first + n * step)
    {
        return strided(build, x, axis, [first, step, indices.len()]);
    }
    let times = indices.len() / extent;
    if times > 1
        && times * extent == indices.len()
        && indices.iter().enumerate().all(|(n, &i)| i == n / times)
    {
        return repeated(build, x, axis, times);
    }
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some([start, count]) if *start + *count == index => *count += 1,
            _ => runs.push([index, 1]),
        }
    }
    if runs.len() > MAX_PIECES {
        return fault(format!(
            "a selection of {} pieces along axis {axis}; at most {MAX_PIECES}",
            runs.len()
        ));
    }
    let pieces: Result<Vec<Id>, Fault> =
        runs.into_iter().map(|[start, count]| run(build, x, axis, start, count)).collect();
    build.concat(&pieces?, axis)
}

/// Every element several times.
fn repeated(build: &mut Builder, x: Id, axis: usize, times: usize) -> Result<Id, Fault> {
    if times > MAX_PIECES {
        return fault(format!("a selection of {times} pieces along axis {axis}; at most {MAX_PIECES}"));
    }
    let shape = build.graph().shape(x).to_vec();
    let before = shape.get(..=axis).unwrap_or_default();
    let behind: usize = shape.iter().skip(axis + 1).product();
    let rows = build.reshape(x, &[before, &[1, behind]].concat())?;
    let wide = build.concat(&vec![rows; times], axis + 1)?;
    let mut made = shape.clone();
    made.iter_mut().skip(axis).take(1).for_each(|d| *d *= times);
    build.reshape(wide, &made)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn names(build: &Builder) -> Vec<&'static str> {
        build.graph().nodes.iter().map(|node| node.name).collect()
    }

    #[test]
    fn selections_are_slices_rows_or_pieces() {
        let mut build = Builder::default();
        let x = build.input("x", &[2, 7, 3], Elem::I8, None).unwrap();
        let every_second = pick(&mut build, x, 1, &[0, 2, 4, 6]).unwrap();
        assert_eq!(build.graph().shape(every_second), [2, 4, 3]);
        assert_eq!(names(&build), ["pad", "reshape", "slice", "reshape"]);
        let twice = pick(&mut build, x, 0, &[0, 0, 1, 1]).unwrap();
        assert_eq!(build.graph().shape(twice), [4, 7, 3]);
        let mirrored = pick(&mut build, x, 1, &[2, 1, 0, 1, 2]).unwrap();
        assert_eq!(build.graph().shape(mirrored), [2, 5, 3]);
        assert_eq!(pick(&mut build, x, 1, &[7]).unwrap_err().to_string(), "slice: element 7 of 7");
        let fault = strided(&mut build, x, 1, [5, 2, 2]).unwrap_err();
        assert_eq!(fault.to_string(), "slice: element 7 of 7");
        assert_eq!(
            strided(&mut build, x, 3, [0, 1, 1]).unwrap_err().to_string(),
            "slice: 1 elements of [2, 7, 3] along axis 3"
        );
        assert_eq!(pick(&mut build, x, 3, &[0]).unwrap_err().to_string(), "slice: axis 3 of [2, 7, 3]");
        let many: Vec<usize> = (0..10_000).map(|i| i * 3 % 7).collect();
        let fault = pick(&mut build, x, 1, &many).unwrap_err();
        assert!(fault.to_string().ends_with("pieces along axis 1; at most 4096"), "{fault}");
    }
}
