-- `fs`: files below the folders that the policy opens, by the actions `kael.fs.*`.
local kael = ...
local act, fail = kael.act, kael.fail
local fs = {}

local function check(what, path)
  if type(path) ~= "string" then error("fs." .. what .. ": the path must be a string, got " .. type(path), 3) end
end
local function call(what, params)
  local value = act("kael.fs." .. what, params)
  if value ~= kael.null then return value end
end

local function bytes_of(path)
  local read = call("read", { path = path })
  return read.text or as_bytes(read.bytes), read.text ~= nil
end
-- The text of a file.
function fs.read(path)
  check("read", path)
  local text, is_text = bytes_of(path)
  if not is_text then fail('fs.read: "' .. path .. '" is not UTF-8 text: use fs.read_bytes') end
  return text
end
-- The bytes of a file.
function fs.read_bytes(path)
  check("read_bytes", path)
  return (bytes_of(path))
end
-- The lines of a file, without their ends.
function fs.lines(path)
  check("lines", path)
  local text = bytes_of(path)
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  return text:gmatch("([^\n]*)\n")
end
function fs.write(path, text)
  check("write", path)
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then fail("fs.write: expected a string to write, got " .. type(text)) end
  if utf8.len(text) then
    call("write", { path = path, text = text })
  else
    call("write", { path = path, bytes = as_chars(text) })
  end
end
fs.write_bytes = fs.write
function fs.append(path, text)
  check("append", path)
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then fail("fs.append: expected a string to write, got " .. type(text)) end
  if utf8.len(text) then
    call("append", { path = path, text = text })
  else
    call("append", { path = path, bytes = as_chars(text) })
  end
end
function fs.remove(path)
  check("remove", path)
  call("remove", { path = path })
end
function fs.mkdir(path)
  check("mkdir", path)
  call("mkdir", { path = path })
end
function fs.rename(path, to)
  check("rename", path)
  check("rename", to)
  call("rename", { path = path, to = to })
end
-- Copies a file; returns its bytes.
function fs.copy(path, to)
  check("copy", path)
  check("copy", to)
  return call("copy", { path = path, to = to })
end
-- A mode is a number, or a text of octal digits: "644".
function fs.chmod(path, mode)
  check("chmod", path)
  local bits = mode
  if type(mode) == "string" then bits = tonumber(mode, 8) end
  if math.type(bits) ~= "integer" or bits < 0 or bits > 511 then
    local got = math.type(bits) == "integer" and bits > 0 and ("%o"):format(bits) or tostring(mode)
    fail('fs.chmod: the mode is octal, from "000" to "777", got ' .. got)
  end
  call("chmod", { path = path, mode = bits })
end
function fs.stat(path)
  check("stat", path)
  return call("stat", { path = path }) or fail('fs.stat: there is no "' .. path .. '"')
end
function fs.exists(path)
  check("exists", path)
  return call("stat", { path = path }) ~= nil
end
-- { name, path, type } of each entry, sorted; `path` begins at the folder.
function fs.list(path)
  check("list", path)
  return call("list", { path = path })
end
function fs.readdir(path, opts)
  check("readdir", path)
  return call("list", { path = path, depth = opts and opts.depth })
end
-- The parts of a pattern: `**/` for folders or none, `**`, `*`, `?`, or a byte that stands for itself.
local function parts_of(pattern)
  local parts, at = {}, 1
  while at <= #pattern do
    local part = pattern:match("^%*%*/?", at) or pattern:sub(at, at)
    parts[#parts + 1] = part
    at = at + #part
  end
  return parts
end
-- Whether a path fits: how much of it each part can have matched, one part after the other. This takes
-- time in proportion to the path and the pattern.
local function fits(path, parts)
  local matched = { [0] = true }
  for _, part in ipairs(parts) do
    local now, open = {}, false
    for length = 0, #path do
      local byte = path:sub(length, length)
      if part == "*" or part == "**" then
        open = matched[length] or open and (part == "**" or byte ~= "/")
        now[length] = open
      elseif part == "**/" then
        now[length] = matched[length] or open and byte == "/"
        open = open or matched[length]
      elseif length > 0 and matched[length - 1] then
        now[length] = part == byte or part == "?" and byte ~= "/"
      end
    end
    matched = now
  end
  return matched[#path]
end
-- The paths that fit a pattern with `*`, `?` and `**`, sorted.
function fs.glob(pattern)
  check("glob", pattern)
  local base = pattern:match("^([^*?]*/)") or "/"
  local parts, found = parts_of(pattern), {}
  local depth = pattern:find("**", 1, true) and 64 or select(2, pattern:sub(#base + 1):gsub("/", "")) + 1
  for _, entry in ipairs(call("list", { path = base, depth = depth })) do
    local path = base .. entry.path
    if fits(path, parts) then found[#found + 1] = path end
  end
  return found
end
-- Replaces a Lua pattern in a file, which is written only if something changed. Returns how often.
function fs.sub_in_file(path, pattern, replacement)
  check("sub_in_file", path)
  local text, count = bytes_of(path):gsub(pattern, replacement)
  if count > 0 then fs.write(path, text) end
  return count
end

return fs
