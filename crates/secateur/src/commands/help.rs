//! What the help of each command adds to its options: examples first.

pub(crate) const TOP: &str = "\
Examples:
  secateur prune demo -o demo-50
  secateur prune HuggingFaceTB/SmolLM2-135M -o smol-50 --perplexity wikitext2.txt
  secateur prune model.gguf -o model-2of4 --sparsity 2:4 --calibration c4.jsonl
  secateur inspect smol-50
  secateur generate smol-50 --prompt \"Once upon a time\"

`secateur COMMAND --help` shows a command's options with examples of its own, `secateur list` what
can be chosen from, `secateur explain wanda` what an entry does and costs.

Exit codes: 0 done, 1 the run failed, 2 the input cannot be used, 130 stopped with Ctrl-C.";

pub(crate) const PRUNE: &str = "\
Examples:
  The small model that is part of the program, to see what pruning does:
    secateur prune demo -o demo-50
  Half of the weights, measured on text the model writes itself:
    secateur prune model/ -o model-50
  The same, measured on web text, with what it does to the perplexity:
    secateur prune model/ -o model-50 --calibration c4.jsonl --perplexity wikitext2.txt
  Two of every four weights, all but the first block and every down projection:
    secateur prune model.gguf -o model-2of4 --sparsity 2:4 --skip 0 --skip down_proj
  What would be done, without doing it:
    secateur prune model/ -o model-70 --sparsity 70% --dry-run
  On after a crash or Ctrl-C; every file but report.json comes out as if nothing had happened:
    secateur prune model/ -o model-50 --resume

The output is a Hugging Face folder in the type of the input (bf16 for GGUF) with secateur.json,
which says how it was made, and report.json, which says what it cost and what was lost.";

pub(crate) const CALIBRATE: &str = "\
Examples:
  Text the model writes itself, begun with a few words of each passage of a file:
    secateur calibrate model/ -o own.safetensors --prefixes wikipedia.txt
  128 windows of 2048 tokens of a JSONL file:
    secateur calibrate model/ -o c4.safetensors --calibration c4.jsonl
  Half of it the model's own text, half of it mathematics, nothing of the test set in it:
    secateur calibrate model/ -o mixed.safetensors --calibration self:64 \\
      --calibration gsm8k-train.parquet:64 --packing whole --exclude gsm8k-test.jsonl
  Conversations that an instruction-tuned model makes up:
    secateur calibrate model/ -o chat.safetensors --synthesis chat
  The published C4 draw, number by number:
    secateur calibrate model/ -o c4.safetensors --calibration c4 --packing reference
  Used by a run:
    secateur prune model/ -o model-50 --calibration c4.safetensors

The set holds token ids and where they come from; c4.jsonl beside it shows them as text.";

pub(crate) const RANK: &str = "\
Examples:
  Which of these suits the model best, at the cost of one forward pass each:
    secateur rank model/ --candidate self --candidate c4.jsonl --candidate random \\
      --yardstick wikipedia-heldout.txt --yardstick gsm8k-heldout.jsonl
  The same with three draws of each, so that noise is told from difference:
    secateur rank model/ --candidate self --candidate c4.jsonl --yardstick held-out.txt --seeds 3
  The ways to have the model write, against a mixture and a saved set:
    secateur rank model/ --candidate self/prefix --candidate self/chat \\
      --candidate \"self + c4.jsonl\" --candidate mine.safetensors --yardstick held-out.txt
  The measured damage: prune to 60 % with every draw, compare with the dense model:
    secateur rank model/ --candidate self --candidate c4.jsonl --yardstick held-out.txt \\
      --prune --sparsity 60% --method sparsegpt --report rank.json
  A cheaper look at the damage, four blocks pruned:
    secateur rank model/ --candidate self --candidate c4.jsonl --yardstick held-out.txt \\
      --prune --prune-blocks 4

Every candidate is drawn with the options of its size (--samples, --length) and with those others that
mean something to it. The order is by one score (--by); `secateur list scores` says what each means.
Candidates of one rank are not told apart by the draws that were made.";

