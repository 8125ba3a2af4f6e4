#!/usr/bin/env python3
"""What `vllm bench serve` sends and how it reads the answers, without vLLM (several GB).

    vllm_bench.py --model models/tiny --dataset-name random --random-input 200 --num-prompts 200 \\
        --request-rate 1 --save-result --result-dir ./

Flags, bodies, the rules of reading and the names in the result are vLLM's: TTFT is taken at the
first chunk with choices, later ones give the gaps, usage counts only from a chunk without choices,
and a request that never had a chunk with choices has failed.
"""
import argparse
import asyncio
import json
import os
import pathlib
import random
import re
import statistics
import sys
import time
import uuid

import aiohttp
import tokenizers

METRIC = re.compile(r"^vllm:spec_decode_(\w+_total)(?:\{([^}]*)\})? (\S+)", re.M)


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=True)
    add = parser.add_argument
    add("--backend", default="openai", choices=["openai", "vllm", "openai-chat"])
    add("--base-url", default=None)
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8000)
    add("--model", default=None)
    add("--served-model-name", default=None)
    add("--tokenizer", default=None, help="folder with tokenizer.json; the model's")
    add("--dataset-name", default="random", choices=["random"])
    add("--random-input-len", type=int, default=1024)
    add("--random-output-len", type=int, default=128)
    add("--num-prompts", type=int, default=1000)
    add("--request-rate", type=float, default=float("inf"))
    add("--max-concurrency", type=int, default=None)
    add("--seed", type=int, default=0)
    add("--temperature", type=float, default=None)
    add("--ignore-eos", action="store_true")
    add("--extra-body", type=json.loads, default={})
    add("--ready-check-timeout-sec", type=float, default=600)
    add("--profile", action="store_true")
    add("--save-result", action="store_true")
    add("--result-dir", default=".")
    return parser.parse_args(words)


def body_of(args, model, prompt):
    """§7.3, key by key."""
    if args.backend == "openai-chat":
        body = {"model": model, "messages": [
            {"role": "user", "content": [{"type": "text", "text": prompt}]}],
            "max_completion_tokens": args.random_output_len}
    else:
        body = {"model": model, "prompt": prompt, "repetition_penalty": 1.0,
                "max_tokens": args.random_output_len, "logprobs": None}
    if args.temperature is not None:
        body["temperature"] = args.temperature
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    if args.ignore_eos or args.dataset_name == "random":
        body["ignore_eos"] = True
    return body | args.extra_body


class Result:
    """One request. Times in seconds; a failure has its reason in `error`."""

    def __init__(self):
        self.error, self.text, self.output_len = "", "", None
        self.ttft, self.itl, self.latency = 0.0, [], 0.0

    def read(self, message, begin, latest):
        """One event's payload; returns the time of the last chunk with choices."""
        chunk, now = json.loads(message), time.perf_counter()
        if chunk.get("error"):
            raise ValueError(str(chunk["error"]))
        if choices := chunk.get("choices"):
            if latest is None:
                self.ttft = now - begin
            else:
                self.itl.append(now - latest)
            latest = now
            self.text += choices[0].get("text") or choices[0].get("delta", {}).get("content") or ""
        elif usage := chunk.get("usage"):
            self.output_len = usage["completion_tokens"]
        return latest


async def ask(session, url, body, request_id):
    result, begin, latest = Result(), time.perf_counter(), None
    headers = {"Content-Type": "application/json", "x-request-id": request_id,
               "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY')}"}
    try:
        async with session.post(url, json=body, headers=headers) as reply:
            if reply.status != 200:
                result.error = f"{reply.status} {reply.reason}: {(await reply.text())[:300]}"
                return result
            async for part in reply.content.iter_any():
                # As v0.13 does: each read is decoded by itself and must hold whole events.
                for line in part.decode("utf-8").split("\n"):
                    message = line.strip().removeprefix("data: ")
                    if message and message != "[DONE]" and not message.startswith(":"):
                        latest = result.read(message, begin, latest)
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        result.error = f"{type(error).__name__}: {error}"
    if latest is None and not result.error:
        result.error = "Never received a valid chunk to calculate TTFT"
    elif latest is not None:
        result.latency = latest - begin
    return result


async def drafts(session, base):
    """The counters of speculation: {name or (name, position): value}; empty where none are."""
    async with session.get(base + "/metrics") as reply:
        text = await reply.text() if reply.status == 200 else ""
    found = {}
    for name, labels, value in METRIC.findall(text):
        position = re.search(r'position="(\d+)"', labels)
        key = (name, int(position[1])) if position else name
        found[key] = found.get(key, 0) + float(value)
    return found


