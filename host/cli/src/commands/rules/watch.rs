//! Loads packages again that changed: the new one is tested first, and the old one stays if
//! anything fails.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::load::{options, shown};
use crate::stderr;
use kael_engine::runtime::Runtime;
use kael_rules::engine::{Engine, WasmEngine};
use kael_rules::package::Package;
use kael_rules::rule_set::RuleSet;
use kael_rules::schema::Schema;
use kael_rules::test_run;

/// The time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// What signals ask for.
#[derive(Default)]
pub(super) struct Asked {
    /// SIGINT, SIGTERM: the stream ends here.
    pub(super) end: AtomicBool,
    /// SIGHUP: look for changes now.
    pub(super) reload: AtomicBool,
}

impl Asked {
    /// Listens from now on.
    pub(super) fn listen() -> std::io::Result<Arc<Self>> {
        use tokio::signal::unix::{SignalKind, signal};
        let asked = Arc::new(Self::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let (mut int, mut term, mut hup) = {
            let _within = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let told = asked.clone();
        thread::Builder::new()
            .name("kael-signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        tokio::select! {
                            _ = int.recv() => told.end.store(true, Ordering::Release),
                            _ = term.recv() => told.end.store(true, Ordering::Release),
                            _ = hup.recv() => told.reload.store(true, Ordering::Release),
                        }
                    }
                });
            })?;
        Ok(asked)
    }
}

/// Watches folders of packages.
pub(super) struct Watch {
    folders: Vec<PathBuf>,
    only: Vec<String>,
    schema: Arc<Schema>,
    runtime: Runtime,
    wasm: Arc<WasmEngine>,
    every_second: bool,
    last: Instant,
    /// By rule id: the digest that was loaded or refused last.
    seen: BTreeMap<String, String>,
    /// What was wrong at the last look, so that it is not said again.
    said: Vec<String>,
}

impl Watch {
    pub(super) fn new(
        folders: &[PathBuf],
        only: &[String],
        schema: &Arc<Schema>,
        (runtime, wasm): (&Runtime, &Arc<WasmEngine>),
        engine: &Engine,
        every_second: bool,
    ) -> Self {
        let digest = |package: &Package| (package.manifest.rule_id.clone(), package.digest.clone());
        Self {
            folders: folders.to_vec(),
            only: only.to_vec(),
            schema: schema.clone(),
            runtime: runtime.clone(),
            wasm: wasm.clone(),
            every_second,
            last: Instant::now(),
            seen: engine.packages().map(digest).collect(),
            said: Vec::new(),
        }
    }

    /// Whether it is time to look for changes.
    pub(super) fn is_due(&self, asked: &Asked) -> bool {
        asked.reload.load(Ordering::Acquire) || self.every_second && self.last.elapsed() >= LOOK
    }

    /// Looks for changes.
    pub(super) fn look(&mut self, asked: &Asked, engine: &mut Engine) {
        asked.reload.store(false, Ordering::Release);
        self.last = Instant::now();
        let set = RuleSet::read(&self.folders, Some(self.schema.clone()));
        let errors: Vec<String> = set
            .problems
            .iter()
            .filter(|problem| !problem.warning)
            .map(shown)
            .collect();
        if errors != self.said {
            for error in &errors {
                say(&format!("not loaded: {error}"));
            }
            self.said = errors;
        }
        let packages: Vec<&Package> = set.packages.iter().collect();
        for package in &packages {
            let id = &package.manifest.rule_id;
            let wanted = self.only.is_empty() || self.only.contains(id);
            if wanted && self.seen.get(id) != Some(&package.digest) {
                self.seen.insert(id.clone(), package.digest.clone());
                self.replace(package, engine);
            }
        }
        // A package that cannot be read now is not removed: its folder is there.
        let gone: Vec<String> = engine
            .packages()
            .filter(|loaded| !loaded.folder.join("manifest.json").exists())
            .map(|loaded| loaded.manifest.rule_id.clone())
            .filter(|id| {
                !packages
                    .iter()
                    .any(|package| package.manifest.rule_id == *id)
            })
            .collect();
        for id in gone {
            engine.remove(&id);
            self.seen.remove(&id);
            say(&format!("{id}: unloaded, as its folder is gone"));
        }
    }

    fn replace(&self, package: &Package, engine: &mut Engine) {
        let id = &package.manifest.rule_id;
        let kept = "the rule stays as it was";
        match test_run::run(
            &self.runtime,
            &self.schema,
            package,
            &options(&self.wasm, 1, None),
        ) {
            Err(problems) => {
                let all: Vec<String> = problems.iter().map(shown).collect();
                return say(&format!("{id}: {}; {kept}", all.join("; ")));
            }
            Ok(files) => {
                let failed = files.iter().find(|file| !file.mismatches.is_empty());
                if let Some(file) = failed {
                    let first = &file.mismatches[0];
                    let place = format!("{}:{}", file.file, first.line);
                    return say(&format!(
                        "{id}: its test fails, {place}: {}; {kept}",
                        first.message
                    ));
                }
            }
        }
        match engine.replace(package.clone()) {
            Ok(()) => say(&format!(
                "{id}: version {} is loaded",
                package.manifest.rule_version
            )),
            Err(problem) => say(&format!("{id}: {}; {kept}", shown(&problem))),
        }
    }
}

fn say(text: &str) {
    stderr::write(format!("{text}\n").as_bytes());
}
