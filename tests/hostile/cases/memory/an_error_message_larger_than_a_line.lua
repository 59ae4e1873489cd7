-- A message of two megabytes is cut where it is reported.
-- options: --max-memory 64MiB
-- ends: script 1
-- message: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef*... (2 MiB in all)
error(("0123456789abcdef"):rep(1 << 17), 0)
