"""An application of DBOS with SQLite: dbos_app.py FOLDER. It is asked for workflows by lines of JSON on stdin, and answers
each with a line when the workflow has ended, or when it has begun."""

import json
import sys
import threading
import time

from dbos import DBOS


@DBOS.step()
def step() -> int:
    return 1


@DBOS.step()
def note(file: str) -> int:
    with open(file, "a") as notes:
        notes.write(f"{time.time()}\n")
    time.sleep(0.02)
    return 1


@DBOS.workflow()
def steps(count: int) -> int:
    for _ in range(count):
        step()
    return count


@DBOS.workflow()
def notes(count: int, file: str) -> int:
    for _ in range(count):
        note(file)
    return count


@DBOS.workflow()
def waits() -> None:
    DBOS.sleep(3600)


ALL = {"steps": steps, "notes": notes, "waits": waits}
answering = threading.Lock()


def answer(asked):
    try:
        handle = DBOS.start_workflow(ALL[asked["do"]], *asked["args"])
        result = handle.get_result() if asked["wait"] else None
        told = {"id": asked["id"], "result": result}
    except Exception as error:
        told = {"id": asked["id"], "error": repr(error)}
    with answering:
        print(json.dumps(told), flush=True)


def main():
    url = f"sqlite:///{sys.argv[1]}/dbos.sqlite"
    DBOS(config={"name": "kael-bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"})
    DBOS.launch()
    print(json.dumps({"id": "ready", "result": None}), flush=True)
    for line in sys.stdin:
        threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()


if __name__ == "__main__":
    main()
