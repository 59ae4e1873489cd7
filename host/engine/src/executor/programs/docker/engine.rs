//! Runs an entry point in a container, through envyr: which image, which engine, and the end of the container.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::catalog::Definition;
use crate::environment::Environment;
use crate::executor::ask;
use crate::executor::on_path::on_path;
use crate::executor::source::{Entry, Reading, Variables, of_source};
use crate::failure::ActionError;
use crate::permit::Permit;
use crate::text::hex;

/// envyr gives up on building an image after five minutes; this is a little more.
pub(in crate::executor::programs) const BUILD_TIME: Duration = Duration::from_secs(330);

/// What a client of the engine needs to find it. The container sees none of it.
const ENGINE_VARIABLES: [&str; 8] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// A container engine that works.
#[derive(Debug, Clone)]
pub(in crate::executor::programs) struct Engine {
    /// What envyr is to find as `docker`.
    program: PathBuf,
    /// `PATH` for envyr.
    path: OsString,
    variables: Variables,
}

impl Engine {
    /// Docker when it works, else podman when that does. A docker client without a daemon would hide it from envyr.
    pub(in crate::executor::programs) fn find(
        environment: &Environment,
        path: &OsStr,
        data: &Path,
    ) -> Result<Self, ActionError> {
        let mut variables: Variables = Vec::new();
        for name in ["HOME"].into_iter().chain(ENGINE_VARIABLES) {
            if let Some(value) = environment.get(name) {
                variables.push((name.into(), value.to_owned()));
            }
        }
        let mut said = Vec::new();
        for name in ["docker", "podman"] {
            let Some(program) = on_path(name, path) else {
                said.push(format!("there is no {name}"));
                continue;
            };
            let engine = Self {
                program,
                path: path.to_owned(),
                variables: variables.clone(),
            };
            match ask::output(&mut engine.client(&["ps"])) {
                Ok(output) if output.status.success() && name == "docker" => return Ok(engine),
                Ok(output) if output.status.success() => return engine.aliased(data),
                Ok(output) => {
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    said.push(format!(
                        "`{name} ps` says: {}",
                        stderr.lines().next().unwrap_or("nothing").trim()
                    ));
                }
                Err(error) => said.push(format!("{name} cannot be asked: {error}")),
            }
        }
        let hint = "start the docker daemon or install podman, or define the action with executor = \"native\"";
        Err(ActionError::unavailable(
            format!("no container engine works: {}", said.join("; ")),
            Some(hint.to_owned()),
        ))
    }

    /// Podman by the name of docker, in front of everything else on `PATH`.
    fn aliased(self, data: &Path) -> Result<Self, ActionError> {
        let folder = data.join("podman");
        let link = folder.join("docker");
        let make = || {
            fs::create_dir_all(&folder)?;
            if fs::read_link(&link).ok().as_deref() != Some(&self.program) {
                fs::remove_file(&link).ok();
                symlink(&self.program, &link)?;
            }
            io::Result::Ok(())
        };
        make().map_err(|error| {
            ActionError::unavailable(format!("{}: {error}", link.display()), None)
        })?;
        let folders = [folder]
            .into_iter()
            .chain(std::env::split_paths(&self.path));
        let path = std::env::join_paths(folders).unwrap_or_else(|_| self.path.clone());
        Ok(Self { path, ..self })
    }

    /// The engine's client.
    pub(in crate::executor::programs) fn program(&self) -> &Path {
        &self.program
    }

