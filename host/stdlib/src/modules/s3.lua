--- @module assay.s3
--- @description Object stores that speak S3: buckets, objects, signed URLs.
--- @category storage
--- @keywords s3, aws, minio, bucket, object, storage
--- @quickref M.client({endpoint, region, access_key, secret_key, session_token?, path_style?}) -> client | secret_key is a text or secret("NAME")
--- @quickref c.buckets:create(bucket) -> true | makes a bucket
--- @quickref c.buckets:delete(bucket) -> true | removes an empty bucket
--- @quickref c.buckets:list() -> [{name, creation_date}] | every bucket
--- @quickref c.buckets:exists(bucket) -> bool | whether there is one
--- @quickref c.objects:put(bucket, key, body, opts?) -> {etag} | any bytes; content_type, headers
--- @quickref c.objects:get(bucket, key, opts?) -> string|nil | its bytes; nil where there is none
--- @quickref c.objects:head(bucket, key) -> {status, headers}|nil | what is known of it
--- @quickref c.objects:delete(bucket, key) -> true | removes it
--- @quickref c.objects:copy(from_bucket, from_key, bucket, key) -> true | copies at the server
--- @quickref c.objects:list(bucket, opts?) -> {objects, prefixes, is_truncated, next_continuation_token, key_count} | prefix, delimiter, max_keys, continuation_token, start_after
--- @quickref c.objects:all(bucket, opts?) -> iterator | every object of a bucket, over all pages
--- @quickref c.objects:download(bucket, key, path, opts?) -> integer | into a file of an fs grant
--- @quickref c.objects:presign(bucket, key, opts?) -> string | a URL that holds for a while: method, expires (seconds)
local kael = ...
local service = require("assay.client")
local M = {}

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }
local function plain(text)
  return (text:gsub("&(#?)(x?)(%w+);", function(number, hex, name)
    if number == "" then return ENTITIES[hex .. name] end
    local code = tonumber(name, hex == "x" and 16 or 10)
    return code and code <= 0x10FFFF and utf8.char(code) or nil
  end))
end
-- The text of the first element of a name, and all parts that are elements of a name. Answers of S3 have no attributes that count.
local function text(xml, name)
  local found = xml:match("<" .. name .. "[^>]*>(.-)</" .. name .. ">")
  return found and plain(found)
end
local function parts(xml, name) return xml:gmatch("<" .. name .. "[^>]*>(.-)</" .. name .. ">") end

local function segments(key)
  local encoded = {}
  -- The key of an object may have empty parts.
  for i, part in ipairs(string.split(key, "/")) do encoded[i] = part == "" and "" or service.segment(part) end
  return table.concat(encoded, "/")
end

