//! Sequences from several sources.

use lm::Observer;

use crate::{
    CalibrationSet, DatasetSettings, Error, FilterSettings, Origin, Packing, Provenance, Recipe,
    Result, SynthesisSettings, Workspace, selection,
};

/// Collects every portion as if it were alone and puts their sequences together, one portion after
/// the other.
pub(crate) fn collect(
    recipe: &Recipe,
    workspace: &Workspace<'_>,
    observer: &dyn Observer,
) -> Result<CalibrationSet> {
    let recipes = recipes(recipe)?;
    let mut parts = Vec::new();
    for one in &recipes {
        observer.note(&format!("{}: {} sequences", one.source, one.count()));
        parts.push(selection::collect(one, workspace, observer)?);
    }
    let mut sequences = Vec::new();
    let mut whole = provenance(recipe, workspace);
    for (part, set) in parts.into_iter().enumerate() {
        sequences.extend(set.sequences);
        let mut told = set.provenance;
        let origin = |origin| Origin::Portion { part, origin: Box::new(origin) };
        whole.origins.extend(std::mem::take(&mut told.origins).into_iter().map(origin));
        whole.documents += told.documents;
        for (filter, count) in &told.dropped {
            *whole.dropped.entry(filter.clone()).or_insert(0) += count;
        }
        let source = &told.recipe.source;
        whole.notes.extend(told.notes.iter().map(|note| format!("{source}: {note}")));
        whole.parts.push(told);
    }
    CalibrationSet::new(sequences, whole)
}

/// Refuses a mixture that contradicts itself; the recipe of every portion.
fn recipes(recipe: &Recipe) -> Result<Vec<Recipe>> {
    let refuse = |problem: String| Err(Error::setting("calibration", problem));
    for (place, portion) in recipe.mixture.iter().enumerate() {
        if recipe.mixture[..place].iter().any(|earlier| earlier.source == portion.source) {
            return refuse(format!(
                "{:?} is named twice, and would be drawn twice alike; add up its numbers",
                portion.source
            ));
        }
    }
    let counts = counts(recipe)?;
    let portions = recipe.mixture.iter().zip(counts);
    let recipes: Vec<Recipe> =
        portions.map(|(portion, n)| part(recipe, &portion.source, n)).collect::<Result<_>>()?;
    let unused = |given: bool, used: &dyn Fn(&Recipe) -> bool| given && !recipes.iter().any(used);
    let synthesis = recipe.synthesis != SynthesisSettings::default();
    let dataset = recipe.dataset != DatasetSettings::default();
    let filters = recipe.filters != FilterSettings::default();
    let idle = [
        (
            unused(synthesis, &|one| one.synthesis == recipe.synthesis),
            "no portion is `self`, and settings of self-generation are given",
        ),
        (
            unused(recipe.packing.is_some(), &|one| one.packing.is_some()),
            "no portion has documents, and a packing is given",
        ),
        (
            unused(dataset, &|one| one.dataset == recipe.dataset),
            "no portion is a hub data set, and settings of one are given",
        ),
        (
            unused(filters, &|one| one.filters == recipe.filters),
            "no portion is filtered, and a filter is given",
        ),
        (
            unused(recipe.field.is_some(), &|one| one.field.is_some()),
            "no portion holds records, and the field of a record is given",
        ),
        (
            unused(recipe.split.is_some(), &|one| one.split.is_some()),
            "no portion is plain text, and how to split it is given",
        ),
        (
            unused(recipe.documents.is_some(), &|one| one.documents.is_some()),
            "no portion is read from files, and a number of documents is given",
        ),
    ];
    if let Some((_, problem)) = idle.iter().find(|(unused, _)| *unused) {
        return refuse((*problem).into());
    }
    Ok(recipes)
}

