-- A result that is allowed and does not fit into the instance ends the run.
-- options: --max-memory 32MiB
-- action: many | printf '[0'; head -c 2000000 /dev/zero | tr '\0' ',' | sed 's/,/,0/g'; printf ']'
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
print(pcall(actions.t.many, {}))
