-- The error values of failed actions: tables that print, concatenate, and have the methods of
-- strings.
local kael = ...
local tostring, setmetatable, next, string = tostring, setmetatable, next, string

local failures = setmetatable({}, { __mode = "k" })
kael.failures = failures

local failure_mt = { __name = "action error", __metatable = "action error" }
local function text_of(e)
  if e.kind == "unknown_action" then return tostring(e.message) end
  return tostring(e.action) .. " failed: " .. tostring(e.message)
end
failure_mt.__tostring = text_of
function failure_mt.__len(e) return #text_of(e) end
function failure_mt.__concat(a, b)
  if failures[a] then a = text_of(a) end
  if failures[b] then b = text_of(b) end
  return a .. b
end
-- Errors have the methods of strings: err:match("refused").
local methods = {}
for name, method in next, string do
  methods[name] = function(e, ...)
    if failures[e] then e = text_of(e) end
    return method(e, ...)
  end
end
failure_mt.__index = methods

-- The error value of a failed action.
function kael.failure(action, kind, message, detail)
  local e = setmetatable({ action = action, kind = kind, message = message, detail = detail or {} }, failure_mt)
  -- A script can change the fields. An uncaught error is reported from this copy.
  failures[e] = { action = action, kind = kind, text = text_of(e) }
  return e
end
