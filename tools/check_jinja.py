#!/usr/bin/env python3
"""Compares the library's Jinja interpreter with jinja2 in transformers' environment, text by text.

    python tools/check_jinja.py [--tool build/tests/mdf_jinja_render] [--changes changes.py] TEMPLATE_OR_FOLDER...

Every template (*.jinja, and the chat_template of *.json) is rendered for a set of conversations: one turn,
system message, several turns, content as text and as a list with pictures, tools and calls of tools, with and
without the generation prompt. Both must give the same text, or both must refuse. --changes names a Python file
that makes a dictionary V of templates from S and F, the simple and the full template of tests/golden/chat.
Needs jinja2 3.1.
"""
import argparse
import datetime
import functools
import json
import os
import subprocess
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

NOW = (2026, 7, 4, 15, 6, 7)


class Generation(jinja2.ext.Extension):
    """{% generation %} as transformers has it: a block in a scope of its own."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_support"), [], [], body).set_lineno(line)

    def _support(self, caller):
        return caller()


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime(*NOW).strftime(f)
    return env


ENV = environment()


@functools.lru_cache(maxsize=8)
def compiled(template):
    return ENV.from_string(template)


def reference(template, root):
    """The text, or None and why not."""
    try:
        return compiled(template).render(**root), ""
    except Exception as e:  # whatever Python says is a refusal
        return None, f"{type(e).__name__}: {e}"


TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Says what the weather is, <now> & \"here\".",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "A city, e.g. Zürich"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": "array", "items": {"type": "integer"}},
        "where": {"type": ["number", "null"], "nullable": True}},
        "required": ["city"]},
    "return": {"type": "string", "description": "A sentence"}}}]


def text(t):
    return {"type": "text", "text": t}


def conversations():
    image = {"type": "image"}
    call = {"id": "a1b2c3d4e", "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": [1, 2], "x": None}}}
    as_text = {"id": "a1b2c3d4e", "type": "function",
               "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    user = {"role": "user", "content": " What is this?\n"}
    turns = [user, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nA retina. "},
             {"role": "user", "content": "Sure? 'quoted' \"twice\" \\ \U0001F600 é"}]
    tools = [user, {"role": "assistant", "content": "", "tool_calls": [call]},
             {"role": "tool", "tool_call_id": "a1b2c3d4e", "name": "get_weather", "content": "sunny"},
             {"role": "assistant", "content": "It is sunny."}, user]
    yield "user", {"messages": [user]}
    yield "system", {"messages": [{"role": "system", "content": "Be brief."}, user]}
    yield "turns", {"messages": turns}
    yield "system turns", {"messages": [{"role": "system", "content": " You help. "}] + turns}
    yield "answered", {"messages": turns[:2]}
    yield "list", {"messages": [{"role": "user", "content": [text("What is this?")]}]}
    yield "picture", {"messages": [{"role": "user", "content": [image, text("What is this?")]}]}
    yield "pictures", {"messages": [{"role": "user", "content": [image, image, text("Which is worse?")]}]}
    yield "picture last", {"messages": [{"role": "user", "content": [text("What is this?"), image]}]}
    yield "system picture", {"messages": [{"role": "system", "content": [text("Be brief.")]},
                                          {"role": "user", "content": [image, text("What?")]}]}
    yield "system text picture", {"messages": [{"role": "system", "content": "Be brief."},
                                               {"role": "user", "content": [image, text("What?")]}]}
    yield "tools", {"messages": [user], "tools": TOOLS}
    yield "system tools", {"messages": [{"role": "system", "content": "Be brief."}, user], "tools": TOOLS}
    yield "call", {"messages": tools, "tools": TOOLS}
    yield "call without tools", {"messages": tools}
    yield "call as text", {"messages": [user, {"role": "assistant", "content": None, "tool_calls": [as_text]},
                                        {"role": "tool", "content": "rain"}], "tools": TOOLS}
    yield "two calls", {"messages": [user, {"role": "assistant", "content": "", "tool_calls": [call, call]}],
                        "tools": TOOLS}
    yield "reasoning", {"messages": [user, {"role": "assistant", "content": "Yes.",
                                            "reasoning_content": "hm\nhm"}, user]}
    yield "no thinking", {"messages": [user], "enable_thinking": False}
    yield "thinking", {"messages": turns, "enable_thinking": True, "thinking": True, "reasoning_effort": "low"}
    yield "assistant first", {"messages": [{"role": "assistant", "content": "Hello"}, user]}
    yield "two users", {"messages": [user, user]}
    yield "unknown role", {"messages": [{"role": "doctor", "content": "Hello"}]}
    yield "no message", {"messages": []}
    yield "empty", {"messages": [{"role": "user", "content": ""}]}
    yield "nothing", {}
    yield "documents", {"messages": [user], "documents": [{"title": "A", "text": "B"}]}


def roots():
    for name, root in conversations():
        for ask in (False, True):
            yield f"{name}{', ask' if ask else ''}", {
                "tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                **root, "add_generation_prompt": ask}


def templates_of_json(path):
    try:
        with open(path, encoding="utf-8") as f:
            value = json.load(f)
    except ValueError:
        return
    value = value.get("chat_template") if isinstance(value, dict) else None
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for entry in value:
            yield f"{path} {entry['name']}", entry["template"]


def templates(paths):
    for path in paths:
        files = [path] if os.path.isfile(path) else sorted(
            os.path.join(d, f) for d, _, names in os.walk(path) for f in names)
        for file in files:
            if file.endswith(".jinja"):
                with open(file, encoding="utf-8", newline="") as f:
                    yield file, f.read()
            elif file.endswith(".json"):
                yield from templates_of_json(file)


def changed(path):
    def read(name):
        with open(os.path.join("tests/golden/chat", name), encoding="utf-8") as f:
            return f.read()
    space = {"S": read("simple.jinja"), "F": read("full.jinja")}
    with open(path, encoding="utf-8") as f:
        exec(f.read(), space)
    yield from space["V"].items()


def compare(tool, rows):
    """Counts and prints what differs among (name, template, root)."""
    lines = "".join(json.dumps({"template": t, "root": r, "now": NOW}) + "\n" for _, t, r in rows)
    out = subprocess.run([tool], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    same = refused = differ = 0
    for (name, template, root), line in zip(rows, out, strict=True):
        got = json.loads(line)
        want, why = reference(template, root)
        if want is not None and got.get("text") == want:
            same += 1
        elif want is None and "error" in got:
            refused += 1
            if os.environ.get("VERBOSE"):
                print(f"both refuse: {name}\n    jinja2: {why}\n    mdf:    {got['error']}")
        else:
            differ += 1
            print(f"DIFFERS: {name}\n    jinja2: {want if want is not None else why!r}\n    mdf:    {got!r}"[:3000])
    return same, refused, differ


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tool", default="build/tests/mdf_jinja_render")
    p.add_argument("--changes")
    p.add_argument("paths", nargs="*")
    args = p.parse_args()
    found = list(templates(args.paths)) + list(changed(args.changes) if args.changes else [])
    unique = {t: n for n, t in reversed(found)}
    rows = [(f"{n}: {c}", t, r) for t, n in reversed(unique.items()) for c, r in roots()]
    same, refused, differ = compare(args.tool, rows)
    print(f"{len(unique)} templates, {len(rows)} texts: {same} equal, {refused} refused by both, {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
