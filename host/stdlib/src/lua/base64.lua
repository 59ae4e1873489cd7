-- `base64`: bytes as text and back, also in the alphabet for URLs.
local kael = ...
local fail = kael.fail
local base64 = {}
local ALPHABET <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

local function tables(last)
  local letters, values = {}, {}
  for i = 1, 64 do
    local letter = (ALPHABET .. last):sub(i, i)
    letters[i - 1], values[letter:byte()] = letter, i - 1
  end
  return letters, values
end
local standard, standard_values = tables("+/")
local for_urls, url_values = tables("-_")

-- `encode(s)`; with { url = true } in the alphabet for URLs, without padding.
function base64.encode(s, opts)
  if type(s) ~= "string" then fail("base64.encode: expected a string, got " .. type(s)) end
  local url = opts and opts.url
  local letters = url and for_urls or standard
  local out, n = {}, 0
  for at = 1, #s - 2, 3 do
    local a, b, c = s:byte(at, at + 2)
    local bits = a << 16 | b << 8 | c
    n = n + 1
    out[n] = letters[bits >> 18] .. letters[bits >> 12 & 63] .. letters[bits >> 6 & 63] .. letters[bits & 63]
  end
  local left = #s % 3
  if left == 1 then
    local bits = s:byte(-1) << 16
    out[n + 1] = letters[bits >> 18] .. letters[bits >> 12 & 63] .. (url and "" or "==")
  elseif left == 2 then
    local a, b = s:byte(-2, -1)
    local bits = a << 16 | b << 8
    out[n + 1] = letters[bits >> 18] .. letters[bits >> 12 & 63] .. letters[bits >> 6 & 63] .. (url and "" or "=")
  end
  return table.concat(out)
end

-- The bytes of a text in either alphabet; line breaks do not count.
function base64.decode(s)
  if type(s) ~= "string" then fail("base64.decode: expected a string, got " .. type(s)) end
  local text = s:gsub("[\r\n]", ""):gsub("=+$", "")
  local values = text:find("[-_]") and url_values or standard_values
  local wrong = text:find("[^%w+/_-]")
  if wrong then fail("base64.decode: byte " .. wrong .. " is not base64") end
  if #text % 4 == 1 then fail("base64.decode: the text is cut short") end
  local out, n = {}, 0
  for at = 1, #text, 4 do
    local a, b, c, d = text:byte(at, at + 3)
    local bits = 0
    for _, letter in ipairs { a, b, c or 65, d or 65 } do
      local value = values[letter]
      if not value then fail("base64.decode: both alphabets are mixed") end
      bits = bits << 6 | value
    end
    n = n + 1
    local bytes = string.char(bits >> 16 & 255, bits >> 8 & 255, bits & 255)
    out[n] = not c and bytes:sub(1, 1) or not d and bytes:sub(1, 2) or bytes
  end
  return table.concat(out)
end

return base64
