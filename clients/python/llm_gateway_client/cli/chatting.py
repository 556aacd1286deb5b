"""`llm-gateway chat`: a conversation at the terminal."""

import sys
from contextlib import suppress
from typing import Any

from llm_gateway_client.answers import QueryResponse
from llm_gateway_client.cli import questions
from llm_gateway_client.cli.session import session
from llm_gateway_client.cli.statuses import lines_of
from llm_gateway_client.errors import GatewayError

_HELP = "/model NAME asks another one, /clear forgets what was said, /exit or Ctrl-D ends. Ctrl-C cancels an answer."


def chat(
    provider: questions.Provider = None,
    model: questions.Model = None,
    fallback: questions.Fallback = None,
    system: questions.System = None,
    role: questions.Roles = None,
    temperature: questions.Temperature = None,
    max_tokens: questions.MaxTokens = None,
    timeout: questions.Timeout = None,
) -> None:
    """Talk with a model; it is told all that was said. Ctrl-C cancels an answer, Ctrl-D ends."""
    said = questions.query(
        provider=provider,
        model=model,
        fallback=fallback,
        system=system,
        roles=role,
        temperature=temperature,
        max_tokens=max_tokens,
        timeout_s=timeout,
    )
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401 - lines can be edited and repeated once it is there
        session().terminal.note(_HELP)
    _Conversation(said).go_on()


class _Conversation:
    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.messages: list[dict[str, Any]] = []

    def go_on(self) -> None:
        while (line := _read()) is not None:
            word, _, rest = line.partition(" ")
            if word == "/exit":
                return
            if word == "/clear":
                self.messages.clear()
            elif word == "/model" and rest.strip():
                self.said["model"] = rest.strip()
            elif word.startswith("/"):
                session().terminal.note(_HELP)
            elif line.strip():
                self._ask(line)

    def _ask(self, line: str) -> None:
        """A question that fails is forgotten, so that the conversation goes on."""
        terminal = session().terminal
        asked = {"role": "user", "content": line}
        try:
            said = {**self.said, "messages": [*self.messages, asked]}
            answer = questions.answer(session().client, terminal, None, said)
        except KeyboardInterrupt:
            return
        except GatewayError as error:
            if not sys.stdin.isatty():
                raise
            for text in lines_of(error):
                terminal.note(text, style="red")
            return
        self.messages += [asked, _as_message(answer)]
        terminal.note(questions.footer(answer))


def _as_message(answer: QueryResponse) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.output.text or ""}
    if answer.output.reasoning is not None:
        message["reasoning"] = {"items": answer.output.reasoning.model_dump(mode="json")["items"]}
    return message


def _read() -> str | None:
    """A line of the person's; None at the end."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None
    try:
        return input("> ")
    except EOFError:
        return None
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return ""
