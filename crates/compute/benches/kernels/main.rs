//! Times of the kernels: `cargo bench -p secateur-compute --bench kernels [-- OPTIONS] [PART]`.
//!
//! Prints one JSON object per line: the case, the seconds of the fastest of several runs, and the
//! floating-point operations and bytes of weights the case needs at least. `bench/kernels` sets the
//! lines against those of PyTorch in the same run.
//!
//! `PART` leaves out every case whose name does not contain it; `--kernel LEVEL` forces a level;
//! `--single` runs on one thread and, on Linux, counts the time it spent on the processor, so that
//! figures taken on a busy machine mean something.

mod cases;
#[allow(unsafe_code)]
mod peak;
mod timing;

use compute::KernelLevel;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--kernel") {
        let level = arguments[at + 1].parse().expect("a kernel level after --kernel");
        KernelLevel::force(level).expect("a level of this processor");
    }
    if arguments.iter().any(|argument| argument == "--single") {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        pool.build_global().expect("no pool before this one");
    }
    let level = KernelLevel::active().name();
    let part = arguments.last().filter(|last| !last.starts_with("--") && *last != level);
    eprintln!("{level} on {} threads", rayon::current_num_threads());
    let bench = timing::Bench { part: part.cloned() };
    peak::run(&bench);
    cases::run(&bench);
}
