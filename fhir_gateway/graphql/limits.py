"""How large a question may be, known before it is answered: how deep, and how many fields with fragments opened.

https://hl7.org/fhir/R4/graphql.html
"""

from graphql import DocumentNode, FieldNode, FragmentDefinitionNode, FragmentSpreadNode, SelectionSetNode

from fhir_gateway.problem import TooCostly

DEPTH_LIMIT = 20
FIELD_LIMIT = 500
TOKEN_LIMIT = 5000

INTROSPECTION = frozenset({"__schema", "__type"})
WIDE = frozenset({"types", "possibleTypes", "interfaces", "fields", "inputFields"})
"""What lists the schema: one level of one type, or of all types where nothing else is asked."""


def must_be_small(document: DocumentNode, of_schema: bool = False) -> None:
    """Raises TooCostly. Fragments must be known to hold no ring: validation comes first.

    ``of_schema``: nothing but the schema is asked for.
    """
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    measured: dict[str, tuple[int, int]] = {}
    for definition in document.definitions:
        selections = getattr(definition, "selection_set", None)
        _must_ask_little(selections, fragments, (2, of_schema), set())
        depth, fields = _measure(selections, fragments, measured)
        if depth > DEPTH_LIMIT:
            raise TooCostly(f"a question may be {DEPTH_LIMIT} fields deep", "query")
        if fields > FIELD_LIMIT:
            raise TooCostly(f"a question may ask for {FIELD_LIMIT} fields", "query")


def _measure(
    selections: SelectionSetNode | None,
    fragments: dict[str, FragmentDefinitionNode],
    measured: dict[str, tuple[int, int]],
) -> tuple[int, int]:
    deepest, total = 0, 0
    for node in selections.selections if selections else ():
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in measured:
                measured[name] = _measure(fragments[name].selection_set, fragments, measured)
            depth, fields = measured[name]
        else:
            depth, fields = _measure(getattr(node, "selection_set", None), fragments, measured)
            own = int(isinstance(node, FieldNode))
            depth, fields = depth + own, fields + own
        deepest, total = max(deepest, depth), total + fields
    return deepest, total


def _must_ask_little(
    selections: SelectionSetNode | None,
    fragments: dict[str, FragmentDefinitionNode],
    budget: tuple[int, bool],
    seen: set[tuple[str, int]],
) -> None:
    """``budget``: 2 outside of the schema, 1 inside, 0 below a list of it; and whether all types may be listed.

    ``seen`` are fragments gone through.
    """
    left, every = budget
    for node in selections.selections if selections else ():
        name = node.name.value if isinstance(node, FieldNode | FragmentSpreadNode) else ""
        inner, below = getattr(node, "selection_set", None), left
        if isinstance(node, FragmentSpreadNode):
            if (name, left) in seen:
                continue
            seen.add((name, left))
            inner = fragments[name].selection_set
        elif left == 2:
            below = 1 if name in INTROSPECTION else 2
        elif name in WIDE:
            below = 1 if name == "types" and every else 0
            if left == 0 or (name == "types" and not every):
                raise TooCostly("the schema is too large for this; ask for it alone, or for one type of it", "query")
        _must_ask_little(inner, fragments, (below, every), seen)
