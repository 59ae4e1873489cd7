//! What a decision of the policy costs: without conditions, and with three over parameters of 100 bytes.

use std::hint::black_box;

use kael_engine::catalog::{Catalog, Location, RawDefinition};
use kael_engine::policy::{PolicyFile, Rulebook, Verdict};
use kael_engine::secrets::{Masks, SecretValue};

use super::document::{MEGABYTE, document, round_trip};
use super::measure::{Effort, Pairs, Result, Row, time, timed};

const PLAIN: f64 = 0.1e-6;
const THREE: f64 = 2e-6;

const PARAMS: &str = r#"{"env":"staging","labels":{"owner":"platform"},"list":[1,2,3],"name":"xxxxxxxxxxxxxxx","replicas":7}"#;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let raw: Vec<RawDefinition> = (0..50)
        .map(|n| RawDefinition {
            names: vec![format!("deploy.a{n}")],
            location: Location {
                file: "init.lua".into(),
                line: 1,
            },
            body: r#"{"source":"x","executor":"native"}"#.to_owned(),
            error: None,
        })
        .collect();
    let catalog = Catalog::new(&raw).map_err(|_| "the definitions are valid")?;
    let text = document(MEGABYTE);
    let mut rows = Vec::new();
    for (name, when, aim) in [
        ("policy: a decision without conditions", "", PLAIN),
        (
            "policy: a decision with three conditions, 100 B",
            ", when: { replicas: { at_most: 10 }, env: [dev, staging], labels.owner: present }",
            THREE,
        ),
    ] {
        let policy = format!(
            "version: 1\nrules:\n  - {{ allow: \"deploy.*\"{when} }}\n  - {{ deny: deploy.a1 }}\n"
        );
        let file = PolicyFile::parse("policy.yaml", &policy)?;
        let rulebook = Rulebook::compile(&[file], &catalog, false)?;
        let definition = catalog.get("deploy.a7").ok_or("it is defined")?;
        let times = 100_000_u32;
        let mut pairs = Pairs::default();
        for _ in 0..effort.of(24) {
            let native = round_trip(&text)?.as_secs_f64();
            let took = timed(|| {
                for _ in 0..times {
                    let decision = rulebook.decide(definition, black_box(PARAMS), Some("acme"));
                    if black_box(decision).verdict != Verdict::Allow {
                        return Err("the call is allowed".into());
                    }
                }
                Ok(())
            })?;
            pairs.push(took.as_secs_f64() / f64::from(times), native);
        }
        let took = pairs.what();
        let row = Row::new(name, time(took), "1 MB by serde_json", &pairs);
        rows.push(row.aims(time(aim), took <= aim));
    }
    rows.push(masking(effort)?);
    Ok(rows)
}

const MASKING: f64 = 5e-3;

/// What it costs to look for 50 secrets in a result of 1 MB.
fn masking(effort: Effort) -> Result<Row> {
    let values = (0..50).map(|at| {
        let value = SecretValue::new(format!("value-{at:02}-of-a-secret/{}", at * 7919))?;
        Ok((format!("team/secret-{at}"), value))
    });
    let masks = Masks::of(values.collect::<Result<Vec<_>>>()?);
    let text = document(MEGABYTE);
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(24) {
        let native = round_trip(&text)?.as_secs_f64();
        let bytes = text.clone().into_bytes();
        let took = timed(|| {
            let hidden = masks.hide_json(black_box(bytes));
            match hidden.len() == text.len() {
                true => Ok(()),
                false => Err("there is nothing to hide".into()),
            }
        })?;
        pairs.push(took.as_secs_f64(), native);
    }
    let took = pairs.what();
    let name = "policy: masking 50 secrets over 1 MB";
    let row = Row::new(name, time(took), "1 MB by serde_json", &pairs);
    Ok(row.aims(time(MASKING), took <= MASKING))
}
