-- Finalisers that bring their objects back, and make new ones, end with the run and not later.
-- action: echo | cat
-- ends: ok 0
-- output: true\n
local kept = {}
for i = 1, 1000 do
  setmetatable({}, { __gc = function(o)
    kept[#kept + 1] = setmetatable(o, { __gc = function() print("never") end })
    setmetatable({}, { __gc = function() kept[#kept + 1] = 1 end })
  end })
end
collectgarbage() collectgarbage()
print(#kept > 1000)
