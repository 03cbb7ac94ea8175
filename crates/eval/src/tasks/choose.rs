//! Tasks by the names users give.

use std::path::{Path, PathBuf};

use super::{GROUPS, Group, TASKS, Task, UserTask};
use crate::{Error, Result};

/// What the names given stand for.
pub struct Chosen {
    /// The tasks, each once, in the order they were first named.
    pub tasks: Vec<ChosenTask>,
    /// The groups among the names.
    pub groups: Vec<Group>,
}

/// A task, or some of its parts.
pub struct ChosenTask {
    /// The task.
    pub task: Box<dyn Task>,
    /// The name it was given: its own, with an area or a part where that was named.
    pub name: String,
    /// The parts that were named; all where this is nothing.
    pub parts: Option<Vec<&'static str>>,
}

/// The tasks that `names` stand for: names of tasks, of groups, `TASK_AREA`, `TASK_PART`, `.toml`
/// files.
///
/// # Errors
/// When a name is none of these; the known names are listed.
pub fn choose(names: &[String]) -> Result<Chosen> {
    let mut chosen = Chosen { tasks: Vec::new(), groups: Vec::new() };
    for name in names {
        match GROUPS.iter().find(|group| group.name == name) {
            Some(group) => {
                group.tasks.iter().for_each(|name| chosen.extend(find(name)));
                chosen.groups.push(*group);
            }
            None => {
                let found = if name.ends_with(".toml") { Some(own(name)?) } else { find(name) };
                chosen.extend(Some(found.ok_or_else(|| unknown(name))?));
            }
        }
    }
    Ok(chosen)
}

impl Chosen {
    fn extend(&mut self, new: Option<ChosenTask>) {
        let known = |new: &ChosenTask| self.tasks.iter().any(|task| task.name == new.name);
        self.tasks.extend(new.filter(|new| !known(new)));
    }
}

/// The task that a file defines.
fn own(path: &str) -> Result<ChosenTask> {
    let task = UserTask::read(Path::new(path))?;
    Ok(ChosenTask { name: task.name().to_owned(), task: Box::new(task), parts: None })
}

fn find(name: &str) -> Option<ChosenTask> {
    let of = |task: &&'static dyn Task| {
        let parts = match name.strip_prefix(task.name())? {
            "" => None,
            rest => Some(parts(*task, rest.strip_prefix('_')?)?),
        };
        Some(ChosenTask { task: Box::new(*task), name: name.to_owned(), parts })
    };
    TASKS.iter().find_map(of)
}

/// The parts that the name of an area or a part stands for.
fn parts(task: &'static dyn Task, name: &str) -> Option<Vec<&'static str>> {
    if let Some((_, parts)) = task.areas().iter().find(|(area, _)| *area == name) {
        return Some(parts.to_vec());
    }
    let mut parts = task.areas().iter().flat_map(|(_, parts)| *parts);
    parts.find(|part| **part == name).map(|part| vec![*part])
}

fn unknown(name: &str) -> Error {
    let tasks = TASKS.iter().map(|task| task.name());
    let names: Vec<_> = GROUPS.iter().map(|group| group.name).chain(tasks).collect();
    Error::UnknownTask { name: name.to_owned(), known: names.join(", ") }
}

impl<T: Task + ?Sized> Task for &T {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn summary(&self) -> &str {
        (**self).summary()
    }

    fn explanation(&self) -> &str {
        (**self).explanation()
    }

    fn version(&self) -> u32 {
        (**self).version()
    }

    fn files(&self) -> Vec<&str> {
        (**self).files()
    }

    fn split(&self) -> &str {
        (**self).split()
    }

    fn sampler(&self) -> super::Sampler {
        (**self).sampler()
    }

    fn own_files(&self) -> Option<[Option<PathBuf>; 2]> {
        (**self).own_files()
    }

    fn metrics(&self) -> &[super::Metric] {
        (**self).metrics()
    }

    fn question(&self, record: &crate::records::Record) -> Result<super::Question> {
        (**self).question(record)
    }

    fn part(&self, record: &crate::records::Record) -> Result<Option<String>> {
        (**self).part(record)
    }

    fn areas(&self) -> &[(&'static str, &'static [&'static str])] {
        (**self).areas()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> Vec<String> {
        let given: Vec<_> = given.iter().map(|name| (*name).to_owned()).collect();
        choose(&given).unwrap().tasks.into_iter().map(|task| task.name).collect()
    }

    #[test]
    fn groups_stand_for_their_tasks_and_no_task_is_chosen_twice() {
        assert_eq!(names(&["wanda"]).len(), 7);
        assert_eq!(names(&["boolq", "wanda", "commonsense"]).len(), 9);
        assert_eq!(names(&["arc_easy", "boolq", "arc_easy"]), ["arc_easy", "boolq"]);
    }

    #[test]
    fn areas_and_parts_can_be_named() {
        let given = ["mmlu_anatomy".to_owned(), "mmlu_stem".to_owned()];
        let chosen = choose(&given).unwrap().tasks;
        assert_eq!(chosen[0].parts.as_deref(), Some(&["anatomy"][..]));
        assert_eq!(chosen[1].parts.as_ref().map(Vec::len), Some(19));
        assert_eq!((chosen[0].name.as_str(), chosen[0].task.name()), ("mmlu_anatomy", "mmlu"));
    }

    #[test]
    fn unknown_names_are_refused_with_those_there_are() {
        for name in ["bolq", "mmlu_alchemy", "boolqq", ""] {
            let Err(error) = choose(&[name.to_owned()]) else { panic!("{name}") };
            assert!(error.to_string().contains("commonsense, wanda, boolq"), "{error}");
        }
    }
}
