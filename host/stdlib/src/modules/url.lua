--- @module assay.url
--- @description URLs: encodes and decodes texts and forms.
--- @category text
--- @keywords url, encode, decode, form, query, percent
--- @quickref M.encode(text) -> string | for a segment of a path or a value of a query
--- @quickref M.encode_form(fields) -> string | sorted by name; a list gives its name several times
--- @quickref M.decode(text, opts?) -> string | opts.plus = true reads + as a blank, as forms do
local M = { encode = http.escape, encode_form = http.form }

function M.decode(text, opts)
  if type(text) ~= "string" then error("url.decode: expected a text, got " .. type(text), 2) end
  if opts and opts.plus then text = text:gsub("+", " ") end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

return M
