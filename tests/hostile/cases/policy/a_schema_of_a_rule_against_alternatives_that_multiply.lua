-- A check that is given up after too many steps decides against the script.
-- action: put | wc -c
-- options: --timeout 20s
-- ends: denied 4
-- message: t.put failed: denied by actions/policy.yaml:4 (deny t.put)
assert(actions.t.put({ tree = 1 }) > 0)
actions.t.put({ tree = "a" })
---- actions/policy.yaml
version: 1
default: allow
rules:
  - deny: t.put
    when:
      tree:
        schema:
          type: string
          $ref: "#/$defs/n0"
          $defs:
            n0: { anyOf: [{ $ref: "#/$defs/n1" }, { $ref: "#/$defs/n1" }] }
            n1: { anyOf: [{ $ref: "#/$defs/n2" }, { $ref: "#/$defs/n2" }] }
            n2: { anyOf: [{ $ref: "#/$defs/n3" }, { $ref: "#/$defs/n3" }] }
            n3: { anyOf: [{ $ref: "#/$defs/n4" }, { $ref: "#/$defs/n4" }] }
            n4: { anyOf: [{ $ref: "#/$defs/n5" }, { $ref: "#/$defs/n5" }] }
            n5: { anyOf: [{ $ref: "#/$defs/n6" }, { $ref: "#/$defs/n6" }] }
            n6: { anyOf: [{ $ref: "#/$defs/n7" }, { $ref: "#/$defs/n7" }] }
            n7: { anyOf: [{ $ref: "#/$defs/n8" }, { $ref: "#/$defs/n8" }] }
            n8: { anyOf: [{ $ref: "#/$defs/n9" }, { $ref: "#/$defs/n9" }] }
            n9: { anyOf: [{ $ref: "#/$defs/n10" }, { $ref: "#/$defs/n10" }] }
            n10: { anyOf: [{ $ref: "#/$defs/n11" }, { $ref: "#/$defs/n11" }] }
            n11: { anyOf: [{ $ref: "#/$defs/n12" }, { $ref: "#/$defs/n12" }] }
            n12: { anyOf: [{ $ref: "#/$defs/n13" }, { $ref: "#/$defs/n13" }] }
            n13: { anyOf: [{ $ref: "#/$defs/n14" }, { $ref: "#/$defs/n14" }] }
            n14: { anyOf: [{ $ref: "#/$defs/n15" }, { $ref: "#/$defs/n15" }] }
            n15: { anyOf: [{ $ref: "#/$defs/n16" }, { $ref: "#/$defs/n16" }] }
            n16: { anyOf: [{ $ref: "#/$defs/n17" }, { $ref: "#/$defs/n17" }] }
            n17: { anyOf: [{ $ref: "#/$defs/n18" }, { $ref: "#/$defs/n18" }] }
            n18: { anyOf: [{ $ref: "#/$defs/n19" }, { $ref: "#/$defs/n19" }] }
            n19: { anyOf: [{ $ref: "#/$defs/n20" }, { $ref: "#/$defs/n20" }] }
            n20: { anyOf: [{ $ref: "#/$defs/n21" }, { $ref: "#/$defs/n21" }] }
            n21: { anyOf: [{ $ref: "#/$defs/n22" }, { $ref: "#/$defs/n22" }] }
            n22: { anyOf: [{ $ref: "#/$defs/n23" }, { $ref: "#/$defs/n23" }] }
            n23: { anyOf: [{ $ref: "#/$defs/n24" }, { $ref: "#/$defs/n24" }] }
            n24: { anyOf: [{ $ref: "#/$defs/n25" }, { $ref: "#/$defs/n25" }] }
            n25: { anyOf: [{ $ref: "#/$defs/n26" }, { $ref: "#/$defs/n26" }] }
            n26: { anyOf: [{ $ref: "#/$defs/n27" }, { $ref: "#/$defs/n27" }] }
            n27: { anyOf: [{ $ref: "#/$defs/n28" }, { $ref: "#/$defs/n28" }] }
            n28: { anyOf: [{ $ref: "#/$defs/n29" }, { $ref: "#/$defs/n29" }] }
            n29: { anyOf: [{ $ref: "#/$defs/n30" }, { $ref: "#/$defs/n30" }] }
            n30: { anyOf: [{ $ref: "#/$defs/n31" }, { $ref: "#/$defs/n31" }] }
            n31: { anyOf: [{ $ref: "#/$defs/n32" }, { $ref: "#/$defs/n32" }] }
            n32: { anyOf: [{ $ref: "#/$defs/n33" }, { $ref: "#/$defs/n33" }] }
            n33: { anyOf: [{ $ref: "#/$defs/n34" }, { $ref: "#/$defs/n34" }] }
            n34: { anyOf: [{ $ref: "#/$defs/n35" }, { $ref: "#/$defs/n35" }] }
            n35: { anyOf: [{ $ref: "#/$defs/n36" }, { $ref: "#/$defs/n36" }] }
            n36: { anyOf: [{ $ref: "#/$defs/n37" }, { $ref: "#/$defs/n37" }] }
            n37: { anyOf: [{ $ref: "#/$defs/n38" }, { $ref: "#/$defs/n38" }] }
            n38: { anyOf: [{ $ref: "#/$defs/n39" }, { $ref: "#/$defs/n39" }] }
            n39: { anyOf: [{ $ref: "#/$defs/n40" }, { $ref: "#/$defs/n40" }] }
            n40: { const: "z" }
