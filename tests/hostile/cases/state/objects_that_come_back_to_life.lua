-- Finalisers that bring their objects back, and make new ones: those of the end are called once each, and none after.
-- action: echo | cat
-- ends: ok 0
-- output: true\n1000\n
local kept, ended = {}, 0
for i = 1, 1000 do
  setmetatable({}, { __gc = function(o)
    kept[#kept + 1] = setmetatable(o, { __gc = function(again)
      ended = ended + 1
      setmetatable(again, { __gc = function() print("never") end })
      if ended == 1000 then print(ended) end
    end })
    setmetatable({}, { __gc = function() kept[#kept + 1] = 1 end })
  end })
end
collectgarbage() collectgarbage()
print(#kept > 1000)
