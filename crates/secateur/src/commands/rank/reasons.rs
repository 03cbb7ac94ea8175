//! Why candidates stand where they do.

use study::{Difference, Spread, Standing};

use super::found::Found;
use super::order::{figure, lower_is_better, measured};
use super::prepared::Prepared;

/// Candidates from which on the best and the worst of a score are named.
const SEVERAL: usize = 3;

/// All candidates, to compare one with.
pub(super) struct Field<'a> {
    pub(super) by: &'a str,
    pub(super) names: &'a [&'a str],
    pub(super) found: &'a [Found],
    pub(super) labels: &'a [String],
}

impl Field<'_> {
    /// Why a candidate stands where it does.
    pub(super) fn reasons(&self, standing: &Standing, first: &Standing) -> Vec<String> {
        let mut reasons = vec![match standing.behind {
            None => self.first(standing),
            Some(behind) => self.behind(behind, first),
        }];
        if self.found.len() < SEVERAL {
            return reasons;
        }
        let on: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        let nearest =
            on.into_iter().filter(|on| self.extreme(standing.entry, self.by, Some(on), true));
        let nearest: Vec<&str> = nearest.collect();
        if !nearest.is_empty() && self.labels.len() > 1 {
            reasons.push(format!("the best on {}", nearest.join(", ")));
        }
        for (best, word) in [(true, "best"), (false, "worst")] {
            let scores = measured(&self.found[standing.entry]).into_iter();
            let scores: Vec<&str> = scores
                .filter(|score| {
                    *score != self.by && self.extreme(standing.entry, score, None, best)
                })
                .collect();
            if !scores.is_empty() {
                reasons.push(format!("the {word} of all by {}", scores.join(", ")));
            }
        }
        reasons
    }

    fn first(&self, standing: &Standing) -> String {
        let word = if lower_is_better(self.by) { "lowest" } else { "highest" };
        let yardsticks = match self.found[standing.entry].values(self.by, Some(&self.labels[0])) {
            [] => String::new(),
            _ if self.labels.len() == 1 => format!(", on {} alone", self.labels[0]),
            _ => format!(", the mean over {} yardsticks", self.labels.len()),
        };
        format!("the {word} {}, {}{yardsticks}", self.by, figure(standing.spread.mean))
    }

    fn behind(&self, behind: Difference, first: &Standing) -> String {
        let word = if behind.spread.mean < 0.0 { "below" } else { "above" };
        let best = self.names[first.entry];
        let size = figure(behind.spread.mean.abs());
        match behind.half_width {
            None => format!("{} {size} {word} that of {best}, one draw of each", self.by),
            Some(half) => {
                let interval = format!("{size} ± {} {word}", figure(half));
                match behind.beyond_noise() {
                    true => format!("{} {interval} that of {best}", self.by),
                    false => format!(
                        "{} {interval} that of {best}, within the noise of the draw",
                        self.by
                    ),
                }
            }
        }
    }

    /// Whether a candidate's mean of a score is the best, or the worst, of all, and no other's equals it.
    fn extreme(&self, entry: usize, score: &str, on: Option<&str>, best: bool) -> bool {
        let mean = |found: &Found| Spread::of(found.values(score, on)).map(|spread| spread.mean);
        let Some(own) = mean(&self.found[entry]) else { return false };
        let others = self.found.iter().enumerate().filter(|(index, _)| *index != entry);
        let low = lower_is_better(score) == best;
        others.filter_map(|(_, found)| mean(found)).all(
            |other| {
                if low { own < other } else { own > other }
            },
        )
    }
}

/// What a reader should know of the whole.
pub(super) fn notes(prepared: &Prepared, found: &[Found]) -> Vec<String> {
    let mut notes = Vec::new();
    if prepared.yardsticks.len() == 1 {
        notes.push(
            "the only yardstick is text that the model wrote itself, which favours the model's own \
             data; name held-out text with --yardstick"
                .into(),
        );
    }
    if prepared.seeds.len() == 1 {
        notes.push(
            "one draw of each: how much of a difference is noise of the draw is not known; --seeds 3 \
             or more tells"
                .into(),
        );
    } else {
        let intervals = format!(
            "± in the table is the sample standard deviation over {} draws; ranks are shared where \
             the 95 % interval of the paired difference (Student's t, not corrected for the number of \
             candidates) holds 0",
            prepared.seeds.len()
        );
        notes.push(intervals);
        let fixed = prepared.candidates.iter().zip(found).filter(|(_, found)| {
            found.draws.windows(2).all(|pair| pair[0].digest == pair[1].digest)
        });
        let fixed: Vec<&str> = fixed.map(|(candidate, _)| candidate.name.as_str()).collect();
        if !fixed.is_empty() {
            let fixed = fixed.join(", ");
            notes.push(format!("the same set at every seed, so of unknown noise: {fixed}"));
        }
    }
    let sizes = || found.iter().flat_map(|found| &found.draws).map(|draw| draw.tokens);
    let (least, most) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
    if least != most {
        notes.push(format!("the sets are of different sizes, {least} to {most} tokens"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use study::standings;

    use super::*;

    fn found(distance: [f64; 2], min_k: f64) -> Found {
        let mut found = Found::default();
        found.push_each("input-distance", &["self".into(), "b.txt".into()], &distance);
        found.push("min-k", min_k);
        found
    }

    #[test]
    fn reasons_name_what_speaks_for_and_against() {
        let found = [found([0.1, 0.3], -1.0), found([0.2, 0.1], -2.0), found([0.5, 0.5], -9.0)];
        let labels = ["self".to_owned(), "b.txt".to_owned()];
        let names = ["one", "two", "three"];
        let field = Field { by: "input-distance", names: &names, found: &found, labels: &labels };
        let values: Vec<Vec<f64>> =
            found.iter().map(|one| one.values("input-distance", None).to_vec()).collect();
        let standings = standings(&values, true);
        let reasons: Vec<Vec<String>> =
            standings.iter().map(|one| field.reasons(one, &standings[0])).collect();
        assert_eq!(
            reasons[0],
            ["the lowest input-distance, 0.1500, the mean over 2 yardsticks", "the best on b.txt",]
        );
        assert_eq!(
            reasons[1],
            [
                "input-distance 0.0500 above that of two, one draw of each",
                "the best on self",
                "the best of all by min-k",
            ]
        );
        assert_eq!(reasons[2][1], "the worst of all by min-k");
    }
}
