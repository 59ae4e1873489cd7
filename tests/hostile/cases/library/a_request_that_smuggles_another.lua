-- Line breaks in methods, headers and URLs, and the headers that frame a message, are refused before anything is sent.
-- action: unused | cat
-- ends: ok 0
-- output: 0\n
local passed = 0
local function try(f, ...)
  local ok, why = pcall(f, ...)
  if ok or why.kind ~= "invalid_params" then passed = passed + 1 end
end
local url = "http://open.invalid:9/"
try(http.get, url .. "x HTTP/1.1\r\nHost: other\r\n\r\n")
for _, headers in ipairs {
  { ["A\r\nB"] = "c" }, { A = "b\r\n\r\nGET / HTTP/1.1" }, { A = "b\0c" }, { ["Content-Length"] = "0" }, { ["Transfer-Encoding"] = "chunked" },
  { Host = "other" }, { Connection = "upgrade" }, { ["Proxy-Authorization"] = "x" }, { A = { "b", "c\n" } },
} do try(http.post, url, "x", { headers = headers }) end
print(passed)
---- actions/policy.yaml
version: 1
default: allow
grants: { http: [{ to: "open.invalid:9" }] }
