//! Cuts of vector-engine layers and transpositions: boxes of elements over the dimensions that remain after merging those that
//! are contiguous for all operands.

use serde::{Deserialize, Serialize};

use crate::draft::MAX_TASKS;
use crate::error::PlanError;

/// The cut of a layer of the vector engine, or of a transposition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutStrategy {
    /// The engine that moves the elements.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<By>,
    /// Extents of the layer; a layer with others is refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over: Option<Vec<u64>>,
    /// Extents of all tiles except the last ones; none if a DMA engine moves everything at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tile: Option<Vec<u64>>,
}

/// The engine that computes or moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The vector engine, tile by tile through the SRAM.
    Vec,
    /// A DMA engine, without tiles.
    Dma,
}

impl CutStrategy {
    /// A cut by the vector engine.
    pub(crate) fn vec(over: &[u64], tile: Vec<u64>) -> Self {
        CutStrategy { by: Some(By::Vec), over: Some(over.to_vec()), tile: Some(tile) }
    }

    /// A transposition without a cut.
    pub(crate) fn dma(over: &[u64]) -> Self {
        CutStrategy { by: Some(By::Dma), over: Some(over.to_vec()), tile: None }
    }

    /// The tile given for a layer of these extents, if any.
    ///
    /// # Errors
    /// Refused: another layer's extents, a tile that is not a box in them, or one that makes too many tiles.
    pub(crate) fn tile(&self, over: &[u64]) -> Result<Option<Vec<u64>>, PlanError> {
        if let Some(told) = self.over.as_ref().filter(|told| *told != over) {
            return Err(PlanError::refused(format!("the layer is cut over {over:?}, not {told:?}")));
        }
        let Some(tile) = &self.tile else { return Ok(None) };
        if self.by == Some(By::Dma) {
            return Err(PlanError::refused("tile is not allowed with by = dma"));
        }
        let inside = tile.iter().zip(over).all(|(&t, &most)| (1..=most).contains(&t));
        if tile.len() != over.len() || !inside {
            return Err(PlanError::refused(format!("tile is {tile:?}: must be 1 to {over:?}")));
        }
        let tiles = tile.iter().zip(over).fold(1u64, |n, (&t, &most)| n.saturating_mul(most.div_ceil(t)));
        // Loads, computation and store of each.
        if tiles.saturating_mul(5) > MAX_TASKS as u64 {
            let most = MAX_TASKS / 5;
            return Err(PlanError::refused(format!("tile is {tile:?}: makes {tiles} tiles, at most {most}")));
        }
        Ok(Some(tile.clone()))
    }

    /// Refuses a tile that exceeds the available SRAM.
    ///
    /// # Errors
    /// Refused, with both sizes.
    pub(crate) fn check_bytes(tile: &[u64], need: u64, sram: u64) -> Result<(), PlanError> {
        if need <= sram {
            return Ok(());
        }
        let what = format!("tile is {tile:?}: needs {need} bytes of SRAM, resident tensors leave {sram}");
        Err(PlanError::refused(what))
    }

    /// Refuses a DMA engine for layers that only the vector engine supports.
    ///
    /// # Errors
    /// Refused.
    pub(crate) fn check_vec(&self) -> Result<(), PlanError> {
        match self.by {
            Some(By::Dma) => Err(PlanError::refused("by is dma: must be vec except for transpositions")),
            Some(By::Vec) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(over: Option<&[u64]>, tile: &[u64]) -> Result<Option<Vec<u64>>, String> {
        let cut = CutStrategy { by: None, over: over.map(<[u64]>::to_vec), tile: Some(tile.to_vec()) };
        cut.tile(&[2000, 1000]).map_err(|e| e.to_string())
    }

    #[test]
    fn tiles_are_boxes_within_the_layer() {
        assert_eq!(told(Some(&[2000, 1000]), &[1, 500]), Ok(Some(vec![1, 500])));
        for (over, tile, expected) in [
            (Some([2000, 999].as_slice()), [1, 1].as_slice(), "cut over [2000, 1000], not [2000, 999]"),
            (None, &[2000], "must be 1 to [2000, 1000]"),
            (None, &[0, 1000], "must be 1 to [2000, 1000]"),
            (None, &[1, u64::MAX], "must be 1 to [2000, 1000]"),
            (None, &[1, 1], "makes 2000000 tiles, at most 800000"),
        ] {
            let error = told(over, tile).unwrap_err();
            assert!(error.starts_with("strategy: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_a_dma_engine_moves_has_no_tile() {
        let cut = CutStrategy { by: Some(By::Dma), over: None, tile: Some(vec![1]) };
        assert!(cut.tile(&[4]).is_err() && cut.check_vec().is_err());
        assert_eq!(CutStrategy::dma(&[4]).tile(&[4]), Ok(None));
    }
}
