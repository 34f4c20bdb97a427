//! What became of a file's operators. Invariant: every operator of the file that is reached is recorded exactly once.

/// What became of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Operators of the network compute it.
    Imported,
    /// Its result is known while the file is read, or it changes nothing.
    Folded,
    /// The network ends before it.
    Cut,
    /// Refused; the index of its cause in [`Refusal::causes`](crate::Refusal).
    Refused(usize),
    /// Not read, because an operator before it or the file as a whole is refused.
    Unread,
}

/// An operator of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its kind, by the file's name: `CONV_2D`, `QLinearConv`.
    pub kind: String,
    /// Its name, or that of its first result.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
}

/// The operators of a file, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The operators.
    pub operators: Vec<Operator>,
}
