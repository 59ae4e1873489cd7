//! What a definition says of an action to those who call it: in words, its parameters, its results.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::{DefinitionError, Fields, collect_error};
use super::schema::Schema;
use super::shorthand;

/// What a caller may rely on.
#[derive(Debug, Clone, Default)]
pub struct Contract {
    /// For people.
    pub description: Option<String>,
    /// What the merged parameters must be.
    pub params: Option<Arc<Schema>>,
    /// What a result must be.
    pub returns: Option<Arc<Schema>>,
    /// A result, for people and for dry runs.
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
        Self {
            description,
            params,
            returns,
            example,
        }
    }

    /// Whether what the team sets fits what the team asks for.
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
            // Empty tables that stand for lists are mended; whether all is there is not asked of a part.
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
        // Parameters are always a table: any other type would refuse every call.
        if closed && document.get("type").is_some_and(|t| t != "object") {
            return Err("must describe a table with names; a parameter that is called `type` is written { type = \"object\", properties = { type = … } }".to_owned());
        }
        Schema::compile(document)
    });
    schema
        .map(|schema| Some(Arc::new(schema)))
        .map_err(|error| fields.error(field, &error))
}
