//! Studies: many runs that differ in a few options, and what can be said of them together.
//!
//! A [`Grid`] has one axis for every option that varies; a [`Cell`] is one choice on each. What a cell
//! means is its caller's business: [`run`] is given the work and knows nothing of models. Results are
//! kept in a [`Store`] under the digest of everything they depend on, so a study that was interrupted,
//! or that grew, runs what is missing and nothing else; cells do not depend on each other. A
//! [`Summary`] puts cells that differ in their replicate alone (the seed) into one line, with the spread
//! over the replicates and the paired difference from a baseline. [`standings`] orders entries and says
//! which of them the noise of the draw does not tell apart.

mod error;
mod grid;
mod run;
mod standings;
mod store;
mod summary;

pub use error::{Error, Result};
pub use grid::{Axis, Cell, Grid};
pub use run::{Task, run};
pub use standings::{Difference, Standing, standings};
pub use store::{Measures, Outcome, Store};
pub use summary::{Line, Spread, Summary};
