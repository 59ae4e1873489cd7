local function f() return coroutine.wrap(f)() end
local ok, problem = pcall(f)
print(ok, (tostring(problem):gsub("^.-:%d+: ", "")))
local function g() local co = coroutine.create(g) return coroutine.resume(co) end
local answers = table.pack(g())
print(answers[1], answers[answers.n])
