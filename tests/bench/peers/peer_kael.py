"""`kael-host serve`: a step is an action of WebAssembly that does nothing, with `effects = "idempotent"`."""

import http.client
import json
import os
import subprocess
import threading

from processes import Process, free_port

ACTIONS = """
return { t = {
  step = define_action { source = ".", executor = "wasm", entrypoint = "step.wasm", effects = "idempotent" },
  note = define_action { source = ".", executor = "native", interpreter = "sh", entrypoint = "note.sh",
    effects = "idempotent", writable = { "FOLDER" } },
} }
"""

# A command that prints 1 and ends: fd_write of two bytes that are there.
STEP = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00")
  (data (i32.const 16) "1\\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""


def unsigned(number):
    out = bytearray()
    while True:
        byte = number & 0x7F
        number >>= 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def vector(items):
    return unsigned(len(items)) + b"".join(items)


def text(value):
    return unsigned(len(value)) + value


def section(number, body):
    return bytes([number]) + unsigned(len(body)) + body


def step():
    """The bytes of STEP, so that no tool is needed to assemble it."""
    i32 = b"\x7f"
    types = vector([b"\x60" + vector([i32] * 4) + vector([i32]), b"\x60" + vector([]) + vector([])])
    imports = vector([text(b"wasi_snapshot_preview1") + text(b"fd_write") + b"\x00\x00"])
    exports = vector([text(b"memory") + b"\x02\x00", text(b"_start") + b"\x00\x01"])
    body = vector([]) + b"\x41\x01\x41\x00\x41\x01\x41\x08\x10\x00\x1a\x0b"
    data = [
        b"\x00\x41\x00\x0b" + text(b"\x10\0\0\0\x02\0\0\0"),
        b"\x00\x41\x10\x0b" + text(b"1\n"),
    ]
    return (
        b"\0asm\x01\0\0\0"
        + section(1, types)
        + section(2, imports)
        + section(3, vector([b"\x01"]))
        + section(5, vector([b"\x00\x01"]))
        + section(7, exports)
        + section(10, vector([text(body)]))
        + section(11, vector(data))
    )


class Peer:
    def __init__(self, arguments, folder):
        self.host, self.folder = arguments.host, folder
        self.port = free_port()
        self.local = threading.local()
        self.environment = {
            "KAEL_DATA": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        actions = folder / "actions"
        actions.mkdir()
        state = folder / "state"
        state.mkdir()
        (actions / "init.lua").write_text(ACTIONS.replace("FOLDER", str(state)))
        (actions / "step.wasm").write_bytes(step())
        (actions / "note.sh").write_text(f"cat > /dev/null; date +%s.%N >> {state}/notes; sleep 0.02; echo 1\n")
        (folder / "serve.yaml").write_text("slots: 256\n")
        self.token = None

    def serve(self):
        words = [self.host, "--actions", "actions", "serve", "--config", "serve.yaml"]
        words += ["--listen", f"127.0.0.1:{self.port}"]
        self.server = Process(words, self.folder, "serve", self.environment)
        self.server.until(lambda: self.ask("GET", "/readyz", raw=True), "kael-host serve")

    def start(self):
        self.serve()
        self.server.until(self.sign_in, "kael-host serve")
        link = self.sign_in()
        subprocess.run(
            [self.host, "login", link],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )
        made = subprocess.run(
            [self.host, "token", "create", "bench", "--role", "submitter", "--json"],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )
        self.token = json.loads(made.stdout)["secret"]

    def sign_in(self):
        """The link that signs the first operator in, once, which the server prints when it listens."""
        words = self.server.log.read_text().split()
        links = [word for word in words if "://" in word and "/login" in word]
        return links[0] if links else None

    def ask(self, method, path, body=None, raw=False):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            self.local.connection = connection
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except Exception:
            self.local.connection = None
            raise
        if raw:
            return answer.status == 200
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]}")
        return json.loads(text)

    def submit(self, script):
        return self.ask("POST", "/v1/runs", {"script": script})["id"]

    def steps(self, count):
        run = self.submit(f"for _ = 1, {count} do actions.t.step {{}} end")
        ended = self.ask("GET", f"/v1/runs/{run}?wait=60s")
        if ended["state"] != "succeeded":
            raise RuntimeError(str(ended))

    def begin_notes(self, count, notes):
        notes.unlink()
        notes.symlink_to(self.folder / "state" / "notes")
        (self.folder / "state" / "notes").touch()
        self.submit(f"for _ = 1, {count} do actions.t.note {{}} end")

    def begin_waiting(self, count):
        for _ in range(count):
            self.submit("sleep('1h')")

    def kill(self):
        self.server.kill()
        self.local.connection = None

    def start_again(self):
        self.serve()

    def rss(self):
        return self.server.rss()

    def stop(self):
        if hasattr(self, "server"):
            self.server.kill()
