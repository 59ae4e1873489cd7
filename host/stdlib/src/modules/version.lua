--- @module assay.version
--- @description Compares versions as SemVer, Debian, RPM or plain numbers do.
--- @category text
--- @keywords version, semver, debian, rpm, compare, sort
--- @quickref M.compare(a, b, scheme?) -> number | -1, 0 or 1; "semver", "debian", "rpm" or "numeric"
--- @quickref M.max(list, scheme?) -> string|nil | the newest
local M = {}

local function sign(a, b) return a < b and -1 or a > b and 1 or 0 end
-- Digits of any length, as numbers.
local function by_number(a, b)
  a, b = a:gsub("^0+", ""), b:gsub("^0+", "")
  if #a ~= #b then return sign(#a, #b) end
  return sign(a, b)
end
local function is_number(text) return text:find("^%d+$") ~= nil end

local schemes = {}

function schemes.numeric(a, b)
  local x, y = {}, {}
  for part in a:gmatch("%d+") do x[#x + 1] = part end
  for part in b:gmatch("%d+") do y[#y + 1] = part end
  for i = 1, math.max(#x, #y) do
    local order = by_number(x[i] or "0", y[i] or "0")
    if order ~= 0 then return order end
  end
  return 0
end

-- semver.org, 2.0.0: numbers, then identifiers before a release; what stands behind + does not count.
local function semver(text)
  local core, rest = text:match("^v?(%d+%.%d+%.%d+)(.*)$")
  if not core then error("version: `" .. text .. "` is no version of SemVer, such as 1.2.3 or 1.2.3-rc.1", 4) end
  rest = rest:gsub("%+.*$", "")
  if rest ~= "" and not rest:find("^%-[%w%-%.]+$") then error("version: `" .. text .. "` is no version of SemVer", 4) end
  local before = {}
  for part in rest:sub(2):gmatch("[^.]+") do before[#before + 1] = part end
  return core, before
end
function schemes.semver(a, b)
  local x, before_x = semver(a)
  local y, before_y = semver(b)
  local order = schemes.numeric(x, y)
  if order ~= 0 then return order end
  if #before_x == 0 or #before_y == 0 then return sign(#before_y > 0 and 1 or 0, #before_x > 0 and 1 or 0) end
  for i = 1, math.max(#before_x, #before_y) do
    local p, q = before_x[i], before_y[i]
    if not p or not q then return p and 1 or -1 end
    if is_number(p) and is_number(q) then order = by_number(p, q)
    elseif is_number(p) ~= is_number(q) then order = is_number(p) and -1 or 1
    else order = sign(p, q) end
    if order ~= 0 then return order end
  end
  return 0
end

-- deb-version(7): `~` is before everything, even the end; letters are before other signs.
local function weight(char)
  if char == "" then return 0 end
  if char == "~" then return -1 end
  if char:find("%a") then return char:byte() end
  return char:byte() + 256
end
local function debian_part(a, b)
  while a ~= "" or b ~= "" do
    local p, q = a:match("^%D*"), b:match("^%D*")
    for i = 1, math.max(#p, #q) do
      local order = sign(weight(p:sub(i, i)), weight(q:sub(i, i)))
      if order ~= 0 then return order end
    end
    a, b = a:sub(#p + 1), b:sub(#q + 1)
    p, q = a:match("^%d*"), b:match("^%d*")
    local order = by_number(p, q)
    if order ~= 0 then return order end
    a, b = a:sub(#p + 1), b:sub(#q + 1)
  end
  return 0
end
local function parts_of(text)
  local epoch, rest = text:match("^(%d+):(.*)$")
  rest = rest or text
  local upstream, revision = rest:match("^(.*)%-([^-]*)$")
  return epoch or "0", upstream or rest, revision or ""
end
function schemes.debian(a, b)
  local epoch_a, upstream_a, revision_a = parts_of(a)
  local epoch_b, upstream_b, revision_b = parts_of(b)
  local order = by_number(epoch_a, epoch_b)
  if order == 0 then order = debian_part(upstream_a, upstream_b) end
  if order == 0 then order = debian_part(revision_a == "" and "0" or revision_a, revision_b == "" and "0" or revision_b) end
  return order
end

-- rpmvercmp: segments of digits or letters, digits are newer; `~` is older than the end, `^` newer.
local function rpm_part(a, b)
  while true do
    a, b = a:gsub("^[^%w~%^]+", ""), b:gsub("^[^%w~%^]+", "")
    local p, q = a:sub(1, 1), b:sub(1, 1)
    if p == "~" or q == "~" then
      if p ~= q then return p == "~" and -1 or 1 end
      a, b = a:sub(2), b:sub(2)
    elseif p == "^" or q == "^" then
      if p == "" then return -1 end
      if q == "" then return 1 end
      if p ~= q then return p == "^" and -1 or 1 end
      a, b = a:sub(2), b:sub(2)
    elseif p == "" or q == "" then
      return sign(#a > 0 and 1 or 0, #b > 0 and 1 or 0)
    else
      local class = p:find("%d") and "^%d+" or "^%a+"
      local x, y = a:match(class), b:match(class)
      if not y then return class == "^%d+" and 1 or -1 end
      local order = class == "^%d+" and by_number(x, y) or class == "^%a+" and sign(x, y) or 0
      if order ~= 0 then return order end
      a, b = a:sub(#x + 1), b:sub(#y + 1)
    end
  end
end
function schemes.rpm(a, b)
  local epoch_a, version_a, release_a = parts_of(a)
  local epoch_b, version_b, release_b = parts_of(b)
  local order = by_number(epoch_a, epoch_b)
  if order == 0 then order = rpm_part(version_a, version_b) end
  if order == 0 and release_a ~= "" and release_b ~= "" then order = rpm_part(release_a, release_b) end
  return order
end

local function scheme_of(name)
  local found = schemes[name or "semver"]
  if not found then error("version: no scheme " .. tostring(name) .. " (there are: debian, numeric, rpm, semver)", 3) end
  return found
end

function M.compare(a, b, scheme) return (scheme_of(scheme)(tostring(a), tostring(b))) end

function M.max(list, scheme)
  local compare, best = scheme_of(scheme), nil
  for _, one in ipairs(list) do
    if best == nil or compare(tostring(one), tostring(best)) > 0 then best = one end
  end
  return best
end

return M
