-- A yield where no yield can be is an error, not a crash.
-- ends: ok 0
-- output: false\tattempt to yield across a C-call boundary\nfalse\tattempt to yield across a C-call boundary\nfalse\tscript.lua:7: attempt to concatenate a table value\nfalse\tattempt to yield across a C-call boundary\ntrue\n
for _, f in ipairs {
  function() table.sort({ 3, 2, 1 }, function() coroutine.yield() end) end,
  function() ("x"):gsub("x", function() coroutine.yield() end) end,
  function() return setmetatable({}, { __tostring = function() coroutine.yield() end }) .. "" end,
  function() tostring(setmetatable({}, { __tostring = function() coroutine.yield() end })) end,
  function() load(function() coroutine.yield() end) end,
} do print(coroutine.resume(coroutine.create(f))) end
