//! What the methods take beside the forward pass, on the linears of one block of SmolLM2-135M: random
//! weights, inputs with the spread of sizes that real ones have.
//!
//! `cargo bench -p secateur-prune --bench methods [METHOD …]`: seconds of one block at 50 %; compare
//! with `gram`, the Gram matrices of 16,384 tokens.

use std::time::Instant;

use compute::{Matrix, Stream};
use prune::methods::{METHODS, Prepared as _, Target};
use prune::{InputStatistics, Needs, Recipe};

/// Inputs and the outputs of the linears that share them.
const SITES: [(usize, &[usize]); 4] =
    [(576, &[576, 192, 192]), (576, &[576]), (576, &[1536, 1536]), (1536, &[576])];

const TOKENS: usize = 16_384;
const CHUNK: usize = 2048;

fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let stream = Stream::new(seed, 0);
    let value = |index: usize| stream.uniform(index as u64) as f32 - 0.5;
    Matrix::from_vec(rows, cols, (0..rows * cols).map(value).collect())
}

/// Inputs that depend on one another and differ in size.
fn inputs(width: usize) -> Matrix {
    let mut x = random(CHUNK, width, width as u64);
    for row in x.as_mut_slice().chunks_mut(width) {
        for column in 1..width {
            row[column] =
                (row[column] + 0.7 * row[column - 1]) * (1.0 + (column % 13) as f32 / 6.0);
            row[column] = row[column].clamp(-3.0, 3.0);
        }
    }
    x
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let begun = Instant::now();
    let sites: Vec<InputStatistics> = SITES.iter().map(|(width, _)| statistics(*width)).collect();
    println!("{:30} {:8.3} s", "gram", begun.elapsed().as_secs_f64());
    for method in METHODS.iter().map(|method| method.name()) {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == method) {
            continue;
        }
        for (refine, refit) in [(None, false), (None, true), (Some("swaps"), false)] {
            let recipe = Recipe {
                method: method.into(),
                refine: refine.map(Into::into),
                refit,
                ..Recipe::default()
            };
            time(&recipe, &sites);
        }
    }
}

fn statistics(width: usize) -> InputStatistics {
    let x = inputs(width);
    let mut statistics = InputStatistics::new(width, Needs::EVERYTHING);
    (0..TOKENS / CHUNK).for_each(|_| statistics.add(x.view(), 1));
    statistics
}

/// Prints the seconds that the steps of `recipe` take for one block.
fn time(recipe: &Recipe, sites: &[InputStatistics]) {
    let steps = recipe.steps().expect("registered names");
    let scope = recipe.method().expect("a registered name").default_scope();
    let target = Target { pattern: recipe.sparsity, scope };
    let (mut preparing, mut pruning) = (0.0, 0.0);
    for ((width, outputs), statistics) in SITES.iter().zip(sites) {
        let begun = Instant::now();
        let prepared = steps.prepare(statistics).expect("statistics that serve");
        preparing += begun.elapsed().as_secs_f64();
        for output in *outputs {
            let dense = random(*output, *width, 1);
            let begun = Instant::now();
            prepared.prune(&dense, target).expect("weights that serve");
            pruning += begun.elapsed().as_secs_f64();
        }
    }
    let total = preparing + pruning;
    let name = steps.to_string();
    println!("{name:30} {total:8.3} s: {preparing:.3} for the sites, {pruning:.3} for the linears");
}
