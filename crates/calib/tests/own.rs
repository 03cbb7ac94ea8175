//! Texts that a model writes itself.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use calib::{
    CalibrationSet, Error, FilterSettings, Origin, Packing, Recipe, SynthesisSettings, Workspace,
    synthesis,
};
use common::{Bench, recipe, sentences};
use lm::{Observer, Silent};

/// Counts what is generated, keeps notes, cancels after so many tokens.
#[derive(Default)]
struct Watch {
    work: Mutex<Vec<String>>,
    notes: Mutex<Vec<String>>,
    tokens: AtomicU64,
    patience: Option<u64>,
}

impl Observer for Watch {
    fn started(&self, work: &str, _total: u64) {
        self.work.lock().unwrap().push(work.into());
    }
    fn advanced(&self, units: u64) {
        if self.work.lock().unwrap().last().is_some_and(|work| work == "generating") {
            self.tokens.fetch_add(units, Ordering::Relaxed);
        }
    }
    fn finished(&self) {
        self.work.lock().unwrap().pop();
    }
    fn note(&self, note: &str) {
        self.notes.lock().unwrap().push(note.into());
    }
    fn cancelled(&self) -> bool {
        self.patience.is_some_and(|most| self.tokens.load(Ordering::Relaxed) >= most)
    }
}

fn with_prefixes(bench: &Bench) -> Recipe {
    let prefix_file = Some(PathBuf::from(bench.file("prefixes.txt", sentences(40))));
    let synthesis = SynthesisSettings { prefix_file, ..SynthesisSettings::default() };
    Recipe { synthesis, ..recipe("self", 6, 48) }
}

fn collect(
    bench: &Bench,
    recipe: &Recipe,
    cache: &Path,
    watch: &Watch,
) -> Result<CalibrationSet, Error> {
    calib::collect(recipe, &Workspace { cache: Some(cache), ..bench.workspace() }, watch)
}

