"""How many decisions were wrong, and of which kind."""

from typing import Any


def figures_of(rows: list[dict[str, Any]], *, sabotage: str | None) -> dict[str, Any]:
    """The counts of decisions and of errors; holds where there is no error."""
    decisions = [row["decision"] for row in rows]
    found = {
        "bench": "admission",
        "sabotage": sabotage,
        "requests": len(rows),
        **{kind: decisions.count(kind) for kind in ("admit", "admit_reduced", "reject")},
        "out_of_memory": sum(row.get("out_of_memory", 0) for row in rows),
        "refused_though_it_fits": sum(row.get("refused_though_it_fits", False) for row in rows),
        "reduced_though_it_fits": sum(row.get("reduced_though_it_fits", False) for row in rows),
    }
    wrong = ("out_of_memory", "refused_though_it_fits", "reduced_though_it_fits")
    return {**found, "holds": not any(found[kind] for kind in wrong)}
