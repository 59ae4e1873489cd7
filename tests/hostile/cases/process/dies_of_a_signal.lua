-- The message names every signal that ends the action.
-- action: a | read -r p; kill -"$(printf %s "$p" | tr -dc 0-9)" $$
-- ends: ok 0
-- output: false\tfailed\twas ended by signal 9 (SIGKILL)\t9\nfalse\tfailed\twas ended by signal 11 (SIGSEGV)\t11\nfalse\tfailed\twas ended by signal 6 (SIGABRT)\t6\nfalse\tfailed\twas ended by signal 15 (SIGTERM)\t15\n
for _, n in ipairs { 9, 11, 6, 15 } do
  local ok, e = pcall(actions.t.a, { n = n })
  print(ok, e.kind, e.message, e.detail.signal)
end