/// Every file of the cache with its bytes.
fn files(cache: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fs::read_dir(cache.join("calibration")).unwrap().next().unwrap().unwrap().path();
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .map(|path| (path.strip_prefix(&folder).unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_model_writes_from_its_beginning_of_text() {
    let bench = Bench::new();
    let set = bench.collect(&recipe("self", 5, 40)).unwrap();
    assert_eq!((set.sequences.len(), set.length()), (5, Some(40)));
    let provenance = &set.provenance;
    assert_eq!((provenance.source.as_str(), provenance.packing), ("self", Packing::Stream));
    assert_eq!(provenance.model.as_deref(), Some(bench.model.digest(&Silent).unwrap()));
    assert!(provenance.documents >= 7);
    assert_eq!(provenance.dropped.values().sum::<usize>(), provenance.dropped_texts.len());
    assert!(provenance.dropped["perplexity"] >= 1);
    // The beginning-of-text token is context and no part of a window.
    assert!(set.sequences.iter().all(|sequence| sequence[0] != testkit::BOS));
}

#[test]
fn texts_continue_prefixes_of_the_file() {
    let bench = Bench::new();
    let recipe = with_prefixes(&bench);
    let set = bench.collect(&recipe).unwrap();
    let source = bench.encode(&sentences(40));
    let mut seen = std::collections::BTreeSet::new();
    for (sequence, origin) in set.sequences.iter().zip(&set.provenance.origins) {
        let Origin::Generated { pieces } = origin else { panic!("{origin:?}") };
        let mut start = 0;
        for piece in pieces {
            assert_eq!(piece.prefix, 4);
            if piece.offset == 0 && piece.tokens >= 4 {
                let prefix = &sequence[start..start + 4];
                assert!(source.windows(4).any(|window| window == prefix), "{prefix:?}");
                seen.insert(prefix.to_vec());
            }
            start += piece.tokens + 1;
        }
    }
    assert!(seen.len() > 2);
    assert!(set.provenance.text_digest.is_some());
}

#[test]
fn the_same_recipe_gives_the_same_set_and_another_seed_another() {
    let bench = Bench::new();
    let recipe = with_prefixes(&bench);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bench.collect(&recipe).unwrap())
    };
    assert_eq!(on(1), on(4));
    let other = bench.collect(&Recipe { seed: 1, ..recipe.clone() }).unwrap();
    assert_ne!(other.digest(), on(2).digest());
}

#[test]
fn a_finished_set_is_not_written_again() {
    let bench = Bench::new();
    let (recipe, cache) = (with_prefixes(&bench), bench.path("cache"));
    let first = Watch::default();
    let set = collect(&bench, &recipe, &cache, &first).unwrap();
    let notes = first.notes.into_inner().unwrap();
    assert!(
        notes[0]
            .starts_with("the model writes its own calibration data: 8 texts of up to 48 tokens"),
        "{notes:?}"
    );
    let before = files(&cache);
    let again = Watch::default();
    assert_eq!(collect(&bench, &recipe, &cache, &again).unwrap(), set);
    assert_eq!(again.tokens.into_inner(), 0);
    assert!(again.notes.into_inner().unwrap()[0].contains("is used again"));
    assert_eq!(files(&cache), before);
    // Another selection uses the same texts; another seed does not.
    let watch = Watch::default();
    let all = FilterSettings { drop_share: Some(0.0), ..FilterSettings::default() };
    let half = Recipe { samples: Some(4), filters: all, ..recipe.clone() };
    collect(&bench, &half, &cache, &watch).unwrap();
    assert_eq!(watch.tokens.into_inner(), 0);
    let watch = Watch::default();
    collect(&bench, &Recipe { seed: 1, ..recipe }, &cache, &watch).unwrap();
    assert!(watch.tokens.into_inner() > 0);
}

#[test]
fn a_cancelled_run_goes_on_where_it_was_and_ends_with_the_same_bytes() {
    let bench = Bench::new();
    let recipe = Recipe { samples: Some(150), ..with_prefixes(&bench) };
    let whole = bench.path("whole");
    let expected = collect(&bench, &recipe, &whole, &Watch::default()).unwrap();
    let cache = bench.path("cache");
    let mut cancelled = 0;
    let found = loop {
        let watch = Watch { patience: Some(7000), ..Watch::default() };
        match collect(&bench, &recipe, &cache, &watch) {
            Ok(set) => break set,
            Err(Error::Model(lm::Error::Cancelled)) => cancelled += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(cancelled < 20, "texts of earlier runs count");
    };
    assert!(cancelled >= 1);
    assert_eq!(found, expected);
    let sets = |cache: &Path| {
        let all = files(cache).into_iter();
        all.filter(|(name, _)| name.as_os_str() != "texts.jsonl").collect::<Vec<_>>()
    };
    assert_eq!(sets(&cache), sets(&whole));
    assert_eq!(sets(&cache).len(), 2);
    // Every text was written once: the journals hold the same lines in some order.
    let lines = |cache: &Path| {
        let (_, bytes) =
            files(cache).into_iter().find(|(n, _)| n.as_os_str() == "texts.jsonl").unwrap();
        let mut lines: Vec<String> =
            String::from_utf8(bytes).unwrap().lines().map(Into::into).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&cache), lines(&whole));
}

#[test]
fn a_broken_cache_is_named() {
    let bench = Bench::new();
    let (recipe, cache) = (with_prefixes(&bench), bench.path("cache"));
    collect(&bench, &recipe, &cache, &Watch::default()).unwrap();
    let folder = fs::read_dir(cache.join("calibration")).unwrap().next().unwrap().unwrap().path();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            fs::write(&path, b"short").unwrap();
        }
    }
    let found = collect(&bench, &recipe, &cache, &Watch::default()).unwrap_err().to_string();
    assert!(found.contains(folder.to_str().unwrap()), "{found}");
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let bench = Bench::new();
    let good = with_prefixes(&bench);
    let with = |change: &dyn Fn(&mut SynthesisSettings)| {
        let mut recipe = good.clone();
        change(&mut recipe.synthesis);
        bench.refusal(&recipe)
    };
    assert!(with(&|s| s.prefix_tokens = Some(48)).contains("1 to 47 (length − 1) expected, 48"));
    assert!(with(&|s| s.prefix_tokens = Some(0)).starts_with("prefix_tokens: "));
    let cold = lm::generation::Sampling { temperature: -1.0, ..Default::default() };
    assert!(with(&|s| s.sampling = Some(cold.clone())).contains("temperature"));
    assert!(with(&|s| s.temperatures = vec![1.0, -1.0]).contains("temperature"));
    assert!(with(&|s| s.strategy = "dream".into()).contains("known: prefix, bos"));
    assert!(with(&|s| s.strategy = "bos".into()).contains("takes no prefixes"));
    let filtered = |change: &dyn Fn(&mut FilterSettings)| {
        let mut recipe = good.clone();
        change(&mut recipe.filters);
        bench.refusal(&recipe)
    };
    assert!(filtered(&|f| f.drop_share = Some(0.95)).starts_with("drop_share: 0 to 0.9"));
    assert!(filtered(&|f| f.drop_share = Some(f64::NAN)).starts_with("drop_share: "));
    assert!(filtered(&|f| f.repetition.ngram = 0).starts_with("repetition: "));
    assert!(filtered(&|f| f.script = Some("Klingon".into())).starts_with("script: "));
    assert!(filtered(&|f| f.near_share = 0.1).starts_with("near_share: "));
    assert!(with(&|s| s.prefix_file = Some("no/such.txt".into())).starts_with("no/such.txt"));
    let alone = |s: &mut SynthesisSettings| (s.prefix_file, s.prefix_tokens) = (None, Some(4));
    assert!(with(&alone).contains("without prefix_file"));
    let document = Recipe { packing: Some(Packing::Document), ..good.clone() };
    assert!(bench.refusal(&document).starts_with("packing: "));
    let field = Recipe { field: Some("text".into()), ..recipe("self", 2, 32) };
    assert!(bench.refusal(&field).contains("(without prefix_file) has no use for it"));
    let text = bench.file("a.txt", sentences(50));
    let found = bench.refusal(&Recipe { source: text, ..good.clone() });
    assert!(found.starts_with("synthesis: ") && found.contains("has no use for it"), "{found}");
    let short = bench.file("short.txt", "ab");
    assert!(with(&|s| s.prefix_file = Some(short.clone().into())).contains("at least 4 needed"));
}

