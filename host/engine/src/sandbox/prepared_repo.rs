//! An actions repo as the instances of scripts are given it: its modules, or the image that its evaluation left.

use super::bindings::exports::kael::engine::runtime;
use crate::catalog::RawDefinition;
use crate::repo::Bundle;

/// What an actions repo gave when it was evaluated.
pub(crate) struct LoadedRepo {
    /// What it defines, in the order of the calls.
    pub(crate) definitions: Vec<RawDefinition>,
    /// The same repo for scripts.
    pub(crate) prepared: PreparedRepo,
}

/// An actions repo as the instances of scripts are given it.
pub(crate) struct PreparedRepo(runtime::Repo);

/// Bytes that an image may have; a repo with a larger one is evaluated by every instance.
const MAX_IMAGE: usize = 4 << 20;

impl PreparedRepo {
    pub(super) fn new(modules: Vec<runtime::Module>, image: Option<String>) -> Self {
        match image.filter(|image| image.len() <= MAX_IMAGE) {
            Some(image) => Self(runtime::Repo::Image(image)),
            None => Self(runtime::Repo::Modules(modules)),
        }
    }

    /// The repo of these modules, or of the image that it once left.
    pub(crate) fn restored(modules: &[crate::repo::Module], image: Option<String>) -> Self {
        match image {
            Some(image) => Self(runtime::Repo::Image(image)),
            None => Self(runtime::Repo::Modules(wit_modules(modules))),
        }
    }

    /// The image, where there is one.
    pub(crate) fn image(&self) -> Option<&str> {
        match &self.0 {
            runtime::Repo::Image(image) => Some(image),
            runtime::Repo::Modules(_) => None,
        }
    }

    pub(super) fn as_wit(&self) -> &runtime::Repo {
        &self.0
    }

    /// Whether an instance evaluates the repo. One that has left nothing but actions and plain data is not: its tree is made
    /// of an image, which takes a fraction of the time; a script can tell it by nothing but the order of `pairs`.
    pub(crate) fn is_evaluated(&self) -> bool {
        matches!(self.0, runtime::Repo::Modules(_))
    }
}

/// The modules of a repo that is to be evaluated.
pub(super) fn modules(repo: &Bundle) -> Vec<runtime::Module> {
    wit_modules(&repo.modules)
}

fn wit_modules(modules: &[crate::repo::Module]) -> Vec<runtime::Module> {
    let module = |module: &crate::repo::Module| runtime::Module {
        name: module.name.clone(),
        path: module.path.clone(),
        display: module.display.clone(),
        source: module.source.clone(),
    };
    modules.iter().map(module).collect()
}
