-- `jq(value, filter)`: returns all outputs of a jq filter.
local kael = ...
local type, fail, native, pack, unpack, wrong_options =
  type, kael.fail, kael.jq, table.pack, table.unpack, kael.wrong_options

function jq(value, filter, variables, options)
  if type(filter) ~= "string" then fail("jq: the filter must be a string, got " .. type(filter)) end
  if variables ~= nil and type(variables) ~= "table" then
    fail("jq: the variables must be a table such as { limit = 10 }, got " .. type(variables))
  end
  local wrong = wrong_options(options)
  if wrong then fail("jq: " .. wrong) end
  local results = pack(native(value, filter, variables, options and options.null))
  if not results[1] then fail("jq: " .. results[2]) end
  return unpack(results, 2, results.n)
end
