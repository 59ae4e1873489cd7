from common import rows, serve

RATES = {"EUR": 1.0, "USD": 1.1}


def costs(params):
    found = [row for row in rows("costs.csv") if row["tenant"] == params["tenant"]]
    if not found:
        raise LookupError(f"no cost data for tenant {params['tenant']!r}")
    rate = RATES[params["currency"]]
    return {row["service"]: round(float(row["eur"]) * rate, 2) for row in found}


serve(costs)
