//! JSON in the guest, with a document of about one megabyte, compared with serde_json outside of
//! it. The rows without a reference program are compared with serde_json, too, because it loads a
//! machine in a similar way.

use std::hint::black_box;
use std::time::Duration;

use serde_json::{Value, json};

use super::hosted::Hosted;
use super::measure::{Effort, Pairs, Result, Row, time, timed};

/// Rows like those of a metrics action: numbers, strings, lists and flags.
pub(crate) fn document(rows: usize) -> String {
    let row = |n: usize| {
        json!({
            "active": n.is_multiple_of(3),
            "id": n,
            "labels": ["prod", "eu-west-1", "blue"],
            "name": format!("service-{n}"),
            "note": null,
            "value": n as f64 * 0.37,
        })
    };
    Value::from((0..rows).map(row).collect::<Vec<_>>()).to_string()
}

/// How many rows make about one megabyte.
pub(crate) const MEGABYTE: usize = 9_800;

/// The time that serde_json takes natively: from text to a `Value` and back.
pub(crate) fn round_trip(document: &str) -> Result<Duration> {
    timed(|| {
        let value: Value = serde_json::from_str(black_box(document))?;
        Ok(black_box(value.to_string()))
    })
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let hosted = Hosted::new(2, 1, 1)?;
    let document = document(MEGABYTE);
    let script = "local text, n = arg[1], tonumber(arg[2])\n\
                  for _ = 1, n do\n\
                  local again = json.encode(json.decode(text))\n\
                  assert(#again > #text * 3 // 4)\n\
                  end";
    let run = |n: usize| hosted.run(None, script, vec![document.clone(), n.to_string()]);
    const TIMES: usize = 8;
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(24) {
        let native = round_trip(&document)?;
        let (many, none) = (run(TIMES)?, run(0)?);
        let own = many.saturating_sub(none) / TIMES as u32;
        pairs.push(own.as_secs_f64(), native.as_secs_f64());
    }
    let value = format!("{}, {}", time(pairs.what()), time(pairs.reference()));
    Ok(vec![
        Row::new(
            "json: 1 MB, decoded and encoded",
            value,
            "serde_json natively",
            &pairs,
        )
        .at_most(3.0),
    ])
}
