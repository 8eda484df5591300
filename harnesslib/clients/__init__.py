"""Where models are reached: one client per kind of endpoint, each making one attempt per call.

`openai_compat` speaks to every host with OpenAI's API (llama.cpp, vLLM, LM Studio, the built-in server),
`ollama` to Ollama's own, which also tells what is loaded and unloads on request. `_http` is what both share:
the session, and the one place where foreign errors become a `Failure`. `command` starts a program per
request. `_reading` holds the bounds, and how JSON of unknown origin is read; `opening` picks
the client.
"""
