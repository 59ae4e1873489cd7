-- No path of a script leads out of the folder that the policy opens, nor into the actions repo.
-- action: unused | cat
-- ends: ok 0
-- output: 0\n
local reached = 0
for _, path in ipairs {
  "/etc/passwd", "/data/../init.lua", "/data/../../init.lua", "/data/./../policy.yaml", "/data//../../etc/passwd", "/database/x", "/data\0/x",
  "/proc/self/environ", "/data/../../../proc/self/mem", "data/x", "", ("/data/x"):rep(5000), "/data/" .. ("y"):rep(300),
} do
  for _, f in ipairs { fs.read, fs.list, fs.remove, function(to) fs.write(to, "x") end, function(to) fs.rename("/data/kept", to) end } do
    if pcall(f, path) and path:sub(1, 6) ~= "/data/" then reached = reached + 1 end
  end
end
print(reached)
---- actions/policy.yaml
version: 1
default: allow
grants: { fs: [{ path: state, as: /data, mode: read-write }] }
---- actions/state/kept
kept
