-- A loader of the script's own is within the script's limits.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
package.preload.x = function() while true do end end
pcall(require, "x")
