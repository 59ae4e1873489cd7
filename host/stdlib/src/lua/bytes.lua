-- Bytes cross the gate as characters up to U+00FF, one for each byte. This stands before the libraries that need it.
local char_of, byte_of = {}, {}
for byte = 0x80, 0xFF do
  char_of[string.char(byte)] = utf8.char(byte)
  byte_of[utf8.char(byte)] = string.char(byte)
end
local function as_chars(bytes) return (bytes:gsub("[\x80-\xFF]", char_of)) end
local function as_bytes(chars) return (chars:gsub("[\xC2\xC3][\x80-\xBF]", byte_of)) end

