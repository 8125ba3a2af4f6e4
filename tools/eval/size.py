"""How many items of each kind: all that a run may be scaled by."""
import dataclasses

LENGTHS = (1024, 2048, 4096, 8192)
DRAFTS = 3
CONTEXT = LENGTHS[-1]  # --max-model-len


@dataclasses.dataclass(frozen=True)
class Size:
    sums: int
    needles: dict  # {length: items} of CHECKPOINT itself
    variants: dict  # the same of all that is made from it
    tools: int
    chats: int  # arithmetic in chats, with and without thinking
    stories: int  # continued, for the acceptance of drafts
    narratives: int  # read, for their perplexity

    def __str__(self):
        needles = ", ".join(f"{n} of {length // 1024}k" for length, n in self.needles.items())
        return (f"{self.sums} sums, needles {needles}, {self.tools} tool calls, "
                f"{self.chats} chats, {self.stories} stories continued, {self.narratives} read")


FULL = Size(sums=256, needles=dict.fromkeys(LENGTHS, 64), variants=dict.fromkeys(LENGTHS, 64),
            tools=256, chats=128, stories=64, narratives=64)
SHORT = Size(sums=64, needles=dict(zip(LENGTHS, (8, 8, 4, 3))),
             variants=dict(zip(LENGTHS, (6, 6, 3))), tools=32, chats=32, stories=16, narratives=16)
