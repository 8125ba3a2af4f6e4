"""The mixture of tasks, packed into rows, made by worker processes while the GPU trains."""

import multiprocessing as mp
import queue
import random

import numpy as np

from tasks import arithmetic, chats, code, lists, retrieval, sayings, stories, toolcalls

EXTRA = 3  # tokens beyond a row: the targets of the main head and of two drafts
MIXTURE = [  # share of documents, generator
    (0.12, stories.document),
    (0.28, arithmetic.document),
    (0.18, lists.document),
    (0.09, chats.document),
    (0.34, toolcalls.document),
    (0.03, code.document),
    (0.03, sayings.document),
    (0.08, retrieval.table),
    (0.05, lambda rng, split: retrieval.document(rng, split, rng.randint(200, 3200))),
]


def document(rng, split="train"):
    weights = [w for w, _ in MIXTURE]
    return rng.choices([make for _, make in MIXTURE], weights)[0](rng, split)


class Encoder:
    """Documents to arrays; texts of a batch of documents are tokenized in one call."""

    def __init__(self, path):
        from tokenizers import Tokenizer
        self.tokenizer = Tokenizer.from_file(str(path))

    def arrays(self, documents):
        """-> [(ids uint16, weights uint8 in steps of 1/100)]."""
        texts = [t for d in documents for t, _ in d]
        encoded = iter(self.tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        out = []
        for d in documents:
            ids, weights = [], []
            for _, weight in d:
                part = next(encoded).ids
                ids += part
                weights += [round(weight * 100)] * len(part)
            out.append((np.array(ids, np.uint16), np.array(weights, np.uint8)))
        return out


class Packer:
    """Rows of length tokens + EXTRA; each row starts with a document."""

    def __init__(self, path, seed, length, long_share):
        self.encoder, self.rng = Encoder(path), random.Random(seed)
        self.length, self.long_share, self.stock, self.reserve = length, long_share, [], []

    def next_document(self):
        if not self.stock:
            fresh = self.encoder.arrays([document(self.rng) for _ in range(128)])
            self.stock = fresh
        return self.stock.pop()

    def long_document(self):
        """A needle document; most are near the row's length."""
        size = int(self.length * 4.1 * self.rng.uniform(0.25, 1.0))
        made = self.encoder.arrays([retrieval.document(self.rng, "train", size)])[0]
        return made if len(made[0]) <= self.length else self.long_document()

    def row(self):
        size = self.length + EXTRA
        parts, total = [], 0
        if self.rng.random() < self.long_share:
            parts.append(self.long_document())
            total = len(parts[0][0])
        while total < size:
            parts.append(self.next_document())
            total += len(parts[-1][0])
        ids = np.concatenate([p[0] for p in parts])[:size]
        weights = np.concatenate([p[1] for p in parts])[:size]
        return ids, weights


def work(path, seed, rows, length, long_share, out):
    packer = Packer(path, seed, length, long_share)
    while True:
        made = [packer.row() for _ in range(rows)]
        out.put((np.stack([m[0] for m in made]), np.stack([m[1] for m in made])))


class Stream:
    """Batches of one shape from worker processes; a batch is put together from parts of 4 rows."""

    def __init__(self, path, seed, rows, length, long_share=0.0, workers=4, part=4):
        self.rows, self.part = rows, min(part, rows)
        context = mp.get_context("fork")
        self.queue = context.Queue(maxsize=max(256 // 4, 3 * rows // self.part))
        self.workers = [context.Process(target=work, daemon=True, args=(
            path, seed * 1000 + n, self.part, length, long_share, self.queue))
            for n in range(workers)]
        for w in self.workers:
            w.start()
        self.recent, self.reused = [], 0

    def batch(self):
        """A part is used again, at most once more in a while, where the workers are too slow."""
        parts = []
        while len(parts) < self.rows // self.part:
            enough = len(self.recent) >= 200
            try:
                part = self.queue.get(timeout=0.002 if enough else 5)
                self.recent.append(part)
            except queue.Empty:
                if not all(w.is_alive() for w in self.workers):
                    raise SystemExit("a worker that makes data has died: see its error above")
                if not enough:
                    continue
                self.reused += 1
                part = self.recent[random.randrange(len(self.recent))]
            parts.append(part)
        self.recent = self.recent[-2000:]
        return tuple(np.concatenate([p[i] for p in parts]) for i in range(2))

    def stop(self):
        for w in self.workers:
            w.terminate()
