//! Packages that sources of Python name, and sources that name none.

use std::path::Path;
use std::process::Command;

use kael_tests::{Kael, Need, needs_any};

/// A session with a wheel of the package `seven` in `wheels`, which pip finds without a network.
pub(crate) fn with_seven(session: Kael) -> Kael {
    let wheels = session.path().join("wheels");
    std::fs::create_dir_all(&wheels).expect("a folder");
    let code = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/seven-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('seven.py', 'SEVEN = 7')
    wheel.writestr('seven-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: seven\\nVersion: 1.0\\n')
    wheel.writestr('seven-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('seven-1.0.dist-info/RECORD', '')
";
    let made = Command::new("python3")
        .args(["-c", code])
        .arg(&wheels)
        .status();
    assert!(made.expect("python3 starts").success());
    let wheels = wheels.display().to_string();
    session
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", &wheels)
        .env("KAEL_FETCH_ENV", "PIP_NO_INDEX,PIP_FIND_LINKS")
        .file("impl/p.py", "import seven\nprint(seven.SEVEN)\n")
}

const NATIVE: &str = "source = '../impl', entrypoint = 'p.py', executor = 'native'";

#[test]
fn dependencies_of_a_project_are_installed() {
    with_seven(Kael::new())
        .file(
            "impl/pyproject.toml",
            "[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\"seven==1.0\"]\n",
        )
        .define("a", NATIVE)
        .script("print(actions.t.a({}), actions.t.a({}))")
        .prints("7\t7\n");
}

#[test]
fn the_head_of_a_script_names_packages_of_that_script_alone() {
    with_seven(Kael::new())
        .file(
            "impl/q.py",
            "# /// script\n# dependencies = [\n#   \"seven\",\n# ]\n# ///\nimport seven\nprint(seven.SEVEN + 1)\n",
        )
        .define("a", NATIVE)
        .define("b", "source = '../impl', entrypoint = 'q.py', executor = 'native'")
        .script("print(actions.t.b({})) print(pcall(actions.t.a, {}))")
        .prints("8\nfalse\tt.a failed: ModuleNotFoundError: No module named 'seven'\n");
}

#[test]
fn a_definition_names_packages() {
    with_seven(Kael::new())
        .define("a", &format!("{NATIVE}, deps = {{ 'seven>=1' }}"))
        .script("print(actions.t.a({}))")
        .prints("7\n");
    Kael::new()
        .shell("s", "deps = { 'seven' }", "echo 1")
        .script("local _, e = pcall(actions.t.s, {}) print(e.kind, e.message, e.detail.hint)")
        .prints("unavailable\tfield 'deps' names packages of Python, and `s.sh` does not run by Python\tlist packages of Node in a package.json beside the entry point\n");
}

#[test]
fn a_change_of_what_is_named_is_seen() {
    let session = with_seven(Kael::new())
        .file(
            "impl/p.py",
            "try:\n  import seven\n  print(seven.SEVEN)\nexcept ImportError:\n  print(0)\n",
        )
        .define("a", NATIVE)
        .run_with(&["-e", "print(actions.t.a({}))"]);
    let print = || {
        let output = session.start().wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
    };
    assert_eq!(print(), ("0\n".to_owned(), String::new()));
    let requirements = session.path().join("impl/requirements.txt");
    std::fs::write(&requirements, "# packages\nseven\n").expect("a file");
    assert_eq!(print(), ("7\n".to_owned(), String::new()));
    std::fs::remove_file(requirements).expect("it was there");
    assert_eq!(print(), ("0\n".to_owned(), String::new()));
}

#[test]
fn a_change_of_an_included_list_is_seen() {
    let session = with_seven(Kael::new())
        .file("impl/requirements.txt", "-r lists/more.txt\n")
        .file("impl/lists/more.txt", "-c none.txt\n")
        .file("impl/lists/none.txt", "")
        .file(
            "impl/p.py",
            "try:\n  import seven\n  print(seven.SEVEN)\nexcept ImportError:\n  print(0)\n",
        )
        .define("a", NATIVE)
        .run_with(&["-e", "print(actions.t.a({}))"]);
    let print = || {
        let output = session.start().wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
    };
    assert_eq!(print(), ("0\n".to_owned(), String::new()));
    let more = session.path().join("impl/lists/more.txt");
    std::fs::write(&more, "seven\n").expect("a file");
    assert_eq!(print(), ("7\n".to_owned(), String::new()));
}

#[test]
fn manifests_that_are_wrong_are_named_with_their_line() {
    let session = || {
        Kael::new()
            .file("impl/p.py", "print(1)\n")
            .define("a", NATIVE)
    };
    for (file, text, says) in [
        (
            "pyproject.toml",
            "[project]\ndependencies = 5\n",
            "`pyproject.toml`: line 2: invalid type: integer `5`, expected a sequence",
        ),
        (
            "pyproject.toml",
            "[project]\ndependencies = ['-e .']\n",
            "`pyproject.toml`: dependencies: `-e .` is not a requirement such as `requests>=2`",
        ),
        (
            "p.py",
            "# /// script\n# dependencies = 'a'\n# ///\n",
            "`p.py`: line 2: invalid type: string \"a\", expected a sequence",
        ),
    ] {
        let session = session().file(&format!("impl/{file}"), text);
        let ran = session.words(&["actions", "validate"]).ends();
        assert!(ran.exits(3).stdout.contains(says), "{}", ran.stdout);
    }
    let ran = session()
        .file("impl/pyproject.toml", "[project")
        .script("actions.t.a({})");
    ran.exits(6).says("`pyproject.toml`: line 1: ");
}

#[test]
fn a_package_that_is_not_there_is_named_by_pip() {
    let ran = with_seven(Kael::new())
        .define("a", &format!("{NATIVE}, deps = {{ 'eight' }}"))
        .script("actions.t.a({})");
    ran.exits(6).says(
        "Error: t.a failed: preparing the source failed: No matching distribution found for eight",
    );
}

#[test]
fn where_nothing_is_named_nothing_is_made() {
    let session = Kael::new()
        .file("impl/p.py", "print(1)\n")
        .file("impl/n.js", "console.log(2)")
        .file("impl/package.json", r#"{ "type": "commonjs" }"#)
        .define("p", NATIVE)
        .define(
            "n",
            "source = '../impl', entrypoint = 'n.js', executor = 'native'",
        )
        .env("KAEL_RUNNER", "builtin");
    let ran = session.script("print(actions.t.p({}), actions.t.n({}))");
    ran.prints("1\t2\n");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(ran.path().join(folder))
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string())
            .collect();
        names.sort();
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("impl"), "n.js p.py package.json");
    assert!(!Path::new(&ran.path().join("data/environments")).exists());
}

