"""Processes of a peer: started in groups of their own, and killed by them."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Process:
    """A process with its output in a file."""

    def __init__(self, words, folder, name, environment=None, **options):
        self.log = folder / f"{name}.log"
        self.process = subprocess.Popen(
            [str(word) for word in words],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=options.get("stdin", subprocess.DEVNULL),
            stdout=options.get("stdout") or open(self.log, "ab"),
            stderr=open(self.log, "ab"),
            start_new_session=True,
        )

    def kill(self):
        """`kill -9` of all of them."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def rss(self):
        """MiB of all processes of the group."""
        pages = 0
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if os.getpgid(int(folder.name)) == self.process.pid:
                    pages += int((folder / "statm").read_text().split()[1])
            except (OSError, ProcessLookupError):
                continue
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def until(self, ready, what):
        """Waits until a function says that it is ready."""
        late = time.monotonic() + 120
        while True:
            try:
                if ready():
                    return
            except Exception:  # not yet
                pass
            if self.process.poll() is not None or time.monotonic() > late:
                raise RuntimeError(f"{what} does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.01)
