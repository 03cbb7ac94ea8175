//! DSnoT as a method: Wanda's mask, refined.

use compute::Matrix;

use super::{Method, Prepared, PrunedLinear, Room, Target, wanda::Wanda};
use crate::refinements::{self, Exchange, Refinement as _};
use crate::{InputStatistics, Needs, Result, Scope};

/// Begins with Wanda's mask and exchanges weights until the expected outputs are what they were.
pub(super) struct Dsnot;

impl Method for Dsnot {
    fn name(&self) -> &'static str {
        "dsnot"
    }

    fn summary(&self) -> &'static str {
        "Wanda's mask, weights exchanged until each output's mean is what it was; one forward pass"
    }

    fn explanation(&self) -> &'static str {
        refinements::DSNOT_EXPLANATION
    }

    fn needs(&self) -> Needs {
        Wanda.needs().and(refinements::Dsnot.needs())
    }

    fn default_scope(&self) -> Scope {
        Wanda.default_scope()
    }

    fn room(&self) -> Room {
        Wanda.room().and(refinements::Dsnot.room())
    }

    fn prepare<'a>(&self, inputs: &'a InputStatistics) -> Result<Box<dyn Prepared + 'a>> {
        let start = Wanda.prepare(inputs)?;
        Ok(Box::new(Refined { start, exchange: refinements::Dsnot.prepare(inputs)? }))
    }
}

/// The mask to begin with, and what exchanges weights of it.
struct Refined<'a> {
    start: Box<dyn Prepared + 'a>,
    exchange: Box<dyn Exchange + 'a>,
}

impl Prepared for Refined<'_> {
    fn prune(&self, dense: &Matrix, target: Target) -> Result<PrunedLinear> {
        self.exchange.refine(dense, self.start.prune(dense, target)?, target)
    }
}
