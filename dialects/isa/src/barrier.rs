//! Barriers without time: the barriers of a mask, and the tasks that an armed barrier still expects.
//!
//! A count never goes below 0: a task beyond the announced number is refused and changes nothing.

/// Maximum number of barriers in a mask.
pub const MAX_BARRIERS: usize = 64;

/// The barriers of a mask, in ascending order.
pub fn members(mask: u64) -> impl Iterator<Item = u8> + Clone {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lowest = u8::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0);
        rest &= rest.wrapping_sub(1);
        lowest
    })
}

/// The number of tasks that an armed barrier still expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Tasks that will post.
    pub producers: u16,
    /// Tasks that will start after the last post.
    pub consumers: u16,
}

impl Expected {
    /// Whether the barrier expects no tasks and can be armed.
    #[must_use]
    pub const fn idle(self) -> bool {
        self.producers == 0 && self.consumers == 0
    }

    /// Whether tasks that wait for the barrier must keep waiting.
    #[must_use]
    pub const fn closed(self) -> bool {
        self.producers > 0
    }

    /// After one more post; `None` if none is expected.
    #[must_use]
    pub fn posted(self) -> Option<Expected> {
        Some(Expected { producers: self.producers.checked_sub(1)?, ..self })
    }

    /// After the start of one more waiting task; `None` if none is expected.
    #[must_use]
    pub fn consumed(self) -> Option<Expected> {
        Some(Expected { consumers: self.consumers.checked_sub(1)?, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_names_barriers_in_ascending_order() {
        assert_eq!(members(0).count(), 0);
        assert_eq!(members(1 << 63 | 0b1010).collect::<Vec<_>>(), [1, 3, 63]);
        assert_eq!(
            members(u64::MAX).map(usize::from).collect::<Vec<_>>(),
            (0..MAX_BARRIERS).collect::<Vec<_>>()
        );
    }

    #[test]
    fn counts_reach_0_and_stop_there() {
        let armed = Expected { producers: 1, consumers: 1 };
        assert!(armed.closed() && !armed.idle());
        let open = armed.posted().unwrap();
        assert!(!open.closed() && !open.idle());
        assert_eq!(open.posted(), None);
        let idle = open.consumed().unwrap();
        assert!(idle.idle());
        assert_eq!(idle.consumed(), None);
    }
}
