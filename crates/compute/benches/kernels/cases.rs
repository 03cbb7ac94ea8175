//! The operations of a decoder at the shapes of real models.

use std::hint::black_box;

use compute::{
    AttentionShape, Linear, LinearInput, Matrix, Precision, Stream, add_gram,
    causal_attention_batch,
};

use crate::timing::Bench;

/// Inputs and outputs of the layers.
const LAYERS: [(usize, usize); 5] =
    [(576, 576), (576, 1536), (2048, 2048), (2048, 8192), (4096, 11008)];
const TOKENS: usize = 2048;

pub(crate) fn run(bench: &Bench) {
    for precision in [Precision::Bf16, Precision::F32] {
        for (inputs, outputs) in LAYERS {
            linear(bench, TOKENS, (inputs, outputs), precision);
        }
    }
    for precision in [Precision::Bf16, Precision::F32] {
        for rows in [1, 4, 8, 16, 32, 64] {
            linear(bench, rows, (4096, 4096), precision);
        }
    }
    for precision in [Precision::Bf16, Precision::F32] {
        for (heads, kv_heads, head_dim) in [(9, 3, 64), (32, 8, 128)] {
            for (tokens, past) in [(TOKENS, 0), (1, TOKENS - 1)] {
                attention(bench, (heads, kv_heads, head_dim), (tokens, past), precision);
            }
        }
    }
    for precision in [Precision::Bf16, Precision::F32] {
        for width in [576, 1536, 2048, 4096, 8192] {
            gram(bench, width, precision);
        }
    }
}

fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

/// Values in [-0.5, 0.5), rounded as the precision says.
fn random(rows: usize, cols: usize, seed: u64, precision: Precision) -> Matrix {
    let stream = Stream::new(seed, 0);
    let values = (0..rows * cols).map(|index| stream.uniform(index as u64) as f32 - 0.5);
    let mut matrix = Matrix::from_vec(rows, cols, values.collect());
    precision.round_slice(matrix.as_mut_slice());
    matrix
}

fn linear(bench: &Bench, rows: usize, (inputs, outputs): (usize, usize), precision: Precision) {
    let case = format!("linear {} {rows} {inputs}x{outputs}", name(precision));
    if !bench.wants(&case) {
        return;
    }
    let layer = Linear::new(random(outputs, inputs, 1, precision), None, precision);
    let (x, mut y) = (random(rows, inputs, 2, precision), Matrix::default());
    let flops = 2.0 * (rows * inputs * outputs) as f64;
    let width = if precision == Precision::Bf16 { 2.0 } else { 4.0 };
    let bytes = width * (inputs * outputs) as f64;
    let x = LinearInput::pack(x.view(), precision);
    bench.case(&case, flops, bytes, || layer.apply_into(black_box(&x), &mut y));
}

fn attention(
    bench: &Bench,
    (heads, kv_heads, head_dim): (usize, usize, usize),
    (tokens, past): (usize, usize),
    precision: Precision,
) {
    let case =
        format!("attention {} {tokens}+{past} {heads}/{kv_heads}x{head_dim}", name(precision));
    if !bench.wants(&case) {
        return;
    }
    let scale = 1.0 / (head_dim as f32).sqrt();
    let shape = AttentionShape { heads, kv_heads, head_dim, scale };
    let q = random(tokens, shape.query_width(), 3, precision);
    let k = random(tokens + past, shape.kv_width(), 4, precision);
    let v = random(tokens + past, shape.kv_width(), 5, precision);
    let pairs = (tokens * past + tokens * (tokens + 1) / 2) as f64;
    let flops = 4.0 * pairs * shape.query_width() as f64;
    let bytes = 8.0 * ((tokens + past) * shape.kv_width()) as f64;
    bench.case(&case, flops, bytes, || {
        let sequence = compute::Sequence { q: q.view(), k: k.view(), v: v.view() };
        causal_attention_batch(&shape, black_box(&[sequence]), precision).recycle();
    });
}

fn gram(bench: &Bench, width: usize, precision: Precision) {
    let case = format!("gram {} {TOKENS} {width}", name(precision));
    if !bench.wants(&case) {
        return;
    }
    let (x, mut gram) = (random(TOKENS, width, 6, precision), Matrix::zeros(width, width));
    let flops = (TOKENS * width * (width + 1)) as f64;
    bench.case(&case, flops, 4.0 * (width * width) as f64, || {
        add_gram(black_box(x.view()), &mut gram);
    });
}
