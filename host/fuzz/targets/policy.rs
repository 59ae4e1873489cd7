//! Policies as anybody could write them, and calls that they decide on: nothing panics, a second
//! reading says the same, and one more `deny` never widens.
#![no_main]

use std::sync::LazyLock;

use kael_engine::catalog::{Catalog, Location, RawDefinition};
use kael_engine::policy::{PolicyFile, Rulebook, Verdict};
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let define = |name: &str| RawDefinition {
        names: vec![name.to_owned()],
        location: Location {
            file: "a.lua".into(),
            line: 1,
        },
        body: r#"{"source":"x","executor":"native"}"#.to_owned(),
        error: None,
    };
    Catalog::new(&[define("t.a"), define("t.b"), define("deploy.scale")]).expect("valid")
});

// Parameters in the last line, the policy in the rest.
fuzz_target!(|text: &str| {
    let (policy, params) = text.rsplit_once('\n').unwrap_or((text, "{}"));
    let Ok(file) = PolicyFile::parse("p.yaml", policy) else {
        return;
    };
    let Ok(rulebook) = Rulebook::compile(std::slice::from_ref(&file), &CATALOG, false) else {
        return;
    };
    let params = match serde_json::from_str::<serde_json::Value>(params) {
        Ok(value @ serde_json::Value::Object(_)) => value.to_string(),
        _ => "{}".to_owned(),
    };
    let deny = PolicyFile::parse(
        "d.yaml",
        "version: 1\ndefault: allow\nrules:\n- deny: t.a\n",
    )
    .expect("valid");
    let both = Rulebook::compile(&[file, deny], &CATALOG, false).expect("each is valid");
    for (name, definition) in CATALOG.iter() {
        let verdict = |rulebook: &Rulebook| rulebook.decide(definition, &params, Some("t")).verdict;
        assert_eq!(
            verdict(&rulebook),
            rulebook
                .explain(definition, &params, Some("t"))
                .decision
                .verdict
        );
        assert!(verdict(&both) >= verdict(&rulebook));
        assert!(name.as_str() != "t.a" || verdict(&both) == Verdict::Deny);
    }
});
