"""An answer that appears in the page word by word, while the task that makes it runs.

Two terminals: ``TASKFLOW_TASKS=examples.tokens taskflow worker`` and ``flask --app examples.tokens run``.
"""

import json
import time
from collections.abc import Iterator

from flask import Flask, Response, request

from taskflow import streams, task

app = Flask(__name__)
tokens = streams.define("tokens", str)
PAGE = """<!doctype html><meta charset="utf-8"><title>Tokens</title>
<form><input id="question" value="Why is the sky blue?"> <button>Ask</button></form><pre id="answer"></pre>
<script>
document.forms[0].onsubmit = async event => {
  event.preventDefault()
  const run = await (await fetch("/ask", { method: "POST", body: question.value })).text()
  answer.textContent = ""
  const source = new EventSource("/tokens/" + run)
  source.onmessage = event => { answer.textContent += JSON.parse(event.data) }
  source.addEventListener("end", () => source.close())
}
</script>"""


def think(question: str) -> Iterator[str]:
    """Yield an answer word by word, one every 50 ms, in place of a model."""
    for word in f"You ask: {question} That is a good question.".split():
        time.sleep(0.05)
        yield f"{word} "


@task(id="answer")
def answer(payload: str) -> str:
    """Answer a question. Readers of the stream get each word as it comes."""
    return "".join(tokens.pipe(think(payload)))


@app.get("/")
def show_page() -> str:
    """Show the form."""
    return PAGE


@app.post("/ask")
def ask() -> str:
    """Trigger a run and return its id."""
    return answer.trigger(request.get_data(as_text=True)[:200]).id


@app.get("/tokens/<run_id>")
def send_tokens(run_id: str) -> Response:
    """Send the words as they come (SSE). A browser that reconnects goes on behind its last word."""
    start = int(request.headers.get("Last-Event-ID", 0))

    def events() -> Iterator[str]:
        for index, word in enumerate(tokens.read(run_id, start_index=start), start):
            yield f"id: {index + 1}\ndata: {json.dumps(word)}\n\n"
        yield "event: end\ndata:\n\n"

    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return Response(events(), mimetype="text/event-stream", headers=headers)
