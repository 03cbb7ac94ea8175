//! The tiny checkpoints are what their documentation says.

#![allow(clippy::unwrap_used)]

use compute::Precision;
use lm::{Batch, Checkpoint, Model, Silent};
use testkit::{Dtype, TinyOptions, tiny_llama};

fn logits(checkpoint: Checkpoint, text: &str) -> compute::Matrix {
    let tokens = checkpoint.tokenizer.encode(text, true).unwrap();
    let model = Model::new(checkpoint, Precision::F32).unwrap();
    let lengths = [tokens.len()];
    let mut residual = model.embed(&tokens).unwrap();
    for index in 0..model.spec().blocks.len() {
        residual = model.block(index).unwrap().run(residual, &mut Batch::fresh(&lengths));
    }
    model.head().unwrap().logits(residual.view())
}

#[test]
fn logits_spread_by_more_than_one_in_every_kind() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        for tied in [false, true] {
            let options = TinyOptions { dtype, tied, attention_bias: tied, ..Default::default() };
            let folder = tempfile::tempdir().unwrap();
            tiny_llama(folder.path(), &options);
            let logits = logits(Checkpoint::open(folder.path()).unwrap(), "The hen sat down.");
            for row in 0..logits.rows() {
                let row = logits.row(row);
                let mean = row.iter().sum::<f32>() / row.len() as f32;
                let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f32>();
                let deviation = (variance / row.len() as f32).sqrt();
                assert!((1.0..4.0).contains(&deviation), "{dtype:?} {tied} {deviation}");
            }
        }
    }
}

#[test]
fn any_text_encodes_and_decodes_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama(folder.path(), &TinyOptions::default());
    let tokenizer = Checkpoint::open(folder.path()).unwrap().tokenizer;
    assert_eq!((tokenizer.bos, &tokenizer.eos[..]), (Some(testkit::BOS), &[testkit::EOS][..]));
    assert_eq!(tokenizer.chat_template.as_deref(), Some(testkit::CHAT_TEMPLATE));
    for text in ["The hen, the then.", "  naïve\n\n\tœuf 🐔 \u{0}\u{7f}", "", "汉字"] {
        let tokens = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokens[0], testkit::BOS);
        assert_eq!(tokenizer.decode(&tokens, false).unwrap(), text);
    }
}

#[test]
fn shards_change_the_files_and_not_the_model() {
    let identities = |shards, seed| {
        let folder = tempfile::tempdir().unwrap();
        tiny_llama(folder.path(), &TinyOptions { shards, seed, ..Default::default() });
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(checkpoint.store.shards().len(), shards);
        [checkpoint.digest(&Silent).unwrap(), checkpoint.fingerprint().unwrap()]
    };
    let one = identities(1, 0);
    assert_eq!(one, identities(3, 0));
    let other = identities(1, 1);
    assert!(one[0] != other[0] && one[1] != other[1]);
}
