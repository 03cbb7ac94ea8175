//! Where the blocks and the head come from.

use compute::awake;

use super::Options;
use crate::{Block, Model, Observer, OutputHead, Result};

/// All blocks loaded, or each when its turn comes.
pub(super) enum Source {
    Resident(Vec<Block>, OutputHead),
    Streamed,
}

impl Source {
    pub(super) fn open(model: &Model, options: &Options, observer: &dyn Observer) -> Result<Self> {
        if options.streamed {
            return Ok(Source::Streamed);
        }
        let head = model.head()?;
        Ok(Source::Resident(model.blocks(observer)?, head))
    }

    /// Runs `step` on block `index`.
    pub(super) fn with_block<T>(
        &self,
        model: &Model,
        index: usize,
        step: impl FnOnce(&Block) -> Result<T>,
    ) -> Result<T> {
        match self {
            Source::Resident(blocks, _) => awake(|| step(&blocks[index])),
            Source::Streamed => {
                let block = model.block(index)?;
                awake(|| step(&block))
            }
        }
    }

    /// Runs `step` on the head.
    pub(super) fn with_head<T>(
        &self,
        model: &Model,
        step: impl FnOnce(&OutputHead) -> Result<T>,
    ) -> Result<T> {
        match self {
            Source::Resident(_, head) => awake(|| step(head)),
            Source::Streamed => {
                let head = model.head()?;
                awake(|| step(&head))
            }
        }
    }
}
