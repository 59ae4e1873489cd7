from common import rows, serve

serve(lambda params: [{"name": row["name"], "tier": row["tier"]} for row in rows("tenants.csv")])
