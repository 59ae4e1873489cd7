//! Compares `check` with the gate over random calls and definitions.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::syntax_facts::{Expr, Form, Path, Root, Table};
use kael_engine::catalog::{Catalog, Location, RawDefinition};
use kael_engine::executor::{Execute, Execution, Invocation};
use kael_engine::failure::ErrorKind;
use kael_engine::gate::{Dispatcher, Policy};

/// Pseudo-random numbers, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn object(&mut self, depth: u32, most: u64) -> Map<String, Value> {
        let count = self.below(most + 1);
        let keys = ["a", "b", "c.d", "e/f", "g~1"];
        (0..count)
            .map(|_| (self.one(&keys).to_owned(), self.value(depth)))
            .collect()
    }

    fn value(&mut self, depth: u32) -> Value {
        let kinds = if depth == 0 { 4 } else { 8 };
        match self.below(kinds) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(1.5),
            3 => json!("x"),
            4 => (0..self.below(3)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(self.object(depth - 1, 3)),
        }
    }

    fn schema(&mut self) -> Value {
        let types = ["object", "array", "number", "string", "boolean", "null"];
        let keys = ["a", "b", "c.d"];
        let properties: Map<String, Value> = keys
            .iter()
            .map(|key| {
                let schema = match self.below(3) {
                    0 => json!({ "type": self.one(&types) }),
                    1 => json!({ "type": "array", "items": { "type": self.one(&types) } }),
                    _ => json!({ "type": "object", "properties": { "a": { "type": self.one(&types) } } }),
                };
                ((*key).to_owned(), schema)
            })
            .collect();
        json!({
            "type": "object", "properties": properties,
            "additionalProperties": self.below(2) == 0,
        })
    }

    /// A value in Lua syntax. Some parts are known only at run time.
    fn expr(&mut self, value: &Value, hidden: u64) -> Expr {
        let form = match value {
            _ if hidden > 0 && self.below(100) < hidden => Form::Unknown,
            Value::Null => Form::Path(Path {
                root: Root::Global("json".to_owned()),
                at: 0,
                keys: vec![("null".to_owned(), 0)],
            }),
            Value::Array(elements) => Form::Table(Table {
                elements: elements.iter().map(|e| self.expr(e, hidden)).collect(),
                list: true,
                ..Table::default()
            }),
            Value::Object(fields) => Form::Table(self.table(fields, hidden)),
            other => Form::Literal(other.clone()),
        };
        Expr { at: 1, form }
    }

    fn table(&mut self, fields: &Map<String, Value>, hidden: u64) -> Table {
        Table {
            fields: fields
                .iter()
                .map(|(name, value)| (name.clone(), 1, self.expr(value, hidden)))
                .collect(),
            ..Table::default()
        }
    }
}

struct Nothing;

impl Execute for Nothing {
    fn execute<'a>(&'a self, _: Invocation<'a>) -> Execution<'a> {
        Box::pin(std::future::ready(Ok(b"1".to_vec())))
    }
}

/// The gate to an action `a`, unless its definition is invalid.
fn gate(draw: &mut Draw) -> Option<(Arc<Catalog>, Dispatcher)> {
    let mut body = json!({
        "source": "x", "executor": "native",
        "defaults": draw.object(2, 3), "locked": draw.object(2, 2),
    });
    if draw.below(2) == 0 {
        body["params"] = draw.schema();
    }
    let raw = RawDefinition {
        names: vec!["a".into()],
        location: Location {
            file: "f".into(),
            line: 1,
        },
        body: body.to_string(),
        error: None,
    };
    let catalog = Arc::new(Catalog::new(&[raw]).ok()?);
    let dispatcher = Dispatcher::new(catalog.clone(), Policy::default(), Arc::new(Nothing));
    Some((catalog, dispatcher))
}

/// Why the gate refuses the parameters.
async fn refusal(dispatcher: &Dispatcher, params: &Map<String, Value>) -> Option<String> {
    let params = Value::Object(params.clone()).to_string();
    let error = dispatcher.call("a", params, &|_| ()).await.err()?;
    assert_eq!(error.kind, ErrorKind::InvalidParams, "{error}");
    Some(error.message)
}

#[tokio::test]
async fn a_literal_call_is_judged_like_the_gate() {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut locked, mut passed) = (0, 0, 0);
    for _ in 0..20_000 {
        let Some((catalog, dispatcher)) = gate(&mut draw) else {
            continue;
        };
        let definition = catalog.get("a").expect("defined");
        let params = draw.object(3, 4);
        let said = super::check(definition, Some(&draw.table(&params, 0)), 0);
        let context = || {
            format!(
                "{params:?} over {:?}, locked {:?}, {:?}: {said:?}",
                definition.defaults, definition.locked, definition.contract.params
            )
        };
        match refusal(&dispatcher, &params).await {
            None => {
                assert!(said.is_empty(), "the gate passes {}", context());
                passed += 1;
            }
            Some(message) => {
                assert!(!said.is_empty(), "the gate says {message} of {}", context());
                refused += 1;
                if message.contains("is locked") {
                    let same = said.iter().any(|(_, text)| *text == message);
                    assert!(same, "the gate says {message} of {}", context());
                    locked += 1;
                }
            }
        }
    }
    assert!(
        passed > 1000 && refused > 1000 && locked > 1000,
        "{passed} {refused} {locked}"
    );
}

/// If `check` reports a mistake in the known part, the gate refuses the call for every value of the
/// unknown part. A value that turns out to be nil counts as missing. Only an unknown parameter is
/// reported even then.
#[tokio::test]
async fn a_reported_part_is_refused_by_the_gate() {
    let mut draw = Draw(0x2545_f491_4f6c_dd1d);
    let mut wrong = 0;
    for _ in 0..20_000 {
        let Some((catalog, dispatcher)) = gate(&mut draw) else {
            continue;
        };
        let definition = catalog.get("a").expect("defined");
        let params = draw.object(3, 4);
        let table = draw.table(&params, 30);
        let said = super::check(definition, Some(&table), 0);
        if said.is_empty() {
            continue;
        }
        wrong += 1;
        let without: Map<String, Value> = table
            .fields
            .iter()
            .filter(|(_, _, expr)| !matches!(expr.form, Form::Unknown))
            .map(|(name, ..)| (name.clone(), params[name].clone()))
            .collect();
        let slip = |(_, text): &(usize, String)| text.contains("is not known");
        let wholes = match said.iter().all(slip) {
            true => vec![&params],
            false => vec![&params, &without],
        };
        for whole in wholes {
            let context = format!(
                "{said:?} is said of {whole:?} over {:?}, locked {:?}, {:?}",
                definition.defaults, definition.locked, definition.contract.params
            );
            assert!(refusal(&dispatcher, whole).await.is_some(), "{context}");
        }
    }
    assert!(wrong > 1000, "{wrong}");
}
