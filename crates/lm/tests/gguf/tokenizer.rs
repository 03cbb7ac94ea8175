//! Tokenizers rebuilt from metadata.

use lm::Checkpoint;
use lm::checkpoint::{CheckpointWriter, Content};
use serde_json::{Value, json};

use super::tiny::{self, refused_naming};
use super::writer::{File, Meta};

fn tiny_set(pairs: &[(&str, Meta)]) -> File {
    let mut file = tiny::file();
    for (key, value) in pairs {
        file.set(&format!("tokenizer.{key}"), value.clone());
    }
    file
}

fn opened(file: &File) -> Checkpoint {
    tiny::open(&file.bytes()).unwrap()
}

fn companion(checkpoint: &Checkpoint, name: &str) -> Value {
    let file = checkpoint.companions.iter().find(|file| file.name == name).unwrap();
    let Content::Bytes(bytes) = &file.content else { panic!("made up, not copied") };
    serde_json::from_slice(bytes).unwrap()
}

fn text(value: &str) -> Meta {
    Meta::Text(value.into())
}

/// The pieces into which rule `pre` splits `input`, seen through a vocabulary without merges
/// across pieces: the token texts.
fn pieces(pre: &str, merges: &[&str], input: &str) -> Vec<String> {
    let mut tokens = tiny::tokens();
    let merges: Vec<String> = merges.iter().map(|merge| (*merge).to_owned()).collect();
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    let mut file = tiny_set(&[("ggml.pre", text(pre)), ("ggml.merges", Meta::Texts(merges))]);
    tiny::counted(&mut file, "token_embd.weight", &[tokens.len() as u64, tiny::HIDDEN]);
    file.set("tokenizer.ggml.tokens", Meta::Texts(tokens.clone()));
    file.unset("tokenizer.ggml.token_type");
    let ids = opened(&file).tokenizer.encode(input, false).unwrap();
    ids.into_iter().map(|id| tokens[id as usize].clone()).collect()
}

#[test]
fn byte_level_texts_merge_and_come_back() {
    let tokenizer = opened(&tiny::file()).tokenizer;
    let the = tiny::tokens().iter().position(|token| token == "the").unwrap() as u32;
    assert_eq!(tokenizer.encode("the", false).unwrap(), [the]);
    for text in ["the other\n\n  day", "naïve 日本語 😀\t\r\n", "", " x "] {
        let ids = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
    }
}

#[test]
fn each_rule_splits_numbers_its_own_way() {
    let merges = ["1 2", "12 3", "123 4"];
    assert_eq!(pieces("gpt-2", &merges, "1234"), ["1234"]);
    assert_eq!(pieces("llama-bpe", &merges, "1234"), ["123", "4"]);
    assert_eq!(pieces("default", &merges, "1234"), ["123", "4"]);
    for rule in ["smollm", "qwen2"] {
        assert_eq!(pieces(rule, &merges, "1234"), ["1", "2", "3", "4"], "{rule}");
    }
}

#[test]
fn rules_differ_in_capitals_and_line_ends() {
    let merges = ["' S", "! Ċ"];
    assert_eq!(pieces("gpt-2", &merges, "x'S"), ["x", "'", "S"]);
    assert_eq!(pieces("llama-bpe", &merges, "x'S"), ["x", "'S"]);
    assert_eq!(pieces("gpt-2", &merges, "!\n"), ["!", "Ċ"]);
    assert_eq!(pieces("qwen2", &merges, "!\n"), ["!Ċ"]);
}

#[test]
fn special_tokens_are_found_whole_and_left_out_of_texts() {
    let tokenizer = opened(&tiny::file()).tokenizer;
    let [bos, end, turn] = [256 + 2, 256 + 3, 256 + 4];
    assert_eq!((tokenizer.bos, &tokenizer.eos[..]), (Some(bos), &[end][..]));
    assert_eq!(tokenizer.encode("<|turn|></s>", false).unwrap(), [turn, end]);
    assert_eq!(tokenizer.decode(&[turn, end], false).unwrap(), "");
    assert_eq!(tokenizer.decode(&[turn, end], true).unwrap(), "<|turn|></s>");
}

#[test]
fn wanted_tokens_are_put_around_texts() {
    let ids =
        |pairs: &[(&str, Meta)]| opened(&tiny_set(pairs)).tokenizer.encode("the", true).unwrap();
    let (add_bos, add_eos) = ("ggml.add_bos_token", "ggml.add_eos_token");
    assert_eq!(ids(&[]), [257]);
    assert_eq!(ids(&[(add_bos, Meta::Bool(true))]), [258, 257]);
    let both = [(add_bos, Meta::Bool(true)), (add_eos, Meta::Bool(true))];
    assert_eq!(ids(&both), [258, 257, 259]);
    assert_eq!(ids(&[("ggml.pre", text("llama-bpe"))]), [258, 257]);
    let off = [("ggml.pre", text("llama-bpe")), (add_bos, Meta::Bool(false))];
    assert_eq!(ids(&off), [257]);
}

