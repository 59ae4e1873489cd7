--- @module assay.oauth2
--- @description OAuth 2: access tokens that are renewed by a refresh token or by client credentials.
--- @category security
--- @keywords oauth2, oauth, tokens, refresh, google, authorization
--- @env HOME
--- @quickref M.from_file(credentials?, token?, opts?) -> auth | paths of the files; opts.token_url
--- @quickref M.new(opts) -> auth | client_id, client_secret, refresh_token, access_token, token_url, scope; basic = true for servers that want it
--- @quickref auth:access_token() -> string | as it is now; asks for one where there is none
--- @quickref auth:refresh() -> token | asks for a new one, and writes the file that the old one was read from
--- @quickref auth:headers() -> headers | Authorization
--- @quickref auth:save() -> true | writes the file of the token
local service = require("assay.client")
local M = {}

local GOOGLE <const> = "https://oauth2.googleapis.com/token"

-- A path below the home folder, whose place the policy must open: env HOME.
local function at(path)
  local rest = path:match("^~(/.*)$")
  if not rest then return path end
  local home = env.get("HOME") or error("oauth2: " .. path .. ": the policy does not open the variable HOME; give a path without ~", 0)
  return home .. rest
end

local function read(path)
  local ok, value = pcall(json.decode, fs.read(at(path)))
  if not ok or type(value) ~= "table" then error("oauth2: " .. path .. " is no JSON object", 0) end
  return value
end

local auth = {}
auth.__index = auth
auth.__name = "oauth2.auth"

--- Asks the server for a token: by the refresh token, or else by the client's own credentials.
function auth:refresh()
  local form, headers = {}, { Accept = "application/json" }
  if self.basic then
    headers.Authorization = "Basic " .. base64.encode(http.escape(self.client_id) .. ":" .. http.escape(self.client_secret or ""))
  else
    form.client_id, form.client_secret = self.client_id, self.client_secret
  end
  if self.token.refresh_token then
    form.grant_type, form.refresh_token = "refresh_token", self.token.refresh_token
  else
    form.grant_type, form.scope = "client_credentials", self.scope
  end
  local origin, path = self.token_url:match("^(https?://[^/]+)(.*)$")
  if not origin then error("oauth2: token_url must begin with http:// or https://, got " .. tostring(self.token_url), 0) end
  local _, s = service.new("oauth2", origin, { headers = headers })
  local answer = s.post(path, { form = form })
  if type(answer) ~= "table" or type(answer.access_token) ~= "string" then
    error("oauth2: POST " .. path .. ": 200: the answer has no access_token", 0)
  end
  -- The refresh token stays unless the server gives a new one.
  for key, value in pairs(answer) do self.token[key] = value end
  if self.token_path then
    local ok, wrong = pcall(self.save, self)
    -- The new token holds without its file, until this script ends.
    if not ok then log.warn("oauth2: the token cannot be saved: " .. tostring(wrong)) end
  end
  return self.token
end

function auth:access_token()
  if not self.token.access_token then self:refresh() end
  return self.token.access_token
end

function auth:headers() return { Authorization = "Bearer " .. self:access_token() } end

--- Writes the token where it was read.
function auth:save()
  if not self.token_path then error("oauth2: this token was not read from a file", 2) end
  fs.write(at(self.token_path), json.encode(self.token))
  return true
end

--- What `auth` gives as the headers of a client, renewed once when they are refused.
function M.renewing(s, self)
  function s.renew(again)
    if again then self:refresh() end
    return self:headers()
  end
end

function M.new(opts)
  if type(opts) ~= "table" or type(opts.client_id) ~= "string" then error("oauth2.new: `client_id` is missing", 2) end
  return setmetatable({ client_id = opts.client_id, client_secret = opts.client_secret, token_url = opts.token_url or GOOGLE, scope = opts.scope, basic = opts.basic,
    token = { access_token = opts.access_token, refresh_token = opts.refresh_token } }, auth)
end

function M.from_file(credentials, token, opts)
  credentials, token = credentials or "~/.config/gog/credentials.json", token or "~/.config/gog/token.json"
  local client = read(credentials)
  client = client.installed or client.web or client
  if type(client.client_id) ~= "string" then error("oauth2: " .. credentials .. " has no client_id", 0) end
  local made = M.new({ client_id = client.client_id, client_secret = client.client_secret, token_url = opts and opts.token_url })
  made.token, made.token_path = read(token), token
  return made
end

return M
