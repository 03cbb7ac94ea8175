//! Recipes through the real binary.

use std::fs;

use crate::support::Bench;

const LINE: &str = "dense -o out --sparsity 2:4 --calibration text.txt --samples 4 --length 32 \
                    --skip 0 --skip down_proj --perplexity text.txt --window 64 --threads 1";

#[test]
fn a_printed_recipe_is_accepted_and_prints_itself() {
    let bench = Bench::new();
    let printed = bench.run(&format!("prune {LINE} --print-recipe")).succeeded().stdout();
    insta::assert_snapshot!("recipe", printed);
    fs::write(bench.path("recipe.toml"), &printed).unwrap();
    let again = bench.run("run recipe.toml --print-recipe").succeeded().stdout();
    assert_eq!(printed, again);
    assert!(!bench.path("out").exists(), "printing does nothing");
}

#[test]
fn a_recipe_does_what_the_command_line_does() {
    let bench = Bench::new();
    bench.run(&format!("prune {LINE}")).succeeded();
    let recipe = bench.run(&format!("prune {LINE} --print-recipe")).succeeded().stdout();
    fs::write(bench.path("recipe.toml"), recipe).unwrap();
    bench.run("run recipe.toml --output other").succeeded();
    let same = |name: &str| {
        let [one, other] =
            ["out", "other"].map(|out| fs::read(bench.path(out).join(name)).unwrap());
        assert!(one == other, "{name}");
    };
    same("model.safetensors");
    same("secateur.json");
}

#[test]
fn wrong_recipes_are_refused() {
    let bench = Bench::new();
    for (name, recipe) in [
        ("unknown-key", "[prune]\nmodel = \"dense\"\noutput = \"out\"\nsparsty = 0.5\n"),
        ("unknown-command", "[prnue]\nmodel = \"dense\"\n"),
        ("bad-value", "[prune]\nmodel = \"dense\"\noutput = \"out\"\nsparsity = 1.5\n"),
        ("missing-key", "[prune]\nmodel = \"dense\"\n"),
        ("not-toml", "prune model\n"),
    ] {
        fs::write(bench.path("recipe.toml"), recipe).unwrap();
        let run = bench.run("run recipe.toml").refused();
        insta::assert_snapshot!(format!("recipe-{name}"), run.stderr());
    }
    let absent = bench.run("run absent.toml").refused();
    insta::assert_snapshot!("recipe-absent", absent.stderr());
}
