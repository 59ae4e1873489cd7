"""Temporal's server for development, with SQLite in a file, and one worker in Python: a step is an activity."""

import asyncio
import socket
import sys
import threading
import uuid
from pathlib import Path

from temporalio.client import Client

import temporal_worker
from processes import Process, free_port


class Peer:
    def __init__(self, arguments, folder):
        self.folder, self.port = folder, free_port()
        self.binary = arguments.place / "venv" / "bin" / "temporal"
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def on_loop(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(600)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        words = [self.binary, "server", "start-dev", "--headless", "--port", self.port]
        words += ["--db-filename", self.folder / "temporal.db", "--log-level", "error"]
        self.server = Process(words, self.folder, "server")

        def answers():
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            self.client = self.on_loop(Client.connect(self.address))
            return True

        self.server.until(answers, "temporal server")
        self.start_again()
        self.steps(1)

    def start_again(self):
        script = Path(temporal_worker.__file__)
        self.worker = Process([sys.executable, script, self.address], self.folder, "worker")
        before = self.worker.log.stat().st_size
        self.worker.until(lambda: self.worker.log.stat().st_size > before, "the worker of Temporal")

    def kill(self):
        self.worker.kill()

    def begin(self, workflow, *arguments):
        name = str(uuid.uuid4())
        begun = self.client.start_workflow(workflow, args=list(arguments), id=name, task_queue="bench")
        return self.on_loop(begun)

    def steps(self, count):
        name = str(uuid.uuid4())
        done = self.client.execute_workflow("Steps", args=[count], id=name, task_queue="bench")
        if self.on_loop(done) != count:
            raise RuntimeError("another result")

    def begin_notes(self, count, notes):
        self.begin("Notes", count, str(notes))

    def begin_waiting(self, count):
        for _ in range(count):
            self.begin("Waits")

    def rss(self):
        return self.server.rss() + self.worker.rss()

    def stop(self):
        for process in ("worker", "server"):
            if hasattr(self, process):
                getattr(self, process).kill()
        self.loop.call_soon_threadsafe(self.loop.stop)
