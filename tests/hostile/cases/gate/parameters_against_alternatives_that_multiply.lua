-- Parameters and results of 300 bytes, whose errors against a union of nodes multiply with each level.
-- options: --timeout 20s
-- action: draw params = { type = 'object', properties = { tree = { ['$ref'] = '#/$defs/n' } }, ['$defs'] = { n = { anyOf = { { type = 'object', required = { 'kind' }, properties = { kind = { const = 'box' }, child = { ['$ref'] = '#/$defs/n' } } }, { type = 'object', required = { 'kind' }, properties = { kind = { const = 'row' }, child = { ['$ref'] = '#/$defs/n' } } }, { type = 'object', required = { 'kind' }, properties = { kind = { const = 'text' }, child = { ['$ref'] = '#/$defs/n' } } } } } } } | cat
-- action: back returns = { type = 'object', properties = { tree = { ['$ref'] = '#/$defs/n' } }, ['$defs'] = { n = { anyOf = { { type = 'object', required = { 'kind' }, properties = { kind = { const = 'box' }, child = { ['$ref'] = '#/$defs/n' } } }, { type = 'object', required = { 'kind' }, properties = { kind = { const = 'row' }, child = { ['$ref'] = '#/$defs/n' } } }, { type = 'object', required = { 'kind' }, properties = { kind = { const = 'text' }, child = { ['$ref'] = '#/$defs/n' } } } } } } } | cat
-- ends: ok 0
-- output: done\n
for _, levels in ipairs({ 2, 12, 25, 60 }) do
  local t = { kind = "none" }
  for _ = 2, levels do
    t = { kind = "none", child = t }
  end
  for name, kind in pairs({ draw = "invalid_params", back = "bad_output" }) do
    local ok, e = pcall(actions.t[name], { tree = t })
    assert(not ok and e.kind == kind, tostring(e))
  end
end
print("done")
