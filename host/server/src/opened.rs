//! What an operator opens to the standard library in a tenant's scripts. A call needs a grant of the operator, so a policy
//! in the tenant's own repo opens nothing by itself.

use std::sync::Arc;

use kael_engine::policy::grants::FileGrants;
use kael_engine::policy::{Grants, PolicyFile};
use serde_json::Value;

/// What settings open; none where a policy file of the operator's has grants.
///
/// # Errors
/// What is wrong with the grants.
pub(crate) fn of(
    grants: Option<&Value>,
    tenant: &str,
    policies: &[Arc<PolicyFile>],
) -> Result<Option<Arc<Grants>>, String> {
    let name = format!("the operator's settings of the tenant `{tenant}`");
    let grants = match grants {
        Some(grants) => {
            FileGrants::parse(&name, &grants.to_string()).map_err(|error| error.to_string())?
        }
        None if policies.iter().any(|file| file.grants().is_some()) => return Ok(None),
        None => FileGrants {
            file: name,
            ..FileGrants::default()
        },
    };
    Ok(Some(Arc::new(Grants::of([Arc::new(grants)].into_iter()))))
}
