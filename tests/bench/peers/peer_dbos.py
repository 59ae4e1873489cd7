"""An application of DBOS, which is a library: a step is a function. Its store is SQLite."""

import itertools
import json
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from processes import Process


class Peer:
    def __init__(self, arguments, folder):
        self.folder, self.numbers, self.open = folder, itertools.count(), {}
        self.lock = threading.Lock()

    def start(self):
        ready = self.open["ready"] = Future()
        script = Path(__file__).with_name("dbos_app.py")
        words = [sys.executable, script, self.folder]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.app = Process(words, self.folder, "app", **pipes)
        lines = self.app.process.stdout
        self.reader = threading.Thread(target=self.read, args=(lines,), daemon=True)
        self.reader.start()
        ready.result(120)

    def read(self, lines):
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            waiting = self.open.pop(told["id"], None)
            if waiting is None:
                continue
            if "error" in told:
                waiting.set_exception(RuntimeError(told["error"]))
            else:
                waiting.set_result(told["result"])
        for waiting in self.open.values():
            waiting.set_exception(RuntimeError(self.app.log.read_text()[-2000:]))

    def ask(self, do, *args, wait):
        number = next(self.numbers)
        answer = self.open[number] = Future()
        line = json.dumps({"id": number, "do": do, "args": args, "wait": wait}) + "\n"
        with self.lock:
            self.app.process.stdin.write(line.encode())
            self.app.process.stdin.flush()
        return answer.result(600)

    def steps(self, count):
        if self.ask("steps", count, wait=True) != count:
            raise RuntimeError("another result")

    def begin_notes(self, count, notes):
        self.ask("notes", count, str(notes), wait=False)

    def begin_waiting(self, count):
        for _ in range(count):
            self.ask("waits", wait=False)

    def kill(self):
        self.app.kill()
        # Else it may end what the next life of the application is asked.
        self.reader.join()
        self.open.clear()

    def start_again(self):
        self.start()

    def rss(self):
        return self.app.rss()

    def stop(self):
        if hasattr(self, "app"):
            self.app.kill()
