//! Finished cells on disk, one file each.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// What was measured in a cell, by name.
pub type Measures = BTreeMap<String, f64>;

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What the cell depends on: the identity it was kept under.
    pub identity: Value,
    /// What was measured.
    pub measures: Measures,
    /// The full record of the run.
    pub record: Value,
}

/// A folder of results. A result is found by everything it depends on, whatever grid asked for it.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The results in `folder`, which is made when the first is kept.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The file of the result that depends on `identity`.
    pub fn path(&self, identity: &Value) -> PathBuf {
        let mut digest = format!("{:x}", Sha256::digest(identity.to_string()));
        digest.truncate(24);
        self.folder.join(format!("{digest}.json"))
    }

    /// The result that depends on `identity`, where there is one.
    ///
    /// # Errors
    /// When its file cannot be read, or is not the result it should be.
    pub fn find(&self, identity: &Value) -> Result<Option<Outcome>> {
        let path = self.path(identity);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(lm::Error::io(&path)(error).into()),
        };
        let broken = |problem: String| Error::Result { path: path.clone(), problem };
        let outcome: Outcome =
            serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if outcome.identity != *identity {
            return Err(broken("the result of another cell".into()));
        }
        Ok(Some(outcome))
    }

    /// Keeps a result; its file is there whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, outcome: &Outcome) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(lm::Error::io(&self.folder))?;
        let path = self.path(&outcome.identity);
        let json = serde_json::to_vec_pretty(outcome)
            .map_err(|error| Error::Result { path: path.clone(), problem: error.to_string() })?;
        Ok(lm::checkpoint::write_durable(&path, &json)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_come_back_by_what_they_depend_on() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::new(folder.path().join("cells"));
        let identity = json!({"method": "wanda", "seed": 1});
        assert_eq!(store.find(&identity).unwrap(), None);
        let measures = Measures::from([("loss".into(), 0.1 + 0.2)]);
        let outcome = Outcome { identity: identity.clone(), measures, record: json!({"a": [1]}) };
        store.keep(&outcome).unwrap();
        assert_eq!(store.find(&identity).unwrap(), Some(outcome.clone()));
        assert_eq!(store.find(&json!({"method": "wanda", "seed": 2})).unwrap(), None);

        let path = store.path(&identity);
        let other = Outcome { identity: json!(1), ..outcome };
        fs::write(&path, serde_json::to_vec(&other).unwrap()).unwrap();
        assert!(store.find(&identity).unwrap_err().to_string().contains("of another cell"));
        fs::write(&path, b"{\"identity\":").unwrap();
        let found = store.find(&identity).unwrap_err().to_string();
        assert!(found.contains(&path.display().to_string()) && found.contains("runs again"));
    }
}