    fn client(&self, words: &[&str]) -> Blocking {
        let mut command = Blocking::new(&self.program);
        command
            .args(words)
            .env_clear()
            .env("PATH", &self.path)
            .stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Whether an image is there; it may be asked from time to time.
    pub(in crate::executor::programs) fn has(&self, image: &str) -> bool {
        let filter = format!("reference={image}");
        let output = ask::output(&mut self.client(&["images", "-q", "--filter", &filter]));
        output.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    }

    /// The environment of envyr: what the engine's client needs, and the action's variables by value.
    pub(in crate::executor::programs) fn environment(&self, scrubbed: Variables) -> Variables {
        let own =
            |name: &OsStr| self.variables.iter().any(|(known, _)| known == name) || name == "PATH";
        let mut variables: Variables = scrubbed
            .into_iter()
            .filter(|(name, _)| !own(name))
            .collect();
        variables.extend(self.variables.iter().cloned());
        variables.push(("PATH".into(), self.path.clone()));
        variables
    }
}

/// The command line for one call.
pub(in crate::executor::programs) fn arguments(
    data: &Path,
    entry: &Entry,
    definition: &Definition,
    names: &[&str],
    tag: &str,
) -> Result<Vec<OsString>, ActionError> {
    let (interpreter, file) = in_image(entry)?;
    let seconds = definition.timeout.duration().as_secs_f64().ceil() as u64;
    let mut args: Vec<OsString> = vec!["--root".into(), data.join("envyr").into()];
    args.extend(["run", "--executor", "docker", "--autogen", "--timeout"].map(OsString::from));
    args.push(seconds.to_string().into());
    // Only such as are set: another would arrive empty.
    for name in names {
        args.push(format!("--env-map={name}").into());
    }
    for (option, value) in [
        ("--tag", tag),
        ("-x", &file),
        ("-i", interpreter),
        ("-t", entry.language.name()),
    ] {
        args.extend([OsString::from(option), value.into()]);
    }
    args.push(entry.folder.as_os_str().to_owned());
    Ok(args)
}

/// The interpreter and the file as envyr's Dockerfile takes them: it makes one word of each.
fn in_image(entry: &Entry) -> Result<(&str, String), ActionError> {
    let interpreter = entry.interpreter.trim_start_matches("/usr/bin/env ").trim();
    if !interpreter.contains(char::is_whitespace) {
        return Ok((interpreter, entry.file.clone()));
    }
    use std::os::unix::fs::PermissionsExt as _;
    let executable = entry
        .folder
        .join(&entry.file)
        .metadata()
        .is_ok_and(|m| m.permissions().mode() & 0o111 != 0);
    if executable {
        // Its own first line says the rest.
        return Ok((
            "/usr/bin/env",
            format!("./{}", entry.file.trim_start_matches("./")),
        ));
    }
    Err(ActionError::unavailable(
        format!(
            "the interpreter `{interpreter}` has arguments, which the docker executor cannot pass: make `{}` executable",
            entry.file
        ),
        None,
    ))
}

/// The name that envyr gives the image of a folder.
pub(in crate::executor::programs) fn image_name(entry: &Entry, tag: &str) -> String {
    let folder = entry
        .folder
        .to_string_lossy()
        .replace(['/', '.'], "-")
        .to_lowercase();
    format!("envyr{folder}:{tag}")
}

/// What tells images apart. envyr names them after the folder and the tag alone, so the tag says the rest: what is run,
/// by what, and every file of the folder.
pub(in crate::executor::programs) fn image_tag(
    entry: &Entry,
    reading: &Reading,
) -> Result<String, ActionError> {
    let files = of_source(&entry.folder, reading)?;
    let mut hash = Sha256::new();
    for part in [
        entry.file.as_str(),
        &entry.interpreter,
        entry.language.name(),
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    for (name, digest) in files {
        hash.update(name.len().to_le_bytes());
        hash.update(name);
        hash.update(digest);
    }
    Ok(format!("kael-{}", hex(&hash.finalize()[..8])))
}

/// Ends the container of a call that is abandoned: it is not in the process group of its client.
pub(in crate::executor::programs) struct Container {
    engine: Engine,
    image: String,
    /// envyr's pid, which is part of the container's name; zero before it was started and after it ended by itself.
    pid: AtomicI32,
}

impl Container {
    pub(in crate::executor::programs) fn new(engine: Engine, image: String) -> Self {
        Self {
            engine,
            image,
            pid: AtomicI32::new(0),
        }
    }

    pub(in crate::executor::programs) fn started(&self, pid: i32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// envyr saw the container end.
    pub(in crate::executor::programs) fn ended(&self) {
        self.pid.store(0, Ordering::Relaxed);
    }
}

/// Containers that are being ended.
static ENDING: AtomicUsize = AtomicUsize::new(0);

impl Drop for Container {
    fn drop(&mut self) {
        let pid = self.pid.load(Ordering::Relaxed);
        if pid == 0 {
            return;
        }
        let (engine, image) = (self.engine.clone(), self.image.clone());
        let permit = Permit::current();
        ENDING.fetch_add(1, Ordering::AcqRel);
        let end = move || {
            let _permit = permit;
            end_container(&engine, &image, pid);
            ENDING.fetch_sub(1, Ordering::AcqRel);
        };
        if thread::Builder::new()
            .name("kael-container".to_owned())
            .spawn(end)
            .is_err()
        {
            ENDING.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The engine may still be making it when its client is gone, so it is looked for more than once.
fn end_container(engine: &Engine, image: &str, pid: i32) {
    // Another Kael in a container of its own may have the same pid; its image is another.
    let (name, image) = (format!("name=envyr-{pid}-"), format!("ancestor={image}"));
    for _ in 0..5 {
        let words = ["ps", "-aq", "--filter", &name, "--filter", &image];
        let found = ask::output(&mut engine.client(&words));
        let ids = found
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            ask::output(engine.client(&["kill"]).args(&ids)).ok();
            // One that was made and never started cannot be killed. What ran was started with --rm.
            ask::output(engine.client(&["rm", "-f"]).args(&ids)).ok();
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until every container that was abandoned has been ended, or the time is over.
pub(in crate::executor::programs) fn finish(within: Duration) {
    let deadline = Instant::now() + within;
    while ENDING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Language;

    fn entry(folder: &Path, file: &str, interpreter: &str) -> Entry {
        Entry {
            folder: folder.to_owned(),
            file: file.to_owned(),
            language: Language::Shell,
            interpreter: interpreter.to_owned(),
        }
    }

    #[test]
    fn images_differ_by_entry_point_and_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        fs::write(at.join("a.sh"), "1").expect("a file");
        fs::create_dir(at.join("sub")).expect("a folder");
        fs::write(at.join("sub/lib"), "x").expect("a file");
        let (reading, _end) = Reading::within(Duration::from_secs(60));
        let tag =
            |file, interpreter| image_tag(&entry(at, file, interpreter), &reading).expect("a tag");
        let first = tag("a.sh", "/bin/sh");
        assert_eq!(first, tag("a.sh", "/bin/sh"));
        assert_ne!(first, tag("b.sh", "/bin/sh"));
        assert_ne!(first, tag("a.sh", "/bin/bash"));
        fs::create_dir(at.join(".envyr")).expect("a folder");
        fs::write(at.join(".envyr/Dockerfile"), "x").expect("a file");
        assert_eq!(first, tag("a.sh", "/bin/sh"));
        fs::write(at.join("sub/lib"), "y").expect("a file");
        assert_ne!(first, tag("a.sh", "/bin/sh"));
    }

    #[test]
    fn an_interpreter_is_one_word_in_an_image() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a"), "").expect("a file");
        let with = |interpreter| {
            in_image(&entry(folder.path(), "a", interpreter)).map(|(i, f)| (i.to_owned(), f))
        };
        assert_eq!(
            with("/usr/bin/env python3").expect("one word"),
            ("python3".to_owned(), "a".to_owned())
        );
        assert!(
            with("/bin/bash -e")
                .expect_err("two words")
                .message
                .contains("make `a` executable")
        );
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o755))
            .expect("a mode");
        assert_eq!(
            with("/bin/bash -e").expect("by itself"),
            ("/usr/bin/env".to_owned(), "./a".to_owned())
        );
    }
}
