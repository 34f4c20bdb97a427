//! Windows as the file describes them. Invariant: padding is that of TFLite: SAME puts the odd row or column behind the image.

use strum_float::Window;

use super::stop::{Step, Stop};

/// Positive sizes.
pub(super) fn positive(sizes: [i32; 2], what: &str) -> Step<[usize; 2]> {
    match sizes.map(usize::try_from) {
        [Ok(a), Ok(b)] if a.min(b) > 0 => Ok([a, b]),
        _ => Err(Stop::invalid(format!("{what} of {sizes:?}"))),
    }
}

/// The window over an image of the given rows and columns.
pub(super) fn window(
    same: bool,
    image: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Step<Window> {
    let mut window = Window { stride, dilation, ..Window::UNIT };
    let axes = image.iter().zip(kernel).zip(stride.into_iter().zip(dilation));
    for (((&extent, kernel), (stride, dilation)), (before, after)) in
        axes.zip(window.before.iter_mut().zip(&mut window.after))
    {
        let span = kernel.checked_sub(1).and_then(|k| k.checked_mul(dilation)).and_then(|k| k.checked_add(1));
        let span =
            span.ok_or_else(|| Stop::invalid(format!("a kernel of {kernel} with dilation {dilation}")))?;
        if same {
            let windows = extent.div_ceil(stride);
            let reach = windows.saturating_sub(1).checked_mul(stride).and_then(|r| r.checked_add(span));
            let total = reach.unwrap_or(usize::MAX).saturating_sub(extent);
            (*before, *after) = (total / 2, total - total / 2);
        }
    }
    Ok(window)
}

/// Whether padding is SAME.
pub(super) fn is_same(padding: i8) -> Step<bool> {
    match padding {
        0 => Ok(true),
        1 => Ok(false),
        other => Err(Stop::damaged(format!("padding of number {other}"))),
    }
}
