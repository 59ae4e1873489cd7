-- A policy that refers to itself is refused before any script runs.
-- action: a | cat
-- ends: policy 3
-- message: actions/policy.yaml:2: anchors (`&name`) are not taken here: write the value out
print("never")
---- actions/policy.yaml
version: 1
rules: &rules
  - *rules
