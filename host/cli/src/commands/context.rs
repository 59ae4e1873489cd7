//! `kael-host context`: prints what a model must know to write a script for a repo.

use super::actions::{ActionsContext, Ended, code};
use crate::args::{Bounds, Context, ContextFormat, Shared};
use crate::exit;
use crate::sanitize::{EscapedLines, escape_control_json};
use crate::terminal::{Paint, say};
use kael_authoring::context::{self, Format};
use kael_engine::environment::Environment;
use kael_engine::sandbox::Output;

pub(super) fn run(shared: &Shared, asked: &Context, environment: &Environment) -> u8 {
    let context = ActionsContext {
        shared,
        environment,
        json: asked.json || matches!(asked.format, ContextFormat::Json),
        paint: Paint::new(environment),
    };
    code(written(&context, asked))
}

fn written(context: &ActionsContext<'_>, asked: &Context) -> Result<u8, Ended> {
    let (settings, folder) = context.settings_with(Bounds::default())?;
    let loaded = context.wait(async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&Output::in_memory());
        runtime.load(&folder, options).await
    })?;
    let repo = loaded.map_err(|error| context.load_error(&error))?;
    let query = asked.query.as_deref();
    let title = folder.display().to_string();
    let found = context::Context::new(&repo, &title, &settings.policy, query)
        .map_err(|error| context.load_error(&error.into()))?;
    #[cfg(feature = "stdlib")]
    let found = found.with_modules(modules());
    let format = match asked.format {
        _ if context.json => Format::Json,
        ContextFormat::Json => Format::Json,
        ContextFormat::LlmsTxt => Format::LlmsTxt,
        ContextFormat::Markdown => Format::Markdown,
    };
    let text = found.write(format, asked.budget as usize);
    let text = match format {
        Format::Json => format!("{}\n", escape_control_json(&text)),
        Format::LlmsTxt | Format::Markdown => EscapedLines(text.trim_end()).to_string(),
    };
    Ok(say(&text, exit::SUCCESS))
}

/// The modules of the host, as a context has them.
#[cfg(feature = "stdlib")]
fn modules() -> Vec<context::Module> {
    let of = |head: kael_stdlib::ModuleHead| context::Module {
        name: head.name.to_owned(),
        description: head.description.to_owned(),
        keywords: head.keywords.join(" "),
        methods: head
            .methods
            .iter()
            .map(|method| {
                format!(
                    "{} -> {}: {}",
                    method.signature, method.returns, method.text
                )
            })
            .collect(),
    };
    kael_stdlib::modules().into_iter().map(of).collect()
}
