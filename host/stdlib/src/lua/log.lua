-- `log`: lines among the messages of the host, with fields behind the text.
local kael = ...
local call, fail = kael.call, kael.fail
local log = {}

for _, level in ipairs { "debug", "info", "warn", "error" } do
  log[level] = function(text, fields)
    if fields ~= nil and type(fields) ~= "table" then
      fail("log." .. level .. ": the fields must be a table, got " .. type(fields))
    end
    local parts, names = { tostring(text) }, {}
    for name in next, fields or {} do names[#names + 1] = tostring(name) end
    table.sort(names)
    for _, name in ipairs(names) do parts[#parts + 1] = name .. "=" .. tostring(fields[name]) end
    call("kael.log", { level = level, text = table.concat(parts, " ") })
  end
end

return log
