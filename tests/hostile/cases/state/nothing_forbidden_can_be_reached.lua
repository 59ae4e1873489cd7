-- No removed function can be reached from the globals or their metatables.
-- (`os.exit` ends the run alone, and `package.cpath` is an empty text.)
-- ends: ok 0
-- output: true\t1\ttable.remove\n
local forbidden = { getregistry = 1, sethook = 1, getupvalue = 1, setupvalue = 1, upvalueid = 1, upvaluejoin = 1,
  getinfo = 1, getlocal = 1, setlocal = 1, setuservalue = 1, dump = 1, dofile = 1, loadfile = 1, io = 1, popen = 1,
  open = 1, execute = 1, getenv = 1, remove = 1, rename = 1, tmpname = 1, setlocale = 1, loadlib = 1,
  searchers = 1, searchpath = 1, define_action = 1, emit = 1, raw_traceback = 1, kael = 1 }
local seen, found, tables = {}, {}, 0
local function walk(value, path)
  if type(value) ~= "table" or seen[value] then
    local mt = type(value) ~= "table" and getmetatable(value)
    if type(mt) == "table" then walk(mt, path .. "<mt>") end
    return
  end
  seen[value] = true
  tables = tables + 1
  for k, v in next, value do
    if forbidden[k] then found[#found + 1] = path .. "." .. tostring(k) end
    walk(k, path .. "[key]")
    walk(v, path .. "." .. tostring(k))
  end
  local mt = getmetatable(value)
  if type(mt) == "table" then walk(mt, path .. "<mt>") end
end
walk(_G, "_G")
-- The table is reached by two ways, and which is first is chance.
print(tables > 8, #found, (table.concat(found, " "):match("table%.remove$")))
