//! The modules of the host that fit a query, as a context has them.

use serde_json::{Value, json};

use super::tokens;
use crate::search::{Index, weighed};

/// Modules that are told at most.
const MAX_MODULES: usize = 5;

/// A module that scripts can require, as its head says it.
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// What scripts require.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Words by which it is found.
    pub keywords: String,
    /// Its methods: `c.kv:get(mount, key) -> data|nil: one of them`.
    pub methods: Vec<String>,
}

/// Those that fit the query, the best first.
pub(super) fn fitting(modules: Vec<Module>, query: &str) -> Vec<Module> {
    if query.trim().is_empty() {
        return Vec::new();
    }
    let words = modules.iter().enumerate().map(|(at, module)| {
        let texts = [
            (module.keywords.as_str(), 3.0),
            (module.name.as_str(), 2.0),
            (module.description.as_str(), 1.0),
        ];
        let methods = module.methods.iter().map(|method| (method.as_str(), 1.0));
        (at, weighed(texts.into_iter().chain(methods)))
    });
    let index = Index::of(words);
    let found: Vec<usize> = index.find(query).into_iter().copied().collect();
    let mut modules: Vec<Option<Module>> = modules.into_iter().map(Some).collect();
    let found = found.into_iter().take(MAX_MODULES);
    found.filter_map(|at| modules.get_mut(at)?.take()).collect()
}

/// A section in Markdown, within so many tokens; empty where nothing fits.
pub(super) fn section(modules: &[Module], room: usize) -> String {
    let mut out = String::new();
    let mut used = 20;
    for module in modules {
        let head = format!("- `require(\"{}\")`: {}\n", module.name, module.description);
        let methods = module
            .methods
            .iter()
            .map(|method| format!("  - `{method}`\n"));
        let full = methods.fold(head.clone(), |text, method| text + &method);
        let text = [full, head]
            .into_iter()
            .find(|text| used + tokens(text) <= room);
        let Some(text) = text else {
            break;
        };
        used += tokens(&text);
        out += &text;
    }
    match out.is_empty() {
        true => out,
        false => format!("## Modules\n\n{out}\n"),
    }
}

/// The same as JSON.
pub(super) fn documents(modules: &[Module], room: usize) -> Vec<Value> {
    let (mut used, mut told) = (0, Vec::new());
    for module in modules {
        let (name, description) = (&module.name, &module.description);
        let full = json!({ "name": name, "description": description, "methods": module.methods });
        let short = json!({ "name": name, "description": description });
        let fits = |value: &Value| used + tokens(&value.to_string()) < room;
        let Some(value) = [full, short].into_iter().find(fits) else {
            break;
        };
        used += tokens(&value.to_string()) + 1;
        told.push(value);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_match_comes_first_and_the_room_is_kept() {
        let module = |name: &str, keywords: &str| Module {
            name: name.to_owned(),
            description: format!("{name}."),
            keywords: keywords.to_owned(),
            methods: vec!["c.alerts:list() -> [alert]: every one".to_owned(); 20],
        };
        let modules = vec![
            module("assay.loki", "logs"),
            module("assay.alertmanager", "alerts, silences"),
        ];
        let found = fitting(modules, "silence an alert");
        assert_eq!(found[0].name, "assay.alertmanager");
        assert!(section(&found, 1000).contains("c.alerts:list"));
        let short = section(&found, 60);
        assert!(
            !short.contains("c.alerts:list") && tokens(&short) <= 60,
            "{short}"
        );
        assert_eq!(section(&found, 10), "");
        assert_eq!(documents(&found, 60).len(), 2);
        assert!(fitting(found, " ").is_empty());
    }
}
