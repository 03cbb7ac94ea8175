//! Matrices on the processor and the dozen operations a decoder needs.
//!
//! Every operation runs on the current rayon pool and gives the same bits whatever the number of
//! threads and whatever the batch a row was computed in: each output element is one sum in one
//! fixed order. This is the only crate of the workspace that holds `unsafe` code.

mod activation;
mod attention;
mod awake;
mod columns;
mod divergence;
mod eigen;
mod exponential;
mod factor;
mod gram;
mod groups;
mod input;
#[allow(unsafe_code)]
mod kernels;
mod level;
mod linear;
mod log_moments;
mod log_softmax;
mod log_sum;
mod mapped;
mod matrix;
mod mersenne;
mod multiply;
mod norm;
mod pages;
mod partition;
mod pool;
mod precision;
mod product;
mod random;
mod rope;
mod scan;
mod select;
mod steps;
mod sums;
mod symmetric;
#[cfg(test)]
mod testing;

pub use activation::Activation;
pub use attention::{
    AttentionShape, CachedSequence, KeyValueCache, Sequence, attention_received, causal_attention,
    causal_attention_batch, causal_attention_cached,
};
pub use awake::awake;
pub use columns::{add_squared_column_norms, add_squared_input_norms};
pub use divergence::{SoftmaxDivergence, softmax_divergence};
pub use eigen::eigenvalues;
pub use factor::inverse_factor;
pub use gram::add_gram;
pub use groups::{mark_least_of_groups, mark_smallest_of_groups};
pub use input::LinearInput;
pub use level::{KernelError, KernelLevel};
pub use linear::Linear;
pub use log_moments::{LogMoments, log_moments};
pub use log_softmax::{LogProbability, log_softmax};
pub use log_sum::{largest, log_sum_exp};
pub use mapped::MappedFile;
pub use matrix::{Matrix, MatrixRef};
pub use mersenne::Mersenne;
pub use multiply::Multiplier;
pub use norm::{add_rms_norm, rms_norm};
pub use partition::{mark_least_of_many, mark_smallest_of_many};
pub use precision::{Precision, narrow, widen};
pub use product::subtract_product;
pub use random::{Stream, mix};
pub use rope::Rope;
pub use scan::{count_non_finite, first_non_finite};
pub use select::{mark_smallest, select_smallest};
pub use steps::{ConjugateRow, add_by_mask, dot, scale_by_mask_and_add};
pub use sums::add_column_sums;
pub use symmetric::{mirror_lower, symmetric_inverse};
