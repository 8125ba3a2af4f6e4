"""AISBench's API models, with its own code for bodies, streams and figures (check 43)."""
import asyncio
import math

import aiohttp
import pytest

from aisbench_models import PPLRequestOutput, RequestOutput, VLLMCustomAPI, VLLMCustomAPIChat
from server import NAMES
from wire import token

PROMPTS = [f"Question: what is {i} + {i}?\nAnswer:" for i in range(20)]
KWARGS = {"temperature": 0.01, "top_k": 10, "top_p": 0.95, "seed": None, "repetition_penalty": 1.03,
          "ignore_eos": True}


def made(kind, server, streaming, **more):
    return kind(host_ip="127.0.0.1", host_port=server.port, stream=streaming, retry=1,
                generation_kwargs={**KWARGS, **more})


def ask_all(model, max_out_len=12, figures=True):
    async def one(prompt, session):
        output = RequestOutput(perf_mode=True)
        await model.generate(prompt, max_out_len, output, session)
        if figures:
            output.get_metrics()  # And forgets what was said.
        return output

    async def everyone():
        async with aiohttp.ClientSession() as session:  # One for all, as its runner has.
            return await asyncio.gather(*(one(prompt, session) for prompt in PROMPTS))

    return asyncio.run(everyone())


@pytest.mark.needs_full_size_model("the accuracy on gsm8k")
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", [VLLMCustomAPI, VLLMCustomAPIChat])
def test_43_all_succeed(server, kind, streaming):
    model = made(kind, server, streaming)
    assert model.model == NAMES[0], "taken from /v1/models"
    for output in ask_all(model):
        assert output.success, output.error_info
        assert output.output_tokens == 12 and output.input_tokens > 0 and output.prediction
        times = output.time_points
        assert len(times) >= (3 if streaming else 2)
        if streaming:
            ttft, tpot = times[1] - times[0], (times[-1] - times[1]) / (output.output_tokens - 1)
            assert ttft > 0 and tpot >= 0 and math.isfinite(tpot)


def test_43_a_thought_is_told_apart(server):
    model = made(VLLMCustomAPIChat, server, True, chat_template_kwargs={"thinking": True},
                 logit_bias={str(token("</think>")): -100})
    for output in ask_all(model, figures=False):
        assert output.success and output.reasoning_content and not output.content


@pytest.mark.parametrize("kind", [VLLMCustomAPI, VLLMCustomAPIChat])
def test_43_perplexity(server, kind):
    async def one():
        output = PPLRequestOutput()
        await made(kind, server, False).get_ppl("The cat sat on the mat.", 1, output)
        return output

    output = asyncio.run(one())
    assert output.success, output.error_info
    assert math.isfinite(output.ppl) and output.ppl > 0
