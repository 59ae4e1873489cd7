//! What callers of an action are promised: its description, parameters and results.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::DefinitionError;
use super::fields::{Fields, collect_error};
use super::schema::Schema;
use super::secret_places::{self, SecretPlace};
use super::shorthand;

/// What a caller can rely on.
#[derive(Debug, Clone, Default)]
pub struct Contract {
    /// A text for people.
    pub description: Option<String>,
    /// The schema of the merged parameters.
    pub params: Option<Arc<Schema>>,
    /// The schema of results.
    pub returns: Option<Arc<Schema>>,
    /// Where parameters are secrets.
    pub secret_params: Vec<SecretPlace>,
    /// Where results are secrets.
    pub secret_returns: Vec<SecretPlace>,
    /// A sample result, for people and for dry runs.
    pub example: Option<Value>,
}

impl Contract {
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Self {
        let description = collect_error(wrong, fields.string("description")).flatten();
        let params = collect_error(wrong, schema(fields, "params", true)).flatten();
        let returns = collect_error(wrong, schema(fields, "returns", false)).flatten();
        let example = fields.value("example");
        if let (Some(example), Some(returns)) = (&example, &returns)
            && let Err(mistakes) = returns.check(&mut example.clone())
        {
            let error = format!("does not fit 'returns': {}", mistakes.told("it", ""));
            wrong.push(fields.error("example", &error));
        }
        let places = |schema: &Option<Arc<Schema>>| match schema {
            Some(schema) => secret_places::places(schema.document()),
            None => Vec::new(),
        };
        Self {
            description,
            secret_params: places(&params),
            secret_returns: places(&returns),
            params,
            returns,
            example,
        }
    }

    /// Checks the values in `defaults` and `locked` against the schema of the parameters.
    pub(super) fn check_set(
        &self,
        fields: &Fields<'_>,
        defaults: &Map<String, Value>,
        locked: &Map<String, Value>,
        wrong: &mut Vec<DefinitionError>,
    ) {
        let Some(params) = &self.params else {
            return;
        };
        for (field, set) in [("defaults", defaults), ("locked", locked)] {
            let mut set = Value::Object(set.clone());
            // The check turns Lua's empty tables into lists where the schema wants lists. Its
            // errors do not count here: the values are only a part of the parameters.
            params.check(&mut set).ok();
            if let Err(mistakes) = params.check_part(&set) {
                let error = format!("does not fit 'params': {}", mistakes.told("it", ""));
                wrong.push(fields.error(field, &error));
            }
        }
    }
}

fn schema(
    fields: &mut Fields<'_>,
    field: &str,
    closed: bool,
) -> Result<Option<Arc<Schema>>, DefinitionError> {
    let Some(value) = fields.value(field) else {
        return Ok(None);
    };
    let schema = shorthand::expand(value, closed).and_then(|document| {
        // Parameters are always a table, so any other type would refuse every call.
        if closed && document.get("type").is_some_and(|t| t != "object") {
            return Err("must describe a table with names; a parameter that is called `type` is written { type = \"object\", properties = { type = … } }".to_owned());
        }
        Schema::compile(document)
    });
    schema
        .map(|schema| Some(Arc::new(schema)))
        .map_err(|error| fields.error(field, &error))
}
