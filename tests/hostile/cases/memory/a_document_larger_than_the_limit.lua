-- JSON whose values take more room than its text.
-- options: --max-memory 64MiB
-- ends: limit 5
-- message: the script needs more memory than the 64 MiB it may use (it asked for *)
local text = "[" .. ('{"":0},'):rep(1000000) .. "0]"
print(#text, pcall(json.decode, text))
