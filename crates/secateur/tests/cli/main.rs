//! The real binary on tiny models.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

mod automatic;
mod calibration;
mod demo;
mod help;
mod interruption;
mod pruning;
mod ranking;
mod real;
mod recipes;
mod refusals;
mod server;
mod studies;
mod support;
mod tasks;
