//! Solved examples before a question.

use std::collections::HashMap;
use std::path::PathBuf;

use compute::Mersenne;

use super::{Asking, Sampler, Task};
use crate::Result;
use crate::records::{self, Record};

/// The examples of a task, part by part.
pub(super) struct Examples<'a> {
    task: &'a dyn Task,
    asking: Asking,
    parts: HashMap<Option<String>, Pool>,
    /// The first of their files.
    file: PathBuf,
}

/// The examples of one part, and what draws among them.
struct Pool {
    records: Vec<Record>,
    random: Mersenne,
}

/// The examples before one question.
#[derive(Default)]
pub(super) struct Chosen {
    /// Their text.
    pub(super) text: String,
    /// Their numbers in the file, in the order of the text.
    pub(super) numbers: Vec<usize>,
}

impl<'a> Examples<'a> {
    /// Reads them from `files`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn read(task: &'a dyn Task, files: &[PathBuf], asking: Asking) -> Result<Self> {
        let mut parts: HashMap<Option<String>, Pool> = HashMap::new();
        for record in records::read(files)? {
            // the harness seeds every part, which is a task to it, anew
            let pool = || Pool { records: Vec::new(), random: Mersenne::new(asking.seed) };
            parts.entry(task.part(&record)?).or_insert_with(pool).records.push(record);
        }
        Ok(Self { task, asking, parts, file: files[0].clone() })
    }

    /// Those before the question of `record`. Drawn numbers depend on the questions asked before of
    /// the same part, as in the harness.
    ///
    /// # Errors
    /// When there are too few, or one cannot be read.
    pub(super) fn before(&mut self, record: &Record, part: Option<&str>) -> Result<Chosen> {
        let (wanted, sampler) = (self.asking.shots, self.task.sampler());
        let pool = self.parts.get_mut(&part.map(str::to_owned));
        let found = pool.as_ref().map_or(0, |pool| pool.records.len());
        let chosen = pool.and_then(|pool| pool.choose(record, wanted, sampler).map(|c| (pool, c)));
        let Some((pool, chosen)) = chosen else {
            let wanted = wanted + usize::from(sampler == Sampler::DrawnApart);
            let of = part.map_or_else(String::new, |part| format!(" of {part}"));
            let file = self.file.display();
            let problem = format!("{wanted} examples{of} expected in {file}, {found} found");
            return Err(record.error(problem));
        };
        let chosen = chosen.into_iter().map(|index| &pool.records[index]);
        let solved = chosen.clone().map(|record| Ok(self.task.question(record)?.solved()));
        Ok(Chosen {
            text: solved.collect::<Result<String>>()?,
            numbers: chosen.map(|record| record.place().number).collect(),
        })
    }
}

impl Pool {
    /// The places of the examples before the question of `record`; nothing where there are too few.
    fn choose(&mut self, record: &Record, wanted: usize, sampler: Sampler) -> Option<Vec<usize>> {
        let count = self.records.len();
        let drawn = match sampler {
            Sampler::First => wanted,
            Sampler::Drawn => wanted,
            Sampler::DrawnApart => wanted + 1,
        };
        if count < drawn {
            return None;
        }
        let mut chosen = match sampler {
            Sampler::First => (0..wanted).collect(),
            Sampler::Drawn | Sampler::DrawnApart => self.random.sample(count, drawn),
        };
        if sampler == Sampler::DrawnApart {
            let is_other = |&index: &usize| !self.records[index].says_the_same(record);
            chosen.retain(is_other);
            if chosen.len() < wanted {
                // the file holds the question more than once
                let others: Vec<usize> = (0..count).filter(is_other).collect();
                let again =
                    (others.len() >= wanted).then(|| self.random.sample(others.len(), wanted))?;
                return Some(again.into_iter().map(|index| others[index]).collect());
            }
            chosen.truncate(wanted);
        }
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::record;

    fn pool(numbers: &[usize], seed: u64) -> Pool {
        let records = numbers.iter().map(|number| record(json!({"n": number}))).collect();
        Pool { records, random: Mersenne::new(seed) }
    }

    /// What is drawn from a pool of `numbers` before the questions `asked`, one after the other.
    fn drawn(numbers: &[usize], seed: u64, asked: &[usize], sampler: Sampler) -> Vec<Vec<usize>> {
        let mut pool = pool(numbers, seed);
        let draw = |number: &usize| {
            let chosen = pool.choose(&record(json!({"n": number})), 2, sampler).unwrap();
            chosen.into_iter().map(|index| numbers[index]).collect()
        };
        asked.iter().map(draw).collect()
    }

    #[test]
    fn draws_are_those_of_the_harness() {
        // ContextSampler(df, rnd=seed).sample(2) of lm-eval 0.4.13, question after question
        let thirty: Vec<usize> = (1..=30).collect();
        let found = drawn(&thirty, 1234, &[1, 2, 3], Sampler::Drawn);
        assert_eq!(found, [[25, 15], [4, 1], [3, 30]]);
        // the same with eval_doc
        let found = drawn(&[1, 2, 3, 4, 5], 7, &[1, 2, 3, 4], Sampler::DrawnApart);
        assert_eq!(found, [[3, 2], [1, 5], [1, 4], [1, 2]]);
        let found = drawn(&[1, 1, 1, 2, 3], 7, &[1; 4], Sampler::DrawnApart);
        assert_eq!(found, [[2, 3], [2, 3], [3, 2], [3, 2]]);
        assert_eq!(drawn(&[4, 5, 6], 0, &[4, 4], Sampler::First), [[4, 5], [4, 5]]);
    }

    #[test]
    fn too_few_are_none() {
        let choose = |numbers: &[usize], wanted, sampler| {
            pool(numbers, 0).choose(&record(json!({"n": 1})), wanted, sampler)
        };
        assert!(choose(&[2], 2, Sampler::First).is_none());
        assert!(choose(&[2, 3], 2, Sampler::Drawn).is_some());
        assert!(choose(&[2, 3], 2, Sampler::DrawnApart).is_none());
        assert!(choose(&[1, 1, 3], 2, Sampler::DrawnApart).is_none());
    }
}
