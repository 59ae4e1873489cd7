//! The actions of one repo by name, as the team defined them. Does no I/O.

mod adapter;
mod cache_retry;
mod contract;
mod definition;
mod deps;
mod destination;
mod effects;
mod error;
mod executor;
mod fields;
mod grants;
mod library;
mod limits;
mod mcp;
mod process_fields;
mod sample_value;
mod schema;
mod secret_places;
mod shorthand;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use adapter::{Adapter, Input, Output};
pub use cache_retry::{ResultPolicy, Retry};
pub use contract::Contract;
pub use definition::{Definition, Source};
pub(crate) use deps::is_requirement;
pub use destination::{Destination, DestinationError, Host};
pub use effects::{DeclaredEffects, Effects};
pub use error::{DefinitionError, Location};
pub use executor::{Executor, Language};
pub(crate) use grants::is_plain_path;
pub use grants::{Folder, Grants};
pub use library::{BuiltinAction, Library};
pub use limits::ActionLimits;
pub use mcp::{McpServer, McpTool, McpUrl};
pub use sample_value::sample_value;
pub(crate) use schema::TOO_COSTLY_HINT;
pub use schema::{Misfit, Mistakes, Schema};
pub use secret_places::{SecretPlace, SecretStep};
pub use template::{Part, Template, Word};

use serde::{Deserialize, Serialize};

use crate::names::{self, ActionName};
use crate::units::ByteSize;

/// Bytes of JSON that all definitions of a repo may have together. As parsed values they take more
/// memory.
const MAX_TOTAL: usize = 16 << 20;

/// One call of `define_action`, as the guest reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawDefinition {
    /// The dotted names that the repo's tree gives the action. Scripts call it by the first.
    pub names: Vec<String>,
    /// Where `define_action` was called.
    pub location: Location,
    /// The table that the repo passed, as JSON text.
    pub body: String,
    /// Why the guest could not read the argument as such a table.
    pub error: Option<String>,
}

/// For tests: a native action `a` with the source `x` and these fields, as it is defined.
#[cfg(test)]
fn raw(fields: &serde_json::Value) -> RawDefinition {
    let mut body = serde_json::json!({ "source": "x", "executor": "native" });
    let fields = fields.as_object().expect("an object").clone();
    let body_fields = body.as_object_mut().expect("an object");
    body_fields.extend(fields);
    if body_fields["executor"] == "mcp" {
        body_fields.remove("source");
    }
    RawDefinition {
        names: vec!["a".into()],
        location: Location {
            file: "f".into(),
            line: 1,
        },
        body: body.to_string(),
        error: None,
    }
}

/// For tests: the definition of that action.
#[cfg(test)]
pub(crate) fn defined(fields: &serde_json::Value) -> Definition {
    let catalog = Catalog::new(&[raw(fields)]).expect("valid");
    Definition::clone(catalog.get("a").expect("defined"))
}

/// For tests: the errors of that action.
#[cfg(test)]
pub(crate) fn errors_of(fields: &serde_json::Value) -> Vec<String> {
    let errors = Catalog::new(&[raw(fields)]).expect_err("wrong");
    errors.into_iter().map(|error| error.error).collect()
}

/// The actions of a repo.
#[derive(Debug, Default)]
pub struct Catalog {
    actions: BTreeMap<ActionName, Arc<Definition>>,
    unnamed: Vec<Location>,
    /// What the host brings beside the repo's.
    library: Option<Arc<Library>>,
}

impl Catalog {
    /// Checks every definition, including those that have no name in the tree.
    ///
    /// # Errors
    /// Every mistake in the definitions, in the order of the definitions.
    pub fn new(raw: &[RawDefinition]) -> Result<Self, Vec<DefinitionError>> {
        let (catalog, problems) = Self::collect(raw);
        if problems.is_empty() {
            Ok(catalog)
        } else {
            Err(problems)
        }
    }

    /// The valid definitions, and every mistake in the others.
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

    /// Where definitions stand that have no name in the tree.
    #[must_use]
    pub fn unnamed(&self) -> &[Location] {
        &self.unnamed
    }

    /// The same beside the actions that the host brings.
    #[must_use]
    pub fn with_library(self, library: Option<Arc<Library>>) -> Self {
        Self { library, ..self }
    }

    /// What the host brings.
    #[must_use]
    pub fn library(&self) -> Option<&Arc<Library>> {
        self.library.as_ref()
    }

    /// The action of that name. It is shared, so that work on another thread can keep it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        let own = self.actions.get(name);
        own.or_else(|| self.library.as_ref()?.get(name))
    }

    /// The message for a name that no action has; it suggests the most similar name.
    #[must_use]
    pub fn unknown_action(&self, name: &str) -> String {
        let own = self.actions.keys().map(ActionName::as_str);
        let brought = self.library.iter().flat_map(|library| library.names());
        let near = names::nearest(name, own.chain(brought));
        let hint = names::did_you_mean(near, '\'');
        format!("no action '{}'{hint}", names::printable(name))
    }

    /// Every action of the repo, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ActionName, &Definition)> {
        self.actions
            .iter()
            .map(|(name, definition)| (name, definition.as_ref()))
    }
}
