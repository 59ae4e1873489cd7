//! Every field of a definition, right and wrong.

use super::*;
use crate::units::ByteSize;

fn parse(body: &str) -> Result<Definition, String> {
    let location = Location {
        file: "actions/a.lua".into(),
        line: 3,
    };
    Definition::parse(&RawDefinition {
        names: vec!["a.b".into()],
        location,
        body: body.into(),
        error: None,
    })
    .map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        all.join("\n")
    })
}

fn with(extra: &str) -> Result<Definition, String> {
    parse(&format!(
        r#"{{"source":"../impl","executor":"native"{extra}}}"#
    ))
}

#[test]
fn a_definition_has_defaults() {
    let definition = with("").expect("valid");
    assert_eq!(definition.source, Source::Folder("../impl".into()));
    assert_eq!(definition.timeout, DEFAULT_TIMEOUT);
    assert!(
        definition.env.is_empty() && definition.defaults.is_empty() && definition.tag_is_none()
    );
}

impl Definition {
    fn tag_is_none(&self) -> bool {
        !matches!(self.source, Source::Git { tag: Some(_), .. })
    }
}

#[test]
fn git_sources_are_told_from_folders() {
    for url in [
        "git@github.com:a/b.git",
        "https://x.org/a/b",
        "ssh://git@x.org/a/b.git",
        "git://x.org/a",
        "deploy@x.org:a/b",
    ] {
        let body = format!(r#"{{"source":"{url}","executor":"docker","tag":"v1"}}"#);
        let expected = Source::Git {
            url: url.into(),
            tag: Some("v1".into()),
        };
        assert_eq!(parse(&body).expect("valid").source, expected);
    }
    for path in ["git-tools", "./a:b", "/abs/a@b"] {
        let body = format!(r#"{{"source":"{path}","executor":"docker"}}"#);
        assert_eq!(
            parse(&body).expect("valid").source,
            Source::Folder(path.into())
        );
    }
}

#[test]
fn each_field_is_checked() {
    let at = "actions/a.lua:3: define_action: ";
    for (body, error) in [
        (r#"{"executor":"native"}"#, "field 'source' is missing"),
        (r#"{"source":"x"}"#, "field 'executor' is missing"),
        (
            r#"{"source":5,"executor":"native"}"#,
            "field 'source' must be a string, got a number",
        ),
        (
            r#"{"source":"-x","executor":"native"}"#,
            "field 'source' may not start with '-' or hold control characters",
        ),
        (
            r#"{"source":"ftp://x","executor":"native"}"#,
            "field 'source' `ftp://` is neither a folder nor a git repository",
        ),
        (
            r#"{"source":"x","executor":"lambda"}"#,
            "field 'executor' `lambda` is not one of \"native\", \"docker\", \"wasm\", \"mcp\"",
        ),
        (
            r#"{"source":"x","executor":"native","timeuot":5}"#,
            "unknown field 'timeuot' (did you mean 'timeout'?)",
        ),
        (
            r#"{"source":"x","executor":"native","zzz":5}"#,
            "unknown field 'zzz'",
        ),
        (
            r#"{"source":"x","executor":"native","tag":"v1"}"#,
            "field 'tag' is for git sources, and the source is a folder",
        ),
        (
            r#"{"source":"x","executor":"docker","limits":{"memory":"1GiB"}}"#,
            "field 'limits' is for native actions: a container is bounded by its engine",
        ),
        (
            r#"{"source":"x","executor":"docker","writable":["x"]}"#,
            "field 'writable' is for native actions: a container is bounded by its engine",
        ),
        (
            r#"{"source":"x","executor":"docker","reads":[]}"#,
            "field 'reads' is for native actions: a container is bounded by its engine",
        ),
        (
            r#"{"source":"git@a:b","executor":"native","tag":"--x"}"#,
            "field 'tag' `--x` is not a tag, branch or commit",
        ),
    ] {
        assert_eq!(parse(body).expect_err(body), format!("{at}{error}"));
    }
    for (extra, error) in [
        (
            r#","timeout":"soon""#,
            "field 'timeout' `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
        ),
        (
            r#","timeout":-1"#,
            "field 'timeout' `-1` is out of range: a time is from 1 millisecond to 366 days",
        ),
        (
            r#","timeout":true"#,
            "field 'timeout' must be a number of seconds or a text such as \"5m\", got a boolean",
        ),
        (
            r#","defaults":[1]"#,
            "field 'defaults' must be a table with names, got a list",
        ),
        (
            r#","locked":"x""#,
            "field 'locked' must be a table with names, got a string",
        ),
        (
            r#","env":"HOME""#,
            "field 'env' must be a list of strings, got a string",
        ),
        (
            r#","env":["A B"]"#,
            "field 'env' `A B` is not the name of a variable",
        ),
        (
            r#","env":["A",5]"#,
            "field 'env' must be a list of strings, but element 2 is a number",
        ),
        (
            r#","env":["PATH"]"#,
            "field 'env' `PATH` is always set by Kael itself",
        ),
        (
            r#","limits":5"#,
            "field 'limits' must be a table with names, got a number",
        ),
        (
            r#","limits":{"memroy":"1GiB"}"#,
            "unknown field 'limits.memroy' (did you mean 'memory'?)",
        ),
        (
            r#","limits":{"memory":1073741824}"#,
            "field 'limits.memory' must be a text such as \"64MiB\", got a number",
        ),
        (
            r#","limits":{"memory":"1"}"#,
            "field 'limits.memory' `1` is not a size (write it like `64KiB`, `256MiB` or `1GiB`)",
        ),
        (
            r#","limits":{"memory":"1KiB"}"#,
            "field 'limits.memory' must be at least 16 MiB, got 1 KiB",
        ),
        (
            r#","limits":{"file_size":"9999TiB"}"#,
            "field 'limits.file_size' `9999TiB` is out of range: a size is from 1 byte to 1 TiB",
        ),
        (
            r#","limits":{"cpu":0}"#,
            "field 'limits.cpu' `0` is out of range: a time is from 1 millisecond to 366 days",
        ),
        (
            r#","limits":{"processes":-1}"#,
            "field 'limits.processes' must be a whole number from 4 to 100000, got -1",
        ),
        (
            r#","limits":{"processes":"many"}"#,
            "field 'limits.processes' must be a whole number from 4 to 100000, got a string",
        ),
        (
            r#","limits":{"open_files":1e9}"#,
            "field 'limits.open_files' must be a whole number from 16 to 1000000, got 1000000000.0",
        ),
        (
            r#","writable":"x""#,
            "field 'writable' must be a list of strings, got a string",
        ),
        (
            r#","writable":["a/../../x"]"#,
            "field 'writable' `a/../../x` may not hold '..': name what is outside of the actions folder by its whole path",
        ),
        (
            r#","writable":["/"]"#,
            "field 'writable' `/` is too much: name the files and folders that the action needs",
        ),
        (r#","writable":[""]"#, "field 'writable' `` is not a path"),
        (
            r#","reads":["~"]"#,
            "field 'reads' `~` is too much: name the files and folders that the action needs",
        ),
        (
            r#","reads":["~/x/.."]"#,
            "field 'reads' `~/x/..` is too much: name the files and folders that the action needs",
        ),
        (
            r#","reads":["/usr//.."]"#,
            "field 'reads' `/usr//..` is too much: name the files and folders that the action needs",
        ),
        (
            r#","reads":["/proc/self/environ"]"#,
            "field 'reads' `/proc/self/environ` belongs to the kernel: name nothing there",
        ),
        (
            r#","reads":["/dev/"]"#,
            "field 'reads' `/dev/` belongs to the kernel: name nothing there",
        ),
        (
            r#","type":"perl""#,
            "field 'type' `perl` is not one of \"python\", \"node\", \"shell\", \"other\"",
        ),
        (
            r#","interpreter":" ""#,
            "field 'interpreter' must be a command such as \"/usr/bin/env python3\"",
        ),
        (
            r#","subdir":"../x""#,
            "field 'subdir' `../x` must be a path inside the source: relative, without '..' or a leading '-'",
        ),
        (
            r#","entrypoint":"/bin/sh""#,
            "field 'entrypoint' `/bin/sh` must be a path inside the source: relative, without '..' or a leading '-'",
        ),
        (
            r#","defaults":{"a":{"b":1}},"locked":{"a":{"b":2}}"#,
            "field 'defaults': `a.b` is in 'locked', too: keep it in one of them",
        ),
        (
            r#","defaults":{"a":1},"locked":{"a":{"b":2}}"#,
            "field 'defaults': `a` is in 'locked', too: keep it in one of them",
        ),
    ] {
        assert_eq!(with(extra).expect_err(extra), format!("{at}{error}"));
    }
}

#[test]
fn a_wasm_action_gets_the_grants_of_its_fields() {
    let body = r#"{"source":"x","entrypoint":"a.wasm","executor":"wasm","env":["PATH"],
        "limits":{"memory":"64MiB","cpu":"5s"},"network":["Prometheus.internal:9090"],
        "dirs":{"/out":{"path":"/srv/out","mode":"read-write"},"/data":{"path":"./data"}},
        "sha256":"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}"#;
    let definition = parse(body).expect("valid");
    assert_eq!(definition.limits.memory, Some(ByteSize::mib(64)));
    assert_eq!(definition.limits.cpu, Some(TimeLimit::from_secs(5)));
    let network: Vec<_> = definition
        .grants
        .network
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(network, ["prometheus.internal:9090"]);
    let dirs = definition.grants.dirs.iter();
    let dirs: Vec<_> = dirs
        .map(|dir| (dir.seen_as.as_str(), dir.writable))
        .collect();
    assert_eq!(dirs, [("/data", false), ("/out", true)]);
    assert!(
        definition
            .grants
            .sha256
            .is_some_and(|digest| digest.starts_with("e3b0"))
    );
}

#[test]
fn each_field_of_a_wasm_action_is_checked() {
    let at = "actions/a.lua:3: define_action: ";
    let path = "must be named by an absolute path without '.' and '..', such as \"/data\"";
    for (extra, error) in [
        (r#""dirs":["/data"]"#, "field 'dirs' must be a table with names, got a list".to_owned()),
        (r#""dirs":{"data":{"path":"x"}}"#, format!("field 'dirs[\"data\"]' {path}")),
        (r#""dirs":{"/a/../b":{"path":"x"}}"#, format!("field 'dirs[\"/a/../b\"]' {path}")),
        (r#""dirs":{"/a/":{"path":"x"}}"#, format!("field 'dirs[\"/a/\"]' {path}")),
        (
            r#""dirs":{"/a":"x"}"#,
            "field 'dirs[\"/a\"]' must be a table such as { path = \"./data\", mode = \"read\" }".to_owned(),
        ),
        (r#""dirs":{"/a":{"mode":"read"}}"#, "field 'dirs[\"/a\"].path' is missing".to_owned()),
        (
            r#""dirs":{"/a":{"path":"x","mode":"rw"}}"#,
            "field 'dirs[\"/a\"].mode' `rw` is not one of \"read\", \"read-write\"".to_owned(),
        ),
        (
            r#""dirs":{"/a":{"path":"x","mod":"read"}}"#,
            "unknown field 'dirs[\"/a\"].mod' (did you mean 'mode'?)".to_owned(),
        ),
        (
            r#""network":["x"]"#,
            "field 'network' `x` is not a destination: it has no port (write it like `host:443`, `192.0.2.7:443`, \
             `[2001:db8::7]:443` or `10.0.0.0/8:443`)"
                .to_owned(),
        ),
        (r#""network":"x:1""#, "field 'network' must be a list of strings, got a string".to_owned()),
        (
            r#""sha256":"abc""#,
            "field 'sha256' must be 64 hexadecimal digits, as `sha256sum` prints them".to_owned(),
        ),
        (
            r#""limits":{"memory":64}"#,
            "field 'limits.memory' must be a text such as \"64MiB\", got a number".to_owned(),
        ),
        (
            r#""limits":{"memory":"64"}"#,
            "field 'limits.memory' `64` is not a size (write it like `64KiB`, `256MiB` or `1GiB`)".to_owned(),
        ),
        (
            r#""limits":{"processes":5}"#,
            "field 'limits.processes' is for native actions: with executor \"wasm\" there is `memory` and `cpu`".to_owned(),
        ),
        (r#""limits":{"mem":"64MiB"}"#, "unknown field 'limits.mem'".to_owned()),
        (r#""type":"other""#, "field 'type' is not for executor \"wasm\"".to_owned()),
    ] {
        let body = format!(r#"{{"source":"x","entrypoint":"a.wasm","executor":"wasm",{extra}}}"#);
        assert_eq!(parse(&body).expect_err(extra), format!("{at}{error}"));
    }
    let error = parse(r#"{"source":"x","executor":"wasm"}"#).expect_err("no file");
    assert_eq!(
        error,
        format!("{at}field 'entrypoint' is missing: executor \"wasm\" wants the file named")
    );
    for field in [r#""dirs":{}"#, r#""network":[]"#, r#""sha256":"""#] {
        let name = field.split('"').nth(1).expect("a name");
        let error = with(&format!(",{field}")).expect_err(field);
        assert_eq!(
            error,
            format!("{at}field '{name}' is for executor \"wasm\" only")
        );
    }
}

#[test]
fn all_mistakes_of_a_definition_are_found_at_once() {
    let at = "actions/a.lua:3: define_action: ";
    let body = r#"{"source":5,"tag":"v1","executor":"native","timeout":"soon","input":5,"args_order":["a"],"cache":"x","retry":5,"zzz":1}"#;
    let fields: Vec<String> = parse(body)
        .expect_err("wrong")
        .lines()
        .map(|line| {
            let error = line.strip_prefix(at).expect("a place");
            error.split('\'').nth(1).expect("a field").to_owned()
        })
        .collect();
    assert_eq!(
        fields,
        ["source", "cache", "retry", "input", "timeout", "zzz"]
    );
    let body = r#"{"source":"x","executor":"wasm","entrypoint":"a.wasm","description":5,"params":5,"returns":"strng",
        "limits":{"memory":1,"cpu":"soon","mem":1,"processes":5},"network":["x","y"],"type":"other","interpreter":"x",
        "dirs":{"a":5,"/b":{"mode":"rw"}},"sha256":"x","one":1,"two":2}"#;
    let problems = parse(body).expect_err("wrong");
    let told: Vec<&str> = problems
        .lines()
        .map(|line| line.split('\'').nth(1).expect("a field"))
        .collect();
    let expected = "type interpreter limits.memory limits.cpu limits.processes limits.mem dirs[\"/b\"].path \
        dirs[\"/b\"].mode dirs[\"a\"] dirs[\"a\"] network network sha256 description params returns one two";
    assert_eq!(told.join(" "), expected);
}

#[test]
fn times_are_numbers_or_texts() {
    assert_eq!(
        with(r#","timeout":60"#).expect("valid").timeout,
        TimeLimit::from_secs(60)
    );
    assert_eq!(
        with(r#","timeout":"5m""#).expect("valid").timeout,
        TimeLimit::from_secs(300)
    );
}

#[test]
fn lists_may_be_empty_tables() {
    assert!(
        with(r#","env":{},"defaults":{}"#)
            .expect("valid")
            .env
            .is_empty()
    );
}
