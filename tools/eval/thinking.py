"""Arithmetic in chats, with and without thinking: the answer, and whether there was a thought."""
import items

from service import said


def measure(asked, report, count):
    made = items.questions(count)
    for thinking, mode in ((False, "off"), (True, "on")):
        replies = asked.each(
            lambda item: asked.chat(said(item[0]), thinking, max_tokens=128), made)
        right, thought = [], []
        for (question, number), choice in zip(made, replies):
            reasoning = getattr(choice.message, "reasoning_content", None)
            content = choice.message.content or ""
            told = question, [reasoning, content], number
            right.append((items.last_number(content) == number, *told))
            thought.append((bool(reasoning) == thinking, *told))
        report.share(f"thinking {mode}, right answers", right)
        report.share(f"thinking {mode}, " + ("a thought" if thinking else "no thought"), thought)