function M.client(opts)
  if type(opts) ~= "table" then error("s3.client: expected a table such as { endpoint = …, access_key = …, secret_key = … }, got " .. type(opts), 2) end
  local region = opts.region or "us-east-1"
  local endpoint = opts.endpoint or "https://s3." .. region .. ".amazonaws.com"
  if type(endpoint) ~= "string" or not endpoint:find("^https?://[^/]+/*$") then
    error("s3.client: the endpoint must be http://host or https://host, got " .. tostring(endpoint), 2)
  end
  endpoint = endpoint:gsub("/+$", "")
  local access_key = opts.access_key
  local secret_key = opts.secret_key
  if not access_key or not secret_key then error("s3.client: `access_key` and `secret_key` are missing", 2) end
  local is_secret = type(secret_key) == "table" and getmetatable(secret_key) == "secret"
  local path_style = opts.path_style ~= false

  local function url_of(bucket, key)
    if bucket == nil then return endpoint .. "/" end
    if type(bucket) ~= "string" or not bucket:find("^[%w][%w%.%-_]+$") then error("s3: `" .. tostring(bucket) .. "` is no name of a bucket", 0) end
    if key ~= nil and (type(key) ~= "string" or key == "") then error("s3: the key of an object must be a text, got " .. type(key), 0) end
    local path = key and segments(key) or ""
    if path_style then return endpoint .. "/" .. bucket .. (key and "/" .. path or "") end
    return endpoint:gsub("://", "://" .. bucket .. ".", 1) .. "/" .. path
  end
  local function signed(more)
    more.region, more.service, more.access_key, more.session_token = region, opts.service or "s3", access_key, opts.session_token
    more[is_secret and "secret" or "key"] = secret_key
    return kael.act("kael.s3.sign", more)
  end
  local function failed(method, path, answer)
    local body = answer.body or ""
    local code, message = text(body, "Code"), text(body, "Message")
    local said = code and code .. (message and ": " .. message or "") or body:sub(1, 300)
    error("s3: " .. method .. " " .. path .. ": " .. answer.status .. ": " .. said, 0)
  end
  -- Sends a signed request; `how` has `query`, `body`, `headers`, and `none`: the status that means nil.
  local function send(method, bucket, key, how)
    how = how or {}
    local url = url_of(bucket, key)
    if how.query and next(how.query) then url = url .. "?" .. http.form(how.query) end
    local headers = {}
    for name, value in pairs(how.headers or {}) do headers[name] = value end
    local body = how.body
    local made = signed { method = method, url = url, headers = headers, body_hash = crypto.hash(body or "", "sha256") }
    for name, value in pairs(made.headers) do headers[name] = value end
    local options = { headers = headers, timeout = how.timeout or opts.timeout, max_bytes = how.max_bytes or opts.max_bytes, retries = opts.retries, follow_redirects = false }
    if how.path then
      options.follow_redirects, options.max_bytes = nil, how.max_bytes
      options.redirects = 0
      return http.download(url, how.path, options)
    end
    local answer
    if method == "PUT" or method == "POST" then
      answer = http[method:lower()](url, body, options)
    else
      answer = http[method:lower()](url, options)
    end
    if answer.status >= 200 and answer.status < 300 then return answer end
    if how.none == answer.status then return nil end
    failed(method, "/" .. (bucket or "") .. (key and "/" .. key or ""), answer)
  end

  local c = { endpoint = endpoint, region = region }
  c.buckets = service.part {
    create = function(bucket)
      local body
      if region ~= "us-east-1" then
        body = '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>' .. region .. "</LocationConstraint></CreateBucketConfiguration>"
      end
      send("PUT", bucket, nil, { body = body, headers = body and { ["Content-Type"] = "application/xml" } })
      return true
    end,
    delete = function(bucket) send("DELETE", bucket) return true end,
    list = function()
      local buckets = {}
      for one in parts(send("GET").body, "Bucket") do
        buckets[#buckets + 1] = { name = text(one, "Name"), creation_date = text(one, "CreationDate") }
      end
      return buckets
    end,
    exists = function(bucket) return send("HEAD", bucket, nil, { none = 404 }) ~= nil end,
  }
  local function list(bucket, o)
    o = o or {}
    local query = { ["list-type"] = 2, prefix = o.prefix, delimiter = o.delimiter, ["max-keys"] = o.max_keys,
      ["continuation-token"] = o.continuation_token, ["start-after"] = o.start_after }
    local body = send("GET", bucket, nil, { query = query }).body
    local got = { objects = {}, prefixes = {}, is_truncated = text(body, "IsTruncated") == "true",
      next_continuation_token = text(body, "NextContinuationToken"), key_count = tonumber(text(body, "KeyCount")) }
    for one in parts(body, "Contents") do
      got.objects[#got.objects + 1] = { key = text(one, "Key"), size = tonumber(text(one, "Size")), last_modified = text(one, "LastModified"), etag = text(one, "ETag") }
    end
    for one in parts(body, "CommonPrefixes") do got.prefixes[#got.prefixes + 1] = text(one, "Prefix") end
    return got
  end
  c.objects = service.part {
    put = function(bucket, key, body, o)
      if type(body) ~= "string" then error("s3: the body of an object must be a string, got " .. type(body), 0) end
      local headers = {}
      for name, value in pairs(o and o.headers or {}) do headers[name] = value end
      headers["Content-Type"] = o and o.content_type or headers["Content-Type"] or "application/octet-stream"
      return { etag = send("PUT", bucket, key, { body = body, headers = headers }).headers.etag }
    end,
    get = function(bucket, key, o)
      local answer = send("GET", bucket, key, { none = 404, max_bytes = o and o.max_bytes, headers = o and o.headers })
      return answer and answer.body
    end,
    head = function(bucket, key)
      local answer = send("HEAD", bucket, key, { none = 404 })
      return answer and { status = answer.status, headers = answer.headers }
    end,
    delete = function(bucket, key) send("DELETE", bucket, key) return true end,
    copy = function(from_bucket, from_key, bucket, key)
      local source = "/" .. service.segment(from_bucket) .. "/" .. segments(from_key)
      local answer = send("PUT", bucket, key, { headers = { ["x-amz-copy-source"] = source } })
      -- A copy can fail after its status was sent.
      if answer.body:find("<Error", 1, true) then failed("PUT", "/" .. bucket .. "/" .. key, answer) end
      return true
    end,
    list = list,
    all = function(bucket, o)
      return coroutine.wrap(function()
        local page = {}
        for name, value in pairs(o or {}) do page[name] = value end
        repeat
          local got = list(bucket, page)
          for _, object in ipairs(got.objects) do coroutine.yield(object) end
          page.continuation_token = got.is_truncated and got.next_continuation_token or nil
        until not page.continuation_token
      end)
    end,
    download = function(bucket, key, path, o) return send("GET", bucket, key, { path = path, max_bytes = o and o.max_bytes }) end,
    presign = function(bucket, key, o)
      o = o or {}
      return signed({ method = o.method or "GET", url = url_of(bucket, key), expires = o.expires or 3600 }).url
    end,
  }
  service.flat(c, {
    create_bucket = { "buckets", "create" }, delete_bucket = { "buckets", "delete" }, list_buckets = { "buckets", "list" },
    bucket_exists = { "buckets", "exists" }, put_object = { "objects", "put" }, get_object = { "objects", "get" },
    delete_object = { "objects", "delete" }, list_objects = { "objects", "list" }, head_object = { "objects", "head" },
    copy_object = { "objects", "copy" },
  })
  return c
end

return M
