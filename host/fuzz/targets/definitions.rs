//! Definitions as an actions repo could make them: names in the first line, the body in the rest.
#![no_main]

use kael_engine::catalog::{Catalog, Location, RawDefinition};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (names, body) = text.split_once('\n').unwrap_or(("a.b", text));
    let raw = RawDefinition {
        names: names.split(' ').map(str::to_owned).collect(),
        location: Location {
            file: "a.lua".into(),
            line: 1,
        },
        body: body.to_owned(),
        error: None,
    };
    if let Ok(catalog) = Catalog::new(&[raw]) {
        for (name, definition) in catalog.iter() {
            assert!(!name.as_str().starts_with("kael.") && name.as_str() != "kael");
            for path in [&definition.entrypoint, &definition.subdir]
                .into_iter()
                .flatten()
            {
                assert!(
                    !path.starts_with(['/', '-']) && path.split('/').all(|part| part != ".."),
                    "{path}"
                );
            }
            assert!(
                !definition
                    .env
                    .iter()
                    .any(|name| name.contains('=') || name.is_empty())
            );
        }
    }
});
