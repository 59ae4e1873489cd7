-- Bytes that are no text arrive as U+FFFD.
-- ends: ok 0
-- output: a��\u{0}b\n
print("a\xff\xfe\0b")
