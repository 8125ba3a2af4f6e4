"""openai-agents: an agent with a tool, by chat completions and by responses."""
import asyncio
import typing

import agents
import openai
import pydantic
import pytest

from server import NAMES
from wire import token

agents.set_tracing_disabled(True)
asked = []


@agents.function_tool
def get_weather(city: typing.Literal["Oslo", "Bergen"]) -> str:
    """Look up the weather."""
    asked.append(city)
    return "rain"


class Report(pydantic.BaseModel):
    kind: typing.Literal["rain", "sun"]
    sure: bool


MODELS = {"chat": agents.OpenAIChatCompletionsModel, "responses": agents.OpenAIResponsesModel}


@pytest.mark.needs_full_size_model("that the report is of the weather it looked up")
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_an_agent_calls_a_tool_and_reports(server, kind, streaming):
    async def run():
        client = openai.AsyncOpenAI(base_url=server.v1, api_key="none", max_retries=0)
        # After the first call the SDK leaves the model free again, to call or to report; a bias
        # makes it report.
        agent = agents.Agent(
            name="Weather", instructions="Look up the weather, then report.", tools=[get_weather],
            output_type=Report, model=MODELS[kind](model=NAMES[0], openai_client=client),
            model_settings=agents.ModelSettings(
                tool_choice="required", max_tokens=800, parallel_tool_calls=False,
                extra_body={"logit_bias": {str(token("{")): 100}}))
        if not streaming:
            return (await agents.Runner.run(agent, "How is it in Oslo?", max_turns=3)).final_output
        result = agents.Runner.run_streamed(agent, "How is it in Oslo?", max_turns=3)
        async for _ in result.stream_events():
            pass
        return result.final_output

    asked.clear()
    assert isinstance(asyncio.run(run()), Report)
    assert len(asked) == 1
