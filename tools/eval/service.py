"""A server under test and the clients that ask it."""
import concurrent.futures
import os

import httpx
import offline  # noqa: F401
import openai
from server import Server

import size

NAME = "eval"
AT_ONCE = 32
TIMEOUT = 900


class Service:
    def __init__(self, checkpoint):
        self.server = Server("--max-model-len", str(size.CONTEXT), "--kv-cache-memory-bytes",
                             "1G", "--threads", str(len(os.sched_getaffinity(0))), names=[NAME],
                             model=checkpoint)

    def __enter__(self):
        self.server.__enter__()
        self.openai = openai.OpenAI(base_url=self.server.v1, api_key="none", timeout=TIMEOUT,
                                    max_retries=0)
        self.http = httpx.Client(base_url=self.server.url, timeout=TIMEOUT, trust_env=False)
        return self

    def __exit__(self, *failure):
        self.openai.close()
        self.http.close()
        self.server.__exit__(*failure)

    def each(self, ask, items):
        """[ask(item)], a bounded number of them under way at once."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(ask, items))

    def post(self, path, **body):
        reply = self.http.post(path, json={"model": NAME, **body})
        if reply.status_code != 200:
            raise RuntimeError(f"{path}: {reply.status_code} {reply.text[:400]}")
        return reply.json()

    def tokens(self, **body):
        return self.post("/tokenize", **body)["tokens"]

    def complete(self, prompt, **body):
        """One choice; the prompt is taken as it stands."""
        return self.post("/v1/completions", prompt=prompt, add_special_tokens=False,
                         **body)["choices"][0]

    def chat(self, messages, thinking=False, **more):
        """One choice, greedy."""
        return self.openai.chat.completions.create(
            model=NAME, messages=messages, temperature=0,
            extra_body={"chat_template_kwargs": {"thinking": thinking}}, **more).choices[0]


def said(text):
    """A user's message."""
    return [{"role": "user", "content": text}]
