//! What the comments at the head of a module say of it: `@description`, `@quickref` and the others.

use crate::lua::Module;

/// A module, as people look it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleHead {
    /// What scripts require.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// What it is about, in one word.
    pub category: &'static str,
    /// Words by which it is found.
    pub keywords: Vec<&'static str>,
    /// Variables that it reads by `env.get`.
    pub env: Vec<&'static str>,
    /// The module that it is another name of.
    pub same: Option<&'static str>,
    /// Its methods.
    pub methods: Vec<Method>,
}

/// A method of a module, as `@quickref` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// How it is called.
    pub signature: &'static str,
    /// What it gives.
    pub returns: &'static str,
    /// In words.
    pub text: &'static str,
}

impl ModuleHead {
    /// Reads the head of a module; none for one that only other modules require.
    pub(crate) fn of(module: &Module) -> Option<Self> {
        let lines = module.source.lines();
        let lines: Vec<&'static str> = lines.map_while(|line| line.strip_prefix("--- @")).collect();
        if lines.contains(&"internal") {
            return None;
        }
        let all = |tag: &str| {
            let values = lines.iter().filter_map(|line| {
                let (found, value) = line.split_once(' ')?;
                (found == tag).then_some(value.trim())
            });
            values.collect::<Vec<_>>()
        };
        let words = |tag: &str| {
            let values = all(tag).into_iter();
            values
                .flat_map(|value| value.split(','))
                .map(str::trim)
                .collect()
        };
        Some(Self {
            name: module.name,
            description: all("description").first().copied().unwrap_or_default(),
            category: all("category").first().copied().unwrap_or_default(),
            keywords: words("keywords"),
            env: words("env"),
            same: all("same").first().copied(),
            methods: all("quickref").into_iter().map(Method::of).collect(),
        })
    }
}

impl Method {
    fn of(line: &'static str) -> Self {
        let (signature, rest) = line.split_once(" -> ").unwrap_or((line, ""));
        let (returns, text) = rest.split_once(" | ").unwrap_or((rest, ""));
        Self {
            signature,
            returns,
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_module_says_what_it_is() {
        let heads = crate::modules();
        assert!(heads.len() >= 11);
        for head in &heads {
            assert!(
                !head.description.is_empty() && !head.keywords.is_empty(),
                "{head:?}"
            );
            assert!(!head.methods.is_empty(), "{head:?}");
            for method in &head.methods {
                assert!(
                    !method.returns.is_empty() && !method.text.is_empty(),
                    "{method:?}"
                );
            }
        }
        let github = heads.iter().find(|head| head.name == "assay.github");
        assert_eq!(github.expect("there").env, ["GITHUB_TOKEN"]);
        assert!(!heads.iter().any(|head| head.name == "assay.client"));
    }
}
