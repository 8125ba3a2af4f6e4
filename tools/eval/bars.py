"""What the figures must reach."""
import drafts
import narratives
import needles
import prompts
import speed
import sums
import tool_calls

FLOORS = {prompts.ROW: 1.0, sums.ROW: 0.90, tool_calls.CORRECT: 0.95, drafts.row(1): 0.75,
          drafts.row(2): 0.50}
NEEDLE, RANDOM = 0.95, 0.50
BELOW_DENSE = 0.01
BELOW_ITSELF = {"fp8": 0.01, "w8a8": 0.02}
NOT_COMPARED = speed.ROW, narratives.PERPLEXITY  # the latter is the loss once more
ROUNDING = 1e-9


def floors(report, size):
    wanted = {**FLOORS, **{needles.row(length): NEEDLE for length in size.needles}}
    for row, floor in wanted.items():
        value = report.get(row, report.columns[0])
        yield f"{row}: >= {floor}", value, value is not None and value >= floor


def indexers(report, size):
    """The chosen positions against all, and against those that a random indexer chooses."""
    for row in map(needles.row, size.variants):
        value, dense = report.get(row, report.columns[0]), report.get(row, "dense")
        below = None if None in (value, dense) else dense - value
        yield (f"{row}: at most {BELOW_DENSE} below dense", below,
               below is not None and below <= BELOW_DENSE + ROUNDING)
        value = report.get(row, "random indexer")
        yield f"{row}: random indexer < {RANDOM}", value, value is not None and value < RANDOM


def worst(report, column):
    """-> (by how much it is worse than the checkpoint itself, the row where it is most)."""
    found = []
    for row in report.cells:
        pair = report.get(row, report.columns[0]), report.get(row, column)
        if None not in pair and row not in NOT_COMPARED:
            found.append(((pair[0] - pair[1]) * (-1 if row == narratives.LOSS else 1), row))
    return max(found, default=(None, "every row"))


def formats(report, _):
    for column, most in BELOW_ITSELF.items():
        worse, row = worst(report, column)
        yield (f"{column}: at most {most} worse; most in: {row}", worse,
               worse is not None and worse <= most + ROUNDING)


def judge(report, size):
    """-> [(bar, figure, met)]; what was not measured is not met."""
    return [bar for part in (floors, indexers, formats) for bar in part(report, size)]


def markdown(judged):
    lines = ["| bar | figure | |\n| --- | --- | --- |\n"]
    for bar, figure, met in judged:
        shown = "not measured" if figure is None else f"{figure:.3f}"
        lines.append(f"| {bar} | {shown} | {'met' if met else '**missed**'} |\n")
    return "".join(lines)
