//! The zeros of every linear.

use lm::{BlockSpec, Model, Observer};
use prune::Sparsity;
use rayon::prelude::*;
use serde::Serialize;

use super::patterns;
use crate::terminal::{format, table::Table};

/// The zeros of a model.
#[derive(Serialize)]
pub(super) struct Zeros {
    /// The zeros of all weights.
    model_sparsity: Sparsity,
    /// The zeros of the blocks' linears.
    sparsity: Sparsity,
    blocks: Vec<BlockZeros>,
}

#[derive(Serialize)]
struct BlockZeros {
    block: usize,
    sparsity: Sparsity,
    linears: Vec<LinearZeros>,
}

#[derive(Serialize)]
struct LinearZeros {
    /// Its name within the block.
    name: String,
    tensor: String,
    sparsity: Sparsity,
    /// The N:M patterns its zeros obey.
    patterns: Vec<String>,
}

impl Zeros {
    /// Reads every weight.
    ///
    /// # Errors
    /// When a tensor cannot be read, or the user stopped it.
    pub(super) fn count(model: &Model, observer: &dyn Observer) -> anyhow::Result<Self> {
        let spec = model.spec();
        observer.started("counting zeros", spec.blocks.len() as u64);
        let mut blocks = Vec::with_capacity(spec.blocks.len());
        for (index, block) in spec.blocks.iter().enumerate() {
            observer.check()?;
            blocks.push(BlockZeros::count(index, block, model)?);
            observer.advanced(1);
        }
        let others = others(model, observer)?;
        observer.finished();
        let sparsity = sum(blocks.iter().map(|block| block.sparsity));
        Ok(Self { model_sparsity: sparsity.and(others), sparsity, blocks })
    }

    pub(super) fn render(&self) -> String {
        let names = self.blocks.first().map_or_else(Vec::new, BlockZeros::short_names);
        let mut heading = vec!["zeros in block"];
        heading.extend(&names);
        heading.extend(["all", "pattern"]);
        let mut table = Table::new(&heading);
        for block in &self.blocks {
            table.row(block.cells());
        }
        let of = |name: &str, zeros: &Sparsity| {
            let (count, all) = (format::count(zeros.zeros), format::count(zeros.weights));
            format!("{name}: {} zeros, {count} of {all} weights\n", format::percent(zeros.share()))
        };
        let linears = of("linears of the blocks", &self.sparsity);
        format!("{}\n{linears}{}", table.render(), of("whole model", &self.model_sparsity))
    }
}

impl BlockZeros {
    fn count(index: usize, block: &BlockSpec, model: &Model) -> anyhow::Result<Self> {
        let linears: Vec<_> = block.linears().collect();
        let linears = linears.into_par_iter().map(|linear| {
            let store = &model.checkpoint().store;
            let values = store.read(&linear.tensor)?.to_f32();
            store.release(&linear.tensor);
            Ok(LinearZeros {
                name: linear.name.clone(),
                tensor: linear.tensor.clone(),
                sparsity: Sparsity::of(&values),
                patterns: patterns::that_hold(&values, linear.inputs),
            })
        });
        let linears = linears.collect::<anyhow::Result<Vec<_>>>()?;
        let sparsity = sum(linears.iter().map(|linear| linear.sparsity));
        Ok(Self { block: index, sparsity, linears })
    }

    /// `q`, `down` … as the headings of columns.
    fn short_names(&self) -> Vec<&str> {
        let last = self.linears.iter().map(|linear| linear.name.rsplit('.').next());
        last.flatten().map(|name| name.strip_suffix("_proj").unwrap_or(name)).collect()
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.block.to_string()];
        cells.extend(self.linears.iter().map(|linear| format::percent(linear.sparsity.share())));
        cells.push(format::percent(self.sparsity.share()));
        cells.push(self.pattern().unwrap_or("-").to_owned());
        cells
    }

    /// The strictest pattern that every linear with zeros obeys.
    fn pattern(&self) -> Option<&str> {
        let mut pruned = self.linears.iter().filter(|linear| linear.sparsity.zeros > 0);
        let first = pruned.next()?;
        let rest: Vec<_> = pruned.collect();
        let by_all = |pattern: &&String| rest.iter().all(|l| l.patterns.contains(pattern));
        first.patterns.iter().find(by_all).map(String::as_str)
    }
}

/// The zeros of every tensor that is no linear of a block.
fn others(model: &Model, observer: &dyn Observer) -> lm::Result<Sparsity> {
    let store = &model.checkpoint().store;
    let linears: Vec<_> = model.spec().blocks.iter().flat_map(BlockSpec::linears).collect();
    let mut zeros = Sparsity::default();
    for name in store.tensors().keys() {
        observer.check()?;
        if !linears.iter().any(|linear| linear.tensor == *name) {
            zeros = zeros.and(Sparsity::of_tensor(&store.read(name)?));
            store.release(name);
        }
    }
    Ok(zeros)
}

fn sum(parts: impl Iterator<Item = Sparsity>) -> Sparsity {
    parts.fold(Sparsity::default(), Sparsity::and)
}
