//! The slot registers of the DPU: which instructions fill them, and which run with their contents.
//!
//! The DPU executes invariants and variants in order, so program order determines what a variant finds.

use std::collections::BTreeMap;

use crate::field::{InstrDesc, Role};
use crate::table::Instr;
use crate::violation::ValidateErrorKind as Kind;

/// How an instruction uses the slots of its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotUse {
    /// Nothing.
    None,
    /// It fills this one.
    Fills(u8),
    /// It runs with the contents of this one.
    Needs(u8),
}

impl Instr {
    /// How it uses the slots of its tile.
    #[must_use]
    pub const fn slot_use(&self) -> SlotUse {
        match (self.desc().role, self.slot()) {
            (Role::Invariant, Some(slot)) => SlotUse::Fills(slot),
            (Role::Variant(_), Some(slot)) => SlotUse::Needs(slot),
            (Role::Control | Role::Invariant | Role::Task | Role::Variant(_), _) => SlotUse::None,
        }
    }
}

/// A task that runs with an invariant.
pub trait Variant {
    /// The invariant's row.
    type Invariant;
    /// That row.
    const INVARIANT: &'static InstrDesc;
    /// The tile and the slot.
    fn place(&self) -> (u8, u8);
    /// The invariant in a slot; `None` if the slot holds another kind.
    fn invariant(held: &Instr) -> Option<&Self::Invariant>;
}

/// The invariants in the slots of all tiles, at the time an instruction is dispatched.
#[derive(Clone, Debug, Default)]
pub struct Slots(BTreeMap<(u8, u8), Instr>);

impl Slots {
    /// Executes `instr`; for a variant, returns the invariant that it runs with.
    ///
    /// # Errors
    /// When a variant's slot is empty or holds the wrong kind.
    pub fn step(&mut self, instr: &Instr) -> Result<Option<&Instr>, Kind> {
        self.fill(instr);
        self.held_by(instr)
    }

    /// Puts an invariant into its slot; other instructions change nothing.
    pub fn fill(&mut self, instr: &Instr) {
        if let SlotUse::Fills(slot) = instr.slot_use() {
            self.0.insert((instr.tile().unwrap_or(0), slot), *instr);
        }
    }

    /// The invariant that an instruction runs with; `None` if it is not a variant.
    ///
    /// # Errors
    /// When the slot is empty or holds the wrong kind.
    pub fn held_by(&self, instr: &Instr) -> Result<Option<&Instr>, Kind> {
        let (Role::Variant(of), SlotUse::Needs(slot)) = (instr.desc().role, instr.slot_use()) else {
            return Ok(None);
        };
        self.get((instr.tile().unwrap_or(0), slot), of).map(Some)
    }

    /// As [`Slots::held_by`], for an instruction known to be a variant.
    ///
    /// # Errors
    /// When the slot is empty or holds the wrong kind.
    pub fn invariant_of<V: Variant>(&self, variant: &V) -> Result<&V::Invariant, Kind> {
        let held = self.get(variant.place(), V::INVARIANT)?;
        V::invariant(held).ok_or_else(|| wrong(variant.place(), held, V::INVARIANT))
    }

    fn get(&self, (tile, slot): (u8, u8), of: &'static InstrDesc) -> Result<&Instr, Kind> {
        match self.0.get(&(tile, slot)) {
            None => Err(Kind::EmptySlot { tile, slot }),
            Some(held) if held.mnemonic() != of.mnemonic => Err(wrong((tile, slot), held, of)),
            Some(held) => Ok(held),
        }
    }
}

fn wrong((tile, slot): (u8, u8), held: &Instr, of: &'static InstrDesc) -> Kind {
    Kind::SlotKind { tile, slot, found: held.mnemonic(), expected: of.mnemonic }
}
