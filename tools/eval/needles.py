"""One fact in a long narrative, asked for at its end."""
import items

from service import said


def row(length):
    return f"needle, {length // 1024}k"


def measure(asked, report, counts):
    tokens = lambda text: len(asked.tokens(messages=said(text)))
    for length, count in counts.items():
        made = asked.each(lambda i: items.needle(i, length, tokens), range(count))
        replies = asked.each(lambda item: asked.chat(said(item[0]), max_tokens=24), made)
        texts = [reply.message.content or "" for reply in replies]
        report.share(row(length), [
            (value in got, text, got, value) for (text, value), got in zip(made, texts)])
