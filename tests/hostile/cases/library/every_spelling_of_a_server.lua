-- No spelling of an address gets to a server that the policy does not open: none is asked, and none is looked up.
-- action: unused | cat
-- ends: ok 0
-- output: 0 of 19\n
local urls = {
  "http://127.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://[::1]/",
  "http://[::ffff:127.0.0.1]/", "http://[::127.0.0.1]/", "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/",
  "http://open.invalid@127.0.0.1/", "http://127.0.0.1#@open.invalid:9/", "http://open.invalid:9\\@127.0.0.1/",
  "http://open.invalid%2f@127.0.0.1/", "http://0/", "http:///open.invalid:9/", "http://open.invalid:9:80/", "file:///etc/passwd",
  "unix:/run/docker.sock",
}
local reached = 0
for _, url in ipairs(urls) do
  if pcall(http.get, url) then reached = reached + 1 end
end
print(reached .. " of " .. #urls)
---- actions/policy.yaml
version: 1
default: allow
grants: { http: [{ to: "open.invalid:9" }] }
