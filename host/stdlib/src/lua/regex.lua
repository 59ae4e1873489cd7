-- `regex`: regular expressions, in time that grows with the text alone: no look-around, no
-- back-references. The text comes first, then the pattern.
local kael = ...
local jq, fail = kael.jq, kael.fail
local regex = {}

local function ask(what, s, pattern, filter)
  if type(s) ~= "string" then fail("regex." .. what .. ": expected a text, got " .. type(s)) end
  if type(pattern) ~= "string" then fail("regex." .. what .. ": expected a pattern, got " .. type(pattern)) end
  if not utf8.len(s) then fail("regex." .. what .. ": the text is not UTF-8") end
  local results = table.pack(jq(s, filter, { p = pattern }))
  if not results[1] then fail("regex." .. what .. ": " .. tostring(results[2])) end
  return results[2]
end

local match_mt = { __tostring = function(m) return m.match end }
local function made(m)
  local groups = {}
  for i, group in ipairs(m.captures) do
    groups[i] = group.string or false
    if group.name then groups[group.name] = group.string end
  end
  return setmetatable({ match = m.string, groups = groups }, match_mt)
end

-- Whether the pattern is found.
function regex.match(s, pattern) return ask("match", s, pattern, "test($p)") end
-- The first match: { match, groups }, which prints as what matched; or nil.
function regex.find(s, pattern)
  local found = ask("find", s, pattern, "[match($p)]")
  return found[1] and made(found[1])
end
-- The texts of all matches.
function regex.find_all(s, pattern)
  local texts = {}
  for i, m in ipairs(ask("find_all", s, pattern, "[match($p; \"g\")]")) do texts[i] = m.string end
  return texts
end
-- The text with every match replaced; `$1` and `${name}` stand for groups, `$0` for the match.
function regex.replace(s, pattern, replacement)
  local out, at = {}, 0
  local starts = {} -- of characters, in bytes
  for position in utf8.codes(s) do starts[#starts + 1] = position end
  starts[#starts + 1] = #s + 1
  for _, m in ipairs(ask("replace", s, pattern, "[match($p; \"g\")]")) do
    local from, to = starts[m.offset + 1], starts[m.offset + m.length + 1]
    out[#out + 1] = s:sub(at + 1, from - 1)
    if type(replacement) == "function" then
      out[#out + 1] = tostring(replacement(made(m)))
    else
      local groups = made(m).groups
      groups[0] = m.string
      local text = replacement:gsub("%$(%$?)(%b{})", function(dollar, name)
        if dollar ~= "" then return end
        name = name:sub(2, -2)
        return groups[tonumber(name) or name] or ""
      end)
      out[#out + 1] = text:gsub("%$(%d+)", function(number) return groups[tonumber(number)] or "" end)
    end
    at = to - 1
  end
  out[#out + 1] = s:sub(at + 1)
  return table.concat(out)
end

return regex
