-- Only strings name modules.
-- ends: ok 0
-- output: false\tbad argument #1 to 'require' (string expected, got number)\nfalse\tbad argument #1 to 'require' (string expected, got table)\nfalse\tbad argument #1 to 'require' (string expected, got function)\nfalse\tbad argument #1 to 'require' (string expected, got thread)\nfalse\tbad argument #1 to 'require' (string expected, got boolean)\n
for _, name in ipairs { 5, {}, print, coroutine.create(print), true } do print(pcall(require, name)) end
