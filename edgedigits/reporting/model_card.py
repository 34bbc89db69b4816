"""The model card of a network, from its entry in the manifest."""

from pathlib import Path
from typing import Any

from edgedigits.reporting.facts import TEMPLATES, complete_record, network_facts


def render_model_card(name: str, entry: dict[str, Any]) -> str:
    """Write the model card of a network from its entry in the manifest.

    Args:
        name: of the network.
        entry: its part of the manifest, with ``training`` and ``files``.
    """
    with complete_record(Path(name)):
        return str(TEMPLATES.get_template("model_card.md.j2").render(network_facts(name, entry)))
