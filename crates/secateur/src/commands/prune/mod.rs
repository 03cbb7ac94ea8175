//! `secateur prune`: a model in, a pruned model and its report out.

mod closing;
mod finished;
mod held_out;
pub(super) mod plan;
pub(super) mod work;

use lm::Observer;

use crate::failure::Stopped;
use crate::options::PruneOptions;
use crate::recipe::Resolved;
use crate::report::Report;
use crate::{failure, output, terminal};
use plan::Plan;
use work::DensePerplexities;

/// What came of the command.
enum Outcome {
    Planned(Box<Plan>),
    Pruned(Box<Report>),
}

/// Plans, or prunes and reports.
pub(crate) fn run(options: &PruneOptions, resolved: &Resolved) -> anyhow::Result<()> {
    let observer = terminal::observer(options.running.quiet);
    let outcome = carry_out(options, resolved, &*observer);
    drop(observer);
    match outcome {
        Ok(Outcome::Planned(plan)) if options.running.json => output::json(plan.as_ref()),
        Ok(Outcome::Planned(plan)) => output::text(&plan.render()),
        Ok(Outcome::Pruned(report)) if options.running.json => output::json(report.as_ref()),
        Ok(Outcome::Pruned(report)) => output::text(&closing::render(&report)),
        Err(error) if failure::is_cancelled(&error) => {
            Err(Stopped { go_on: resolved.command_line_with("--resume") }.into())
        }
        Err(error) => Err(error),
    }
}

fn carry_out(
    options: &PruneOptions,
    resolved: &Resolved,
    observer: &dyn Observer,
) -> anyhow::Result<Outcome> {
    let prepared = plan::prepare(options, observer)?;
    if options.dry_run {
        return Ok(Outcome::Planned(Box::new(prepared.plan)));
    }
    let mut dense = DensePerplexities::default();
    let report = work::prune(options, resolved, &prepared, &mut dense, observer)?;
    report.save(&options.output)?;
    Ok(Outcome::Pruned(Box::new(report)))
}
