"""Small pictures as inline SVG: bars of aggregate shares. No script, no style attribute, no text that is not escaped.

Colors come from classes of the page's style sheet, so that they follow light, dark and print.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tamis.core.record import Bar, ClassSizes
from tamis.write.wording import percent, visible

_WIDTH = 264
_LABEL = 92
_ROW = 18
_MANY = 8
"""from more bars than this on the picture is a histogram of upright columns"""
_MOST = 40


def bars(values: Sequence[Bar], *, title: str, rows: int, k: int, top: float, tone: str) -> str:
    """Shares as bars; `top` is the share that fills the width (the same for before and after), `tone` a class of the page.

    Shares of fewer than k rows are drawn and written as if they were k rows ('<k').
    """
    if not values:
        return ""
    drawn = [_Shown(bar, rows, k) for bar in values[:_MOST]]
    body = _upright(drawn, top, tone) if len(drawn) > _MANY else _lying(drawn, top, tone)
    return _svg(body, title, _WIDTH, 96 if len(drawn) > _MANY else _ROW * len(drawn) + 4)


class _Shown:
    """A bar as it may be drawn."""

    __slots__ = ("label", "share", "text")

    def __init__(self, bar: Bar, rows: int, k: int) -> None:
        small = 0 < bar.share * rows < k - 1e-9
        self.label = visible(bar.label, 40)
        self.share = min(1.0, k / rows) if small else min(1.0, max(0.0, bar.share))
        self.text = f"<{k} rows" if small else percent(bar.share)


def _lying(values: Sequence[_Shown], top: float, tone: str) -> str:
    room = _WIDTH - _LABEL - 58
    parts = []
    for index, bar in enumerate(values):
        y = index * _ROW + 2
        length = max(1.0, room * bar.share / top) if bar.share and top else 0.0
        label = bar.label if len(bar.label) <= 14 else bar.label[:13] + "…"
        parts.append(
            f"<g><title>{escape(bar.label)}: {escape(bar.text)}</title>"
            f'<text class="lab" x="{_LABEL - 6}" y="{y + 11}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="track" x="{_LABEL}" y="{y + 2}" width="{room}" height="11" rx="2"/>'
            f'<rect class="{tone}" x="{_LABEL}" y="{y + 2}" width="{length:.1f}" height="11" rx="2"/>'
            f'<text class="val" x="{_LABEL + room + 6}" y="{y + 11}">{escape(bar.text)}</text></g>'
        )
    return "".join(parts)


def _upright(values: Sequence[_Shown], top: float, tone: str) -> str:
    room, base = 70, 76
    step = _WIDTH / len(values)
    parts = [f'<line class="axis" x1="0" y1="{base}.5" x2="{_WIDTH}" y2="{base}.5"/>']
    for index, bar in enumerate(values):
        height = max(1.0, room * bar.share / top) if bar.share and top else 0.0
        place = f'x="{index * step + 0.75:.1f}" y="{base - height:.1f}" width="{step - 1.5:.1f}" height="{height:.1f}"'
        parts.append(f'<g><title>{escape(bar.label)}: {escape(bar.text)}</title><rect class="{tone}" {place}/></g>')
    ends = ((values[0].label, 0, "start"), (values[-1].label, _WIDTH, "end"))
    parts += [
        f'<text class="lab" x="{x}" y="91" text-anchor="{anchor}">{escape(label if len(label) <= 18 else label[:17] + "…")}</text>'
        for label, x, anchor in ends
    ]
    return "".join(parts)


def class_sizes(before: ClassSizes | None, after: ClassSizes | None, *, k: int) -> str:
    """Rows by the size of the group they lie in, before (pale) and after (strong)."""
    labels = list(dict.fromkeys(label for sizes in (before, after) if sizes for label, _ in sizes.sizes))
    if not labels:
        return ""
    label_room, room, height = 70, 360, 38
    parts = []
    for index, label in enumerate(labels):
        y = index * height + 4
        parts.append(f'<text class="lab" x="{label_room - 8}" y="{y + 18}" text-anchor="end">{escape(visible(label, 12))}</text>')
        for offset, sizes, tone in ((0, before, "before"), (14, after, "after")):
            if sizes is None:
                continue
            rows = dict(sizes.sizes).get(label, 0)
            shown = _Shown(Bar(label=label, share=rows / sizes.rows if sizes.rows else 0.0), sizes.rows, k)
            length = max(1.0, room * shown.share) if rows else 0.0
            parts.append(
                f"<g><title>{tone}, groups of {escape(visible(label, 12))}: {escape(shown.text)} of rows</title>"
                f'<rect class="track" x="{label_room}" y="{y + offset}" width="{room}" height="12" rx="2"/>'
                f'<rect class="{tone}" x="{label_room}" y="{y + offset}" width="{length:.1f}" height="12" rx="2"/>'
                f'<text class="val" x="{label_room + room + 8}" y="{y + offset + 10}">{escape(shown.text)}</text></g>'
            )
    title = "Share of rows by the size of their group, before and after"
    return _svg("".join(parts), title, label_room + room + 72, len(labels) * height + 4)


def level_meter(level: int, height: int) -> str:
    """How far up its ladder a column was generalized: filled steps of all steps."""
    steps = max(height, level, 1)
    width = min(16, 160 / steps)
    parts = []
    for step in range(min(steps, 80)):
        tone = "after" if step < level else "track"
        parts.append(f'<rect class="{tone}" x="{step * width:.1f}" y="2" width="{max(width - 2, 1):.1f}" height="10" rx="2"/>')
    return _svg("".join(parts), f"level {level} of {height}", 160, 14)


def _svg(body: str, title: str, width: float, height: float) -> str:
    said = escape(visible(title, 160), quote=True)
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg class="pic" role="img" aria-label="{said}" {size}><title>{said}</title>{body}</svg>'
