"""The picture of a client's states in docs/how-it-works.md, from the table of the code."""

from __future__ import annotations

from interpal.sessions import state


def transitions() -> list[tuple[str, str, str, str, str]]:
    """The rows of the table of `interpal/sessions/state.py`: name, from, to, epoch, when."""
    lines = (state.__doc__ or "").splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip().startswith("transition |"))
    rows: list[tuple[str, str, str, str, str]] = []
    for line in lines[start + 2 :]:
        if not line.strip():
            break
        name, before, after, epoch, when = (cell.strip() for cell in line.split("|"))
        rows.append((name, before, after, epoch, when))
    return rows


def diagram() -> str:
    """The states and what leads from one to another, as a Mermaid diagram.

    What may come in any state is drawn from a state of that name.
    """
    used = [phase.value for phase in state.Phase if phase in state.IN_USE]
    lines = ["stateDiagram-v2", "    [*] --> none", "    state in_use {"]
    lines += [f"        {phase}" for phase in used]
    lines += ["    }"]
    for _, before, after, epoch, when in transitions():
        label = f"{when} (a new epoch)" if epoch == "new" else when
        lines += [f"    {_id(one)} --> {_id(after)}: {label}" for one in before.split(", ")]
    return "\n".join(lines)


def _id(name: str) -> str:
    return name.replace(" ", "_")
