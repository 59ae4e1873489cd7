//! What a worker needs to know of a package.

use std::collections::BTreeSet;

use kael_engine::sandbox::RuleCode;

use crate::package::{Language, Package};
use crate::schema::Schema;

/// A rule, ready to be loaded.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) id: String,
    /// The file of the predicate, as errors name it.
    pub(super) file: String,
    pub(super) language: Language,
    pub(super) code: RuleCode,
    /// The ids of the types of events that are evaluated; none for all.
    pub(super) types: Option<BTreeSet<u32>>,
}

impl Spec {
    pub(super) fn new(package: &Package, schema: &Schema) -> Self {
        let manifest = &package.manifest;
        let (functions, last) = match &manifest.sequence {
            Some(sequence) => (sequence.functions(), sequence.steps.len() - 1),
            None => (vec!["pred_eval".to_owned()], 0),
        };
        let types = manifest.event_types.as_ref();
        let file = package.file(&package.predicate.0);
        Self {
            id: manifest.rule_id.clone(),
            code: RuleCode {
                name: file.clone(),
                source: package.predicate.1.clone(),
                seed: seed(&manifest.rule_id),
                functions,
                capture_after: last as u32,
                fields: schema
                    .fields
                    .iter()
                    .map(|field| (field.id, field.path.clone()))
                    .collect(),
                regexes: package.regexes.clone(),
                globs: package.globs.clone(),
            },
            file,
            language: package.language,
            types: types.map(|types| {
                types
                    .iter()
                    .filter_map(|name| schema.type_id(name))
                    .collect()
            }),
        }
    }
}

/// The same for a rule in every run (FNV-1a).
fn seed(id: &str) -> i64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}
