"""The model card of a network, from its entry in the manifest."""

from edgedigits.artifacts.records import Network
from edgedigits.reporting.facts import MARKDOWN, network_facts


def render_model_card(name: str, entry: Network) -> str:
    """Write the model card of a network from its entry in the manifest.

    Args:
        name: of the network.
        entry: its part of the manifest.

    Raises:
        ModelFileError: the record of the run that made it is incomplete.
    """
    return str(MARKDOWN.get_template("model_card.md.j2").render(network_facts(name, entry)))
