-- A chunk's name is the script's own text, and is made visible in errors.
-- ends: script 1
-- message: \u{1b}[2J\nError: fake\r:1: x
load("error('x')", "=\27[2J\nError: fake\r")()