pub(crate) const EVAL: &str = "\
Examples:
  secateur eval model/ --perplexity wikitext2.txt
  secateur eval model/ --perplexity a.txt --perplexity b.txt --window 1024 --json
  secateur eval large-model/ --perplexity wikitext2.txt --streamed --memory 8G
  The figures that the field quotes, on local data with the hub's field names:
    secateur eval model/ --tasks commonsense --task-data tasks/
  Five solved examples before every question, drawn as lm-evaluation-harness draws them:
    secateur eval model/ --tasks arc_challenge --shots 5 --task-data tasks/
  Both models, question by question, with confidence intervals, as Markdown:
    secateur eval model/ model-50 --tasks boolq,arc_easy --task-data tasks/ --format markdown
  How far a pruned model is from the dense one, on text the dense one writes (needs no data):
    secateur eval model/ model-50
  The same on a text of yours, with both perplexities:
    secateur eval model/ model-50 --divergence wikitext2.txt --perplexity wikitext2.txt

The text is tokenised once and cut into windows that do not overlap; the tail is dropped; every
token of a window but the first is scored; the perplexity is exp of the mean loss.

A task of your own is a TOML file and named like a task (--tasks colours.toml):
    data = \"colours.jsonl\"          # beside it; also .json, .parquet, .arrow
    context = \"The colour of {thing} is\"
    choices = [\"green\", \"red\"]      # templates too; or the field with the list: \"choices.text\"
    gold = \"label\"                  # the field with the right choice: a number from 0, or its text
  and, where the defaults do not do:
    labels = [\"G\", \"R\"]             # what the gold field says; or the field with the list
    delimiter = \" \"                 # between context and choice
    metrics = [\"acc\", \"acc_norm\"]
    shots = \"examples.jsonl\"        # solved examples for --shots
    sampler = \"first\"               # or drawn, or drawn-apart: never the question itself
    name = \"colours\"
    version = 1";

pub(crate) const STUDY: &str = "\
Examples:
  secateur study study.toml -o results
  secateur study study.toml -o results --format markdown > table.md

A study is a TOML file. [prune] holds what all cells share, by the names of the options of
`secateur prune`; [grid] holds the options that vary, with the values they take. Every combination
is pruned and measured, and the pruned model is deleted:
    [prune]
    model = \"demo\"
    samples = 64
    perplexity = [\"novel.txt\"]
    [grid]
    sparsity = [\"50%\", \"60%\", \"2:4\"]
    method = [\"magnitude\", \"wanda\", \"sparsegpt\"]
    seed = [0, 1, 2, 3, 4]
    [study]
    baseline = { method = \"wanda\" }

Cells that differ in their seed alone are one line of the table: mean ± sample standard deviation.
With a baseline every line is compared with the one that has the baseline's values and is otherwise
the same, seed by seed. Options of calibration data are left out of cells whose method uses none;
such cells run once. Options that mean nothing to a cell's source are left out of it as well. Results
are found again by the options, the model and the version, so a study that was stopped goes on, and
one that grew runs what is new; a data file that was changed needs a new folder.";

pub(crate) const GENERATE: &str = "\
Examples:
  secateur generate model/ --prompt \"Once upon a time\"
  secateur generate model/ --prompt \"2 + 2 =\" --temperature 0 --max-tokens 8
  secateur generate model/ --prompt \"The sea\" --seed 7 --json

The same seed gives the same text, whatever the number of threads.";

pub(crate) const INSPECT: &str = "\
Examples:
  secateur inspect model-50
  secateur inspect model.gguf --check
  secateur inspect model-2of4 --json
  secateur inspect own.safetensors";

pub(crate) const LIST: &str = "\
Examples:
  secateur list
  secateur list methods";

pub(crate) const EXPLAIN: &str = "\
Examples:
  secateur explain wanda
  secateur explain self";

pub(crate) const RUN: &str = "\
Examples:
  Write the options of a command down, change the file as you like, and run it:
    secateur prune model/ -o model-50 --print-recipe > recipe.toml
    secateur run recipe.toml
  One option changed for once (lists such as --skip are added to):
    secateur run recipe.toml --sparsity 60% --output model-60

A recipe is a TOML file with one table named after its command; its keys are the command's options
without their dashes:
    [prune]
    model = \"model/\"
    output = \"model-50\"
    sparsity = \"50%\"
    perplexity = [\"wikitext2.txt\"]";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  secateur completions bash > ~/.local/share/bash-completion/completions/secateur
  secateur completions zsh > ~/.zfunc/_secateur
  secateur completions fish > ~/.config/fish/completions/secateur.fish";
