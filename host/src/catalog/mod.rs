//! What the team defined: the actions of one repo by their names. No I/O.

mod confinement;
mod definition;
mod destination;
mod fields;
mod grants;
mod limits;

use std::collections::BTreeMap;

pub use definition::{Definition, Executor, Language, Location, Source};
pub use destination::{Destination, DestinationError, Host};
pub use fields::DefinitionError;
pub use grants::{Folder, Grants};
pub use limits::ActionLimits;

use crate::names::{self, ActionName};

/// One call of `define_action`, as the catalog's instance reported it.
#[derive(Debug, Clone)]
pub struct RawDefinition {
    /// The dotted names that the repo's tree gives it; it is called by the first.
    pub names: Vec<String>,
    /// Where `define_action` was called.
    pub location: Location,
    /// The table that was passed, as JSON text.
    pub body: String,
}

/// The actions of a repo.
#[derive(Debug, Default)]
pub struct Catalog {
    actions: BTreeMap<ActionName, Definition>,
}

impl Catalog {
    /// Checks every definition, those that the tree does not hold included.
    ///
    /// # Errors
    /// All that is wrong with the definitions, in the order in which they were made.
    pub fn new(raw: &[RawDefinition]) -> Result<Self, Vec<DefinitionError>> {
        let (mut catalog, mut problems) = (Self::default(), Vec::new());
        for raw in raw {
            match Definition::parse(raw) {
                Ok(definition) => {
                    let Some(name) = definition.names.first().cloned() else {
                        continue;
                    };
                    if let Some(other) = catalog.actions.get(&name) {
                        let problem = format!("`{name}` is defined at {}, too", other.location);
                        let location = definition.location;
                        problems.push(DefinitionError { location, problem });
                    } else {
                        catalog.actions.insert(name, definition);
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(catalog)
        } else {
            Err(problems)
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.actions.get(name)
    }

    /// The name that is most like one that there is not.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        names::nearest(name, self.actions.keys().map(ActionName::as_str))
    }

    /// Every action, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ActionName, &Definition)> {
        self.actions.iter()
    }
}