/// The recipe of one portion.
fn part(recipe: &Recipe, source: &str, samples: usize) -> Result<Recipe> {
    let alone = Recipe {
        source: source.into(),
        samples: Some(samples),
        mixture: Vec::new(),
        ..recipe.clone()
    };
    alone.of_use()
}

/// The number of sequences of every portion.
fn counts(recipe: &Recipe) -> Result<Vec<usize>> {
    let given: usize = recipe.mixture.iter().filter_map(|portion| portion.samples).sum();
    let open = recipe.mixture.iter().filter(|portion| portion.samples.is_none()).count();
    let wrong = |problem: String| Err(Error::setting("samples", problem));
    if open == 0 {
        return match recipe.samples {
            Some(samples) if samples != given => {
                wrong(format!("{samples} found, the portions of the mixture add up to {given}"))
            }
            _ => Ok(recipe.mixture.iter().filter_map(|portion| portion.samples).collect()),
        };
    }
    let samples = recipe.count();
    let left = samples.saturating_sub(given);
    if left < open {
        return wrong(format!(
            "{samples} found: {left} are left for {open} portions without a number of their own"
        ));
    }
    let mut place = 0;
    let count = |samples: Option<usize>| {
        samples.unwrap_or_else(|| {
            place += 1;
            left / open + usize::from(place <= left % open)
        })
    };
    Ok(recipe.mixture.iter().map(|portion| portion.samples).map(count).collect())
}

fn provenance(recipe: &Recipe, workspace: &Workspace<'_>) -> Provenance {
    Provenance {
        packing: recipe.packing.unwrap_or(Packing::Stream),
        separator: "that of each portion".into(),
        special_tokens: "those of each portion".into(),
        ..Provenance::of("mixture", recipe, workspace.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixture(portions: &[&str], samples: Option<usize>) -> Result<Vec<usize>> {
        let portions = portions.iter().map(|text| text.parse()).collect::<Result<Vec<_>>>()?;
        counts(&Recipe { samples, ..Recipe::of_portions(portions) })
    }

    #[test]
    fn numbers_add_up() {
        assert_eq!(mixture(&["a:3", "b:5"], None).unwrap(), [3, 5]);
        assert_eq!(mixture(&["a:3", "b:5"], Some(8)).unwrap(), [3, 5]);
        assert_eq!(mixture(&["a", "b:5", "c"], Some(12)).unwrap(), [4, 5, 3]);
        assert_eq!(mixture(&["a", "b"], None).unwrap(), [64, 64]);
        let wrong = mixture(&["a:3", "b:5"], Some(9)).unwrap_err().to_string();
        assert!(wrong.contains("9 found, the portions of the mixture add up to 8"), "{wrong}");
        assert!(
            mixture(&["a", "b:128"], None).unwrap_err().to_string().contains("0 are left for 1")
        );
    }

    #[test]
    fn what_no_portion_has_a_use_for_is_refused() {
        let of = |sources: &[&str]| {
            let portions = sources.iter().map(|text| text.parse()).collect::<Result<Vec<_>>>();
            Recipe::of_portions(portions.unwrap())
        };
        let given = |sources: &[&str]| {
            let recipe = of(sources);
            let filters = FilterSettings { min_characters: 9, ..FilterSettings::default() };
            [
                (Recipe { filters, ..recipe.clone() }, "filter"),
                (Recipe { field: Some("text".into()), ..recipe.clone() }, "field"),
                (Recipe { split: Some(data::Split::Line), ..recipe.clone() }, "split"),
                (Recipe { documents: Some(3), ..recipe }, "number of documents"),
            ]
        };
        for (recipe, expected) in given(&["random:2", "random-text:3"]) {
            let error = recipes(&recipe).unwrap_err().to_string();
            assert!(error.contains("no portion") && error.contains(expected), "{error}");
        }
        for (recipe, what) in given(&["random:2", "a.jsonl:3", "b.txt:3"]) {
            assert!(recipes(&recipe).is_ok(), "{what}");
        }
    }
}
