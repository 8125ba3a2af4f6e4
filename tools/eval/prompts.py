"""Whether the server writes a chat as the training did: the same ids, not only the same text."""
import items
from tasks.encoding import assistant, encode, user

import tool_calls
from service import said

ROW = "prompts as in training"


def trained(messages, thinking, schemas=None):
    """The training's prompt of messages whose answer is still to come."""
    segments = encode([*messages, assistant("")], thinking, schemas)
    return "".join(text for text, _ in segments[:-1])


def measure(asked, report, count):
    cases = [(trained(messages, thinking, schemas),
              {"messages": tool_calls.messages_of(messages),
               "tools": tool_calls.tools_of(schemas)}, thinking)
             for messages, schemas, _ in items.requests(count) for thinking in (False, True)]
    cases += [(trained([user(question)], thinking), {"messages": said(question)}, thinking)
              for question, _ in items.questions(count) for thinking in (False, True)]
    answers = []
    for text, body, thinking in cases:
        got = asked.tokens(**body, chat_template_kwargs={"thinking": thinking})
        wanted = asked.tokens(prompt=text, add_special_tokens=False)
        answers.append((got == wanted, text, got, wanted))
    report.share(ROW, answers)
