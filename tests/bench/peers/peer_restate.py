"""Restate's server with its defaults, and one service in Node: a step is `ctx.run`."""

import http.client
import json
import threading

from processes import Process, free_port


class Peer:
    def __init__(self, arguments, folder):
        self.place, self.folder = arguments.place, folder
        self.ingress, self.admin, self.fabric, self.service = (free_port() for _ in range(4))
        self.local = threading.local()

    def start(self):
        binary = self.place / "node_modules" / ".bin" / "restate-server"
        environment = {
            "RESTATE_BASE_DIR": str(self.folder / "restate"),
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{self.ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self.admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{self.fabric}",
            "RESTATE_LOG_FILTER": "error",
            "DO_NOT_TRACK": "1",
        }
        self.server = Process([binary], self.folder, "server", environment)
        self.start_again()

        def registered():
            body = {"uri": f"http://127.0.0.1:{self.service}", "force": True}
            return self.ask(self.admin, "POST", "/deployments", body) is not None

        self.server.until(registered, "restate-server")
        self.server.until(lambda: self.steps(1) is None, "the service of Restate")

    def start_again(self):
        # Beside its modules.
        words = ["node", self.place / "restate.mjs", self.service]
        self.worker = Process(words, self.folder, "worker")

        def listens():
            connection = http.client.HTTPConnection("127.0.0.1", self.service, timeout=1)
            connection.connect()
            connection.close()
            return True

        self.worker.until(listens, "the service of Restate")

    def ask(self, port, method, path, body=None):
        held = self.local.__dict__.setdefault("connections", {})
        connection = held.get(port)
        if connection is None:
            connection = held[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        try:
            headers = {"content-type": "application/json"}
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except Exception:
            held.pop(port, None)
            raise
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {answer.status} {text[:500]}")
        return json.loads(text) if text else None

    def steps(self, count):
        if self.ask(self.ingress, "POST", "/bench/steps", {"count": count}) != count:
            raise RuntimeError("another result")

    def begin_notes(self, count, notes):
        body = {"count": count, "file": str(notes)}
        self.ask(self.ingress, "POST", "/bench/notes/send", body)

    def begin_waiting(self, count):
        for _ in range(count):
            self.ask(self.ingress, "POST", "/bench/waits/send", {})

    def kill(self):
        self.worker.kill()

    def rss(self):
        return self.server.rss() + self.worker.rss()

    def stop(self):
        for process in ("worker", "server"):
            if hasattr(self, process):
                getattr(self, process).kill()
