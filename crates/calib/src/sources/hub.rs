//! Data sets of a hub.

use lm::Observer;

use super::{Source, Uses, documents::Collection};
use crate::dataset::Dataset;
use crate::{CalibrationSet, Packing, Recipe, Result, Workspace};

/// A data set of a hub.
pub(super) struct Hub;

impl Source for Hub {
    fn name(&self) -> &'static str {
        "hub"
    }

    fn summary(&self) -> &'static str {
        "a hub data set: c4, wikipedia, slimpajama, dclm, fineweb-edu, alpaca, gsm8k, wikitext2, or \
         hub:OWNER/NAME"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Lists the files of a data set, downloads the first shards of the split into the hub's own cache, and
  draws from them as from any file of records. What lies in the cache is not downloaded again.

When to use it
  With collected data by name: c4 is what published pruning is calibrated with.

Parameters
  The source: a preset, or hub:OWNER/NAME, with @REVISION where one is to be held on to.
  dataset: config, split (train) and shards (1): --dataset-config, --dataset-split, --dataset-shards.
  Presets: c4, wikipedia, slimpajama, dclm, fineweb-edu, alpaca, gsm8k, wikitext2, with their own
  config, split and field. A private or gated data set needs HF_TOKEN.
  field, packing, bad_records, filters: as for files; alpaca, gsm8k and other short texts want the
  packing `stream` or `whole`.

Cost
  Downloading whole shards: 320 MB of c4, 15 MB of alpaca. Then as for files.

Reference
  The presets are the data sets of Ji et al., Beware of Calibration Data for Pruning Large Language
  Models, ICLR 2025, and of the published pruning code."
    }

    fn accepts(&self, source: &str) -> bool {
        Dataset::is_named(source)
    }

    fn uses(&self) -> Uses {
        Uses { dataset: true, ..Uses::DOCUMENTS }
    }

    fn collect(
        &self,
        recipe: &Recipe,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        recipe.refuse("split", recipe.split.is_some(), "a hub data set holds records")?;
        let dataset = Dataset::of(&recipe.source, &recipe.dataset)?;
        let paths = dataset.files(workspace, observer)?;
        let mut reading = recipe.reading();
        reading.field = reading.field.or(dataset.field.map(Into::into));
        let packing = recipe.packing.unwrap_or(Packing::Document);
        let source = self.name();
        Collection { recipe, source, packing, paths, reading }.collect(workspace, observer)
    }
}
