//! The table a run closes with.

use std::time::Duration;

use prune::Trial;

use crate::measure::{DivergenceFacts, protocol};
use crate::options::MODEL_ITSELF;
use crate::report::{self, Loss, Report};
use crate::terminal::{
    format,
    table::{Table, definitions},
};

/// The report in a few lines: what was lost, what was reached, what it cost, where it is.
pub(super) fn render(report: &Report) -> String {
    let mut parts = vec![done(report)];
    if !report.perplexity.is_empty() {
        parts.push(losses(&report.perplexity));
    }
    parts.extend(report.divergence.as_ref().map(DivergenceFacts::render));
    if !report.trials.is_empty() {
        parts.push(trials(&report.trials));
    }
    parts.extend(report.notes.iter().map(|note| format!("{note}\n")));
    parts.push(facts(report));
    parts.push(next(report));
    parts.join("\n")
}

/// What was done, in a sentence.
fn done(report: &Report) -> String {
    let linears = report.blocks.iter().flat_map(|block| &block.linears);
    let weights = format!(
        "{} of the {} weights of {} linears are zero now, chosen by {}",
        format::count(report.sparsity.linears.zeros),
        format::count(report.sparsity.linears.weights),
        linears.filter(|linear| linear.target.is_some()).count(),
        report.method,
    );
    let shown = report.calibration.as_ref().map(|data| {
        let from = match data.source.as_str() {
            MODEL_ITSELF => "text the model wrote itself",
            file => file,
        };
        format!(", which saw {} sequences of {from}", format::count(data.sequences as u64))
    });
    format!("{weights}{}.\n", shown.unwrap_or_default())
}

fn losses(losses: &[Loss]) -> String {
    let mut table = Table::new(&["perplexity", "dense", "pruned", "change"]);
    for loss in losses {
        let (before, after) = (loss.before.perplexity, loss.after.perplexity);
        table.row([
            loss.file.display().to_string(),
            format::perplexity(before),
            format::perplexity(after),
            format!("{:+.1} %", 100.0 * (after / before - 1.0)),
        ]);
    }
    let first = &losses[0];
    format!("{}{}\n", table.render(), protocol(&first.before, first.dtype))
}

/// What the allocations that were tried came to, the best marked.
fn trials(trials: &[Trial]) -> String {
    let least = trials.iter().filter_map(|trial| trial.divergence).fold(f64::INFINITY, f64::min);
    let mut table = Table::new(&["allocation tried", "divergence", ""]);
    for trial in trials {
        let found = trial.divergence.map(|nats| format!("{nats:.3} nats"));
        let (found, remark) = match (found, &trial.problem) {
            (Some(found), _) => (found, if trial.divergence == Some(least) { "taken" } else { "" }),
            (None, problem) => ("–".to_owned(), problem.as_deref().unwrap_or_default()),
        };
        table.row([trial.allocation.clone(), found, remark.to_owned()]);
    }
    format!("{}mean KL divergence from the dense model on held-out data\n", table.render())
}

fn facts(report: &Report) -> String {
    let sparsity = &report.sparsity;
    let reached = format!(
        "{} of the pruned linears, {} of all weights ({} asked)",
        format::percent(sparsity.achieved),
        format::percent(sparsity.model),
        sparsity.asked
    );
    let time = |seconds: f64| format::duration(Duration::from_secs_f64(seconds));
    let seconds = &report.seconds;
    let spent = format!(
        "{} (calibration {}, pruning {}, evaluation {})",
        time(seconds.total),
        time(seconds.calibration),
        time(seconds.pruning),
        time(seconds.evaluation)
    );
    let peak = report.peak_memory_bytes.map_or("unknown".into(), format::bytes);
    definitions([
        ("zeros", reached.as_str()),
        ("time", spent.as_str()),
        ("peak memory", format!("{peak}, mapped weights included").as_str()),
        ("output", report.output.display().to_string().as_str()),
        ("record", report.output.join(report::FILE).display().to_string().as_str()),
    ])
}

fn next(report: &Report) -> String {
    let output = crate::recipe::quoted(&report.output.display().to_string());
    let mut steps = vec![
        format!("inspect {output}"),
        format!("generate {output} --prompt \"Once upon a time\""),
    ];
    if report.model.name == demo::NAME {
        steps.extend([
            "prune demo -o demo-70 --sparsity 70%                # where it begins to hurt".into(),
            "prune demo -o demo-magnitude --method magnitude     # without calibration data".into(),
            "eval demo demo-70 --divergence novel.txt            # on a text of yours".into(),
            "prune HuggingFaceTB/SmolLM2-135M -o smol-50         # a model from the hub".into(),
        ]);
    }
    let steps: String = steps.iter().map(|step| format!("  secateur {step}\n")).collect();
    format!("next:\n{steps}")
}
