-- Protected calls in protected calls.
-- ends: ok 0
-- output: true\tC stack overflow\ttrue\n
local depth = 0
local function f() depth = depth + 1 return pcall(f) end
local answers = table.pack(f())
print(answers[1], answers[answers.n], depth > 100)
