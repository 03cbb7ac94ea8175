//! A byte-level tokenizer: every text encodes, one token per byte but for a few merges.

use serde_json::{Map, Value, json};

/// Tokens beyond the 256 bytes, by id from 256 up.
pub const SPECIAL_TOKENS: [&str; 4] = ["<s>", "</s>", "<unk>", "<pad>"];
/// The token a text begins with.
pub const BOS: u32 = 256;
/// The token that ends a text.
pub const EOS: u32 = 257;
/// The chat template of a tiny checkpoint.
pub const CHAT_TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}[{{ message.role }}]\
    {{ message.content }}{{ eos_token }}{% endfor %}\
    {% if add_generation_prompt %}[assistant]{% endif %}";

/// A `tokenizer.json` whose tokens are the 256 bytes (id = byte), [`SPECIAL_TOKENS`], and as many
/// two-letter merges of frequent English pairs as fit `vocabulary` tokens.
///
/// With special tokens, a text is encoded as `<s>` and the text.
///
/// # Panics
/// When `vocabulary` has no room for bytes and special tokens.
pub fn tokenizer_json(vocabulary: usize) -> Value {
    let first_merge = 256 + SPECIAL_TOKENS.len();
    assert!(vocabulary >= first_merge, "at least {first_merge} tokens are needed");
    let merges: Vec<_> = MERGES.iter().take(vocabulary - first_merge).collect();
    let mut tokens: Map<_, _> =
        (0..=255).map(|byte| (byte_letter(byte).to_string(), json!(byte))).collect();
    for (index, text) in SPECIAL_TOKENS.iter().enumerate() {
        tokens.insert((*text).to_owned(), json!(256 + index));
    }
    for (index, (a, b)) in merges.iter().enumerate() {
        tokens.insert(format!("{a}{b}"), json!(first_merge + index));
    }
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
        "use_regex": true});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": SPECIAL_TOKENS.iter().enumerate().map(special).collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": level,
        "post_processor": begins_with_bos(),
        "decoder": level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": tokens, "merges": merges,
        },
    })
}

/// Pairs that are merged; `Ġ` is the space.
const MERGES: &[(&str, &str)] = &[
    ("Ġ", "t"),
    ("h", "e"),
    ("i", "n"),
    ("Ġ", "a"),
    ("e", "r"),
    ("o", "n"),
    ("Ġt", "he"),
    ("a", "n"),
    ("r", "e"),
    ("Ġ", "s"),
    ("o", "u"),
    ("e", "n"),
    ("a", "t"),
    ("n", "d"),
    ("Ġ", "w"),
    ("i", "t"),
    ("Ġ", "o"),
    ("o", "r"),
    ("e", "s"),
    ("in", "g"),
    ("a", "r"),
    ("Ġ", "b"),
    ("Ġ", "c"),
    ("e", "d"),
    ("i", "s"),
    ("Ġ", "f"),
    ("a", "l"),
    ("Ġ", "p"),
];

fn special((index, text): (usize, &&str)) -> Value {
    json!({"id": 256 + index, "content": text, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true})
}

fn begins_with_bos() -> Value {
    let bos = json!({"SpecialToken": {"id": "<s>", "type_id": 0}});
    let sequence = |id: &str, type_id: u32| json!({"Sequence": {"id": id, "type_id": type_id}});
    json!({
        "type": "TemplateProcessing",
        "single": [bos, sequence("A", 0)],
        "pair": [bos, sequence("A", 0), sequence("B", 1)],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}},
    })
}

/// The letter a byte-level tokenizer writes for `byte`: itself where it can be printed, else one
/// from U+0100 up (`bytes_to_unicode` of GPT-2).
fn byte_letter(byte: u32) -> char {
    let printed = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let letter = if printed(byte) {
        byte
    } else {
        256 + (0..byte).filter(|&before| !printed(before)).count() as u32
    };
    char::from_u32(letter).expect("bytes and the letters after them are characters")
}
