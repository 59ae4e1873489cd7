-- Anything but one JSON document is refused, and says where it goes wrong.
-- action: a | read -r p; eval "printf '$(printf %s "$p" | sed 's/^{"p":"\(.*\)"}$/\1/; s/Q/"/g')'"
-- ends: ok 0
-- output: false\tbad_output\tprinted nothing, and a result is one JSON value on stdout\nfalse\tbad_output\tprinted nothing, and a result is one JSON value on stdout\nfalse\tbad_output\tprinted what is not JSON: it begins with "junk", which is not a JSON value, at line 1 column 1\nfalse\tbad_output\tprinted what is not JSON: more text behind the document, "2", at line 1 column 3\nfalse\tbad_output\tprinted what is not JSON: the text ends within the document at line 1 column 3\nfalse\tbad_output\tprinted what is not JSON: trailing comma at line 1 column 4\nfalse\tbad_output\tprinted what is not JSON: it begins with "\\\\357\\\\273\\\\2771", which is not a JSON value, at line 1 column 1\nfalse\tbad_output\tprinted what is not JSON: the text ends within the document at line 1 column 4\nfalse\tbad_output\tprinted what is not JSON: it begins with "\\\\000", which is not a JSON value, at line 1 column 1\ntrue\t\377\ttrue\nfalse\tbad_output\tprinted what is not JSON: more text behind the document, "x", at line 1 column 4\nfalse\tbad_output\tprinted what is not JSON: NaN, which JSON does not have (write null, or a text), at line 1 column 1\ntrue\t1\ttrue\n
for _, p in ipairs { "", " ", "junk", "1 2", "{Q", "[1,]", "\\\\357\\\\273\\\\2771", "nul", "\\\\000", "Q\\\\377Q", "[1]x", "NaN", "'1'" } do
  local ok, e = pcall(actions.t.a, { p = p })
  print(ok, ok and e or e.kind, ok or e.message)
end
