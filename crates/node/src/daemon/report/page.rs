//! Which part of a long list is asked for: `?limit=N&after=NEXT`.

use serde::Deserialize;

/// A part of a list.
#[derive(Clone, Default, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageRequest {
    /// The `next` of the part before; without it the first part.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// How many at most: 1 to 10,000, 1,000 unless said.
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}
