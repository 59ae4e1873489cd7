from common import rows, serve


def metrics(params):
    name = params["metric"]
    points = [
        {"hour": int(row["hour"]), "value": float(row[name])}
        for row in rows("metrics.csv")
        if row["tenant"] == params["tenant"]
    ]
    return {"metric": name, "resolution": params["resolution"], "points": points}


serve(metrics)
