local function bad(n) return setmetatable({}, { __close = function(_, e) error(n .. " after " .. tostring(e), 0) end }) end
print(pcall(function()
  local a <close>, b = bad("a"), 1
  local c <close> = bad("c")
  error("first", 0)
end))
print(pcall(function() local x <close> = 5 end))
