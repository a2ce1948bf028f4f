"""Where an XML Patch points: the part of XPath that RFC 5261 allows, walked step by step, never run as a program.

https://www.rfc-editor.org/rfc/rfc5261#section-4.1
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from fhir_gateway.problem import BadRequest, Unprocessable

LENGTH_LIMIT = 2000

_NAME = r"(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*"
_LITERAL = r"\"[^\"]*\"|'[^']*'"
_LEFT = rf"\.|{_NAME}/@{_NAME}|@?{_NAME}"
_PREDICATE = re.compile(rf"\[\s*(?:(?P<place>[0-9]{{1,6}})|(?P<left>{_LEFT})\s*=\s*(?P<right>{_LITERAL}))\s*\]")
_STEP = re.compile(rf"/?(?P<name>{_NAME}|\*)(?P<tests>(?:{_PREDICATE.pattern.replace('?P<', '?P<x_')})*)")
_LEAF = re.compile(rf"/@(?P<attribute>{_NAME})|/(?P<text>text\(\))(?:\[1\])?")
_XML = "http://www.w3.org/XML/1998/namespace"


@dataclass(frozen=True, slots=True)
class Found:
    """One node: an element, or of it the ``attribute`` or the ``text`` before its first child."""

    element: etree._Element
    attribute: str = ""
    is_text: bool = False


def select(root: etree._Element, path: str, spaces: Mapping[str | None, str], where: str) -> Found:
    """The one node that ``path`` names. Unprocessable when it is none or several, BadRequest when it is no path."""
    if len(path) > LENGTH_LIMIT:
        raise BadRequest(f"a selector may have {LENGTH_LIMIT} characters", where)
    steps, leaf = _split(path.strip(), where)
    nodes = [root] if _matches(root, steps[0], [root], (spaces, where)) else []
    for step in steps[1:]:
        nodes = [found for node in nodes for found in _below(node, step, (spaces, where))]
    if len(nodes) != 1:
        raise Unprocessable("the selector finds nothing" if not nodes else "the selector finds several nodes", where)
    return _leaf(nodes[0], leaf, (spaces, where))


_Context = tuple[Mapping[str | None, str], str]


def _split(path: str, where: str) -> tuple[list[re.Match[str]], re.Match[str] | None]:
    steps: list[re.Match[str]] = []
    position = 0
    while position < len(path):
        if steps and (leaf := _LEAF.fullmatch(path, position)):
            return steps, leaf
        step = _STEP.match(path, position)
        if step is None or (steps and path[position] != "/"):
            break
        steps.append(step)
        position = step.end()
    if not steps or position < len(path):
        raise BadRequest("the selector must be a path of names, with predicates like [2] and [@id='a']", where)
    return steps, None


def _below(node: etree._Element, step: re.Match[str], context: _Context) -> list[etree._Element]:
    named = [child for child in node if _is_named(child, step["name"], context)]
    return [child for child in named if _matches(child, step, named, context)]


def _matches(node: etree._Element, step: re.Match[str], among: list[etree._Element], context: _Context) -> bool:
    if not _is_named(node, step["name"], context):
        return False
    for test in _PREDICATE.finditer(step["tests"]):
        if test["place"]:
            among = among[int(test["place"]) - 1 : int(test["place"])] if int(test["place"]) else []
        else:
            among = [one for one in among if _equals(one, test["left"], test["right"][1:-1], context)]
    return any(one is node for one in among)


def _is_named(node: etree._Element, name: str, context: _Context) -> bool:
    return name == "*" or node.tag == _expanded(name, context)


def _expanded(name: str, context: _Context) -> str:
    """Unlike XPath 1.0, RFC 5261 gives names without a prefix the default namespace of the patch."""
    prefix, colon, local = name.rpartition(":")
    space = _space(prefix, context) if colon else context[0].get(None)
    return f"{{{space}}}{local}" if space else local


def _space(prefix: str, context: _Context) -> str:
    if prefix == "xml":
        return _XML
    if prefix not in context[0]:
        raise BadRequest("the selector uses a prefix that the patch does not declare", context[1])
    return context[0][prefix]


def _equals(node: etree._Element, left: str, value: str, context: _Context) -> bool:
    if left == ".":
        return _text(node) == value
    if left.startswith("@"):
        return node.get(_attribute(left[1:], context)) == value
    child_name, _, attribute = left.partition("/@")
    name = _expanded(child_name, context)
    children = [child for child in node if child.tag == name]
    if attribute:
        return any(child.get(_attribute(attribute, context)) == value for child in children)
    return any(_text(child) == value for child in children)


def _text(node: etree._Element) -> str:
    return "".join(str(text) for text in node.itertext())


def _attribute(name: str, context: _Context) -> str:
    return _expanded(name, context) if ":" in name else name


def _leaf(node: etree._Element, leaf: re.Match[str] | None, context: _Context) -> Found:
    if leaf is None:
        return Found(node)
    if leaf["text"]:
        return Found(node, is_text=True)
    name = _attribute(leaf["attribute"], context)
    if node.get(name) is None:
        raise Unprocessable("the selector finds nothing", context[1])
    return Found(node, attribute=name)
