--- @module assay.gmail
--- @description Gmail: searches, reads, sends and answers messages.
--- @category mail
--- @keywords gmail, google, mail, messages, labels, reply
--- @env HOME
--- @quickref M.client(opts?) -> c | credentials_file, token_file, auth
--- @quickref c.messages:search(query, opts?) -> [message] | as Gmail's own search; opts.max, 10
--- @quickref c.messages:all(query) -> iterator | every message that fits
--- @quickref c.messages:get(id, opts?) -> message|nil | opts.format, full
--- @quickref c.messages:reply(id, opts) -> message | opts.body, to whom it is from, in its thread
--- @quickref c.messages:send(to, subject, body) -> message | text of any language
--- @quickref c.labels:list() -> [label] | of the mailbox
--- @quickref M.header(message, name) -> string|nil | a header of a message, whatever its case
local service = require("assay.client")
local oauth2 = require("assay.oauth2")
local M = {}

--- The value of a header.
function M.header(message, name)
  for _, header in ipairs(message.payload and message.payload.headers or {}) do
    if header.name:lower() == name:lower() then return header.value end
  end
end

-- A text on one line: what was received must add no header to what is sent.
local function one_line(text) return (text:gsub("[%c]+", " ")) end

-- A text as RFC 2047 encodes it, in words of at most 75 characters.
local function encoded(text)
  if not text:find("[\x80-\xff]") then return text end
  local words, part = {}, ""
  for char in text:gmatch(utf8.charpattern) do
    if #part + #char > 45 then
      words[#words + 1], part = part, ""
    end
    part = part .. char
  end
  words[#words + 1] = part
  for i, word in ipairs(words) do words[i] = "=?UTF-8?B?" .. base64.encode(word) .. "?=" end
  return table.concat(words, "\r\n ")
end
-- An address, whose name alone may have any letter.
local function address(text)
  local name, at = text:match("^(.-)%s*(<[^<>]*>)")
  if not name or name == "" then return text end
  if not name:find("[\x80-\xff]") then return name .. " " .. at end
  return encoded((name:gsub('^"(.*)"$', "%1"))) .. " " .. at
end

local function mime(headers, body)
  local lines = {}
  for _, header in ipairs(headers) do
    if header[2] and header[2] ~= "" then lines[#lines + 1] = header[1] .. ": " .. header[2] end
  end
  lines[#lines + 1] = "MIME-Version: 1.0"
  lines[#lines + 1] = "Content-Type: text/plain; charset=UTF-8"
  lines[#lines + 1] = "Content-Transfer-Encoding: base64"
  lines[#lines + 1] = ""
  lines[#lines + 1] = (base64.encode(body):gsub(("."):rep(76), "%0\r\n"))
  return base64.encode(table.concat(lines, "\r\n"), { url = true })
end

function M.client(opts)
  opts = opts or {}
  local auth = opts.auth or oauth2.from_file(opts.credentials_file, opts.token_file, { token_url = opts.token_url })
  local c, s = service.new("gmail", opts.api_base or "https://gmail.googleapis.com/gmail/v1/users/me", opts, function() return {} end)
  oauth2.renewing(s, auth)
  local function get(id, o)
    return s.get(service.path("messages", id), { none = 404, query = { format = o and o.format or "full" } })
  end
  -- Ids of messages, page by page, at most so many.
  local function ids(query, max)
    return coroutine.wrap(function()
      local left, token = max, nil
      repeat
        local page = s.get("/messages", { query = { q = query, maxResults = math.min(left, 500), pageToken = token } })
        for _, one in ipairs(page.messages or {}) do
          if left == 0 then return end
          left = left - 1
          coroutine.yield(one.id)
        end
        token = page.nextPageToken
      until not token or left == 0
    end)
  end
  local function send(raw, thread) return s.post("/messages/send", { body = { raw = raw, threadId = thread } }) end
  local function checked(what, text)
    if type(text) ~= "string" or text:find("[%c]") then error("gmail: the " .. what .. " must be a text on one line", 3) end
    return text
  end
  c.messages = service.part({
    search = function(query, o)
      local found = {}
      for id in ids(query, o and o.max or 10) do found[#found + 1] = get(id) end
      return found
    end,
    all = function(query)
      return coroutine.wrap(function()
        for id in ids(query, math.maxinteger) do
          -- It may have been deleted meanwhile.
          local one = get(id)
          if one then coroutine.yield(one) end
        end
      end)
    end,
    get = get,
    send = function(to, subject, body)
      return send(mime({ { "To", address(checked("address", to)) }, { "Subject", encoded(checked("subject", subject)) } }, body))
    end,
    reply = function(id, o)
      local original = get(id, { format = "metadata" }) or error("gmail: GET /messages/" .. service.segment(id) .. ": 404: there is no such message", 0)
      local function of(name) return one_line(M.header(original, name) or "") end
      local subject, message = of("Subject"), of("Message-ID")
      if not subject:lower():find("^re:") then subject = "Re: " .. subject end
      local references = of("References")
      return send(mime({ { "To", address(of("From")) }, { "Subject", encoded(subject) }, { "In-Reply-To", message },
        { "References", references ~= "" and references .. " " .. message or message } }, o.body), original.threadId)
    end,
  }, "search")
  c.labels = service.part({ list = function() return s.get("/labels").labels or {} end })
  service.flat(c, {
    search = { "messages", "search" }, get = { "messages", "get" }, reply = { "messages", "reply" }, send = { "messages", "send" },
  })
  return c
end

return M
