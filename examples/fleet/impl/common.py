"""What the actions of this folder share: parameters from stdin, a result to stdout, an error to both."""

import csv
import json
import pathlib
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def rows(name):
    with open(DATA / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def serve(action):
    params = json.load(sys.stdin)
    try:
        result = action(params)
    except Exception as problem:
        print(json.dumps({"error": str(problem)}))
        sys.exit(1)
    print(json.dumps(result))
