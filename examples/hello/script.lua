local count = actions.text.wordcount({ text = "the quick brown fox\njumps over\n" })
print("lines", count.lines)
print("words", count.words)
print("bytes", count.bytes)

local ok, err = pcall(function() return actions.text.wordcuont({}) end)
print(ok, err)