/// A project that pip builds by a program of its own, which needs nothing from elsewhere. Its module
/// `planted` has the text `SAID` that `code` leaves in `said`.
fn with_a_backend(session: Kael, code: &str) -> Kael {
    let backend = format!(
        "import os, sys, zipfile
said = []
{code}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = 'planted-1.0-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        wheel.writestr('planted.py', 'SAID = ' + repr(' '.join(said)))
        wheel.writestr('planted-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: planted\\nVersion: 1.0\\n')
        wheel.writestr('planted-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr('planted-1.0.dist-info/RECORD', '')
    return name
"
    );
    with_seven(session)
        .file(
            "impl/pyproject.toml",
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
        )
        .file("impl/backend.py", backend)
        .file("impl/requirements.txt", ".\n")
        .file(
            "impl/p.py",
            "import json, planted\nprint(json.dumps(planted.SAID))\n",
        )
}

#[test]
fn a_package_writes_no_note_of_kaels_and_leads_kael_nowhere() {
    if !needs_any(&[Need::Landlock, Need::Namespace]) {
        return;
    }
    let session = Kael::new().file("precious", "x");
    let precious = session.path().join("precious").display().to_string();
    let code = format!(
        "
made = os.path.dirname(sys.prefix)
for plant in (
    lambda: open(made + '/ready', 'w').write('x'),
    lambda: os.symlink('{precious}', made + '/ready.new'),
    lambda: os.rename(sys.prefix, made + '/other'),
):
    try:
        plant()
        said.append('planted')
    except OSError:
        said.append('refused')
"
    );
    let ran = with_a_backend(session, &code)
        .define("a", NATIVE)
        .script("print(actions.t.a({})) print(actions.t.a({}))");
    ran.prints("refused refused refused\nrefused refused refused\n");
    let kept = std::fs::read_to_string(&precious).expect("a file");
    assert_eq!(kept, "x");
}

#[test]
fn files_of_a_source_stand_in_for_no_module_while_its_packages_are_installed() {
    let wrong = "raise SystemExit('a file of the source was run')\n";
    let names = ["email", "json", "venv", "pip", "ensurepip", "logging"];
    let session = names.iter().fold(with_seven(Kael::new()), |session, name| {
        session.file(&format!("impl/{name}.py"), wrong)
    });
    session
        .define("a", &format!("{NATIVE}, deps = {{ 'seven' }}"))
        .script("print(actions.t.a({}))")
        .prints("7\n");
}

#[test]
fn another_version_of_python_has_its_packages_installed_anew() {
    let session = with_seven(Kael::new())
        .define("a", &format!("{NATIVE}, deps = {{ 'seven' }}"))
        .run_with(&["-e", "print(actions.t.a({}))"]);
    let print = || {
        let output = session.start().wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
    };
    assert_eq!(print(), ("7\n".to_owned(), String::new()));
    let mut made = session.path().join("data/environments");
    for _ in 0..2 {
        let inside = std::fs::read_dir(&made).expect("a folder").next();
        made = inside.expect("an entry").expect("an entry").path();
    }
    // As an upgrade leaves it: another program, which looks for packages in another folder.
    let python = made.join("venv/bin/python");
    let real = python.canonicalize().expect("a program");
    let other = session.path().join("python3.99");
    std::fs::copy(&real, &other).expect("a copy");
    let lib = std::fs::read_dir(made.join("venv/lib"))
        .expect("a folder")
        .next()
        .expect("an entry")
        .expect("an entry");
    std::fs::rename(lib.path(), made.join("venv/lib/python0.0")).expect("a folder");
    std::fs::remove_file(&python).expect("a link");
    std::os::unix::fs::symlink(&other, &python).expect("a link");
    assert_eq!(print(), ("7\n".to_owned(), String::new()));
}
