//! The table a run closes with.

use std::time::Duration;

use crate::measure::protocol;
use crate::report::{self, Loss, Report};
use crate::terminal::{
    format,
    table::{Table, definitions},
};

/// The report in a few lines: what was lost, what was reached, what it cost, where it is.
pub(super) fn render(report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.perplexity.is_empty() {
        parts.push(losses(&report.perplexity));
    }
    parts.push(facts(report));
    parts.push(next(report));
    parts.join("\n")
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
    format!(
        "next:\n  secateur inspect {output}\n  secateur generate {output} --prompt \"Once upon a \
         time\"\n"
    )
}
