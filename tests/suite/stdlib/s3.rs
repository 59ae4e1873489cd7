//! `assay.s3` with a real server of the same protocol, behind a check of every signature.

use std::process::{Child, Command, Stdio};

use kael_tests::{Kael, Need, needs, peers};

use super::database::until;
use super::with_grants;

/// The server, until the test ends.
struct Store {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Store {
    fn start() -> Option<Self> {
        if !needs(&[Need::Npm]) {
            return None;
        }
        let folder = tempfile::TempDir::new().expect("a folder");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = Command::new("node")
            // Its tokens of pages are made with DES.
            .arg("--openssl-legacy-provider")
            .args(["-e", include_str!("s3_server.js"), &port.to_string()])
            .arg(folder.path())
            .current_dir(peers().expect("needed"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let store = Self {
            port,
            child,
            _folder: folder,
        };
        until("the store does not answer", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(store)
    }

    fn session(&self, more: &str) -> Kael {
        let port = self.port;
        with_grants(&format!(
            "  http: [{{ to: \"http://127.0.0.1:{port}\" }}]\n{more}"
        ))
    }
}

#[test]
fn objects_of_any_name_and_any_bytes_are_kept() {
    let Some(store) = Store::start() else {
        return;
    };
    let kael = store.session("  fs: [{ path: FOLDER/files, as: /data, mode: read-write }]\n");
    let folder = kael.path().to_owned();
    std::fs::create_dir(folder.join("files")).expect("a folder");
    let policy = std::fs::read_to_string(folder.join("p.yaml")).expect("a policy");
    let policy = policy.replace("FOLDER", &folder.display().to_string());
    let ran = kael.file("p.yaml", policy).script(&format!(
        r#"local s3 = require("assay.s3")
        local c = s3.client {{ endpoint = "http://127.0.0.1:{}", access_key = "KAEL", secret_key = "a-key-of-the-store" }}
        print(c.buckets:exists("first"), c.buckets:create("first"), c.buckets:exists("first"), c.buckets:list()[1].name)
        local all = {{}}
        for byte = 0, 255 do all[#all + 1] = string.char(byte) end
        local bytes = table.concat(all)
        for _, key in ipairs {{ "plain", "a b+c&d=e/ü😀", "x/y/z.txt", "q?#%" }} do
          c.objects:put("first", key, bytes, {{ content_type = "application/x-test" }})
          print(key, c.objects:get("first", key) == bytes, c.objects:head("first", key).headers["content-type"])
        end
        print(c.objects:get("first", "none"), c.objects:head("first", "none"))
        print(c.objects:copy("first", "x/y/z.txt", "first", "copy"), c.objects:get("first", "copy") == bytes)
        local got = c.objects:list("first", {{ prefix = "x/", delimiter = "/" }})
        print(got.key_count, #got.objects, got.prefixes[1])
        local keys = {{}}
        for object in c.objects:all("first", {{ max_keys = 2 }}) do keys[#keys + 1] = object.key .. ":" .. object.size end
        print(table.concat(keys, " "))
        print(c.objects:download("first", "plain", "/data/plain"), fs.read_bytes("/data/plain") == bytes)
        print(http.get(c.objects:presign("first", "a b+c&d=e/ü😀", {{ expires = 60 }})).body == bytes)
        for _, key in ipairs(keys) do c.objects:delete("first", (key:gsub(":%d+$", ""))) end
        print(c:list_objects("first").key_count, c:delete_bucket("first"), c:bucket_exists("first"))"#,
        store.port
    ));
    ran.exits(0).prints(
        "false	true	true	first
plain	true	application/x-test
a b+c&d=e/ü😀	true	application/x-test
x/y/z.txt	true	application/x-test
q?#%	true	application/x-test
nil	nil
true	true
0	0	x/y/
a b+c&d=e/ü😀:256 copy:256 plain:256 q?#%:256 x/y/z.txt:256
256	true
true
0	true	false
",
    );
}

#[test]
fn a_wrong_key_and_a_strange_name_are_refused() {
    let Some(store) = Store::start() else {
        return;
    };
    let port = store.port;
    let ran = store.session("").script(&format!(
        r#"local s3 = require("assay.s3")
        local function client(key) return s3.client {{ endpoint = "http://127.0.0.1:{port}", access_key = "KAEL", secret_key = key }} end
        print(select(2, pcall(function() client("wrong"):create_bucket("first") end)))
        local c = client("a-key-of-the-store")
        print(select(2, pcall(function() c.objects:get("none", "x/y", {{}}) c.objects:put("none", "x", "y") end)))
        for _, try in ipairs {{ {{ "a/../b", "x" }}, {{ "first", "x/../../other" }}, {{ "first", "" }}, {{ "first", 5 }} }} do
          print(select(2, pcall(function() c.objects:get(try[1], try[2]) end)))
        end
        print(select(2, pcall(function() c.objects:copy("first", "x/../../other", "first", "x") end)))
        print(select(2, pcall(s3.client, {{ endpoint = "127.0.0.1:{port}", access_key = "a", secret_key = "b" }})))
        print(select(2, pcall(s3.client, {{ endpoint = "http://127.0.0.1:{port}", access_key = "a" }})))"#
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let expected = [
        "s3: PUT /first: 403: SignatureDoesNotMatch: It is <another> one",
        "s3: PUT /none/x: 404: NoSuchBucket",
        "`a/../b` is no name of a bucket",
        "`..` is no name: a server reads it as another path",
        "the key of an object must be a text, got string",
        "the key of an object must be a text, got number",
        "`..` is no name: a server reads it as another path",
        "the endpoint must be http://host or https://host",
        "`access_key` and `secret_key` are missing",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ran.stdout);
    for (line, words) in lines.iter().zip(expected) {
        assert!(line.contains(words), "{line}: {words}");
    }
}

#[test]
fn the_key_can_be_a_secret_that_no_script_sees() {
    let Some(store) = Store::start() else {
        return;
    };
    let port = store.port;
    let script = format!(
        r#"local c = require("assay.s3").client {{ endpoint = "http://127.0.0.1:{port}", access_key = "KAEL", secret_key = secret("store/key") }}
        print(c.buckets:create("first"), c.buckets:exists("first"))
        print(c.objects:presign("first", "a"))
        print(select(2, pcall(c.objects.get, c.objects, "nowhere", "a")))"#
    );
    let session = |rule: &str| {
        let kael = Kael::new();
        let list = format!(
            "version: 1\nsecrets:\n  store/key: {{ file: {}/value }}\n",
            kael.path().display()
        );
        let policy = format!(
            "version: 1\ndefault: allow\ngrants: {{ http: [{{ to: \"http://127.0.0.1:{port}\" }}] }}\nsecrets:\n  - {{ {rule} }}\n"
        );
        kael.file("value", "a-key-of-the-store")
            .file("config/kael/secrets.yaml", list)
            .file("p.yaml", policy)
            .run_with(&["--policy", "p.yaml"])
    };
    let ran = session("use: \"store/*\", in: [\"kael.s3.sign\"]").script(&script);
    ran.exits(0);
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("true\ttrue"));
    assert!(
        lines
            .next()
            .is_some_and(|line| line.contains("X-Amz-Signature="))
    );
    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.contains("a-key-of-the-store"), "{said}");
    }
    let ran = session("use: \"store/*\", in: [\"kael.http.*\"]").script(&script);
    ran.exits(4);
}
