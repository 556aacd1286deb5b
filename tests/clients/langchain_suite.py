"""LangChain's own suite for chat models, against the gateway: run by the environment that has LangChain, not by ours."""

import os
from typing import Any, ClassVar

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class _Gateway(ChatModelIntegrationTests):
    asked: str
    more: ClassVar[dict[str, Any]] = {}

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def model_override_value(self) -> str:
        return "small"

    @property
    def chat_model_params(self) -> dict[str, Any]:
        url = os.environ["GATEWAY_URL"] + "/v1"
        # For an address that is not OpenAI's, LangChain asks for a stream's usage where it is told to.
        own = {"base_url": url, "api_key": os.environ["GATEWAY_KEY"], "stream_usage": True}
        return {"model": self.asked, **own, **self.more}


class TestChatCompletions(_Gateway):
    asked = "openai/gpt-4.1-mini"


class TestChatCompletionsOfAnother(_Gateway):
    asked = "anthropic/claude-sonnet-4-5"


class TestResponses(_Gateway):
    asked = "openai/gpt-4.1-mini"
    more: ClassVar[dict[str, Any]] = {"use_responses_api": True}
