//! An operator of the file, and its attributes. Invariant: an attribute that nobody asked for is refused, so that none is ignored.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::proto;
use super::trouble::{Outcome, invalid, unsupported};

/// An operator of the file.
pub(super) struct Node<'a> {
    /// What the file says.
    pub(super) of: &'a proto::Node,
    /// The version of its domain's operators.
    pub(super) opset: i64,
    asked: RefCell<BTreeSet<&'static str>>,
    checked: Cell<bool>,
}

impl<'a> Node<'a> {
    pub(super) fn new(of: &'a proto::Node, opset: i64) -> Self {
        Node { of, opset, asked: RefCell::default(), checked: Cell::new(false) }
    }

    /// Its kind.
    pub(super) fn kind(&self) -> &'a str {
        &self.of.op_type
    }

    /// Its name, or that of its first result.
    pub(super) fn name(&self) -> &'a str {
        let result = self.of.output.iter().find(|name| !name.is_empty());
        if self.of.name.is_empty() { result.map_or("", String::as_str) } else { &self.of.name }
    }

    /// Its kind and name, for messages.
    pub(super) fn place(&self) -> String {
        format!("{} '{}'", self.kind(), self.name())
    }

    fn find(&self, name: &'static str) -> Option<&'a proto::Attribute> {
        self.asked.borrow_mut().insert(name);
        self.of.attribute.iter().find(|a| a.name == name)
    }

    /// Attributes that have no effect on the result.
    pub(super) fn ignore(&self, names: &[&'static str]) {
        self.asked.borrow_mut().extend(names);
    }

    /// All attributes, which have been checked elsewhere.
    pub(super) fn ignore_all(&self) {
        self.checked.set(true);
    }

    /// Whether an attribute is given.
    pub(super) fn has(&self, name: &'static str) -> bool {
        self.find(name).is_some()
    }

    /// An integer.
    pub(super) fn int(&self, name: &'static str, default: i64) -> Outcome<i64> {
        let Some(found) = self.find(name) else { return Ok(default) };
        // Zero is left out by some writers.
        match (found.i, found.r#type) {
            (Some(i), _) => Ok(i),
            (None, 2) => Ok(0),
            (None, _) => invalid(format!("the attribute '{name}' must be an integer")),
        }
    }

    /// A flag.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Outcome<bool> {
        Ok(self.int(name, default.into())? != 0)
    }

    /// A float.
    pub(super) fn float(&self, name: &'static str, default: f32) -> Outcome<f32> {
        let Some(found) = self.find(name) else { return Ok(default) };
        match (found.f, found.r#type) {
            (Some(f), _) => Ok(f),
            (None, 1) => Ok(0.0),
            (None, _) => invalid(format!("the attribute '{name}' must be a float")),
        }
    }

    /// A list of integers, if given.
    pub(super) fn ints(&self, name: &'static str) -> Option<&'a [i64]> {
        self.find(name).map(|found| found.ints.as_slice())
    }

    /// A list of floats, if given.
    pub(super) fn floats(&self, name: &'static str) -> Option<&'a [f32]> {
        self.find(name).map(|found| found.floats.as_slice())
    }

    /// A list of extents, each at least `least`.
    pub(super) fn extents(&self, name: &'static str, least: usize) -> Outcome<Option<Vec<usize>>> {
        let Some(ints) = self.ints(name) else { return Ok(None) };
        let extents = ints.iter().map(|&i| usize::try_from(i).ok().filter(|&d| d >= least)).collect();
        match extents {
            Some(extents) => Ok(Some(extents)),
            None => invalid(format!("the attribute '{name}' must be at least {least}, got {ints:?}")),
        }
    }

    /// A tensor, if given.
    pub(super) fn tensor(&self, name: &'static str) -> Option<&'a proto::Tensor> {
        self.find(name).and_then(|found| found.t.as_ref())
    }

    /// A word, if given.
    pub(super) fn text(&self, name: &'static str) -> Outcome<Option<&'a str>> {
        let Some(found) = self.find(name) else { return Ok(None) };
        match found.s.as_deref().map(std::str::from_utf8) {
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) | None => invalid(format!("the attribute '{name}' must be a word")),
        }
    }

    /// Refuses another value of a flag than the one that is supported.
    pub(super) fn only(&self, name: &'static str, value: i64) -> Outcome<()> {
        match self.int(name, value)? {
            found if found == value => Ok(()),
            found => unsupported(format!("the attribute '{name}' is supported as {value}, got {found}")),
        }
    }

    /// Refuses attributes that nobody asked for.
    pub(super) fn check_attributes(&self) -> Outcome<()> {
        let asked = self.asked.borrow();
        if self.checked.get() {
            return Ok(());
        }
        match self.of.attribute.iter().find(|a| !asked.contains(a.name.as_str())) {
            Some(unknown) => unsupported(format!("the attribute '{}' is not supported", unknown.name)),
            None => Ok(()),
        }
    }
}

/// An axis counted from the end if negative.
pub(super) fn axis_of(axis: i64, rank: usize) -> Outcome<usize> {
    let wide = i64::try_from(rank).unwrap_or(i64::MAX);
    match usize::try_from(if axis < 0 { axis.saturating_add(wide) } else { axis }) {
        Ok(found) if found < rank => Ok(found),
        _ => invalid(format!("axis {axis} of a tensor of rank {rank}")),
    }
}

/// Axes counted from the end if negative, in ascending order, without repetition.
pub(super) fn axes_of(axes: &[i64], rank: usize) -> Outcome<Vec<usize>> {
    let mut found = axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Outcome<Vec<_>>>()?;
    found.sort_unstable();
    if found.windows(2).any(|pair| pair.first() == pair.last()) {
        return invalid(format!("axes {axes:?} are not distinct"));
    }
    Ok(found)
}
