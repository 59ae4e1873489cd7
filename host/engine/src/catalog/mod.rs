//! What the team defined: the actions of one repo by their names. No I/O.

mod adapter;
mod cache_retry;
mod confinement;
mod contract;
mod definition;
mod destination;
mod effects;
mod fields;
mod grants;
mod limits;
mod sample_value;
mod schema;
mod shorthand;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use adapter::{Adapter, Input, Output};
pub use cache_retry::{ResultPolicy, Retry};
pub use contract::Contract;
pub use definition::{Definition, Executor, Language, Location, Source};
pub use destination::{Destination, DestinationError, Host};
pub use effects::{DeclaredEffects, Effects};
pub use fields::DefinitionError;
pub use grants::{Folder, Grants};
pub use limits::ActionLimits;
pub use sample_value::sample_value;
pub use schema::{Misfit, Mistakes, Schema};
pub use template::{Part, Template, Word};

use crate::names::{self, ActionName};
use crate::units::ByteSize;

/// All definitions of a repo together may have this many bytes as JSON; as trees of values they take more room.
const MAX_TOTAL: usize = 16 << 20;

/// One call of `define_action`, as the catalog's instance reported it.
#[derive(Debug, Clone)]
pub struct RawDefinition {
    /// The dotted names that the repo's tree gives it; it is called by the first.
    pub names: Vec<String>,
    /// Where `define_action` was called.
    pub location: Location,
    /// The table that was passed, as JSON text.
    pub body: String,
    /// Why what was passed is no such table.
    pub error: Option<String>,
}

/// For tests: the definition of an action `a` by its fields, over a native one with the source `x`.
#[cfg(test)]
pub(crate) fn defined(fields: &serde_json::Value) -> Definition {
    let mut body = serde_json::json!({ "source": "x", "executor": "native" });
    let fields = fields.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    let raw = RawDefinition {
        names: vec!["a".into()],
        location: Location {
            file: "f".into(),
            line: 1,
        },
        body: body.to_string(),
        error: None,
    };
    let catalog = Catalog::new(&[raw]).expect("valid");
    Definition::clone(catalog.get("a").expect("defined"))
}

/// The actions of a repo.
#[derive(Debug, Default)]
pub struct Catalog {
    actions: BTreeMap<ActionName, Arc<Definition>>,
    unnamed: Vec<Location>,
}

impl Catalog {
    /// Checks every definition, those that the tree does not hold included.
    ///
    /// # Errors
    /// All that is wrong with the definitions, in the order in which they were made.
    pub fn new(raw: &[RawDefinition]) -> Result<Self, Vec<DefinitionError>> {
        let (catalog, problems) = Self::collect(raw);
        if problems.is_empty() {
            Ok(catalog)
        } else {
            Err(problems)
        }
    }

    /// What is right, and all that is wrong.
    #[must_use]
    pub fn collect(raw: &[RawDefinition]) -> (Self, Vec<DefinitionError>) {
        let (mut catalog, mut problems) = (Self::default(), Vec::new());
        let mut total = 0;
        for raw in raw {
            total += raw.body.len();
            if total > MAX_TOTAL {
                let most = ByteSize::new(MAX_TOTAL as u64);
                let error = format!("the definitions of the repo have more than {most} as JSON");
                let location = raw.location.clone();
                problems.push(DefinitionError { location, error });
                break;
            }
            match Definition::parse(raw) {
                Ok(definition) => {
                    let Some(name) = definition.names.first().cloned() else {
                        catalog.unnamed.push(definition.location);
                        continue;
                    };
                    if let Some(other) = catalog.actions.get(&name) {
                        let error = format!("`{name}` is defined at {}, too", other.location);
                        let location = definition.location;
                        problems.push(DefinitionError { location, error });
                    } else {
                        catalog.actions.insert(name, Arc::new(definition));
                    }
                }
                Err(wrong) => problems.extend(wrong),
            }
        }
        (catalog, problems)
    }

    /// Where actions are defined that the tree does not hold.
    #[must_use]
    pub fn unnamed(&self) -> &[Location] {
        &self.unnamed
    }

    /// The action of that name. Shared, so that work on another thread can hold on to it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.actions.get(name)
    }

    /// The name that is most like one that there is not.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        names::nearest(name, self.actions.keys().map(ActionName::as_str))
    }

    /// Every action, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ActionName, &Definition)> {
        self.actions
            .iter()
            .map(|(name, definition)| (name, definition.as_ref()))
    }
}
