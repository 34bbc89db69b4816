"""Draws on the pad of a page that is open in headless Chromium, by pointer events, and says what the page read."""

import base64
import json
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from _pad_digits import PAD, Drawing
from _pages import Tab

from edgedigits.picture.levels import Pixels

AT_ONCE = 100
"""Drawings that the page is handed in one message."""
REFUSED = -1
DRAW = """
async (drawings, side, withPads) => {
  const $ = (id) => document.getElementById(id);
  const pad = $("pad");
  // Events that a script makes have no pointer that could be captured.
  pad.setPointerCapture = () => {};
  // What the page prepares is what it last took of a canvas, but for that of what the network saw.
  if (!window.taken) {
    for (const { prototype } of [CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) {
      const take = prototype.getImageData;
      prototype.getImageData = function (...part) {
        const pixels = take.apply(this, part);
        if (pixels.width > 28) window.taken = pixels;
        return pixels;
      };
    }
  }
  const levels = ({ data }) => {
    let text = "";
    for (let at = 0; at < data.length; at += 4) text += String.fromCharCode(data[at]);
    return btoa(text);
  };
  const seen = () => $("seen").getContext("2d").getImageData(0, 0, 28, 28);
  const say = (kind, [x, y], box, scale) =>
    pad.dispatchEvent(new PointerEvent(kind, {
      bubbles: true, cancelable: true, pointerId: 1, pointerType: "mouse", pressure: 0.5, buttons: 1,
      clientX: box.left + pad.clientLeft + x * scale, clientY: box.top + pad.clientTop + y * scale,
    }));
  const found = [];
  for (const [pen, strokes] of drawings) {
    // Who draws by hand leaves the browser time between two drawings, for frames and for what it tidies up.
    await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    $("clear").click();
    $("pen").value = pen;
    const box = pad.getBoundingClientRect();
    const scale = pad.clientWidth / side;
    let milliseconds;
    for (const stroke of strokes) {
      say("pointerdown", stroke[0], box, scale);
      for (const point of stroke.slice(1)) say("pointermove", point, box, scale);
      const begin = performance.now();
      say("pointerup", stroke[stroke.length - 1], box, scale);
      milliseconds = performance.now() - begin;
    }
    const label = $("label").textContent;
    found.push([label, $("message").textContent, levels(seen()), withPads ? levels(window.taken) : "", milliseconds]);
  }
  return found;
}
"""
"""The function that draws, in the page: it calls nothing of the page's script but by events."""


class Read(NamedTuple):
    """What a page made of drawings."""

    digits: npt.NDArray[np.int64]
    """(n,), -1 where it read nothing."""
    images: Pixels
    """What its network saw, uint8 (n, 28, 28)."""
    pads: list[Pixels]
    """Levels that it prepared, uint8 (h, h) each, 255 where there is no ink; none where they were not asked for."""
    messages: list[str]
    """What it said of those that it did not read, else empty."""
    milliseconds: npt.NDArray[np.float64]
    """(n,), of the event that ended the last stroke: the drawing is prepared, read and its answer shown."""


def read_on(tab: Tab, drawn: list[Drawing], *, with_pads: bool = False) -> Read:
    """Draw on the page that is open in a tab, one drawing after the other.

    Args:
        tab: where the page of a network of digits is open.
        drawn: what is drawn.
        with_pads: whether the pixels that were prepared are returned as well.
    """
    found: list[Any] = []
    for first in range(0, len(drawn), AT_ONCE):
        batch = [
            [one.pen, [np.round(stroke, 2).tolist() for stroke in one.strokes]]
            for one in drawn[first : first + AT_ONCE]
        ]
        found += tab.run(f"({DRAW})({json.dumps(batch)}, {PAD}, {json.dumps(with_pads)})")
    labels, messages, images, pads, milliseconds = zip(*found, strict=True)
    return Read(
        np.array([int(label) if label.isdigit() else REFUSED for label in labels]),
        np.stack([_levels(image) for image in images]),
        [_levels(pad) for pad in pads if pad],
        list(messages),
        np.array(milliseconds),
    )


def _levels(text: str) -> Pixels:
    """Return the levels of a square."""
    levels = np.frombuffer(base64.b64decode(text), np.uint8)
    side = math.isqrt(len(levels))
    return levels.reshape(side, side)
