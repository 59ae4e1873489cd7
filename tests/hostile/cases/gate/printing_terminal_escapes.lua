-- What a script prints arrives as it is where no terminal shows it.
-- ends: ok 0
-- output: \u{1b}[2J\u{1b}]0;title\u{7}\rfake\u{8}\u{9b}31m‮\n
print("\27[2J\27]0;title\7\rfake\8\u{9b}31m\u{202e}")