#[test]
fn too_little_memory_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    let cache = bench.path("cache");
    let workspace = Workspace { memory: Some(10_000), cache: Some(&cache), ..bench.workspace() };
    let error = calib::collect(&with_prefixes(&bench), &workspace, &Silent).unwrap_err();
    assert!(matches!(error, Error::Model(lm::Error::Memory { .. })), "{error}");
}

#[test]
fn a_recipe_survives_json_and_refuses_unknown_fields() {
    let bench = Bench::new();
    let recipe = with_prefixes(&bench);
    let json = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
    assert_eq!(serde_json::from_str::<Recipe>("{}").unwrap(), Recipe::default());
    for wrong in [r#"{"sample": 3}"#, r#"{"synthesis": {"prefixes": 3}}"#] {
        assert!(serde_json::from_str::<Recipe>(wrong).is_err());
    }
}

#[test]
fn every_strategy_and_filter_explains_itself() {
    for entry in synthesis::SYNTHESES {
        assert_eq!(synthesis::find(entry.name()).unwrap().name(), entry.name());
        for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
            assert!(entry.explanation().lines().any(|line| line == heading), "{heading}");
        }
    }
    for filter in calib::filters::FILTERS {
        for heading in ["What it does", "When to use it", "Parameters", "Cost", "Reference"] {
            assert!(filter.explanation().lines().any(|line| line == heading), "{heading}");
        }
    }
}
