"""What one stream alone gets: tokens a second, between its first and its last."""
import json
import statistics
import time

import items

import service

ROW = "tokens/s, one stream"
TOKENS, TRIES = 256, 3


def seconds(asked):
    """From the first event of a stream to the last."""
    body = {"model": service.NAME, "prompt": items.openings(1)[0], "max_tokens": TOKENS,
            "temperature": 0, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True}}
    times, told = [], 0
    with asked.http.stream("POST", "/v1/completions", json=body) as reply:
        for line in reply.iter_lines():
            if line.startswith("data: {"):
                event = json.loads(line[len("data: "):])
                times += [time.monotonic()] if event["choices"] else []
                told = (event["usage"] or {}).get("completion_tokens", told)
    assert told == TOKENS, f"{told} tokens of {TOKENS}"
    return times[-1] - times[0]


def measure(asked, report):
    report.put(ROW, (TOKENS - 1) / statistics.median(seconds(asked) for _ in range(TRIES)))