#[test]
fn the_folder_gets_the_files_transformers_reads() {
    let pairs = [
        ("chat_template", text("{{ messages }}")),
        ("ggml.eot_token_id", Meta::U32(260)),
        ("ggml.padding_token_id", Meta::U32(259)),
        ("ggml.add_bos_token", Meta::Bool(true)),
    ];
    let checkpoint = opened(&tiny_set(&pairs));
    assert_eq!(checkpoint.tokenizer.chat_template.as_deref(), Some("{{ messages }}"));
    assert_eq!(checkpoint.tokenizer.eos, [259, 260]);
    let config = companion(&checkpoint, "tokenizer_config.json");
    assert_eq!((&config["bos_token"], &config["pad_token"]), (&json!("<s>"), &json!("</s>")));
    assert_eq!(config["chat_template"], "{{ messages }}");
    assert_eq!((&config["add_bos_token"], &config["add_eos_token"]), (&json!(true), &json!(false)));
    assert_eq!(companion(&checkpoint, "special_tokens_map.json")["eos_token"], "</s>");
    assert_eq!(companion(&checkpoint, "generation_config.json")["eos_token_id"], json!([259, 260]));
    let definition = companion(&checkpoint, "tokenizer.json").to_string();
    let again = lm::Tokenizer::from_json(definition.as_bytes(), None, vec![]).unwrap();
    assert_eq!(again.encode("the", true).unwrap(), [258, 257]);
}

#[test]
fn several_chat_templates_are_carried_over() {
    let pairs = [
        ("chat_template", text("one")),
        ("chat_templates", Meta::Texts(vec!["default".into(), "tool_use".into()])),
        ("chat_template.tool_use", text("two")),
    ];
    let config = companion(&opened(&tiny_set(&pairs)), "tokenizer_config.json");
    let both = json!([
        {"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"},
    ]);
    assert_eq!(config["chat_template"], both);
}

#[test]
fn tokenizers_of_an_unknown_kind_are_refused_by_name() {
    refused_naming(&tiny_set(&[("ggml.model", text("bert"))]), &["\"bert\"", "gpt2", "llama"]);
    refused_naming(&tiny_set(&[("ggml.pre", text("chameleon"))]), &["\"chameleon\"", "smollm"]);
    let mut missing = tiny::file();
    missing.unset("tokenizer.ggml.pre");
    refused_naming(&missing, &["tokenizer.ggml.pre", "missing"]);
}

#[test]
fn tokenizers_that_contradict_themselves_are_refused() {
    let mut twice = tiny::tokens();
    twice[7] = "the".into();
    refused_naming(&tiny_set(&[("ggml.tokens", Meta::Texts(twice))]), &["\"the\"", "token 7"]);
    refused_naming(&tiny_set(&[("ggml.bos_token_id", Meta::U32(261))]), &["bos_token_id", "261"]);
    refused_naming(&tiny_set(&[("ggml.token_type", Meta::Ints(vec![1]))]), &["1 types"]);
    let merge = |merge: &str| tiny_set(&[("ggml.merges", Meta::Texts(vec![merge.into()]))]);
    refused_naming(&merge("th"), &["merge 0", "\"th\""]);
    refused_naming(&merge("x y"), &["tokenizer", "xy"]);
    let kinds = vec![9; tiny::tokens().len()];
    refused_naming(&tiny_set(&[("ggml.token_type", Meta::Ints(kinds))]), &["type 9"]);
    let mut no_end = tiny_set(&[("ggml.add_eos_token", Meta::Bool(true))]);
    no_end.unset("tokenizer.ggml.eos_token_id");
    refused_naming(&no_end, &["add_eos_token", "no such token"]);
}

#[test]
fn sentencepiece_marks_spaces_and_falls_back_on_bytes() {
    let byte = |byte: u32| byte + 3;
    let ids = |file: &File, text: &str| {
        let tokenizer = opened(file).tokenizer;
        let ids = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
        ids
    };
    let (space, he, the) = (259, 263, 265);
    let mut file = tiny::sentencepiece();
    assert_eq!(ids(&file, "the the"), [1, the, the]);
    assert_eq!(ids(&file, "é\n"), [1, space, byte(0xc3), byte(0xa9), byte(0x0a)]);
    file.set("tokenizer.ggml.add_space_prefix", Meta::Bool(false));
    file.set("tokenizer.ggml.add_bos_token", Meta::Bool(false));
    assert_eq!(ids(&file, "he the"), [he, the]);
}

#[test]
fn a_written_folder_opens_as_the_same_model() {
    for file in [tiny::file(), tiny::sentencepiece()] {
        let first = opened(&file);
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let writer = CheckpointWriter::create(&output, &first, false).unwrap();
        writer.copy_rest().unwrap();
        writer.finish(&[]).unwrap();
        let again = Checkpoint::open(&output).unwrap();
        assert_eq!(again.config, first.config);
        assert_eq!(again.store.tensors(), first.store.tensors());
        for name in first.store.tensors().keys() {
            let read =
                |checkpoint: &Checkpoint| checkpoint.store.read(name).unwrap().bytes.to_vec();
            assert_eq!(read(&again), read(&first), "{name}");
        }
        let facts = |checkpoint: &Checkpoint| {
            let tokenizer = &checkpoint.tokenizer;
            (tokenizer.bos, tokenizer.eos.clone(), tokenizer.digest().to_owned())
        };
        assert_eq!(facts(&again), facts(&first));
    }
}

#[test]
fn sentencepiece_needs_a_score_for_each_token() {
    let pairs = |scores: Vec<f32>| {
        tiny_set(&[("ggml.model", text("llama")), ("ggml.scores", Meta::Floats(scores))])
    };
    refused_naming(&pairs(vec![0.0]), &["1 scores"]);
    let count = tiny::tokens().len();
    refused_naming(&pairs(vec![f32::NAN; count]), &["token 0", "not a number"]);
    refused_naming(&tiny_set(&[("ggml.model", text("llama"))]), &["scores", "missing"]);
}
