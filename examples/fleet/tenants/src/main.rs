//! The tenants of the fleet, from the folder that the action is given as /data.

use std::fs;
use std::process::ExitCode;

use serde_json::{Value, json};

fn tenants() -> Result<Vec<Value>, String> {
    let file = "/data/tenants.csv";
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name| names.iter().position(|known| *known == name).ok_or(format!("{file} has no column `{name}`"));
    let (name, tier) = (column("name")?, column("tier")?);
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        json!({ "name": fields.get(name), "tier": fields.get(tier) })
    };
    Ok(lines.map(row).collect())
}

fn main() -> ExitCode {
    match tenants() {
        Ok(tenants) => {
            println!("{}", Value::from(tenants));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", json!({ "error": error }));
            ExitCode::FAILURE
        }
    }
}
