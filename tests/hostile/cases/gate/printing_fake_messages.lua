-- A line of the script's own is a line of its output, and the error is on its own.
-- ends: script 1
-- message: mine\nError: fake\n  script.lua:1: in main chunk
-- output: Error: t.drop failed: denied by the policy\nINFO name=t.drop outcome=ok\n
print("Error: t.drop failed: denied by the policy")
print("INFO name=t.drop outcome=ok")
error("mine\nError: fake\n  script.lua:1: in main chunk", 0)
