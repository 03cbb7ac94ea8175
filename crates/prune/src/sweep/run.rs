//! The state of a sweep between two blocks.

use calib::CalibrationSet;
use compute::{Linear, awake};
use lm::checkpoint::CheckpointWriter;
use lm::{Frame, Model, Observer};

use super::activations::Activations;
use super::linears::{prune_stage, written_linear};
use super::memory::Holding;
use super::{BlockReport, Job, LinearReport, Plan};
use crate::{Error, InputStatistics, Needs, Propagation, Result, Steps, TokenWeights};

/// A sweep under way.
pub(super) struct Run<'a> {
    model: &'a Model,
    steps: Steps,
    propagation: Propagation,
    token_weights: TokenWeights,
    plan: &'a Plan,
    writer: &'a CheckpointWriter,
    /// Nothing where no step needs statistics: then no forward pass runs.
    activations: Option<Activations>,
    holding: Holding,
}

/// The linears of a block so far, and what was done to them.
#[derive(Default)]
struct Done {
    stages: Vec<Vec<Linear>>,
    reports: Vec<LinearReport>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        job: &Job<'a>,
        plan: &'a Plan,
        calibration: Option<&CalibrationSet>,
        writer: &'a CheckpointWriter,
        holding: Holding,
    ) -> Result<Self> {
        let sequences = calibration.map(|set| set.sequences.as_slice());
        Ok(Self {
            model: job.model,
            steps: job.recipe.steps()?,
            propagation: job.recipe.propagation,
            token_weights: job.recipe.token_weights,
            plan,
            writer,
            holding,
            activations: sequences.map(|all| Activations::embed(job.model, all)).transpose()?,
        })
    }

    /// Prunes block `block` and runs it on.
    pub(super) fn prune(&mut self, block: usize, observer: &dyn Observer) -> Result<BlockReport> {
        let frame = self.model.frame(block)?;
        let mut activations = self.activations.take();
        if let Some(activations) = &mut activations {
            self.weigh_tokens(&frame, activations, observer)?;
        }
        let done = match (&mut activations, self.propagation) {
            (None, _) => self.prune_blind(block, &frame)?,
            (Some(activations), Propagation::Staged) => {
                self.prune_staged(block, &frame, activations, observer)?
            }
            (Some(activations), Propagation::Reference) => {
                self.prune_reference(block, &frame, activations, observer)?
            }
        };
        self.activations = activations;
        Ok(BlockReport { block, linears: done.reports })
    }

    /// Runs block `block` as an earlier, killed run wrote it.
    pub(super) fn replay(&mut self, block: usize, observer: &dyn Observer) -> Result<()> {
        let Some(activations) = &mut self.activations else { return Ok(()) };
        let frame = self.model.frame(block)?;
        let linear = |spec: &lm::LinearSpec| written_linear(self.model, self.writer, spec);
        let stage = |stage: &lm::Stage| stage.linears.iter().map(linear).collect();
        let linears = frame.spec().stages.iter().map(stage).collect::<Result<Vec<_>>>()?;
        activations.advance(&frame, &linears, observer)
    }

    /// Gives every token its weight in the statistics of the block.
    fn weigh_tokens(
        &self,
        frame: &Frame,
        activations: &mut Activations,
        observer: &dyn Observer,
    ) -> Result<()> {
        match self.token_weights {
            TokenWeights::Uniform => {}
            TokenWeights::First { tokens } => activations.count_first(tokens),
            TokenWeights::Attention { least } => {
                let linears = frame.spec().stages[0].linears.iter();
                let dense = linears.map(|linear| self.model.linear(linear));
                let dense = dense.collect::<lm::Result<Vec<_>>>()?;
                activations.count_by_attention(frame, &dense, least, observer)?;
            }
        }
        Ok(())
    }

    /// Every linear without statistics and without running anything.
    fn prune_blind(&self, block: usize, frame: &Frame) -> Result<Done> {
        let mut done = Done::default();
        for stage in 0..frame.spec().stages.len() {
            self.prune_stage(
                block,
                frame,
                stage,
                &InputStatistics::new(0, Needs::NOTHING),
                &mut done,
            )?;
            done.stages.clear();
        }
        Ok(done)
    }

    /// One pass: each stage is measured, pruned and run on, already pruned.
    fn prune_staged(
        &self,
        block: usize,
        frame: &Frame,
        activations: &mut Activations,
        observer: &dyn Observer,
    ) -> Result<Done> {
        let mut done = Done::default();
        let stages = frame.spec().stages.len();
        let (needs, mut ahead) = (self.plan.needs, None);
        for stage in 0..stages {
            let statistics = match ahead.take() {
                Some(statistics) => statistics,
                None => {
                    // the pruned stages between where the activations stand and this one
                    let between = &done.stages[activations.stage()..stage];
                    activations.measure(frame, between, needs, observer)?
                }
            };
            self.prune_stage(block, frame, stage, &statistics, &mut done)?;
            drop(statistics);
            let last = stage + 1 == stages;
            if last && block + 1 == self.plan.blocks.len() {
                break; // nothing follows that the model's last activations could serve
            }
            if !last && !self.holding.holds(frame.spec(), stage + 1) {
                continue;
            }
            let linears = &done.stages[activations.stage()..];
            if last {
                activations.advance(frame, linears, observer)?;
            } else {
                let measured = activations.advance_and_measure(frame, linears, needs, observer)?;
                ahead = Some(measured);
            }
            done.stages.iter_mut().for_each(Vec::clear);
        }
        Ok(done)
    }

    /// Two passes: statistics of the dense block, then the pruned block runs.
    fn prune_reference(
        &self,
        block: usize,
        frame: &Frame,
        activations: &mut Activations,
        observer: &dyn Observer,
    ) -> Result<Done> {
        let dense = self.model.block(block)?;
        let statistics =
            activations.measure_block(frame, dense.stages(), self.plan.needs, observer)?;
        drop(dense);
        let mut done = Done::default();
        for (stage, statistics) in statistics.iter().enumerate() {
            self.prune_stage(block, frame, stage, statistics, &mut done)?;
        }
        if block + 1 < self.plan.blocks.len() {
            activations.advance(frame, &done.stages, observer)?;
        }
        Ok(done)
    }

    /// Prunes and writes the linears of one stage.
    fn prune_stage(
        &self,
        block: usize,
        frame: &Frame,
        stage: usize,
        statistics: &InputStatistics,
        done: &mut Done,
    ) -> Result<()> {
        let spec = &frame.spec().stages[stage];
        if let Some(input) = statistics.first_non_finite() {
            return Err(Error::Activations { block, site: spec.site, input });
        }
        let place = |error| Error::at(block, spec.site, error);
        let prepared = awake(|| self.steps.prepare(statistics)).map_err(place)?;
        let targets = &self.plan.blocks[block][stage];
        let (linears, reports) =
            prune_stage(self.model, self.writer, &spec.linears, targets, &prepared)?;
        done.stages.push(linears);
        done.reports.extend(reports);
        Ok(())
    }
}
