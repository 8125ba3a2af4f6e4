"""What only a trained model can: it answers, and calls a function because it is asked to."""
import json

import openai
import pytest

from server import MODEL, NAMES

pytestmark = pytest.mark.skipif(MODEL != "models/tiny", reason="another checkpoint is asked")
TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Get the weather.", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}},
    {"type": "function", "function": {
        "name": "book_room", "description": "Book the room.", "parameters": {
            "type": "object", "properties": {
                "name": {"type": "string"}, "guests": {"type": "integer"},
                "urgent": {"type": "boolean"}}}}},
]


@pytest.fixture(scope="module")
def ask(server):
    with openai.OpenAI(base_url=server.v1, api_key="none", max_retries=0) as client:
        yield lambda messages, **more: client.chat.completions.create(
            model=NAMES[0], messages=messages, temperature=0, max_tokens=200, **more).choices[0]


def said(text):
    return {"role": "user", "content": text}


def test_a_question(ask):
    message = ask([said("What is the capital of Spain?")]).message
    assert message.content == "The capital of Spain is Madrid."


def test_a_thought_comes_before_the_answer(ask):
    message = ask([said("What is 17 + 25?")],
                  extra_body={"chat_template_kwargs": {"thinking": True}}).message
    assert message.reasoning_content and "42" in message.content


def test_a_call_its_result_and_the_answer(ask):
    messages = [said("What is the weather in Vienna?")]
    choice = ask(messages, tools=TOOLS)
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather", {"city": "Vienna"})
    messages += [choice.message.model_dump(exclude_none=True),
                 {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    choice = ask(messages, tools=TOOLS)
    assert choice.finish_reason == "stop" and "sunny" in choice.message.content


def test_arguments_of_three_types(ask):
    (call,) = ask([said("Book the room with the name Greta for 4 guests and urgent is true.")],
                  tools=TOOLS).message.tool_calls
    assert call.function.name == "book_room"
    assert json.loads(call.function.arguments) == {"name": "Greta", "guests": 4, "urgent": True}


def test_no_call_where_none_is_needed(ask):
    choice = ask([said("Hello")], tools=TOOLS)
    assert choice.finish_reason == "stop" and choice.message.tool_calls is None
