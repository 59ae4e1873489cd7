//! The standard library of Kael: actions that the host does itself, and Lua modules over them.
//!
//! `catalog` lists the actions (`kael.http.get`, `kael.fs.read`), which the gate treats like those
//! of a repo. `builtin` runs them: `http`, `ws`, `fs`, `db` and `env` each decide by the grants of the
//! run's policy what is open, and do the work; `jwt` signs and checks tokens, and `sigv4` signs requests to AWS. `values` are what a
//! policy puts into calls, secrets among them. `lua` holds what scripts see: libraries such as
//! `http`, and modules such as `assay.prometheus`, as text that the guest asks for by name.
//!
//! A script without any of them costs nothing more: definitions are made when they are looked up,
//! and nothing is connected, opened or read before the first call.

mod builtin;
mod catalog;
mod db;
mod env;
mod fs;
mod handles;
mod http;
mod jwt;
mod lua;
mod module_head;
mod module_types;
mod refusal;
mod running;
mod sigv4;
mod values;
mod wire;
mod ws;

use std::sync::Arc;

use kael_engine::catalog::{Executor, Library};
use kael_engine::executor::{Execute, ExecutorFactory, RepoContext};

pub use db::{WORD as SQLITE_WORD, is_server as is_database_server, sqlite_stdin};
pub use lua::CHECKS;
pub use module_head::{Method, ModuleHead};

/// For the fuzz targets: what servers send.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::db::answers as mysql_answers;
    pub use crate::http::read_in_pieces as events;
}

/// Every module that scripts can require, sorted by name.
#[must_use]
pub fn modules() -> Vec<ModuleHead> {
    lua::MODULES.iter().filter_map(ModuleHead::of).collect()
}

/// Annotations of every module for editors: a path below the folder of annotations, and its text.
#[must_use]
pub fn module_types() -> Vec<(String, String)> {
    let types = modules().into_iter().map(|head| {
        let path = format!("{}.lua", head.name.replace('.', "/"));
        (path, module_types::annotations(&head))
    });
    types.collect()
}

/// The actions and the Lua, for a runtime.
#[must_use]
pub fn library() -> Arc<Library> {
    Arc::new(Library::new(catalog::ACTIONS, lua::source))
}

/// Gives a runtime what runs those actions.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdlibFactory;

impl ExecutorFactory for StdlibFactory {
    fn executor(&self) -> Executor {
        Executor::Builtin
    }

    fn for_repo(&self, repo: RepoContext) -> Arc<dyn Execute> {
        Arc::new(builtin::Builtin::new(repo))
    }
}
