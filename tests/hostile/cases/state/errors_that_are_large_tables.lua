-- The text of a raised table is bounded.
-- ends: script 1
-- message: {*...*}
local t = {}
for i = 1, 1e5 do t[("k"):rep(300) .. i] = { ("v"):rep(300), { { { { i } } } } } end
t.self = t
error(setmetatable(t, { __index = error, __pairs = error, __len = error }))
