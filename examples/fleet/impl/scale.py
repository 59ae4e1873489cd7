from common import rows, serve


def scale(params):
    if not any(row["name"] == params["tenant"] for row in rows("tenants.csv")):
        raise LookupError(f"no tenant {params['tenant']!r}")
    # A real one would ask the cluster; KAEL_IDEMPOTENCY_KEY tells two attempts of one call apart from two calls.
    return {"tenant": params["tenant"], "replicas": params["replicas"]}


serve(scale)
