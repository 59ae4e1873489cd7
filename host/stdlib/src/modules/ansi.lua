--- @module assay.ansi
--- @description Colours of terminals: takes them out of a text, or turns them into HTML.
--- @category text
--- @keywords ansi, colours, terminal, escape, html, logs
--- @quickref M.strip(text) -> string | without what drives a terminal
--- @quickref M.to_html(text) -> string | colours, bold, italic and underlined as spans; everything else is text
local M = {}

-- Sequences with parameters, those of titles and links, and the short ones.
local function without(text)
  return (text:gsub("\27%[[0-?]*[ -/]*[@-~]", ""):gsub("\27%][^\7\27]*\27?[\7\\]?", ""):gsub("\27[PX^_][^\27]*\27?\\?", ""):gsub("\27[ -/]*[0-~]", "")
    :gsub("\27", ""))
end
function M.strip(text)
  if type(text) ~= "string" then error("ansi.strip: expected a text, got " .. type(text), 2) end
  return without(text)
end

local function escaped(text) return (text:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" })) end

local BASIC <const> = { [0] = "#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5", "#666666", "#f14c4c", "#23d18b",
  "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff" }
local function of_256(n)
  if n < 16 then return BASIC[n] end
  if n > 231 then
    local grey = 8 + (n - 232) * 10
    return ("#%02x%02x%02x"):format(grey, grey, grey)
  end
  local function part(value) return value == 0 and 0 or 55 + value * 40 end
  n = n - 16
  return ("#%02x%02x%02x"):format(part(n // 36), part(n // 6 % 6), part(n % 6))
end
local function byte(value) return math.min(math.max(value or 0, 0), 255) end

-- What the numbers of one sequence make of a style.
local function apply(style, codes)
  local i = 1
  while i <= #codes do
    local code = codes[i]
    if code == 0 then
      style = {}
    elseif code == 1 then style.bold = true
    elseif code == 3 then style.italic = true
    elseif code == 4 then style.underline = true
    elseif code == 22 then style.bold = nil
    elseif code == 23 then style.italic = nil
    elseif code == 24 then style.underline = nil
    elseif code >= 30 and code <= 37 then style.color = BASIC[code - 30]
    elseif code >= 90 and code <= 97 then style.color = BASIC[code - 82]
    elseif code >= 40 and code <= 47 then style.back = BASIC[code - 40]
    elseif code >= 100 and code <= 107 then style.back = BASIC[code - 92]
    elseif code == 39 then style.color = nil
    elseif code == 49 then style.back = nil
    elseif code == 38 or code == 48 then
      local color
      if codes[i + 1] == 5 then
        color = of_256(byte(codes[i + 2]))
        i = i + 2
      elseif codes[i + 1] == 2 then
        color = ("#%02x%02x%02x"):format(byte(codes[i + 2]), byte(codes[i + 3]), byte(codes[i + 4]))
        i = i + 4
      end
      style[code == 38 and "color" or "back"] = color
    end
    i = i + 1
  end
  return style
end

local function css(style)
  local parts = {}
  if style.color then parts[#parts + 1] = "color:" .. style.color end
  if style.back then parts[#parts + 1] = "background-color:" .. style.back end
  if style.bold then parts[#parts + 1] = "font-weight:bold" end
  if style.italic then parts[#parts + 1] = "font-style:italic" end
  if style.underline then parts[#parts + 1] = "text-decoration:underline" end
  return table.concat(parts, ";")
end

function M.to_html(text)
  if type(text) ~= "string" then error("ansi.to_html: expected a text, got " .. type(text), 2) end
  local out, style, at = {}, {}, 1
  local function add(piece)
    piece = escaped(without(piece))
    if piece == "" then return end
    local look = css(style)
    out[#out + 1] = look == "" and piece or '<span style="' .. look .. '">' .. piece .. "</span>"
  end
  while true do
    local from, to, numbers = text:find("\27%[([%d;]*)m", at)
    add(text:sub(at, (from or 0) - 1))
    if not from then break end
    local codes = {}
    for number in (numbers == "" and "0" or numbers):gmatch("%d+") do codes[#codes + 1] = math.tointeger(tonumber(number:sub(1, 9))) end
    style, at = apply(style, codes), to + 1
  end
  return table.concat(out)
end

return M
