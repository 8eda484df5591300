"""The only network code: one client per kind of endpoint, each making one attempt per call.

`openai_compat` speaks to every host with OpenAI's API (llama.cpp, vLLM, LM Studio, the built-in server),
`ollama` to Ollama's own, which also tells what is loaded and unloads on request. `_http` is what both share:
the session, the bounds, and the one place where foreign errors become a `Failure`.
"""