def prompts_of(args, tokenizer):
    """Random ids, decoded to text until the text has as many tokens again."""
    chance, size = random.Random(args.seed), tokenizer.get_vocab_size()
    plain = [id for id in range(size) if re.fullmatch(r"[ \w]+", tokenizer.decode([id]))]
    for _ in range(args.num_prompts):
        tokens = [chance.choice(plain) for _ in range(args.random_input_len)]
        for _ in range(10):
            text = tokenizer.decode(tokens)
            tokens = tokenizer.encode(text, add_special_tokens=False).ids
            if len(tokens) >= args.random_input_len:
                break
            tokens += [chance.choice(plain) for _ in range(args.random_input_len - len(tokens))]
        yield tokenizer.decode(tokens[:args.random_input_len])


async def wait_until_ready(args, send):
    end = time.monotonic() + args.ready_check_timeout_sec
    while (result := await send("ready")).error:
        if time.monotonic() + 5 > end:
            raise SystemExit(f"not ready after {args.ready_check_timeout_sec} s: {result.error}")
        await asyncio.sleep(5)


async def benchmark(args):
    base = args.base_url or f"http://{args.host}:{args.port}"
    timeout = aiohttp.ClientTimeout(total=6 * 3600)
    async with aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 20) as session:
        model = args.served_model_name or args.model
        if model is None:
            async with session.get(base + "/v1/models") as reply:
                first = (await reply.json())["data"][0]
            model, args.model = first["id"], first["root"]
        folder = pathlib.Path(args.tokenizer or args.model)
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        prompts = list(prompts_of(args, tokenizer))
        path = "/v1/chat/completions" if args.backend == "openai-chat" else "/v1/completions"
        chance, tag = random.Random(args.seed), uuid.uuid4().hex[:8]
        places = asyncio.Semaphore(args.max_concurrency or len(prompts))

        async def send(name, prompt=prompts[0]):
            async with places:
                return await ask(session, base + path, body_of(args, model, prompt),
                                 f"bench-{tag}-{name}")

        await wait_until_ready(args, send)
        before = await drafts(session, base)
        if args.profile:
            await session.post(base + "/start_profile")
        begin, running = time.perf_counter(), []
        for i, prompt in enumerate(prompts):
            running.append(asyncio.create_task(send(i, prompt)))
            if args.request_rate != float("inf"):
                await asyncio.sleep(chance.expovariate(args.request_rate))
        results = await asyncio.gather(*running)
        duration = time.perf_counter() - begin
        if args.profile:
            await session.post(base + "/stop_profile")
        after = await drafts(session, base)
        moved = {key: value - before.get(key, 0) for key, value in after.items()}
    return summary(args, prompts, results, duration, moved, tokenizer)


def milliseconds(name, values):
    ordered = sorted(values) or [0.0]
    return {f"mean_{name}_ms": statistics.fmean(ordered) * 1e3,
            f"median_{name}_ms": statistics.median(ordered) * 1e3,
            f"p99_{name}_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3}


def summary(args, prompts, results, duration, moved, tokenizer):
    good = [result for result in results if not result.error]
    lengths = [result.output_len if result.output_len is not None else
               len(tokenizer.encode(result.text, add_special_tokens=False).ids) for result in good]
    figures = {
        "model_id": args.model, "num_prompts": len(prompts), "request_rate": args.request_rate,
        "duration": duration, "completed": len(good), "failed": len(results) - len(good),
        "total_input_tokens": sum(len(tokenizer.encode(prompt, add_special_tokens=False).ids)
                                  for prompt in prompts),
        "total_output_tokens": sum(lengths), "output_lens": lengths,
        "request_throughput": len(good) / duration, "output_throughput": sum(lengths) / duration,
        "errors": sorted({result.error for result in results if result.error}),
        **milliseconds("ttft", [result.ttft for result in good]),
        **milliseconds("tpot", [(result.latency - result.ttft) / (length - 1)
                                for result, length in zip(good, lengths) if length > 1]),
        **milliseconds("itl", [gap for result in good for gap in result.itl])}
    if moved.get("num_draft_tokens_total"):
        figures["spec_decode_acceptance_rate"] = \
            100 * moved["num_accepted_tokens_total"] / moved["num_draft_tokens_total"]
        figures["spec_decode_acceptance_length"] = \
            1 + moved["num_accepted_tokens_total"] / moved["num_drafts_total"]
    return figures


def main(words=None):
    args = arguments(words)
    figures = asyncio.run(benchmark(args))
    for key, value in figures.items():
        if key not in ("output_lens", "errors"):
            print(f"{key:32} {value:.2f}" if isinstance(value, float) else f"{key:32} {value}")
    for error in figures["errors"]:
        print(f"failed: {error}", file=sys.stderr)
    if args.save_result:
        name = f"{args.backend}-{args.request_rate}qps-{time.strftime('%Y%m%d-%H%M%S')}.json"
        (pathlib.Path(args.result_dir) / name).write_text(json.dumps(figures))
    return 1 if figures["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
