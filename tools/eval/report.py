"""What was measured: cells of a table, and the items that went wrong."""
import json

from paths import OUT


class Report:
    def __init__(self):
        self.cells = {}  # {row: {column: number}}, rows in the order of their coming
        self.columns = []
        self.misses = open(OUT / "misses.jsonl", "w", encoding="utf-8")

    def begin(self, column):
        self.columns.append(column)

    def put(self, row, value):
        self.cells.setdefault(row, {})[self.columns[-1]] = value

    def get(self, row, column):
        return self.cells.get(row, {}).get(column)

    def share(self, row, answers):
        """answers: [(right, what was asked, got, wanted)]."""
        for right, asked, got, wanted in answers:
            if not right:
                json.dump({"column": self.columns[-1], "row": row, "asked": asked, "got": got,
                           "wanted": wanted}, self.misses, ensure_ascii=False)
                self.misses.write("\n")
        self.misses.flush()
        self.put(row, sum(bool(answer[0]) for answer in answers) / len(answers))

    def markdown(self):
        lines = [["", *self.columns], ["---"] * (len(self.columns) + 1)]
        for row, cells in self.cells.items():
            lines.append([row, *(self.shown(cells.get(column)) for column in self.columns)])
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)

    @staticmethod
    def shown(value):
        return "-" if value is None else f"{value:.3f}" if value < 100 else f"{value:.0f}"
