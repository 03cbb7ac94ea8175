use calib::*;
use lm::*;
use std::time::Instant;
struct W(std::sync::Mutex<(Instant, u64, String)>);
impl Observer for W {
    fn note(&self, n: &str) {
        eprintln!("note {n}")
    }
    fn started(&self, w: &str, t: u64) {
        eprintln!("start {w} {t}");
        *self.0.lock().unwrap() = (Instant::now(), 0, w.into());
    }
    fn advanced(&self, u: u64) {
        self.0.lock().unwrap().1 += u;
    }
    fn finished(&self) {
        let g = self.0.lock().unwrap();
        eprintln!("end {} {:?} units {}", g.2, g.0.elapsed(), g.1);
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let c = Checkpoint::open(a[1].as_ref()).unwrap();
    let p = if a[2] == "bf16" { compute::Precision::Bf16 } else { compute::Precision::F32 };
    let m = Model::new(c, p).unwrap();
    let r: Recipe = serde_json::from_str(&a[3]).unwrap();
    let w = W(std::sync::Mutex::new((Instant::now(), 0, "".into())));
    let cache = std::path::PathBuf::from(&a[4]);
    let t = Instant::now();
    let s = collect(
        &r,
        &Workspace { model: &m, model_digest: None, cache: Some(&cache), memory: None },
        &w,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    eprintln!("{:?} {} seqs digest {}", t.elapsed(), s.sequences.len(), s.digest());
    eprintln!(
        "documents {} dropped {:?} notes {:?}",
        s.provenance.documents, s.provenance.dropped, s.provenance.notes
    );
    s.save(&cache.join("out.safetensors"), &m.checkpoint().tokenizer).unwrap();
}
