//! Times of the kernels: `cargo bench -p secateur-compute --bench kernels [-- OPTIONS]`.
//!
//! `--kernel LEVEL` forces a level; `--quick` leaves out the widest layer,
//! `--attention` all of them; `--single` runs on one
//! thread and, on Linux, counts the time it spent on the processor, so that figures taken on a
//! busy machine mean something.
//!
//! Prints the best of several runs, in GFLOP/s for products and attention and in GB/s of weights
//! or keys and values where a product is bound by memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use compute::{
    AttentionShape, KernelLevel, Linear, Matrix, MatrixRef, Precision, Stream, causal_attention,
};

const SHAPES: [(usize, usize); 4] = [(576, 576), (576, 1536), (1536, 576), (576, 49152)];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let shapes = if given("--attention") {
        0
    } else if given("--quick") {
        3
    } else {
        4
    };
    if let Some(at) = arguments.iter().position(|argument| argument == "--kernel") {
        let level = arguments[at + 1].parse().expect("a kernel level after --kernel");
        KernelLevel::force(level).expect("a level of this processor");
    }
    if given("--single") {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        pool.build_global().expect("no pool before this one");
    }
    println!("{} on {} threads", KernelLevel::active(), rayon::current_num_threads());
    for precision in [Precision::F32, Precision::Bf16] {
        println!("{precision:?}");
        for (inputs, outputs) in SHAPES.into_iter().take(shapes) {
            linear(inputs, outputs, precision);
        }
        attention(precision);
    }
}

/// Values in [-0.5, 0.5).
fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let stream = Stream::new(seed, 0);
    let values = (0..rows * cols).map(|index| stream.uniform(index as u64) as f32 - 0.5);
    Matrix::from_vec(rows, cols, values.collect())
}

/// Seconds per run: the shortest of those that fit in a quarter of a second, or on a single thread
/// the mean of the time spent on the processor.
fn best(mut work: impl FnMut()) -> f64 {
    work();
    let (start, spent) = (Instant::now(), processor_time());
    let (mut best, mut runs) = (f64::INFINITY, 0);
    while runs < 3 || start.elapsed() < Duration::from_millis(250) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    match (spent, processor_time()) {
        (Some(before), Some(after)) => (after - before).as_secs_f64() / f64::from(runs),
        _ => best,
    }
}

/// Time this thread has spent on the processor, where it is the only one and the system tells.
fn processor_time() -> Option<Duration> {
    if rayon::current_num_threads() > 1 {
        return None;
    }
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn linear(inputs: usize, outputs: usize, precision: Precision) {
    let layer = Linear::new(random(outputs, inputs, 1), None, precision);
    let bytes = match precision {
        Precision::F32 => 4.0,
        Precision::Bf16 => 2.0,
    } * (inputs * outputs) as f64;
    for rows in [1, 8, 64, 2048] {
        let (x, mut y) = (random(rows, inputs, 2), Matrix::default());
        let time = best(|| layer.apply_into(black_box(x.view()), &mut y));
        let flops = 2.0 * (rows * inputs * outputs) as f64;
        println!(
            "  linear {rows:5} x {inputs:5} -> {outputs:5}: {:9.3} ms {:7.1} GFLOP/s {:6.1} GB/s",
            time * 1e3,
            flops / time / 1e9,
            bytes / time / 1e9
        );
    }
}

fn attention(precision: Precision) {
    let shape = AttentionShape { heads: 9, kv_heads: 3, head_dim: 64, scale: 0.125 };
    for (tokens, past) in [(2048, 0), (128, 0), (1, 2047), (1, 16383)] {
        let mut q = random(tokens, shape.query_width(), 3);
        let mut k = random(tokens + past, shape.kv_width(), 4);
        let mut v = random(tokens + past, shape.kv_width(), 5);
        for matrix in [&mut q, &mut k, &mut v] {
            precision.round_slice(matrix.as_mut_slice());
        }
        let run = |q: MatrixRef<'_>| {
            black_box(causal_attention(&shape, q, k.view(), v.view(), precision));
        };
        let time = best(|| run(black_box(q.view())));
        let pairs = (tokens * past + tokens * (tokens + 1) / 2) as f64;
        let flops = 4.0 * pairs * shape.query_width() as f64;
        let bytes = 8.0 * ((tokens + past) * shape.kv_width()) as f64;
        println!(
            "  attention {tokens:5} after {past:5}: {:9.3} ms {:7.1} GFLOP/s {:6.1} GB/s",
            time * 1e3,
            flops / time / 1e9,
            bytes / time / 1e9
        );
    }
}
