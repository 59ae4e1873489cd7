;; The same predicate as predicate.lua, for `kael-host rules test --both`. rule.wasm is made of it.
(module
  (import "kestrel" "event_get_str" (func $event_get_str (param i32 i32 i32 i32) (result i32)))
  (import "kestrel" "re_match" (func $re_match (param i32 i32 i32) (result i32)))
  (import "kestrel" "capture_field" (func $capture_field (param i32) (result i32)))
  (memory (export "memory") 2)

  ;; Whether a pattern is found in a text of the event. The text stands at address 0.
  (func $finds (param $pattern i32) (param $event i32) (param $field i32) (result i32)
    (call $re_match (local.get $pattern) (i32.const 0)
      (call $event_get_str (local.get $event) (local.get $field) (i32.const 0) (i32.const 65536))))

  (func (export "pred_eval") (param $event i32) (result i32)
    ;; process.args
    (if (call $finds (i32.const 1) (local.get $event) (i32.const 5)) (then (return (i32.const 1))))
    ;; process.name and process.parent.executable
    (i32.and
      (call $finds (i32.const 2) (local.get $event) (i32.const 3))
      (call $finds (i32.const 3) (local.get $event) (i32.const 7))))

  (func (export "pred_capture") (param $event i32) (result i32)
    (drop (call $capture_field (i32.const 2)))
    (drop (call $capture_field (i32.const 5)))
    (i32.const 0)))
