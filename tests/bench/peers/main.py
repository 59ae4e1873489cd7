"""Runs every row with every peer, and prints a table."""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

PEERS = ["kael", "restate", "temporal", "dbos"]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def three_steps(peer, size):
    """Three durable steps in one run, one run after the other: from its start to its result."""
    for _ in range(size["warm"]):
        peer.steps(3)
    times = []
    for _ in range(size["three"]):
        begin = time.monotonic()
        peer.steps(3)
        times.append((time.monotonic() - begin) * 1000)
    return {
        "three steps, p50 ms": round(percentile(times, 0.5), 2),
        "three steps, p99 ms": round(percentile(times, 0.99), 2),
    }


def throughput(peer, size, clients):
    """Runs of one step a second, with so many clients that each wait for the end of theirs."""
    done, until = [0] * clients, time.monotonic() + size["seconds"]
    failed = []

    def client(number):
        try:
            while time.monotonic() < until:
                peer.steps(1)
                done[number] += 1
        except Exception as error:  # told by the caller
            failed.append(error)

    begin = time.monotonic()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return {f"runs/s, {clients} clients": round(sum(done) / (time.monotonic() - begin), 1)}


def many_steps(peer, size):
    """Many durable steps in one run."""
    begin = time.monotonic()
    peer.steps(size["many"])
    return {f"{size['many']} steps, s": round(time.monotonic() - begin, 3)}


def killed(peer, size, folder):
    """`kill -9` of what runs the steps, in the middle: until the next step, after the kill and after it is back."""
    notes = folder / "notes"
    notes.touch()
    peer.begin_notes(size["notes"], notes)

    def count():
        return len(notes.read_text().splitlines())

    late = time.monotonic() + 120
    while count() < 3:
        if time.monotonic() > late:
            raise RuntimeError("no step was begun")
        time.sleep(0.005)
    peer.kill()
    before, begin = count(), time.monotonic()
    peer.start_again()
    back = time.monotonic()
    while count() <= before:
        if time.monotonic() > begin + 180:
            raise RuntimeError("no step was begun after the kill")
        time.sleep(0.002)
    now = time.monotonic()
    return {
        "kill to the next step, s": round(now - begin, 3),
        "back to the next step, s": round(now - back, 3),
    }


def memory(peer, size):
    """What all processes have in memory: with nothing to do, and with runs that wait for an hour."""
    idle = peer.rss()
    peer.begin_waiting(size["waiting"])
    time.sleep(size["settle"])
    return {
        "idle, MiB": round(idle, 1),
        f"{size['waiting']} waiting, MiB": round(peer.rss(), 1),
    }


def measure(name, arguments, size):
    module = importlib.import_module(f"peer_{name}")
    rows = {}
    # A store of its own for each part, so that none is slower for what another has left.
    parts = [
        lambda peer, folder: memory(peer, size),
        lambda peer, folder: three_steps(peer, size),
        lambda peer, folder: many_steps(peer, size),
        lambda peer, folder: throughput(peer, size, 50),
        lambda peer, folder: throughput(peer, size, 200),
        lambda peer, folder: killed(peer, size, folder),
    ]
    for part in parts:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=arguments.place))
        peer = module.Peer(arguments, folder)
        try:
            peer.start()
            rows.update(part(peer, folder))
        finally:
            peer.stop()
            shutil.rmtree(folder, ignore_errors=True)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("peers", nargs="*", metavar="PEER")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.peers if name not in PEERS]
    if unknown:
        sys.exit(f"error: no peer `{unknown[0]}`: there are {', '.join(PEERS)}")
    size = {
        "warm": 20,
        "three": 300,
        "many": 1000,
        "seconds": 20,
        "notes": 400,
        "waiting": 1000,
        "settle": 10,
    }
    if arguments.tiny:
        size = {
            "warm": 1,
            "three": 3,
            "many": 20,
            "seconds": 2,
            "notes": 40,
            "waiting": 20,
            "settle": 2,
        }
    found = {}
    for name in arguments.peers or PEERS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = measure(name, arguments, size)
        print(json.dumps({name: found[name]}), file=sys.stderr, flush=True)
    names = list(found)
    print("| row | " + " | ".join(names) + " |")
    print("| --- |" + " --- |" * len(names))
    for row in found[names[0]]:
        cells = [str(found[name].get(row, "")) for name in names]
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
