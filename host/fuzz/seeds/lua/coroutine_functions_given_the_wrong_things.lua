print(pcall(coroutine.wrap, 5), pcall(coroutine.status, nil))
local function g() local _o = coroutine.create(g) return coroutine.resume(co) end
g()
